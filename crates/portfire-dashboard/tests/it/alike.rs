//! What is done to all failures of one group, round by round.

use axum::http::StatusCode;
use portfire_core::storage::{
    AuditRequest, Beat, Cursor, Exchange, FaultGroupRequest, Filter, PageRequest, ServerInfo, Want, WantQueue,
};
use portfire_core::{
    Clock, Dice, Fault, IdSequence, Json, NewJob, Outcome, Policy, State, Timestamp, settle,
};
use portfire_dashboard::{Permission, Permissions};
use serde_json::{Value, json};

use crate::site::{Site, admit, request};

/// Lets so many jobs fail for good, all alike; answers their group.
pub async fn fail(site: &Site, seed: u64, count: usize) -> String {
    let (mut ids, mut dice) = (IdSequence::new(Dice::from_seed([seed, 5])), Dice::from_seed([seed, 6]));
    let now = site.clock.now();
    let policy = Policy { attempts_max: 1, ..Policy::default() };
    let job = |id| NewJob {
        policy: policy.clone(),
        queue: "many".into(),
        ..NewJob::new(id, "charge", Json::trusted("{}"))
    };
    site.storage.insert((0..count).map(|_| job(ids.job(now))).collect()).await.unwrap();
    let server = ids.server(now);
    let lease = std::time::Duration::from_secs(86_400);
    site.storage.beat(Beat { server, lease, info: ServerInfo::default() }).await.unwrap();
    let mut settlements = Vec::new();
    loop {
        let queues = vec![WantQueue { name: "many".into(), limit: 256 }];
        let want = Want { token: ids.token(now), limit: 256, queues, kinds: ["charge".into()].into() };
        let exchange = Exchange { server, notes: Vec::new(), settlements, want: Some(want) };
        let claimed = site.storage.exchange(exchange).await.unwrap().claimed;
        if claimed.is_empty() {
            break;
        }
        let outcome = || Outcome::Failed(Fault::new("the bank is closed"));
        settlements = claimed.iter().map(|one| settle(&one.facts, outcome(), &mut dice)).collect();
    }
    let groups = site.storage.fault_groups(FaultGroupRequest::default()).await.unwrap();
    groups.iter().find(|group| &*group.kind == "charge").unwrap().fingerprint.to_string()
}

async fn count(site: &Site, state: State) -> usize {
    let filter = Filter { queue: Some("many".into()), ..Filter::of(state) };
    let (mut jobs, mut after) = (0, None);
    loop {
        let page =
            site.storage.list(filter.clone(), PageRequest { limit: 200, after, before: None }).await.unwrap();
        jobs += page.jobs.len();
        after = page.next;
        if after.is_none() {
            return jobs;
        }
    }
}

/// The form of a page, as a browser would send it.
fn form(page: &str) -> String {
    let fields = page.split("<input type=\"hidden\" name=\"").skip(1);
    let pairs = fields.filter_map(|field| {
        let (name, rest) = field.split_once("\" value=\"")?;
        let value = rest.split('"').next()?.replace("&amp;", "&");
        Some(format!("{name}={}", form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>()))
    });
    pairs.collect::<Vec<_>>().join("&")
}

#[tokio::test]
async fn all_failures_of_a_group_are_run_again_in_rounds() {
    let site = Site::full().await;
    let fault = fail(&site, 1, 650).await;
    let list = site.get(&format!("/jobs?q=state:failed+fault:{fault}")).await.body;
    assert!(list.contains(&format!("/failed/all?fault={fault}&amp;do=run")), "{list}");
    let asked = site.get(&format!("/failed/all?fault={fault}&do=run")).await;
    assert!(asked.status == StatusCode::OK && asked.body.contains("<strong>650</strong>"), "{}", asked.body);
    assert_eq!(count(&site, State::Failed).await, 650, "asking does nothing");

    site.clock.advance(std::time::Duration::from_secs(5));
    let first = site.post("/faults/run", &format!("fault={fault}&reason=open+again&back=/failed")).await;
    assert!(first.status == StatusCode::OK && first.body.contains("600 jobs done so far."), "{}", first.body);
    assert_eq!((count(&site, State::Failed).await, count(&site, State::Enqueued).await), (50, 600));
    // What fails from now on, as those may that have just been run, is left alone.
    site.clock.advance(std::time::Duration::from_secs(5));
    fail(&site, 2, 1).await;
    let last = site
        .post(
            "/faults/run",
            &form(first.body.split("<main").nth(1).unwrap().split("data-next").nth(1).unwrap()),
        )
        .await;
    assert_eq!((last.status, last.location()), (StatusCode::SEE_OTHER, "/failed?done=run.650.0"));
    assert_eq!((count(&site, State::Failed).await, count(&site, State::Enqueued).await), (601, 50));
    let entries = site.storage.audit(None, AuditRequest { limit: 200, before: None }).await.unwrap();
    let theirs = |entry: &&portfire_core::storage::AuditEntry| entry.by.reason() == Some("open again");
    assert_eq!(entries.iter().filter(theirs).count(), 200, "each is written down, with the reason");
}

