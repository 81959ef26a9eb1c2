//! Those who define schedules, and change their minds: put, pause, resume, remove, run now.

use std::time::Duration;

use portfire_core::schedule::{Order, Template, trigger};
use portfire_core::{Clock, Json, Keep, Misfire, Overlap, Policy, Retention, Schedule};

use super::agenda::Happening;
use super::net::{Call, Caller, at_once};
use super::world::{Play, World};

/// The names that are put, removed and put again.
const NAMES: [&str; 3] = ["a", "b", "c"];
/// Expressions whose slots come often enough to race with edits.
const CRONS: [&str; 4] = ["* * * * * *", "*/7 * * * * *", "*/20 * * * * *", "* * * * *"];
/// How long a caller waits for an answer.
const DEADLINE: Duration = Duration::from_secs(30);

impl World {
    /// Puts what the scenario begins with. Nothing goes wrong with that.
    pub(super) fn put_first(&mut self) {
        let schedules = self.scenario.schedules.clone();
        if !schedules.is_empty() {
            self.send_safely(Call::Put(schedules));
        }
    }

    /// Changes one schedule.
    pub(super) fn edit(&mut self) {
        let (true, Some((from, to))) = (self.play == Play::Storm, self.scenario.edits) else { return };
        let pause = self.luck.millis(from, to);
        self.agenda.after(pause, Happening::Edits);
        let name: Box<str> = (*self.luck.pick(&NAMES)).into();
        let call = match self.luck.number(0, 9) {
            0..=3 => Call::Put(vec![self.new_schedule(&name)]),
            4..=5 => Call::Direct(vec![name], Order::Pause),
            6 => Call::Direct(vec![name], Order::Resume),
            7..=8 => Call::Direct(vec![name], Order::Remove),
            _ => match self.run_now(name) {
                Some(call) => call,
                None => return,
            },
        };
        self.tally.edits += 1;
        self.send(Caller::Nobody, call, DEADLINE);
    }

    fn run_now(&mut self, name: Box<str>) -> Option<Call> {
        let now = self.clock.now();
        let view = at_once(self.storage.get_schedules(vec![name])).ok()?.pop()??;
        Some(Call::Fire(vec![trigger(&view, now, &mut self.planner)]))
    }

    /// A definition that differs from every other, so that its jobs show what they were made from.
    fn new_schedule(&mut self, name: &str) -> Schedule {
        self.definitions += 1;
        let luck = &mut self.luck;
        let keep = Keep::For(Duration::from_secs(luck.number(0, 20)));
        let job = Template {
            kind: (*luck.pick(&["work", "slow", "flaky"])).into(),
            queue: "default".into(),
            priority: 0,
            args: Json::trusted(self.definitions.to_string()),
            policy: Policy {
                attempts_max: 2,
                retention: Retention { succeeded: keep, failed: keep, cancelled: keep },
                ..Policy::default()
            },
            tags: Vec::new(),
        };
        Schedule {
            id: name.into(),
            cron: (*luck.pick(&CRONS)).into(),
            zone: "UTC".into(),
            misfire: *luck.pick(&[Misfire::Skip, Misfire::Once, Misfire::All(5)]),
            overlap: *luck.pick(&[Overlap::Allow, Overlap::Skip, Overlap::OneWaiting]),
            job,
        }
    }

    /// Removes whatever recurs, so that everything can come to an end.
    pub(super) fn remove_all(&mut self) {
        let names: Vec<_> = self.ledger.schedules.keys().cloned().collect();
        if !names.is_empty() {
            self.send_safely(Call::Direct(names, Order::Remove));
        }
    }
}
