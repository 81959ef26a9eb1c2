//! The floor: the statements that the same work in the same tables needs at least, written by hand for
//! one thread that never loses its connection. Nobody can beat it with this layout.
//!
//! It does no more than it must: no server, no lease, no retries, no cancelling, no children, no unique
//! names, no handler. It uses the tables and indexes that Portfire creates, and settles one batch and
//! claims the next in one transaction.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use portfire_sqlite::SqliteStorage;
use portfire_sqlite::rusqlite::config::DbConfig;
use portfire_sqlite::rusqlite::{CachedStatement, Connection, params};

use super::super::payload::Mail;
use super::{Flushing, path};
use crate::contestant::{Contestant, Doing, Fallible, Place};
use crate::database::Database;
use crate::meter::{Meter, micros};
use crate::stopwatch;
use crate::workload::{CLAIM, Workload, pause};

const JOB: &str = "INSERT INTO portfire_job \
    (id, kind, queue, priority, run_at, created_at, args, has_parents, attempts, crashes) \
    VALUES (?1, 'mail', 'default', 0, ?2, ?2, ?3, 0, 0, 0)";
const READY: &str =
    "INSERT INTO portfire_ready (queue, priority, run_at, id, kind) VALUES ('default', 0, ?1, ?2, 'mail')";
const HEAD: &str = "SELECT r.run_at, r.id, j.args FROM portfire_ready AS r \
    CROSS JOIN portfire_job AS j ON j.id = r.id \
    WHERE r.queue = 'default' ORDER BY r.priority, r.run_at, r.id LIMIT ?1";
const UNREADY: &str =
    "DELETE FROM portfire_ready WHERE queue = 'default' AND priority = 0 AND run_at = ?1 AND id = ?2";
const RUNNING: &str = "INSERT INTO portfire_running \
    (id, token, server, attempt, started_at, cancel_requested) VALUES (?1, ?2, ?2, 1, ?3, 0)";
const FENCE: &str = "DELETE FROM portfire_running WHERE id = ?1 AND token = ?2";
pub(super) const FINISHED: &str = "INSERT INTO portfire_finished \
    (id, state, finished_at, started_at, token, server, prune_at) VALUES (?1, 'succeeded', ?2, ?2, ?3, ?3, ?4)";

/// How long a success is kept: one day, as Portfire does.
pub(super) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How many jobs a backlog is stored in at once before it is measured.
pub(super) const PRELOAD: u32 = 1_000;

/// The statements of one thread, so many jobs per transaction.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) flushing: Flushing,
    pub(crate) batch: u32,
}

impl Contestant for Bare {
    fn name(&self) -> String {
        format!("bare/{}", self.batch)
    }

    fn database(&self) -> &dyn Database {
        &self.flushing
    }

    fn promises(&self) -> String {
        self.database().promise().into()
    }

    fn takes(&self, workload: Workload) -> bool {
        match workload {
            Workload::Bulk { .. } | Workload::Drain { servers: 1, .. } | Workload::Lifecycle { .. } => true,
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
            drop(SqliteStorage::open(path(place.dir)).await?);
            let connection = open(place.dir, self.flushing)?;
            if let Workload::Drain { jobs, .. } | Workload::Claim { ready: jobs, .. } = workload {
                Statements::new(&connection)?.store(PRELOAD, 0..jobs)?;
            }
            let connection = Mutex::new(connection);
            meter.start(place.ground).await?;
            match workload {
                Workload::Enqueue { producers, jobs } => enqueue(&connection, producers, jobs)?,
                workload => alone(&connection, self.batch, workload, meter)?,
            }
            meter.stop(place.ground).await
        })
    }
}

/// A connection to the file of a run.
pub(super) fn open(dir: &Path, flushing: Flushing) -> Fallible<Connection> {
    let connection = Connection::open(path(dir))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", flushing.word())?;
    // As Portfire: without it SQLite compiles `LIMIT ?1` anew for every batch.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// The producers take turns at one connection: SQLite has one writer.
fn enqueue(connection: &Mutex<Connection>, producers: u32, jobs: u32) -> Fallible<()> {
    let produce = |producer: u32| -> Fallible<()> {
        for number in (producer..jobs).step_by(producers as usize) {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            Statements::new(&connection)?.store(1, number..number + 1)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..producers).map(|producer| scope.spawn(move || produce(producer))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a producer panicked")?)
    })
}

fn alone(connection: &Mutex<Connection>, batch: u32, workload: Workload, meter: &mut Meter) -> Fallible<()> {
    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    let mut statements = Statements::new(&connection)?;
    match workload {
        Workload::Bulk { jobs, .. } => statements.store(batch, 0..jobs),
        Workload::Drain { jobs, .. } => statements.drain(batch, jobs),
        Workload::Lifecycle { jobs, .. } => statements.live(batch, jobs),
        Workload::Claim { ready, claims } => statements.pick(ready, claims, meter),
        Workload::Latency { jobs } => statements.ping(jobs, meter),
        _ => Err("the bare statements have no such work".into()),
    }
}

/// All statements, prepared once.
pub(super) struct Statements<'c> {
    pub(super) connection: &'c Connection,
    job: CachedStatement<'c>,
    ready: CachedStatement<'c>,
    head: CachedStatement<'c>,
    unready: CachedStatement<'c>,
    running: CachedStatement<'c>,
    fence: CachedStatement<'c>,
    finished: CachedStatement<'c>,
}

