//! A claim that travels behind an enqueue: that it does, that it keeps nobody who hangs, and that nobody is forgotten.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use portfire_core::storage::Claimed;
use portfire_core::{JobId, NewJob, ServerId, Storage};
use portfire_postgres::{PostgresStorage, tokio_postgres};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::bed::{Schema, beaten, connect, exchange, job, want};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// A storage with a server that waits, and enqueues that are held.
struct Case {
    schema: Schema,
    storage: Arc<PostgresStorage>,
    server: ServerId,
    /// What the server hears.
    rings: UnboundedReceiver<()>,
}

impl Case {
    /// With so much time for each call.
    async fn new(deadline: Duration) -> Self {
        let schema = Schema::new();
        let storage = Arc::new(PostgresStorage::open(schema.options().deadline(deadline)).await.unwrap());
        let server = beaten(&*storage).await;
        let (rung, mut rings) = unbounded_channel();
        let waits = Arc::clone(&storage);
        tokio::spawn(async move { while waits.wait(LONG).await.is_ok_and(|_| rung.send(()).is_ok()) {} });
        rings.recv().await.expect("it begins to listen");
        let case = Self { schema, storage, server, rings };
        // A statement is prepared before it can be on its way, which is held, too.
        for jobs in [vec![job()], vec![job(), job()]] {
            let count = jobs.len();
            case.storage.insert(jobs).await.unwrap();
            assert_eq!(case.claim(9).await.len(), count);
        }
        case
    }

    /// Lets no enqueue end until it commits. Claims do not mind.
    async fn hold(&self) -> Client {
        let client = connect().await;
        let hold = format!("BEGIN; LOCK TABLE {}.portfire_tally IN SHARE MODE", self.schema.name);
        client.batch_execute(&hold).await.unwrap();
        client
    }

    /// An enqueue that has come to the database and is held there.
    async fn enqueue(&self, held: &Client, jobs: &[NewJob]) -> JoinHandle<()> {
        let (storage, jobs) = (Arc::clone(&self.storage), jobs.to_vec());
        let enqueue = tokio::spawn(async move { drop(storage.insert(jobs).await.unwrap()) });
        let is_held = format!(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND relation = '{}.portfire_tally'::regclass)",
            self.schema.name
        );
        while !held.query_one(&is_held, &[]).await.unwrap().get::<_, bool>(0) {}
        enqueue
    }

    async fn claim(&self, limit: u32) -> Vec<JobId> {
        let claimed = exchange(&*self.storage, self.server, Vec::new(), Some(want(limit))).await.claimed;
        claimed.iter().map(|one: &Claimed| one.facts.lease.job).collect()
    }

    /// Forgets what has rung.
    fn quiet(&mut self) {
        while self.rings.try_recv().is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_is_asked_before_the_enqueue_has_ended_gets_the_job() {
    let case = Case::new(LONG).await;
    for _ in 0..3 {
        let (held, job) = (case.hold().await, job());
        let stored = case.enqueue(&held, std::slice::from_ref(&job)).await;
        let mut claim = Box::pin(case.claim(9));
        assert!((&mut claim).now_or_never().is_none() && !stored.is_finished(), "both are held");
        held.batch_execute("COMMIT").await.unwrap();
        assert_eq!(claim.await, [job.id]);
        stored.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enqueue_that_hangs_keeps_no_server() {
    let mut case = Case::new(Duration::from_secs(15)).await;
    let (before, late) = (job(), job());
    case.storage.insert(vec![before.clone()]).await.unwrap();
    let held = case.hold().await;
    let stored = case.enqueue(&held, std::slice::from_ref(&late)).await;
    case.quiet();
    assert_eq!(case.claim(9).await, [], "it was given up behind the enqueue, and then takes nothing new");
    case.rings.recv().await.unwrap();
    assert_eq!(case.claim(9).await, [before.id]);
    held.batch_execute("COMMIT").await.unwrap();
    stored.await.unwrap();
    assert_eq!(case.claim(9).await, [late.id], "the claim that came late took nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_less_than_the_set_wakes_the_next() {
    let mut case = Case::new(LONG).await;
    let (held, jobs) = (case.hold().await, [job(), job()]);
    let stored = case.enqueue(&held, &jobs).await;
    case.quiet();
    let mut claim = Box::pin(case.claim(1));
    assert!((&mut claim).now_or_never().is_none());
    held.batch_execute("COMMIT").await.unwrap();
    assert_eq!(claim.await, [jobs[0].id]);
    case.rings.recv().await.unwrap();
    stored.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enqueue_that_goes_away_takes_no_claim_along() {
    let case = Case::new(LONG).await;
    let (held, job) = (case.hold().await, job());
    let stored = case.enqueue(&held, std::slice::from_ref(&job)).await;
    let mut claim = Box::pin(case.claim(9));
    assert!((&mut claim).now_or_never().is_none());
    stored.abort();
    assert!(stored.await.unwrap_err().is_cancelled());
    held.batch_execute("COMMIT").await.unwrap();
    assert_eq!(claim.await, [job.id], "it was sent, so it is done");
}
