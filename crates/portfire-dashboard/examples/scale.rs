//! What a page costs when the database is full: `cargo xtask scale [--jobs N] [sqlite] [postgres] [mariadb] [mysql]`.
//!
//! 1. An empty database is asked for every page of the dashboard and for every question behind it, each several
//!    times; then one that is filled by statements for whole tables, the same as in the tests that judge the plans,
//!    with a tenth of the jobs; then one with all of them.
//! 2. The table says how long each takes, and how much longer with ten times as many jobs: what stops at a limit, as
//!    counts do, takes as long. A page that takes a second is a failure.
//!
//! SQLite is a file in the folder for temporary files; the servers are those of the tests, in a schema or a database
//! that is removed at the end.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
#![expect(clippy::disallowed_methods, reason = "measures time, and finds the database in the environment")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use portfire_core::storage::{
    AuditRequest, FaultGroupRequest, FaultOrder, Filter, PageRequest, TallyBy, TallyRequest, Width,
};
use portfire_core::{JobId, State, Storage, VirtualClock};
use portfire_dashboard::{Access, Grant, Permissions, dashboard};
use portfire_mysql::mysql_async::Conn;
use portfire_mysql::mysql_async::prelude::Queryable;
use portfire_mysql::{MysqlOptions, MysqlStorage};
use portfire_postgres::tokio_postgres::{Client, NoTls};
use portfire_postgres::{PostgresOptions, PostgresStorage, Tables};
use portfire_sqlite::rusqlite::Connection;
use portfire_sqlite::{SqliteOptions, SqliteStorage};
use tower::ServiceExt;

/// How often each is asked for; the first answer, which warms caches, is not counted.
const ROUNDS: usize = 9;
/// What no page may take.
const PATIENCE: Duration = Duration::from_secs(1);
const SCHEMA: &str = "portfire_scale";
const DATABASES: [&str; 4] = ["sqlite", "postgres", "mariadb", "mysql"];

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().skip_while(|word| *word != name).nth(1);
    let jobs: u32 = value("--jobs").map_or(1_000_000, |number| number.parse().unwrap());
    let wanted = |name: &str| {
        let named = arguments.iter().any(|word| DATABASES.contains(&&**word));
        !named || arguments.iter().any(|word| word == name)
    };
    let mut slow = Vec::new();
    if wanted("sqlite") {
        slow.extend(report("SQLite", jobs, &sqlite(jobs).await));
    }
    if wanted("postgres") {
        slow.extend(report("PostgreSQL", jobs, &postgres(jobs).await));
    }
    for (name, title) in [("mariadb", "MariaDB"), ("mysql", "MySQL")] {
        if wanted(name) {
            slow.extend(report(title, jobs, &mysql(name, jobs).await));
        }
    }
    for what in &slow {
        println!("{what} takes longer than {PATIENCE:?}");
    }
    if slow.is_empty() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}

/// Something that is asked for, and how long it takes: the median and the longest.
type Times = Vec<(String, [Duration; 2])>;

/// The same for a database that is empty, one with a tenth of the jobs, and a full one.
type Sizes = [Times; 3];

const fn sizes(jobs: u32) -> [u32; 3] {
    [0, jobs / 10, jobs]
}

async fn sqlite(jobs: u32) -> Sizes {
    let folder = std::env::temp_dir().join(format!("portfire-scale-{}", std::process::id()));
    let mut times = Vec::new();
    for jobs in sizes(jobs) {
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("jobs.db");
        let options = SqliteOptions::new(&path).for_dashboard();
        let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(options).await.unwrap());
        if jobs > 0 {
            let fill = include_str!("../../portfire-sqlite/tests/it/fill.sql");
            let connection = Connection::open(&path).unwrap();
            connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
            connection.execute_batch(&fill.replace("$jobs", &jobs.to_string())).unwrap();
        }
        times.push(ask_all(&storage).await);
        std::fs::remove_dir_all(&folder).unwrap();
    }
    times.try_into().unwrap()
}

/// Where the server of this name is.
fn url(name: &str) -> String {
    let found = std::env::var(format!("PORTFIRE_TEST_{}_URL", name.to_uppercase()));
    found.unwrap_or_else(|_| {
        panic!("`cargo xtask scale` starts servers; or export what `cargo xtask db {name} up` prints")
    })
}

async fn mysql(name: &str, jobs: u32) -> Sizes {
    let server = url(name);
    let (address, rest) = server.split_at(server.find('?').unwrap_or(server.len()));
    let url = format!("{}/{SCHEMA}{rest}", address.rsplit_once('/').unwrap().0);
    let mut conn = Conn::from_url(&server).await.unwrap();
    let gone = format!("DROP DATABASE IF EXISTS {SCHEMA}");
    let mut times = Vec::new();
    for jobs in sizes(jobs) {
        conn.query_drop(format!("{gone}; CREATE DATABASE {SCHEMA}; USE {SCHEMA}")).await.unwrap();
        let options = MysqlOptions::new(&url).unwrap().for_dashboard();
        let storage: Arc<dyn Storage> = Arc::new(MysqlStorage::open(options).await.unwrap());
        if jobs > 0 {
            let fill = include_str!("../../portfire-mysql/tests/it/fill.sql");
            conn.query_drop(fill.replace("$jobs", &jobs.to_string())).await.unwrap();
        }
        times.push(ask_all(&storage).await);
    }
    conn.query_drop(gone).await.unwrap();
    times.try_into().unwrap()
}

