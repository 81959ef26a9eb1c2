//! Threads that own a connection and work through what they are asked.
//!
//! 1. A call is boxed as [`Work`] and sent to its thread; the caller awaits a one-shot answer.
//! 2. The writer takes whatever has arrived, runs it in one transaction, commits once, and answers all:
//!    concurrent calls share a flush, and an idle database adds no delay.
//! 3. If one of a group fails, the group is rolled back and each is run alone, so only it fails. If the
//!    file stays locked, all of the group fail at once.
//! 4. A reader is interrupted when its time is over, if it has a limit.
//! 5. A thread ends when its last sender is gone.
//!
//! Nothing is answered before its commit. The caller may be gone; the work is done all the same.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portfire_core::{Clock, Error, Result, Timestamp};
use rusqlite::{CachedStatement, Connection};
use tokio::sync::oneshot;

use crate::insert::{Executor, at_once};
use crate::rows::{Ended, Ending, Row, Value};
use crate::statements::{Op, SET_ROWS, Statements};
use crate::tally::{self, Tallies};
use crate::{Synchronous, sqlite_error};

/// Most calls in one commit. A call may be a batch itself; beyond some hundreds the flush is amortized.
const GROUP_MAX: usize = 512;

/// How long a group of several waits for those of the last group that are missing: a fraction of a flush, and
/// less than a commit without one.
const GATHER: Duration = Duration::from_micros(50);
/// Steps of SQLite's machine between two looks at the clock: a fraction of a millisecond.
const STEPS_UNWATCHED: i32 = 10_000;
/// When the callers of the last group count as gone.
const DISPERSED_AFTER: Duration = Duration::from_millis(1);

/// What a thread does with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Group commit.
    Write(Synchronous),
    /// One short write at a time, for heartbeats.
    Beat,
    /// Consistent reads, of which none takes longer than this.
    Read(Option<Duration>),
}

/// An open transaction, and the one instant that counts as now in it.
pub(crate) struct Tx<'c> {
    connection: &'c Connection,
    statements: &'c Statements,
    kept: Kept<'c>,
    pub(crate) now: Timestamp,
    /// Set when something became ready to run, or servers have to look again for another reason: then they
    /// are woken after the commit.
    pub(crate) made_ready: bool,
    /// Whether leases may be judged: not just after the clock was set.
    pub(crate) may_rescue: bool,
    /// What is counted in it; added to the tables before the commit.
    pub(crate) tallies: Tallies,
    /// How jobs ended that is not written yet.
    ended: Vec<Ended>,
}

/// The statements of a connection in the order of [`Op`], kept once they have been used: a lookup by text
/// for each of the six or more statements of a job is not free.
type Kept<'c> = Vec<Cell<Option<CachedStatement<'c>>>>;

impl<'c> Tx<'c> {
    pub(crate) fn new(connection: &'c Connection, statements: &'c Statements, now: Timestamp) -> Self {
        Self::with_kept(connection, statements, Kept::new(), now)
    }

    fn with_kept(
        connection: &'c Connection,
        statements: &'c Statements,
        mut kept: Kept<'c>,
        now: Timestamp,
    ) -> Self {
        kept.resize_with(statements.len(), Cell::default);
        let (tallies, ended) = (Tallies::default(), Vec::new());
        Self { connection, statements, kept, now, made_ready: false, may_rescue: true, tallies, ended }
    }

