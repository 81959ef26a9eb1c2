//! Performs what the engine decides. Every task of a server begins here, and every effect ends in
//! exactly one event.
//!
//! 1. Wait for events, or for the moment the engine named. Let attempts that are about to end come along.
//! 2. Feed all events at hand to the engine; let it step once; perform its effects.
//! 3. Storage calls run as tasks with a deadline, and report back as events.
//! 4. When the engine says it has stopped, leave the cluster and end; when it gave up, end and leave nothing.
//!
//! It decides nothing: what to do about an answer is the engine's matter.

use std::collections::HashMap;
use std::future::Future;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use portfire_core::engine::{Effect, Engine, Event, Moment};
use portfire_core::storage::{By, Claimed, Exchange, Heard, ServerOrder};
use portfire_core::{Error, Fault, Lease, Outcome, Result, ServerId};

use super::attempt::Attempts;
use super::registry::Runner;
use super::signs::Signs;
use super::strangers::Strangers;
use crate::clock::{monotonic_after, monotonic_now};
use crate::contain::contain;
use crate::context::ShutdownClock;
use crate::values::Values;
use crate::{AttemptScope, JobContext, Jobs};

/// Longest wait for one storage call; then its outcome counts as unknown and it is repeated.
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// Longest wait for the last call. It only tells others sooner what its lease tells them, and a process waits for it.
const LEAVE_DEADLINE: Duration = Duration::from_secs(5);
/// How long one wait for a hint lasts before it is renewed; the loop turns at least as often.
const WAIT_AT_MOST: Duration = Duration::from_secs(10);
/// The pause after a wait that failed, so that a dead database is not asked without pause.
const WAIT_PAUSE: Duration = Duration::from_millis(500);
/// What is said of a stop that did not end well.
const GAVE_UP: &str = "the server has ended without giving back everything: an attempt did not end, or the storage did \
                       not answer; what is left runs again once the server's lease has ended";
/// Most events taken in before a step: some thousand finished attempts are one batch.
const EVENTS_PER_STEP: usize = 4_096;

/// A monotonic clock that starts at zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalClock(Instant);

impl LocalClock {
    pub(super) fn start() -> Self {
        Self(monotonic_now())
    }

    pub(super) fn now(&self) -> Moment {
        self.0.elapsed()
    }

    fn at(&self, moment: Moment) -> Instant {
        self.0.checked_add(moment).unwrap_or_else(|| monotonic_after(moment))
    }
}

/// The hands of one server.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) engine: Engine,
    pub(super) server: ServerId,
    pub(super) jobs: Jobs,
    pub(super) runners: HashMap<&'static str, Runner>,
    pub(super) values: Arc<Values>,
    pub(super) attempts: Arc<Attempts>,
    pub(super) strangers: Arc<Strangers>,
    pub(super) shutdown: ShutdownClock,
    /// How long a stop may take.
    pub(super) budget: Duration,
    /// Ends the heartbeats.
    pub(super) pulse: CancellationToken,
    /// Says that the server has stopped.
    pub(super) stopped: CancellationToken,
    pub(super) clock: LocalClock,
    pub(super) events: UnboundedSender<Event>,
    pub(super) inbox: UnboundedReceiver<Event>,
    /// The attempts that run.
    pub(super) contexts: HashMap<Lease, JobContext>,
    pub(super) running: Arc<AtomicU32>,
    pub(super) signs: Signs,
}

