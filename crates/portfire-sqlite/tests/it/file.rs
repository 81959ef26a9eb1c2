//! The file: its schema, its prefix, several who open it, and what survives.

use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use portfire_core::storage::{Heard, Inserted};
use portfire_core::{Dice, IdSequence, Json, NewJob, Storage, Timestamp};
use portfire_sqlite::{SqliteOptions, SqliteStorage, rusqlite::Connection};

pub(crate) fn job() -> NewJob {
    static IDS: std::sync::LazyLock<std::sync::Mutex<IdSequence>> =
        std::sync::LazyLock::new(|| std::sync::Mutex::new(IdSequence::new(Dice::from_seed([1, 1]))));
    let id = IDS.lock().unwrap().job(Timestamp::from_micros(1_800_000_000_000_000));
    NewJob::new(id, "work", Json::trusted("{}"))
}

fn schema(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let mut all = connection
        .prepare("SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND name LIKE 'portfire%' ORDER BY name")
        .unwrap();
    let rows = all.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("\n\n") + "\n"
}

/// The golden file: a change of the schema is seen in review as its diff.
#[tokio::test]
async fn the_migrations_end_in_the_golden_schema() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    SqliteStorage::open(&path).await.unwrap();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
    let found = schema(&path);
    if std::fs::read_to_string(golden).unwrap_or_default() != found {
        std::fs::write(golden, &found).unwrap();
        panic!("schema.sql was not what the migrations make; it is now, so review its diff");
    }
}

#[tokio::test]
async fn what_was_stored_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let job = job();
    SqliteStorage::open(&path).await.unwrap().insert(vec![job.clone()]).await.unwrap();
    let again = SqliteStorage::open(&path).await.unwrap();
    assert!(again.get(vec![job.id]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    SqliteStorage::open(&path).await.unwrap();
    let connection = Connection::open(&path).unwrap();
    connection.execute("UPDATE portfire_meta SET version = 999", []).unwrap();
    let refused = SqliteStorage::open(&path).await.unwrap_err();
    assert!(refused.is_broken() && refused.to_string().contains("upgrade the program"), "{refused}");
}

#[tokio::test]
async fn prefixes_keep_tables_apart_in_the_applications_own_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let application = Connection::open(&path).unwrap();
    application.execute_batch("CREATE TABLE users (id INTEGER); INSERT INTO users VALUES (1)").unwrap();
    let open = |prefix| SqliteStorage::open(SqliteOptions::new(path.clone()).prefix(prefix).unwrap());
    let (hangfire, ours) = (open("Hangfire_").await.unwrap(), open("portfire_").await.unwrap());
    let job = job();
    hangfire.insert(vec![job.clone()]).await.unwrap();
    assert!(hangfire.get(vec![job.id]).await.unwrap()[0].is_some());
    assert!(ours.get(vec![job.id]).await.unwrap()[0].is_none());
    let users: i64 = application.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(users, 1);
    for bad in ["", "a b", "a;--", "9a", "é"] {
        assert!(SqliteOptions::new(path.clone()).prefix(bad).unwrap_err().is_misuse(), "{bad}");
    }
}

/// Twenty times: two that turn the file to write-ahead logging at the same moment meet in one of a few.
#[tokio::test(flavor = "multi_thread")]
async fn eight_may_open_at_once() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let path = Arc::new(dir.path().join(format!("jobs{round}.db")));
        let start = Arc::new(Barrier::new(8));
        let open = |_| {
            let (path, start) = (Arc::clone(&path), Arc::clone(&start));
            std::thread::spawn(move || open_and_store(&path, &start))
        };
        let opened: Vec<_> = (0..8).map(open).collect();
        for thread in opened {
            assert_eq!(thread.join().unwrap(), [Inserted::New]);
        }
        let storage = SqliteStorage::open(&*path).await.unwrap();
        assert_eq!(storage.overview().await.unwrap().counts[0].jobs, 8);
    }
}

fn open_and_store(path: &Path, start: &Barrier) -> Vec<Inserted> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    start.wait();
    runtime.block_on(async {
        let storage = SqliteStorage::open(path).await.unwrap();
        storage.insert(vec![job()]).await.unwrap()
    })
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    std::fs::write(&path, "this is not a database, but it is long enough to look at".repeat(50)).unwrap();
    let refused = SqliteStorage::open(&path).await.unwrap_err();
    assert!(refused.is_broken(), "{refused:?}");
}

#[tokio::test]
async fn another_process_on_the_file_wakes_a_waiter() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let waits = Arc::new(SqliteStorage::open(&path).await.unwrap());
    let stores = SqliteStorage::open(&path).await.unwrap();
    let job = job();
    let mut heard = Heard::default();
    while heard.rung || !heard.listens {
        heard = waits.wait(Duration::from_millis(300)).await.unwrap();
    }
    let (stored, heard) = tokio::join!(stores.insert(vec![job]), waits.wait(Duration::from_secs(30)));
    assert_eq!(stored.unwrap(), [Inserted::New]);
    assert!(heard.unwrap().rung, "it did not only wait");
}

#[tokio::test]
async fn one_bad_call_of_a_group_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let storage = SqliteStorage::open(dir.path().join("jobs.db")).await.unwrap();
    let unknown = portfire_core::Dependency { parent: job().id, on: portfire_core::Trigger::End };
    let bad = NewJob { after: vec![unknown], ..job() };
    let good: Vec<_> = (0..50).map(|_| storage.insert(vec![job()])).collect();
    let refused = storage.insert(vec![bad]);
    let more: Vec<_> = (0..50).map(|_| storage.insert(vec![job()])).collect();
    for stored in good.into_iter().chain(more) {
        assert_eq!(stored.await.unwrap(), [Inserted::New]);
    }
    assert!(refused.await.unwrap_err().is_misuse());
}

/// Nobody who looks keeps a reader for long, and the next one is served.
#[tokio::test]
async fn a_look_that_takes_too_long_is_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let storage = SqliteStorage::open(&path).await.unwrap();
    storage.insert((0..20_000).map(|_| job()).collect()).await.unwrap();
    let hasty =
        SqliteStorage::open(SqliteOptions::new(&path).statement_timeout(Duration::ZERO)).await.unwrap();
    let late = hasty.overview().await.unwrap_err();
    assert!(late.is_transient() && late.to_string().contains("in the time"), "{late}");
    assert!(hasty.insert(vec![job()]).await.is_ok(), "writes are not limited");
    let patient = SqliteStorage::open(SqliteOptions::new(&path).for_dashboard()).await.unwrap();
    assert_eq!(patient.overview().await.unwrap(), storage.overview().await.unwrap());
}
