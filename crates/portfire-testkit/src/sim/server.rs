//! A simulated server: the real engine, and hands that do what the driver's do, in virtual time.
//!
//! 1. A host starts a process; its first heartbeat has to be answered, as in `Server::start`.
//! 2. What happens to it waits in its inbox until its next turn, when the engine steps once.
//! 3. Each effect is performed and ends in one event, unless the process is gone by then.
//! 4. A killed process forgets everything at once, and its host starts another, with another identity.
//!    A paused one stands still, heartbeat and handlers included, and then goes on as if nothing were.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::engine::{Config, Effect, Engine, Event, Line, Moment, QueueConfig, QueueOrder};
use portfire_core::storage::{Beat, Claimed, Exchange, ServerInfo};
use portfire_core::{Clock, IdSequence, Lease, ServerId};

use super::agenda::{Happening, Life};
use super::attempt::{Attempt, Ending};
use super::clock::LocalClock;
use super::invariants::{
    Holds, a_server_keeps_to_its_slots, a_stopped_server_leaves_nothing, holds, nobody_else_holds_it,
};
use super::net::{Call, Caller, Reply};
use super::world::{Play, World};

/// How long the driver waits for one storage call.
const DEADLINE: Duration = Duration::from_secs(30);
/// Alarms in a row, without time to speak of between them, that only a loop that spins can explain.
const SPINS_MAX: u32 = 1_000;

/// A machine on which one server runs at a time.
#[derive(Debug)]
pub(super) struct Host {
    ids: IdSequence,
    lives: u32,
    pub(super) state: HostState,
}

#[derive(Debug)]
pub(super) enum HostState {
    /// No process; one will start.
    Down,
    /// The first heartbeat has not been answered.
    Starting(Life, ServerId, LocalClock),
    /// A server works.
    Up(Box<Server>),
    /// No process, and none will start.
    Retired,
}

/// One process.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) life: Life,
    pub(super) id: ServerId,
    pub(super) clock: LocalClock,
    engine: Engine,
    lease: Duration,
    slots: u32,
    inbox: Vec<Event>,
    has_turn: bool,
    pub(super) attempts: BTreeMap<Lease, Attempt>,
    alarm: u64,
    alarmed_at: Moment,
    spins: u32,
    pub(super) pace: Pace,
    /// Its heartbeats do not get through.
    pub(super) is_deaf: bool,
    /// What was due while it stood still.
    missed: Vec<Happening>,
}

/// How much of a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// All of it.
    Runs,
    /// Its heartbeat thread has woken, its driver has not.
    Wakes,
    /// Nothing.
    Stands,
}

impl Host {
    pub(super) const fn new(ids: IdSequence) -> Self {
        Self { ids, lives: 0, state: HostState::Down }
    }

    pub(super) fn server(&mut self) -> Option<&mut Server> {
        if let HostState::Up(server) = &mut self.state { Some(server) } else { None }
    }
}

impl Server {
    fn new(life: Life, id: ServerId, clock: LocalClock, config: Config, dice: portfire_core::Dice) -> Self {
        Self {
            life,
            id,
            clock,
            lease: config.lease,
            slots: config.slots,
            engine: Engine::new(config, dice),
            inbox: Vec::new(),
            has_turn: false,
            attempts: BTreeMap::new(),
            alarm: 0,
            alarmed_at: Duration::ZERO,
            spins: 0,
            pace: Pace::Runs,
            is_deaf: false,
            missed: Vec::new(),
        }
    }

    /// What it runs in good faith: it has had time to notice a lost lease, and nobody has asked the
    /// attempt to stop.
    pub(super) fn trusted(&self) -> impl Iterator<Item = Lease> {
        let in_faith =
            self.attempts.iter().filter(|(_, attempt)| self.pace == Pace::Runs && !attempt.is_interrupted);
        in_faith.map(|(lease, _)| *lease)
    }
}

impl World {
    /// The server of this life, if it has not ended.
    pub(super) fn alive(&mut self, life: Life) -> Option<&mut Server> {
        self.hosts[life.host].server().filter(|server| server.life == life)
    }

