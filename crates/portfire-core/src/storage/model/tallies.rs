//! What the model counts, and the groups of failures it knows.

use std::collections::BTreeMap;

use super::record::{Place, Record};
use super::world::World;
use crate::limits::{FAULT_GROUPS_KEPT, GROUP_COUNT_MAX};
use crate::storage::tally::{self, Tally, TallyBy, TallyRequest, Width};
use crate::storage::{FaultCursor, FaultGroup, FaultGroupRequest, FaultOrder};
use crate::{Fingerprint, JobId, NewJob, Settlement, Timestamp, first_line};

/// Tallies by width, beginning, kind and queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Tallies(BTreeMap<Key, Tally>);

type Key = (Width, Timestamp, Box<str>, Box<str>);

impl Tallies {
    /// The tally of the present minute for jobs such as this.
    pub(super) fn of(&mut self, job: &NewJob, now: Timestamp) -> &mut Tally {
        self.at((Width::Minute, Width::Minute.begin(now), job.kind.clone(), job.queue.clone()))
    }

    fn at(&mut self, key: Key) -> &mut Tally {
        let (width, from, kind, queue) = key.clone();
        let tally = Tally { kind: Some(kind), queue: Some(queue), ..Tally::new(from, width) };
        self.0.entry(key).or_insert(tally)
    }

    /// Adds what was counted apart.
    pub(super) fn join(&mut self, counted: Self) {
        for (key, tally) in counted.0 {
            self.at(key).add(&tally);
        }
    }

    pub(super) fn fold(&mut self, now: Timestamp) {
        for fold in tally::folds(now) {
            let old = self.0.extract_if(.., |(width, from, ..), _| *width == fold.of && *from < fold.before);
            let old: Vec<_> = old.collect();
            let Some(into) = fold.into else { continue };
            for ((_, from, kind, queue), tally) in old {
                self.at((into, into.begin(from), kind, queue)).add(&tally);
            }
        }
    }

    pub(super) fn sums(&self, request: &TallyRequest) -> Vec<Tally> {
        let (from, before) = request.bounds();
        let mut sums: BTreeMap<(Timestamp, Option<&str>), Tally> = BTreeMap::new();
        let counts = |tally: &&Tally| {
            tally.width <= request.width && (from..before).contains(&tally.from) && !tally.is_empty()
        };
        for tally in self.0.values().filter(counts) {
            let (kind, queue) = match request.by {
                TallyBy::Total => (None, None),
                TallyBy::Kind => (tally.kind.clone(), None),
                TallyBy::Queue => (None, tally.queue.clone()),
            };
            let begin = request.width.begin(tally.from);
            let name = tally.kind.as_deref().filter(|_| kind.is_some());
            let name = name.or(tally.queue.as_deref().filter(|_| queue.is_some()));
            let none = Tally { kind, queue, ..Tally::new(begin, request.width) };
            sums.entry((begin, name)).or_insert(none).add(tally);
        }
        sums.into_values().take(request.bounded_limit() as usize).collect()
    }
}

impl World {
    /// If the settlement ended the job as failed, it joins its group of failures.
    pub(super) fn join_fault_group(&mut self, id: JobId, settlement: &Settlement, now: Timestamp) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let (Place::Ended(ended), Some(fingerprint)) = (&mut job.place, settlement.fingerprint) else {
            return;
        };
        if ended.state != settlement.to.state() {
            return;
        }
        ended.fingerprint = Some(fingerprint);
        let said = settlement.record.as_ref().and_then(|record| record.fault.as_ref());
        let new = || FaultGroup {
            fingerprint,
            kind: job.new.kind.clone(),
            sample: said.map(|fault| first_line(&fault.message)).unwrap_or_default().into(),
            first_at: now,
            last_at: now,
            count: 0,
            last_job: id,
            kept: 0,
        };
        let group = self.faults.entry(fingerprint).or_insert_with(new);
        (group.last_at, group.last_job) = (now, id);
        group.count += 1;
    }

    pub(super) fn forget_fault_groups(&mut self, now: Timestamp) {
        let kept: Vec<_> = self.jobs.values().filter_map(Record::fingerprint).collect();
        let before = now.before(FAULT_GROUPS_KEPT);
        self.faults.retain(|fingerprint, group| group.last_at >= before || kept.contains(fingerprint));
    }

    pub(super) fn fault_groups(&self, request: &FaultGroupRequest) -> Vec<FaultGroup> {
        let key = |place: &FaultCursor| match request.order {
            FaultOrder::Latest => (place.last_at.as_micros().cast_unsigned(), place.fingerprint),
            FaultOrder::Most => (place.count, place.fingerprint),
        };
        let wanted = |group: &&FaultGroup| {
            request.only.is_none_or(|only| group.fingerprint == only)
                && request.after.as_ref().is_none_or(|after| key(&FaultCursor::of(group)) < key(after))
        };
        let mut groups: Vec<_> = self.faults.values().filter(wanted).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(key(&FaultCursor::of(group))));
        let limit = request.bounded_limit() as usize;
        let kept = |group: &FaultGroup| FaultGroup { kept: self.kept(group.fingerprint), ..group.clone() };
        groups.into_iter().take(limit).map(kept).collect()
    }

    fn kept(&self, fingerprint: Fingerprint) -> u64 {
        let jobs = self.jobs.values().filter(|job| job.fingerprint() == Some(fingerprint)).count() as u64;
        jobs.min(GROUP_COUNT_MAX)
    }
}

impl Record {
    /// The group of failures it is in.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        if let Place::Ended(ended) = &self.place { ended.fingerprint } else { None }
    }
}
