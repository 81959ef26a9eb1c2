//! The application's own transactions: a job exists, and is settled, if and only if they commit.

use std::time::Duration;

use portfire_core::storage::{Action, Beat, By, Claimed, Inserted, ServerInfo, Settled, TallyRequest, Width};
use portfire_core::{
    Dependency, Dice, Fault, JobId, Json, NewJob, Outcome, ServerId, State, Storage, Timestamp, Trigger,
    settle,
};
use portfire_mysql::mysql_async::prelude::Queryable;
use portfire_mysql::mysql_async::{IsolationLevel, TxOpts};
use portfire_mysql::{MysqlStorage, insert_in, settle_in};

use crate::bed::{Database, Engine, beaten, exchange, job, on_both, succeeded, tables, want};

on_both! {
    a_transaction_of_mysql_async_decides
    a_transaction_may_be_as_the_application_wants_it
    a_parent_that_ended_while_the_transaction_was_open_is_seen
    a_job_is_settled_if_and_only_if_it_commits_and_once
    without_a_transaction_nothing_is_settled
    without_a_transaction_nothing_is_stored
    nobody_waits_for_a_settlement_that_is_not_committed
    a_child_that_comes_during_the_transaction_is_released_by_it
}

/// Every isolation level that an application may choose.
const LEVELS: [IsolationLevel; 4] = [
    IsolationLevel::ReadUncommitted,
    IsolationLevel::ReadCommitted,
    IsolationLevel::RepeatableRead,
    IsolationLevel::Serializable,
];

#[cfg(feature = "sqlx")]
mod sqlx_too {
    use super::{a_settlement_of_sqlx_is_decided_by_its_transaction, a_transaction_of_sqlx_decides};
    use crate::bed::on_both;

