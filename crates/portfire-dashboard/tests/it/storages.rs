//! Every page and every action on every storage: each does what it does on the model.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use portfire_core::storage::{AuditRequest, Filter, PageRequest};
use portfire_core::{State, VirtualClock};
use portfire_dashboard::{Effect, Method, Surface, routes};
use portfire_mysql::mysql_async::Conn;
use portfire_mysql::mysql_async::prelude::Queryable;
use portfire_mysql::{MysqlOptions, MysqlStorage};
use portfire_postgres::tokio_postgres::NoTls;
use portfire_postgres::{PostgresOptions, PostgresStorage, Tables};

use crate::fixture::noon;
use crate::markup::elements;
use crate::site::{Site, request};

/// The server of the tests.
#[expect(clippy::disallowed_methods, reason = "the tests find their databases in the environment")]
fn url(name: &str) -> String {
    std::env::var(format!("PORTFIRE_TEST_{}_URL", name.to_uppercase())).unwrap_or_else(|_| {
        panic!(
            "the tests need {name}: run `cargo xtask test`, or `cargo xtask db {name} up` and what it prints"
        )
    })
}

/// A name that no other run has.
fn name() -> String {
    format!("portfire_dashboard_{}", std::process::id())
}

/// A path that fits the pattern: the page of a job, a group of failures or a schedule that is there.
async fn path(site: &Site, pattern: &str) -> String {
    let job = site.jobs(State::Processing).await[0];
    let fault = &site.storage.fault_groups(Default::default()).await.unwrap()[0].fingerprint;
    match pattern {
        "/failed/all" => format!("/failed/all?fault={fault}&do=run"),
        "/recurring/one" | "/api/v1/recurring/one" => format!("{pattern}?id=heartbeat"),
        _ => pattern.replace("{id}", &job.to_string()),
    }
}

/// Everything that can be read: what it is answered with.
async fn read_everything(site: &Site) -> Vec<String> {
    let mut told = Vec::new();
    // A stream has no end, and files are the same everywhere.
    let read = |path: &str| path != "/events" && !path.contains("{name}");
    for route in routes().iter().filter(|route| route.method == Method::Get && read(route.path)) {
        let path = path(site, route.path).await;
        let answer = site.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        if route.surface == Surface::Page {
            elements(&answer.body);
        }
        told.push(format!("{path} {}", answer.header("content-type")));
    }
    for state in State::ALL {
        let jobs = format!("{:?}", site.jobs(state).await);
        let page = site.get(&format!("/jobs?q=state:{state}+kind:charge_card")).await;
        told.push(format!("{state} {} {jobs}", page.body.matches("name=\"job\"").count()));
    }
    told
}

