//! Work that is done again and again.
//!
//! 1. [`Pace`](super::pace::Pace) says when the next tick is due, once the one before has ended.
//! 2. Each tick gets values made for it, and a token that is cancelled at stop.
//! 3. A tick that fails or panics is logged with its number and shown in the health report; the next one comes.
//! 4. [`RunningHost::tick`](super::RunningHost::tick) lets it tick now, between its own ticks.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::{Dice, Error, Fault, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::Instrument;

use super::host::Part;
use super::metrics;
use super::pace::{At, Due, Now, Pace};
use super::service::ServiceContext;
use super::task::TaskUnit;
use crate::JobError;
use crate::clock::{monotonic_now, system_dice};
use crate::contain::caught;

pub use super::pace::Every;

/// How often the wall clock is looked at again while waiting for a cron slot: it may be set.
const CLOCK_CHECK: Duration = Duration::from_secs(60);

type Working = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;
type Work = Arc<dyn Fn(Tick) -> Working + Send + Sync>;

/// One tick, and what it can ask: all that a [`ServiceContext`] can, with values made for this tick.
#[derive(Clone, Debug)]
pub struct Tick {
    ctx: ServiceContext,
    number: u64,
    missed: u64,
}

impl Tick {
    /// The number of this tick since the host started; the first is 1.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// How many ticks came due while the one before was running and are not made up for.
    pub const fn missed(&self) -> u64 {
        self.missed
    }
}

impl Deref for Tick {
    type Target = ServiceContext;

    fn deref(&self) -> &ServiceContext {
        &self.ctx
    }
}

/// Work that is done again and again, with options.
///
/// ```
/// use portfire::hosting::{Every, Host, Periodic};
/// use portfire::DurationExt;
///
/// let sync = Periodic::new("sync", Every::delay(10.seconds()), |_tick| async { Ok(()) })
///     .timeout(1.minute())
///     .stuck_after(5.minutes());
/// let host = Host::new().add(sync);
/// # let _ = host;
/// ```
#[must_use = "it does nothing until it is added to a host"]
pub struct Periodic {
    name: Box<str>,
    every: Every,
    work: Work,
    timeout: Option<Duration>,
    stuck_after: Option<Duration>,
}

impl Periodic {
    /// Work with this name.
    pub fn new<F, R>(name: impl Into<Box<str>>, every: Every, work: F) -> Self
    where
        F: Fn(Tick) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        let work: Work = Arc::new(move |tick| Box::pin(work(tick)));
        Self { name: name.into(), every, work, timeout: None, stuck_after: None }
    }

    /// The longest a tick may take; it is then dropped and counts as failed. Default: no limit.
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// How long a tick may take before the host is no longer live and names this service. Default: for ever.
    pub const fn stuck_after(mut self, limit: Duration) -> Self {
        self.stuck_after = Some(limit);
        self
    }
}

impl fmt::Debug for Periodic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Periodic({}, {:?})", self.name, self.every)
    }
}

impl From<Periodic> for Part {
    fn from(periodic: Periodic) -> Self {
        let (sender, asked) = mpsc::channel(1);
        let Periodic { name, every, work, timeout, stuck_after } = periodic;
        let pace = Pace::new(every);
        let clockwork = Clockwork { work, timeout, stuck_after, pace, asked, dice: system_dice(), ticks: 0 };
        let unit = TaskUnit::new(|ctx| clockwork.run(ctx));
        Self { ticks: Some(Trigger(sender)), ..Self::new(name, "periodic", unit) }
    }
}

type Answer = oneshot::Sender<Result<(), Fault>>;

/// Lets one periodic service tick now.
#[derive(Clone, Debug)]
pub(super) struct Trigger(mpsc::Sender<Answer>);

impl Trigger {
    pub(super) async fn tick(&self, service: &str) -> Result<()> {
        let closed = || Error::closed(format!("the periodic service `{service}` has stopped"));
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).await.map_err(|_| closed())?;
        let result = answered.await.map_err(|_| closed())?;
        result.map_err(|fault| Error::broken(format!("the tick of `{service}` failed: {}", fault.message)))
    }
}

/// What makes a service tick.
struct Clockwork {
    work: Work,
    timeout: Option<Duration>,
    stuck_after: Option<Duration>,
    pace: Pace,
    asked: mpsc::Receiver<Answer>,
    dice: Dice,
    ticks: u64,
}

impl Clockwork {
    async fn run(mut self, ctx: ServiceContext) -> Result<(), JobError> {
        let began = monotonic_now();
        let now = |ctx: &ServiceContext| Now { moment: began.elapsed(), wall: ctx.now() };
        let mut due = self.pace.next(now(&ctx));
        let mut jitter = self.pace.jitter(&mut self.dice);
        loop {
            tokio::select! {
                biased;
                () = ctx.cancelled() => return Ok(()),
                () = wait_for(due, jitter, began, &ctx) => {
                    let missed = due.map_or(0, |due| due.missed);
                    // It is logged and shown; nobody waits for it.
                    let _ = self.tick(&ctx, missed).await;
                    due = self.pace.next(now(&ctx));
                    jitter = self.pace.jitter(&mut self.dice);
                }
                Some(answer) = self.asked.recv() => {
                    let _ = answer.send(self.tick(&ctx, 0).await);
                }
            }
        }
    }

    async fn tick(&mut self, ctx: &ServiceContext, missed: u64) -> Result<(), Fault> {
        self.ticks += 1;
        let (number, began) = (self.ticks, monotonic_now());
        let run = ctx.for_run();
        if let Some(limit) = self.stuck_after {
            run.beat(limit);
        }
        let span = tracing::info_span!("tick", number, missed);
        let result = self.work_within_time(Tick { ctx: run.clone(), number, missed }).instrument(span).await;
        run.vitals().rest();
        run.release_values();
        metrics::ticked(ctx.name(), result.is_ok(), began.elapsed(), missed);
        match &result {
            Ok(()) => ctx.vitals().recovered(),
            Err(fault) if ctx.is_cancelled() => {
                tracing::info!(number, error = %fault.message, "ended with an error after it was asked to stop");
            }
            Err(fault) => {
                tracing::error!(number, error = %fault.message, "tick failed; the next one comes");
                ctx.vitals().failed(fault);
                metrics::failed(ctx.name());
            }
        }
        result
    }

    async fn work_within_time(&self, tick: Tick) -> Result<(), Fault> {
        let work = caught(async { (self.work)(tick).await });
        let result = match self.timeout {
            None => work.await,
            Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
                Err(JobError::message(format!("the tick took longer than {limit:?} and was dropped")))
            }),
        };
        result.map_err(|error| error.fault())
    }
}

/// Waits for the tick, by its clock; for ever if there is none.
async fn wait_for(due: Option<Due>, jitter: Duration, began: Instant, ctx: &ServiceContext) {
    match due.map(|due| due.at) {
        Some(At::Moment(moment)) => {
            let at = began.checked_add(moment.saturating_add(jitter));
            match at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        }
        Some(At::Wall(slot)) => {
            let slot = slot.after(jitter);
            while ctx.now() < slot {
                let left = slot.since(ctx.now());
                tokio::time::sleep_until(monotonic_now() + left.min(CLOCK_CHECK)).await;
            }
        }
        None => std::future::pending().await,
    }
}