    /// Keeps what happens to a process that stands still until it goes on.
    pub(super) fn is_put_off(&mut self, life: Life, what: Happening) -> bool {
        let Some(server) = self.alive(life) else { return false };
        let waits = match server.pace {
            Pace::Runs => false,
            Pace::Wakes => !matches!(what, Happening::BeatDue(_)),
            Pace::Stands => true,
        };
        if !waits {
            return false;
        }
        server.missed.push(what);
        true
    }

    pub(super) fn start(&mut self, host: usize) {
        if !matches!(self.hosts[host].state, HostState::Down) {
            return;
        }
        if self.scenario.is_outage(self.agenda.now().as_secs()) {
            return self.agenda.after(Duration::from_secs(1), Happening::Starts(host));
        }
        let (now, wall) = (self.agenda.now(), self.clock.now());
        let drift = self.odds().drift;
        let clock = LocalClock::start(now, self.luck.number(1_000 - drift, 1_000 + drift));
        let machine = &mut self.hosts[host];
        machine.lives += 1;
        let (life, id) = (Life { host, number: machine.lives }, machine.ids.server(wall));
        machine.state = HostState::Starting(life, id, clock);
        self.say(|names| format!("host {host} starts {}", names.server(id)));
        self.beat(Caller::Birth(life), id);
    }

    fn beat(&mut self, caller: Caller, server: ServerId) {
        let beat = Beat { server, lease: self.lease, info: ServerInfo::default() };
        self.send(caller, Call::Beat(beat), self.lease / 3);
    }

    /// The first heartbeat was answered, or not.
    pub(super) fn born(&mut self, life: Life, reply: Option<&Reply>) {
        let HostState::Starting(starting, id, clock) = self.hosts[life.host].state else { return };
        if starting != life {
            return;
        }
        if reply.is_none() {
            self.hosts[life.host].state = HostState::Down;
            let pause = self.luck.millis(500, 3_000);
            self.agenda.after(pause, Happening::Starts(life.host));
            return;
        }
        let config = self.config(life.host);
        let server = Server::new(life, id, clock, config, self.luck.dice());
        self.hosts[life.host].state = HostState::Up(Box::new(server));
        self.plan_beat(life);
        if self.luck.chance(800) {
            self.tell(life, Event::Listens(true));
        }
        self.agenda.after(Duration::ZERO, Happening::Turn(life));
    }

    fn config(&mut self, host: usize) -> Config {
        let queue = |name: &str, slots| QueueConfig { name: name.into(), weight: 1, slots };
        let weighted = self.luck.chance(500);
        let mut kinds = vec!["work".into(), "flaky".into(), "slow".into(), "snooze".into(), "poison".into()];
        if host == 0 {
            kinds.push("rare".into());
        }
        let slots = u32::try_from(self.luck.number(2, 5)).unwrap_or(2);
        Config {
            slots,
            prefetch_max: slots * 2,
            beside_from: u32::try_from(self.luck.number(1, 4)).unwrap_or(1),
            queues: vec![queue("default", None), queue("mail", self.luck.chance(500).then_some(1))],
            order: if weighted { QueueOrder::Weighted } else { QueueOrder::Strict },
            kinds: Arc::from(kinds),
            lease: self.lease,
            poll: self.luck.millis(self.scenario.poll.0, self.scenario.poll.1),
            poll_alone: self.luck.millis(self.scenario.poll.0, self.scenario.poll.1),
            shutdown: self.luck.millis(2_000, 20_000),
        }
    }

    fn plan_beat(&mut self, life: Life) {
        let now = self.agenda.now();
        let Some(server) = self.alive(life) else { return };
        let due = server.clock.when(server.clock.at(now) + server.lease / 3);
        self.agenda.at(due.unwrap_or(now), Happening::BeatDue(life));
    }

    pub(super) fn beat_due(&mut self, life: Life) {
        let now = self.agenda.now();
        let Some(server) = self.alive(life) else { return };
        let (id, sent_at, is_deaf) = (server.id, server.clock.at(now), server.is_deaf);
        if is_deaf {
            self.plan_beat(life);
        } else {
            self.beat(Caller::Pulse(life, sent_at), id);
        }
    }

