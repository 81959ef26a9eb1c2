//! Where claims begin to read, which must never be where they stop looking.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Claimed, Polled, Want};
use portfire_core::{JobId, NewJob, Storage, Timestamp, VirtualClock};
use portfire_postgres::tokio_postgres::Client;

use crate::bed::{Schema, beaten, connect, exchange, job, want};
use crate::conformance::make;

const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// When a mark is where the last job was.
const LATER: Duration = Duration::from_millis(200);

fn ids(claimed: &[Claimed]) -> Vec<JobId> {
    claimed.iter().map(|claimed| claimed.facts.lease.job).collect()
}

/// A job that stands before all others of its priority, as one does that was moved there.
async fn oldest(storage: &dyn Storage, schema: &Schema) -> NewJob {
    let oldest = job();
    storage.insert(vec![oldest.clone()]).await.unwrap();
    let name = &schema.name;
    let moved = format!(
        "UPDATE {name}.portfire_job SET run_at = 1 WHERE id = '{id}';
         UPDATE {name}.portfire_ready SET run_at = 1 WHERE id = '{id}'",
        id = oldest.id
    );
    connect().await.batch_execute(&moved).await.unwrap();
    oldest
}

#[tokio::test]
async fn what_comes_before_the_mark_is_taken_at_once_if_it_is_urgent_and_last_if_it_is_not() {
    let clock = Arc::new(VirtualClock::at(START));
    let (storage, schema) = make(Arc::clone(&clock)).await;
    let server = beaten(&*storage).await;
    let jobs: Vec<_> = (0..4).map(|_| job()).collect();
    storage.insert(jobs.clone()).await.unwrap();
    clock.advance(LATER);
    let first = exchange(&*storage, server, Vec::new(), Some(want(2))).await.claimed;
    assert_eq!(ids(&first), [jobs[0].id, jobs[1].id]);

    let oldest = oldest(&*storage, &schema).await;
    let urgent = NewJob { priority: -1, ..job() };
    storage.insert(vec![urgent.clone()]).await.unwrap();
    let second = exchange(&*storage, server, Vec::new(), Some(want(2))).await.claimed;
    assert_eq!(ids(&second), [urgent.id, jobs[2].id]);
    let rest = exchange(&*storage, server, Vec::new(), Some(want(9))).await.claimed;
    assert_eq!(ids(&rest), [jobs[3].id, oldest.id], "a claim that is not filled has looked everywhere");
}

#[tokio::test]
async fn after_a_second_a_queue_is_read_from_its_head() {
    let clock = Arc::new(VirtualClock::at(START));
    let (storage, schema) = make(Arc::clone(&clock)).await;
    let server = beaten(&*storage).await;
    let jobs: Vec<_> = (0..5).map(|_| job()).collect();
    storage.insert(jobs.clone()).await.unwrap();
    clock.advance(LATER);
    exchange(&*storage, server, Vec::new(), Some(want(1))).await;

    let oldest = oldest(&*storage, &schema).await;
    let second = exchange(&*storage, server, Vec::new(), Some(want(1))).await.claimed;
    assert_eq!(ids(&second), [jobs[1].id]);
    clock.advance(Duration::from_secs(1));
    let third = exchange(&*storage, server, Vec::new(), Some(want(1))).await.claimed;
    assert_eq!(ids(&third), [jobs[2].id], "the mark is let go by the claim that sees its age");
    let fourth = exchange(&*storage, server, Vec::new(), Some(want(1))).await.claimed;
    assert_eq!(ids(&fourth), [oldest.id]);
}

#[tokio::test]
async fn a_mark_holds_nobody_else_back() {
    let clock = Arc::new(VirtualClock::at(START));
    let (storage, schema) = make(Arc::clone(&clock)).await;
    let (one, other) = (beaten(&*storage).await, beaten(&*storage).await);
    let jobs: Vec<_> = (0..4).map(|_| job()).collect();
    storage.insert(jobs.clone()).await.unwrap();
    clock.advance(LATER);
    exchange(&*storage, one, Vec::new(), Some(want(2))).await;
    let oldest = oldest(&*storage, &schema).await;
    let kinds = ["work".into(), "more".into()].into();
    let claimed = exchange(&*storage, other, Vec::new(), Some(Want { kinds, ..want(1) })).await.claimed;
    assert_eq!(ids(&claimed), [oldest.id], "who knows other kinds has a mark of his own");
}

/// Entries of jobs that are gone, as many as a look must not walk over each time. They are there until the transaction
/// that is answered ends.
async fn left(schema: &Schema, count: i64) -> Client {
    let old = connect().await;
    old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.unwrap();
    let name = &schema.name;
    let fill = format!(
        "INSERT INTO {name}.portfire_ready SELECT 'default', 0, n, gen_random_uuid(), 'work' FROM generate_series(1, {count}) AS n;
         DELETE FROM {name}.portfire_ready"
    );
    connect().await.batch_execute(&fill).await.unwrap();
    old
}

/// Beside an old transaction each claim that finds too little would walk over all that was ever there.
#[tokio::test]
async fn a_look_that_walked_far_is_not_made_again_at_once() {
    let clock = Arc::new(VirtualClock::at(START));
    let (storage, schema) = make(Arc::clone(&clock)).await;
    let _old = left(&schema, 20_000).await;
    let server = beaten(&*storage).await;
    let jobs: Vec<_> = (0..2).map(|_| job()).collect();
    storage.insert(jobs.clone()).await.unwrap();
    clock.advance(LATER);
    exchange(&*storage, server, Vec::new(), Some(want(1))).await;

    let oldest = oldest(&*storage, &schema).await;
    let claim = async || ids(&exchange(&*storage, server, Vec::new(), Some(want(9))).await.claimed);
    assert_eq!(claim().await, [jobs[1].id], "only behind the mark");
    let poll = || storage.poll(["default".into()].into());
    assert_eq!(poll().await.unwrap(), Polled::default(), "a poll does not walk there either");
    clock.advance(Duration::from_millis(100));
    assert_eq!(claim().await, []);
    assert!(poll().await.unwrap().enqueued, "now it does");
    assert_eq!(claim().await, [oldest.id]);
    let younger = job();
    storage.insert(vec![younger.clone()]).await.unwrap();
    assert_eq!(claim().await, [younger.id], "behind the mark at once");
}
