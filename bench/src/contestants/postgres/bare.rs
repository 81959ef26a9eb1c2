//! The floor on PostgreSQL: the statements that the same work in the same tables needs at least, written by hand
//! for a connection that is never lost. Nobody can beat it with this layout.
//!
//! It does no more than it must: no server, no lease, no retries, no cancelling, no children, no unique names,
//! no statistics, no handler, no waking. It uses the tables and indexes that Portfire creates. Its statements are
//! prepared, take whole batches, and travel together: it settles one batch and claims the next in one
//! transaction and one round trip. Their plans are pinned as those of Portfire are.

use std::time::{Duration, SystemTime};

use futures_util::future::{Future, join4, try_join, try_join_all};
use portfire_postgres::tokio_postgres::{Client, Config, Error, Row, Statement};
use portfire_postgres::{PostgresOptions, PostgresStorage};
use tokio::sync::watch;
use uuid::Uuid;

use super::super::payload::Mail;
use super::{Postgres, connect};
use crate::contestant::{Contestant, Doing, Fallible, Place};
use crate::database::Database;
use crate::meter::{Meter, micros};
use crate::stopwatch;
use crate::workload::{CLAIM, Workload, pause};

pub(super) const PINNED: &str = "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; \
    SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";
const STORE: &str = "WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::text[]) AS i(id, args)
), body AS (
    INSERT INTO portfire_job (id, kind, queue, priority, run_at, created_at, args, has_parents)
    SELECT id, 'mail', 'default', 0, $3, $3, args, false FROM input
)
INSERT INTO portfire_ready (queue, priority, run_at, id, kind) SELECT 'default', 0, $3, id, 'mail' FROM input";
const SETTLE: &str = "WITH passed AS (
    DELETE FROM portfire_running WHERE id = ANY ($1::uuid[]) AND token = $2 RETURNING id, started_at, server
)
INSERT INTO portfire_finished (id, state, finished_at, started_at, token, server, prune_at)
SELECT id, 'succeeded', $3, started_at, $2, server, $4 FROM passed";
const CLAIM_SQL: &str = "WITH picked AS MATERIALIZED (
    SELECT ctid AS spot, id, run_at FROM portfire_ready WHERE queue = 'default'
    ORDER BY priority, run_at, id LIMIT $1 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM portfire_ready WHERE ctid = ANY (ARRAY(SELECT spot FROM picked))
), held AS (
    INSERT INTO portfire_running (id, token, place, server, attempt, started_at, cancel_requested, kind, queue, run_at,
        is_unique)
    SELECT id, $2, row_number() OVER (), $2, 1, $3, false, 'mail', 'default', run_at, false FROM picked
)
SELECT j.id, j.args FROM picked AS p JOIN portfire_job AS j ON j.id = p.id";

/// How long a success is kept: one day, as Portfire does.
pub(super) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How many jobs a backlog is stored in at once before it is measured.
pub(super) const PRELOAD: u32 = 1_000;

/// The statements, so many jobs per transaction.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) database: Postgres,
    pub(crate) batch: u32,
}

impl Contestant for Bare {
    fn name(&self) -> String {
        format!("bare/{}", self.batch)
    }

    fn database(&self) -> &dyn Database {
        &self.database
    }

    fn promises(&self) -> String {
        self.database.promise().into()
    }

    fn takes(&self, workload: Workload) -> bool {
        match workload {
            Workload::Bulk { .. }
            | Workload::Drain { servers: 1, .. }
            | Workload::Pinned { .. }
            | Workload::Lifecycle { .. } => true,
            // Here a transaction holds as many jobs, whatever the batch.
            Workload::Enqueue { .. } | Workload::Latency { .. } | Workload::Claim { .. } => {
                self.batch == workload.bare_batch()
            }
            Workload::Drain { .. }
            | Workload::Retries { .. }
            | Workload::Load { .. }
            | Workload::Scheduled { .. }
            | Workload::Slots { .. }
            | Workload::Retry { .. }
            | Workload::Idle { .. } => false,
        }
    }

