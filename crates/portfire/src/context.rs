//! What a running job can ask and say.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use portfire_core::limits::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX};
use portfire_core::storage::{Claimed, LogLine, Note, ParentResult, Progress, Settled};
use portfire_core::{Clock, Dice, JobId, Lease, Outcome, Slot, State, Timestamp, Token, clean_text, settle};

use crate::clock::{SystemClock, monotonic_now};
use crate::server::stored_result;
use crate::{AttemptScope, JobError, Jobs, OpenTransaction};

/// The context of one attempt. Cheap to clone.
///
/// ```
/// use portfire::prelude::*;
///
/// #[job]
/// async fn import(ctx: &JobContext, rows: Vec<String>) -> Result<usize, JobError> {
///     for (done, row) in (0..).zip(&rows) {
///         ctx.check_cancelled()?;
///         ctx.progress(done, rows.len() as u64);
///         if row.is_empty() {
///             ctx.log(format_args!("row {done} is empty"));
///         }
///     }
///     Ok(rows.len())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct JobContext(Arc<Attempt>);

#[derive(Debug)]
struct Attempt {
    claimed: Claimed,
    /// Whether a database holds the job, under the attempt's lease. In-process queues and tests hold theirs in
    /// memory.
    in_database: bool,
    /// Whether the handler has settled its job in a transaction of its own, which may or may not be committed.
    completed: AtomicBool,
    jobs: Option<Jobs>,
    scope: AttemptScope,
    cancellation: CancellationToken,
    deadline: Option<Instant>,
    shutdown: ShutdownClock,
    notes: NoteBox,
}

/// Says when the server must have stopped, once it is stopping.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShutdownClock(Arc<Mutex<Option<Instant>>>);

impl ShutdownClock {
    /// Asked again, the earlier deadline counts.
    pub(crate) fn set(&self, deadline: Instant) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(kept.map_or(deadline, |known| known.min(deadline)));
    }

    pub(crate) fn remaining(&self) -> Option<Duration> {
        let deadline = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.map(|at| at.saturating_duration_since(monotonic_now()))
    }
}

impl Attempt {
    fn in_memory(
        claimed: Claimed,
        jobs: Option<Jobs>,
        scope: AttemptScope,
        cancellation: CancellationToken,
        shutdown: ShutdownClock,
    ) -> Self {
        // A limit beyond what the clock can name is none.
        let deadline = claimed.facts.policy.timeout.and_then(|limit| monotonic_now().checked_add(limit));
        let (completed, notes) = (AtomicBool::new(false), NoteBox::default());
        Self { claimed, in_database: false, completed, jobs, scope, cancellation, deadline, shutdown, notes }
    }
}

/// What the attempt said since the server last looked: the latest progress, and log lines.
#[derive(Debug, Default)]
struct NoteBox {
    progress: Mutex<(Progress, bool)>,
    lines: Mutex<Vec<LogLine>>,
    lines_said: AtomicU32,
}

impl JobContext {
    /// For a job that a database holds.
    pub(crate) fn new(
        claimed: Claimed,
        jobs: Jobs,
        scope: AttemptScope,
        cancellation: CancellationToken,
        shutdown: ShutdownClock,
    ) -> Self {
        let attempt = Attempt::in_memory(claimed, Some(jobs), scope, cancellation, shutdown);
        Self(Arc::new(Attempt { in_database: true, ..attempt }))
    }

    /// For a job of which no database knows.
    pub(crate) fn in_memory(
        claimed: Claimed,
        jobs: Option<Jobs>,
        scope: AttemptScope,
        cancellation: CancellationToken,
        shutdown: ShutdownClock,
    ) -> Self {
        Self(Arc::new(Attempt::in_memory(claimed, jobs, scope, cancellation, shutdown)))
    }

    /// The job's name.
    pub fn job_id(&self) -> JobId {
        self.0.claimed.facts.lease.job
    }

    /// The fence of this attempt: pass it to other systems so that they can refuse a stale attempt.
    pub fn token(&self) -> Token {
        self.0.claimed.facts.lease.token
    }

    /// The job's kind.
    pub fn kind(&self) -> &str {
        &self.0.claimed.facts.kind
    }

    /// The queue it came from.
    pub fn queue(&self) -> &str {
        &self.0.claimed.queue
    }

    /// The number of this attempt; the first is 1.
    pub fn attempt(&self) -> u16 {
        self.0.claimed.facts.attempt
    }

    /// Most attempts, the first included.
    pub fn attempts_max(&self) -> u16 {
        self.0.claimed.facts.policy.attempts_max
    }

    /// When the job was stored.
    pub fn created_at(&self) -> Timestamp {
        self.0.claimed.created_at
    }

    /// The job's tags.
    pub fn tags(&self) -> &[Box<str>] {
        &self.0.claimed.tags
    }

