//! Requests that nobody would write, made by a seed: whatever is asked, and in whatever words, the answer is whole.
//!
//! 1. A seed fills a dashboard and throws requests at it: routes and what is none, known names with values from the
//!    grammars of filters, places and times, cut, joined and mistyped; the same as forms and as JSON.
//! 2. Each answer is judged: no fault of the server, the strict headers, HTML in which nothing came out of data, JSON
//!    that is some, no way out of the dashboard; and a filter means the same when it is written back.
//! 3. Who finds something says the seed and the request; `cargo xtask fuzz --seed S` plays it again.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use portfire_core::Dice;
use portfire_dashboard::{Method, Permissions, Surface, routes};
use tower::ServiceExt;

use crate::markup::{elements, plain};
use crate::site::{Site, admit, request};

/// Requests of one seed: then its dashboard has little left to act upon.
pub const REQUESTS: u64 = 400;

/// What values are made of: words of the grammars, and what does not belong there.
const PIECES: [&str; 64] = [
    "state:",
    "queue:",
    "kind:",
    "tag:",
    "id:",
    "fault:",
    "error:",
    "since:",
    "until:",
    "-",
    ":",
    "\"",
    "\\",
    " ",
    "a",
    "failed",
    "enqueued",
    "mail",
    "reports",
    "charge_card",
    "billing",
    "客戶 42",
    "-2h",
    "-999999999w",
    "2026-10-01",
    "2026-10-01T12:30",
    "0123456789abcdef",
    "019a0000-0000-7000-8000-000000000001",
    "測試",
    "\u{0}",
    "\u{202e}",
    "\n",
    "\r\n",
    "0",
    "1",
    "-1",
    "200",
    "4000000000",
    "99999999999999999999",
    "1e9",
    "NaN",
    "true",
    "null",
    "<script>",
    "'",
    "`",
    "&",
    "=",
    "%",
    "%00",
    "%ff",
    "+",
    "/",
    "//evil.example",
    "..",
    "?",
    "#",
    "{}",
    "[",
    "]",
    "\u{feff}",
    "🎉",
    "cleanup",
    "run",
];
const NAMES: [&str; 29] = [
    "q",
    "after",
    "before",
    "at",
    "limit",
    "done",
    "lang",
    "span",
    "order",
    "sort",
    "name",
    "id",
    "fault",
    "do",
    "job",
    "jobs",
    "queue",
    "priority",
    "delay",
    "delay_seconds",
    "schedule",
    "server",
    "reason",
    "expect",
    "attempts",
    "until",
    "back",
    "confirmed",
    "theme",
];
const PATHS: [&str; 8] =
    ["/nothing", "/jobs/", "/jobs/x", "//", "/assets/style.css", "/assets/..", "/api/v1/", "/%2e%2e/"];
const LANGUAGES: [&str; 5] = ["en", "zh-TW,zh;q=0.9", "*;q=nan", "zh-Hans", ""];

/// What is known of the dashboard that is played with.
struct Player {
    site: Site,
    dice: Dice,
    ids: Vec<String>,
    cursors: Vec<String>,
}

/// Says what was asked when an answer is found wrong.
struct Told(u64, String);

#[allow(clippy::print_stderr, reason = "who plays it again has to know the seed")]
impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}: {}", self.0, self.1);
        }
    }
}

/// Plays one seed; answers how many requests were understood.
///
/// # Panics
/// If an answer is not whole.
pub async fn play(seed: u64, requests: u64) -> u64 {
    let site = Site::with(|builder| admit(builder, Permissions::admin())).await;
    let list = site.storage.list(Default::default(), Default::default()).await.unwrap();
    let ids = list.jobs.iter().map(|job| job.id.to_string()).collect();
    let cursors = list.jobs.iter().map(|job| portfire_core::storage::Cursor::of(job).to_string()).collect();
    let mut player = Player { site, dice: Dice::from_seed([seed, 0xF0]), ids, cursors };
    let mut understood = 0;
    for _ in 0..requests {
        let (asked, words) = player.request();
        let told = Told(seed, words);
        understood += u64::from(player.judge(asked, &told.1).await);
    }
    understood
}