    fn run<'a>(&'a self, workload: Workload, place: Place<'a>, meter: &'a mut Meter) -> Doing<'a> {
        Box::pin(async move {
            // The layout is Portfire's own.
            drop(PostgresStorage::open(PostgresOptions::new(&place.ground.url())?).await?);
            let config = place.ground.url().parse()?;
            if let Workload::Drain { jobs, .. }
            | Workload::Pinned { jobs, .. }
            | Workload::Claim { ready: jobs, .. } = workload
            {
                Session::open(&config).await?.store(PRELOAD, 0..jobs).await?;
            }
            place.ground.alone().await?;
            let _pin = match workload {
                Workload::Pinned { jobs, minutes, .. } => {
                    let pin = place.ground.pin().await?;
                    self.churn(&config, jobs, minutes, place).await?;
                    Some(pin)
                }
                _ => None,
            };
            self.work(workload, &config, place, meter).await
        })
    }
}

impl Bare {
    /// Works and stores backlogs for so many minutes, and leaves one.
    async fn churn(&self, config: &Config, jobs: u32, minutes: u32, place: Place<'_>) -> Fallible<()> {
        let (start, end) = (stopwatch::now(), stopwatch::now() + Duration::from_secs(60) * minutes);
        let session = Session::open(config).await?;
        let mut stored = jobs;
        while stopwatch::now() < end {
            session.drain(self.batch, jobs, None).await?;
            session.store(PRELOAD, stored..stored + jobs).await?;
            stored += jobs;
        }
        drop(session);
        if end > start {
            // What the churn did is not to be counted as the drain's.
            stopwatch::idle(place.ground.lag()).await;
        }
        Ok(())
    }

    async fn work(
        &self,
        workload: Workload,
        config: &Config,
        place: Place<'_>,
        meter: &mut Meter,
    ) -> Fallible<()> {
        let connections = match workload {
            Workload::Enqueue { producers, .. } => producers,
            // One stores while the other works.
            Workload::Lifecycle { .. } => 2,
            _ => 1,
        };
        let sessions = try_join_all((0..connections).map(|_| Session::open(config))).await?;
        meter.start(place.ground).await?;
        match workload {
            Workload::Enqueue { jobs, .. } => enqueue(&sessions, jobs).await?,
            Workload::Bulk { jobs, .. } => sessions[0].store(self.batch, 0..jobs).await?,
            Workload::Drain { jobs, .. } | Workload::Pinned { jobs, .. } => {
                sessions[0].drain(self.batch, jobs, None).await?;
            }
            Workload::Lifecycle { batch, jobs, .. } => live(&sessions, batch, self.batch, jobs).await?,
            Workload::Claim { ready, claims } => sessions[0].pick(ready, claims, meter).await?,
            Workload::Latency { jobs } => sessions[0].ping(jobs, meter).await?,
            _ => return Err("the bare statements have no such work".into()),
        }
        meter.stop(place.ground).await
    }
}

/// Each producer has a connection, and commits one row at a time.
async fn enqueue(sessions: &[Session], jobs: u32) -> Fallible<()> {
    let produce = |producer: usize| async move {
        for number in (u32::try_from(producer)?..jobs).step_by(sessions.len()) {
            sessions[producer].store(1, number..number + 1).await?;
        }
        Ok(())
    };
    try_join_all((0..sessions.len()).map(produce)).await.map(drop)
}

/// One stores, the other works what is there.
async fn live(sessions: &[Session], stored: u32, batch: u32, jobs: u32) -> Fallible<()> {
    let (bell, heard) = watch::channel(0);
    let store = sessions[0].store_and_ring(stored, jobs, &bell);
    try_join(store, sessions[1].drain(batch, jobs, Some(heard))).await.map(drop)
}

/// A connection with its statements, prepared once.
pub(super) struct Session {
    client: Client,
    store: Statement,
    settle: Statement,
    claim: Statement,
}

/// The jobs of a claim.
#[derive(Default)]
struct Held {
    token: Uuid,
    ids: Vec<Uuid>,
}

impl Session {
    pub(super) async fn open(config: &Config) -> Fallible<Self> {
        let client = connect(config).await?;
        client.batch_execute(PINNED).await?;
        let store = client.prepare(STORE).await?;
        let settle = client.prepare(SETTLE).await?;
        let claim = client.prepare(CLAIM_SQL).await?;
        Ok(Self { client, store, settle, claim })
    }

