//! A job as a value: arguments and options, ready to be enqueued, now or never.

use std::time::Duration;

use portfire_core::Start;
use portfire_core::storage::Inserted;
use portfire_core::{Backoff, Dependency, JobId, Json, NewJob, Result, Retention, Timestamp, Trigger};

use crate::hosting::{Inline, TaskHandle, TaskQueue};
use crate::job::JobOptions;
use crate::{Job, JobError, JobHandle, Jobs, OpenTransaction};

/// A call of a job that has not been made yet. Nothing happens until it is enqueued.
///
/// ```no_run
/// use portfire::prelude::*;
///
/// #[job]
/// async fn send(to: String) -> Result<(), JobError> {
///     let _ = to;
///     Ok(())
/// }
///
/// # async fn example() -> portfire::Result<()> {
/// let jobs = Jobs::connect("sqlite://jobs.db").await?;
/// let first = send("ada".into()).queue("mail").tag("welcome").enqueue(&jobs).await?;
/// send("bob".into()).after(1.hour()).unique("bob").enqueue(&jobs).await?;
/// send("eve".into()).after_success_of(&first).attempts(3).enqueue(&jobs).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is enqueued: `.enqueue(&jobs).await`"]
pub struct Call<J> {
    job: J,
    id: Option<JobId>,
    options: JobOptions,
    start: Start,
    after: Vec<Dependency>,
    unique: Option<Box<str>>,
}

impl<J: Job> Call<J> {
    pub(crate) fn new(job: J) -> Self {
        Self { job, id: None, options: J::options(), start: Start::Now, after: Vec::new(), unique: None }
    }

    /// The line it waits in.
    pub fn queue(mut self, name: impl Into<Box<str>>) -> Self {
        self.options = self.options.queue(name);
        self
    }

    /// Smaller runs first within a queue.
    pub fn priority(mut self, priority: i16) -> Self {
        self.options.priority = priority;
        self
    }

    /// Most attempts, the first included.
    pub fn attempts(mut self, max: u16) -> Self {
        self.options.policy.attempts_max = max;
        self
    }

