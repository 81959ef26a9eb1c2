//! The jobs and servers of the model, and everything that is done to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use super::record::{Ended, Place, Record, cause_of, illegal};
use super::schedules::Recurring;
use super::tallies::Tallies;
use crate::limits::SERVERS_KEPT;
use crate::storage::{
    Acted, Action, AttemptView, AuditEntry, AuditId, Beat, BeatAnswer, By, Claimed, Deed, Exchange,
    Exchanged, Expired, FaultGroup, Inserted, Note, ParentResult, PausedQueue, Polled, Promoted, ServerInfo,
    ServerOrder, Settled, Want,
};
use crate::{
    Cause, Error, Fingerprint, JobId, Json, Keep, Lease, NewJob, Result, ServerId, Settlement, State, Target,
    Timestamp, Token, Verdict,
};

/// Everything the model knows.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) jobs: BTreeMap<JobId, Record>,
    pub(super) servers: BTreeMap<ServerId, Server>,
    pub(super) schedules: BTreeMap<Box<str>, Recurring>,
    pub(super) paused: BTreeMap<Box<str>, PausedQueue>,
    pub(super) audit: BTreeMap<AuditId, AuditEntry>,
    /// How many entries the audit ever had.
    pub(super) audited: i64,
    pub(super) tallies: Tallies,
    pub(super) faults: BTreeMap<Fingerprint, FaultGroup>,
    /// Counts what waiting servers may want to know of.
    pub(super) changes: u64,
    /// Who waits for the next change, by a number of their own.
    pub(super) wakers: BTreeMap<u64, Waker>,
    pub(super) waits: u64,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) info: ServerInfo,
    pub(super) started_at: Timestamp,
    pub(super) lease_until: Timestamp,
    pub(super) order: ServerOrder,
    /// Claims with this token, and those before it, take nothing more.
    pub(super) closed: Option<Token>,
}

impl World {
    /// Lets those who wait know, once the lock is free.
    pub(super) fn changed(&mut self) {
        self.changes += 1;
    }

    pub(super) fn insert(&mut self, jobs: Vec<NewJob>, now: Timestamp) -> Result<Vec<Inserted>> {
        jobs.iter().try_for_each(NewJob::check)?;
        let (mut added, known) = (Vec::new(), std::mem::take(&mut self.tallies));
        let mut insert = |job: NewJob| {
            if !self.jobs.contains_key(&job.id) {
                added.push(job.id);
            }
            self.insert_one(job, now)
        };
        let answers = jobs.into_iter().map(&mut insert).collect::<Result<Vec<_>>>();
        let counted = std::mem::replace(&mut self.tallies, known);
        if answers.is_ok() {
            self.tallies.join(counted);
            self.changed();
        } else {
            for id in &added {
                self.jobs.remove(id);
            }
        }
        answers
    }

    fn insert_one(&mut self, new: NewJob, now: Timestamp) -> Result<Inserted> {
        if self.jobs.contains_key(&new.id) {
            return Ok(Inserted::SameId);
        }
        if let Some(holder) = self.name_holder(&new) {
            return Ok(Inserted::Duplicate(holder));
        }
        let (parents, verdicts) = self.judge_parents(&new)?;
        let id = new.id;
        let mut job = Record {
            place: Place::Awaiting,
            run_at: new.start.instant(now).max(now),
            created_at: now,
            attempts: 0,
            crashes: 0,
            last: None,
            result: None,
            progress: None,
            log: Vec::new(),
            history: Vec::new(),
            parents,
            new,
        };
        self.tallies.of(&job.new, now).created += 1;
        let impossible = verdicts.contains(&Verdict::Impossible);
        if !impossible && !verdicts.contains(&Verdict::Wait) {
            job.release(now)?;
        }
        self.jobs.insert(id, job);
        if impossible {
            self.end(id, Cause::Cancelled, None, now)?;
        }
        Ok(Inserted::New)
    }

    /// The job of this kind that has this unique name and has not ended.
    fn name_holder(&self, new: &NewJob) -> Option<JobId> {
        let name = new.unique.as_ref()?;
        let same = |job: &&Record| job.new.unique.as_ref() == Some(name) && job.new.kind == new.kind;
        self.jobs.values().find(|job| same(job) && !job.state().is_final()).map(|job| job.new.id)
    }

    fn judge_parents(&self, new: &NewJob) -> Result<(Vec<ParentResult>, Vec<Verdict>)> {
        let judge = |dependency: &crate::Dependency| {
            let parent = self.jobs.get(&dependency.parent).ok_or_else(|| {
                Error::misuse(format!("job {} is not known, so no job can wait for it", dependency.parent))
            })?;
            let verdict = dependency.on.verdict(parent.state());
            let decided = verdict != Verdict::Wait;
            let result = ParentResult {
                job: dependency.parent,
                state: decided.then(|| parent.state()),
                result: parent.result.clone().filter(|_| decided),
            };
            Ok((result, verdict))
        };
        new.after.iter().map(judge).collect::<Result<Vec<_>>>().map(|pairs| pairs.into_iter().unzip())
    }

