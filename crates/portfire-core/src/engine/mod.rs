//! The server without I/O: events in, effects out.
//!
//! 1. A driver feeds [`Event`]s to [`Engine::on`]; they only change the engine's memory.
//! 2. When no more events are at hand the driver calls [`Engine::step`], which decides what to do next
//!    and says it as [`Effect`]s. Batches form by themselves: whatever arrived meanwhile goes along.
//! 3. The driver performs each effect and reports its end as exactly one event.
//! 4. [`Engine::wake_at`] says when to call `step` again if nothing happens before.
//!
//! Invariants: at most one exchange, one poll, one promotion, one sweep and one pruning are in flight; a failed
//! exchange is repeated, with the same token, until the storage answers; an outcome is never
//! dropped; jobs in memory never exceed slots plus prefetch; nothing starts once the lease is not trusted
//! or the server is stopping.
//!
//! It deliberately does not beat: heartbeats have their own thread, so that they go on while everything
//! else is busy. It only hears of them.

mod fetch;
mod flush;
mod keeper;
mod lease;
mod shutdown;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use fetch::{QueueConfig, QueueOrder};
pub use shutdown::Phase;

use crate::schedule::{Firing, plan};
use crate::storage::{
    Claimed, DueSchedules, Exchanged, Expired, Fired, Note, Polled, Promoted, ServerOrder, Settled, Want,
};
use crate::{Dice, Facts, IdSequence, Lease, Outcome, Settlement, settle};
use fetch::Fetch;
use flush::Flush;
use keeper::Keeper;
use lease::LeaseWatch;
use shutdown::Shutdown;

/// Local time: how long the engine has existed, on a monotonic clock.
pub type Moment = Duration;

/// What a server is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many jobs run at once.
    pub slots: u32,
    /// Most jobs claimed beyond free slots, when jobs are shorter than a round trip.
    pub prefetch_max: u32,
    /// The queues and how they share the slots.
    pub queues: Vec<QueueConfig>,
    /// Strict or weighted.
    pub order: QueueOrder,
    /// The kinds this server knows.
    pub kinds: Arc<[Box<str>]>,
    /// How long the lease lasts after a heartbeat.
    pub lease: Duration,
    /// The longest time between two looks for work, while hints of what others do are heard.
    pub poll: Duration,
    /// The same, while none can be heard.
    pub poll_alone: Duration,
    /// How long a stop may take.
    pub shutdown: Duration,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// There may be work, or a cancel request.
    Woken,
    /// Whether hints of what others do would be heard. Assumed not to be until it is said.
    Listens(bool),
    /// An attempt ended. Its last notes come with it.
    Finished {
        /// The facts the claim came with.
        facts: Box<Facts>,
        /// What it came to.
        outcome: Outcome,
        /// What it said last.
        notes: Vec<Note>,
    },
    /// Running attempts said something.
    Noted(Vec<Note>),
    /// The exchange in flight was answered.
    Exchanged(Exchanged),
    /// The exchange in flight failed; whether it was done is unknown.
    ExchangeFailed,
    /// A heartbeat that was sent at this moment was answered.
    Beaten {
        /// When it was sent: trust is counted from here.
        sent_at: Moment,
        /// Running jobs that somebody wants cancelled.
        cancel: Vec<Lease>,
        /// What an operator wants of the server.
        order: ServerOrder,
    },
    /// The poll in flight ended.
    Polled(Option<Polled>),
    /// The promotion in flight ended.
    Promoted(Option<Promoted>),
    /// The look for due schedules in flight ended.
    SchedulesSeen(Option<DueSchedules>),
    /// The firing in flight ended.
    Fired(Option<Vec<Fired>>),
    /// The sweep in flight ended.
    Swept(Option<Vec<Expired>>),
    /// The pruning in flight ended.
    Pruned(Option<u32>),
    /// Take no more jobs, but stay. This is the owner's wish, which no operator's order to run undoes.
    QuietAsked,
    /// Stop.
    StopAsked,
    /// Stop, no later than this long from now, nor later than the server's own limit.
    StopAskedWithin(Duration),
}