/// A job that was claimed.
pub(super) struct Claimed {
    run_at: i64,
    pub(super) id: [u8; 16],
    /// A handler would need them.
    args: String,
}

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection) -> Fallible<Self> {
        let prepare = |sql| connection.prepare_cached(sql);
        Ok(Self {
            connection,
            job: prepare(JOB)?,
            ready: prepare(READY)?,
            head: prepare(HEAD)?,
            unready: prepare(UNREADY)?,
            running: prepare(RUNNING)?,
            fence: prepare(FENCE)?,
            finished: prepare(FINISHED)?,
        })
    }

    fn transaction(&mut self, work: impl FnOnce(&mut Self) -> Fallible<()>) -> Fallible<()> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        work(self)?;
        Ok(self.connection.execute_batch("COMMIT")?)
    }

    pub(super) fn store(&mut self, batch: u32, numbers: std::ops::Range<u32>) -> Fallible<()> {
        for start in numbers.clone().step_by(batch as usize) {
            let end = numbers.end.min(start + batch);
            self.transaction(|this| (start..end).try_for_each(|number| this.insert(number)))?;
        }
        Ok(())
    }

    fn insert(&mut self, number: u32) -> Fallible<()> {
        let (id, now) = (id(number), now()?);
        self.job.execute(params![id, now, serde_json::to_string(&Mail::new(number))?])?;
        self.ready.execute(params![now, id])?;
        Ok(())
    }

    /// Settles a batch and claims the next, until nothing is left.
    fn drain(&mut self, batch: u32, jobs: u32) -> Fallible<()> {
        let (mut held, mut done) = (Vec::new(), 0);
        while done < jobs {
            done += u32::try_from(held.len())?;
            self.transaction(|this| this.exchange(batch, &mut held))?;
        }
        Ok(())
    }

    /// Stores a thousand, then works them, and so on.
    fn live(&mut self, batch: u32, jobs: u32) -> Fallible<()> {
        for start in (0..jobs).step_by(PRELOAD as usize) {
            let end = jobs.min(start + PRELOAD);
            self.store(PRELOAD, start..end)?;
            self.drain(batch, end - start)?;
        }
        Ok(())
    }

    /// Stores one job and claims it, each in its own transaction.
    fn ping(&mut self, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        let mut held = Vec::new();
        for number in 0..jobs {
            stopwatch::rest(pause(number));
            let sent = stopwatch::now();
            self.store(1, number..number + 1)?;
            self.transaction(|this| this.claim(1, &mut held))?;
            meter.waited(sent.elapsed());
            self.transaction(|this| this.settle(&mut held))?;
        }
        Ok(())
    }

    /// Stores a hundred jobs and claims the hundred that are first, beside so many.
    fn pick(&mut self, ready: u32, claims: u32, meter: &mut Meter) -> Fallible<()> {
        let mut held = Vec::new();
        for start in (ready..).step_by(CLAIM as usize).take(claims as usize) {
            self.store(CLAIM, start..start + CLAIM)?;
            let sent = stopwatch::now();
            self.transaction(|this| this.claim(CLAIM, &mut held))?;
            meter.waited(sent.elapsed());
            self.transaction(|this| this.settle(&mut held))?;
        }
        Ok(())
    }

    fn exchange(&mut self, batch: u32, held: &mut Vec<Claimed>) -> Fallible<()> {
        self.settle(held)?;
        self.claim(batch, held)
    }

    fn settle(&mut self, held: &mut Vec<Claimed>) -> Fallible<()> {
        let now = now()?;
        let prune_at = now + i64::try_from(micros(KEPT))?;
        for job in held.drain(..) {
            self.fence.execute(params![job.id, TOKEN])?;
            self.finished.execute(params![job.id, now, TOKEN, prune_at])?;
        }
        Ok(())
    }

    fn claim(&mut self, batch: u32, held: &mut Vec<Claimed>) -> Fallible<()> {
        self.take(batch, held)?;
        let now = now()?;
        for job in held {
            self.running.execute(params![job.id, TOKEN, now])?;
        }
        Ok(())
    }

    /// Takes the first jobs out of `ready`.
    pub(super) fn take(&mut self, batch: u32, held: &mut Vec<Claimed>) -> Fallible<()> {
        let rows = self.head.query_map([batch], |row| {
            Ok(Claimed { run_at: row.get(0)?, id: row.get(1)?, args: row.get(2)? })
        })?;
        *held = rows.collect::<Result<_, _>>()?;
        for job in held {
            std::hint::black_box(&job.args);
            self.unready.execute(params![job.run_at, job.id])?;
        }
        Ok(())
    }
}

/// The fence, as wide as a real one.
pub(super) const TOKEN: [u8; 16] = [7; 16];

/// An id that sorts by its number, as wide as a real one.
fn id(number: u32) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

pub(super) fn now() -> Fallible<i64> {
    Ok(i64::try_from(stopwatch::wall().duration_since(SystemTime::UNIX_EPOCH)?.as_micros())?)
}
