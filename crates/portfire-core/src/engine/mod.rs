//! The server without I/O: events in, effects out.
//!
//! 1. A driver feeds [`Event`]s to [`Engine::on`]; they only change the engine's memory.
//! 2. When no more events are at hand the driver calls [`Engine::step`], which decides what to do next
//!    and says it as [`Effect`]s. Batches form by themselves: whatever arrived meanwhile goes along.
//! 3. The driver performs each effect and reports its end as exactly one event.
//! 4. [`Engine::wake_at`] says when to call `step` again if nothing happens before.
//!
//! Invariants: at most one exchange that writes, one that claims, one poll, one promotion, one sweep, one
//! pruning and one look for strangers are in flight; a failed exchange is repeated, with the same token, until the
//! storage answers; an outcome is never dropped, but by a server whose time to stop is over; jobs in memory never exceed
//! slots plus prefetch, nor do outcomes that wait when more is claimed; nothing starts once the lease is not trusted or
//! the server is stopping.
//!
//! It deliberately does not beat: heartbeats have their own thread, so that they go on while everything
//! else is busy. It only hears of them.

mod fetch;
mod flush;
mod keeper;
mod lease;
mod lines;
mod shutdown;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use fetch::{QueueConfig, QueueOrder};
pub use lines::Line;
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
use lines::{Asked, Lines, Request};
use shutdown::Shutdown;

/// How long jobs wait for a slot while no attempt ends: they were claimed because attempts ended faster than a round trip,
/// and another server may have slots.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Local time: how long the engine has existed, on a monotonic clock.
pub type Moment = Duration;

