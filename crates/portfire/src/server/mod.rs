//! A running instance that works jobs.
//!
//! 1. [`Server`] gathers what was said: kinds, values, queues, limits.
//! 2. [`Server::start`] checks it once, and refuses what cannot work, before anything runs.
//! 3. A heartbeat thread keeps the lease; a driver task performs what the pure engine of `portfire-core`
//!    decides; each attempt is a task of its own.
//! 4. [`RunningServer::stop`], or an operator's order that comes with a heartbeat, drains, interrupts, gives
//!    back, and ends.
//!
//! It deliberately does not know which database it works on.

mod attempt;
mod driver;
mod host_name;
mod pulse;
mod queues;
mod registry;
mod running;
mod signs;
mod strangers;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::engine::Config;
use portfire_core::limits::{CLAIM_MAX, LEASE};
use portfire_core::storage::ServerInfo;
use portfire_core::{Error, Result, Storage};
use tokio_util::sync::CancellationToken;

pub(crate) use attempt::Attempts;
pub use queues::Queues;
pub(crate) use registry::{Runner, runner_of, stored_result};
pub use running::RunningServer;
pub(crate) use signs::Complaint;

use crate::signals::Listener;
use crate::values::Values;
use crate::{AttemptScope, Job, JobError, Jobs, Layer};
use registry::Registry;

/// The shortest lease: below it, an ordinary pause of the host would cost jobs their lease.
const LEASE_MIN: Duration = Duration::from_secs(1);
/// The longest time between two looks for work. With heartbeats every 10 s and what is done every five minutes that
/// is some 22 transactions a minute.
const POLL: Duration = Duration::from_secs(4);
/// The same where no hints come: each job waits for a look.
const POLL_ALONE: Duration = Duration::from_secs(1);
/// From how many jobs an exchange beside another is worth a commit of its own. More come together by themselves under
/// load: from 16 to 128 the drain of 256 slots is the same (PostgreSQL; 15 % faster than with one exchange).
const BESIDE_FROM: u32 = 32;

/// A server that has not been started.
///
/// ```no_run
/// use portfire::prelude::*;
///
/// #[job(queue = "mail", attempts = 5)]
/// async fn welcome(user_id: i64) -> Result<(), JobError> {
///     let _ = user_id;
///     Ok(())
/// }
///
/// # async fn example() -> portfire::Result<()> {
/// let jobs = Jobs::connect("sqlite://jobs.db").await?;
/// Server::new(&jobs)
///     .job::<welcome>()
///     .queues(Queues::weighted([("mail", 3), ("default", 1)]))
///     .slots(8)
///     .run()
///     .await
/// # }
/// ```
#[must_use = "a server does nothing until it is started: `.run().await`"]
#[derive(Debug)]
pub struct Server {
    jobs: Jobs,
    registry: Registry,
    values: Values,
    layers: Vec<Arc<dyn Layer>>,
    queues: Option<Queues>,
    queue_slots: BTreeMap<Box<str>, u32>,
    slots: u32,
    lease: Duration,
    shutdown: Duration,
    /// If it was said.
    poll: Option<Duration>,
    name: Option<Box<str>>,
    host: Option<Box<str>>,
    build_id: Box<str>,
}

impl std::fmt::Debug for dyn Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Layer")
    }
}

impl Server {
    /// A server for the jobs of this storage, that knows no kinds yet.
    pub fn new(jobs: &Jobs) -> Self {
        Self {
            jobs: jobs.clone(),
            registry: Registry::default(),
            values: Values::default(),
            layers: Vec::new(),
            queues: None,
            queue_slots: BTreeMap::new(),
            slots: default_slots(),
            lease: LEASE,
            shutdown: Duration::from_secs(30),
            poll: None,
            name: None,
            host: None,
            build_id: Box::default(),
        }
    }

    /// Teaches it a kind. Jobs of other kinds wait for a server that knows them; its log names such kinds.
    pub fn job<J: Job>(mut self) -> Self {
        self.registry.add::<J>();
        self
    }

