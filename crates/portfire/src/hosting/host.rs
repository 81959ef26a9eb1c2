//! The host: what runs together in one process, said once, checked once, then started.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::{Clock, Error, Result};

use super::background::Background;
use super::health::Health;
use super::lifetime::Lifetime;
use super::periodic::{Every, Periodic, Tick};
use super::plan::{Options, Order};
use super::queue::TaskQueue;
use super::run::{self, RunningHost};
use super::service::{Custom, Service, ServiceContext, Unit};
use super::vitals::Vitals;
use super::{signals, systemd};
use crate::clock::SystemClock;
use crate::values::Values;
use crate::{AttemptScope, JobError, Jobs, Server};

/// What runs together in one process.
///
/// ```no_run
/// use portfire::hosting::{Every, Host, TaskQueue};
/// use portfire::prelude::*;
///
/// #[tokio::main]
/// async fn main() -> portfire::Result<()> {
///     let previews = TaskQueue::new("previews");
///     Host::new()
///         .background("mirror", |ctx| async move {
///             while ctx.sleep(1.minute()).await { /* copy what is new */ }
///             Ok(())
///         })
///         .periodic("poll", Every::interval(5.minutes()).at_once(), |_tick| async { Ok(()) })
///         .periodic("nightly", Every::cron("0 2 * * *", "Asia/Taipei")?, |_tick| async { Ok(()) })
///         .queue(&previews)
///         .run()
///         .await
/// }
/// ```
#[must_use = "a host does nothing until it is started: `.run().await`"]
pub struct Host {
    parts: Vec<Part>,
    values: Values,
    lifetime: Lifetime,
    health: Health,
    options: Options,
    delay: Duration,
    clock: Arc<dyn Clock>,
    reloads: Vec<Arc<dyn Unit>>,
}

/// Something that can be added to a host: a [`Background`], a [`Periodic`], a `Web`.
pub struct Part {
    pub(super) vitals: Arc<Vitals>,
    pub(super) unit: Arc<dyn Unit>,
    /// How a test or an operator lets it tick now.
    pub(super) ticks: Option<super::periodic::Trigger>,
}

impl Part {
    pub(super) fn new(name: impl Into<Box<str>>, kind: &'static str, unit: impl Unit + 'static) -> Self {
        Self { vitals: Arc::new(Vitals::new(name.into(), kind)), unit: Arc::new(unit), ticks: None }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.vitals, f)
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// A host without services: 30 s to stop, no limit to start, one service after the other.
    pub fn new() -> Self {
        let lifetime = Lifetime::default();
        Self {
            parts: Vec::new(),
            values: Values::default(),
            health: Health::new(lifetime.clone()),
            lifetime,
            options: Options {
                start: Order::OneByOne,
                stop: Order::OneByOne,
                startup: None,
                shutdown: Duration::from_secs(30),
            },
            delay: Duration::ZERO,
            clock: Arc::new(SystemClock),
            reloads: Vec::new(),
        }
    }

    /// Adds a service. Services start in the order they are added, and stop in reverse.
    pub fn service(self, name: impl Into<Box<str>>, service: impl Service) -> Self {
        self.add(Part::new(name, "service", Custom(service)))
    }