/// What a server is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many jobs run at once.
    pub slots: u32,
    /// Most jobs claimed beyond free slots, when jobs are shorter than a round trip.
    pub prefetch_max: u32,
    /// From how many outcomes, or free slots under a backlog, a second exchange is made beside the one in flight.
    pub beside_from: u32,
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
    /// The exchange on this line was answered.
    Exchanged(Line, Exchanged),
    /// The exchange on this line failed; whether it was done is unknown.
    ExchangeFailed(Line),
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
    /// The look for strangers in flight ended.
    StrangersSeen,
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
        /// Where it is in flight; its end names it.
        line: Line,
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
    /// Look whether there is anything to do for a server of these queues. Ends in `Polled`.
    Poll(Arc<[Arc<str>]>),
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
    /// Look for jobs of kinds that this server does not know. Ends in `StrangersSeen`.
    LookForStrangers,
    /// A settlement was refused: the lease had been lost.
    ReportLost(Lease),
    /// Everything is given back and written. The engine does nothing more.
    Stopped,
    /// The time to stop is over, and not all is. What is left stays with the lease, so the server must not leave before
    /// it ends. The engine does nothing more.
    GaveUp,
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
    lines: Lines,
    /// How many attempts have ended, ever. Rescues and what is given back are settled, too, but free no slot.
    ended: u64,
    /// How many attempts ended during the round trip of a claim: the last one, or half of what it was before, so
    /// that one short trip among many does not leave slots empty.
    ended_last: u32,
    lease: LeaseWatch,
    keeper: Keeper,
    /// Claimed and waiting for a slot.
    buffered: VecDeque<Box<Claimed>>,
    /// When jobs last came or an attempt last ended.
    moved_at: Moment,
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
            lines: Lines::default(),
            ended: 0,
            ended_last: 0,
            lease: LeaseWatch::new(config.lease),
            keeper: Keeper::new(&config),
            buffered: VecDeque::new(),
            moved_at: Duration::ZERO,
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
            Event::Finished { facts, outcome, notes } => self.on_finished(now, &facts, outcome, notes),
            Event::Noted(notes) => self.flush.note(notes),
            Event::Exchanged(line, answer) => self.on_exchanged(now, line, answer),
            Event::ExchangeFailed(line) => self.lines.failed(line, now),
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
            Event::StrangersSeen => self.keeper.strangers_seen(now),
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
        self.release_what_waits(now);
        if self.phase.may_claim() {
            self.keeper.step(now, effects);
        }
        // Before the attempts are started, so that the storage works while they are.
        self.exchange(now, effects);
        self.start_buffered(effects);
        if !self.running.is_empty() && self.flush.notes_due(now) {
            effects.push(Effect::CollectNotes);
        }
        self.stop_when_done(now, effects);
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
        if !self.buffered.is_empty() {
            at = at.min(self.moved_at + WAIT_MAX);
        }
        at.min(self.lines.repeat_at()).min(self.phase.next())
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
        match answer {
            Some(found) if found.enqueued => self.fetch.found(),
            Some(_) => {}
            None => self.fetch.hint_if(true),
        }
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

    fn on_finished(&mut self, now: Moment, facts: &Facts, outcome: Outcome, notes: Vec<Note>) {
        if let Some(queue) = self.running.remove(&facts.lease) {
            self.fetch.released(queue);
        }
        self.ended += 1;
        self.moved_at = now;
        self.flush.note(notes);
        self.flush.settle(settle(facts, outcome, &mut self.dice));
    }

    fn on_exchanged(&mut self, now: Moment, line: Line, answer: Exchanged) {
        let Some(sent) = self.lines.answered(line) else { return };
        if !answer.settled.is_empty() || !answer.claimed.is_empty() {
            self.keeper.stir(now);
        }
        if let Some(after) = sent.again_after {
            self.keeper.expect(now.saturating_add(after));
        }
        for (own, settled) in sent.own.into_iter().zip(answer.settled) {
            if let (Some(lease), Settled::Lost) = (own, settled) {
                self.pending.push(Effect::ReportLost(lease));
            }
        }
        if let Some(limit) = sent.claim_limit {
            self.on_claimed(now, limit, sent.asked, answer.claimed);
        }
        self.cancel(&answer.cancel);
    }

    fn on_claimed(&mut self, now: Moment, limit: u32, asked: Asked, claimed: Vec<Claimed>) {
        self.keeper.claimed(now);
        if self.fetch.claimed(limit, claimed.len()) {
            self.keeper.suspect(now);
        }
        let ended = self.ended.saturating_sub(asked.ended);
        self.ended_last = u32::try_from(ended).unwrap_or(u32::MAX).max(self.ended_last / 2);
        let claimed: VecDeque<_> = claimed.into_iter().map(Box::new).collect();
        for job in &claimed {
            self.fetch.took(&job.queue);
        }
        if asked.lapses == self.lease.lapses() {
            self.moved_at = now;
            self.buffered.extend(claimed);
        } else {
            // The lease lapsed while the answer was on its way: others may have rescued these.
            self.give_back(claimed);
        }
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

    /// Gives back what waits behind attempts that have turned out to be long, and claims nothing ahead from then on.
    fn release_what_waits(&mut self, now: Moment) {
        if !self.buffered.is_empty() && now >= self.moved_at + WAIT_MAX {
            self.ended_last = 0;
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
        if self.lines.are_repeating() {
            return self.lines.send_again(now, effects);
        }
        while let Some(line) = self.lines.free() {
            let Some(request) = self.next_request(now) else { break };
            let asked = Asked { lapses: self.lease.lapses(), ended: self.ended };
            effects.push(self.lines.send(line, request, asked));
        }
    }

    fn next_request(&mut self, now: Moment) -> Option<Request> {
        let room = self.room();
        let is_batch = |count| count >= self.config.beside_from;
        let write = Part {
            is_due: self.flush.has_something() && !self.lines.are_writing(),
            is_batch: is_batch(count(self.flush.outcomes())),
        };
        let claim = Part {
            is_due: room > 0 && self.may_claim(now),
            is_batch: is_batch(room) && self.fetch.has_backlog(),
        };
        let (writes, claims) = parts(self.lines.are_free(), write, claim);
        let want = if claims { self.fetch.want(room, &self.config.kinds, &mut self.dice) } else { None };
        let request = if writes { self.flush.take() } else { Request::default() };
        (writes || want.is_some()).then_some(Request { want, ..request })
    }

    fn may_claim(&self, now: Moment) -> bool {
        let may = self.phase.may_claim() && self.lease.is_trusted(now) && !self.lines.are_claiming();
        may && self.fetch.is_hungry() && self.outcomes_are_bounded()
    }

    /// A storage that is slow to write outcomes gets no more work, so that they cannot pile up.
    fn outcomes_are_bounded(&self) -> bool {
        let unwritten = self.lines.unwritten() + self.flush.outcomes();
        count(unwritten) <= self.config.slots.saturating_add(self.config.prefetch_max)
    }

    /// How many jobs may be claimed: free slots, and as many more as ended during the last round trip,
    /// because that many slots will be free when the answer is here.
    fn room(&self) -> u32 {
        let prefetch = self.ended_last.min(self.config.prefetch_max);
        let held = count(self.running.len() + self.buffered.len());
        self.config.slots.saturating_add(prefetch).saturating_sub(held)
    }

    fn stop_when_done(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let idle = self.running.is_empty()
            && self.buffered.is_empty()
            && self.flush.is_empty()
            && self.lines.are_free();
        if self.phase.is_stopping() && idle {
            self.phase.stopped();
            effects.push(Effect::Stopped);
        } else if self.phase.gives_up(now) {
            self.phase.stopped();
            effects.push(Effect::GaveUp);
        }
    }
}

/// One of the two parts of an exchange.
#[derive(Clone, Copy)]
struct Part {
    is_due: bool,
    /// Worth a commit of its own.
    is_batch: bool,
}

/// Whether the next exchange writes and whether it claims: all that is due, in one commit. Beside another goes only
/// what is a batch, and two batches go side by side.
const fn parts(alone: bool, write: Part, claim: Part) -> (bool, bool) {
    let writes = write.is_due && (alone || write.is_batch);
    let apart = writes && write.is_batch && claim.is_batch;
    let claims = claim.is_due && (alone || claim.is_batch) && !apart;
    (writes, claims)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Nothing is planned: later than any real moment.
const NEVER: Moment = Duration::MAX;