/// Everything that can be done, in an order in which each finds something to do: by the page, then by the API.
async fn act_on_everything(site: &Site) -> Vec<String> {
    let [failed, enqueued, scheduled] =
        [site.jobs(State::Failed).await, site.jobs(State::Enqueued).await, site.jobs(State::Scheduled).await];
    let server = site.storage.overview().await.unwrap().servers[0].id;
    let fault = &site.storage.fault_groups(Default::default()).await.unwrap()[0].fingerprint.to_string();
    let (one, two) = (enqueued[0], enqueued[1]);
    let job = |form: &str| format!("job={one}{form}");
    let acts = [
        ("/jobs/move", job("&queue=測試")),
        ("/jobs/prioritize", job("&priority=-7")),
        ("/jobs/reschedule", job("&delay=3600")),
        ("/jobs/run", job("")),
        ("/jobs/cancel", format!("job={}", scheduled[0])),
        ("/jobs/delete", format!("job={two}&confirmed=yes")),
        ("/jobs/run", format!("job={}", failed[0])),
        ("/faults/run", format!("fault={fault}")),
        ("/faults/delete", format!("fault={fault}&confirmed=yes")),
        ("/recurring/run", "schedule=cleanup".into()),
        ("/recurring/pause", "schedule=cleanup".into()),
        ("/recurring/resume", "schedule=cleanup".into()),
        ("/recurring/remove", "schedule=cleanup&confirmed=yes".into()),
        ("/queues/pause", "queue=mail&reason=provider+down".into()),
        ("/queues/resume", "queue=mail".into()),
        ("/servers/quiet", format!("server={server}")),
        ("/servers/resume", format!("server={server}")),
        ("/servers/stop", format!("server={server}")),
    ];
    let done: BTreeSet<_> = acts.iter().map(|(path, _)| *path).collect();
    let all = routes().iter().filter(|route| route.effect == Effect::Change);
    let all: BTreeSet<_> = all.map(|route| route.path.trim_start_matches("/api/v1")).collect();
    assert_eq!(done, all, "every action is done");
    let mut told = Vec::new();
    for (path, form) in acts {
        let answer = site.post(path, &form).await;
        assert!(answer.status.is_success() || answer.status.is_redirection(), "{path}: {}", answer.body);
        told.push(format!("{path} {} {}", answer.status, answer.location()));
    }
    let body = format!("{{\"jobs\":[\"{}\"],\"reason\":\"by a program\"}}", scheduled[1]);
    let headers = [("content-type", "application/json")];
    let answer = site.ask(request("POST", "/api/v1/jobs/cancel", &headers, &body)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    told.push(answer.body);
    told
}

/// What is there afterwards, and what is kept of who did it.
async fn outcome(site: &Site) -> Vec<String> {
    let mut told = Vec::new();
    let page = PageRequest { limit: 200, after: None, before: None };
    for job in site.storage.list(Filter::default(), page).await.unwrap().jobs {
        told.push(format!("{} {} {} {}", job.kind, job.state, job.queue, job.priority));
    }
    let overview = site.storage.overview().await.unwrap();
    told.push(format!("{:?} {:?} {:?}", overview.counts, overview.ended, overview.paused));
    for entry in site.storage.audit(None, AuditRequest { limit: 200, before: None }).await.unwrap() {
        // A schedule that is run by hand makes a job, whose id is of this moment.
        let made = &*entry.action == "trigger";
        let (before, after) = (entry.before, entry.after.filter(|_| !made));
        told.push(format!("{} {} {before:?} {after:?} {:?}", entry.action, entry.by.name(), entry.outcome));
    }
    told
}

async fn tell(site: &Site) -> Vec<String> {
    let mut told = read_everything(site).await;
    site.clock.advance(std::time::Duration::from_secs(5));
    told.extend(act_on_everything(site).await);
    told.extend(outcome(site).await);
    told.extend(read_after(site).await);
    told
}

/// The pages once more, when all of it was done.
async fn read_after(site: &Site) -> Vec<String> {
    let mut told = Vec::new();
    for path in ["/", "/jobs", "/failed", "/recurring", "/queues", "/servers", "/audit"] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        told.push(format!("{path} {} rows", answer.body.matches("<tr").count()));
    }
    told
}

/// The dashboard over a storage does what it does over the model.
async fn compare(site: Site) {
    let model = Site::full().await;
    let (expected, told) = (tell(&model).await, tell(&site).await);
    assert_eq!(told.len(), expected.len(), "{told:#?}\n{expected:#?}");
    for (told, expected) in told.iter().zip(&expected) {
        assert_eq!(told, expected);
    }
}

fn clock() -> Arc<VirtualClock> {
    Arc::new(VirtualClock::at(noon()))
}

#[tokio::test]
async fn everything_is_seen_and_done_on_sqlite() {
    compare(Site::on_sqlite().await).await;
}

#[tokio::test]
async fn everything_is_seen_and_done_on_postgres() {
    let (url, schema, clock) = (url("postgres"), name(), clock());
    let tables = Tables::default().schema(&schema).unwrap();
    let options = PostgresOptions::new(&url).unwrap().tables(tables).clock(clock.clone()).for_dashboard();
    compare(Site::on(Arc::new(PostgresStorage::open(options).await.unwrap()), clock).await).await;
    let (client, connection) = portfire_postgres::tokio_postgres::connect(&url, NoTls).await.unwrap();
    let mut task = tokio::task::JoinSet::new();
    task.spawn(connection);
    client.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
}

async fn on_mysql(name_of_server: &str) {
    let (server, database, clock) = (url(name_of_server), name(), clock());
    let (address, rest) = server.split_at(server.find('?').unwrap_or(server.len()));
    let url = format!("{}/{database}{rest}", address.rsplit_once('/').unwrap().0);
    let mut conn = Conn::from_url(&server).await.unwrap();
    conn.query_drop(format!("CREATE DATABASE {database}")).await.unwrap();
    let options = MysqlOptions::new(&url).unwrap().clock(clock.clone()).for_dashboard();
    compare(Site::on(Arc::new(MysqlStorage::open(options).await.unwrap()), clock).await).await;
    conn.query_drop(format!("DROP DATABASE {database}")).await.unwrap();
}

#[tokio::test]
async fn everything_is_seen_and_done_on_mariadb() {
    on_mysql("mariadb").await;
}

#[tokio::test]
async fn everything_is_seen_and_done_on_mysql() {
    on_mysql("mysql").await;
}