    on_both! {
        a_transaction_of_sqlx_decides
        a_settlement_of_sqlx_is_decided_by_its_transaction
    }
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

/// A job that runs, and its child that waits.
async fn running_with_child(storage: &MysqlStorage, server: ServerId) -> (Claimed, NewJob) {
    let [parent, child] = family();
    storage.insert(vec![parent, child.clone()]).await.unwrap();
    let claimed = exchange(storage, server, Vec::new(), Some(want(1))).await.claimed.remove(0);
    (claimed, child)
}

async fn state(storage: &MysqlStorage, job: JobId) -> State {
    storage.get(vec![job]).await.unwrap()[0].as_ref().unwrap().summary.state
}

async fn a_job_is_settled_if_and_only_if_it_commits_and_once(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let server = beaten(&*storage).await;
    let mut application = database.connect().await;
    for level in LEVELS {
        let (claimed, child) = running_with_child(&storage, server).await;
        let success = succeeded(&claimed);
        for commit in [false, true] {
            let mut opts = TxOpts::default();
            opts.with_isolation_level(level);
            let mut tx = application.start_transaction(opts).await.unwrap();
            let settled = settle_in(&mut tx, &tables(), &success).await.unwrap();
            assert_eq!(settled, Settled::Applied(State::Succeeded));
            let (own, childs) = if commit {
                tx.commit().await.unwrap();
                (State::Succeeded, State::Enqueued)
            } else {
                tx.rollback().await.unwrap();
                (State::Processing, State::Awaiting)
            };
            assert_eq!(state(&storage, success.lease.job).await, own);
            assert_eq!(state(&storage, child.id).await, childs);
        }
        let fault = Outcome::Failed(Fault::new("after the commit"));
        let late = settle(&claimed.facts, fault, &mut Dice::from_seed([3, 4]));
        let repeats = exchange(&*storage, server, vec![success.clone(), late], None).await;
        assert_eq!(repeats.settled, [Settled::Applied(State::Succeeded); 2]);
        let mut tx = application.start_transaction(TxOpts::default()).await.unwrap();
        assert_eq!(settle_in(&mut tx, &tables(), &success).await.unwrap(), repeats.settled[0]);
        tx.rollback().await.unwrap();
        storage.act(vec![success.lease.job, child.id], Action::Delete, By::Program).await.unwrap();
    }
    let until = storage.now().await.unwrap().after(Duration::from_secs(60));
    let days = TallyRequest::total(Width::Day, Timestamp::default(), until);
    let succeeded: u64 = storage.tallies(days).await.unwrap().iter().map(|day| day.succeeded).sum();
    assert_eq!(succeeded, LEVELS.len() as u64);
}

async fn without_a_transaction_nothing_is_settled(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let server = beaten(&*storage).await;
    let (claimed, child) = running_with_child(&storage, server).await;
    let refused =
        settle_in(&mut database.connect().await, &tables(), &succeeded(&claimed)).await.unwrap_err();
    assert!(refused.is_misuse() && refused.to_string().contains("begin one"), "{refused}");
    assert_eq!(state(&storage, claimed.facts.lease.job).await, State::Processing);
    assert_eq!(state(&storage, child.id).await, State::Awaiting);
}

/// A job is several statements: cut off between two of them there would be one that is nowhere.
async fn without_a_transaction_nothing_is_stored(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let mut application = database.connect().await;
    for jobs in [vec![job()], family().to_vec()] {
        let refused = insert_in(&mut application, &tables(), &jobs).await.unwrap_err();
        assert!(refused.is_misuse() && refused.to_string().contains("begin one"), "{refused}");
        assert!(storage.get(vec![jobs[0].id]).await.unwrap()[0].is_none());
    }
    // Where every statement begins one, there is one.
    let kept = job();
    application.query_drop("SET autocommit = 0").await.unwrap();
    insert_in(&mut application, &tables(), std::slice::from_ref(&kept)).await.unwrap();
    application.query_drop("COMMIT").await.unwrap();
    assert!(storage.get(vec![kept.id]).await.unwrap()[0].is_some());
}

/// Neither the heartbeat nor a claim nor the rescue of the very job; the first to come would wait for ever.
async fn nobody_waits_for_a_settlement_that_is_not_committed(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let (server, other) = (beaten(&*storage).await, beaten(&*storage).await);
    let mut application = database.connect().await;
    for (level, commit) in LEVELS.into_iter().flat_map(|level| [(level, false), (level, true)]) {
        let (claimed, _) = running_with_child(&storage, server).await;
        let mut opts = TxOpts::default();
        opts.with_isolation_level(level);
        let mut tx = application.start_transaction(opts).await.unwrap();
        settle_in(&mut tx, &tables(), &succeeded(&claimed)).await.unwrap();
        storage.insert(vec![job()]).await.unwrap();
        let beat = Beat { server, lease: Duration::ZERO, info: ServerInfo::default() };
        storage.beat(beat).await.unwrap();
        assert_eq!(storage.expired(9).await.unwrap().len(), 1);
        let crash = settle(&claimed.facts, Outcome::Crashed, &mut Dice::from_seed([3, 4]));
        let passed = exchange(&*storage, other, vec![crash.clone()], Some(want(9))).await;
        assert_eq!((&passed.settled[..], passed.claimed.len()), (&[Settled::Lost][..], 1));
        storage.promote(9).await.unwrap();
        storage.prune(9).await.unwrap();
        let expected = if commit {
            tx.commit().await.unwrap();
            Settled::Applied(State::Succeeded)
        } else {
            tx.rollback().await.unwrap();
            Settled::Applied(State::Enqueued)
        };
        assert_eq!(exchange(&*storage, other, vec![crash], None).await.settled, [expected]);
        let beat = Beat { server, lease: Duration::from_secs(600), info: ServerInfo::default() };
        storage.beat(beat).await.unwrap();
        for job in [claimed.facts.lease.job, passed.claimed[0].facts.lease.job] {
            storage.act(vec![job], Action::Delete, By::Program).await.unwrap();
        }
        drain(&storage, other).await;
    }
}

/// Ends all that can be claimed.
async fn drain(storage: &MysqlStorage, server: ServerId) {
    let claimed = exchange(storage, server, Vec::new(), Some(want(9))).await.claimed;
    exchange(storage, server, claimed.iter().map(succeeded).collect(), None).await;
}

/// The transaction has seen the world before the child came, and before the job was stored.
async fn a_child_that_comes_during_the_transaction_is_released_by_it(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let server = beaten(&*storage).await;
    let mut application = database.connect().await;
    for level in LEVELS {
        let mut opts = TxOpts::default();
        opts.with_isolation_level(level).with_consistent_snapshot(level == IsolationLevel::RepeatableRead);
        let mut tx = application.start_transaction(opts).await.unwrap();
        let (claimed, first) = running_with_child(&storage, server).await;
        let late = NewJob { after: first.after.clone(), ..job() };
        storage.insert(vec![late.clone()]).await.unwrap();
        settle_in(&mut tx, &tables(), &succeeded(&claimed)).await.unwrap();
        tx.commit().await.unwrap();
        for child in [&first, &late] {
            assert_eq!(state(&storage, child.id).await, State::Enqueued, "{level:?}");
        }
        drain(&storage, server).await;
    }
}

#[cfg(feature = "sqlx")]
async fn a_settlement_of_sqlx_is_decided_by_its_transaction(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let server = beaten(&*storage).await;
    let pool = sqlx::MySqlPool::connect(&database.url()).await.unwrap();
    let (claimed, child) = running_with_child(&storage, server).await;
    let success = succeeded(&claimed);
    for commit in [false, true] {
        let mut tx = pool.begin().await.unwrap();
        let settled = portfire_mysql::settle_in_sqlx(&mut tx, &tables(), &success).await.unwrap();
        assert_eq!(settled, Settled::Applied(State::Succeeded));
        if commit {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        let childs = if commit { State::Enqueued } else { State::Awaiting };
        assert_eq!(state(&storage, child.id).await, childs);
    }
    let mut alone = pool.acquire().await.unwrap();
    let refused = portfire_mysql::settle_in_sqlx(&mut alone, &tables(), &success).await.unwrap_err();
    assert!(refused.is_misuse(), "{refused}");
    let refused = portfire_mysql::insert_in_sqlx(&mut alone, &tables(), &[job()]).await.unwrap_err();
    assert!(refused.is_misuse(), "{refused}");
}