    pub(super) fn beaten(&mut self, life: Life, sent_at: Moment, reply: Option<Reply>) {
        if let Some(Reply::Beaten(answer)) = reply {
            self.tell(life, Event::Beaten { sent_at, cancel: answer.cancel, order: answer.order });
        }
        self.plan_beat(life);
    }

    /// Puts an event into a server's inbox; its turn comes a moment later, with whatever came meanwhile.
    pub(super) fn tell(&mut self, life: Life, event: Event) {
        let delay = self.luck.millis(0, 1);
        let Some(server) = self.alive(life) else { return };
        server.inbox.push(event);
        if !std::mem::replace(&mut server.has_turn, true) {
            self.agenda.after(delay, Happening::Turn(life));
        }
    }

    /// An alarm goes off; one that has been set anew meanwhile is not heard.
    pub(super) fn alarm(&mut self, life: Life, number: u64) -> Holds {
        let now = self.agenda.now();
        let Some(server) = self.alive(life).filter(|server| server.alarm == number) else { return Ok(()) };
        let is_soon = now.saturating_sub(server.alarmed_at) < Duration::from_millis(1);
        server.spins = if is_soon { server.spins + 1 } else { 0 };
        server.alarmed_at = now;
        let (id, spins) = (server.id, server.spins);
        holds(6, spins < SPINS_MAX, || format!("server {id} steps without pause and without effect"))?;
        self.turn(life)
    }

    /// Judges what this host's server runs.
    pub(super) fn check_faith(&self, host: usize) -> Holds {
        let HostState::Up(server) = &self.hosts[host].state else { return Ok(()) };
        if !self.profile.keeps_time() {
            return Ok(());
        }
        server.trusted().try_for_each(|lease| nobody_else_holds_it(&self.ledger, lease, server.id))
    }

    /// What a driver does once around its loop.
    pub(super) fn turn(&mut self, life: Life) -> Holds {
        let now = self.agenda.now();
        let Some(server) = self.alive(life) else { return Ok(()) };
        let local = server.clock.at(now);
        server.has_turn = false;
        for event in std::mem::take(&mut server.inbox) {
            server.engine.on(local, event);
        }
        let mut effects = Vec::new();
        server.engine.step(local, &mut effects);
        for effect in effects {
            self.perform(life, effect)?;
        }
        self.set_alarm(life);
        self.check_faith(life.host)
    }

    pub(super) fn set_alarm(&mut self, life: Life) {
        let now = self.agenda.now();
        let Some(server) = self.alive(life) else { return };
        server.alarm += 1;
        let (at, alarm) = (server.clock.when(server.engine.wake_at()), server.alarm);
        if let Some(at) = at {
            // A timer is never exact; and a loop that spins must not stop the time.
            self.agenda.at(at.max(now) + Duration::from_micros(1), Happening::Alarm(life, alarm));
        }
    }

    fn perform(&mut self, life: Life, effect: Effect) -> Holds {
        let caller = Caller::Driver(life);
        match effect {
            Effect::Exchange { line, notes, settlements, want } => {
                let Some(server) = self.alive(life).map(|server| server.id) else { return Ok(()) };
                let exchange = Exchange { server, notes, settlements, want };
                self.tally.beside += u64::from(line == Line::Second);
                self.send(Caller::Line(life, line), Call::Exchange(exchange), DEADLINE);
            }
            Effect::Poll(queues) => self.send(caller, Call::Poll(queues), DEADLINE),
            Effect::Promote(limit) => self.send(caller, Call::Promote(limit), DEADLINE),
            Effect::LookForSchedules(limit) => self.send(caller, Call::Due(limit), DEADLINE),
            Effect::Fire(firings) => self.send(caller, Call::Fire(firings), DEADLINE),
            Effect::Sweep(limit) => self.send(caller, Call::Sweep(limit), DEADLINE),
            Effect::Prune(limit) => self.send(caller, Call::Prune(limit), DEADLINE),
            // It only reads, and says what it finds to the log.
            Effect::LookForStrangers => self.tell(life, Event::StrangersSeen),
            Effect::Run(claimed) => return self.run_attempt(life, &claimed),
            Effect::Interrupt(lease) => self.interrupt(life, lease),
            Effect::AbortAll => self.abort_all(life),
            Effect::CollectNotes => self.collect_notes(life),
            Effect::ReportLost(lease) => {
                self.tally.refused += 1;
                self.say(|names| format!("host {} learns that it lost {}", life.host, names.lease(lease)));
            }
            Effect::Stopped => return self.stopped(life),
            Effect::GaveUp => self.gave_up(life),
        }
        Ok(())
    }