    pub(crate) fn run(&self, op: Op, values: &[Value<'_>]) -> Result<u64> {
        self.with(op, |statement| {
            statement.execute(rusqlite::params_from_iter(values)).map(|rows| rows as u64)
        })
    }

    pub(crate) fn one(&self, op: Op, values: &[Value<'_>]) -> Result<Option<Row>> {
        self.with(op, |statement| {
            let mut rows = statement.query(rusqlite::params_from_iter(values))?;
            Ok(rows.next()?.map(Row::read))
        })?
        .transpose()
    }

    /// Writes rows, as many as possible in sets: one statement of sixteen rows stays where it is in the table and
    /// its indexes, and takes two thirds of the time of sixteen.
    pub(crate) fn insert_all<const N: usize>(&self, one: Op, set: Op, rows: &[[Value<'_>; N]]) -> Result<()> {
        for rows in rows.chunks(SET_ROWS) {
            if rows.len() == SET_ROWS {
                self.with(set, |statement| {
                    let done = statement.execute(rusqlite::params_from_iter(rows.as_flattened()));
                    // What stays bound holds the small memory that SQLite keeps at hand for all statements.
                    statement.clear_bindings();
                    done
                })?;
            } else {
                rows.iter().try_for_each(|row| self.run(one, row).map(drop))?;
            }
        }
        Ok(())
    }

    /// The first row of a query, read where it is.
    pub(crate) fn first<T>(
        &self,
        op: Op,
        values: &[Value<'_>],
        read: impl FnOnce(&rusqlite::Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        self.with(op, |statement| {
            let mut rows = statement.query(rusqlite::params_from_iter(values))?;
            Ok(rows.next()?.map(read))
        })?
        .transpose()
    }

    /// All rows of a query, each read where it is.
    pub(crate) fn each<T>(
        &self,
        op: Op,
        values: &[Value<'_>],
        read: impl FnMut(&rusqlite::Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.with(op, |statement| collect(statement, values, read))?
    }

    pub(crate) fn all(&self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        self.each(op, values, Row::read)
    }

    /// A query put together from fixed parts, for lists.
    pub(crate) fn listed(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let listed = self.connection.prepare_cached(sql);
        let listed = listed.and_then(|mut list| collect(&mut list, values, Row::read));
        listed.map_err(|e| sqlite_error("read a list", e))?
    }

    /// Such a query, stepped row by row until `step` breaks off.
    pub(crate) fn walked(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut step: impl FnMut(&rusqlite::Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let failed = |e| sqlite_error("read a list", e);
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            if step(row)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn with<T>(
        &self,
        op: Op,
        work: impl FnOnce(&mut CachedStatement<'c>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let slot = &self.kept[op as usize];
        let prepare = || self.connection.prepare_cached(self.statements.text(op));
        let done = slot.take().map_or_else(prepare, Ok).and_then(|mut statement| {
            let done = work(&mut statement);
            slot.set(Some(statement));
            done
        });
        done.map_err(|e| sqlite_error(&format!("run `{op:?}`"), e))
    }
}

/// All rows, each read where it is.
fn collect<T>(
    statement: &mut CachedStatement<'_>,
    values: &[Value<'_>],
    mut read: impl FnMut(&rusqlite::Row<'_>) -> Result<T>,
) -> rusqlite::Result<Result<Vec<T>>> {
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        match read(row) {
            Ok(one) => all.push(one),
            Err(unexpected) => return Ok(Err(unexpected)),
        }
    }
    Ok(Ok(all))
}

impl Executor for Tx<'_> {
    async fn execute(&mut self, op: Op, values: &[Value<'_>]) -> Result<u64> {
        self.made_ready |= op == Op::ReadyInsert;
        self.run(op, values)
    }

    async fn row(&mut self, op: Op, values: &[Value<'_>]) -> Result<Option<Row>> {
        self.one(op, values)
    }

    async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        self.all(op, values)
    }

    /// Read where it is: there is one for every job.
    async fn ending(&mut self, lease: &[Value<'_>]) -> Result<Option<Ending>> {
        self.first(Op::Ending, lease, Ending::read)
    }

    async fn end(&mut self, ended: Ended) -> Result<()> {
        self.ended.push(ended);
        Ok(())
    }

    /// In the order of the tables, so that each row comes after the one before it.
    async fn write_ends(&mut self) -> Result<()> {
        let mut ended = std::mem::take(&mut self.ended);
        ended.sort_unstable_by_key(|one| one.lease.job);
        let rows: Vec<_> = ended.iter().map(Ended::values).collect();
        self.insert_all(Op::FinishedInsert, Op::FinishedInsertSet, &rows)
    }

    fn tallies(&mut self) -> &mut Tallies {
        &mut self.tallies
    }
}

/// Something to be done in a transaction.
trait Work: Send {
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()>;
    fn finish(self: Box<Self>, committed: Result<()>);
    /// Whether losing it to a power cut would lose something that was acknowledged.
    fn must_survive(&self) -> bool;
}

struct Task<F, T> {
    work: F,
    answer: Option<T>,
    reply: oneshot::Sender<Result<T>>,
    must_survive: bool,
}

impl<F, T> Work for Task<F, T>
where
    F: FnMut(&mut Tx<'_>) -> Result<T> + Send,
    T: Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        self.answer = Some((self.work)(tx)?);
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Result<()>) {
        let Self { answer, reply, .. } = *self;
        let missing = || Error::broken("the work left no answer");
        // Nobody may be waiting any more; the work is done all the same.
        let _ = reply.send(committed.and_then(|()| answer.ok_or_else(missing)));
    }

    fn must_survive(&self) -> bool {
        self.must_survive
    }
}

/// A thread with a connection, as its users hold it.
#[derive(Clone)]
pub(crate) struct Thread(Sender<Box<dyn Work>>);

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thread")
    }
}

impl Thread {
    /// Starts a thread that owns `connection`. `woke` is called after a commit that made jobs ready.
    pub(crate) fn start(
        name: &str,
        mode: Mode,
        connection: Connection,
        statements: Arc<Statements>,
        clock: Arc<dyn Clock>,
        woke: impl Fn() + Send + 'static,
    ) -> Result<Self> {
        let (sender, receiver) = channel();
        let alarm = match mode {
            Mode::Read(Some(limit)) => Some(Alarm::on(&connection, limit)?),
            _ => None,
        };
        let server = Server { mode, alarm, connection, statements, clock, woke };
        std::thread::Builder::new()
            .name(format!("portfire-{name}"))
            .spawn(move || server.serve(&receiver))
            .map_err(|e| Error::broken("SQLite's thread could not be started").caused_by(e))?;
        Ok(Self(sender))
    }

    /// Has work done in a transaction, durably if the file is so opened.
    pub(crate) fn ask<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + 'static
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.send(true, work)
    }

    /// Has work done whose loss in a power cut would lose nothing that was acknowledged.
    pub(crate) fn ask_lightly<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + 'static
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.send(false, work)
    }

    fn send<T, F>(&self, must_survive: bool, work: F) -> impl Future<Output = Result<T>> + Send + 'static
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(Box::new(Task { work, answer: None, reply, must_survive }));
        async move {
            let closed = || Error::closed("the SQLite storage is closed");
            sent.map_err(|_| closed())?;
            answer.await.map_err(|_| closed())?
        }
    }
}

/// The next call. When none comes soon, the last group has dispersed and is not waited for again.
fn next(inbox: &Receiver<Box<dyn Work>>, last: &mut usize) -> Option<Box<dyn Work>> {
    if *last > 1 {
        match inbox.recv_timeout(DISPERSED_AFTER) {
            Ok(work) => return Some(work),
            Err(_) => *last = 1,
        }
    }
    inbox.recv().ok()
}

/// Those who were answered together come back together, some microseconds apart. Without this wait the
/// first of them would have a commit to itself while the others wait for the next: 16 producers got 8 to 10
/// jobs into one, and get 13 to 16; without a flush (NORMAL) that made them 14 % faster.
#[expect(clippy::disallowed_methods, reason = "a fraction of a commit, and only while several callers wait")]
fn gather(group: &mut Vec<Box<dyn Work>>, expected: usize, inbox: &Receiver<Box<dyn Work>>) {
    let began = Instant::now();
    while group.len() < expected && began.elapsed() < GATHER {
        std::thread::yield_now();
        group.extend(inbox.try_iter().take(expected - group.len()));
    }
}

/// Interrupts SQLite when the time of a call is over.
struct Alarm {
    limit: Duration,
    rings_at: Arc<Mutex<Option<Instant>>>,
}

impl Alarm {
    fn on(connection: &Connection, limit: Duration) -> Result<Self> {
        let rings_at = Arc::<Mutex<Option<Instant>>>::default();
        let known = Arc::clone(&rings_at);
        let rings = move || known.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(is_past);
        let watched = connection.progress_handler(STEPS_UNWATCHED, Some(rings));
        watched.map_err(|e| sqlite_error("watch the time", e))?;
        Ok(Self { limit, rings_at })
    }

    #[expect(clippy::disallowed_methods, reason = "SQLite has no timers; somebody has to look at the clock")]
    fn set(&self) {
        *self.rings_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + self.limit);
    }
}

#[expect(clippy::disallowed_methods, reason = "SQLite has no timers; somebody has to look at the clock")]
fn is_past(instant: Instant) -> bool {
    Instant::now() >= instant
}

struct Server<W> {
    mode: Mode,
    alarm: Option<Alarm>,
    connection: Connection,
    statements: Arc<Statements>,
    clock: Arc<dyn Clock>,
    woke: W,
}

impl<W: Fn()> Server<W> {
    fn serve(self, inbox: &Receiver<Box<dyn Work>>) {
        let most = if matches!(self.mode, Mode::Write(_)) { GROUP_MAX } else { 1 };
        let mut kept = Kept::new();
        let mut last = 1;
        while let Some(first) = next(inbox, &mut last) {
            let mut group = vec![first];
            group.extend(inbox.try_iter().take(most - 1));
            if matches!(self.mode, Mode::Write(_)) {
                gather(&mut group, last, inbox);
            }
            last = group.len();
            self.work(group, &mut kept);
        }
    }

    fn work<'c>(&'c self, mut group: Vec<Box<dyn Work>>, kept: &mut Kept<'c>) {
        let done = self.transact(&mut group, kept);
        match (done, <[_; 1]>::try_from(group)) {
            (Ok(()), Ok([work])) => work.finish(Ok(())),
            (Ok(()), Err(group)) => group.into_iter().for_each(|work| work.finish(Ok(()))),
            (Err(error), Ok([work])) => work.finish(Err(error)),
            // The file stayed locked, which is nobody's fault: each alone would only wait as long again.
            (Err(error), Err(group)) if error.is_transient() => {
                for work in group {
                    work.finish(Err(Error::transient(error.to_string())));
                }
            }
            (Err(_), Err(group)) => group.into_iter().for_each(|work| self.work(vec![work], kept)),
        }
    }

    /// Runs a group in one transaction: all or none.
    fn transact<'c>(&'c self, group: &mut [Box<dyn Work>], kept: &mut Kept<'c>) -> Result<()> {
        // A claim that a power cut takes back leaves its jobs enqueued and their server dead: nothing
        // that was acknowledged is lost. A promotion or a pruning that it takes back is done again. So a
        // commit of only these need not wait for the disk; the next one that matters flushes it along.
        let light =
            self.mode == Mode::Write(Synchronous::Full) && !group.iter().any(|work| work.must_survive());
        if light {
            self.batch("PRAGMA synchronous = NORMAL")?;
        }
        let result = self.transact_as_set(group, kept);
        if light {
            self.batch("PRAGMA synchronous = FULL")?;
        }
        if result? {
            (self.woke)();
        }
        Ok(())
    }

    fn transact_as_set<'c>(&'c self, group: &mut [Box<dyn Work>], kept: &mut Kept<'c>) -> Result<bool> {
        if let Some(alarm) = &self.alarm {
            alarm.set();
        }
        self.execute(if matches!(self.mode, Mode::Read(_)) { "BEGIN" } else { "BEGIN IMMEDIATE" })?;
        let (statements, now) = (&self.statements, self.clock.now());
        let mut tx = Tx::with_kept(&self.connection, statements, std::mem::take(kept), now);
        let done = group.iter_mut().try_for_each(|work| work.run(&mut tx));
        let done = done.and_then(|()| at_once(tally::write(&mut tx, now)));
        let made_ready = tx.made_ready;
        *kept = tx.kept;
        done.and_then(|()| self.execute("COMMIT")).inspect_err(|_| self.roll_back())?;
        Ok(made_ready)
    }

    /// Only if a transaction is still open: on a full disk SQLite has rolled back by itself, and a second
    /// rollback would hide the real error.
    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Runs a statement that is kept compiled.
    fn execute(&self, sql: &str) -> Result<()> {
        let done = self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map(drop).map_err(|e| sqlite_error(&format!("run `{sql}`"), e))
    }

    /// Runs a statement that takes effect when it is compiled.
    fn batch(&self, sql: &str) -> Result<()> {
        self.connection.execute_batch(sql).map_err(|e| sqlite_error(&format!("run `{sql}`"), e))
    }
}
