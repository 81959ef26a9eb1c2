//! The simulated world: who takes part, what happens next, and what stage the play is at.
//!
//! 1. **Storm**: producers produce, operators interfere, everything goes wrong by dice.
//! 2. **Calm**: nothing goes wrong any more, and everything due must end.
//! 3. **Closing**: all servers are stopped well, and must leave nothing.
//!
//! One seed is one run: every decision is drawn from one source, in the order of the agenda.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::{IdSequence, ModelStorage, Storage};

use super::agenda::{Agenda, Happening, Life};
use super::calls::Calls;
use super::clock::StorageClock;
use super::invariants::{Holds, holds};
use super::ledger::Ledger;
use super::producers::Producer;
use super::profile::{Odds, Profile};
use super::report::{Report, Tally};
use super::scenario::{LINGER, Scenario};
use super::server::{Host, HostState};
use super::trace::{Names, Trace};
use crate::luck::Luck;

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Play {
    Storm,
    Calm,
    Closing,
}

/// Makes the storage of a world of the model.
pub(super) type Wrap<'a> = &'a dyn Fn(ModelStorage) -> Box<dyn Storage>;

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) profile: Profile,
    pub(super) scenario: Scenario,
    pub(super) play: Play,
    pub(super) luck: Luck,
    pub(super) agenda: Agenda,
    pub(super) clock: Arc<StorageClock>,
    pub(super) storage: Box<dyn Storage>,
    /// How long leases last in this run.
    pub(super) lease: Duration,
    pub(super) hosts: Vec<Host>,
    pub(super) producers: Vec<Producer>,
    /// Names the jobs that a person asks schedules for.
    pub(super) planner: IdSequence,
    /// How many definitions of schedules have been made.
    pub(super) definitions: u64,
    pub(super) calls: Calls,
    pub(super) ledger: Ledger,
    pub(super) trace: Trace,
    pub(super) names: Names,
    pub(super) tally: Tally,
}

impl World {
    /// A world before anything happens, on the storage that `wrap` makes of the model.
    pub(super) fn new(seed: u64, profile: Profile, scenario: Scenario, wrap: Wrap<'_>) -> Self {
        let (mut luck, clock) = (Luck::new(seed), Arc::new(StorageClock::new()));
        let mut ids = || IdSequence::new(luck.dice());
        Self {
            hosts: (0..scenario.hosts).map(|_| Host::new(ids())).collect(),
            producers: (0..scenario.producers).map(|_| Producer::new(ids())).collect(),
            planner: ids(),
            lease: luck.millis(scenario.lease.0, scenario.lease.1),
            storage: wrap(ModelStorage::new(clock.clone())),
            play: Play::Storm,
            agenda: Agenda::default(),
            calls: Calls::default(),
            definitions: 0,
            ledger: Ledger::default(),
            trace: Trace::default(),
            names: Names::default(),
            tally: Tally::default(),
            profile,
            scenario,
            luck,
            clock,
        }
    }

    /// Keeps the trace, not only its hash.
    pub(super) fn traced(mut self) -> Self {
        self.trace.keep();
        self
    }

    /// Plays to the end, or to the first broken invariant.
    pub(super) fn run(mut self, seed: u64) -> Report {
        let broken = self.play().err();
        if let Some(broken) = &broken {
            self.say(|_| format!("{broken}"));
        }
        Report {
            seed,
            profile: self.profile,
            hash: self.trace.hash(),
            took: self.agenda.now(),
            slots: self.ledger.ticks(),
            tally: self.tally,
            broken,
            trace: self.trace.into_lines(),
        }
    }

    fn play(&mut self) -> Holds {
        self.open();
        while let Some(what) = self.agenda.next() {
            self.clock.set(self.agenda.now());
            self.tally.happenings += 1;
            self.happen(what)?;
            if self.play == Play::Closing && self.is_closed() {
                break;
            }
        }
        self.check_at_the_end()
    }

