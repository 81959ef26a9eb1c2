//! Where claims begin to read, which must never be where they stop looking.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{By, Polled, QueueOrder, Want};
use portfire_core::{JobId, NewJob, ServerId, Start, Storage, Timestamp, VirtualClock};
use portfire_postgres::tokio_postgres::Client;

use crate::bed::{Schema, beaten, connect, exchange, job, want};
use crate::conformance::make;

const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// When a mark is where the last job was.
const LATER: Duration = Duration::from_millis(200);

/// A storage with so many jobs, which have been due for long enough, and the ids of these.
struct Line {
    clock: Arc<VirtualClock>,
    storage: Arc<dyn Storage>,
    schema: Schema,
    jobs: Vec<JobId>,
}

impl Line {
    async fn of(count: usize) -> Self {
        let clock = Arc::new(VirtualClock::at(START));
        let (storage, schema) = make(Arc::clone(&clock)).await;
        let line = Self { clock, storage, schema, jobs: Vec::new() };
        line.filled(count).await
    }

    async fn filled(mut self, count: usize) -> Self {
        let jobs: Vec<_> = (0..count).map(|_| job()).collect();
        self.jobs = jobs.iter().map(|job| job.id).collect();
        self.storage.insert(jobs).await.unwrap();
        self.clock.advance(LATER);
        self
    }

    async fn claim(&self, server: ServerId, want: Want) -> Vec<JobId> {
        let exchanged = exchange(&*self.storage, server, Vec::new(), Some(want)).await;
        exchanged.claimed.iter().map(|claimed| claimed.facts.lease.job).collect()
    }
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
    let line = Line::of(4).await;
    let server = beaten(&*line.storage).await;
    assert_eq!(line.claim(server, want(2)).await, line.jobs[..2]);

    let oldest = oldest(&*line.storage, &line.schema).await;
    let urgent = NewJob { priority: -1, ..job() };
    line.storage.insert(vec![urgent.clone()]).await.unwrap();
    assert_eq!(line.claim(server, want(2)).await, [urgent.id, line.jobs[2]]);
    let rest = line.claim(server, want(9)).await;
    assert_eq!(rest, [line.jobs[3], oldest.id], "a claim that is not filled has looked everywhere");
}

#[tokio::test]
async fn after_a_second_a_queue_is_read_from_its_head() {
    let line = Line::of(5).await;
    let server = beaten(&*line.storage).await;
    line.claim(server, want(1)).await;

    let oldest = oldest(&*line.storage, &line.schema).await;
    assert_eq!(line.claim(server, want(1)).await, [line.jobs[1]]);
    line.clock.advance(Duration::from_secs(1));
    let third = line.claim(server, want(1)).await;
    assert_eq!(third, [line.jobs[2]], "the mark is let go by the claim that sees its age");
    assert_eq!(line.claim(server, want(1)).await, [oldest.id]);
}

#[tokio::test]
async fn a_mark_holds_nobody_else_back() {
    let line = Line::of(4).await;
    let (one, other) = (beaten(&*line.storage).await, beaten(&*line.storage).await);
    line.claim(one, want(2)).await;
    let oldest = oldest(&*line.storage, &line.schema).await;
    let kinds = ["work".into(), "more".into()].into();
    let claimed = line.claim(other, Want { kinds, ..want(1) }).await;
    assert_eq!(claimed, [oldest.id], "who knows other kinds has a mark of his own");
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
    let line = Line::of(0).await;
    let _old = left(&line.schema, 20_000).await;
    let line = line.filled(2).await;
    let server = beaten(&*line.storage).await;
    line.claim(server, want(1)).await;

    let oldest = oldest(&*line.storage, &line.schema).await;
    let claim = || line.claim(server, want(9));
    assert_eq!(claim().await, [line.jobs[1]], "only behind the mark");
    let poll = || line.storage.poll(["default".into()].into());
    assert_eq!(poll().await.unwrap(), Polled::default(), "a poll does not walk there either");
    line.clock.advance(Duration::from_millis(100));
    assert_eq!(claim().await, []);
    assert!(poll().await.unwrap().enqueued, "now it does");
    assert_eq!(claim().await, [oldest.id]);
    let younger = job();
    line.storage.insert(vec![younger.clone()]).await.unwrap();
    assert_eq!(claim().await, [younger.id], "behind the mark at once");
}

/// Else what is more urgent than the last job would wait until a poll has looked through all that is gone.
#[tokio::test]
async fn beside_an_old_transaction_each_priority_goes_on_where_it_was() {
    let line = Line::of(0).await;
    let _old = left(&line.schema, 20_000).await;
    let line = line.filled(1).await;
    let server = beaten(&*line.storage).await;
    let low = NewJob { priority: 7, ..job() };
    line.storage.insert(vec![low.clone()]).await.unwrap();
    assert_eq!(line.claim(server, want(9)).await, [line.jobs[0], low.id]);

    let (next, urgent) = (job(), NewJob { priority: -1, ..job() });
    line.storage.insert(vec![next.clone(), urgent.clone()]).await.unwrap();
    assert_eq!(line.claim(server, want(9)).await, [urgent.id, next.id]);
}

/// Else each claim of a queue that others have emptied would walk over all that was ever there.
#[tokio::test]
async fn beside_an_old_transaction_an_empty_queue_is_walked_over_once() {
    let line = Line::of(0).await;
    let _old = left(&line.schema, 20_000).await;
    let server = beaten(&*line.storage).await;
    assert_eq!(line.claim(server, want(9)).await, []);
    oldest(&*line.storage, &line.schema).await;
    let younger = job();
    line.storage.insert(vec![younger.clone()]).await.unwrap();
    assert_eq!(line.claim(server, want(9)).await, [younger.id], "and nothing that is before the place");
}

/// A claim that may not read a queue does not know that nothing is left there.
#[tokio::test]
async fn beside_an_old_transaction_a_queue_goes_on_where_it_was_paused() {
    let line = Line::of(0).await;
    let _old = left(&line.schema, 20_000).await;
    let line = line.filled(2).await;
    let server = beaten(&*line.storage).await;
    assert_eq!(line.claim(server, want(1)).await, line.jobs[..1]);

    let direct = |order| line.storage.direct_queues(vec!["default".into()], order, By::Program);
    direct(QueueOrder::Pause).await.unwrap();
    line.clock.advance(Duration::from_secs(1));
    assert_eq!(line.claim(server, want(9)).await, []);
    direct(QueueOrder::Resume).await.unwrap();
    assert_eq!(line.claim(server, want(9)).await, line.jobs[1..]);
}

/// Promotions may be late, after an outage or when very many jobs are due at once.
#[tokio::test]
async fn beside_an_old_transaction_what_is_promoted_late_is_not_passed_by() {
    let line = Line::of(0).await;
    let _old = left(&line.schema, 20_000).await;
    let line = line.filled(1).await;
    let server = beaten(&*line.storage).await;
    let later = NewJob { start: Start::After(Duration::from_secs(1)), ..job() };
    line.storage.insert(vec![later.clone()]).await.unwrap();
    assert_eq!(line.claim(server, want(9)).await, line.jobs);

    line.clock.advance(Duration::from_secs(10));
    assert_eq!(line.claim(server, want(9)).await, []);
    assert_eq!(line.storage.promote(9).await.unwrap().count, 1);
    assert_eq!(line.claim(server, want(9)).await, [later.id]);
}
