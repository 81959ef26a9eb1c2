//! What is typed into the filter box finds exactly that, and long lists are walked to their end and back.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::StatusCode;
use portfire_core::storage::{Beat, Exchange, ServerInfo, Want, WantQueue};
use portfire_core::{Clock, Dice, Fault, IdSequence, JobId, Json, NewJob, Outcome, Policy, Start, settle};
use portfire_dashboard::Permissions;
use serde_json::Value;

use crate::markup::{elements, plain};
use crate::site::{Site, admit};

/// Kind, queue and tags of each job. The first four are older by an hour; the fifth and sixth fail, the seventh is
/// to come.
const JOBS: [(&str, &str, &[&str]); 9] = [
    ("send_mail", "mail", &["vip"]),
    ("send_mail", "mail", &["vip", "a b"]),
    ("send_mail", "bulk", &["x:y/(z),w"]),
    ("測試", "信件", &["客戶", "客戶 42"]),
    ("charge", "mail", &["quote\"d"]),
    ("charge", "bulk", &[]),
    ("charge", "mail", &[]),
    ("-dash", "mail", &["-x", "back\\slash"]),
    ("two words", "信件", &["vip"]),
];
const FAULTS: [&str; 2] = ["timed out after 30 s: 100% (really)", "無法連線：逾時"];

