//! The schedules of the model. What becomes of them is decided in [`schedule`]; here it is kept.

use std::collections::BTreeMap;

use super::world::World;
use crate::limits::{PAGE_MAX, SLOTS_KEPT};
use crate::schedule::{self, Firing, LastRun, Order, Schedule, ScheduleView, SlotFate, SlotPlan, Standing};
use crate::storage::{By, Deed, Directed, DueSchedules, Fired, Put, SlotView};
use crate::{JobId, Result, State, Timestamp};

/// One schedule and its history.
#[derive(Clone, Debug)]
pub(super) struct Recurring {
    schedule: Schedule,
    revision: u64,
    standing: Standing,
    last_slot: Option<Timestamp>,
    last_job: Option<JobId>,
    created_at: Timestamp,
    slots: BTreeMap<Timestamp, Kept>,
}

/// A slot that had its turn.
#[derive(Clone, Copy, Debug)]
struct Kept {
    fired_at: Timestamp,
    fate: SlotFate,
    job: Option<JobId>,
}

impl World {
    pub(super) fn put_schedules(&mut self, schedules: Vec<Schedule>, now: Timestamp) -> Result<Vec<Put>> {
        let before = self.schedules.clone();
        let answers =
            schedules.into_iter().map(|one| self.put_schedule(one, now)).collect::<Result<Vec<_>>>();
        match &answers {
            Ok(_) => self.changed(),
            Err(_) => self.schedules = before,
        }
        answers
    }

    fn put_schedule(&mut self, new: Schedule, now: Timestamp) -> Result<Put> {
        let known = self.view(&new.id);
        let Some(standing) = schedule::put(known.as_ref(), &new, now)? else { return Ok(Put::Unchanged) };
        let revision = schedule::revision(known.as_ref(), now);
        if let Some(known) = self.schedules.get_mut(&new.id) {
            (known.schedule, known.standing) = (new, standing);
            known.revision = revision;
            return Ok(Put::Changed);
        }
        let recurring = Recurring {
            schedule: new,
            revision,
            standing,
            last_slot: None,
            last_job: None,
            created_at: now,
            slots: BTreeMap::new(),
        };
        self.schedules.insert(recurring.schedule.id.clone(), recurring);
        Ok(Put::New)
    }

    pub(super) fn due_schedules(&self, limit: u32, now: Timestamp) -> DueSchedules {
        let next = |one: &Recurring| one.next().filter(|next| *next <= now);
        let mut due: Vec<_> = self.schedules.values().filter_map(|one| Some((next(one)?, one))).collect();
        due.sort_by_key(|(next, one)| (*next, &one.schedule.id));
        let due = due.into_iter().take(limit as usize).filter_map(|(_, one)| self.view(&one.schedule.id));
        DueSchedules { now, due: due.collect() }
    }

    /// How long until the next slot of any schedule.
    pub(super) fn next_slot(&self, now: Timestamp) -> Option<std::time::Duration> {
        self.schedules.values().filter_map(Recurring::next).min().map(|next| next.since(now))
    }

    pub(super) fn fire(&mut self, firings: Vec<Firing>, by: &By, now: Timestamp) -> Result<Vec<Fired>> {
        let mut all = Vec::new();
        for firing in firings {
            let schedule = firing.schedule.clone();
            let fired = self.fire_one(firing, now)?;
            if let Fired::Applied(jobs) = &fired {
                jobs.iter().for_each(|job| self.remember(by, Some(Deed::on_trigger(&schedule, *job)), now));
            }
            all.push(fired);
        }
        Ok(all)
    }

    fn fire_one(&mut self, firing: Firing, now: Timestamp) -> Result<Fired> {
        if self.view(&firing.schedule).is_none_or(|known| known.seen() != firing.seen) {
            return Ok(Fired::Lost);
        }
        let mut stored = Vec::new();
        for slot in firing.slots {
            stored.extend(self.take_slot(&firing.schedule, slot, now)?);
        }
        if let Some(known) = self.schedules.get_mut(&firing.schedule) {
            known.standing = firing.then;
            known.last_job = stored.last().copied().or(known.last_job);
            while known.slots.len() > SLOTS_KEPT as usize {
                known.slots.pop_first();
            }
        }
        self.changed();
        Ok(Fired::Applied(stored))
    }