    pub(super) fn exchange(&mut self, exchange: &Exchange, now: Timestamp) -> Result<Exchanged> {
        let targets = exchange.settlements.iter().flat_map(|one| [Some(&one.to), one.if_cancelled.as_ref()]);
        targets.flatten().try_for_each(|target| cause_of(target).map(drop))?;
        exchange.notes.iter().for_each(|note| self.note(note));
        let settled =
            exchange.settlements.iter().map(|one| self.settle(one, now)).collect::<Result<Vec<_>>>()?;
        let claimed = match &exchange.want {
            Some(want) => self.claim(exchange.server, want, now)?,
            None => Vec::new(),
        };
        if !settled.is_empty() {
            self.changed();
        }
        Ok(Exchanged { settled, claimed, cancel: self.cancel_flags(exchange.server) })
    }

    fn note(&mut self, note: &Note) {
        let (Note::Progress(lease, _) | Note::Log(lease, _)) = note;
        let said_by = |job: &&mut Record| job.holds(lease.token) || job.succeeded_by(lease.token);
        let Some(job) = self.jobs.get_mut(&lease.job).filter(said_by) else { return };
        match note {
            Note::Progress(_, progress) => job.progress = Some(progress.clone()),
            Note::Log(_, line) => job.log.push(line.clone()),
        }
    }

    fn settle(&mut self, settlement: &Settlement, now: Timestamp) -> Result<Settled> {
        let Lease { job: id, token } = settlement.lease;
        let Some(job) = self.jobs.get_mut(&id) else { return Ok(Settled::Lost) };
        let Some(held) = job.held().filter(|held| held.token == token).cloned() else {
            // A repeat is answered as it was, as long as nothing has claimed the job since.
            let same = job.last.filter(|(last, _)| *last == token && job.held().is_none());
            return Ok(same.map_or(Settled::Lost, |(_, state)| Settled::Applied(state)));
        };
        let alive = self.servers.get(&held.server).is_some_and(|server| server.lease_until > now);
        if settlement.only_if_expired && alive {
            return Ok(Settled::Lost);
        }
        let target = settlement.if_cancelled.as_ref().filter(|_| held.cancel_requested);
        let target = target.unwrap_or(&settlement.to);
        if let Some(record) = &settlement.record {
            job.history.push(AttemptView {
                attempt: record.attempt,
                started_at: held.started_at,
                ended_at: now,
                server: held.server,
                outcome: record.outcome.into(),
                fault: record.fault.clone(),
            });
        }
        job.last = Some((token, target.state()));
        let tally = self.tallies.of(&job.new, now);
        tally.crashed += u64::from(settlement.only_if_expired);
        tally.retried += u64::from(settlement.is_retry() && *target == settlement.to);
        self.move_to(id, target, now)?;
        self.join_fault_group(id, settlement, now);
        Ok(Settled::Applied(target.state()))
    }

    fn move_to(&mut self, id: JobId, target: &Target, now: Timestamp) -> Result<()> {
        let Some(job) = self.jobs.get_mut(&id) else { return Ok(()) };
        let cause = cause_of(target)?;
        match target {
            Target::Finished { result, attempts, crashes, .. } => {
                (job.attempts, job.crashes) = (*attempts, *crashes);
                self.end(id, cause, result.as_ref(), now)
            }
            Target::Again { state, after, attempts, crashes } => {
                (job.attempts, job.crashes) = (*attempts, *crashes);
                job.run_at = now.after(*after);
                let place = match state {
                    State::Retrying => Place::Retrying,
                    State::Scheduled => Place::Scheduled,
                    _ => Place::Enqueued,
                };
                job.go(cause, place).map(drop)
            }
        }
    }

    /// Ends a job and settles the fate of its children.
    fn end(&mut self, id: JobId, cause: Cause, result: Option<&Json>, now: Timestamp) -> Result<()> {
        let Some(job) = self.jobs.get_mut(&id) else { return Ok(()) };
        let state = job.state().after(cause).map_err(illegal)?;
        let prune_at = match job.new.policy.retention.of(state) {
            Keep::For(duration) => Some(now.after(duration)),
            Keep::Forever => None,
        };
        let held = job.held().map(|held| (held.server, held.started_at));
        let attempt = held.map(|(_, started)| (started.since(job.run_at), now.since(started)));
        self.tallies.of(&job.new, now).count_end(state, attempt);
        job.go(cause, Place::Ended(Ended { state, at: now, prune_at, held, fingerprint: None }))?;
        job.result = result.cloned();
        self.tell_children(id, Some(state), result, now)
    }

