//! The floor on MariaDB and MySQL: the statements that the same work in the same tables needs at least, written by
//! hand for a connection that is never lost.
//!
//! It does no more than it must: no server, no lease, no retries, no cancelling, no children, no unique names,
//! no statistics, no handler, no waking. It uses the tables and indexes that Portfire creates. Its statements take
//! whole batches; those that need no answer in between travel together. So settling one batch and claiming the
//! next is one transaction in two round trips: neither database returns the rows that it deletes from a head.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use futures_util::future::{try_join, try_join_all};
use mysql_async::Conn;
use mysql_async::prelude::{FromRow, Queryable};
use portfire_mysql::{MysqlOptions, MysqlStorage};
use tokio::sync::watch;

use super::super::payload::Mail;
use super::{Mysql, connect};
use crate::contestant::{Contestant, Doing, Fallible, Place};
use crate::database::Database;
use crate::meter::{Meter, micros};
use crate::stopwatch;
use crate::workload::{CLAIM, Workload, pause};

/// MariaDB makes a subquery of a list of 1,000, and then reads whole tables. (To MySQL the first part is a comment.)
const PINNED: &str = "SET /*M!100300 in_predicate_conversion_threshold = 0, */ autocommit = 1";
/// How long a success is kept: one day, as Portfire does.
pub(super) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How many jobs a backlog is stored in at once before it is measured.
pub(super) const PRELOAD: u32 = 1_000;

/// The statements, so many jobs per transaction.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) database: Mysql,
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
            | Workload::Pinned { minutes: 0, .. }
            | Workload::Lifecycle { .. } => true,
            // Here a transaction holds as many jobs, whatever the batch.
            Workload::Enqueue { .. } | Workload::Latency { .. } | Workload::Claim { .. } => {
                self.batch == workload.bare_batch()
            }
            Workload::Drain { .. }
            | Workload::Pinned { .. }
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
            let url = place.ground.url();
            drop(MysqlStorage::open(MysqlOptions::new(&url)?).await?);
            if let Workload::Drain { jobs, .. }
            | Workload::Pinned { jobs, .. }
            | Workload::Claim { ready: jobs, .. } = workload
            {
                Session::open(&url).await?.store(PRELOAD, 0..jobs).await?;
            }
            let _pin = match workload {
                Workload::Pinned { .. } => Some(place.ground.pin().await?),
                _ => None,
            };
            let connections = match workload {
                Workload::Enqueue { producers, .. } => producers,
                // One stores while the other works.
                Workload::Lifecycle { .. } => 2,
                _ => 1,
            };
            let mut sessions = try_join_all((0..connections).map(|_| Session::open(&url))).await?;
            meter.start(place.ground).await?;
            self.work(workload, &mut sessions, meter).await?;
            meter.stop(place.ground).await
        })
    }
}

impl Bare {
    async fn work(&self, workload: Workload, sessions: &mut [Session], meter: &mut Meter) -> Fallible<()> {
        match workload {
            Workload::Enqueue { jobs, .. } => enqueue(sessions, jobs).await,
            Workload::Bulk { jobs, .. } => sessions[0].store(self.batch, 0..jobs).await,
            Workload::Drain { jobs, .. } | Workload::Pinned { jobs, .. } => {
                sessions[0].drain(self.batch, jobs, None).await
            }
            Workload::Lifecycle { batch, jobs, .. } => live(sessions, batch, self.batch, jobs).await,
            Workload::Claim { ready, claims } => sessions[0].pick(ready, claims, meter).await,
            Workload::Latency { jobs } => sessions[0].ping(jobs, meter).await,
            _ => Err("the bare statements have no such work".into()),
        }
    }
}

/// Each producer has a connection, and commits one row at a time.
async fn enqueue(sessions: &mut [Session], jobs: u32) -> Fallible<()> {
    let producers = sessions.len();
    let numbered = (0..).zip(sessions);
    try_join_all(numbered.map(|(producer, session)| produce(session, producer, producers, jobs)))
        .await
        .map(drop)
}

async fn produce(session: &mut Session, producer: u32, producers: usize, jobs: u32) -> Fallible<()> {
    for number in (producer..jobs).step_by(producers) {
        session.store(1, number..number + 1).await?;
    }
    Ok(())
}