    /// Provides a value that handlers borrow: one for all attempts.
    pub fn provide<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.values.provide(value);
        self
    }

    /// Provides a value that is made anew for each attempt that asks for it, and dropped at its end,
    /// also after a panic or a timeout: a transaction, a connection, a request-scoped cache.
    pub fn provide_with<T, F, R>(mut self, make: F) -> Self
    where
        T: Send + Sync + 'static,
        F: Fn(AttemptScope) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, JobError>> + Send + 'static,
    {
        self.values.provide_with(make);
        self
    }

    /// Wraps every attempt. The first layer added is the outermost.
    pub fn layer(mut self, layer: impl Layer) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// Which queues it serves, and how they share it. Default: `default` and the queues named by its
    /// kinds, equally.
    pub fn queues(mut self, queues: Queues) -> Self {
        self.queues = Some(queues);
        self
    }

    /// Most jobs of one queue at once.
    pub fn queue_slots(mut self, queue: impl Into<Box<str>>, slots: u32) -> Self {
        self.queue_slots.insert(queue.into(), slots);
        self
    }

    /// Most jobs at once. Default: five per core, at most 20 (Hangfire's `WorkerCount`).
    pub const fn slots(mut self, slots: u32) -> Self {
        self.slots = slots;
        self
    }

    /// How long jobs stay with this server after its last heartbeat. Heartbeats come three times as
    /// often. Default 30 s, at least 1 s.
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long a stop may take. Default 30 s.
    pub const fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown = timeout;
        self
    }

    /// The longest time between two looks for work while nothing hints at any. While something happens, and for
    /// some seconds after it, it looks every second, or as often as this if that is shorter; and always six times
    /// per lease, to rescue the jobs of servers that are gone. Each look is one small statement.
    ///
    /// Hints come at once from all who enqueue through this library, so only what was enqueued otherwise waits
    /// for a look: by SQL, or in a transaction that lasted for more than 5 s after it.
    ///
    /// Default 4 s: an idle server then costs its database some 20 transactions a minute. Default 1 s where no hints
    /// come (`?listen=off`, or a database that cannot).
    pub const fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll = Some(interval);
        self
    }

    /// A name for people. Default: the process id.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What the host is called. Default: what the system says on Linux, and nothing elsewhere.
    pub fn host(mut self, name: impl Into<Box<str>>) -> Self {
        self.host = Some(name.into());
        self
    }

    /// The program it is part of, with its version, so that operators see which servers run which: for example
    /// `concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"))`. Default: nothing.
    pub fn build_id(mut self, build: impl Into<Box<str>>) -> Self {
        self.build_id = build.into();
        self
    }

    /// Starts, works until SIGTERM, SIGINT or SIGQUIT (Ctrl-C, Ctrl-Break and the closing of the console on
    /// Windows), then drains and stops; or until an operator has told it to stop
    /// ([`ServerHandle::stop`](crate::ServerHandle::stop)). A second signal ends it at once: jobs that run are dropped,
    /// and run again once the lease has ended.
    ///
    /// # Errors
    /// As [`start`](Self::start) and [`RunningServer::stop`]. Closed if a second signal ended it.
    ///
    /// # Cancel safety
    /// If dropped, jobs that run are dropped too, and run again once the lease has ended.
    pub async fn run(self) -> Result<()> {
        let mut signals = Listener::new(false)?;
        let mut server = self.start().await?;
        tokio::select! {
            ended = server.ended() => return ended,
            _ = signals.next() => {}
        }
        tokio::select! {
            ended = server.stop() => ended,
            _ = signals.next() => Err(Error::closed("a second signal has ended the server before it had stopped")),
        }
    }

    /// Starts, and works until told to stop.
    ///
    /// # Errors
    /// Misuse if the server could never work: no kinds, a value that no one provides, no slots, a queue
    /// limit for a queue it does not serve. Otherwise what the storage reports at the first heartbeat.
    pub async fn start(self) -> Result<RunningServer> {
        self.check()?;
        let queues = self.queues.clone().unwrap_or_else(|| self.registry.default_queues());
        let config = Config {
            slots: self.slots,
            prefetch_max: self.slots.saturating_mul(2).min(CLAIM_MAX),
            beside_from: BESIDE_FROM,
            queues: queues.configs(&self.queue_slots)?,
            order: queues.order(),
            kinds: self.registry.kinds(),
            lease: self.lease,
            poll: self.poll.unwrap_or(POLL),
            poll_alone: self.poll.unwrap_or(POLL_ALONE),
            shutdown: self.shutdown,
        };
        let info = self.info(&queues);
        running::start(self.jobs, config, info, self.registry, self.values, self.layers).await
    }

    /// Also provides what `outer` provides and this server does not.
    pub(crate) fn within(mut self, outer: &Values) -> Self {
        self.values = self.values.within(outer);
        self
    }

    pub(crate) fn storage(&self) -> &Arc<dyn Storage> {
        self.jobs.storage()
    }

    /// Its name for people, if it was given one.
    pub(crate) fn given_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What runs its attempts, for a test that drives them itself. Checked as at a start.
    pub(crate) fn into_parts(self) -> Result<Parts> {
        self.check()?;
        let queues = self.queues.clone().unwrap_or_else(|| self.registry.default_queues());
        queues.configs(&self.queue_slots)?;
        Ok(Parts {
            runners: self.registry.runners(),
            kinds: self.registry.kinds(),
            queues: queues.names(),
            values: Arc::new(self.values),
            attempts: Attempts { layers: self.layers, abort: CancellationToken::new() },
        })
    }

    fn check(&self) -> Result<()> {
        self.registry.check(&self.values)?;
        if self.slots == 0 {
            return Err(Error::misuse("a server with 0 slots could never run a job"));
        }
        if self.lease < LEASE_MIN {
            return Err(Error::misuse(format!(
                "a lease of {:?} is shorter than an ordinary pause of a host; use at least {LEASE_MIN:?}",
                self.lease
            )));
        }
        if self.poll.is_some_and(|poll| poll.is_zero()) {
            return Err(Error::misuse("a poll interval of zero would look for work without pause"));
        }
        Ok(())
    }

    fn info(&self, queues: &Queues) -> ServerInfo {
        let pid = std::process::id();
        ServerInfo {
            name: self.name.clone().unwrap_or_else(|| format!("process {pid}").into()),
            host: self.host.clone().unwrap_or_else(host_name::host_name),
            build: self.build_id.clone(),
            pid,
            queues: queues.names(),
            slots: self.slots,
            running: 0,
        }
    }
}

/// What runs the attempts of a server.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) runners: HashMap<&'static str, Runner>,
    pub(crate) kinds: Arc<[Box<str>]>,
    pub(crate) queues: Vec<Box<str>>,
    pub(crate) values: Arc<Values>,
    pub(crate) attempts: Attempts,
}

fn default_slots() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores.saturating_mul(5).min(20)).unwrap_or(20)
}
