//! The application's own transaction: a job exists, and is settled, if and only if that commits.

use std::time::Duration;

use portfire_core::storage::{
    Beat, Claimed, Exchange, Exchanged, Inserted, ServerInfo, Settled, Tally, TallyRequest, Want, WantQueue,
    Width,
};
use portfire_core::{
    Dependency, Dice, NewJob, Outcome, ServerId, Settlement, State, Storage, Token, Trigger, settle,
};
use portfire_sqlite::rusqlite::{self, TransactionBehavior};
use portfire_sqlite::{DEFAULT_PREFIX, SqliteStorage, insert_in, settle_in};

use crate::file::job;

#[tokio::test]
async fn a_rusqlite_transaction_decides() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let storage = SqliteStorage::open(&path).await.unwrap();
    let mut application = rusqlite::Connection::open(&path).unwrap();
    application.execute_batch("CREATE TABLE users (id INTEGER)").unwrap();
    for commit in [true, false] {
        let job = job();
        let tx = application.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        tx.execute("INSERT INTO users VALUES (1)", []).unwrap();
        assert_eq!(insert_in(&tx, DEFAULT_PREFIX, std::slice::from_ref(&job)).unwrap(), [Inserted::New]);
        if commit {
            tx.commit().unwrap()
        } else {
            tx.rollback().unwrap()
        }
        assert_eq!(storage.get(vec![job.id]).await.unwrap()[0].is_some(), commit);
        assert_eq!(created(&storage).await, 1, "what was rolled back is not counted");
    }
}

/// How many jobs were stored, as the tallies have it.
async fn created(storage: &SqliteStorage) -> u64 {
    days(storage).await.iter().map(|day| day.created).sum()
}

async fn days(storage: &SqliteStorage) -> Vec<Tally> {
    let until = storage.now().await.unwrap().after(Duration::from_secs(60));
    let days = TallyRequest::total(Width::Day, portfire_core::Timestamp::default(), until);
    storage.tallies(days).await.unwrap()
}

const SERVER: ServerId = ServerId::from_bytes([1; 16]);

/// A job that runs, and its child that waits.
async fn running_with_child(storage: &SqliteStorage) -> (Claimed, NewJob) {
    let beat = Beat { server: SERVER, lease: Duration::from_secs(600), info: ServerInfo::default() };
    storage.beat(beat).await.unwrap();
    let parent = NewJob { unique: Some("one".into()), ..job() };
    let child = NewJob { after: vec![Dependency { parent: parent.id, on: Trigger::Success }], ..job() };
    storage.insert(vec![parent, child.clone()]).await.unwrap();
    let queues = vec![WantQueue { name: "default".into(), limit: 1 }];
    let want = Want { token: Token::from_bytes([2; 16]), limit: 1, queues, kinds: ["work".into()].into() };
    (exchange(storage, Vec::new(), Some(want)).await.claimed.remove(0), child)
}

async fn exchange(storage: &SqliteStorage, settlements: Vec<Settlement>, want: Option<Want>) -> Exchanged {
    let exchange = Exchange { server: SERVER, notes: Vec::new(), settlements, want };
    storage.exchange(exchange).await.unwrap()
}

fn succeeded(claimed: &Claimed) -> Settlement {
    settle(&claimed.facts, Outcome::Succeeded(None), &mut Dice::from_seed([3, 4]))
}

async fn states(storage: &SqliteStorage, claimed: &Claimed, child: &NewJob) -> [State; 2] {
    let both = storage.get(vec![claimed.facts.lease.job, child.id]).await.unwrap();
    [0, 1].map(|one| both[one].as_ref().unwrap().summary.state)
}

