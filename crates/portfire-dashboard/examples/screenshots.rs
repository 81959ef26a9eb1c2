//! Every page as a picture, in both languages and both themes, from fixed data: `cargo xtask screenshots`.
//!
//! All of them go to `target/screenshots`, to be looked at; those of the documentation to `docs/images`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
#![allow(
    dead_code,
    reason = "the browser's driver and the fixture are those of the tests, which use more of them"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portfire_core::storage::{Filter, PageRequest};
use portfire_core::{ModelStorage, State, Storage, VirtualClock};
use portfire_dashboard::{Access, Grant, Permissions, dashboard};

use chromium::{Looks, Tab};
use served::Served;

#[allow(unreachable_pub)]
#[path = "../tests/it/chromium.rs"]
mod chromium;
#[path = "../tests/it/fixture.rs"]
mod fixture;
#[allow(unreachable_pub)]
#[path = "../tests/it/served.rs"]
mod served;

/// The pictures of the documentation: page, language, dark.
const PUBLISHED: [(&str, &str, bool); 4] = [
    ("overview", "en", false),
    ("job-failed", "en", true),
    ("overview", "zh-TW", false),
    ("jobs", "zh-TW", true),
];

#[tokio::main]
async fn main() {
    let clock = Arc::new(VirtualClock::at(fixture::noon()));
    let storage = Arc::new(ModelStorage::new(clock.clone()));
    fixture::fill(&*storage, &clock).await;
    let pages = pages(&storage).await;
    let gate = |_: &axum::http::request::Parts| Access::Granted(Grant::new("ming", Permissions::admin()));
    let served =
        Served::start(dashboard(storage).clock(clock).name("shop").redact("password").gate_fn(gate).build())
            .await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let (all, published) = (root.join("target/screenshots"), root.join("docs/images"));
    for folder in [&all, &published] {
        std::fs::create_dir_all(folder).unwrap();
    }
    for language in ["en", "zh-TW"] {
        for dark in [false, true] {
            for width in [1_200, 320] {
                let looks =
                    Looks { width, height: 800, dark, language, zone: "Asia/Taipei", ..Looks::default() };
                let tab = Tab::open(looks).await;
                for (name, path) in &pages {
                    tab.go(&served.at(path)).await;
                    let picture = STANDARD.decode(tab.picture().await).unwrap();
                    let theme = if dark { "dark" } else { "light" };
                    let small = if width == 320 { "-small" } else { "" };
                    write(all.join(format!("{name}-{language}-{theme}{small}.png")), &picture);
                    if width != 320 && PUBLISHED.contains(&(*name, language, dark)) {
                        write(published.join(format!("dashboard-{name}-{language}.png")), &picture);
                    }
                }
            }
        }
    }
}

fn write(path: PathBuf, picture: &[u8]) {
    std::fs::write(&path, picture).unwrap();
    println!("{}", path.display());
}

async fn pages(storage: &ModelStorage) -> Vec<(&'static str, String)> {
    let mut pages: Vec<_> = [
        ("overview", "/"),
        ("jobs", "/jobs"),
        ("jobs-failed", "/jobs?q=state%3Afailed"),
        ("failed", "/failed"),
        ("recurring", "/recurring"),
        ("schedule", "/recurring/one?id=nyc%2Fclosing%3Fa%3Db"),
        ("queues", "/queues"),
        ("servers", "/servers"),
        ("audit", "/audit"),
        ("about", "/about"),
        ("not-found", "/nothing"),
    ]
    .map(|(name, path)| (name, path.to_owned()))
    .into();
    for (name, state) in [("job-running", State::Processing), ("job-failed", State::Failed)] {
        let job = storage.list(Filter::of(state), PageRequest::default()).await.unwrap().jobs.remove(0).id;
        pages.push((name, format!("/jobs/{job}")));
    }
    pages
}
