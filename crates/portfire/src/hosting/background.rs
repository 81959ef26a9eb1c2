//! Work that goes on until it is cancelled.
//!
//! 1. Started in a task of its own, so it never holds up the start of others.
//! 2. When it fails or panics, [`Supervision`] decides: again after a while, the end of the host, or nothing.
//! 3. When it ends well before it was asked to, that is seen in the health report, and [`OnEnd`] decides.
//! 4. At stop its token is cancelled and its end awaited; after its time it is dropped. A panic on the way
//!    makes the end of the host unclean; an error does not.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::{Dice, Fault};

use super::host::Part;
use super::metrics;
use super::service::ServiceContext;
use super::supervise::{OnEnd, OnFailure, Supervision, Verdict};
use super::task::TaskUnit;
use super::vitals::ServiceState;
use crate::JobError;
use crate::clock::{monotonic_now, system_dice};
use crate::contain::contain;
use crate::job_error::Treatment;

type Working = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;
type Work = Arc<dyn Fn(ServiceContext) -> Working + Send + Sync>;

/// Work that goes on until it is cancelled, with options.
///
/// ```
/// use portfire::hosting::{Background, Host, OnEnd, OnFailure, Restart, ServiceContext};
/// use portfire::{DurationExt, JobError};
///
/// async fn mirror(ctx: ServiceContext) -> Result<(), JobError> {
///     while ctx.sleep(1.minute()).await {
///         ctx.doing("copying");
///     }
///     Ok(())
/// }
///
/// let host = Host::new()
///     .background("mirror", mirror)
///     .add(Background::new("feed", mirror).on_failure(Restart::new().for_ever()))
///     .add(Background::new("import", mirror).on_failure(OnFailure::StopHost).on_end(OnEnd::StopHost));
/// # let _ = host;
/// ```
#[must_use = "it does nothing until it is added to a host"]
pub struct Background {
    name: Box<str>,
    work: Work,
    on_failure: OnFailure,
    on_end: OnEnd,
}

impl Background {
    /// Work with this name, started again when it fails ([`Restart::new`](super::Restart::new)).
    pub fn new<F, R>(name: impl Into<Box<str>>, work: F) -> Self
    where
        F: Fn(ServiceContext) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        let work: Work = Arc::new(move |ctx| Box::pin(work(ctx)));
        Self { name: name.into(), work, on_failure: OnFailure::default(), on_end: OnEnd::default() }
    }

    /// What to do when it fails: a [`Restart`](super::Restart), or another [`OnFailure`].
    pub fn on_failure(mut self, on_failure: impl Into<OnFailure>) -> Self {
        self.on_failure = on_failure.into();
        self
    }

    /// What to do when it ends well before the host stops. Default: nothing.
    pub const fn on_end(mut self, on_end: OnEnd) -> Self {
        self.on_end = on_end;
        self
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Background({}, {:?}, {:?})", self.name, self.on_failure, self.on_end)
    }
}

impl From<Background> for Part {
    fn from(background: Background) -> Self {
        let Background { name, work, on_failure, on_end } = background;
        let supervision = Supervision::new(on_failure);
        let supervised = Supervised { work, on_end, supervision, dice: system_dice() };
        Self::new(name, "background", TaskUnit::new(|ctx| supervised.run(ctx)))
    }
}

/// Work and what is done about its ends.
struct Supervised {
    work: Work,
    on_end: OnEnd,
    supervision: Supervision,
    dice: Dice,
}

/// How a run ended: with a result, or a panic.
type RunEnd = Result<Result<(), JobError>, Fault>;

/// What follows one run.
enum After {
    Again(Duration),
    Over,
}

impl Supervised {
    async fn run(mut self, ctx: ServiceContext) -> Result<(), JobError> {
        loop {
            let began = monotonic_now();
            let run = ctx.for_run();
            let end = self.run_once(&ctx, run.clone()).await;
            run.release_values();
            if ctx.is_cancelled() {
                return judge_last(&ctx, end);
            }
            let result = end.unwrap_or_else(|panic| Err(panicked(&panic)));
            match self.after(&ctx, began.elapsed(), result) {
                After::Again(wait) => {
                    if !ctx.sleep(wait).await {
                        return Ok(());
                    }
                    ctx.vitals().restarts();
                    ctx.vitals().enter(ServiceState::Running);
                }
                After::Over => return Ok(()),
            }
        }
    }

    /// One run to its end. Once it has lasted long enough, the failures before it are over.
    async fn run_once(&self, ctx: &ServiceContext, run: ServiceContext) -> RunEnd {
        let mut work = contain(async { (self.work)(run).await });
        let Some(long) = self.supervision.forgiven_after() else { return work.await };
        if let Ok(end) = tokio::time::timeout(long, &mut work).await {
            return end;
        }
        ctx.vitals().recovered();
        work.await
    }

    /// What follows a run that ended by itself.
    fn after(&mut self, ctx: &ServiceContext, ran_for: Duration, result: Result<(), JobError>) -> After {
        let error = match result {
            Ok(()) if self.on_end == OnEnd::Fail => JobError::message("it ended, and should not"),
            Ok(()) => return self.finish(ctx, "it ended"),
            Err(error) if error.treatment() == Treatment::Cancel => {
                return self.finish(ctx, &error.to_string());
            }
            Err(error) => error,
        };
        let fault = error.fault();
        ctx.vitals().failed(&fault);
        metrics::failed(ctx.name());
        match self.supervision.ended(ran_for, &error, &mut self.dice) {
            Verdict::RestartAfter(wait) => {
                let in_a_row = self.supervision.in_a_row();
                tracing::warn!(error = %fault.message, ?wait, in_a_row, "service failed and restarts");
                metrics::restarted(ctx.name());
                ctx.vitals().enter(ServiceState::Restarting);
                After::Again(wait)
            }
            Verdict::StopHost => {
                tracing::error!(error = %fault.message, "service failed; the host stops");
                ctx.vitals().enter(ServiceState::Dead);
                ctx.lifetime().fail(ctx.name(), &fault.message);
                After::Over
            }
            Verdict::LeaveDead => {
                tracing::error!(error = %fault.message, "service failed and is not started again");
                ctx.vitals().enter(ServiceState::Dead);
                After::Over
            }
        }
    }

    fn finish(&self, ctx: &ServiceContext, why: &str) -> After {
        tracing::info!(why, "service finished before the host");
        ctx.vitals().recovered();
        ctx.vitals().enter(ServiceState::Finished);
        if self.on_end == OnEnd::StopHost {
            ctx.lifetime().stop();
        }
        After::Over
    }
}

/// What the last run means for the stop. An error that came after the request is said, and held against
/// nobody: most are the request itself on its way out. A panic never is, and fails the stop.
fn judge_last(ctx: &ServiceContext, end: RunEnd) -> Result<(), JobError> {
    match end {
        Err(panic) => Err(panicked(&panic)),
        Ok(Err(error)) => {
            tracing::info!(service = ctx.name(), %error, "ended with an error after it was asked to stop");
            Ok(())
        }
        Ok(Ok(())) => Ok(()),
    }
}

fn panicked(panic: &Fault) -> JobError {
    JobError::message(format!("it panicked: {}", panic.message))
}
