//! What the model shows: details, lists, the whole at a glance.

use std::collections::BTreeMap;

use super::record::{Ended, Place, Record};
use super::world::World;
use crate::storage::{
    Cursor, Filter, JobDetails, JobSummary, Overview, Page, PageRequest, ParentView, QueueCount, ServerView,
};
use crate::{JobId, State};

impl World {
    pub(super) fn details(&self, id: JobId) -> Option<JobDetails> {
        let job = self.jobs.get(&id)?;
        let ended = if let Place::Ended(ended) = &job.place { ended.held } else { None };
        let children = |other: &&Record| other.new.after.iter().any(|dependency| dependency.parent == id);
        Some(JobDetails {
            summary: job.summary(),
            args: job.new.args.clone(),
            policy: job.new.policy.clone(),
            crashes: job.crashes,
            tags: job.new.tags.clone(),
            unique: job.new.unique.clone(),
            slot: job.new.slot.clone(),
            cancel_requested: job.held().is_some_and(|held| held.cancel_requested),
            server: job.held().map(|held| held.server).or(ended.map(|(server, _)| server)),
            result: job.result.clone(),
            progress: job.progress.clone(),
            log: job.log.clone(),
            history: job.history.clone(),
            parents: job.parent_views(),
            children: self.jobs.values().filter(children).map(|child| child.new.id).collect(),
        })
    }

    pub(super) fn list(&self, filter: &Filter, page: &PageRequest) -> Page {
        let place = |job: JobSummary| (Cursor::of(&job), job);
        let mut jobs: Vec<_> = self
            .jobs
            .values()
            .filter(|job| job.matches(filter))
            .map(|job| place(job.summary()))
            .filter(|(at, _)| page.after.as_ref().is_none_or(|after| comes_after(filter.state, after, at)))
            .collect();
        jobs.sort_by(|(a, _), (b, _)| compare(filter.state, a, b));
        let limit = page.bounded_limit() as usize;
        let more = jobs.len() > limit;
        jobs.truncate(limit);
        let next = jobs.last().filter(|_| more).map(|(at, _)| at.clone());
        Page { jobs: jobs.into_iter().map(|(_, job)| job).collect(), next }
    }

    pub(super) fn overview(&self) -> Overview {
        let mut counts: BTreeMap<(&str, State), u64> = BTreeMap::new();
        for job in self.jobs.values() {
            *counts.entry((&job.new.queue, job.state())).or_default() += 1;
        }
        let count =
            |((queue, state), jobs): ((&str, State), u64)| QueueCount { queue: queue.into(), state, jobs };
        let servers = self.servers.iter().map(|(id, server)| ServerView {
            id: *id,
            info: server.info.clone(),
            started_at: server.started_at,
            lease_until: server.lease_until,
            order: server.order,
        });
        Overview {
            counts: counts.into_iter().map(count).collect(),
            servers: servers.collect(),
            paused: self.paused.values().cloned().collect(),
        }
    }
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

fn comes_after(state: Option<State>, after: &Cursor, job: &Cursor) -> bool {
    compare(state, after, job).is_lt()
}

impl Record {
    fn matches(&self, filter: &Filter) -> bool {
        filter.state.is_none_or(|state| self.state() == state)
            && filter.queue.as_ref().is_none_or(|queue| self.new.queue == *queue)
            && filter.kind.as_ref().is_none_or(|kind| self.new.kind == *kind)
            && filter.tag.as_ref().is_none_or(|tag| self.new.tags.contains(tag))
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
        let (started_at, finished_at) = match &self.place {
            Place::Processing(held) => (Some(held.started_at), None),
            Place::Ended(Ended { at, held, .. }) => (held.map(|(_, started)| started), Some(*at)),
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
            started_at,
            finished_at,
        }
    }
}