    /// What became of an exchange of the driver.
    pub(super) fn line_heard(&mut self, life: Life, line: Line, reply: Option<Reply>) {
        let event = match reply {
            Some(Reply::Exchanged(answer)) => Event::Exchanged(line, answer),
            _ => Event::ExchangeFailed(line),
        };
        self.tell(life, event);
    }

    /// What became of another call of the driver.
    pub(super) fn driver_heard(&mut self, life: Life, call: &Call, reply: Option<Reply>) {
        let event = match (call, reply) {
            (Call::Poll(_), Some(Reply::Polled(answer))) => Event::Polled(Some(answer)),
            (Call::Poll(_), _) => Event::Polled(None),
            (Call::Promote(_), Some(Reply::Promoted(answer))) => Event::Promoted(Some(answer)),
            (Call::Promote(_), _) => Event::Promoted(None),
            (Call::Due(_), Some(Reply::Due(due))) => Event::SchedulesSeen(Some(due)),
            (Call::Due(_), _) => Event::SchedulesSeen(None),
            (Call::Fire(_), Some(Reply::Fired(fired))) => Event::Fired(Some(fired)),
            (Call::Fire(_), _) => Event::Fired(None),
            (Call::Sweep(_), Some(Reply::Swept(expired))) => Event::Swept(Some(expired)),
            (Call::Sweep(_), _) => Event::Swept(None),
            (Call::Prune(_), Some(Reply::Pruned(count))) => Event::Pruned(Some(count)),
            (Call::Prune(_), _) => Event::Pruned(None),
            _ => return,
        };
        self.tell(life, event);
    }

    fn run_attempt(&mut self, life: Life, claimed: &Claimed) -> Holds {
        let attempt = Attempt::begin(claimed, self.agenda.now(), &mut self.luck, self.play);
        let (lease, ends_at) = (claimed.facts.lease, attempt.ends_at);
        self.say(|names| format!("host {} runs {} ({})", life.host, names.lease(lease), claimed.facts.kind));
        self.agenda.at(ends_at, Happening::AttemptEnds(life, lease));
        let Some(server) = self.alive(life) else { return Ok(()) };
        server.attempts.insert(lease, attempt);
        a_server_keeps_to_its_slots(server.id, server.slots, server.attempts.len())
    }

    fn interrupt(&mut self, life: Life, lease: Lease) {
        let now = self.agenda.now();
        let HostState::Up(server) = &mut self.hosts[life.host].state else { return };
        let Some(attempt) = server.attempts.get_mut(&lease) else { return };
        if attempt.interrupt(now, &mut self.luck) {
            self.agenda.at(attempt.ends_at, Happening::AttemptEnds(life, lease));
        }
        self.say(|names| format!("host {} interrupts {}", life.host, names.lease(lease)));
    }

    fn abort_all(&mut self, life: Life) {
        let now = self.agenda.now();
        let Some(server) = self.alive(life) else { return };
        let leases: Vec<_> = server.attempts.keys().copied().collect();
        server.attempts.values_mut().for_each(|attempt| attempt.abort(now));
        for lease in leases {
            self.agenda.after(Duration::ZERO, Happening::AttemptEnds(life, lease));
        }
    }

    fn collect_notes(&mut self, life: Life) {
        let wall = self.clock.now();
        let HostState::Up(server) = &mut self.hosts[life.host].state else { return };
        let talking = server.attempts.values_mut().filter(|_| self.luck.chance(100));
        let notes: Vec<_> = talking.flat_map(|attempt| attempt.notes(wall)).collect();
        if !notes.is_empty() {
            self.tell(life, Event::Noted(notes));
        }
    }