/// Something to do.
#[derive(Debug)]
pub enum Effect {
    /// Make this exchange. Ends in `Exchanged` or `ExchangeFailed`.
    Exchange {
        /// What running attempts said.
        notes: Vec<Note>,
        /// What ended attempts become.
        settlements: Vec<Settlement>,
        /// What to claim.
        want: Option<Want>,
    },
    /// Start this attempt. Ends in `Finished`.
    Run(Box<Claimed>),
    /// Ask this attempt to stop, through its cancellation token.
    Interrupt(Lease),
    /// Drop all attempts that still run. Each ends in `Finished`.
    AbortAll,
    /// Collect what running attempts said. Ends in `Noted` if there is anything.
    CollectNotes,
    /// Look whether there is anything to do. Ends in `Polled`.
    Poll,
    /// Promote up to this many due jobs. Ends in `Promoted`.
    Promote(u32),
    /// Look for up to this many schedules that are due. Ends in `SchedulesSeen`.
    LookForSchedules(u32),
    /// Carry out these firings. Ends in `Fired`.
    Fire(Vec<Firing>),
    /// Look for up to this many jobs of dead servers.
    Sweep(u32),
    /// Delete up to this many old jobs.
    Prune(u32),
    /// A settlement was refused: the lease had been lost.
    ReportLost(Lease),
    /// Everything is given back and written. The engine does nothing more.
    Stopped,
}

/// One server's mind.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    dice: Dice,
    /// Names the jobs that schedules make.
    ids: IdSequence,
    phase: Shutdown,
    fetch: Fetch,
    flush: Flush,
    lease: LeaseWatch,
    /// The lapses of the lease when the exchange in flight was first sent.
    asked_in: u32,
    keeper: Keeper,
    /// Claimed and waiting for a slot.
    buffered: VecDeque<Box<Claimed>>,
    /// Running, with the index of the queue each came from. By lease: a server that lost a job may claim
    /// it again while the attempt it was asked to stop still runs.
    running: BTreeMap<Lease, usize>,
    /// Said at the next step.
    pending: Vec<Effect>,
}

impl Engine {
    /// An engine that has just sent its first heartbeat successfully, at moment zero.
    pub fn new(config: Config, mut dice: Dice) -> Self {
        Self {
            ids: IdSequence::new(Dice::from_seed([dice.bits(), dice.bits()])),
            phase: Shutdown::new(config.shutdown),
            fetch: Fetch::new(config.queues.clone(), config.order),
            flush: Flush::default(),
            lease: LeaseWatch::new(config.lease),
            asked_in: 0,
            keeper: Keeper::new(&config),
            buffered: VecDeque::new(),
            running: BTreeMap::new(),
            pending: Vec::new(),
            config,
            dice,
        }
    }

    /// Where the server is in its life.
    pub const fn phase(&self) -> Phase {
        self.phase.phase()
    }

    /// How many jobs run now.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Takes in what happened.
    pub fn on(&mut self, now: Moment, event: Event) {
        match event {
            Event::Woken => self.on_woken(now),
            Event::Listens(listens) => self.keeper.listens(now, listens),
            Event::Finished { facts, outcome, notes } => self.on_finished(&facts, outcome, notes),
            Event::Noted(notes) => self.flush.note(notes),
            Event::Exchanged(answer) => self.on_exchanged(now, answer),
            Event::ExchangeFailed => self.flush.failed(now),
            Event::Beaten { sent_at, cancel, order } => {
                self.lease.renewed(sent_at);
                self.cancel(&cancel);
                self.on_ordered(now, order);
            }
            Event::Polled(answer) => self.on_polled(now, answer),
            Event::Promoted(answer) => {
                let promoted = answer.map_or(0, |promoted| promoted.count);
                self.keeper.promoted(now, answer);
                self.fetch.hint_if(promoted > 0);
            }
            Event::SchedulesSeen(seen) => self.on_schedules_seen(now, seen),
            Event::Fired(None) => self.keeper.firing_failed(now),
            Event::Fired(Some(_)) => {
                self.keeper.fired(now);
                self.fetch.hint_if(true);
            }
            Event::Swept(expired) => self.on_swept(now, expired),
            Event::Pruned(answer) => self.keeper.pruned(now, answer),
            Event::QuietAsked => self.phase.quiet(),
            Event::StopAsked => self.phase.stop(now, Duration::MAX),
            Event::StopAskedWithin(limit) => self.phase.stop(now, limit),
        }
    }