    fn open(&mut self) {
        self.agenda.after(Duration::from_secs(1), Happening::Second);
        for host in 0..self.hosts.len() {
            let delay = self.luck.millis(0, 5_000);
            self.agenda.after(delay, Happening::Starts(host));
        }
        for producer in 0..self.producers.len() {
            let delay = self.luck.millis(0, 2_000);
            self.agenda.after(delay, Happening::Produces(producer));
        }
        self.put_first();
        self.agenda.after(Duration::from_secs(2), Happening::Operates);
        self.agenda.after(Duration::from_secs(2), Happening::Edits);
    }

    fn happen(&mut self, what: Happening) -> Holds {
        match what {
            Happening::Second => return self.second(),
            Happening::Arrives(call) => return self.arrives(call),
            Happening::Ends(call) => self.ends(call),
            Happening::Starts(host) => self.start(host),
            Happening::Produces(producer) => self.produce(producer),
            Happening::Operates => self.operate(),
            Happening::Edits => self.edit(),
            Happening::Resumes(life) => self.resume(life),
            Happening::Wakes(life) => return self.wake(life),
            Happening::Hears(life) => self.hear(life),
            Happening::Turn(life)
            | Happening::Alarm(life, _)
            | Happening::BeatDue(life)
            | Happening::Hinted(life)
            | Happening::AttemptEnds(life, _) => {
                if !self.is_put_off(life, what) {
                    return self.happen_to(life, what);
                }
            }
        }
        Ok(())
    }

    /// Something happens to a process that does not stand still.
    fn happen_to(&mut self, life: Life, what: Happening) -> Holds {
        match what {
            Happening::Turn(_) => return self.turn(life),
            Happening::Alarm(_, number) => return self.alarm(life, number),
            Happening::BeatDue(_) => self.beat_due(life),
            Happening::Hinted(_) => self.hinted(life),
            Happening::AttemptEnds(_, lease) => self.attempt_ends(life, lease),
            _ => {}
        }
        Ok(())
    }

    fn second(&mut self) -> Holds {
        self.agenda.after(Duration::from_secs(1), Happening::Second);
        let (now, storm) = (self.agenda.now(), self.scenario.storm);
        match self.play {
            Play::Storm if now >= storm => self.calm_down(),
            Play::Storm => self.roll_faults(),
            Play::Calm if self.is_settled() => self.close(),
            Play::Calm if now >= storm + LINGER => {
                self.remove_all();
                return self.check_patience(now.saturating_sub(storm));
            }
            Play::Calm => {}
            Play::Closing => {
                let patience = storm + self.scenario.calm * 2;
                return holds(8, now < patience, || "a server does not stop".into());
            }
        }
        Ok(())
    }

    fn calm_down(&mut self) {
        self.play = Play::Calm;
        self.say(|_| "nothing goes wrong any more".into());
        for host in 0..self.hosts.len() {
            if let Some(life) = self.hosts[host].server().map(|server| server.life) {
                self.resume(life);
                self.hear(life);
            }
            self.agenda.after(Duration::from_millis(100), Happening::Starts(host));
        }
    }

    fn close(&mut self) {
        self.play = Play::Closing;
        self.say(|_| "everything due has ended; all stop".into());
        for host in 0..self.hosts.len() {
            match self.hosts[host].server().map(|server| server.life) {
                Some(life) => self.ask_to_stop(life),
                None => self.hosts[host].state = HostState::Retired,
            }
        }
    }

    fn is_closed(&self) -> bool {
        let retired = |host: &Host| matches!(host.state, HostState::Retired);
        self.hosts.iter().all(retired) && self.calls.are_done()
    }

    pub(super) const fn odds(&self) -> Odds {
        if matches!(self.play, Play::Storm) { self.profile.odds() } else { Odds::CALM }
    }

    /// Writes a line of the trace.
    pub(super) fn say(&mut self, what: impl FnOnce(&mut Names) -> String) {
        let text = what(&mut self.names);
        self.trace.say(self.agenda.now(), format_args!("{text}"));
    }
}
