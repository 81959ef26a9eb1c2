//! The bare statements on SQLite in the packed form: a claim is one row, and so is what became of it.
//!
//! 1. One thread stores, works and expands in turn on its one connection, as the writer of Portfire would: SQLite has
//!    one writer, and a second connection would only make both of them read again what the other wrote.
//! 2. It moves whole claims: it settles one and claims the next in one transaction.
//! 3. It makes rows of a thousand jobs at a time, in a transaction of their own.
//!
//! Rows hold what `portfire_running` and `portfire_finished` hold of each job, one behind the other as bytes; what is
//! the same for all of a claim stands there once. A claim ends as a whole, which is the best that can happen to it.

use portfire_sqlite::SqliteStorage;
use portfire_sqlite::rusqlite::{CachedStatement, Connection, params};

use super::super::packed::{EXPANDED, Form};
use super::bare::{Claimed, FINISHED, KEPT, PRELOAD, Statements, TOKEN, now, open};
use super::{Flushing, path};
use crate::contestant::{Contestant, Doing, Fallible, Place};
use crate::database::Database;
use crate::meter::{Meter, micros};
use crate::workload::Workload;

const TABLES: &str = "CREATE TABLE packed_claim (
    token BLOB NOT NULL PRIMARY KEY, server BLOB NOT NULL, started_at INTEGER NOT NULL,
    ids BLOB NOT NULL, attempts BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE packed_finished (
    seq INTEGER PRIMARY KEY, finished_at INTEGER NOT NULL, token BLOB, prune_at INTEGER, ids BLOB NOT NULL
) STRICT";
const CLAIM: &str =
    "INSERT INTO packed_claim (token, server, started_at, ids, attempts) VALUES (?1, ?1, ?2, ?3, ?4)";
const FENCE: &str = "DELETE FROM packed_claim WHERE token = ?1";
const FINISH: &str =
    "INSERT INTO packed_finished (finished_at, token, prune_at, ids) VALUES (?1, ?2, ?3, ?4)";
const FIRST: &str = "SELECT seq, finished_at, prune_at, ids FROM packed_finished ORDER BY seq LIMIT ?1";
const GONE: &str = "DELETE FROM packed_finished WHERE seq = ?1";

/// The bytes of an id.
const ID: usize = 16;

/// The statements of the packed form.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(in super::super) flushing: Flushing,
    pub(in super::super) form: Form,
}

impl Contestant for Packed {
    fn name(&self) -> String {
        self.form.name()
    }

    fn database(&self) -> &dyn Database {
        &self.flushing
    }

    fn promises(&self) -> String {
        self.form.promises(self.database().promise())
    }

    fn takes(&self, workload: Workload) -> bool {
        Form::takes(workload)
    }

    fn run<'a>(&'a self, workload: Workload, place: Place<'a>, meter: &'a mut Meter) -> Doing<'a> {
        Box::pin(async move {
            drop(SqliteStorage::open(path(place.dir)).await?);
            let connection = open(place.dir, self.flushing)?;
            connection.execute_batch(TABLES)?;
            if let Workload::Drain { jobs, .. } = workload {
                Statements::new(&connection)?.store(PRELOAD, 0..jobs)?;
            }
            meter.start(place.ground).await?;
            self.work(&connection, workload)?;
            meter.stop(place.ground).await
        })
    }
}

impl Packed {
    fn work(&self, connection: &Connection, workload: Workload) -> Fallible<()> {
        let (mut writer, jobs) = (Writer::new(connection, self.form)?, workload.jobs());
        match workload {
            Workload::Lifecycle { .. } => writer.live(jobs),
            _ => writer.drain(jobs),
        }
    }
}

/// A claim that was finished: its number, when it did, until when it is kept, and its ids.
type Finished = (i64, i64, i64, Vec<u8>);

/// All statements, prepared once, and how far the work is.
struct Writer<'c> {
    bare: Statements<'c>,
    claim: CachedStatement<'c>,
    fence: CachedStatement<'c>,
    finish: CachedStatement<'c>,
    first: CachedStatement<'c>,
    gone: CachedStatement<'c>,
    finished: CachedStatement<'c>,
    form: Form,
    /// How many jobs have ended.
    done: u32,
    /// How many of them have a row of their own again.
    expanded: u32,
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection, form: Form) -> Fallible<Self> {
        let prepare = |sql| connection.prepare_cached(sql);
        Ok(Self {
            bare: Statements::new(connection)?,
            claim: prepare(CLAIM)?,
            fence: prepare(FENCE)?,
            finish: prepare(FINISH)?,
            first: prepare(FIRST)?,
            gone: prepare(GONE)?,
            finished: prepare(FINISHED)?,
            form,
            done: 0,
            expanded: 0,
        })
    }

    /// Stores a thousand, then works them, and so on.
    fn live(&mut self, jobs: u32) -> Fallible<()> {
        for start in (0..jobs).step_by(PRELOAD as usize) {
            let end = jobs.min(start + PRELOAD);
            self.bare.store(PRELOAD, start..end)?;
            self.drain(end)?;
        }
        Ok(())
    }

    /// Settles a claim and makes the next, until so many jobs have ended, and expands them a thousand at a time.
    fn drain(&mut self, until: u32) -> Fallible<()> {
        let mut held = Vec::new();
        while self.done < until {
            let ended = u32::try_from(held.len())?;
            self.transaction(|this| this.exchange(&mut held))?;
            self.done += ended;
            while self.form.is_expanded && self.expanded < self.done && self.is_time(until) {
                self.transaction(Self::expand)?;
            }
        }
        Ok(())
    }

    fn is_time(&self, until: u32) -> bool {
        self.done >= until.min(self.expanded + EXPANDED)
    }

    fn transaction(&mut self, work: impl FnOnce(&mut Self) -> Fallible<()>) -> Fallible<()> {
        self.bare.connection.execute_batch("BEGIN IMMEDIATE")?;
        work(self)?;
        Ok(self.bare.connection.execute_batch("COMMIT")?)
    }

    fn exchange(&mut self, held: &mut Vec<Claimed>) -> Fallible<()> {
        if !held.is_empty() {
            self.settle(held)?;
        }
        self.bare.take(self.form.batch, held)?;
        if !held.is_empty() {
            let attempts: Vec<_> = held.iter().flat_map(|_| 1_u32.to_be_bytes()).collect();
            self.claim.execute(params![TOKEN, now()?, packed(held), attempts])?;
        }
        Ok(())
    }

    fn settle(&mut self, held: &[Claimed]) -> Fallible<()> {
        let now = now()?;
        self.fence.execute([TOKEN])?;
        self.finish.execute(params![now, TOKEN, now + i64::try_from(micros(KEPT))?, packed(held)])?;
        Ok(())
    }

    fn expand(&mut self) -> Fallible<()> {
        let read = |row: &portfire_sqlite::rusqlite::Row<'_>| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        };
        let rows: Vec<Finished> =
            self.first.query_map([self.form.rows()], read)?.collect::<Result<_, _>>()?;
        for (seq, finished_at, prune_at, ids) in rows {
            self.gone.execute([seq])?;
            for id in ids.chunks(ID) {
                self.finished.execute(params![id, finished_at, TOKEN, prune_at])?;
                self.expanded += 1;
            }
        }
        Ok(())
    }
}

/// The ids, one behind the other.
fn packed(held: &[Claimed]) -> Vec<u8> {
    held.iter().flat_map(|job| job.id).collect()
}
