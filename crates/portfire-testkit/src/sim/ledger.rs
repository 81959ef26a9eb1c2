//! What was asked and what was answered: the simulator's own account, against which the storage is
//! judged. It is never told what the storage holds, only what it said.
//!
//! 1. A producer's set is noted when it is sent ([`Stage::Sent`]), and again when it is stored.
//! 2. Each claim, settlement and wish is entered at the moment of its effect, with its answer.
//! 3. The state in which a job was last seen is kept, so that the next look shows what changed.

use std::collections::{BTreeMap, BTreeSet};

use portfire_core::schedule::SlotPlan;
use portfire_core::storage::{Directed, JobSummary, Put, Settled};
use portfire_core::{
    JobId, Json, Keep, NewJob, Order, Schedule, ServerId, Settlement, SlotFate, State, Timestamp, Token,
    Verdict,
};

/// The account.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) jobs: BTreeMap<JobId, Entry>,
    /// Every job that is stored, and some that are gone since the last pruning. Each step goes through what is
    /// stored, and a year makes half a million jobs, of which five are there at a time.
    kept: BTreeSet<JobId>,
    /// Until when each server was promised its lease.
    pub(super) leases: BTreeMap<ServerId, Timestamp>,
    /// The schedules that the storage has to have.
    pub(super) schedules: BTreeMap<Box<str>, Recurs>,
    /// What recurred in those that were removed.
    forgotten: Vec<Tick>,
    /// Log lines that may be there: their server held the job when it said them.
    pub(super) lines: BTreeSet<String>,
}

/// One job.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) new: NewJob,
    pub(super) stage: Stage,
    /// The state in which it was last seen.
    pub(super) seen: Option<State>,
    pub(super) finished_at: Option<Timestamp>,
    /// Attempts that count.
    pub(super) charged: u16,
    /// Servers that died of it, or with it.
    pub(super) crashes: u16,
    pub(super) holder: Option<Holder>,
    /// Every token it was ever claimed with.
    pub(super) tokens: BTreeSet<Token>,
    /// What the last settlement that applied was answered.
    pub(super) last: Option<(Token, State)>,
    /// Every end it was seen at: a child may start on an end that an operator has undone since.
    pub(super) ends: BTreeSet<State>,
    /// An operator ran it, whatever it waited for.
    pub(super) hurried: bool,
}

/// One schedule, from the time it was put until it is removed.
#[derive(Debug, Default)]
pub(super) struct Recurs {
    pub(super) is_paused: bool,
    /// The arguments of its latest definition, by which its jobs show what they were made from.
    pub(super) args: Option<Json>,
    /// Each slot that has had its turn.
    pub(super) slots: BTreeMap<Timestamp, SlotFate>,
}

/// A slot that has had its turn.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick {
    /// The schedule.
    pub schedule: Box<str>,
    /// The slot.
    pub at: Timestamp,
    /// What became of it.
    pub fate: &'static str,
}

/// What is known of a job's existence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Sent, and not known to be stored.
    Sent,
    /// The storage said that it has it.
    Stored,
    /// Deleted or pruned.
    Gone,
}

/// Whose a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) token: Token,
    pub(super) server: ServerId,
    /// Somebody wants it cancelled.
    pub(super) flagged: bool,
}

impl Recurs {
    fn ticks(&self, name: &str) -> impl Iterator<Item = Tick> {
        self.slots.iter().map(move |(at, fate)| Tick { schedule: name.into(), at: *at, fate: fate.as_str() })
    }
}

impl Entry {
    pub(super) fn sent(new: NewJob) -> Self {
        Self {
            new,
            stage: Stage::Sent,
            seen: None,
            finished_at: None,
            charged: 0,
            crashes: 0,
            holder: None,
            tokens: BTreeSet::new(),
            last: None,
            ends: BTreeSet::new(),
            hurried: false,
        }
    }

    /// The storage said that it is stored, perhaps once more after it was deleted.
    fn stored(&mut self) {
        let (tokens, ends) = (std::mem::take(&mut self.tokens), std::mem::take(&mut self.ends));
        let hurried = self.hurried;
        *self = Self { stage: Stage::Stored, tokens, ends, hurried, ..Self::sent(self.new.clone()) };
    }

    /// It was seen so.
    pub(super) fn look(&mut self, job: &JobSummary) {
        (self.seen, self.finished_at) = (Some(job.state), job.finished_at);
        if job.state.is_final() {
            self.ends.insert(job.state);
        }
    }

    /// No server will ever take it: none knows its kind, or serves its queue.
    fn is_unclaimable(&self) -> bool {
        &*self.new.kind == "alien" || &*self.new.queue == "attic"
    }

    /// It was deleted from this state, in which nobody may have seen it: the same call can cancel a job,
    /// by deleting what it waited for, and delete it.
    pub(super) fn deleted(&mut self, state: State) {
        if state.is_final() {
            self.ends.insert(state);
        }
        self.gone();
    }

    fn gone(&mut self) {
        (self.stage, self.seen, self.holder) = (Stage::Gone, None, None);
    }

    pub(super) fn holds(&self, token: Token) -> bool {
        self.holder.is_some_and(|holder| holder.token == token)
    }

    /// Enters a settlement that applied.
    pub(super) fn settled(&mut self, settlement: &Settlement, state: State) {
        let outcome = settlement.record.as_ref().map_or("succeeded", |record| record.outcome);
        if !matches!(outcome, "snoozed" | "interrupted") || state == State::Cancelled {
            self.charged += 1;
        }
        self.crashes += u16::from(outcome == "crashed");
        self.last = Some((settlement.lease.token, state));
        self.holder = None;
    }