    /// The slot of the schedule that made this job; `None` unless one did. Its time is the one that the
    /// expression named, however late the job runs: the key of a report for a day is here.
    pub fn slot(&self) -> Option<&Slot> {
        self.0.claimed.slot.as_ref()
    }

    /// Cancelled when the attempt should stop: somebody cancelled the job, its time is up, the server
    /// shuts down, or the lease was lost.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.0.cancellation
    }

    /// Whether the attempt should stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancellation.is_cancelled()
    }

    /// Returns early from a handler that should stop: `ctx.check_cancelled()?`.
    ///
    /// # Errors
    /// If the attempt should stop. The attempt is then not charged.
    pub fn check_cancelled(&self) -> Result<(), JobError> {
        if self.is_cancelled() { Err(JobError::interrupted()) } else { Ok(()) }
    }

    /// When the attempt times out.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// How long until the server must have stopped; `None` while it is not stopping.
    pub fn time_to_shutdown(&self) -> Option<Duration> {
        self.0.shutdown.remaining()
    }

    /// Says how far the job is, in its own unit. Written at most twice a second, so call it freely.
    pub fn progress(&self, done: u64, total: impl Into<Option<u64>>) {
        let total = total.into();
        self.update_progress(|progress| (progress.done, progress.total) = (done, total));
    }

    /// Says what the job is doing. Written as [`progress`](Self::progress) is.
    pub fn progress_message(&self, message: &str) {
        let message = clean_text(message, LOG_LINE_BYTES_MAX).into();
        self.update_progress(|progress| progress.message = Some(message));
    }

    /// Keeps a line with the job, besides whatever goes to the application's log. At most 10,000 lines
    /// of 4 KiB are kept of an attempt.
    pub fn log(&self, line: impl std::fmt::Display) {
        let said = self.0.notes.lines_said.fetch_add(1, Ordering::Relaxed);
        let text = match said.cmp(&LOG_LINES_MAX) {
            std::cmp::Ordering::Less => clean_text(&line.to_string(), LOG_LINE_BYTES_MAX).into(),
            std::cmp::Ordering::Equal => "further lines of this attempt are not kept".into(),
            std::cmp::Ordering::Greater => return,
        };
        let line = LogLine { at: SystemClock.now(), attempt: self.attempt(), text };
        self.0.notes.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// What the job's parents came to, in the order they were named.
    pub fn parents(&self) -> &[ParentResult] {
        &self.0.claimed.parents
    }

    /// What the first parent that produced something produced.
    ///
    /// # Errors
    /// If no parent produced anything, or it does not fit the type. Retrying does not help.
    pub fn parent_result<T: DeserializeOwned>(&self) -> Result<T, JobError> {
        let result = self.parents().iter().find_map(|parent| parent.result.as_ref());
        let result =
            result.ok_or_else(|| JobError::message("no parent of this job has a result").no_retry())?;
        result.parse().map_err(|error| JobError::new(error).no_retry())
    }

    /// The `T` that the server provides: the one made for this attempt, or the shared one.
    ///
    /// # Errors
    /// If the server provides none, or its factory failed.
    pub async fn value<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, JobError> {
        self.0.scope.value().await
    }

    /// A fresh `T` from the server's factory, owned by the caller.
    ///
    /// # Errors
    /// If the server has no factory for it, or the factory failed.
    pub async fn make<T: Send + Sync + 'static>(&self) -> Result<T, JobError> {
        self.0.scope.make().await
    }

    /// The client of this server's storage, to enqueue more.
    ///
    /// # Panics
    /// If the job runs inline, or in an in-process queue that was given no storage (`hand_over_to`): then
    /// there is none. The attempt ends as failed and says so.
    pub fn jobs(&self) -> &Jobs {
        self.0.jobs.as_ref().expect(
            "this job runs without a storage, so it cannot enqueue; give the queue one with `.hand_over_to(&jobs)`",
        )
    }

    /// Ends the job inside the application's own transaction: what the handler writes in it and the job's
    /// success are committed together, or neither is. No crash, however timed, leaves one without the other.
    ///
    /// The last thing before the commit; then return the same output.
    ///
    #[cfg_attr(feature = "sqlite", doc = "```")]
    #[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
    /// use portfire::prelude::*;
    /// use portfire::sqlite::rusqlite::{Connection, TransactionBehavior};
    /// use tokio::runtime::Handle;
    ///
    /// #[job]
    /// async fn pay(ctx: &JobContext, #[from] file: &String, amount: i64) -> Result<i64, JobError> {
    ///     let file = file.clone();
    ///     ctx.blocking(move |ctx| {
    ///         let mut shop = Connection::open(file)?;
    ///         let mut transaction = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
    ///         transaction.execute("UPDATE account SET balance = balance + ?1", [amount])?;
    ///         let balance = transaction.query_row("SELECT balance FROM account", [], |row| row.get(0))?;
    ///         Handle::current().block_on(ctx.complete_in(&mut transaction, &balance))?;
    ///         transaction.commit()?; // the money is there and the job has succeeded, or neither
    ///         Ok(balance)
    ///     })
    ///     .await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// let file = dir.path().join("shop.db").display().to_string();
    /// let jobs = Jobs::connect(&format!("sqlite://{file}")).await?;
    /// # Connection::open(&file)?.execute_batch("CREATE TABLE account (balance); INSERT INTO account VALUES (0)")?;
    /// let server = Server::new(&jobs).job::<pay>().provide(file).start().await?;
    /// let paid = pay(7).enqueue(&jobs).await?;
    /// # let mut result = jobs.result(&paid).await?;
    /// # while result.is_none() { tokio::task::yield_now().await; result = jobs.result(&paid).await?; }
    /// # assert_eq!(result, Some(7));
    /// server.stop().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// What becomes of the job is decided by the commit alone:
    ///
    /// - Committed: it has succeeded with this output, whatever the handler returns afterwards.
    /// - Rolled back: nothing has happened, and what the handler returns counts, as always. A handler that
    ///   rolls back and returns `Ok` has succeeded.
    /// - The answer to the commit is lost: return the error. If it was committed, the job has succeeded.
    ///
    /// The transaction must be in the database of the jobs. On PostgreSQL its isolation must be READ COMMITTED;
    /// rows of the job and of those that wait for it are held until it ends. On MySQL and MariaDB any isolation
    /// will do, and READ COMMITTED holds the fewest rows. On SQLite the whole file is held, from the first write
    /// on. Drivers that block, as rusqlite does, are used in [`blocking`](Self::blocking), as
    /// above. In an in-process queue and in [tests](crate::testing) no database knows of the job; there only
    /// the output is checked, and the job ends with what the handler returns.
    ///
    /// # Errors
    /// [`is_lost`](JobError::is_lost) if the job is not this attempt's any more: roll back and return. Not to
    /// be retried if the output is too long. Otherwise what the database reports. After any error roll the
    /// transaction back.
    ///
    /// # Cancel safety
    /// As the transaction's own statements: roll it back if the future was dropped.
    pub async fn complete_in<T, R>(&self, transaction: &mut T, output: &R) -> Result<(), JobError>
    where
        T: OpenTransaction,
        R: Serialize,
    {
        let result = stored_result(output).map_err(|fault| JobError::message(fault.message).no_retry())?;
        if !self.0.in_database {
            return Ok(());
        }
        // A success rolls no dice.
        let mut dice = Dice::from_seed([0, 0]);
        let settlement = settle(&self.claimed().facts, Outcome::Succeeded(result), &mut dice);
        // Said before, so that it is not missed if this is dropped under way.
        self.0.completed.store(true, Ordering::Relaxed);
        match transaction.settle(&settlement).await? {
            Settled::Applied(State::Succeeded) => Ok(()),
            // Also if this very attempt was settled as something else: it has timed out, say.
            Settled::Applied(_) | Settled::Lost => Err(JobError::lost()),
        }
    }

    /// Runs blocking work on a thread of its own kind. If the attempt is interrupted or times out, the
    /// thread goes on until its work ends; let the work look at [`is_cancelled`](Self::is_cancelled).
    ///
    /// # Errors
    /// What the work returned.
    ///
    /// # Panics
    /// Passes on a panic of the work.
    pub async fn blocking<T, F>(&self, work: F) -> Result<T, JobError>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, JobError> + Send + 'static,
    {
        let (ctx, span) = (self.clone(), tracing::Span::current());
        match tokio::task::spawn_blocking(move || span.in_scope(|| work(&ctx))).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(JobError::interrupted()),
        }
    }

    /// Whether the handler has settled its job in a transaction of its own, which may be committed.
    pub(crate) fn may_be_completed(&self) -> bool {
        self.0.completed.load(Ordering::Relaxed)
    }

    pub(crate) fn claimed(&self) -> &Claimed {
        &self.0.claimed
    }

    pub(crate) fn release_values(&self) {
        self.0.scope.release();
    }

    /// What was said since the last call.
    pub(crate) fn take_notes(&self) -> Vec<Note> {
        let lease: Lease = self.0.claimed.facts.lease;
        let lines = std::mem::take(&mut *self.0.notes.lines.lock().unwrap_or_else(PoisonError::into_inner));
        let mut notes: Vec<_> = lines.into_iter().map(|line| Note::Log(lease, line)).collect();
        let mut progress = self.0.notes.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut progress.1) {
            notes.push(Note::Progress(lease, progress.0.clone()));
        }
        notes
    }

    fn update_progress(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.0.notes.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress.0);
        progress.1 = true;
    }
}