/// One stores, the other works what is there.
async fn live(sessions: &mut [Session], stored: u32, batch: u32, jobs: u32) -> Fallible<()> {
    let [producer, server, ..] = sessions else { return Err("a lifecycle takes two connections".into()) };
    let (bell, heard) = watch::channel(0);
    let store = producer.store_and_ring(stored, jobs, &bell);
    try_join(store, server.drain(batch, jobs, Some(heard))).await.map(drop)
}

/// A connection.
pub(super) struct Session(Conn);

/// The jobs of a claim: their keys in `ready`, and its token.
#[derive(Default)]
struct Held {
    token: u128,
    heads: Vec<(i64, u128)>,
}

impl Session {
    pub(super) async fn open(url: &str) -> Fallible<Self> {
        let mut connection = connect(url).await?;
        connection.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
        connection.query_drop(PINNED).await?;
        Ok(Self(connection))
    }

    pub(super) async fn store(&mut self, batch: u32, numbers: std::ops::Range<u32>) -> Fallible<()> {
        for start in numbers.clone().step_by(batch as usize) {
            let now = now()?;
            let (mut jobs, mut ready) = (Vec::new(), Vec::new());
            for number in start..numbers.end.min(start + batch) {
                let args = serde_json::to_string(&Mail::new(number))?;
                let id = hex(number.into());
                jobs.push(format!("({id}, 'mail', 'default', 0, {now}, {now}, '{args}', 0)"));
                ready.push(format!("('default', 0, {now}, {id}, 'mail')"));
            }
            let (jobs, ready) = (jobs.join(", "), ready.join(", "));
            self.together(format!(
                "START TRANSACTION; INSERT INTO portfire_job \
                 (id, kind, queue, priority, run_at, created_at, args, has_parents) VALUES {jobs}; \
                 INSERT INTO portfire_ready (queue, priority, run_at, id, kind) VALUES {ready}; COMMIT"
            ))
            .await?;
        }
        Ok(())
    }

    /// Stores batches, and says after each how many jobs are there.
    pub(super) async fn store_and_ring(
        &mut self,
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
    async fn drain(
        &mut self,
        batch: u32,
        jobs: u32,
        mut stored: Option<watch::Receiver<u32>>,
    ) -> Fallible<()> {
        let (mut held, mut done) = (Held::default(), 0);
        while done < jobs {
            if let Some(stored) = &mut stored
                && held.heads.is_empty()
            {
                stored.wait_for(|count| *count > done).await?;
            }
            done += u32::try_from(held.heads.len())?;
            held = self.exchange(batch, &held).await?;
        }
        Ok(())
    }

    /// Stores a hundred jobs and claims the hundred that are first, beside so many.
    async fn pick(&mut self, ready: u32, claims: u32, meter: &mut Meter) -> Fallible<()> {
        for start in (ready..).step_by(CLAIM as usize).take(claims as usize) {
            self.store(CLAIM, start..start + CLAIM).await?;
            let sent = stopwatch::now();
            let held = self.exchange(CLAIM, &Held::default()).await?;
            meter.waited(sent.elapsed());
            self.settle(&held).await?;
        }
        Ok(())
    }

    /// Stores one job and claims it, each in its own transaction.
    async fn ping(&mut self, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        for number in 0..jobs {
            stopwatch::idle(pause(number)).await;
            let sent = stopwatch::now();
            self.store(1, number..number + 1).await?;
            let held = self.exchange(1, &Held::default()).await?;
            meter.waited(sent.elapsed());
            self.settle(&held).await?;
        }
        Ok(())
    }

    async fn settle(&mut self, held: &Held) -> Fallible<()> {
        self.together(format!("START TRANSACTION{}; COMMIT", settlement(held)?)).await
    }

    /// One transaction, two round trips.
    async fn exchange(&mut self, batch: u32, held: &Held) -> Fallible<Held> {
        let heads = self.heads(batch, &settlement(held)?).await?;
        let now = now()?;
        let claimed = Held { token: u128::try_from(now)?, heads };
        if claimed.heads.is_empty() {
            self.together("COMMIT".into()).await?;
            return Ok(claimed);
        }
        let token = hex(claimed.token);
        let keys = keys(&claimed.heads);
        let mut running = String::new();
        for (place, (_, id)) in claimed.heads.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let id = hex(*id);
            write!(running, "{comma}({id}, {token}, {place}, {token}, 1, {now}, 0)")?;
        }
        self.together(format!(
            "DELETE r FROM portfire_ready AS r FORCE INDEX (PRIMARY) \
             WHERE r.queue = 'default' AND r.priority = 0 AND ({keys}); \
             INSERT INTO portfire_running (id, token, place, server, attempt, started_at, cancel_requested) \
             VALUES {running}; \
             SELECT j.id, j.args FROM portfire_running AS x STRAIGHT_JOIN portfire_job AS j ON j.id = x.id \
             WHERE x.token = {token} ORDER BY x.place; COMMIT"
        ))
        .await?;
        Ok(claimed)
    }