async fn postgres(jobs: u32) -> Sizes {
    let url = url("postgres");
    let client = connect(&url).await;
    let settings = format!("SET search_path TO {SCHEMA}; SET synchronous_commit TO off; SET jit TO off");
    client.batch_execute(&settings).await.unwrap();
    let gone = format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE");
    let mut times = Vec::new();
    for jobs in sizes(jobs) {
        client.batch_execute(&gone).await.unwrap();
        let tables = Tables::default().schema(SCHEMA).unwrap();
        let options = PostgresOptions::new(&url).unwrap().tables(tables).for_dashboard();
        let storage: Arc<dyn Storage> = Arc::new(PostgresStorage::open(options).await.unwrap());
        if jobs > 0 {
            let fill = include_str!("../../portfire-postgres/tests/it/fill.sql");
            let functions = "DROP FUNCTION IF EXISTS pg_temp.job";
            client.batch_execute(functions).await.unwrap();
            client.batch_execute(&fill.replace("$jobs", &jobs.to_string())).await.unwrap();
        }
        times.push(ask_all(&storage).await);
    }
    client.batch_execute(&gone).await.unwrap();
    times.try_into().unwrap()
}

async fn connect(url: &str) -> Client {
    let (client, connection) = portfire_postgres::tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Asks a storage directly and through the dashboard.
async fn ask_all(storage: &Arc<dyn Storage>) -> Times {
    let mut times = ask_storage(&**storage).await;
    let gate = |_: &axum::http::request::Parts| Access::Granted(Grant::new("ming", Permissions::admin()));
    let clock = Arc::new(VirtualClock::at(storage.now().await.unwrap()));
    let router = dashboard(Arc::clone(storage)).clock(clock.clone()).gate_fn(gate).build();
    let job = storage
        .list(Filter::of(State::Processing), PageRequest { limit: 200, after: None, before: None })
        .await
        .unwrap();
    let job = job.jobs.last().map_or_else(|| JobId::from_bytes([1; 16]), |job| job.id);
    let mut pages: Vec<String> = [
        "/",
        "/?span=week",
        "/failed",
        "/failed?order=most",
        "/recurring",
        "/queues",
        "/servers",
        "/audit",
        "/about",
    ]
    .map(str::to_owned)
    .into();
    pages.extend(
        ["", "kind:rare", "queue:nothing", "tag:rare", "error:needle"].map(|q| format!("/jobs?q={q}")),
    );
    pages.extend(State::ALL.map(|state| format!("/jobs?q=state:{state}")));
    pages.push(format!("/jobs/{job}"));
    for page in pages {
        let name = page.split("/jobs/0").next().unwrap_or(&page);
        let name = if name == page { format!("page `{page}`") } else { "page of a job".to_owned() };
        times.push((
            name,
            time(async || {
                clock.advance(Duration::from_secs(60));
                open(&router, &page).await;
            })
            .await,
        ));
    }
    times
}

async fn open(router: &Router, page: &str) {
    let answer = router.clone().oneshot(Request::get(page).body(Body::empty()).unwrap()).await.unwrap();
    assert!(answer.status().as_u16() < 500, "{page} is answered with {}", answer.status());
    to_bytes(answer.into_body(), 16 << 20).await.unwrap();
}

async fn ask_storage(storage: &dyn Storage) -> Times {
    let mut times = Vec::new();
    let now = storage.now().await.unwrap();
    times.push(("overview".to_owned(), time(async || drop(storage.overview().await.unwrap())).await));
    for (width, hours) in [(Width::Minute, 24), (Width::Hour, 7 * 24), (Width::Day, 30 * 24)] {
        for by in [TallyBy::Total, TallyBy::Queue] {
            let from = now.before(Duration::from_secs(hours * 3_600));
            let request = TallyRequest { by, ..TallyRequest::total(width, from, now) };
            let ask = async || drop(storage.tallies(request.clone()).await.unwrap());
            times.push((format!("tallies of {hours} h by {width:?}, {by:?}"), time(ask).await));
        }
    }
    for order in [FaultOrder::Latest, FaultOrder::Most] {
        let request = FaultGroupRequest { order, ..FaultGroupRequest::default() };
        let ask = async || drop(storage.fault_groups(request.clone()).await.unwrap());
        times.push((format!("groups of failures, {order:?}"), time(ask).await));
    }
    times.push((
        "audit".to_owned(),
        time(async || drop(storage.audit(None, AuditRequest::default()).await.unwrap())).await,
    ));
    times.push((
        "schedules".to_owned(),
        time(async || drop(storage.list_schedules(None, 101).await.unwrap())).await,
    ));
    times
}

/// The median and the longest of some rounds.
async fn time(ask: impl AsyncFn()) -> [Duration; 2] {
    ask().await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        ask().await;
        times.push(began.elapsed());
    }
    times.sort();
    [times[ROUNDS / 2], times[ROUNDS - 1]]
}

/// Prints the table; answers what is too slow.
fn report(database: &str, jobs: u32, [empty, tenth, full]: &Sizes) -> Vec<String> {
    println!("\n## {database}, {jobs} jobs\n\nMilliseconds, medians of {ROUNDS}.\n");
    println!("| {:34} | empty | a tenth | full | longest | full / a tenth |", "what");
    println!("| {:-<34} | ----: | ------: | ---: | ------: | -------------: |", "");
    let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
    for (((what, empty), (_, tenth)), (_, full)) in empty.iter().zip(tenth).zip(full) {
        let [empty, tenth, longest, full] = [empty[0], tenth[0], full[1], full[0]].map(millis);
        println!("| {what:34} | {empty:.2} | {tenth:.2} | {full:.2} | {longest:.2} | {:.2} |", full / tenth);
    }
    full.iter()
        .filter(|(_, times)| times[0] > PATIENCE)
        .map(|(what, _)| format!("{database}: {what}"))
        .collect()
}