    fn tell_children(
        &mut self,
        parent: JobId,
        state: Option<State>,
        result: Option<&Json>,
        now: Timestamp,
    ) -> Result<()> {
        let waiting: Vec<_> =
            self.jobs.values().filter(|job| job.waits_for(parent)).map(|job| job.new.id).collect();
        for child in waiting {
            let Some(job) = self.jobs.get_mut(&child) else { continue };
            let verdicts = job.hear_of(parent, state, result);
            let was_awaiting = matches!(job.place, Place::Awaiting);
            if was_awaiting && verdicts.contains(&Verdict::Impossible) {
                self.end(child, Cause::Cancelled, None, now)?;
            } else if was_awaiting && job.parents.iter().all(|parent| parent.state.is_some()) {
                job.release(now)?;
            }
        }
        Ok(())
    }

    fn claim(&mut self, id: ServerId, want: &Want, now: Timestamp) -> Result<Vec<Claimed>> {
        let repeat = self.taken_by(want);
        let Some(server) = self.servers.get_mut(&id) else { return Ok(repeat) };
        if want.limit == 0 {
            server.closed = server.closed.max(Some(want.token));
        }
        let is_closed = server.closed.is_some_and(|closed| want.token <= closed);
        if !repeat.is_empty() || is_closed || server.lease_until <= now {
            return Ok(repeat);
        }
        let mut claimed = Vec::new();
        for queue in &want.queues {
            let left = (want.limit as usize).saturating_sub(claimed.len()).min(queue.limit as usize);
            let wanted = |job: &&mut Record| {
                matches!(job.place, Place::Enqueued)
                    && !self.paused.contains_key(&job.new.queue)
                    && *job.new.queue == *queue.name
                    && want.kinds.contains(&job.new.kind)
            };
            let mut head: Vec<_> = self.jobs.values_mut().filter(wanted).collect();
            head.sort_by_key(|job| job.claim_key());
            for job in head.into_iter().take(left) {
                claimed.push(job.start(id, want.token, now)?);
            }
        }
        Ok(claimed)
    }

    /// What this claim took before its answer was lost, in the order in which it did.
    fn taken_by(&self, want: &Want) -> Vec<Claimed> {
        let turn = |job: &Record| want.queues.iter().position(|queue| *queue.name == *job.new.queue);
        let mut taken: Vec<_> = self.jobs.values().filter(|job| job.holds(want.token)).collect();
        taken.sort_by_key(|job| (turn(job), job.claim_key()));
        taken.into_iter().filter_map(|job| job.held().map(|held| job.claimed(held))).collect()
    }

    pub(super) fn cancel_flags(&self, server: ServerId) -> Vec<Lease> {
        let flagged = |job: &Record| {
            let held = job.held().filter(|held| held.server == server && held.cancel_requested)?;
            Some(Lease { job: job.new.id, token: held.token })
        };
        self.jobs.values().filter_map(flagged).collect()
    }

    pub(super) fn poll(&self, queues: &[Arc<str>], now: Timestamp) -> Polled {
        let is_wanted = |queue: &str| queues.iter().any(|wanted| &**wanted == queue);
        let is_ready = |job: &Record| matches!(job.place, Place::Enqueued) && is_wanted(&job.new.queue);
        let waits = |job: &&Record| matches!(job.place, Place::Scheduled | Place::Retrying);
        Polled {
            enqueued: self.jobs.values().any(is_ready),
            expired: !self.expired(1, now).is_empty(),
            next: self.jobs.values().filter(waits).map(|job| job.run_at.since(now)).min(),
            next_slot: self.next_slot(now),
        }
    }

    pub(super) fn promote(&mut self, limit: u32, now: Timestamp) -> Result<Promoted> {
        let mut waiting: Vec<_> = self
            .jobs
            .values_mut()
            .filter(|job| matches!(job.place, Place::Scheduled | Place::Retrying))
            .collect();
        waiting.sort_by_key(|job| (job.run_at, job.new.id));
        let mut count = 0;
        let mut next = None;
        for job in waiting {
            if job.run_at > now || count == limit {
                next = Some(job.run_at.since(now));
                break;
            }
            job.go(Cause::Due, Place::Enqueued)?;
            count += 1;
        }
        if count > 0 {
            self.changed();
        }
        Ok(Promoted { count, next, next_slot: self.next_slot(now) })
    }

    pub(super) fn expired(&self, limit: u32, now: Timestamp) -> Vec<Expired> {
        let alive = |id: &ServerId| self.servers.get(id).is_some_and(|server| server.lease_until > now);
        let dead = |job: &Record| {
            let held = job.held().filter(|held| !alive(&held.server))?;
            Some(Expired { facts: job.facts(held), server: held.server })
        };
        self.jobs.values().filter_map(dead).take(limit as usize).collect()
    }