    pub(super) async fn store(&self, batch: u32, numbers: std::ops::Range<u32>) -> Fallible<()> {
        for start in numbers.clone().step_by(batch as usize) {
            let these = start..numbers.end.min(start + batch);
            let ids: Vec<_> = these.clone().map(id).collect();
            let args = these.map(|number| serde_json::to_string(&Mail::new(number)));
            let args = args.collect::<Result<Vec<_>, _>>()?;
            self.client.execute(&self.store, &[&ids, &args, &now()?]).await?;
        }
        Ok(())
    }

    /// Stores batches, and says after each how many jobs are there.
    pub(super) async fn store_and_ring(
        &self,
        batch: u32,
        jobs: u32,
        bell: &watch::Sender<u32>,
    ) -> Fallible<()> {
        for start in (0..jobs).step_by(batch as usize) {
            let end = jobs.min(start + batch);
            self.store(batch, start..end).await?;
            bell.send_replace(end);
        }
        Ok(())
    }

    /// Settles a batch and claims the next, until so many are done. Where others store, waits for them when
    /// nothing is left.
    async fn drain(&self, batch: u32, jobs: u32, mut stored: Option<watch::Receiver<u32>>) -> Fallible<()> {
        let (mut held, mut done) = (Held::default(), 0);
        while done < jobs {
            if let Some(stored) = &mut stored
                && held.ids.is_empty()
            {
                stored.wait_for(|count| *count > done).await?;
            }
            done += u32::try_from(held.ids.len())?;
            held = self.exchange(batch, &held).await?;
        }
        Ok(())
    }

    /// Stores a hundred jobs and claims the hundred that are first, beside so many.
    async fn pick(&self, ready: u32, claims: u32, meter: &mut Meter) -> Fallible<()> {
        for start in (ready..).step_by(CLAIM as usize).take(claims as usize) {
            self.store(CLAIM, start..start + CLAIM).await?;
            let sent = stopwatch::now();
            let held = self.claim(CLAIM).await?;
            meter.waited(sent.elapsed());
            self.settle(&held).await?;
        }
        Ok(())
    }

    /// Stores one job and claims it, each in its own transaction.
    async fn ping(&self, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        for number in 0..jobs {
            stopwatch::idle(pause(number)).await;
            let sent = stopwatch::now();
            self.store(1, number..number + 1).await?;
            let held = self.claim(1).await?;
            meter.waited(sent.elapsed());
            self.settle(&held).await?;
        }
        Ok(())
    }

    async fn exchange(&self, batch: u32, held: &Held) -> Fallible<Held> {
        if held.ids.is_empty() {
            return self.claim(batch).await;
        }
        in_one_trip(&self.client, self.settle(held), self.claim(batch)).await
    }

    async fn settle(&self, held: &Held) -> Fallible<()> {
        let now = now()?;
        let prune_at = now + i64::try_from(micros(KEPT))?;
        self.client.execute(&self.settle, &[&held.ids, &held.token, &now, &prune_at]).await?;
        Ok(())
    }

    async fn claim(&self, batch: u32) -> Fallible<Held> {
        // A fence of its own for each claim: that of its moment.
        let now = now()?;
        let token = Uuid::from_u128(u128::try_from(now)?);
        let rows = self.client.query(&self.claim, &[&i64::from(batch), &token, &now]).await?;
        let ids = rows.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Held { token, ids })
    }
}

/// The id of a job that was claimed; a handler would need its arguments, too.
pub(super) fn read(row: &Row) -> Result<Uuid, Error> {
    std::hint::black_box(row.try_get::<_, String>(1)?);
    row.try_get(0)
}

/// An id that sorts by its number, as wide as a real one.
fn id(number: u32) -> Uuid {
    Uuid::from_u128(number.into())
}

pub(super) fn now() -> Fallible<i64> {
    Ok(i64::try_from(stopwatch::wall().duration_since(SystemTime::UNIX_EPOCH)?.as_micros())?)
}

/// Settles and claims in one transaction and one round trip.
pub(super) async fn in_one_trip<T>(
    client: &Client,
    settle: impl Future<Output = Fallible<()>>,
    claim: impl Future<Output = Fallible<T>>,
) -> Fallible<T> {
    let (begin, commit) = (client.batch_execute("BEGIN"), client.batch_execute("COMMIT"));
    let (begun, settled, claimed, committed) = join4(begin, settle, claim, commit).await;
    begun?;
    settled?;
    committed?;
    claimed
}
