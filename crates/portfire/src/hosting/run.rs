//! Performs what the plan decides. Every hook of every service is called from here.
//!
//! 1. Each call is a task of its own, so that one that blocks cannot hold up the others; a panic is a failure.
//! 2. Its end, a request to stop and the passing of time go to the plan, which says what to call or drop next.
//! 3. When the plan is down, the report is complete.
//!
//! Dropping the [`RunningHost`] drops all of it at once.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{self, AbortHandle, JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;
use tracing::Instrument;

use portfire_core::{Clock, Error, Fault, Result};

use super::health::Health;
use super::host::Part;
use super::lifetime::{Lifetime, StopCause};
use super::metrics;
use super::periodic::Trigger;
use super::plan::{Effect, Hook, Options, Plan};
use super::report::{Report, ServiceEnd, ServiceReport};
use super::service::{ServiceContext, Unit};
use super::vitals::{ServiceState, Vitals};
use crate::clock::{monotonic_after, monotonic_now};
use crate::contain::caught;
use crate::context::ShutdownClock;
use crate::values::Values;

/// A host that was checked and can be started.
pub(super) struct Ready {
    pub(super) parts: Vec<Part>,
    pub(super) values: Arc<Values>,
    pub(super) lifetime: Lifetime,
    pub(super) health: Health,
    pub(super) options: Options,
    pub(super) delay: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

/// A host whose services have all started. Dropping it ends them at once; call [`stop`](Self::stop) to end
/// well.
pub struct RunningHost {
    lifetime: Lifetime,
    health: Health,
    ticks: HashMap<Box<str>, Trigger>,
    values: Arc<Values>,
    driver: Option<JoinHandle<Report>>,
}

impl RunningHost {
    /// The life of this host.
    pub const fn lifetime(&self) -> &Lifetime {
        &self.lifetime
    }

    /// The health of this host.
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// Lets a periodic service tick now, beside its schedule, and waits for the end of the tick. A tick that
    /// runs already ends first.
    ///
    /// # Errors
    /// Misuse if no periodic service has this name; closed if it has stopped; broken if the tick failed, with
    /// its error.
    ///
    /// # Cancel safety
    /// If dropped, the tick runs all the same.
    pub async fn tick(&self, service: &str) -> Result<()> {
        let trigger = self.ticks.get(service).ok_or_else(|| {
            Error::misuse(format!("no periodic service of the host has the name `{service}`"))
        })?;
        trigger.tick(service).await
    }

    /// Stops everything and says how it went.
    ///
    /// # Cancel safety
    /// If dropped, everything is dropped at once.
    pub async fn stop(self) -> Report {
        self.lifetime.stop();
        self.wait().await
    }

    /// Waits until the host has stopped, for whatever reason, and says how it went.
    ///
    /// # Cancel safety
    /// If dropped, everything is dropped at once.
    pub async fn wait(mut self) -> Report {
        let driver = self.driver.as_mut().expect("the driver is only taken here, which consumes the host");
        match driver.await {
            Ok(report) => report,
            // The driver awaits contained calls only, so this is a bug of ours: pass it on.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// What calls the application's reload hooks.
    pub(super) fn reloader(&self, hooks: Vec<Arc<dyn Unit>>) -> Reloader {
        let vitals = Arc::new(Vitals::new("reload".into(), "reload"));
        let values = Arc::clone(&self.values);
        let ctx = ServiceContext::new(vitals, self.lifetime.clone(), values, ShutdownClock::default());
        Reloader { hooks, ctx }
    }
}

impl Drop for RunningHost {
    fn drop(&mut self) {
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}

impl fmt::Debug for RunningHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.health, f)
    }
}

/// Calls the application's reload hooks, one after the other.
pub(super) struct Reloader {
    hooks: Vec<Arc<dyn Unit>>,
    ctx: ServiceContext,
}

impl Reloader {
    /// Asks the hook that runs to end; no other one is called.
    pub(super) fn cancel(&self) {
        self.ctx.cancellation().cancel();
    }

