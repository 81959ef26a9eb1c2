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
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use portfire_core::{Dice, Fault};

use super::host::Part;
use super::metrics;
use super::plan::Hook;
use super::service::{ServiceContext, Unit};
use super::supervise::{OnEnd, OnFailure, Supervision, Verdict};
use super::task::OwnTask;
use super::vitals::{ServiceState, Vitals};
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
        let late_panic = Arc::new(OnceLock::new());
        let supervised = Mutex::new(Some(Supervised {
            work,
            on_end,
            supervision: Supervision::new(on_failure),
            dice: system_dice(),
            late_panic: Arc::clone(&late_panic),
        }));
        Self::new(name, "background", BackgroundUnit { supervised, task: OwnTask::default(), late_panic })
    }
}

struct BackgroundUnit {
    /// Taken by the task when it begins.
    supervised: Mutex<Option<Supervised>>,
    task: OwnTask,
    late_panic: Arc<OnceLock<Fault>>,
}

impl Unit for BackgroundUnit {
    fn call<'a>(
        &'a self,
        hook: Hook,
        ctx: &'a ServiceContext,
    ) -> Pin<Box<dyn Future<Output = Result<(), JobError>> + Send + 'a>> {
        Box::pin(async move {
            match hook {
                Hook::Start => {
                    let taken = self.supervised.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some(supervised) = taken {
                        ctx.vitals().enter(ServiceState::Running);
                        self.task.begin(supervised.run(ctx.clone()));
                    }
                }
                Hook::Stop => {
                    self.task.end().await;
                    if let Some(panic) = self.late_panic.get() {
                        return Err(JobError::message(&panic.message));
                    }
                }
                _ => {}
            }
            Ok(())
        })
    }

    fn abandon(&self) {
        self.task.abandon();
    }
}

/// Work and what is done about its ends.
struct Supervised {
    work: Work,
    on_end: OnEnd,
    supervision: Supervision,
    dice: Dice,
    /// What it panicked with after it was asked to stop.
    late_panic: Arc<OnceLock<Fault>>,
}

/// What follows one run.
enum After {
    Again(Duration),
    Over,
}

impl Supervised {
    async fn run(mut self, ctx: ServiceContext) {
        loop {
            let began = monotonic_now();
            let run = ctx.for_run();
            let result = self.run_once(&ctx, run.clone()).await;
            run.release_values();
            if ctx.is_cancelled() {
                return report_end(&ctx, result);
            }
            match self.after(&ctx, began.elapsed(), result) {
                After::Again(wait) => {
                    if !ctx.sleep(wait).await {
                        return;
                    }
                    ctx.vitals().restarts();
                    ctx.vitals().enter(ServiceState::Running);
                }
                After::Over => return,
            }
        }
    }

    /// One run to its end. Once it has lasted long enough, the failures before it are over.
    async fn run_once(&self, ctx: &ServiceContext, run: ServiceContext) -> Result<(), JobError> {
        let mut work = contain(async { (self.work)(run).await });
        let result = match self.supervision.forgiven_after() {
            None => work.await,
            Some(long) => {
                if let Ok(result) = tokio::time::timeout(long, &mut work).await {
                    result
                } else {
                    ctx.vitals().recovered();
                    work.await
                }
            }
        };
        result.unwrap_or_else(|panic| {
            let text = format!("it panicked: {}", panic.message);
            if ctx.is_cancelled() {
                let _ = self.late_panic.set(Fault::new(&text));
            }
            Err(JobError::message(text))
        })
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

/// An error that came after the service was asked to stop is said, and held against nobody: most are the
/// request itself on its way out. A panic never is, and fails the stop.
fn report_end(ctx: &ServiceContext, result: Result<(), JobError>) {
    let vitals: &Vitals = ctx.vitals();
    if let Err(error) = result {
        tracing::info!(service = vitals.name(), %error, "ended with an error after it was asked to stop");
    }
}
