//! Where claims begin to read, which must never be where they stop looking.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::Claimed;
use portfire_core::{JobId, NewJob, Storage, Timestamp, VirtualClock};

use crate::bed::{Schema, beaten, connect, exchange, job, want};
use crate::conformance::make;

const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

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
    let (storage, schema) = make(Arc::new(VirtualClock::at(START))).await;
    let server = beaten(&*storage).await;
    let jobs: Vec<_> = (0..4).map(|_| job()).collect();
    storage.insert(jobs.clone()).await.unwrap();
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
    let (storage, schema) = make(Arc::new(VirtualClock::at(START))).await;
    let (one, other) = (beaten(&*storage).await, beaten(&*storage).await);
    let jobs: Vec<_> = (0..4).map(|_| job()).collect();
    storage.insert(jobs.clone()).await.unwrap();
    exchange(&*storage, one, Vec::new(), Some(want(2))).await;
    let oldest = oldest(&*storage, &schema).await;
    let claimed = exchange(&*storage, other, Vec::new(), Some(want(1))).await.claimed;
    assert_eq!(ids(&claimed), [oldest.id]);
}
