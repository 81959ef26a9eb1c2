//! What is done from a page.

use axum::http::StatusCode;
use portfire_core::storage::{AuditRequest, ServerOrder, Target, Via};
use portfire_core::{JobId, Standing, State};
use portfire_dashboard::{Permission, Permissions, Scope};

use crate::site::{Site, admit, admit_to};

async fn state(site: &Site, job: JobId) -> Option<State> {
    site.storage.get(vec![job]).await.unwrap().pop().unwrap().map(|job| job.summary.state)
}

#[tokio::test]
async fn a_job_is_cancelled_and_it_is_written_down_who_did_it() {
    let site = Site::full().await;
    let job = site.jobs(State::Enqueued).await[0];
    let form = format!("job={job}&expect=enqueued&attempts=0&back=/jobs/{job}&reason=fixed+DNS");
    let answer = site.post("/jobs/cancel", &form).await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, &*format!("/jobs/{job}?done=cancel.1.0"))
    );
    assert_eq!(state(&site, job).await, Some(State::Cancelled));
    let entry = &site.storage.audit(Some(Target::Job(job)), AuditRequest::default()).await.unwrap()[0];
    assert_eq!(
        (entry.by.name(), entry.by.via(), entry.by.reason()),
        ("ming", Via::Dashboard, Some("fixed DNS"))
    );
    let page = site.get(answer.location()).await.body;
    assert!(page.contains("1 job cancelled.") && page.contains("Cancel: ming — fixed DNS"), "{page}");
}