    /// Adds work that goes on until it is cancelled; when it fails it is started again. [`Background`] has
    /// the options.
    pub fn background<F, R>(self, name: impl Into<Box<str>>, work: F) -> Self
    where
        F: Fn(ServiceContext) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        self.add(Background::new(name, work))
    }

    /// Adds work that is done again and again. [`Periodic`] has the options.
    pub fn periodic<F, R>(self, name: impl Into<Box<str>>, every: Every, work: F) -> Self
    where
        F: Fn(Tick) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        self.add(Periodic::new(name, every, work))
    }

    /// Adds a bounded queue of tasks.
    pub fn queue(self, queue: &TaskQueue) -> Self {
        self.add(queue.part())
    }

    /// Adds a server of durable jobs, and its storage to the health report. Its values are its own and the
    /// host's. If it was given a name, that is the service's too; otherwise it is `server`.
    pub fn server(self, server: Server) -> Self {
        let storage = Arc::clone(server.storage());
        let part = super::durable::part(server);
        self.health.add_storage(format!("storage of {}", part.vitals.name()), storage);
        self.add(part)
    }

    /// Adds the storage of these jobs to the health report, for a host that enqueues and has no server.
    pub fn storage(self, jobs: &Jobs) -> Self {
        self.health.add_storage("storage", Arc::clone(jobs.storage()));
        self
    }

    /// Adds a web server. [`Web`](super::Web) has the options.
    #[cfg(feature = "web")]
    pub fn web(self, address: impl Into<String>, router: axum::Router) -> Self {
        self.add(super::Web::new(address, router))
    }

    /// Adds a part that was given options.
    #[expect(clippy::should_implement_trait, reason = "the word for it; nobody takes a host for a number")]
    pub fn add(mut self, part: impl Into<Part>) -> Self {
        let part = part.into();
        self.health.watch(Arc::clone(&part.vitals));
        self.parts.push(part);
        self
    }

    /// Provides a value to every service, tick, task and server: one for all.
    pub fn provide<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.values.provide(value);
        self
    }

    /// Provides a value that is made anew for each run, tick, task and attempt that asks for it, and dropped
    /// at its end, also after a panic.
    pub fn provide_with<T, F, R>(mut self, make: F) -> Self
    where
        T: Send + Sync + 'static,
        F: Fn(AttemptScope) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, JobError>> + Send + 'static,
    {
        self.values.provide_with(make);
        self
    }

    /// Adds a check to the health report: a partner's address, a disk. It may take 0.8 s.
    pub fn check<F, R>(self, name: impl Into<Box<str>>, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        self.health.add_check(name.into(), check);
        self
    }

    /// Does this when the process receives SIGHUP; systemd is told that it reloads. Without it, SIGHUP ends
    /// the process as usual.
    pub fn on_reload<F, R>(mut self, reload: F) -> Self
    where
        F: Fn(ServiceContext) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        self.reloads.push(Arc::new(Custom(reload)));
        self
    }

    /// One after the other (the default), or all together.
    pub const fn start_order(mut self, order: Order) -> Self {
        self.options.start = order;
        self
    }

    /// One after the other in reverse (the default), or all together.
    pub const fn stop_order(mut self, order: Order) -> Self {
        self.options.stop = order;
        self
    }

    /// The longest all starts may take. Default: no limit.
    pub const fn startup_timeout(mut self, limit: Duration) -> Self {
        self.options.startup = Some(limit);
        self
    }

    /// The longest all stops may take together. Default 30 s, as Kubernetes and .NET give.
    pub const fn shutdown_timeout(mut self, limit: Duration) -> Self {
        self.options.shutdown = limit;
        self
    }

    /// How long to go on between the request to stop and the first stop, so that load balancers notice that
    /// the host is not ready. Default zero. The shutdown timeout begins after it.
    pub const fn shutdown_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The clock by which cron schedules tell the time. Default: the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The life of this host: to await its stages, and to stop it from anywhere.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime.clone()
    }

    /// The health of this host.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Runs until a signal, [`Lifetime::stop`] or a failure, then stops everything.
    ///
    /// SIGTERM, SIGINT and SIGQUIT (Ctrl-C, Ctrl-Break and the closing of the console on Windows) stop the
    /// host; a second one exits at once. When started by systemd, tells it what happens.
    ///
    /// # Errors
    /// As [`start`](Self::start), or what [`Report::into_result`](super::Report::into_result) says. A `main`
    /// that returns it has a truthful exit code: 0 only after a clean end.
    ///
    /// # Cancel safety
    /// If dropped, everything is dropped at once, as when [`RunningHost`] is.
    pub async fn run(mut self) -> Result<()> {
        let reloads = std::mem::take(&mut self.reloads);
        let (lifetime, health) = (self.lifetime(), self.health());
        let reload = signals::listen(&lifetime, !reloads.is_empty())?;
        let report = match run::start(self.ready()?).await {
            Ok(running) => {
                let beside = systemd::accompany(&lifetime, &health, running.reloader(reloads), reload);
                run::both(running.wait(), beside).await
            }
            Err(report) if report.is_failure() => return Err(run::not_started(&report)),
            Err(report) => report,
        };
        systemd::say_stopped(&report);
        report.into_result()
    }

    /// Starts everything, without looking at signals: for tests, and for programs that have their own.
    ///
    /// # Errors
    /// Misuse if two services have one name, or a queue was given to another host before; broken if a service
    /// fails to start, with its name; closed if the host was asked to stop meanwhile. Everything that was started
    /// is then stopped again.
    ///
    /// # Cancel safety
    /// If dropped, what was started is dropped at once.
    pub async fn start(self) -> Result<RunningHost> {
        run::start(self.ready()?).await.map_err(|report| run::not_started(&report))
    }

    /// The host as it can be started: what cannot work is refused here.
    pub(super) fn ready(self) -> Result<run::Ready> {
        self.check_names()?;
        self.parts.iter().try_for_each(|part| part.unit.claim())?;
        Ok(run::Ready {
            parts: self.parts,
            values: Arc::new(self.values),
            lifetime: self.lifetime,
            health: self.health,
            options: self.options,
            delay: self.delay,
            clock: self.clock,
        })
    }

    fn check_names(&self) -> Result<()> {
        let mut names = BTreeSet::new();
        match self.parts.iter().find(|part| !names.insert(part.vitals.name())) {
            None => Ok(()),
            Some(part) => Err(Error::misuse(format!(
                "two services of the host have the name `{}`; give each its own, so that reports can tell \
                 them apart",
                part.vitals.name()
            ))),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.parts).finish()
    }
}