    /// How long to wait between attempts.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.options.policy.backoff = backoff;
        self
    }

    /// The longest an attempt may take.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.policy.timeout = Some(timeout);
        self
    }

    /// How long it is kept after its end.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.options.policy.retention = retention;
        self
    }

    /// Adds a word to find it by.
    pub fn tag(mut self, tag: impl Into<Box<str>>) -> Self {
        self.options.tags.push(tag.into());
        self
    }

    /// While a job of this kind with this name has not ended, no second one is stored; the handle then
    /// leads to the first.
    pub fn unique(mut self, name: impl Into<Box<str>>) -> Self {
        self.unique = Some(name.into());
        self
    }

    /// Uses this id, so that enqueueing twice stores one job: the key to repeat a call whose answer was
    /// lost.
    pub fn id(mut self, id: JobId) -> Self {
        self.id = Some(id);
        self
    }

    /// Runs it no earlier than this long from now.
    pub fn after(mut self, delay: Duration) -> Self {
        self.start = Start::After(delay);
        self
    }

    /// Runs it no earlier than at this instant.
    pub fn at(mut self, instant: impl Into<Timestamp>) -> Self {
        self.start = Start::At(instant.into());
        self
    }

    /// Runs it once that job has succeeded. If it fails, this one waits in case somebody retries it.
    pub fn after_success_of(self, parent: impl Into<JobId>) -> Self {
        self.after_parent(parent.into(), Trigger::Success)
    }

    /// Runs it once that job has failed for good.
    pub fn after_failure_of(self, parent: impl Into<JobId>) -> Self {
        self.after_parent(parent.into(), Trigger::Failure)
    }

    /// Runs it once that job has ended, however.
    pub fn after_end_of(self, parent: impl Into<JobId>) -> Self {
        self.after_parent(parent.into(), Trigger::End)
    }

    fn after_parent(mut self, parent: JobId, on: Trigger) -> Self {
        self.after.push(Dependency { parent, on });
        self
    }

    /// Stores the job. When this returns, it is durable.
    ///
    /// # Errors
    /// Misuse if the arguments are too long, an option cannot be meant or a parent is unknown; otherwise
    /// what the storage reports.
    ///
    /// # Cancel safety
    /// If the future is dropped the job may or may not be stored. Set [`id`](Self::id) to be able to
    /// repeat the call.
    pub async fn enqueue(self, jobs: &Jobs) -> Result<JobHandle<J>> {
        let job = self.prepare(jobs.new_id())?;
        let id = job.id;
        let answers = jobs.storage().insert(vec![job]).await?;
        Ok(handle_of(id, answers.first().copied()))
    }

    /// Stores the job inside the application's own transaction: it exists if and only if that commits.
    ///
    /// Servers hear of it soon after the commit if this process has a [`Jobs`] of that database (on SQLite: in any case);
    /// else they find it with their next look ([`poll_interval`](crate::Server::poll_interval)).
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    ///
    /// # Cancel safety
    /// As the transaction's own statements: roll it back if the future was dropped.
    pub async fn enqueue_in<T: OpenTransaction>(self, transaction: &mut T) -> Result<JobHandle<J>> {
        let job = self.prepare(crate::client::process_id())?;
        let id = job.id;
        let answers = transaction.insert(std::slice::from_ref(&job)).await?;
        Ok(handle_of(id, answers.first().copied()))
    }

    /// Runs the job in an in-process queue: nothing is stored, and the host's stop ends it. Attempts, timeout
    /// and values work as on a server; the queue's own name and order take the place of queue and priority.
    ///
    /// # Errors
    /// Misuse if the call needs a storage (parents, a unique name), or takes a value that neither the queue
    /// nor its host provides; otherwise as [`TaskQueue::push`].
    ///
    /// # Cancel safety
    /// If dropped, the job is not pushed.
    pub async fn local(self, queue: &TaskQueue) -> Result<TaskHandle<J::Output>> {
        queue.push_job::<J>(self.prepare(crate::client::process_id())?).await
    }

    /// Runs one attempt of the job here and now, and gives its result: nothing is queued, nothing retried.
    ///
    /// # Errors
    /// Why the attempt did not succeed.
    ///
    /// # Cancel safety
    /// If dropped, the attempt is dropped at its await.
    pub async fn run_inline(self, values: &Inline) -> Result<J::Output, JobError> {
        let job =
            self.prepare(crate::client::process_id()).map_err(|error| JobError::new(error).no_retry())?;
        values.run::<J>(job).await
    }

    /// Whether [`id`](Self::id) was said.
    pub(crate) const fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// The job in its stored form, checked. `fresh` is used unless the call has an id of its own.
    pub(crate) fn prepare(self, fresh: JobId) -> Result<NewJob> {
        let job = NewJob {
            queue: self.options.queue,
            priority: self.options.priority,
            policy: self.options.policy,
            start: self.start,
            after: self.after,
            tags: self.options.tags,
            unique: self.unique,
            ..NewJob::new(self.id.unwrap_or(fresh), J::KIND, Json::of(&self.job)?)
        };
        job.check()?;
        Ok(job)
    }
}

impl<J: Job> From<J> for Call<J> {
    fn from(job: J) -> Self {
        Self::new(job)
    }
}

/// The handle for what became of the job `id`.
pub(crate) fn handle_of<J: Job>(id: JobId, answer: Option<Inserted>) -> JobHandle<J> {
    match answer {
        Some(Inserted::Duplicate(holder)) => JobHandle::stored(holder, false),
        Some(Inserted::SameId) => JobHandle::stored(id, false),
        Some(Inserted::New) | None => JobHandle::stored(id, true),
    }
}