    pub(super) fn prune(&mut self, limit: u32, now: Timestamp) -> Result<u32> {
        let over =
            |job: &&Record| matches!(&job.place, Place::Ended(e) if e.prune_at.is_some_and(|at| at <= now));
        let old: Vec<_> =
            self.jobs.values().filter(over).take(limit as usize).map(|job| job.new.id).collect();
        for job in &old {
            self.delete(*job, now)?;
        }
        let holders: Vec<_> =
            self.jobs.values().filter_map(|job| job.held().map(|held| held.server)).collect();
        let forgotten = now.before(SERVERS_KEPT);
        self.servers.retain(|id, server| server.lease_until > forgotten || holders.contains(id));
        self.prune_audit(limit, now);
        self.tallies.fold(now);
        self.forget_fault_groups(now);
        Ok(u32::try_from(old.len()).unwrap_or(u32::MAX))
    }

    fn delete(&mut self, id: JobId, now: Timestamp) -> Result<()> {
        self.jobs.remove(&id);
        self.changed(); // A child that is cancelled by it may let others go.
        self.tell_children(id, None, None, now)
    }

    pub(super) fn beat(&mut self, beat: Beat, now: Timestamp) -> BeatAnswer {
        let Beat { server, lease, info } = beat;
        let known = self.servers.get(&server).map(|known| (known.started_at, known.order, known.closed));
        let (started_at, order, closed) = known.unwrap_or((now, ServerOrder::Run, None));
        self.servers
            .insert(server, Server { info, started_at, lease_until: now.after(lease), order, closed });
        BeatAnswer { cancel: self.cancel_flags(server), order }
    }

    pub(super) fn act(
        &mut self,
        jobs: &[JobId],
        action: &Action,
        by: &By,
        now: Timestamp,
    ) -> Result<Vec<Acted>> {
        action.check()?;
        let mut all = Vec::new();
        for id in jobs {
            let was = self.jobs.get(id).cloned();
            let acted = self.act_on(*id, action, now)?;
            let deed = was.and_then(|was| Deed::on_job(*id, action, was.was(), acted));
            self.remember(by, deed, now);
            all.push(acted);
        }
        Ok(all)
    }

    fn act_on(&mut self, id: JobId, action: &Action, now: Timestamp) -> Result<Acted> {
        let Some(job) = self.jobs.get(&id) else { return Ok(Acted::Missing) };
        let state = job.state();
        let Some(cause) = action.cause() else {
            if !state.is_deletable() {
                return Ok(Acted::Refused(state));
            }
            self.delete(id, now)?;
            return Ok(Acted::Done(state));
        };
        if state.after(cause).is_err() || (state.is_final() && self.name_holder(&job.new).is_some()) {
            return Ok(Acted::Refused(state));
        }
        self.changed();
        match action {
            Action::Cancel | Action::Delete => self.cancel(id, now),
            Action::RunNow | Action::Reschedule(_) => self.run_again(id, action, now),
            Action::MoveTo(queue) => self.move_in_line(id, |job| job.queue.clone_from(queue)),
            Action::Prioritize(priority) => self.move_in_line(id, |job| job.priority = *priority),
        }
    }

    /// Another queue or priority; state and time stay.
    fn move_in_line(&mut self, id: JobId, change: impl FnOnce(&mut NewJob)) -> Result<Acted> {
        let Some(job) = self.jobs.get_mut(&id) else { return Ok(Acted::Missing) };
        change(&mut job.new);
        job.go(Cause::Moved, job.place.clone()).map(Acted::Done)
    }

    fn cancel(&mut self, id: JobId, now: Timestamp) -> Result<Acted> {
        let Some(job) = self.jobs.get_mut(&id) else { return Ok(Acted::Missing) };
        if let Place::Processing(held) = &mut job.place {
            held.cancel_requested = true;
            return Ok(Acted::Flagged);
        }
        self.end(id, Cause::CancelRequested, None, now)?;
        Ok(Acted::Done(State::Cancelled))
    }

    fn run_again(&mut self, id: JobId, action: &Action, now: Timestamp) -> Result<Acted> {
        let Some(job) = self.jobs.get_mut(&id) else { return Ok(Acted::Missing) };
        if job.state().is_final() {
            (job.attempts, job.crashes, job.result, job.last) = (0, 0, None, None);
        }
        if let Action::Reschedule(at) = action {
            return job.reschedule(*at, now).map(Acted::Done);
        }
        job.run_at = now;
        job.go(Cause::RunNow, Place::Enqueued).map(Acted::Done)
    }
}