    /// Runs statements that travel in one packet; a handler would need the rows, which are read and let go.
    pub(super) async fn together(&mut self, sql: String) -> Fallible<()> {
        let mut answers = self.0.query_iter(sql).await?;
        while !answers.is_empty() {
            std::hint::black_box(answers.collect::<mysql_async::Row>().await?);
        }
        Ok(())
    }

    /// The same, of which the last one has rows that are wanted.
    pub(super) async fn last_rows<R: FromRow + Send + 'static>(&mut self, sql: String) -> Fallible<Vec<R>> {
        let mut answers = self.0.query_iter(sql).await?;
        let mut rows = Vec::new();
        while !answers.is_empty() {
            rows = answers.collect().await?;
        }
        Ok(rows)
    }

    /// Locks the first jobs that are ready, in a transaction that begins with these statements: their keys.
    pub(super) async fn heads(&mut self, batch: u32, before: &str) -> Fallible<Vec<(i64, u128)>> {
        let sql = format!(
            "START TRANSACTION{before}; SELECT run_at, id FROM portfire_ready FORCE INDEX (PRIMARY) \
             WHERE queue = 'default' ORDER BY priority, run_at, id LIMIT {batch} FOR UPDATE SKIP LOCKED"
        );
        let read =
            |(run_at, id): (i64, Vec<u8>)| Ok((run_at, u128::from_be_bytes(id.as_slice().try_into()?)));
        self.last_rows(sql).await?.into_iter().map(read).collect()
    }
}

/// The keys of a claim as ranges that both databases look up one by one: jobs that were stored together are of one
/// moment.
pub(super) fn keys(heads: &[(i64, u128)]) -> String {
    let moments = heads.chunk_by(|one, next| one.0 == next.0).map(|heads| {
        let ids: Vec<_> = heads.iter().map(|(_, id)| hex(*id)).collect();
        format!("r.run_at = {} AND r.id IN ({})", heads[0].0, ids.join(", "))
    });
    moments.collect::<Vec<_>>().join(" OR ")
}

/// The statements that settle a batch; none for none.
fn settlement(held: &Held) -> Fallible<String> {
    if held.heads.is_empty() {
        return Ok(String::new());
    }
    let now = now()?;
    let prune_at = now + i64::try_from(micros(KEPT))?;
    let token = hex(held.token);
    let ids: Vec<_> = held.heads.iter().map(|(_, id)| hex(*id)).collect();
    let finished =
        ids.iter().map(|id| format!("({id}, 'succeeded', {now}, {now}, {token}, {token}, {prune_at})"));
    let finished = finished.collect::<Vec<_>>().join(", ");
    Ok(format!(
        "; DELETE x FROM portfire_running AS x FORCE INDEX (PRIMARY) WHERE x.id IN ({}) AND x.token = {token}; \
         INSERT INTO portfire_finished (id, state, finished_at, started_at, token, server, prune_at) VALUES {finished}",
        ids.join(", ")
    ))
}

/// Sixteen bytes as SQL has them.
pub(super) fn hex(number: u128) -> String {
    format!("x'{number:032x}'")
}

pub(super) fn now() -> Fallible<i64> {
    Ok(i64::try_from(stopwatch::wall().duration_since(SystemTime::UNIX_EPOCH)?.as_micros())?)
}
