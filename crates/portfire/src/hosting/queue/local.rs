//! A job call in a queue, or inline: the same function, context, values and rules as on a server, without a
//! storage.
//!
//! What becomes of an attempt is decided where it always is: in [`settle`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::Claimed;
use portfire_core::{
    Clock, Error, Facts, Fault, Json, Lease, NewJob, Outcome, Result, Start, State, Target, Timestamp, settle,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::task::TaskCell;
use super::work::Work;
use super::{Draft, TaskHandle, TaskQueue};
use crate::client::process_token;
use crate::clock::{SystemClock, system_dice};
use crate::context::ShutdownClock;
use crate::server::{Attempts, Runner, runner_of};
use crate::values::Values;
use crate::{AttemptScope, Job, JobContext, JobError, Jobs};

impl TaskQueue {
    /// See [`Call::local`](crate::Call::local).
    pub(crate) async fn push_job<J: Job>(&self, job: NewJob) -> Result<TaskHandle<J::Output>> {
        check_local(&job)?;
        if let Some(values) = self.shared().values.get() {
            check_needs::<J>(values, self.name())?;
        }
        let now = self.shared().wall_now();
        let job = appointed(job, now);
        let delay = job.start.instant(now).since(now);
        let name = Some(format!("{} {}", job.kind, job.id).into());
        let (sender, result) = oneshot::channel();
        let work = Work::Job(Box::new(LocalJob::new::<J>(job, sender)));
        let place = self.shared().place().await?;
        self.shared().enter(Draft { name, work, delay, result }, place)
    }
}

fn check_local(job: &NewJob) -> Result<()> {
    let what = if !job.after.is_empty() {
        "wait for parents"
    } else if job.unique.is_some() {
        "have a unique name"
    } else {
        return Ok(());
    };
    Err(Error::misuse(format!(
        "job `{}` cannot {what} in an in-process queue: that needs a storage; use `.enqueue(&jobs)`",
        job.kind
    )))
}

/// The job with an instant in place of a delay, so that a storage that gets it later does not count anew.
fn appointed(job: NewJob, now: Timestamp) -> NewJob {
    let start = match job.start {
        Start::After(_) => Start::At(job.start.instant(now)),
        start => start,
    };
    NewJob { start, ..job }
}

fn check_needs<J: Job>(values: &Values, queue: &str) -> Result<()> {
    match J::needs().iter().find(|need| !values.has(need.id)) {
        None => Ok(()),
        Some(need) => Err(Error::misuse(format!(
            "job `{}` takes a `{}`, which neither the queue `{queue}` nor its host provides; add \
             `.provide(value)` or `.provide_with(|scope| async {{ … }})` to one of them",
            J::KIND,
            need.name
        ))),
    }
}

type Deliver = Box<dyn FnOnce(Option<Json>) -> Result<(), Fault> + Send>;

/// A job between its attempts.
pub(super) struct LocalJob {
    job: NewJob,
    runner: Runner,
    attempt: u16,
    deliver: Deliver,
}

/// What follows an attempt.
pub(super) enum After {
    Succeeded,
    Failed(Fault),
    Again(Box<LocalJob>, Duration),
    /// It was interrupted because the host stops.
    Undone,
}

impl LocalJob {
    fn new<J: Job>(job: NewJob, sender: oneshot::Sender<J::Output>) -> Self {
        let deliver = |json: Option<Json>| {
            let output = read_output::<J>(json).map_err(|error| error.fault())?;
            // Nobody waits if the handle was dropped.
            let _ = sender.send(output);
            Ok(())
        };
        Self { job, runner: runner_of::<J>(), attempt: 1, deliver: Box::new(deliver) }
    }

    /// As it would be stored: it may not run earlier than here. Its attempts begin anew, as those made here
    /// are known to no storage.
    pub(super) fn stored(&self) -> NewJob {
        self.job.clone()
    }

    /// When its next attempt may begin.
    pub(super) fn postpone(&mut self, until: Timestamp) {
        self.job.start = Start::At(until);
    }

    pub(super) async fn run(
        mut self: Box<Self>,
        cell: &TaskCell,
        jobs: Option<Jobs>,
        scope: AttemptScope,
        shutdown: ShutdownClock,
    ) -> After {
        let claimed = claimed(&self.job, self.attempt);
        let facts = claimed.facts.clone();
        let token = cell.cancellation.child_token();
        let ctx = JobContext::in_memory(claimed, jobs, scope, token, shutdown);
        let outcome = run_attempt(self.runner, &ctx).await;
        if outcome == Outcome::Interrupted && !cell.is_cancel_asked() {
            return After::Undone;
        }
        let settlement = settle(&facts, outcome, &mut system_dice());
        let fault = settlement.record.and_then(|record| record.fault);
        let target = match settlement.if_cancelled {
            Some(cancelled) if cell.is_cancel_asked() => cancelled,
            _ => settlement.to,
        };
        match target {
            Target::Finished { state: State::Succeeded, result, .. } => match (self.deliver)(result) {
                Ok(()) => After::Succeeded,
                Err(fault) => After::Failed(fault),
            },
            Target::Finished { state, .. } => {
                After::Failed(fault.unwrap_or_else(|| Fault::new(&format!("the job {state}"))))
            }
            Target::Again { after, attempts, .. } => {
                self.attempt = attempts.saturating_add(1);
                After::Again(self, after)
            }
        }
    }
}

impl fmt::Debug for LocalJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalJob({}, attempt {})", self.job.kind, self.attempt)
    }
}