    pub(super) async fn reload(&self) {
        for hook in &self.hooks {
            if self.ctx.is_cancelled() {
                return;
            }
            let ctx = self.ctx.for_run();
            let called = caught(hook.call(Hook::Start, &ctx)).await;
            ctx.release_values();
            if let Err(error) = called {
                tracing::error!(%error, "the reload failed; the host goes on as it was");
            }
        }
    }
}

/// The first future's output; the second runs beside it and is dropped at its end.
pub(super) async fn both<T>(main: impl Future<Output = T>, beside: impl Future<Output = ()>) -> T {
    let beside = async {
        beside.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        output = main => output,
        () = beside => unreachable!("it is pending for ever"),
    }
}

/// Starts everything; when it returns, all services have started, or the host has ended without that.
#[expect(clippy::disallowed_methods, reason = "this is where a host's one long task begins")]
pub(super) async fn start(ready: Ready) -> Result<RunningHost, Report> {
    let (up, is_up) = oneshot::channel();
    let ticks = ready.parts.iter().filter_map(|part| Some((part.vitals.name().into(), part.ticks.clone()?)));
    let ticks = ticks.collect();
    let (lifetime, health, values) =
        (ready.lifetime.clone(), ready.health.clone(), Arc::clone(&ready.values));
    let driver = Some(tokio::spawn(Driver::new(ready, up).run()));
    let running = RunningHost { lifetime, health, ticks, values, driver };
    if is_up.await.is_ok() { Ok(running) } else { Err(running.wait().await) }
}

/// Why a host did not start.
pub(super) fn not_started(report: &Report) -> Error {
    match &report.cause {
        StopCause::Failed { .. } => {
            let remarks = report.remarks();
            let unwound = if remarks.is_empty() { "what had started is stopped again" } else { &remarks };
            Error::broken(format!("the host did not start because {}; {unwound}", report.cause))
        }
        _ => Error::closed("the host was asked to stop before it had started"),
    }
}

/// A call that runs.
struct Running {
    part: usize,
    hook: Hook,
    abort: AbortHandle,
}

/// What is remembered of a part for the report.
#[derive(Default)]
struct Record {
    called_at: Option<Instant>,
    took: Duration,
    was_started: bool,
    fault: Option<Fault>,
    is_abandoned: bool,
}

struct Driver {
    plan: Plan,
    parts: Vec<Part>,
    contexts: Vec<ServiceContext>,
    records: Vec<Record>,
    lifetime: Lifetime,
    calls: JoinSet<Result<(), Fault>>,
    running: HashMap<task::Id, Running>,
    began: Instant,
    delay: Duration,
    going_down_since: Option<Instant>,
    up: Option<oneshot::Sender<()>>,
}

impl Driver {
    fn new(ready: Ready, up: oneshot::Sender<()>) -> Self {
        let context = |part: &Part| {
            let (vitals, values) = (Arc::clone(&part.vitals), Arc::clone(&ready.values));
            ServiceContext::new(vitals, ready.lifetime.clone(), values, ShutdownClock::default())
                .with_clock(Arc::clone(&ready.clock))
        };
        Self {
            plan: Plan::new(ready.parts.len(), ready.options, Duration::ZERO),
            contexts: ready.parts.iter().map(context).collect(),
            records: ready.parts.iter().map(|_| Record::default()).collect(),
            parts: ready.parts,
            lifetime: ready.lifetime,
            calls: JoinSet::new(),
            running: HashMap::new(),
            began: monotonic_now(),
            delay: ready.delay,
            going_down_since: None,
            up: Some(up),
        }
    }

    async fn run(mut self) -> Report {
        let (lifetime, mut effects, mut stop_at) = (self.lifetime.clone(), Vec::new(), None);
        loop {
            self.plan.step(self.began.elapsed(), &mut effects);
            for effect in effects.drain(..) {
                self.perform(effect);
            }
            if self.plan.is_down() {
                return self.report();
            }
            let wake_at = self.plan.wake_at().and_then(|moment| self.began.checked_add(moment));
            tokio::select! {
                Some(ended) = self.calls.join_next_with_id() => self.take_in(ended),
                () = lifetime.asked(), if stop_at.is_none() => stop_at = Some(self.stop_at()),
                () = until(stop_at), if stop_at.is_some() && self.going_down_since.is_none() => self.plan.stop(),
                () = until(wake_at) => {}
            }
        }
    }

    /// When to begin the way down, having been asked now: load balancers only know a host that was ready.
    fn stop_at(&self) -> Instant {
        let is_failure = matches!(self.lifetime.cause(), StopCause::Failed { .. });
        let delay = if self.lifetime.is_started() && !is_failure { self.delay } else { Duration::ZERO };
        monotonic_after(delay)
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Call { part, hook, within } => self.call(part, hook, within),
            Effect::Drop { part, hook } => self.drop_call(part, hook),
            Effect::Up => {
                tracing::info!(services = self.parts.len(), took = ?self.began.elapsed(), "host started");
                self.lifetime.say_started();
                let _ = self.up.take().map(|up| up.send(()));
            }
            Effect::GoingDown => {
                self.going_down_since = Some(monotonic_now());
                self.lifetime.say_stopping();
                tracing::info!(cause = %self.lifetime.cause(), "host stops");
            }
            Effect::Down => {}
        }
    }

    fn call(&mut self, part: usize, hook: Hook, within: Option<Duration>) {
        let ctx = self.contexts[part].clone();
        prepare(&ctx, hook, within);
        self.records[part].called_at = Some(monotonic_now());
        let unit = Arc::clone(&self.parts[part].unit);
        let span = tracing::info_span!("service", name = ctx.name(), kind = ctx.vitals().kind());
        let call = async move { caught(unit.call(hook, &ctx)).await.map_err(|error| error.fault()) };
        let abort = self.calls.spawn(call.instrument(span));
        self.running.insert(abort.id(), Running { part, hook, abort });
    }