    /// Enters a slot into the history and stores its job, unless it had its turn before.
    fn take_slot(&mut self, schedule: &str, slot: SlotPlan, now: Timestamp) -> Result<Option<JobId>> {
        let SlotPlan { at, fate, job } = slot;
        let Some(known) = self.schedules.get_mut(schedule).filter(|known| !known.slots.contains_key(&at))
        else {
            return Ok(None);
        };
        let id = job.as_ref().map(|job| job.id);
        known.slots.insert(at, Kept { fired_at: now, fate, job: id });
        known.last_slot = known.last_slot.max(Some(at));
        if let Some(job) = job {
            self.insert(vec![job], now)?;
        }
        Ok(id)
    }

    pub(super) fn direct_schedules(
        &mut self,
        schedules: &[Box<str>],
        order: Order,
        by: &By,
        now: Timestamp,
    ) -> Vec<Directed> {
        let mut all = Vec::new();
        for id in schedules {
            let before = self.view(id).map(|view| view.standing);
            let directed = self.direct_schedule(id, order, now);
            let after = self.view(id).map(|view| view.standing);
            let deed = Deed::on_schedule(id, order, [before.as_ref(), after.as_ref()], directed);
            self.remember(by, deed, now);
            all.push(directed);
        }
        all
    }

    fn direct_schedule(&mut self, id: &str, order: Order, now: Timestamp) -> Directed {
        let Some(view) = self.view(id) else { return Directed::Missing };
        if order == Order::Remove {
            self.schedules.remove(id);
            return Directed::Done;
        }
        let Some(standing) = schedule::direct(&view, order, now) else { return Directed::Unchanged };
        if let Some(known) = self.schedules.get_mut(id) {
            known.standing = standing;
            known.revision += 1;
        }
        self.changed();
        Directed::Done
    }

    /// One schedule as others see it.
    pub(super) fn view(&self, id: &str) -> Option<ScheduleView> {
        let one = self.schedules.get(id)?;
        Some(ScheduleView {
            schedule: one.schedule.clone(),
            revision: one.revision,
            standing: one.standing.clone(),
            last_slot: one.last_slot,
            last_run: self.last_run(one),
            created_at: one.created_at,
        })
    }

    /// The latest job that has not ended, or else the latest.
    fn last_run(&self, one: &Recurring) -> Option<LastRun> {
        let runs = one.slots.values().rev().filter_map(|kept| kept.job);
        let mut runs = runs.map(|job| LastRun { job, state: self.state_of(job) });
        let unended = runs.find(|run| run.state.is_some_and(|state| !state.is_final()));
        unended.or(one.last_job.map(|job| LastRun { job, state: self.state_of(job) }))
    }

    pub(super) fn list_schedules(&self, after: Option<&str>, limit: u32) -> Vec<ScheduleView> {
        let ids = self.schedules.keys().filter(|id| after.is_none_or(|after| ***id > *after));
        ids.take(limit.clamp(1, PAGE_MAX) as usize).filter_map(|id| self.view(id)).collect()
    }

    pub(super) fn slots(&self, schedule: &str, before: Option<Timestamp>, limit: u32) -> Vec<SlotView> {
        let Some(known) = self.schedules.get(schedule) else { return Vec::new() };
        let slots = known.slots.iter().rev().filter(|(at, _)| before.is_none_or(|before| **at < before));
        let view = |(at, kept): (&Timestamp, &Kept)| SlotView {
            at: *at,
            fired_at: kept.fired_at,
            fate: kept.fate,
            job: kept.job,
            state: kept.job.and_then(|job| self.state_of(job)),
        };
        slots.take(limit.clamp(1, PAGE_MAX) as usize).map(view).collect()
    }

    fn state_of(&self, job: JobId) -> Option<State> {
        self.jobs.get(&job).map(super::record::Record::state)
    }
}

impl Recurring {
    fn next(&self) -> Option<Timestamp> {
        match self.standing {
            Standing::Active { next } => Some(next),
            Standing::Paused | Standing::Flagged { .. } => None,
        }
    }
}
