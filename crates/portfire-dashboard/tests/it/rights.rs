//! Every right by itself: who lacks it sees no control and is refused by its name, and nothing changes.

use axum::http::StatusCode;
use futures_util::StreamExt;
use portfire_core::State;
use portfire_core::storage::{AuditRequest, By, ServerOrder};
use portfire_dashboard::{Effect, Permission, Permissions, Route, Surface, routes};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::site::{Answer, Site, admit, request};

/// What only who may see arguments is sent, of the fixture.
const ARGUMENTS: [&str; 6] = ["9007199254740993", "locale", "4242", "encoding", "dry_run", "user_id"];

async fn with(can: Permissions) -> Site {
    let site = Site::with(|builder| admit(builder, can)).await;
    // One that takes no more jobs, so that it may be told to take them again.
    let server = site.storage.overview().await.unwrap().servers[1].id;
    site.storage.direct_servers(vec![server], ServerOrder::Quiet, By::Program).await.unwrap();
    site
}

/// Everything that a change would change.
async fn everything(site: &Site) -> String {
    let list = site.storage.list(Default::default(), Default::default()).await.unwrap();
    let ids = list.jobs.iter().map(|job| job.id).collect();
    let jobs = site.storage.get(ids).await.unwrap();
    let schedules = site.storage.list_schedules(None, 100).await.unwrap();
    let overview = site.storage.overview().await.unwrap();
    let deeds = site.storage.audit(None, AuditRequest { limit: 200, before: None }).await.unwrap();
    format!("{jobs:#?}{schedules:#?}{overview:#?}{deeds:#?}")
}

/// What a route is asked for, so that it would be done.
async fn wanted(site: &Site, path: &str) -> Value {
    let (failed, waiting) = (site.jobs(State::Failed).await[0], site.jobs(State::Enqueued).await[0]);
    let job = site.storage.get(vec![failed]).await.unwrap().pop().flatten().unwrap();
    let fault = job.fingerprint.unwrap().to_string();
    let servers = site.storage.overview().await.unwrap().servers;
    match path.trim_start_matches("/api/v1") {
        "/jobs/run" | "/jobs/delete" => json!({ "jobs": [failed.to_string()] }),
        "/jobs/cancel" => json!({ "jobs": [waiting.to_string()] }),
        "/jobs/reschedule" => json!({ "jobs": [waiting.to_string()], "delay_seconds": 60 }),
        "/jobs/move" => json!({ "jobs": [waiting.to_string()], "queue": "elsewhere" }),
        "/jobs/prioritize" => json!({ "jobs": [waiting.to_string()], "priority": -77 }),
        "/faults/run" | "/faults/delete" => json!({ "fault": fault }),
        "/recurring/resume" => json!({ "schedule": "每週報表" }),
        path if path.starts_with("/recurring/") => json!({ "schedule": "cleanup" }),
        "/queues/pause" => json!({ "queue": "mail" }),
        "/queues/resume" => json!({ "queue": "nobody" }),
        "/servers/resume" => json!({ "server": servers[1].id.to_string() }),
        path if path.starts_with("/servers/") => json!({ "server": servers[0].id.to_string() }),
        other => panic!("nobody said what {other} takes"),
    }
}

/// The same as a form.
fn form(wanted: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut pairs = vec![("confirmed".to_owned(), "yes".to_owned())];
    for (name, value) in wanted.as_object().unwrap() {
        let name = match &**name {
            "jobs" => "job",
            "delay_seconds" => "delay",
            other => other,
        };
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        pairs.extend(values.iter().map(|value| (name.to_owned(), text(value))));
    }
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn ask(site: &Site, route: &Route) -> Answer {
    let wanted = wanted(site, route.path).await;
    if route.surface == Surface::Api {
        let headers = [("content-type", "application/json")];
        return site.ask(request("POST", route.path, &headers, &wanted.to_string())).await;
    }
    site.post(route.path, &form(&wanted)).await
}

/// Every page there is, in one text.
async fn pages(site: &Site) -> String {
    let failed = site.jobs(State::Failed).await[0];
    let job = site.storage.get(vec![failed]).await.unwrap().pop().flatten().unwrap();
    let fault = job.fingerprint.unwrap();
    let mut paths: Vec<String> =
        ["/", "/jobs", "/jobs?q=state:failed", "/failed", "/recurring", "/queues", "/servers"]
            .map(str::to_owned)
            .into();
    paths.extend(
        ["/audit", "/about", "/recurring/one?id=cleanup", "/jobs?q=kind:charge_card"].map(str::to_owned),
    );
    paths.push(format!("/jobs?q=state:failed+fault:{fault}"));
    paths.extend(["run", "delete"].map(|what| format!("/failed/all?fault={fault}&do={what}")));
    for state in State::ALL {
        paths.extend(site.jobs(state).await.iter().map(|job| format!("/jobs/{job}")));
    }
    let mut all = String::new();
    for path in paths {
        all += &site.get(&path).await.body;
    }
    all
}

fn changes(right: Permission) -> impl Iterator<Item = &'static Route> {
    routes().iter().filter(move |route| route.permission == Some(right) && route.effect == Effect::Change)
}