    /// An attempt has come to its end, if that end has not been moved.
    pub(super) fn attempt_ends(&mut self, life: Life, lease: Lease) {
        let (now, wall) = (self.agenda.now(), self.clock.now());
        let Some(server) = self.alive(life) else { return };
        if server.attempts.get(&lease).is_none_or(|attempt| attempt.ends_at > now) {
            return;
        }
        let Some(mut attempt) = server.attempts.remove(&lease) else { return };
        let notes = attempt.notes(wall);
        let facts = Box::new(attempt.facts.clone());
        match attempt.end() {
            Ending::Kills => {
                self.say(|names| format!("{} kills its process", names.lease(lease)));
                self.crash(life);
            }
            Ending::Outcome(outcome) => {
                self.say(|names| format!("{} ends: {}", names.lease(lease), outcome.as_str()));
                self.tell(life, Event::Finished { facts, outcome, notes });
            }
        }
    }

    /// The process is gone, with all it knew. What it has sent is still on its way.
    pub(super) fn crash(&mut self, life: Life) {
        if self.alive(life).is_none() {
            return;
        }
        self.tally.crashes += 1;
        self.say(|_| format!("host {} is killed", life.host));
        self.end_life(life);
    }

    fn end_life(&mut self, life: Life) {
        let stays_down = self.play == Play::Closing;
        self.hosts[life.host].state = if stays_down { HostState::Retired } else { HostState::Down };
        let pause = if self.luck.chance(300) {
            self.luck.millis(20_000, 60_000)
        } else {
            self.luck.millis(100, 3_000)
        };
        let pause = if self.play == Play::Storm { pause } else { Duration::from_millis(100) };
        self.agenda.after(pause, Happening::Starts(life.host));
    }

    fn stopped(&mut self, life: Life) -> Holds {
        let Some(server) = self.alive(life).map(|server| server.id) else { return Ok(()) };
        self.tally.stops += 1;
        self.say(|names| format!("host {} has stopped {}", life.host, names.server(server)));
        a_stopped_server_leaves_nothing(&self.ledger, server)?;
        self.send(Caller::Nobody, Call::Leave(server), DEADLINE);
        self.end_life(life);
        Ok(())
    }

    /// It could not give back everything, so what it holds stays with its lease.
    fn gave_up(&mut self, life: Life) {
        self.tally.given_up += 1;
        self.say(|_| format!("host {} gives up its stop", life.host));
        self.end_life(life);
    }

    /// The process stands still.
    pub(super) fn pause(&mut self, life: Life, time: Duration) {
        let Some(server) = self.alive(life) else { return };
        server.pace = Pace::Stands;
        self.tally.pauses += 1;
        self.say(|_| format!("host {} stands still for {:.1} s", life.host, time.as_secs_f64()));
        self.agenda.after(time, Happening::Resumes(life));
    }

    /// The process goes on. Its heartbeat thread may be far ahead of its driver.
    pub(super) fn resume(&mut self, life: Life) {
        let delay = self.luck.millis(0, 500);
        let Some(server) = self.alive(life).filter(|server| server.pace == Pace::Stands) else { return };
        server.pace = Pace::Wakes;
        let (beats, rest) = std::mem::take(&mut server.missed).into_iter().partition(is_beat);
        server.missed = rest;
        self.say(|_| format!("host {} goes on", life.host));
        self.agenda.after(delay, Happening::Wakes(life));
        for beat in beats {
            self.agenda.after(Duration::ZERO, beat);
        }
    }

    /// The driver goes on: its first turn finds whatever has come meanwhile.
    pub(super) fn wake(&mut self, life: Life) -> Holds {
        let Some(server) = self.alive(life).filter(|server| server.pace == Pace::Wakes) else {
            return Ok(());
        };
        server.pace = Pace::Runs;
        for what in std::mem::take(&mut server.missed) {
            self.agenda.after(Duration::ZERO, what);
        }
        self.turn(life)
    }
}

const fn is_beat(what: &Happening) -> bool {
    matches!(what, Happening::BeatDue(_))
}