    /// Decides what to do now.
    pub fn step(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        effects.append(&mut self.pending);
        if self.phase() == Phase::Stopped {
            return;
        }
        self.advance_shutdown(now, effects);
        self.watch_lease(now, effects);
        if self.phase.may_claim() {
            self.keeper.step(now, effects);
        }
        // Before the attempts are started, so that the storage works while they are.
        self.exchange(now, effects);
        self.start_buffered(effects);
        if !self.running.is_empty() && self.flush.notes_due(now) {
            effects.push(Effect::CollectNotes);
        }
        self.stop_when_done(effects);
    }

    /// When to step again if nothing happens before.
    pub fn wake_at(&self) -> Moment {
        let mut at = self.lease.next();
        if self.phase.may_claim() {
            at = at.min(self.keeper.next());
        }
        if !self.running.is_empty() {
            at = at.min(self.flush.notes_at());
        }
        at.min(self.flush.retry_at()).min(self.phase.next())
    }

    fn on_woken(&mut self, now: Moment) {
        self.fetch.hint_if(true);
        self.keeper.hint(now);
        if !self.running.is_empty() {
            self.flush.ask();
        }
    }

    /// What may be enqueued is claimed; a look that failed may have missed something.
    fn on_polled(&mut self, now: Moment, answer: Option<Polled>) {
        self.keeper.polled(now, answer);
        self.fetch.hint_if(answer.is_none_or(|found| found.enqueued));
        if self.keeper.is_alone() && !self.running.is_empty() {
            self.flush.ask(); // Nobody else would tell of a cancel request before the next heartbeat.
        }
    }

    /// An order that holds already changes nothing: it comes with every heartbeat.
    fn on_ordered(&mut self, now: Moment, order: ServerOrder) {
        let may_claim = self.phase.may_claim();
        self.phase.ordered(now, order);
        self.fetch.hint_if(!may_claim && self.phase.may_claim());
    }

    fn on_finished(&mut self, facts: &Facts, outcome: Outcome, notes: Vec<Note>) {
        if let Some(queue) = self.running.remove(&facts.lease) {
            self.fetch.released(queue);
        }
        self.flush.note(notes);
        self.flush.settle(settle(facts, outcome, &mut self.dice));
    }

    fn on_exchanged(&mut self, now: Moment, answer: Exchanged) {
        let sent = self.flush.answered();
        if !answer.settled.is_empty() || !answer.claimed.is_empty() {
            self.keeper.stir(now);
        }
        if let Some(after) = sent.again_after {
            self.keeper.expect(now.saturating_add(after));
        }
        for (lease, settled) in sent.leases.into_iter().zip(answer.settled) {
            if settled == Settled::Lost {
                self.pending.push(Effect::ReportLost(lease));
            }
        }
        if let Some(limit) = sent.claim_limit {
            self.fetch.claimed(limit, answer.claimed.len());
        }
        let claimed: VecDeque<_> = answer.claimed.into_iter().map(Box::new).collect();
        for job in &claimed {
            self.fetch.took(&job.queue);
        }
        if self.asked_in == self.lease.lapses() {
            self.buffered.extend(claimed);
        } else {
            // The lease lapsed while the answer was on its way: others may have rescued these.
            self.give_back(claimed);
        }
        self.cancel(&answer.cancel);
    }