#[tokio::test]
async fn a_job_that_changed_since_the_page_was_made_is_left_alone() {
    let site = Site::full().await;
    let job = site.jobs(State::Failed).await[0];
    let answer = site.post("/jobs/run", &format!("job={job}&expect=enqueued")).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("It is failed now"), "{}", answer.body);
    let answer = site.post("/jobs/run", &format!("job={job}&expect=failed&attempts=77")).await;
    assert!(answer.status == StatusCode::CONFLICT && answer.body.contains("Another attempt began"));
    assert_eq!(state(&site, job).await, Some(State::Failed));
    let gone = "019a0000-0000-7000-8000-000000000001";
    assert_eq!(
        site.post("/jobs/run", &format!("job={gone}&expect=failed")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn deleting_is_asked_twice() {
    let site = Site::full().await;
    let job = site.jobs(State::Failed).await[0];
    let asked = site.post("/jobs/delete", &format!("job={job}&back=/jobs")).await;
    assert!(asked.status == StatusCode::OK && asked.body.contains("Delete 1 job?"), "{}", asked.body);
    assert_eq!(state(&site, job).await, Some(State::Failed));
    let done = site.post("/jobs/delete", &format!("job={job}&back=/jobs&confirmed=yes")).await;
    assert_eq!(done.location(), "/jobs?done=delete.1.0");
    assert_eq!(state(&site, job).await, None);
}

#[tokio::test]
async fn several_jobs_at_once_take_a_right_of_their_own() {
    let one_by_one = Permissions::admin().without(Permission::Bulk);
    let site = Site::with(|builder| admit(builder, one_by_one)).await;
    let jobs = site.jobs(State::Failed).await;
    let form = jobs.iter().map(|job| format!("job={job}&")).collect::<String>();
    assert_eq!(site.post("/jobs/run", &form).await.status, StatusCode::FORBIDDEN);
    assert_eq!(site.jobs(State::Failed).await, jobs);
    let site = Site::full().await;
    let answer = site.post("/jobs/run", &format!("{form}job={}&back=/jobs?q=state:failed", jobs[0])).await;
    assert_eq!(answer.location(), "/jobs?q=state%3Afailed&done=run.3.0");
    assert!(site.jobs(State::Failed).await.is_empty());
}

#[tokio::test]
async fn jobs_are_moved_put_off_and_put_first() {
    let site = Site::full().await;
    let job = site.jobs(State::Enqueued).await[0];
    let one = || async { site.storage.get(vec![job]).await.unwrap().pop().unwrap().unwrap().summary };
    site.post("/jobs/move", &format!("job={job}&queue=測試")).await;
    site.post("/jobs/prioritize", &format!("job={job}&priority=-7")).await;
    assert_eq!((&*one().await.queue, one().await.priority), ("測試", -7));
    site.post("/jobs/reschedule", &format!("job={job}&at=2026-12-24T18:00")).await;
    assert_eq!(
        (one().await.state, one().await.run_at.to_string()),
        (State::Scheduled, "2026-12-24T18:00:00Z".into())
    );
    for (path, form) in [
        ("/jobs/move", "queue="),
        ("/jobs/prioritize", "priority=99999"),
        ("/jobs/reschedule", "at=tomorrow"),
        ("/jobs/reschedule", "delay=99999999999"),
        ("/jobs/cancel", "job=x"),
    ] {
        let answer = site.post(path, &format!("job={job}&{form}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {form}");
    }
    assert_eq!(site.post("/jobs/cancel", "").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_schedule_runs_with_the_arguments_that_no_page_shows() {
    let blind = Permissions::admin().without(Permission::ViewArgs);
    let site = Site::with(|builder| admit(builder, blind)).await;
    let before = site.jobs(State::Enqueued).await;
    let answer = site.post("/recurring/run", "schedule=cleanup&back=/recurring").await;
    assert_eq!(answer.location(), "/recurring?done=schedule-run.1.0");
    let made = site.jobs(State::Enqueued).await.into_iter().find(|job| !before.contains(job)).unwrap();
    let job = site.storage.get(vec![made]).await.unwrap().pop().unwrap().unwrap();
    assert_eq!(job.args.as_str(), "{\"month\":\"2026-09\"}");
    assert!(!site.get(&format!("/jobs/{made}")).await.body.contains("2026-09\""));
}

#[tokio::test]
async fn schedules_queues_and_servers_are_steered() {
    let site = Site::full().await;
    let standing =
        || async { site.storage.get_schedules(vec!["cleanup".into()]).await.unwrap().pop().unwrap() };
    site.post("/recurring/pause", "schedule=cleanup").await;
    assert_eq!(standing().await.unwrap().standing, Standing::Paused);
    site.post("/recurring/resume", "schedule=cleanup").await;
    assert_ne!(standing().await.unwrap().standing, Standing::Paused);
    assert!(site.post("/recurring/remove", "schedule=cleanup").await.body.contains("Remove “cleanup”?"));
    site.post("/recurring/remove", "schedule=cleanup&confirmed=yes").await;
    assert!(standing().await.is_none());

    site.post("/queues/pause", "queue=mail&reason=provider+down").await;
    let paused = site.storage.overview().await.unwrap().paused;
    let mail = paused.iter().find(|paused| &*paused.queue == "mail").unwrap();
    assert_eq!((mail.by.as_deref(), mail.reason.as_deref()), (Some("ming"), Some("provider down")));
    assert!(site.get("/queues").await.body.contains("provider down"));
    site.post("/queues/resume", "queue=mail").await;
    assert!(!site.storage.overview().await.unwrap().paused.iter().any(|paused| &*paused.queue == "mail"));

    let server = site.storage.overview().await.unwrap().servers[0].id;
    for (path, order) in [
        ("/servers/quiet", ServerOrder::Quiet),
        ("/servers/resume", ServerOrder::Run),
        ("/servers/stop", ServerOrder::Stop),
    ] {
        site.post(path, &format!("server={server}")).await;
        assert_eq!(site.storage.overview().await.unwrap().servers[0].order, order);
    }
}

#[tokio::test]
async fn what_is_outside_the_scope_does_not_exist() {
    let scope = Scope::Queues(vec!["reports".into(), "default".into()]);
    let site = Site::with(|builder| admit_to(builder, Permissions::admin(), scope)).await;
    let all = site.storage.list(Default::default(), Default::default()).await.unwrap().jobs;
    let foreign: Vec<_> = all.iter().filter(|job| &*job.queue == "mail").collect();
    assert!(foreign.len() > 3);
    for job in &foreign {
        assert_eq!(site.get(&format!("/jobs/{}", job.id)).await.status, StatusCode::NOT_FOUND);
        let answer = site.post("/jobs/cancel", &format!("job={}", job.id)).await;
        assert!(answer.location().ends_with("done=cancel.0.1"), "{}", answer.location());
    }
    for path in [
        "/",
        "/jobs",
        "/jobs?q=queue:mail",
        "/jobs?q=state:failed",
        "/jobs?q=state:enqueued",
        "/queues",
        "/recurring",
        "/servers",
        "/failed",
        "/audit",
    ] {
        let body = site.get(path).await.body;
        for job in &foreign {
            assert!(!body.contains(&job.id.to_string()), "{path}");
        }
        assert!(!body.contains("charge_card") && !body.contains("the payment service"), "{path}");
        assert!(!body.contains(">mail<"), "{path}");
    }
    assert!(site.get("/jobs").await.body.contains("import_users"));
    assert_eq!(site.post("/queues/pause", "queue=mail").await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get("/audit").await.status, StatusCode::FORBIDDEN);
    let theirs = all.iter().find(|job| &*job.queue == "reports" && job.state == State::Enqueued).unwrap();
    let answer = site.post("/jobs/move", &format!("job={}&queue=mail", theirs.id)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

/// Not even by a number: what others have is not counted, and a relative of theirs is not named.
#[tokio::test]
async fn nothing_tells_how_much_there_is_outside_the_scope() {
    let scope = Scope::Queues(vec!["reports".into()]);
    let site = Site::with(|builder| admit_to(builder, Permissions::admin(), scope)).await;
    let json = |answer: crate::site::Answer| serde_json::from_str::<serde_json::Value>(&answer.body).unwrap();
    let jobs = json(site.get("/api/v1/jobs?q=tag:billing").await);
    assert_eq!((&jobs["items"], &jobs["walked"]), (&serde_json::json!([]), &serde_json::json!(0)));
    let overview = json(site.get("/api/v1/overview").await).to_string();
    for told in ["mail", "nobody", "old-host"] {
        assert!(!overview.contains(told), "{told}: {overview}");
    }
    let servers = json(site.get("/api/v1/servers").await);
    let servers = servers["items"].as_array().unwrap();
    assert_eq!((servers.len(), &servers[0]["name"]), (1, &serde_json::json!("reports-1")));
    assert!(servers[0]["running"].is_null(), "it serves a queue of others too");
    let page = site.get("/servers").await.body;
    assert!(!page.contains("2 / 4") && !page.contains("mail-1"), "{page}");
    let places = page.split("href=\"/servers\"").nth(1).unwrap().split("</a>").next().unwrap();
    assert!(places.contains(">1<"), "one server is theirs: {places}");
    let parents = site.jobs(State::Processing).await;
    let child = site.jobs(State::Awaiting).await[0].to_string();
    for parent in parents {
        let parent = site.get(&format!("/jobs/{parent}")).await;
        assert!(parent.status == StatusCode::OK && !parent.body.contains(&child), "{}", parent.body);
    }
}

#[tokio::test]
async fn what_may_not_be_seen_is_not_sent() {
    let rights = Permissions::none().with(Permission::View);
    let site = Site::with(|builder| admit(builder, rights)).await;
    for state in State::ALL {
        for job in site.jobs(state).await {
            let body = site.get(&format!("/jobs/{job}")).await.body;
            for secret in
                ["9007199254740993", "locale", "the payment service", "reading /srv", "sent", "第 42,000"]
            {
                assert!(!body.contains(secret), "{secret}");
            }
            assert!(
                !body.contains("formaction") && !body.contains("/jobs/run"),
                "no control that would be refused"
            );
        }
    }
    let list = site.get("/jobs?q=state:failed").await;
    assert!(!list.body.contains("the payment service") && !list.body.contains("name=\"job\""));
    assert_eq!(site.get("/jobs?q=error:payment").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn fields_that_are_redacted_are_not_sent() {
    let site = Site::with(|builder| admit(builder, Permissions::admin()).redact("PASSWORD")).await;
    let job = site.jobs(State::Failed).await[0];
    let body = site.get(&format!("/jobs/{job}")).await.body;
    assert!(body.contains("‹hidden›") && !body.contains("secret") && body.contains("9007199254740993"));
}

#[tokio::test]
async fn a_way_back_never_leads_out() {
    let site = Site::full().await;
    for back in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a%0d%0aSet-Cookie:x",
    ] {
        let answer = site.post("/queues/pause", &format!("queue=mail&back={back}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{back}");
        assert!(
            answer.location() == "/" || answer.location().starts_with("/?"),
            "{back} {}",
            answer.location()
        );
    }
}
