//! Enqueue inside the application's own transaction: the job exists if and only if that commits.

use portfire_core::storage::{Action, By, Inserted};
use portfire_core::{Dependency, Json, NewJob, State, Storage, Trigger};
use portfire_mysql::insert_in;
use portfire_mysql::mysql_async::prelude::Queryable;
use portfire_mysql::mysql_async::{IsolationLevel, TxOpts};

use crate::bed::{Database, Engine, beaten, exchange, job, on_both, succeeded, tables, want};

on_both! {
    a_transaction_of_mysql_async_decides
    a_transaction_may_be_as_the_application_wants_it
    a_parent_that_ended_while_the_transaction_was_open_is_seen
}

#[cfg(feature = "sqlx")]
mod sqlx_too {
    use super::a_transaction_of_sqlx_decides;
    use crate::bed::on_both;

    on_both! { a_transaction_of_sqlx_decides }
}

fn family() -> [NewJob; 2] {
    let parent = NewJob { tags: vec!["t".into()], unique: Some("one".into()), ..job() };
    let child = NewJob { after: vec![Dependency { parent: parent.id, on: Trigger::End }], ..job() };
    [parent, child]
}

async fn a_transaction_of_mysql_async_decides(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let mut application = database.connect().await;
    for commit in [true, false] {
        let both = family();
        let mut tx = application.start_transaction(TxOpts::default()).await.unwrap();
        assert_eq!(insert_in(&mut tx, &tables(), &both).await.unwrap(), [Inserted::New, Inserted::New]);
        if commit {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        for stored in storage.get(both.iter().map(|job| job.id).collect()).await.unwrap() {
            assert_eq!(stored.is_some(), commit);
        }
        storage.act(vec![both[0].id], Action::Delete, By::Program).await.unwrap();
    }
}

#[cfg(feature = "sqlx")]
async fn a_transaction_of_sqlx_decides(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let pool = sqlx::MySqlPool::connect(&database.url()).await.unwrap();
    for commit in [true, false] {
        let both = family();
        let mut tx = pool.begin().await.unwrap();
        let stored = portfire_mysql::insert_in_sqlx(&mut tx, &tables(), &both).await.unwrap();
        assert_eq!(stored, [Inserted::New, Inserted::New]);
        let again = portfire_mysql::insert_in_sqlx(&mut tx, &tables(), &both).await.unwrap();
        assert_eq!(again, [Inserted::SameId, Inserted::SameId]);
        if commit {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        for stored in storage.get(both.iter().map(|job| job.id).collect()).await.unwrap() {
            assert_eq!(stored.is_some(), commit);
        }
        storage.act(vec![both[0].id], Action::Delete, By::Program).await.unwrap();
    }
    pool.close().await;
}

/// Whatever isolation, and whatever reading of quotation marks, backslashes and numbers.
async fn a_transaction_may_be_as_the_application_wants_it(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let levels = [
        IsolationLevel::ReadUncommitted,
        IsolationLevel::ReadCommitted,
        IsolationLevel::RepeatableRead,
        IsolationLevel::Serializable,
    ];
    let modes =
        ["", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "ANSI,TRADITIONAL", "STRICT_ALL_TABLES,PIPES_AS_CONCAT"];
    let charsets = ["utf8mb4", "latin1", "utf8mb4 COLLATE utf8mb4_unicode_ci", "ascii"];
    let mut application = database.connect().await;
    for ((level, mode), charset) in levels.into_iter().zip(modes).zip(charsets) {
        let set = format!("SET SESSION sql_mode = '{mode}'; SET NAMES {charset}");
        application.query_drop(set).await.unwrap();
        let args = Json::trusted(r#"{"it's": "a \\ \" 例え 🔥 ? -- ; /* \u0000"}"#);
        let name = format!("näme of {mode}");
        let parent =
            NewJob { args: args.clone(), unique: Some(name.into()), tags: vec!["例'え".into()], ..job() };
        let child = NewJob { after: vec![Dependency { parent: parent.id, on: Trigger::End }], ..job() };
        let mut opts = TxOpts::default();
        opts.with_isolation_level(level);
        let mut tx = application.start_transaction(opts).await.unwrap();
        let both = [parent.clone(), child];
        assert_eq!(insert_in(&mut tx, &tables(), &both).await.unwrap(), [Inserted::New; 2], "{mode}");
        assert_eq!(insert_in(&mut tx, &tables(), &both).await.unwrap(), [Inserted::SameId; 2], "{mode}");
        tx.commit().await.unwrap();
        let stored = storage.get(vec![parent.id]).await.unwrap()[0].clone().unwrap();
        assert_eq!(
            (&stored.args, &stored.unique, &stored.summary.tags),
            (&args, &parent.unique, &parent.tags)
        );
    }
}

/// A transaction that sees the database as of its beginning still attaches a child to how its parent is now.
async fn a_parent_that_ended_while_the_transaction_was_open_is_seen(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let server = beaten(&*storage).await;
    for level in [IsolationLevel::ReadCommitted, IsolationLevel::RepeatableRead, IsolationLevel::Serializable]
    {
        let parent = job();
        storage.insert(vec![parent.clone()]).await.unwrap();
        let mut application = database.connect().await;
        let mut opts = TxOpts::default();
        opts.with_isolation_level(level).with_consistent_snapshot(level == IsolationLevel::RepeatableRead);
        let mut tx = application.start_transaction(opts).await.unwrap();
        let claimed = exchange(&*storage, server, Vec::new(), Some(want(9))).await.claimed;
        exchange(&*storage, server, vec![succeeded(&claimed[0])], None).await;
        let child = NewJob { after: vec![Dependency { parent: parent.id, on: Trigger::Success }], ..job() };
        insert_in(&mut tx, &tables(), std::slice::from_ref(&child)).await.unwrap();
        tx.commit().await.unwrap();
        let child = storage.get(vec![child.id]).await.unwrap()[0].clone().unwrap();
        assert_eq!(child.summary.state, State::Enqueued, "{level:?}");
        storage.act(vec![child.summary.id], Action::Cancel, By::Program).await.unwrap();
    }
}
