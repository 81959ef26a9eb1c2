//! What a running job can ask and say.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use portfire_core::limits::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX};
use portfire_core::storage::{Claimed, LogLine, Note, ParentResult, Progress};
use portfire_core::{Clock, JobId, Lease, Slot, Timestamp, Token, clean_text};

use crate::clock::{SystemClock, monotonic_now};
use crate::{AttemptScope, JobError, Jobs};

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
    pub(crate) fn set(&self, deadline: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
    }

    pub(crate) fn remaining(&self) -> Option<Duration> {
        let deadline = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.map(|at| at.saturating_duration_since(monotonic_now()))
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
    pub(crate) fn new(
        claimed: Claimed,
        jobs: impl Into<Option<Jobs>>,
        scope: AttemptScope,
        cancellation: CancellationToken,
        shutdown: ShutdownClock,
    ) -> Self {
        let deadline = claimed.facts.policy.timeout.map(|limit| monotonic_now() + limit);
        let notes = NoteBox::default();
        let jobs = jobs.into();
        Self(Arc::new(Attempt { claimed, jobs, scope, cancellation, deadline, shutdown, notes }))
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
