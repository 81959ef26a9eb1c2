//! Enqueue inside the application's own transaction: the job exists if and only if that commits.

use portfire_core::Storage;
use portfire_core::storage::{Inserted, TallyRequest, Width};
use portfire_sqlite::rusqlite::{self, TransactionBehavior};
use portfire_sqlite::{DEFAULT_PREFIX, SqliteStorage, insert_in};

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
    let until = storage.now().await.unwrap().after(std::time::Duration::from_secs(60));
    let days = TallyRequest::total(Width::Day, portfire_core::Timestamp::default(), until);
    storage.tallies(days).await.unwrap().iter().map(|day| day.created).sum()
}

#[cfg(feature = "sqlx")]
#[tokio::test]
async fn a_sqlx_transaction_decides_and_both_drivers_live_together() {
    use portfire_core::{Dependency, NewJob, Trigger};
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