    /// An operator ran it from its end: everything counts anew.
    pub(super) fn begun_afresh(&mut self) {
        (self.charged, self.crashes, self.last) = (0, 0, None);
    }

    /// Whether its time to be kept has passed.
    fn may_be_pruned(&self, now: Timestamp) -> bool {
        let (Some(state), Some(end)) = (self.seen, self.finished_at) else { return false };
        match self.new.policy.retention.of(state) {
            Keep::For(time) => end.after(time) <= now,
            Keep::Forever => false,
        }
    }
}

impl Ledger {
    /// Enters schedules that were put.
    pub(super) fn put(&mut self, schedules: &[Schedule], answers: &[Put]) {
        for (schedule, answer) in schedules.iter().zip(answers) {
            let known = self.schedules.entry(schedule.id.clone()).or_default();
            if *answer != Put::Unchanged {
                known.args = Some(schedule.job.args.clone());
            }
        }
    }

    /// Enters an order that was carried out.
    pub(super) fn direct(&mut self, names: &[Box<str>], order: Order, answers: &[Directed]) {
        for (name, _) in names.iter().zip(answers).filter(|(_, answer)| **answer == Directed::Done) {
            if order == Order::Remove {
                if let Some(gone) = self.schedules.remove(name) {
                    self.forgotten.extend(gone.ticks(name));
                }
            } else if let Some(known) = self.schedules.get_mut(name) {
                known.is_paused = order == Order::Pause;
            }
        }
    }

    /// Enters a slot that has had its turn, and the job it got.
    pub(super) fn tick(&mut self, schedule: &str, slot: &SlotPlan, job: Option<&NewJob>) {
        if let Some(known) = self.schedules.get_mut(schedule) {
            known.slots.entry(slot.at).or_insert(slot.fate);
        }
        if let Some(job) = job {
            self.jobs.entry(job.id).or_insert_with(|| Entry::sent(job.clone()));
            self.store(job.id);
        }
    }

    /// The storage said that it has this job, which was sent.
    pub(super) fn store(&mut self, job: JobId) {
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.stored();
            self.kept.insert(job);
        }
    }

    /// Pruning may have taken jobs whose time had passed.
    pub(super) fn prune(&mut self, seen: &BTreeMap<JobId, JobSummary>, now: Timestamp) {
        let jobs = &mut self.jobs;
        self.kept.retain(|id| {
            let Some(entry) = jobs.get_mut(id) else { return false };
            if !seen.contains_key(id) && entry.may_be_pruned(now) {
                entry.gone();
            }
            entry.stage == Stage::Stored
        });
    }

    /// Every slot that has had its turn, by schedule and time.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let known = self.schedules.iter().flat_map(|(name, known)| known.ticks(name));
        let mut ticks: Vec<_> = self.forgotten.iter().cloned().chain(known).collect();
        ticks.sort();
        ticks
    }

    /// The jobs that the storage has to have.
    pub(super) fn stored(&self) -> impl Iterator<Item = (&JobId, &Entry)> {
        let jobs = self.kept.iter().filter_map(|id| self.jobs.get_key_value(id));
        jobs.filter(|(_, entry)| entry.stage == Stage::Stored)
    }

    pub(super) fn has_lease(&self, server: ServerId, now: Timestamp) -> bool {
        self.leases.get(&server).is_some_and(|until| *until > now)
    }

    /// What the answer to this settlement has to be, at the moment before it is entered; `None` if an
    /// operator has acted since and either is right.
    pub(super) fn expected(&self, settlement: &Settlement, now: Timestamp) -> Settled {
        let lease = settlement.lease;
        let Some(entry) = self.jobs.get(&lease.job).filter(|entry| entry.stage == Stage::Stored) else {
            return Settled::Lost;
        };
        let Some(holder) = entry.holder else {
            let repeat = entry.last.filter(|(token, _)| *token == lease.token);
            return repeat.map_or(Settled::Lost, |(_, state)| Settled::Applied(state));
        };
        if holder.token != lease.token || settlement.only_if_expired && self.has_lease(holder.server, now) {
            return Settled::Lost;
        }
        let cancelled = settlement.if_cancelled.as_ref().filter(|_| holder.flagged);
        Settled::Applied(cancelled.unwrap_or(&settlement.to).state())
    }

    /// A job that still has something to come to by itself.
    pub(super) fn unsettled(&self) -> Option<(JobId, State)> {
        let rest = |entry: &Entry| match entry.seen {
            None => false,
            Some(State::Enqueued) => entry.is_unclaimable(),
            Some(State::Awaiting) => self.waits_in_vain(entry),
            Some(state) => state.is_final(),
        };
        let (id, entry) = self.stored().find(|(_, entry)| !rest(entry))?;
        Some((*id, entry.seen?))
    }

    /// Whether it waits for something that only a person can bring about.
    fn waits_in_vain(&self, entry: &Entry) -> bool {
        entry.new.after.iter().any(|dependency| {
            let parent = self.jobs.get(&dependency.parent).and_then(|parent| parent.seen);
            parent.is_some_and(|state| dependency.on.verdict(state) == Verdict::Wait)
        })
    }

    /// Whether everything this job waits for has come to what it asked, at some time.
    pub(super) fn may_start(&self, entry: &Entry) -> bool {
        entry.hurried
            || entry.new.after.iter().all(|dependency| {
                let parent = self.jobs.get(&dependency.parent);
                parent.is_some_and(|parent| {
                    parent.ends.iter().any(|end| dependency.on.verdict(*end) == Verdict::Satisfied)
                })
            })
    }
}