/// What is typed, and which of the jobs it finds.
const QUERIES: [(&str, &[usize]); 32] = [
    ("", &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
    ("send_mail", &[0, 1, 2]),
    ("kind:send_mail queue:mail", &[0, 1]),
    ("queue:mail tag:vip", &[0, 1]),
    ("tag:\"a b\"", &[1]),
    ("tag:\"x:y/(z),w\"", &[2]),
    ("tag:x:y/(z),w", &[2]),
    (r#"tag:"quote\"d""#, &[4]),
    (r#"tag:"back\\slash""#, &[7]),
    ("tag:back\\slash", &[7]),
    ("測試", &[3]),
    ("queue:信件", &[3, 8]),
    ("tag:客戶", &[3]),
    ("tag:\"客戶 42\"", &[3]),
    ("\"two words\"", &[8]),
    ("kind:\"two words\"tag:vip", &[8]),
    ("-queue:mail", &[2, 3, 5, 8]),
    ("-queue:mail -queue:信件", &[2, 5]),
    ("-send_mail -kind:charge", &[3, 7, 8]),
    ("-tag:vip queue:mail", &[4, 6, 7]),
    ("-tag:\"-x\" -tag:vip -tag:客戶", &[2, 4, 5, 6]),
    ("kind:-dash", &[7]),
    ("--dash", &[0, 1, 2, 3, 4, 5, 6, 8]),
    ("state:failed", &[4, 5]),
    ("state:failed -queue:bulk", &[4]),
    ("state:failed error:\"100% (really)\"", &[4]),
    ("error:逾時", &[5]),
    ("state:enqueued queue:mail -tag:vip", &[7]),
    ("state:scheduled", &[6]),
    ("until:2026-10-01T12:30", &[0, 1, 2, 3]),
    ("since:2026-10-01T12:30 queue:信件", &[8]),
    ("since:-90m until:-30m tag:vip", &[0, 1]),
];

/// What is not understood, and which part of it that is.
const MISREAD: [(&str, &str); 8] = [
    ("kind:send_mail color:red", "color:red"),
    ("-state:failed queue:mail", "-state:failed"),
    ("queue:mail tag:\"a b", "tag:\"a b"),
    ("測試 since:昨天", "since:昨天"),
    ("kind:a kind:b", "kind:b"),
    ("state:broken", "state:broken"),
    ("queue:", "queue:"),
    ("vip <script>alert(1)</script>", "<script>alert(1)</script>"),
];

async fn fail(site: &Site, ids: &mut IdSequence, (kind, queue): (&str, &str), fault: &str) {
    let now = site.clock.now();
    let server = ids.server(now);
    let lease = Duration::from_secs(86_400);
    site.storage.beat(Beat { server, lease, info: ServerInfo::default() }).await.unwrap();
    let queues = vec![WantQueue { name: queue.into(), limit: 1 }];
    let want = Want { token: ids.token(now), limit: 1, queues, kinds: [kind.into()].into() };
    let ask = Exchange { server, notes: Vec::new(), settlements: Vec::new(), want: Some(want) };
    let claimed = site.storage.exchange(ask).await.unwrap().claimed.pop().unwrap();
    let outcome = Outcome::Failed(Fault::new(fault));
    let settlements = vec![settle(&claimed.facts, outcome, &mut Dice::from_seed([1, 1]))];
    site.storage.exchange(Exchange { server, notes: Vec::new(), settlements, want: None }).await.unwrap();
}

/// Stores the jobs of the table; answers their ids in its order.
async fn fill(site: &Site) -> Vec<String> {
    let mut ids = IdSequence::new(Dice::from_seed([12, 1]));
    let mut all = Vec::new();
    for (number, (kind, queue, tags)) in JOBS.into_iter().enumerate() {
        if number == 4 {
            site.clock.advance(Duration::from_secs(3_600));
        }
        let start = if number == 6 { Start::After(Duration::from_secs(3_600)) } else { Start::Now };
        let job = NewJob {
            queue: queue.into(),
            tags: tags.iter().map(|tag| (*tag).into()).collect(),
            start,
            policy: Policy { attempts_max: 1, ..Policy::default() },
            ..NewJob::new(ids.job(site.clock.now()), kind, Json::trusted("{}"))
        };
        all.push(job.id.to_string());
        site.storage.insert(vec![job]).await.unwrap();
    }
    for (number, fault) in [4, 5].into_iter().zip(FAULTS) {
        fail(site, &mut ids, (JOBS[number].0, JOBS[number].1), fault).await;
    }
    all
}

/// The jobs of a page, as they stand there.
fn rows(page: &str) -> Vec<String> {
    let rows = elements(page).into_iter().filter(|one| one.name == "tr");
    rows.filter_map(|row| row.get("id")?.strip_prefix("j-").map(str::to_owned)).collect()
}

fn address(query: &str) -> String {
    form_urlencoded::Serializer::new("/jobs?".to_owned()).append_pair("q", query).finish()
}

#[tokio::test]
async fn what_is_typed_finds_exactly_that() {
    let memory = Site::empty(|builder| admit(builder, Permissions::admin()));
    for site in [memory, Site::empty_on_sqlite().await] {
        let ids = fill(&site).await;
        for (typed, expected) in QUERIES {
            let expected: BTreeSet<_> = expected.iter().map(|number| ids[*number].clone()).collect();
            let page = site.get(&address(typed)).await;
            assert_eq!(page.status, StatusCode::OK, "{typed}");
            let found = rows(&page.body);
            assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), expected, "{typed}");
            let told: Value =
                serde_json::from_str(&site.get(&format!("/api/v1{}", address(typed))).await.body).unwrap();
            let told: Vec<_> =
                told["items"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
            assert_eq!(told, found, "{typed}: programs find the same");

            // The address of the tab that it is says the same in its own words.
            let tab = elements(&page.body).into_iter().filter(|one| one.get("aria-current") == Some("page"));
            let here =
                tab.filter_map(|one| Some(plain(one.get("href")?))).find(|href| href.starts_with("/jobs"));
            let tabs = page.body.split("class=\"tabs\"").nth(1).unwrap();
            let own = elements(tabs).into_iter().find(|one| one.get("aria-current") == Some("page")).unwrap();
            let own = plain(own.get("href").unwrap());
            assert!(here.is_some(), "{typed}");
            assert_eq!(rows(&site.get(&own).await.body), found, "{typed}: {own}");
        }
    }
}

#[tokio::test]
async fn what_is_not_understood_finds_nothing_and_is_shown_in_its_place() {
    let site = Site::empty(|builder| admit(builder, Permissions::admin()));
    fill(&site).await;
    for (typed, part) in MISREAD {
        let page = site.get(&address(typed)).await;
        assert!(rows(&page.body).is_empty(), "{typed}");
        let marked = page.body.split("<mark>").nth(1).and_then(|rest| rest.split("</mark>").next());
        assert_eq!(marked.map(plain).as_deref(), Some(part), "{typed}");
        assert!(
            page.body.contains(&format!(
                "value=\"{}\"",
                typed.replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
            )),
            "{typed} stays"
        );
        let told = site.get(&format!("/api/v1{}", address(typed))).await;
        assert_eq!(told.status, StatusCode::BAD_REQUEST, "{typed}");
    }
}

/// Where a page leads.
fn link(page: &str, rel: &str) -> Option<String> {
    let found = elements(page).into_iter().find(|one| one.name == "a" && one.get("rel") == Some(rel))?;
    Some(plain(found.get("href").unwrap()))
}

async fn many(site: &Site, seed: u64, count: usize, start: Start) -> Vec<JobId> {
    let mut ids = IdSequence::new(Dice::from_seed([seed, 2]));
    let now = site.clock.now();
    let job = |_| NewJob { start, ..NewJob::new(ids.job(now), "same", Json::trusted("{}")) };
    let jobs: Vec<_> = (0..count).map(job).collect();
    let all = jobs.iter().map(|job| job.id).collect();
    site.storage.insert(jobs).await.unwrap();
    all
}

/// Five hundred jobs of one instant, while others come.
#[tokio::test]
async fn a_long_list_is_walked_to_its_end_and_back_and_each_job_is_there_once() {
    let memory = Site::empty(|builder| admit(builder, Permissions::admin()));
    for site in [memory, Site::empty_on_sqlite().await] {
        let later = Start::After(Duration::from_secs(60));
        let now: BTreeSet<_> =
            many(&site, 1, 250, Start::Now).await.iter().map(ToString::to_string).collect();
        let due: BTreeSet<_> = many(&site, 2, 250, later).await.iter().map(ToString::to_string).collect();
        let all: BTreeSet<_> = now.union(&due).cloned().collect();
        for (round, (query, ours)) in
            [("", &all), ("state:enqueued", &now), ("state:scheduled", &due)].into_iter().enumerate()
        {
            let mut come = 100 * (1 + u64::try_from(round).unwrap());
            for rel in ["next", "prev"] {
                let mut path = if rel == "next" { address(query) } else { end(&site, &address(query)).await };
                let mut seen = Vec::new();
                for pages in 0.. {
                    let page = site.get(&path).await;
                    assert_eq!(page.status, StatusCode::OK, "{path}");
                    seen.extend(rows(&page.body).into_iter().filter(|id| ours.contains(id)));
                    if pages < 5 {
                        come += 1;
                        many(&site, come, 3, Start::Now).await;
                        many(&site, come + 50, 3, later).await;
                    }
                    let Some(there) = link(&page.body, rel) else { break };
                    path = there;
                    if site.get(&path).await.status == StatusCode::SEE_OTHER {
                        break;
                    }
                }
                assert_eq!(seen.len(), ours.len(), "{query} {rel}");
                assert_eq!(&seen.into_iter().collect::<BTreeSet<_>>(), ours, "{query} {rel}");
            }
        }
    }
}

/// The address of the last page.
async fn end(site: &Site, path: &str) -> String {
    let mut path = path.to_owned();
    while let Some(next) = link(&site.get(&path).await.body, "next") {
        path = next;
    }
    path
}

#[tokio::test]
async fn before_the_first_job_is_the_first_page() {
    let site = Site::empty(|builder| admit(builder, Permissions::admin()));
    many(&site, 1, 60, Start::Now).await;
    let second = link(&site.get("/jobs").await.body, "next").unwrap();
    let first = link(&site.get(&second).await.body, "prev").unwrap();
    let page = site.get(&first).await.body;
    assert_eq!(rows(&page).len(), 50);
    let beyond = link(&page, "prev");
    assert_eq!(beyond, None, "nothing is before it");
    let newest = site.storage.list(Default::default(), Default::default()).await.unwrap().jobs.remove(0);
    let cursor = portfire_core::storage::Cursor::of(&newest);
    let answer = site.get(&format!("/jobs?before={cursor}")).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/jobs"));
}