/// Values for jobs that run inline.
///
/// ```
/// use portfire::hosting::Inline;
/// use portfire::prelude::*;
///
/// #[job]
/// async fn greet(#[from] greeting: &String, name: String) -> Result<String, JobError> {
///     Ok(format!("{greeting}, {name}"))
/// }
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let values = Inline::new().provide("Hello".to_owned());
/// let said = greet("Ada".into()).run_inline(&values).await?;
/// assert_eq!(said, "Hello, Ada");
/// # Ok::<(), JobError>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Inline {
    values: Arc<Values>,
}

impl Inline {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Provides a value that handlers borrow.
    #[must_use]
    pub fn provide<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        Arc::make_mut(&mut self.values).provide(value);
        self
    }

    /// Provides a value that is made anew for each attempt.
    #[must_use]
    pub fn provide_with<T, F, R>(mut self, make: F) -> Self
    where
        T: Send + Sync + 'static,
        F: Fn(AttemptScope) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, JobError>> + Send + 'static,
    {
        Arc::make_mut(&mut self.values).provide_with(make);
        self
    }

    /// See [`Call::run_inline`](crate::Call::run_inline).
    pub(crate) async fn run<J: Job>(&self, job: NewJob) -> Result<J::Output, JobError> {
        check_needs::<J>(&self.values, "inline").map_err(|error| JobError::new(error).no_retry())?;
        let claimed = claimed(&job, 1);
        let (scope, token) = (AttemptScope::new(Arc::clone(&self.values)), CancellationToken::new());
        let ctx = JobContext::in_memory(claimed, None, scope, token, ShutdownClock::default());
        match run_attempt(runner_of::<J>(), &ctx).await {
            Outcome::Succeeded(json) => read_output::<J>(json),
            other => Err(JobError::message(other.explain())),
        }
    }
}

fn read_output<J: Job>(json: Option<Json>) -> Result<J::Output, JobError> {
    let json = json.unwrap_or_else(|| Json::trusted("null"));
    json.parse().map_err(|error| JobError::new(error).no_retry())
}

async fn run_attempt(runner: Runner, ctx: &JobContext) -> Outcome {
    let attempts = Attempts { layers: Vec::new(), abort: CancellationToken::new() };
    attempts.run(runner, ctx).await
}

/// The job as a server would have claimed it.
fn claimed(job: &NewJob, attempt: u16) -> Claimed {
    let lease = Lease { job: job.id, token: process_token() };
    Claimed {
        facts: Facts { lease, kind: job.kind.clone(), attempt, crashes: 0, policy: job.policy.clone() },
        queue: job.queue.clone(),
        args: job.args.clone(),
        tags: job.tags.clone(),
        created_at: SystemClock.now(),
        parents: Vec::new(),
        slot: None,
    }
}