    /// A call is dropped: it was too slow, or it is not wanted any more.
    fn drop_call(&mut self, part: usize, hook: Hook) {
        let call = self.running.iter().find(|(_, call)| call.part == part && call.hook == hook);
        let id = call.map(|(id, call)| {
            call.abort.abort();
            *id
        });
        self.contexts[part].cancellation().cancel();
        if hook.is_down() {
            // Whatever it still says is too late. On the way up it may say that it had started.
            id.and_then(|id| self.running.remove(&id));
            self.abandon(part, hook);
        } else if !self.lifetime.was_asked() {
            let fault = format!("{} did not end within the startup timeout", hook.as_str());
            self.lifetime.fail(self.parts[part].vitals.name(), fault);
        }
    }

    fn abandon(&mut self, part: usize, hook: Hook) {
        let took = self.note_time(part, hook);
        self.records[part].is_abandoned = true;
        let Part { vitals, unit, .. } = &self.parts[part];
        unit.abandon();
        vitals.enter(ServiceState::Abandoned);
        tracing::error!(
            service = vitals.name(),
            ?took,
            "{} did not end in time and was dropped",
            hook.as_str()
        );
    }

    fn take_in(&mut self, ended: Result<(task::Id, Result<(), Fault>), JoinError>) {
        let (id, result) = match ended {
            Ok((id, result)) => (id, Some(result)),
            // It was dropped; a panic is contained.
            Err(error) => (error.id(), None),
        };
        let Some(Running { part, hook, .. }) = self.running.remove(&id) else { return };
        self.note_time(part, hook);
        self.plan.ended(part, hook, matches!(result, Some(Ok(()))));
        match result {
            Some(Ok(())) => self.succeeded(part, hook),
            Some(Err(fault)) => self.failed(part, hook, fault),
            None => self.parts[part].unit.abandon(),
        }
    }

    fn succeeded(&mut self, part: usize, hook: Hook) {
        let vitals = &self.parts[part].vitals;
        match hook {
            Hook::Start => {
                self.records[part].was_started = true;
                if vitals.state() == ServiceState::Starting {
                    vitals.enter(ServiceState::Running);
                }
                tracing::debug!(service = vitals.name(), "service started");
            }
            Hook::Stop => {
                vitals.enter_unless_over(ServiceState::Stopped);
                metrics::stopped(vitals.name(), self.records[part].took);
                tracing::info!(service = vitals.name(), took = ?self.records[part].took, "service stopped");
            }
            _ => {}
        }
    }

    fn failed(&mut self, part: usize, hook: Hook, fault: Fault) {
        let vitals = &self.parts[part].vitals;
        tracing::error!(service = vitals.name(), error = %fault.message, "{} failed", hook.as_str());
        vitals.failed(&fault);
        metrics::failed(vitals.name());
        if hook.is_down() {
            vitals.enter_unless_over(ServiceState::Stopped);
            self.records[part].fault.get_or_insert(fault);
        } else {
            vitals.enter(ServiceState::Dead);
            let text = format!("{}: {}", hook.as_str(), fault.message);
            self.lifetime.fail(vitals.name(), text);
        }
    }

    /// Adds the time of a call on the way down to the report.
    fn note_time(&mut self, part: usize, hook: Hook) -> Duration {
        let record = &mut self.records[part];
        let took = record.called_at.take().map_or(Duration::ZERO, |at| at.elapsed());
        if hook.is_down() {
            record.took += took;
        }
        took
    }

    fn report(&self) -> Report {
        let services = self.parts.iter().zip(&self.records).map(|(part, record)| ServiceReport {
            name: part.vitals.name().into(),
            kind: part.vitals.kind(),
            end: record.end(),
            took: record.took,
            doing: part.vitals.signs().doing,
            left: part.unit.left(),
        });
        let report = Report {
            cause: self.lifetime.cause(),
            took: self.going_down_since.map_or(Duration::ZERO, |at| at.elapsed()),
            services: services.collect(),
        };
        if report.is_clean() {
            tracing::info!("{report}");
        } else {
            tracing::error!("{report}");
        }
        self.lifetime.say_stopped();
        report
    }
}

impl Drop for Driver {
    /// Whatever still runs, for whatever reason, does not outlive the host.
    fn drop(&mut self) {
        for (part, ctx) in self.parts.iter().zip(&self.contexts) {
            ctx.cancellation().cancel();
            part.unit.abandon();
        }
        self.lifetime.say_stopping();
        self.lifetime.say_stopped();
    }
}

impl Record {
    fn end(&self) -> ServiceEnd {
        match &self.fault {
            _ if self.is_abandoned => ServiceEnd::Abandoned,
            Some(fault) => ServiceEnd::Failed(fault.clone()),
            None if self.was_started => ServiceEnd::Stopped,
            None => ServiceEnd::NotStarted,
        }
    }
}

/// Tells a service what is about to be asked of it.
fn prepare(ctx: &ServiceContext, hook: Hook, within: Option<Duration>) {
    if let Some(within) = within.filter(|_| hook.is_down()) {
        ctx.must_stop_by(monotonic_after(within));
    }
    match hook {
        Hook::Start => ctx.vitals().enter(ServiceState::Starting),
        Hook::Stop => {
            ctx.vitals().enter_unless_over(ServiceState::Stopping);
            ctx.cancellation().cancel();
        }
        _ => {}
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
