//! Those who make jobs, and those who interfere with them.
//!
//! A producer sends a set, repeats it as it is until it is answered (ids are its own, so that this is
//! harmless), and now and then gives up without knowing. Operators never repeat.

use std::time::Duration;

use portfire_core::storage::Action;
use portfire_core::{
    Backoff, Clock, Dependency, IdSequence, JobId, Json, Keep, NewJob, Policy, Retention, Start, Timestamp,
    Trigger,
};

use super::agenda::Happening;
use super::ledger::{Entry, Stage};
use super::net::{Call, Caller, Reply};
use super::world::{Play, World};

/// What jobs do, and how many of a dozen do it. `poison` kills its server; `rare` is known to one host
/// only, `alien` to none.
const KINDS: [&str; 12] =
    ["work", "work", "work", "work", "flaky", "flaky", "flaky", "slow", "snooze", "poison", "rare", "alien"];
/// How long a caller waits for an answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// One producer.
#[derive(Debug)]
pub(super) struct Producer {
    ids: IdSequence,
    /// The set that has not been answered.
    unanswered: Option<Vec<NewJob>>,
}

impl Producer {
    pub(super) const fn new(ids: IdSequence) -> Self {
        Self { ids, unanswered: None }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.unanswered.is_none()
    }
}

impl World {
    /// Repeats what was not answered, or makes something new.
    pub(super) fn produce(&mut self, number: usize) {
        let repeat = self.producers[number].unanswered.clone();
        let set = match repeat {
            Some(set) => set,
            None if self.play == Play::Storm => self.new_set(number),
            None => return,
        };
        self.producers[number].unanswered = Some(set.clone());
        self.send(Caller::Producer(number), Call::Insert(set), DEADLINE);
    }

    /// A producer's set was answered, or not.
    pub(super) fn produced(&mut self, number: usize, reply: Option<&Reply>) {
        let gives_up = self.luck.chance(100);
        if reply.is_some() || gives_up {
            self.producers[number].unanswered = None;
        }
        let pause = if reply.is_some() { self.luck.millis(200, 6_000) } else { self.luck.millis(100, 1_000) };
        self.agenda.after(pause, Happening::Produces(number));
    }

    fn new_set(&mut self, number: usize) -> Vec<NewJob> {
        let count = self.luck.number(1, 4);
        let mut set = Vec::<NewJob>::new();
        for _ in 0..count {
            let id = self.producers[number].ids.job(self.clock.now());
            let job = self.new_job(id, &set);
            self.ledger.jobs.insert(id, Entry::sent(job.clone()));
            set.push(job);
        }
        set
    }

    fn new_job(&mut self, id: JobId, earlier: &[NewJob]) -> NewJob {
        let luck = &mut self.luck;
        let mut job = NewJob::new(id, *luck.pick(&KINDS), Json::trusted("{}"));
        job.queue = (*luck.pick(&["default", "default", "mail", "attic"])).into();
        job.priority = i16::try_from(luck.number(0, 4)).unwrap_or_default() - 2;
        job.start = match luck.number(0, 5) {
            0 => Start::After(luck.millis(0, 30_000)),
            1 => Start::At(self.clock.now().after(luck.millis(0, 30_000))),
            _ => Start::Now,
        };
        if luck.chance(200) {
            job.unique = Some((*luck.pick(&["one", "two"])).into());
        }
        job.policy = self.new_policy();
        if self.luck.chance(250) {
            job.after = self.new_parents(earlier);
        }
        job
    }

    fn new_policy(&mut self) -> Policy {
        let luck = &mut self.luck;
        let backoff = match luck.number(0, 2) {
            0 => Backoff::Fixed(Duration::ZERO),
            1 => Backoff::Fixed(luck.millis(1, 5_000)),
            _ => Backoff::exponential(Duration::from_millis(500), Duration::from_secs(10)),
        };
        let kept = if luck.chance(300) { Keep::For(luck.millis(0, 20_000)) } else { Keep::Forever };
        Policy {
            attempts_max: u16::try_from(luck.number(1, 6)).unwrap_or(1),
            backoff,
            timeout: luck.chance(200).then(|| luck.millis(500, 10_000)),
            retention: Retention { succeeded: kept, failed: Keep::Forever, cancelled: kept },
        }
    }

    /// Jobs of this set, or any that was ever sent, even if nobody knows whether it is stored.
    fn new_parents(&mut self, earlier: &[NewJob]) -> Vec<Dependency> {
        let mut known: Vec<_> = earlier.iter().map(|job| job.id).collect();
        known.extend(self.ledger.stored().map(|(id, _)| *id));
        if known.is_empty() {
            return Vec::new();
        }
        let count = self.luck.number(1, 2);
        let mut parent =
            || Dependency { parent: *self.luck.pick(&known), on: *self.luck.pick(&Trigger::ALL) };
        (0..count).map(|_| parent()).collect()
    }

    /// Does something to a few jobs.
    pub(super) fn operate(&mut self) {
        if self.play != Play::Storm || !self.scenario.operators {
            return;
        }
        let pause = self.luck.millis(500, 5_000);
        self.agenda.after(pause, Happening::Operates);
        let known: Vec<_> = self
            .ledger
            .jobs
            .iter()
            .filter(|(_, entry)| entry.stage != Stage::Sent)
            .map(|(id, _)| *id)
            .collect();
        if known.is_empty() {
            return;
        }
        let mut jobs: Vec<_> = (0..self.luck.number(1, 3)).map(|_| *self.luck.pick(&known)).collect();
        jobs.sort_unstable();
        jobs.dedup();
        let action = self.new_action();
        self.send(Caller::Nobody, Call::Act(jobs, action), DEADLINE);
    }

    fn new_action(&mut self) -> Action {
        let now: Timestamp = self.clock.now();
        match self.luck.number(0, 9) {
            0..=2 => Action::Cancel,
            3..=5 => Action::RunNow,
            6..=7 => Action::Reschedule(now.after(self.luck.millis(0, 30_000))),
            8 => Action::Reschedule(now.before(Duration::from_secs(1))),
            _ => Action::Delete,
        }
    }
}
