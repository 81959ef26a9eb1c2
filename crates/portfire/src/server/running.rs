//! A server that runs, as its owner holds it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use portfire_core::engine::{Config, Engine, Event};
use portfire_core::storage::ServerInfo;
use portfire_core::{Error, Result, ServerId};

use super::attempt::Attempts;
use super::driver::{Driver, LocalClock};
use super::pulse::Pulse;
use super::registry::Registry;
use super::signs::{Complaint, Signs};
use super::strangers::Strangers;
use crate::client::process_server_id;
use crate::clock::{monotonic_after, monotonic_now, system_dice};
use crate::context::ShutdownClock;
use crate::values::Values;
use crate::{Jobs, Layer};

/// A server that works jobs. Dropping it stops it at once: its jobs are dropped and run again once the
/// lease has ended. Call [`stop`](Self::stop) to end well.
///
/// ```no_run
/// use portfire::prelude::*;
///
/// #[job]
/// async fn work() {}
///
/// # async fn example(done: tokio::sync::Notify) -> portfire::Result<()> {
/// let jobs = Jobs::connect("sqlite://jobs.db").await?;
/// let server = Server::new(&jobs).job::<work>().start().await?;
/// done.notified().await;
/// server.stop().await
/// # }
/// ```
#[derive(Debug)]
pub struct RunningServer {
    id: ServerId,
    events: UnboundedSender<Event>,
    driver: Option<JoinHandle<Result<()>>>,
    pulse: CancellationToken,
    shutdown: ShutdownClock,
    budget: std::time::Duration,
    signs: Signs,
    lease: std::time::Duration,
    running: Arc<AtomicU32>,
    stopped: CancellationToken,
}

impl RunningServer {
    /// Its name among the servers of the storage.
    pub const fn id(&self) -> ServerId {
        self.id
    }

    /// What is wrong with its loops, if something is: one does not turn, or the storage does not answer.
    pub(crate) fn complaint(&self) -> Option<Complaint> {
        self.signs.complaint(monotonic_now(), self.lease)
    }

    /// How many jobs run.
    pub(crate) fn running(&self) -> u32 {
        self.running.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Cancelled once it has stopped, by whomever it was asked.
    pub(crate) const fn stopped(&self) -> &CancellationToken {
        &self.stopped
    }

    /// Waits for the server to end without asking for it: an operator may tell it to stop
    /// ([`ServerHandle::stop`](crate::ServerHandle::stop)).
    ///
    /// ```no_run
    /// use portfire::prelude::*;
    ///
    /// #[job]
    /// async fn work() {}
    ///
    /// # async fn example(done: tokio::sync::Notify) -> portfire::Result<()> {
    /// let jobs = Jobs::connect("sqlite://jobs.db").await?;
    /// let mut server = Server::new(&jobs).job::<work>().start().await?;
    /// tokio::select! {
    ///     ended = server.ended() => ended,
    ///     () = done.notified() => server.stop().await,
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping it changes nothing.
    pub async fn ended(&mut self) -> Result<()> {
        let Some(driver) = self.driver.as_mut() else { return Ok(()) };
        let ended = driver.await;
        self.driver = None;
        ended.map_err(|e| Error::broken("the server's task panicked").caused_by(e))?
    }

    /// Takes no more jobs, but finishes those it has and stays: before a deployment, say. An operator's order
    /// to run does not undo it.
    pub fn quiet(&self) {
        let _ = self.events.send(Event::QuietAsked);
    }

    /// Takes no more jobs, lets those that run finish, asks them to stop when the time is nearly over,
    /// gives back what did not finish, and ends.
    ///
    /// Where it cannot, because the storage does not answer or a handler blocks its thread, it waits for 5 s more than
    /// it may take and ends all the same. What it could not give back runs again once its lease has ended.
    ///
    /// # Errors
    /// Transient if it could not give back everything. Broken if the server's own task had panicked.
    ///
    /// # Cancel safety
    /// If dropped, the server stops at once, as when it is dropped itself.
    pub async fn stop(self) -> Result<()> {
        self.stop_within(std::time::Duration::MAX).await
    }

    /// The same within this long, or the server's own limit if that is shorter.
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    ///
    /// # Cancel safety
    /// As [`stop`](Self::stop).
    pub async fn stop_within(mut self, limit: std::time::Duration) -> Result<()> {
        let budget = self.budget.min(limit);
        self.shutdown.set(monotonic_after(budget));
        let _ = self.events.send(Event::StopAskedWithin(budget));
        self.ended().await
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.pulse.cancel();
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}

/// Makes all parts of a server and sets them going.
#[expect(clippy::disallowed_methods, reason = "this is where a server's one long task begins")]
pub(super) async fn start(
    jobs: Jobs,
    config: Config,
    info: ServerInfo,
    registry: Registry,
    values: Values,
    layers: Vec<Arc<dyn Layer>>,
) -> Result<RunningServer> {
    let (events, inbox) = unbounded_channel();
    let (id, clock, budget) = (process_server_id(), LocalClock::start(), config.shutdown);
    let (signs, lease) = (Signs::new(monotonic_now()), config.lease);
    let strangers = Arc::new(Strangers::new(Arc::clone(&config.kinds), info.queues.clone()));
    let (stop_pulse, stopped) = (CancellationToken::new(), CancellationToken::new());
    let (shutdown, running) = (ShutdownClock::default(), Arc::new(AtomicU32::new(0)));
    let pulse = Pulse {
        storage: Arc::clone(jobs.storage()),
        server: id,
        lease: config.lease,
        info,
        running: Arc::clone(&running),
        clock,
        events: events.clone(),
        signs: signs.clone(),
        stop: stop_pulse.clone(),
    };
    pulse.beat().await?;
    pulse.start()?;
    let driver = Driver {
        engine: Engine::new(config, system_dice()),
        server: id,
        jobs,
        runners: registry.runners(),
        values: Arc::new(values),
        attempts: Arc::new(Attempts { layers, abort: CancellationToken::new() }),
        strangers,
        shutdown: shutdown.clone(),
        budget,
        pulse: stop_pulse.clone(),
        stopped: stopped.clone(),
        clock,
        events: events.clone(),
        inbox,
        contexts: HashMap::new(),
        running: Arc::clone(&running),
        signs: signs.clone(),
    };
    let (driver, pulse) = (Some(tokio::spawn(driver.run())), stop_pulse);
    Ok(RunningServer { id, events, driver, pulse, shutdown, budget, signs, lease, running, stopped })
}
