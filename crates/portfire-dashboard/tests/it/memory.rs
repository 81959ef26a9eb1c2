//! Requests that would cost memory: they are refused before they do.
//!
//! The dashboard is a process of its own, the gallery, so that what is measured is its memory and no other's.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How much more the process may come to need, in kB.
const GROWTH_KB_MAX: u64 = 20 << 10;
/// Streams of live updates that are open at once.
const STREAMS: usize = 200;

/// A dashboard in a process of its own; it ends with the test.
struct Gallery {
    process: Child,
    address: String,
}

impl Gallery {
    fn open() -> Self {
        let mut process = Command::new(path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { process, address }
    }

    /// The most memory that it ever had, in kB.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells the peak");
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends a head, and a piece so often, or until nobody listens; answers what came back.
    async fn send(&self, head: &str, piece: &[u8], times: usize) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let (mut from, mut to) = stream.split();
        let write = async {
            let mut written = to.write_all(head.as_bytes()).await;
            for _ in 0..times {
                if written.is_err() {
                    break;
                }
                written = to.write_all(piece).await;
            }
        };
        let read = async {
            let mut answer = Vec::new();
            let _ = (&mut from).take(1 << 20).read_to_end(&mut answer).await;
            answer
        };
        let ((), answer) = tokio::join!(write, read);
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn get(&self, target: &str) -> String {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"), b"", 0)
            .await
    }
}

impl Drop for Gallery {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program beside the tests, built if it is not there yet.
fn path() -> std::path::PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples/gallery");
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    if !path.exists() {
        let build = ["build", "-p", "portfire-dashboard", "--example", "gallery"];
        assert!(Command::new(env!("CARGO")).args(build).status().unwrap().success());
    }
    path
}

fn post(path: &str, headers: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n{headers}\r\n\r\n")
}

/// Each head, its piece, how often that is sent, and what may be answered; nothing is answered where the server has
/// hung up while it was still being told.
fn bombs() -> Vec<(String, Vec<u8>, usize, &'static [&'static str])> {
    let piece = vec![b'x'; 64 << 10];
    let json = "Content-Type: application/json\r\nConnection: close\r\nContent-Length:";
    let refused: &[&str] = &["413", ""];
    let get =
        |headers: &str| format!("GET /jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}");
    let fields = "job=1&".repeat(10_000);
    let members: String = (0..9_000).map(|number| format!("\"{number}\":0,")).collect();
    vec![
        (post("/jobs/cancel", "Content-Length: 1073741824"), piece.clone(), 1 << 14, refused),
        (
            post("/jobs/cancel", "Transfer-Encoding: chunked"),
            [b"10000\r\n", &piece[..], b"\r\n"].concat(),
            1 << 14,
            refused,
        ),
        (
            post("/api/v1/jobs/cancel", "Content-Type: application/json\r\nContent-Length: 1073741824"),
            piece.clone(),
            1 << 14,
            refused,
        ),
        (post("/api/v1/jobs/cancel", &format!("{json} 60000")), b"[".repeat(60_000), 1, &["400"]),
        (
            post("/api/v1/jobs/cancel", &format!("{json} {}", members.len() + 1)),
            format!("{{{members}").into_bytes(),
            1,
            &["413", "400"],
        ),
        (
            post("/jobs/cancel", &format!("Connection: close\r\nContent-Length: {}", fields.len())),
            fields.into_bytes(),
            1,
            &["400", "413"],
        ),
        (
            post("/jobs/cancel", "Content-Encoding: gzip\r\nConnection: close\r\nContent-Length: 65536"),
            piece.clone(),
            1,
            &["400", "413"],
        ),
        (get("X-Long: "), piece.clone(), 512, &["431", "400", ""]),
        (get(""), b"X-Many: 1\r\n".repeat(1_000), 500, &["431", "400", ""]),
        ("GET /jobs?q=".to_owned(), piece, 512, &["414", "431", "400", ""]),
        (get(&format!("Cookie: {}\r\n\r\n", "portfire_lang=x;".repeat(5_000))), Vec::new(), 0, &["200"]),
        (get(&format!("Accept-Language: {}\r\n\r\n", "zh-TW;q=0.1,".repeat(5_000))), Vec::new(), 0, &["200"]),
    ]
}

#[tokio::test]
async fn requests_that_would_cost_memory_cost_little() {
    let gallery = Gallery::open();
    for path in ["/", "/jobs", "/queues", "/servers", "/recurring", "/audit", "/failed", "/about"] {
        assert!(gallery.get(path).await.starts_with("HTTP/1.1 200"), "{path}");
    }
    let before = gallery.peak();
    for _ in 0..3 {
        for (head, piece, times, allowed) in bombs() {
            let answer = gallery.send(&head, &piece, times).await;
            let status = answer.split(' ').nth(1).unwrap_or_default();
            assert!(allowed.contains(&status), "{}: {answer}", &head[..head.len().min(200)]);
        }
        let tags = (0..400).map(|number| format!("-tag%3A{number}+")).collect::<String>();
        for target in [
            format!("/jobs?q={}", &tags[..990]),
            format!("/jobs?{}", "q=a&".repeat(10_000)),
            format!("/events?{}", "job=x&".repeat(5_000)),
            "/jobs?limit=4000000000".to_owned(),
            format!("/jobs?after={}", "9".repeat(50_000)),
        ] {
            let answer = gallery.get(&target).await;
            assert!(answer.starts_with("HTTP/1.1 2") || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
    }
    let job = "019a0000-0000-7000-8000-00000000000";
    let jobs: String = (0..200).map(|number| format!("job={job}{}&", number % 10)).collect();
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = TcpStream::connect(&gallery.address).await.unwrap();
        let ask = format!("GET /events?{jobs} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).await.unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200");
        streams.push(stream);
    }
    assert!(gallery.get("/jobs").await.starts_with("HTTP/1.1 200"), "the next is answered");
    let grown = gallery.peak() - before;
    println!("the dashboard came to need {grown} kB more than the {before} kB of its pages");
    assert!(grown < GROWTH_KB_MAX, "{grown} kB");
}
