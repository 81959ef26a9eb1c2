//! What the model shows: details, lists, the whole at a glance.

use std::collections::BTreeMap;

use super::record::{Ended, Place, Record};
use super::world::World;
use crate::limits::{ATTEMPTS_SHOWN, CHILDREN_SHOWN, COUNT_MAX, LOG_SHOWN};
use crate::storage::{
    Cursor, EndedCount, Filter, JobDetails, JobSummary, Overview, Page, PageRequest, ParentView, QueueCount,
    ServerView, Walk, Walker,
};
use crate::{JobId, State, Timestamp, first_line};

impl World {
    pub(super) fn details(&self, id: JobId) -> Option<JobDetails> {
        let job = self.jobs.get(&id)?;
        let is_child = |other: &&Record| other.new.after.iter().any(|dependency| dependency.parent == id);
        let children = self.jobs.values().filter(is_child).map(|child| child.new.id);
        Some(JobDetails {
            summary: job.summary(),
            args: job.new.args.clone(),
            policy: job.new.policy.clone(),
            crashes: job.crashes,
            fingerprint: job.fingerprint(),
            unique: job.new.unique.clone(),
            slot: job.new.slot.clone(),
            cancel_requested: job.held().is_some_and(|held| held.cancel_requested),
            result: job.result.clone(),
            progress: job.progress.clone(),
            log: last(&job.log, LOG_SHOWN),
            history: last(&job.history, ATTEMPTS_SHOWN),
            parents: job.parent_views(),
            children: children.take(CHILDREN_SHOWN as usize).collect(),
        })
    }

    pub(super) fn list(&self, filter: &Filter, page: &PageRequest) -> Page {
        let Some(walk) = Walk::of(filter) else { return Page::default() };
        let order = if walk == Walk::Fault { Some(State::Failed) } else { filter.state };
        let place = |job: &Record| Cursor::of(&job.summary());
        let mut rows: Vec<_> = self
            .jobs
            .values()
            .filter(|job| job.is_walked(walk, filter))
            .map(|job| (place(job), job))
            .filter(|(at, _)| page.place().is_none_or(|place| along(page, order, place, at).is_lt()))
            .collect();
        rows.sort_by(|(a, _), (b, _)| along(page, order, a, b));
        let mut walker = Walker::new(page);
        for (at, job) in rows {
            let summary = job.matches(filter).then(|| job.summary());
            if walker.take(summary, || Ok(at)).is_ok_and(|walk| walk.is_break()) {
                break;
            }
        }
        walker.finish()
    }

    pub(super) fn overview(&self) -> Overview {
        let mut counts: Vec<_> = State::ALL.into_iter().flat_map(|state| self.counts(state)).collect();
        counts.sort_by(|a, b| (&a.queue, a.state).cmp(&(&b.queue, b.state)));
        let ended = State::ALL.into_iter().filter(|state| state.is_final()).filter_map(|state| {
            let jobs = self.jobs.values().filter(|job| job.state() == state).count() as u64;
            (jobs > 0).then_some(EndedCount { state, jobs: jobs.min(COUNT_MAX) })
        });
        let servers = self.servers.iter().map(|(id, server)| ServerView {
            id: *id,
            info: server.info.clone(),
            started_at: server.started_at,
            lease_until: server.lease_until,
            order: server.order,
        });
        Overview {
            counts,
            ended: ended.collect(),
            servers: servers.collect(),
            paused: self.paused.values().cloned().collect(),
        }
    }

    /// The jobs of one state that is not final, by queue, as far as they are counted.
    fn counts(&self, state: State) -> Vec<QueueCount> {
        if state.is_final() {
            return Vec::new();
        }
        let mut jobs: Vec<_> = self.jobs.values().filter(|job| job.state() == state).collect();
        let together = state != State::Enqueued;
        let cut = together && jobs.len() as u64 >= COUNT_MAX;
        if together {
            jobs.sort_by(|a, b| compare(Some(state), &Cursor::of(&a.summary()), &Cursor::of(&b.summary())));
            jobs.truncate(usize::try_from(COUNT_MAX).unwrap_or(usize::MAX));
        }
        let mut counts: BTreeMap<&str, QueueCount> = BTreeMap::new();
        for job in jobs {
            let none =
                || QueueCount { queue: job.new.queue.clone(), state, jobs: 0, more: cut, oldest: None };
            let count = counts.entry(&job.new.queue).or_insert_with(none);
            count.jobs = (count.jobs + 1).min(COUNT_MAX);
            count.more |= count.jobs == COUNT_MAX;
            if state == State::Enqueued {
                count.oldest = Some(count.oldest.map_or(job.run_at, |oldest| oldest.min(job.run_at)));
            }
        }
        counts.into_values().collect()
    }
}