/// Rows are written in sets that SQLite cannot undo by themselves: what fails in the middle of one is undone with the call.
#[tokio::test]
async fn a_settlement_that_fails_in_the_middle_of_a_set_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let storage = SqliteStorage::open(&path).await.unwrap();
    let beat = Beat { server: SERVER, lease: Duration::from_secs(600), info: ServerInfo::default() };
    storage.beat(beat).await.unwrap();
    storage.insert((0..16).map(|_| job()).collect()).await.unwrap();
    let queues = vec![WantQueue { name: "default".into(), limit: 16 }];
    let want = Want { token: Token::from_bytes([2; 16]), limit: 16, queues, kinds: ["work".into()].into() };
    let claimed = exchange(&storage, Vec::new(), Some(want)).await.claimed;
    let held: Vec<_> = claimed.iter().map(|job| job.facts.lease.job).collect();
    let application = rusqlite::Connection::open(&path).unwrap();
    let spoil = "INSERT INTO portfire_finished (id, state, finished_at) VALUES (?1, 'failed', 0)";
    application.execute(spoil, [held[9].as_bytes()]).unwrap();
    let settlements: Vec<_> = claimed.iter().map(succeeded).collect();
    let settle = Exchange { server: SERVER, notes: Vec::new(), settlements, want: None };
    storage.exchange(settle.clone()).await.unwrap_err();
    application.execute("DELETE FROM portfire_finished WHERE id = ?1", [held[9].as_bytes()]).unwrap();
    for job in storage.get(held).await.unwrap() {
        assert_eq!(job.unwrap().summary.state, State::Processing);
    }
    let settled = storage.exchange(settle).await.unwrap().settled;
    assert_eq!(settled, [Settled::Applied(State::Succeeded); 16]);
}

#[tokio::test]
async fn a_job_is_settled_if_and_only_if_it_commits_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let storage = SqliteStorage::open(&path).await.unwrap();
    let (claimed, child) = running_with_child(&storage).await;
    let mut application = rusqlite::Connection::open(&path).unwrap();
    for commit in [false, true] {
        let tx = application.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let settled = settle_in(&tx, DEFAULT_PREFIX, &succeeded(&claimed)).unwrap();
        assert_eq!(settled, Settled::Applied(State::Succeeded));
        if commit {
            tx.commit().unwrap();
            assert_eq!(states(&storage, &claimed, &child).await, [State::Succeeded, State::Enqueued]);
        } else {
            tx.rollback().unwrap();
            assert_eq!(states(&storage, &claimed, &child).await, [State::Processing, State::Awaiting]);
        }
    }
    let fault = Outcome::Failed(portfire_core::Fault::new("after the commit"));
    let late = settle(&claimed.facts, fault, &mut Dice::from_seed([3, 4]));
    let repeats = exchange(&storage, vec![succeeded(&claimed), late], None).await;
    assert_eq!(repeats.settled, [Settled::Applied(State::Succeeded); 2]);
    assert_eq!(days(&storage).await.iter().map(|day| day.succeeded).sum::<u64>(), 1);
}

/// Half a settlement would lose the job.
#[tokio::test]
async fn without_a_transaction_a_settlement_is_whole_or_has_not_happened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let storage = SqliteStorage::open(&path).await.unwrap();
    let (claimed, child) = running_with_child(&storage).await;
    let application = rusqlite::Connection::open(&path).unwrap();
    application.execute_batch("ALTER TABLE portfire_tally RENAME TO away").unwrap();
    let broken = settle_in(&application, DEFAULT_PREFIX, &succeeded(&claimed)).unwrap_err();
    assert!(broken.is_broken() && application.is_autocommit(), "{broken}");
    assert_eq!(states(&storage, &claimed, &child).await, [State::Processing, State::Awaiting]);
    application.execute_batch("ALTER TABLE away RENAME TO portfire_tally").unwrap();
    let settled = settle_in(&application, DEFAULT_PREFIX, &succeeded(&claimed)).unwrap();
    assert!(settled == Settled::Applied(State::Succeeded) && application.is_autocommit());
    assert_eq!(states(&storage, &claimed, &child).await, [State::Succeeded, State::Enqueued]);
}

#[cfg(feature = "sqlx")]
#[tokio::test]
async fn a_sqlx_transaction_decides_and_both_drivers_live_together() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let storage = SqliteStorage::open(&path).await.unwrap();
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    for commit in [true, false] {
        let parent = NewJob { tags: vec!["t".into()], unique: Some("one".into()), ..job() };
        let child = NewJob { after: vec![Dependency { parent: parent.id, on: Trigger::End }], ..job() };
        let mut tx = pool.begin().await.unwrap();
        let both = [parent.clone(), child.clone()];
        let stored = portfire_sqlite::insert_in_sqlx(&mut tx, DEFAULT_PREFIX, &both).await.unwrap();
        assert_eq!(stored, [Inserted::New, Inserted::New]);
        if commit {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        assert_eq!(storage.get(vec![parent.id]).await.unwrap()[0].is_some(), commit);
        assert_eq!(storage.get(vec![child.id]).await.unwrap()[0].is_some(), commit);
        storage
            .act(vec![parent.id], portfire_core::storage::Action::Delete, portfire_core::storage::By::Program)
            .await
            .unwrap();
    }
    pool.close().await;
}