#[tokio::test]
async fn programs_delete_a_group_round_by_round() {
    let site = Site::full().await;
    let fault = fail(&site, 3, 601).await;
    site.clock.advance(std::time::Duration::from_secs(5));
    let (mut body, mut rounds) = (json!({ "fault": fault }), Vec::new());
    loop {
        let headers = [("content-type", "application/json")];
        let answer = site.ask(request("POST", "/api/v1/faults/delete", &headers, &body.to_string())).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let round: Value = serde_json::from_str(&answer.body).unwrap();
        rounds.push(round["done"].as_u64().unwrap());
        if round["next"].is_null() {
            break;
        }
        (body["after"], body["until"]) = (round["next"].clone(), round["until"].clone());
    }
    assert_eq!((rounds, count(&site, State::Failed).await), (vec![600, 1], 0));
}

#[tokio::test]
async fn a_whole_group_takes_the_right_to_many() {
    for lacking in [Permission::Bulk, Permission::ViewErrors, Permission::Run] {
        let site = Site::with(|builder| admit(builder, Permissions::admin().without(lacking))).await;
        let fault = fail(&site, 4, 2).await;
        site.clock.advance(std::time::Duration::from_secs(5));
        assert_eq!(site.post("/faults/run", &format!("fault={fault}")).await.status, StatusCode::FORBIDDEN);
        assert_eq!(
            site.get(&format!("/failed/all?fault={fault}&do=run")).await.status,
            StatusCode::FORBIDDEN
        );
        assert_eq!(count(&site, State::Failed).await, 2);
    }
    let site = Site::full().await;
    let fault = fail(&site, 4, 2).await;
    for (path, form) in [("/faults/run", "fault=x"), ("/faults/run", "")] {
        assert_eq!(site.post(path, form).await.status, StatusCode::NOT_FOUND, "{path} {form}");
    }
    for wrong in ["until=yesterday", "after=x"] {
        let answer = site.post("/faults/run", &format!("fault={fault}&{wrong}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(count(&site, State::Failed).await, 2);
}

#[tokio::test]
async fn a_list_is_entered_at_a_time() {
    let site = Site::full().await;
    let ended = site.jobs(State::Succeeded).await;
    let jobs = site.storage.get(ended).await.unwrap();
    let ends: Vec<Timestamp> = jobs.iter().flatten().filter_map(|job| job.summary.finished_at).collect();
    let ids: Vec<_> = jobs.iter().flatten().map(|job| job.summary.id.to_string()).collect();
    let at = ends[3].before(std::time::Duration::from_micros(1));
    let page =
        site.get(&format!("/jobs?q=state:succeeded&at={}", at.to_string().trim_end_matches('Z'))).await.body;
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(page.contains(&format!("j-{id}")), number > 3, "{number}");
    }
    let all = site.get("/jobs?at=2026-10-01T12:00").await.body;
    assert!(!all.contains("j-"), "nothing is as old as that");
    assert!(
        site.get("/jobs?at=yesterday").await.body.contains("j-"),
        "what cannot be read is the first page"
    );
    assert!(
        !site.get("/jobs?q=state:enqueued").await.body.contains("datetime-local"),
        "the line has no time"
    );
    assert!(Cursor::at(&Filter::of(State::Enqueued), at).is_none());
}