/// The last so many.
fn last<T: Clone>(all: &[T], most: u32) -> Vec<T> {
    all[all.len().saturating_sub(most as usize)..].to_vec()
}

/// The order of a list of one state.
fn compare(state: Option<State>, a: &Cursor, b: &Cursor) -> std::cmp::Ordering {
    match state {
        None => b.id.cmp(&a.id),
        Some(State::Enqueued) => (&a.queue, a.priority, a.at, a.id).cmp(&(&b.queue, b.priority, b.at, b.id)),
        Some(State::Scheduled | State::Retrying) => (a.at, a.id).cmp(&(b.at, b.id)),
        Some(State::Awaiting | State::Processing) => a.id.cmp(&b.id),
        Some(State::Succeeded | State::Failed | State::Cancelled) => (b.at, b.id).cmp(&(a.at, a.id)),
    }
}

/// The order in which a page is walked.
fn along(page: &PageRequest, state: Option<State>, a: &Cursor, b: &Cursor) -> std::cmp::Ordering {
    let order = compare(state, a, b);
    if page.goes_back() { order.reverse() } else { order }
}

impl Record {
    /// Whether a walk comes by it.
    fn is_walked(&self, walk: Walk, filter: &Filter) -> bool {
        let in_index = match walk {
            Walk::All => true,
            Walk::Tag => filter.tag.as_ref().is_none_or(|tag| self.new.tags.contains(tag)),
            Walk::Line => self.state() == State::Enqueued,
            Walk::Place(state) | Walk::Due(state) | Walk::Ended(state) => self.state() == state,
            Walk::Fault => self.fingerprint().is_some() && self.fingerprint() == filter.fault,
        };
        in_index
            && (!walk.knows_queue() || filter.queue.as_ref().is_none_or(|queue| self.new.queue == *queue))
            && (!walk.knows_times() || self.is_within(filter))
    }

    /// Whether its time is within those of the filter.
    fn is_within(&self, filter: &Filter) -> bool {
        let at = self.sort_time(filter);
        filter.since.is_none_or(|since| at >= since) && filter.until.is_none_or(|until| at < until)
    }

    fn sort_time(&self, filter: &Filter) -> Timestamp {
        match (filter.state, &self.place) {
            (None, _) if filter.fault.is_none() => self.created_at,
            (_, Place::Awaiting | Place::Processing(_)) => self.created_at,
            (_, Place::Ended(ended)) => ended.at,
            _ => self.run_at,
        }
    }

    fn matches(&self, filter: &Filter) -> bool {
        self.is_within(filter)
            && filter.queue.as_ref().is_none_or(|queue| self.new.queue == *queue)
            && filter.kind.as_ref().is_none_or(|kind| self.new.kind == *kind)
            && filter.tag.as_ref().is_none_or(|tag| self.new.tags.contains(tag))
            && (filter.without.is_empty() || !filter.without.has(&self.summary()))
            && filter
                .text
                .as_ref()
                .is_none_or(|text| self.last_fault().is_some_and(|said| said.contains(&**text)))
    }

    fn parent_views(&self) -> Vec<ParentView> {
        let view = |(dependency, known): (&crate::Dependency, &crate::storage::ParentResult)| ParentView {
            job: dependency.parent,
            on: dependency.on,
            state: known.state,
        };
        self.new.after.iter().zip(&self.parents).map(view).collect()
    }

    fn summary(&self) -> JobSummary {
        let (held, finished_at) = match &self.place {
            Place::Processing(held) => (Some((held.server, held.started_at)), None),
            Place::Ended(Ended { at, held, .. }) => (*held, Some(*at)),
            _ => (None, None),
        };
        JobSummary {
            id: self.new.id,
            state: self.state(),
            kind: self.new.kind.clone(),
            queue: self.new.queue.clone(),
            priority: self.new.priority,
            attempts: self.held().map_or(self.attempts, |held| held.attempt),
            created_at: self.created_at,
            run_at: self.run_at,
            started_at: held.map(|(_, started)| started),
            finished_at,
            server: held.map(|(server, _)| server),
            tags: self.new.tags.clone(),
            fault: self.last_fault().map(|message| first_line(message).into()),
        }
    }
}