impl Driver {
    /// Works until the engine has stopped.
    ///
    /// # Errors
    /// Transient if it could not give back everything in time.
    pub(super) async fn run(mut self) -> Result<()> {
        tracing::info!(server = %self.server, "server started");
        // However this ends, a server that does nothing any more must not keep its jobs by beating on.
        let _pulse = self.pulse.clone().drop_guard();
        // Dropped with this future: an aborted server leaves no task behind.
        let mut tasks = JoinSet::new();
        tasks.spawn(wait_for_hints(self.jobs.clone(), self.events.clone()));
        let (mut batch, mut effects) = (Vec::new(), Vec::new());
        loop {
            let alarm = self.clock.at(self.engine.wake_at());
            tokio::select! {
                biased;
                _ = self.inbox.recv_many(&mut batch, EVENTS_PER_STEP) => {}
                () = tokio::time::sleep_until(alarm) => {}
            }
            self.gather(&mut batch).await;
            self.signs.turned(monotonic_now());
            self.take_in(&mut batch);
            self.step(&mut effects);
            while tasks.try_join_next().is_some() {}
            for effect in effects.drain(..) {
                match effect {
                    Effect::Stopped => return self.end(true).await,
                    Effect::GaveUp => return self.end(false).await,
                    effect => self.perform(effect, &mut tasks),
                }
            }
            self.running.store(u32::try_from(self.engine.running()).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
    }

    /// Lets others go first while attempts run, and takes what they said meanwhile. Else each attempt that ends wakes this
    /// task for itself: a drain took 1.8 events a turn on SQLite and 3.7 on PostgreSQL, and takes 53 and 90, for a tenth less
    /// of the client's processor time. A runtime comes back to who yields after some dozens of polls.
    async fn gather(&mut self, batch: &mut Vec<Event>) {
        if batch.len() < self.contexts.len() {
            tokio::task::yield_now().await;
            batch.extend(iter::from_fn(|| self.inbox.try_recv().ok()).take(EVENTS_PER_STEP - batch.len()));
        }
    }

    /// Lets the engine decide. What running attempts said is told to it at once: if it went the way of other events, the
    /// end of an attempt could be there before it, and what was said earlier would be kept as the latest.
    fn step(&mut self, effects: &mut Vec<Effect>) {
        self.engine.step(self.clock.now(), effects);
        if effects.extract_if(.., |effect| matches!(effect, Effect::CollectNotes)).next().is_some() {
            let notes: Vec<_> = self.contexts.values().flat_map(JobContext::take_notes).collect();
            if !notes.is_empty() {
                self.engine.on(self.clock.now(), Event::Noted(notes));
                self.engine.step(self.clock.now(), effects);
            }
        }
    }

    fn take_in(&mut self, batch: &mut Vec<Event>) {
        let now = self.clock.now();
        for event in batch.drain(..) {
            match &event {
                Event::Finished { facts, .. } => drop(self.contexts.remove(&facts.lease)),
                Event::Beaten { order: ServerOrder::Stop, .. } => {
                    self.shutdown.set(monotonic_after(self.budget));
                }
                _ => {}
            }
            self.engine.on(now, event);
        }
    }

    fn perform(&mut self, effect: Effect, tasks: &mut JoinSet<()>) {
        let storage = Arc::clone(self.jobs.storage());
        match effect {
            Effect::Exchange { line, notes, settlements, want } => {
                let exchange = Exchange { server: self.server, notes, settlements, want };
                self.call(
                    "exchange",
                    tasks,
                    async move { storage.exchange(exchange).await },
                    move |answer| {
                        answer.map_or(Event::ExchangeFailed(line), |answer| Event::Exchanged(line, answer))
                    },
                );
            }
            Effect::Poll(queues) => {
                self.call("poll", tasks, async move { storage.poll(queues).await }, Event::Polled);
            }
            Effect::Promote(limit) => {
                self.call("promote", tasks, async move { storage.promote(limit).await }, Event::Promoted);
            }
            Effect::LookForSchedules(limit) => {
                let look = async move { storage.due_schedules(limit).await };
                self.call("due schedules", tasks, look, Event::SchedulesSeen);
            }
            Effect::Fire(firings) => {
                let fire = async move { storage.fire(firings, By::Program).await };
                self.call("fire", tasks, fire, Event::Fired);
            }
            Effect::Sweep(limit) => {
                self.call("sweep", tasks, async move { storage.expired(limit).await }, Event::Swept);
            }
            Effect::Prune(limit) => {
                self.call("prune", tasks, async move { storage.prune(limit).await }, Event::Pruned);
            }
            Effect::LookForStrangers => {
                let strangers = Arc::clone(&self.strangers);
                let look = async move { strangers.look(&*storage).await };
                self.call("look for strangers", tasks, look, |_| Event::StrangersSeen);
            }
            Effect::Run(claimed) => self.start_attempt(*claimed, tasks),
            Effect::Interrupt(lease) => {
                if let Some(ctx) = self.contexts.get(&lease) {
                    ctx.cancellation().cancel();
                }
            }
            Effect::AbortAll => self.attempts.abort.cancel(),
            Effect::ReportLost(lease) => {
                tracing::warn!(job = %lease.job, token = %lease.token, "a late outcome was refused");
            }
            // These are seen to where the engine steps, and where its effects are performed.
            Effect::CollectNotes | Effect::Stopped | Effect::GaveUp => {}
        }
    }

    /// Makes a storage call with a deadline; its end is one event.
    fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        tasks: &mut JoinSet<()>,
        call: impl Future<Output = Result<T>> + Send + 'static,
        event: impl FnOnce(Option<T>) -> Event + Send + 'static,
    ) {
        let events = self.events.clone();
        tasks.spawn(async move {
            let answer = in_time(CALL_DEADLINE, call).await;
            let answer =
                answer.inspect_err(|error| tracing::warn!(call = name, %error, "a storage call failed"));
            let _ = events.send(event(answer.ok()));
        });
    }

    fn start_attempt(&mut self, claimed: Claimed, tasks: &mut JoinSet<()>) {
        let Some(runner) = self.runners.get(&*claimed.facts.kind).copied() else {
            // Only wanted kinds are claimed, so this is a storage that does not keep its contract.
            let outcome = Outcome::Interrupted;
            let facts = Box::new(claimed.facts);
            let _ = self.events.send(Event::Finished { facts, outcome, notes: Vec::new() });
            return;
        };
        let facts = Box::new(claimed.facts.clone());
        let scope = AttemptScope::new(Arc::clone(&self.values));
        let token = CancellationToken::new();
        let ctx = JobContext::new(claimed, self.jobs.clone(), scope, token, self.shutdown.clone());
        self.contexts.insert(facts.lease, ctx.clone());
        let (attempts, events) = (Arc::clone(&self.attempts), self.events.clone());
        tasks.spawn(async move {
            let outcome = attempts.run(runner, &ctx).await;
            let notes = ctx.take_notes();
            let _ = events.send(Event::Finished { facts, outcome, notes });
        });
    }

    /// One that holds something must not leave: its jobs would run elsewhere while they may still run here.
    async fn end(&self, holds_nothing: bool) -> Result<()> {
        if holds_nothing {
            self.leave().await;
        }
        self.stopped.cancel();
        if holds_nothing { Ok(()) } else { Err(Error::transient(GAVE_UP)) }
    }

    async fn leave(&self) {
        self.pulse.cancel(); // A heartbeat after it would register the server again.
        if in_time(LEAVE_DEADLINE, self.jobs.storage().leave(self.server, true)).await.is_ok() {
            tracing::info!(server = %self.server, "server stopped");
        } else {
            tracing::warn!(server = %self.server, "server stopped; its row stays until it is pruned");
        }
    }
}

/// What a storage call comes to within its deadline. A panic is an error: if it unwound, the engine would wait for
/// the end of the call for ever.
async fn in_time<T>(limit: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Err(Error::transient("the storage did not answer in time"));
    let limited = async { tokio::time::timeout(limit, call).await.unwrap_or_else(late) };
    let panicked = |fault: Fault| Err(Error::broken(format!("the storage panicked: {}", fault.message)));
    contain(limited).await.unwrap_or_else(panicked)
}

/// Turns the storage's hints into events, for ever.
#[expect(clippy::disallowed_methods, reason = "the pause after a failed wait")]
async fn wait_for_hints(jobs: Jobs, events: UnboundedSender<Event>) {
    let mut heard = Heard::default();
    loop {
        heard.rung = false;
        let wait = contain(async { jobs.storage().wait(WAIT_AT_MOST).await });
        match tokio::time::timeout(WAIT_AT_MOST, wait).await {
            Ok(Ok(Ok(now))) => heard = now,
            // It failed, or panicked.
            Ok(_) => {
                heard = Heard::default();
                tokio::time::sleep(WAIT_PAUSE).await;
            }
            // A storage without a timer of its own: nothing was heard.
            Err(_) => {}
        }
        if heard.rung {
            let _ = events.send(Event::Woken);
        }
        if events.send(Event::Listens(heard.listens)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_storage_call_ends_whatever_happens_in_it() {
        assert_eq!(in_time(CALL_DEADLINE, async { Ok(7) }).await.ok(), Some(7));
        let late = in_time(CALL_DEADLINE, std::future::pending::<Result<()>>()).await.unwrap_err();
        assert!(late.is_transient(), "{late}");
        let panicked = in_time::<()>(CALL_DEADLINE, async { panic!("boom") }).await.unwrap_err();
        assert!(panicked.is_broken() && panicked.to_string().contains("boom"), "{panicked}");
    }
}