#[tokio::test]
async fn who_lacks_a_right_sees_no_control_for_it() {
    let all = pages(&with(Permissions::admin()).await).await;
    for right in Permission::ALL.iter().filter(|right| **right != Permission::View) {
        let lacking = pages(&with(Permissions::admin().without(*right)).await).await;
        let mut controls: Vec<_> = changes(*right)
            .filter(|route| route.surface == Surface::Page)
            .map(|route| format!("action=\"{}\"", route.path))
            .collect();
        match right {
            Permission::Bulk => {
                controls.extend(["name=\"job\" value".to_owned(), "href=\"/failed/all".to_owned()])
            }
            Permission::Audit => controls.push("href=\"/audit\"".to_owned()),
            Permission::ViewErrors => controls.push("href=\"/failed\" data-key".to_owned()),
            _ => {}
        }
        for control in controls {
            let is_for_many = *right == Permission::Bulk && control.starts_with("name");
            let shows = |page: &str| {
                if is_for_many {
                    page.contains("type=\"checkbox\" name=\"job\"")
                } else {
                    page.contains(&control)
                }
            };
            assert!(shows(&all), "{right}: nobody sees {control}");
            assert!(!shows(&lacking), "{right}: {control} is there without it");
        }
    }
}

#[tokio::test]
async fn who_lacks_a_right_is_refused_by_its_name_and_nothing_changes() {
    for right in Permission::ALL {
        for route in changes(*right) {
            let site = with(Permissions::admin().without(*right)).await;
            let before = everything(&site).await;
            let refused = ask(&site, route).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{route:?}");
            assert!(refused.body.contains(&format!("“{right}”")), "{route:?}: {}", refused.body);
            assert_eq!(everything(&site).await, before, "{route:?}");

            let site = with(Permissions::admin()).await;
            let before = everything(&site).await;
            let done = ask(&site, route).await;
            assert!(done.status.as_u16() < 400, "{route:?}: {}", done.body);
            assert_ne!(everything(&site).await, before, "{route:?}: the same is done for who may");
        }
    }
}

#[tokio::test]
async fn many_at_once_are_refused_by_name_to_who_may_steer_one() {
    for (path, as_program) in [("/jobs/run", false), ("/api/v1/jobs/run", true)] {
        let site = with(Permissions::admin().without(Permission::Bulk)).await;
        let before = everything(&site).await;
        let jobs: Vec<_> = site.jobs(State::Failed).await.iter().map(ToString::to_string).collect();
        let wanted = json!({ "jobs": jobs });
        let refused = if as_program {
            site.ask(request("POST", path, &[("content-type", "application/json")], &wanted.to_string()))
                .await
        } else {
            site.post(path, &form(&wanted)).await
        };
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.body.contains("“bulk”"), "{}", refused.body);
        assert_eq!(everything(&site).await, before);
    }
}

#[tokio::test]
async fn no_byte_of_arguments_is_sent_to_who_may_not_see_them() {
    let blind = with(Permissions::admin().without(Permission::ViewArgs)).await;
    let seeing = with(Permissions::admin()).await;
    for (site, sees) in [(&blind, false), (&seeing, true)] {
        let mut sent = pages(site).await;
        for route in
            routes().iter().filter(|route| route.surface == Surface::Api && route.effect == Effect::Nothing)
        {
            let path = route.path.replace("/recurring/one", "/recurring/one?id=cleanup");
            if !path.contains("{id}") {
                sent += &site.get(&path).await.body;
                continue;
            }
            for state in State::ALL {
                for job in site.jobs(state).await {
                    sent += &site.get(&path.replace("{id}", &job.to_string())).await.body;
                }
            }
        }
        for job in site.jobs(State::Failed).await {
            sent += &site.post("/jobs/delete", &format!("job={job}")).await.body;
            sent += &site.post("/jobs/run", &format!("job={job}&expect=enqueued")).await.body;
        }
        for secret in ARGUMENTS {
            assert_eq!(sent.contains(secret), sees, "{secret}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_says_which_job_changed_and_nothing_of_it() {
    let site = with(Permissions::admin()).await;
    let running = site.jobs(State::Processing).await;
    let path = format!("/events?job={}&job={}", running[0], running[1]);
    let response = site.router.clone().oneshot(request("GET", &path, &[], "")).await.unwrap();
    let mut frames = response.into_body().into_data_stream();
    let mut said = String::new();
    site.post("/jobs/cancel", &format!("job={}", running[0])).await;
    while let Some(frame) = frames.next().await {
        said += std::str::from_utf8(&frame.unwrap()).unwrap();
    }
    let told = format!("event: job\ndata: {}\n\n", running[0]);
    assert!(said.contains(&told) && !said.contains(&running[1].to_string()), "{said}");
    let known = ["retry: 500", "event: change", "data: {}", "event: job", ": still here", ""];
    let foreign = said.lines().filter(|line| !known.contains(line) && !told.contains(line));
    assert_eq!(foreign.collect::<Vec<_>>(), [""; 0]);
}