impl Player {
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.dice.below(from.len() as u64) as usize]
    }

    fn one_in(&mut self, odds: u64) -> bool {
        self.dice.below(odds) == 0
    }

    fn known(&mut self) -> String {
        let all = if self.one_in(2) { &self.ids } else { &self.cursors };
        all[self.dice.below(all.len() as u64) as usize].clone()
    }

    /// A value: pieces, or something known, which may be cut and mistyped.
    fn value(&mut self) -> String {
        let mut text = if self.one_in(3) { self.known() } else { String::new() };
        for _ in 0..self.dice.below(6) {
            text += self.pick(&PIECES);
        }
        if self.one_in(50) {
            text = text.repeat(300);
        }
        if self.one_in(4) && !text.is_empty() {
            let at = text.floor_char_boundary(self.dice.below(text.len() as u64) as usize);
            text.truncate(at);
            text.push(char::from_u32(self.dice.below(0x3000) as u32).unwrap_or('?'));
        }
        text
    }

    fn pairs(&mut self) -> String {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for _ in 0..self.dice.below(5) {
            let name = self.pick(&NAMES);
            pairs.append_pair(name, &self.value());
        }
        let mut encoded = pairs.finish();
        if self.one_in(8) {
            encoded += self.pick(&["&", "&&=", "%", "%zz", "&q=%c3%28", ";", "&q"]);
        }
        encoded
    }

    fn json(&mut self) -> String {
        let mut members = Vec::new();
        for _ in 0..self.dice.below(4) {
            let name = self.pick(&NAMES);
            let text = serde_json::Value::from(self.value());
            let value = match self.dice.below(6) {
                0 => format!("[{text},\"{}\"]", self.known()),
                1 => self.dice.bits().to_string(),
                2 => self
                    .pick(&["null", "[]", "{}", "-1", "1e999", "[[[[", "\"\\u0000\"", "\"\\ud800\""])
                    .to_owned(),
                _ => text.to_string(),
            };
            members.push(format!("\"{name}\":{value}"));
        }
        format!("{{{}}}", members.join(","))
    }

    fn path(&mut self) -> (String, bool, bool) {
        if self.one_in(12) {
            return (self.pick(&PATHS).to_owned(), self.one_in(2), false);
        }
        let route = routes()[self.dice.below(routes().len() as u64) as usize];
        let id = if self.one_in(3) { "x%00%2F".to_owned() } else { self.known() };
        let path = route.path.replace("{id}", &id).replace("{name}", "script.0.js");
        (path, route.method == Method::Post, route.surface == Surface::Api)
    }

    fn request(&mut self) -> (Request<Body>, String) {
        let (path, posts, programs) = self.path();
        let (query, body) = (self.pairs(), if programs { self.json() } else { self.pairs() });
        // A request target has no more than visible ASCII in it: others do not come so far.
        let path: String = path.chars().filter(char::is_ascii_graphic).collect();
        let target = if query.is_empty() { path } else { format!("{path}?{query}") };
        let kind = if programs { "application/json" } else { "application/x-www-form-urlencoded" };
        let site =
            if programs { "same-origin" } else { self.pick(&["same-origin", "same-origin", "cross-site"]) };
        let language = self.pick(&LANGUAGES);
        let cookie = self.pick(&["portfire_lang=zh-Hant-TW", "portfire_lang=;;=; portfire_theme=\"><", ""]);
        let accept = self.pick(&["text/html", "text/vnd.portfire.fragment+html", "*/*"]);
        let headers = [
            ("content-type", kind),
            ("sec-fetch-site", site),
            ("accept-language", language),
            ("cookie", cookie),
            ("accept", accept),
        ];
        let method = if posts { "POST" } else { "GET" };
        let body = if posts { body } else { String::new() };
        let words = format!("{method} {target} {headers:?} {body}");
        (request(method, &target, &headers, &body), words)
    }

    /// Whether it was understood.
    async fn judge(&self, asked: Request<Body>, words: &str) -> bool {
        let path = asked.uri().path().to_owned();
        let query = asked.uri().query().unwrap_or_default().to_owned();
        let response = self.site.router.clone().oneshot(asked).await.unwrap();
        let (parts, body) = response.into_parts();
        assert!(!parts.status.is_server_error(), "{}", parts.status);
        let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap());
        for (name, begins) in
            [("content-security-policy", "default-src 'none'"), ("x-content-type-options", "nosniff")]
        {
            assert!(header(name).starts_with(begins), "{name}");
        }
        let there = header("location");
        assert!(there.is_empty() || there.starts_with('/') && !there.starts_with("//"), "{there}");
        let kind = header("content-type").to_owned();
        if kind.starts_with("text/event-stream") {
            return true;
        }
        let bytes = to_bytes(body, 16 << 20).await.unwrap();
        let text = std::str::from_utf8(&bytes).expect("all is UTF-8");
        if kind.contains("html") {
            elements(text);
        } else if kind.contains("json") {
            serde_json::from_str::<serde_json::Value>(text).expect("it is JSON");
        }
        if path == "/jobs" && parts.status == StatusCode::OK && words.starts_with("GET") {
            self.means_the_same(&query, text).await;
        }
        parts.status.is_success() || parts.status.is_redirection()
    }

    /// What was understood is found again by the address that the page itself gives it; what was not finds nothing.
    async fn means_the_same(&self, query: &str, page: &str) {
        let found = rows(page);
        if page.contains("id=\"wrong\"") {
            assert!(found.is_empty(), "what is not understood finds nothing");
            return;
        }
        let is_whole = form_urlencoded::parse(query.as_bytes()).all(|(name, _)| name == "q");
        let Some(tabs) = page.split("class=\"tabs\"").nth(1).filter(|_| is_whole) else { return };
        let own = elements(tabs).into_iter().find(|one| one.get("aria-current") == Some("page")).unwrap();
        let again = self.site.get(&plain(own.get("href").unwrap())).await;
        assert_eq!(rows(&again.body), found, "{:?}", own.get("href"));
    }
}

fn rows(page: &str) -> Vec<String> {
    let rows = elements(page).into_iter().filter(|one| one.name == "tr");
    rows.filter_map(|row| row.get("id").map(str::to_owned)).collect()
}

#[tokio::test]
async fn whatever_is_asked_the_answer_is_whole() {
    let mut understood = 0;
    for seed in 0..6 {
        understood += play(seed, REQUESTS).await;
    }
    assert!(understood > 500, "{understood} were understood: the others teach little");
}
