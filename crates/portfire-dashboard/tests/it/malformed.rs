//! Whatever arrives at the port, the next visitor is answered.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::served::Served;
use crate::site::Site;

/// What requests are put together from: right pieces and wrong ones.
const PIECES: [&str; 34] = [
    "GET ",
    "POST ",
    "BREW ",
    "gEt",
    "/",
    "//",
    "/jobs",
    "/jobs/",
    "/api/v1/jobs",
    "/assets/",
    "/../../etc/passwd",
    "%2e%2e%2f",
    "%00",
    "%ff%fe",
    "%",
    "?q=state%3A\"",
    "?after=\u{0}",
    "?lang=%f0%9f",
    "測試",
    "\u{0}",
    " HTTP/1.1\r\n",
    " HTTP/9.9\r\n",
    "Host: a\r\n",
    "Host: \u{7f}\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "zz\r\nx",
    "Cookie: portfire_lang=\u{1}; portfire_theme=\"><\r\n",
    "Accept-Language: ;q=,,,;;q=nan\r\n",
    "Sec-Fetch-Site: same-origin\r\n",
    "job=%&job=&delay=99999999999999999999&at=9999-99-99",
    "\r\n\r\n",
];

/// How many are sent, each on a connection of its own.
const REQUESTS: u64 = 10_000;

/// A well mixed number.
fn mixed(seed: u64) -> u64 {
    let once = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (once ^ (once >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 11
}

/// A request line that may be right, then anything.
fn request(number: u64) -> String {
    let piece = |at: u64| PIECES[(mixed(number * 97 + at) % PIECES.len() as u64) as usize];
    let pieces = 1 + mixed(number) % 12;
    let begin = if number.is_multiple_of(2) { "GET /jobs" } else { "" };
    let end = if number.is_multiple_of(3) { " HTTP/1.1\r\nHost: localhost\r\n\r\n" } else { "" };
    format!("{begin}{}{end}", (1..=pieces).map(piece).collect::<String>())
}

#[tokio::test]
async fn malformed_requests_break_nothing() {
    let site = Site::full().await;
    let served = Served::start(site.router.clone()).await;
    let address = served.origin.trim_start_matches("http://");
    let ask = async |request: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may hang up before it has heard all.
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let mut answered = 0;
    for number in 0..REQUESTS {
        let request = request(number);
        let answer = ask(&request).await;
        assert!(!answer.starts_with("HTTP/1.1 5"), "{request:?}: {answer}");
        assert!(!answer.contains("root:"), "{request:?}");
        answered += usize::from(answer.starts_with("HTTP/1.1 "));
    }
    assert!(answered > 100, "{answered} were understood well enough to be refused");
    let right = ask("GET /jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(right.starts_with("HTTP/1.1 200"), "{right}");
}