    /// Plans what becomes of each; the storage carries it out if nobody was faster.
    fn on_schedules_seen(&mut self, now: Moment, seen: Option<DueSchedules>) {
        let Some(seen) = seen else { return self.keeper.firing_failed(now) };
        self.keeper.schedules_seen(seen.due.len());
        let firings: Vec<_> = seen.due.iter().filter_map(|due| plan(due, seen.now, &mut self.ids)).collect();
        if firings.is_empty() {
            self.keeper.fired(now);
        } else {
            self.pending.push(Effect::Fire(firings));
        }
    }

    fn on_swept(&mut self, now: Moment, expired: Option<Vec<Expired>>) {
        self.keeper.swept(now, expired.as_ref().map(Vec::len));
        for dead in expired.into_iter().flatten() {
            self.flush.settle(settle(&dead.facts, Outcome::Crashed, &mut self.dice));
            // A rescued job is often enqueued again at once.
            self.fetch.hint_if(true);
        }
    }

    fn cancel(&mut self, leases: &[Lease]) {
        for lease in leases {
            if self.running.contains_key(lease) {
                self.pending.push(Effect::Interrupt(*lease));
            }
        }
        // A job that has not started yet is settled without starting; its flag makes it cancelled.
        let (stopped, kept): (VecDeque<_>, _) =
            self.buffered.drain(..).partition(|claimed| leases.contains(&claimed.facts.lease));
        self.buffered = kept;
        self.give_back(stopped);
    }

    fn watch_lease(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let just_lost = self.lease.just_lost(now);
        if just_lost {
            effects.extend(self.running.keys().map(|lease| Effect::Interrupt(*lease)));
        }
        if just_lost || !self.lease.is_trusted(now) || self.phase.is_stopping() {
            let buffered = std::mem::take(&mut self.buffered);
            self.give_back(buffered);
        }
    }

    fn advance_shutdown(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        match self.phase.advance(now) {
            Some(Phase::Interrupting) => {
                effects.extend(self.running.keys().map(|lease| Effect::Interrupt(*lease)));
            }
            Some(Phase::Aborting) => effects.push(Effect::AbortAll),
            _ => {}
        }
    }

    fn give_back(&mut self, claimed: VecDeque<Box<Claimed>>) {
        for job in claimed {
            self.fetch.gave_back(&job.queue);
            self.flush.settle(settle(&job.facts, Outcome::Interrupted, &mut self.dice));
        }
    }

    fn start_buffered(&mut self, effects: &mut Vec<Effect>) {
        let slots = usize::try_from(self.config.slots).unwrap_or(usize::MAX);
        while self.running.len() < slots {
            let Some(claimed) = self.buffered.pop_front() else { break };
            self.running.insert(claimed.facts.lease, self.fetch.index_of(&claimed.queue));
            effects.push(Effect::Run(claimed));
        }
    }

    fn exchange(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if !self.flush.may_send(now) {
            return;
        }
        let room = self.room();
        let may_claim = self.phase.may_claim() && self.lease.is_trusted(now) && room > 0;
        let want = if may_claim && self.fetch.is_hungry() && !self.flush.repeats() {
            self.fetch.want(room, &self.config.kinds, &mut self.dice)
        } else {
            None
        };
        if want.is_some() || self.flush.has_something() {
            // A repetition answers what was claimed at the first try.
            if !self.flush.repeats() {
                self.asked_in = self.lease.lapses();
            }
            effects.push(self.flush.send(want));
        }
    }

    /// How many jobs may be claimed: free slots, and as many more as ended during the last round trip,
    /// because that many slots will be free when the answer is here.
    fn room(&self) -> u32 {
        let held = u32::try_from(self.running.len() + self.buffered.len()).unwrap_or(u32::MAX);
        let prefetch = self.flush.ended_last().min(self.config.prefetch_max);
        (self.config.slots + prefetch).saturating_sub(held)
    }

    fn stop_when_done(&mut self, effects: &mut Vec<Effect>) {
        let idle = self.running.is_empty() && self.buffered.is_empty() && self.flush.is_idle();
        if self.phase.is_stopping() && idle {
            self.phase.stopped();
            effects.push(Effect::Stopped);
        }
    }
}

/// Nothing is planned: later than any real moment.
const NEVER: Moment = Duration::MAX;
