//! What a batch costs in statements and commits, and what a lost answer costs: nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portfire_core::storage::{Acted, Action, By, Inserted, Settled};
use portfire_core::{Dependency, NewJob, Start, State, Storage, Trigger};
use portfire_postgres::{PostgresOptions, PostgresStorage};
use portfire_testkit::IdleServer;

use crate::bed::{Schema, beaten, exchange, job, succeeded, want};
use crate::proxy::{self, Seen};

async fn through_proxy(schema: &Schema) -> (PostgresStorage, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let url = proxy::start(Arc::clone(&seen)).await;
    let options = PostgresOptions::new(&url).unwrap().tables(schema.tables());
    (PostgresStorage::open(options).await.unwrap(), seen)
}

/// Issue 5: at batch 100, a full drain takes at most 0.05 statements and 0.05 commits per job.
#[tokio::test]
async fn a_full_drain_takes_few_statements_and_commits() {
    let schema = Schema::new();
    let (storage, seen) = through_proxy(&schema).await;
    let server = beaten(&storage).await;
    let jobs = 5_000;
    storage.insert((0..jobs).map(|_| job()).collect()).await.unwrap();
    let (statements, commits) = (&seen.statements, &seen.commits);
    let before = (statements.load(Ordering::Relaxed), commits.load(Ordering::Relaxed));
    let (mut settlements, mut done) = (Vec::new(), 0);
    while done < jobs {
        let exchanged = exchange(&storage, server, settlements, Some(want(100))).await;
        done += exchanged.settled.len();
        settlements = exchanged.claimed.iter().map(succeeded).collect();
    }
    let statements = statements.load(Ordering::Relaxed) - before.0;
    let commits = commits.load(Ordering::Relaxed) - before.1;
    assert!(statements > 0 && statements * 20 <= jobs, "{statements} statements for {jobs} jobs");
    assert!(commits > 0 && commits * 20 <= jobs, "{commits} commits for {jobs} jobs");
}

#[tokio::test]
async fn a_set_of_plain_jobs_is_one_statement() {
    let schema = Schema::new();
    let (storage, seen) = through_proxy(&schema).await;
    let before = seen.statements.load(Ordering::Relaxed);
    storage.insert((0..1_000).map(|_| job()).collect()).await.unwrap();
    assert_eq!(seen.statements.load(Ordering::Relaxed) - before, 1);
}

/// Issue 7: an idle server, its heartbeats included, takes at most 30 transactions and as many statements a minute;
/// listening takes none. (The first minute has what a server does once.)
#[tokio::test]
async fn an_idle_server_takes_few_statements_and_transactions() {
    let schema = Schema::new();
    let (storage, seen) = through_proxy(&schema).await;
    let mut server = IdleServer::new(Arc::new(storage));
    let minute = Duration::from_secs(60);
    server.live_until(minute).await;
    let (statements, commits) = (&seen.statements, &seen.commits);
    let before = (statements.load(Ordering::Relaxed), commits.load(Ordering::Relaxed));
    server.live_until(minute * 11).await;
    let statements = statements.load(Ordering::Relaxed) - before.0;
    let commits = commits.load(Ordering::Relaxed) - before.1;
    assert!(statements > 0 && statements <= 10 * 30, "{statements} statements in ten minutes");
    assert!(commits > 0 && commits <= 10 * 30, "{commits} transactions in ten minutes");
}

/// The database has committed, and the client cannot know: repeating resolves it by the ids.
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_neither_lost_nor_doubled() {
    let schema = Schema::new();
    let (storage, seen) = through_proxy(&schema).await;
    let server = beaten(&storage).await;
    let parent = NewJob { unique: Some("one".into()), ..job() };
    let child = NewJob { after: vec![Dependency { parent: parent.id, on: Trigger::Success }], ..job() };

    seen.cut.store(true, Ordering::Relaxed);
    let stored = storage.insert(vec![parent.clone(), child.clone()]).await.unwrap();
    assert_eq!(stored, [Inserted::SameId, Inserted::SameId]);
    assert!(!seen.cut.load(Ordering::Relaxed), "the answer was cut");

    let claimed = exchange(&storage, server, Vec::new(), Some(want(9))).await.claimed;
    assert_eq!(claimed.len(), 1);
    seen.cut.store(true, Ordering::Relaxed);
    let next = want(9);
    let exchanged = exchange(&storage, server, vec![succeeded(&claimed[0])], Some(next)).await;
    assert!(!seen.cut.load(Ordering::Relaxed), "the answer was cut");
    assert_eq!(exchanged.settled, [Settled::Applied(State::Succeeded)]);
    assert_eq!(
        exchanged.claimed.iter().map(|claimed| claimed.facts.lease.job).collect::<Vec<_>>(),
        [child.id]
    );
    assert_eq!(exchanged.claimed[0].facts.attempt, 1);
}

/// Forgets that the bell has rung.
async fn hushed(storage: &PostgresStorage) {
    while storage.wait(Duration::from_millis(50)).await.unwrap().rung {}
}

async fn has_rung(storage: &PostgresStorage) -> bool {
    storage.wait(Duration::from_secs(9)).await.unwrap().rung
}

/// The repeat sees that all is done, and not by whom: there may be jobs that nobody has heard of.
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_heard_of_all_the_same() {
    let schema = Schema::new();
    let (storage, seen) = through_proxy(&schema).await;
    let server = beaten(&storage).await;
    let begin = async || {
        hushed(&storage).await;
        seen.cut.store(true, Ordering::Relaxed);
    };
    let parent = NewJob { unique: Some("one".into()), ..job() };
    begin().await;
    assert_eq!(storage.insert(vec![parent.clone()]).await.unwrap(), [Inserted::SameId]);
    assert!(has_rung(&storage).await, "a job was stored");

    let after = vec![Dependency { parent: parent.id, on: Trigger::Success }];
    storage.insert(vec![NewJob { after, ..job() }]).await.unwrap();
    let claimed = exchange(&storage, server, Vec::new(), Some(want(1))).await.claimed;
    begin().await;
    exchange(&storage, server, vec![succeeded(&claimed[0])], None).await;
    assert!(has_rung(&storage).await, "a child need wait no more");

    let late = NewJob { start: Start::After(Duration::from_secs(600)), ..job() };
    storage.insert(vec![late.clone()]).await.unwrap();
    begin().await;
    let acted = storage.act(vec![late.id], Action::RunNow, By::Program).await.unwrap();
    assert_eq!(acted, [Acted::Refused(State::Enqueued)]);
    assert!(has_rung(&storage).await, "a job was run now");
}
