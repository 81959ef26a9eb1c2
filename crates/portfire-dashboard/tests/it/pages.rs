//! Every page as it is written, in both languages; and how a reader chooses.

use std::io::Write;

use axum::http::StatusCode;
use portfire_core::State;
use portfire_dashboard::Permissions;

use crate::markup::elements;
use crate::site::{Answer, Site, admit};

/// A page, one element a line, without the hashes of files.
fn snapshot(answer: &Answer) -> String {
    elements(&answer.body);
    let mut text = answer.body.replace("><", ">\n<");
    for name in ["style", "script", "worker", "icon"] {
        let at = format!("/assets/{name}.");
        if let Some(start) = text.find(&at).map(|start| start + at.len()) {
            text.replace_range(start..start + 16, "HASH");
        }
    }
    text
}

#[tokio::test]
async fn pages_are_as_they_were() {
    let site = Site::full().await;
    let of = |state| site.jobs(state);
    let running = of(State::Processing).await;
    let (failed, waiting) = (of(State::Failed).await[0], of(State::Awaiting).await[0]);
    let pages = [
        ("overview", "/".to_owned()),
        ("jobs", "/jobs".to_owned()),
        ("jobs-failed", "/jobs?q=state:failed".to_owned()),
        ("jobs-wrong", "/jobs?q=color:red".to_owned()),
        ("job-failed", format!("/jobs/{failed}")),
        ("job-running", format!("/jobs/{}", running[0])),
        ("job-awaiting", format!("/jobs/{waiting}")),
        ("failed", "/failed".to_owned()),
        ("recurring", "/recurring".to_owned()),
        ("schedule", "/recurring/one?id=heartbeat".to_owned()),
        ("schedule-clock-change", "/recurring/one?id=nyc/closing%3Fa%3Db".to_owned()),
        ("queues", "/queues".to_owned()),
        ("servers", "/servers".to_owned()),
        ("audit", "/audit".to_owned()),
        ("not-found", "/nothing".to_owned()),
    ];
    for (name, path) in pages {
        for (tongue, header) in [("en", "en"), ("zh", "zh-TW")] {
            let answer = site.get_as(&path, &[("accept-language", header)]).await;
            insta::assert_snapshot!(format!("{name}-{tongue}"), snapshot(&answer));
        }
    }
}

#[tokio::test]
async fn the_first_day_shows_the_way() {
    let site = Site::empty(|builder| admit(builder, Permissions::admin()));
    for path in ["/", "/jobs", "/failed", "/recurring", "/queues", "/servers", "/audit"] {
        let page = site.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        elements(&page.body);
    }
    assert!(site.get("/").await.body.contains("First steps"));
    assert!(site.get("/jobs").await.body.contains("No jobs yet"));
}

#[tokio::test]
async fn the_first_load_is_small() {
    let site = Site::full().await;
    let home = site.get("/").await.body;
    let mut size = gzip(home.as_bytes());
    for element in elements(&home) {
        let file = match &*element.name {
            "link" => element.get("href"),
            "script" => element.get("src"),
            _ => None,
        };
        if let Some(path) = file {
            let file = site.get(path).await;
            assert_eq!(file.status, StatusCode::OK);
            size += gzip(file.body.as_bytes());
        }
    }
    assert!(size <= 60 << 10, "{size} bytes");
}

fn gzip(bytes: &[u8]) -> usize {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len()
}

#[tokio::test]
async fn language_and_theme_are_chosen_without_a_script_and_kept() {
    let site = Site::full().await;
    let page = site.get_as("/", &[("accept-language", "zh-TW,zh;q=0.9")]).await.body;
    assert!(page.contains("<html lang=\"zh-Hant-TW\" data-theme=\"auto\">") && page.contains("總覽"));
    assert!(site.get_as("/?lang=en", &[("accept-language", "zh-TW")]).await.body.contains("lang=\"en\""));
    let answer = site.post("/preferences", "theme=dark&lang=zh-Hant-TW&back=/jobs?q=kind:a").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/jobs?q=kind:a"));
    let cookies: Vec<_> =
        answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(
        cookies,
        [
            "portfire_theme=dark; Path=/; Max-Age=31536000; SameSite=Lax",
            "portfire_lang=zh-Hant-TW; Path=/; Max-Age=31536000; SameSite=Lax"
        ]
    );
    let page =
        site.get_as("/", &[("cookie", "a=b; portfire_theme=dark; portfire_lang=zh-Hant-TW")]).await.body;
    assert!(page.contains("<html lang=\"zh-Hant-TW\" data-theme=\"dark\">"));
}

#[tokio::test]
async fn lists_go_on_where_they_ended_and_show_each_job_once() {
    let site = Site::full().await;
    let all = site.storage.list(Default::default(), Default::default()).await.unwrap().jobs;
    let (mut path, mut seen) = ("/jobs?limit=7".to_owned(), Vec::new());
    loop {
        let page = site.get(&path).await;
        let found = elements(&page.body);
        seen.extend(
            found
                .iter()
                .filter(|one| one.name == "input" && one.get("name") == Some("job"))
                .map(|one| one.get("value").unwrap().to_owned()),
        );
        match found.iter().find(|one| one.get("rel") == Some("next")) {
            Some(next) => path = crate::markup::plain(next.get("href").unwrap()),
            None => break,
        }
    }
    assert_eq!(seen, all.iter().map(|job| job.id.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_id_in_the_box_leads_to_the_job() {
    let site = Site::full().await;
    let job = site.jobs(State::Failed).await[0];
    assert_eq!(site.get(&format!("/jobs?q={job}")).await.location(), format!("/jobs/{job}"));
}

#[tokio::test]
async fn big_numbers_are_shown_as_they_were_written() {
    let site = Site::full().await;
    let job = site.jobs(State::Failed).await[0];
    assert!(site.get(&format!("/jobs/{job}")).await.body.contains("9007199254740993"));
}
