//! The jobs and servers of the model, and everything that changes them.

use std::collections::BTreeMap;
use std::task::Waker;

use crate::storage::{
    Acted, Action, AttemptView, Beat, BeatAnswer, Claimed, Exchange, Exchanged, Expired, Inserted, LogLine,
    Note, ParentResult, Progress, Promoted, ServerInfo, Settled, Want,
};
use crate::{
    Cause, Error, Facts, JobId, Json, Keep, Lease, NewJob, Result, ServerId, Settlement, State, Target,
    Timestamp, Token, Trigger, Verdict,
};

/// Everything the model knows.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) jobs: BTreeMap<JobId, Record>,
    pub(super) servers: BTreeMap<ServerId, Server>,
    /// Counts what waiting servers may want to know of.
    pub(super) changes: u64,
    pub(super) wakers: Vec<Waker>,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) info: ServerInfo,
    pub(super) started_at: Timestamp,
    pub(super) lease_until: Timestamp,
}

/// One job.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) new: NewJob,
    pub(super) place: Place,
    pub(super) run_at: Timestamp,
    pub(super) created_at: Timestamp,
    pub(super) attempts: u16,
    pub(super) crashes: u16,
    pub(super) last: Option<(Token, State)>,
    pub(super) result: Option<Json>,
    pub(super) progress: Option<Progress>,
    pub(super) log: Vec<LogLine>,
    pub(super) history: Vec<AttemptView>,
    /// What each parent came to, once that is decided.
    pub(super) parents: Vec<ParentResult>,
}

/// Where a job is: exactly one of these.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Awaiting,
    Scheduled,
    Enqueued,
    Retrying,
    Processing(Held),
    Ended(Ended),
}

#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) token: Token,
    pub(super) server: ServerId,
    pub(super) attempt: u16,
    pub(super) started_at: Timestamp,
    pub(super) cancel_requested: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) state: State,
    pub(super) at: Timestamp,
    pub(super) prune_at: Option<Timestamp>,
    pub(super) held: Option<(ServerId, Timestamp)>,
}

impl Record {
    pub(super) fn state(&self) -> State {
        match &self.place {
            Place::Awaiting => State::Awaiting,
            Place::Scheduled => State::Scheduled,
            Place::Enqueued => State::Enqueued,
            Place::Retrying => State::Retrying,
            Place::Processing(_) => State::Processing,
            Place::Ended(ended) => ended.state,
        }
    }

    pub(super) fn held(&self) -> Option<&Held> {
        if let Place::Processing(held) = &self.place { Some(held) } else { None }
    }

    fn holds(&self, token: Token) -> bool {
        self.held().is_some_and(|held| held.token == token)
    }

    fn facts(&self, held: &Held) -> Facts {
        let lease = Lease { job: self.new.id, token: held.token };
        Facts { lease, attempt: held.attempt, crashes: self.crashes, policy: self.new.policy.clone() }
    }

    fn claimed(&self, held: &Held) -> Claimed {
        Claimed {
            facts: self.facts(held),
            kind: self.new.kind.clone(),
            queue: self.new.queue.clone(),
            args: self.new.args.clone(),
            tags: self.new.tags.clone(),
            created_at: self.created_at,
            parents: self.parents.clone(),
        }
    }

    /// Waits for `at` from now on, which may have come.
    fn wait_for(&mut self, at: Timestamp, later: Place, now: Timestamp) -> State {
        self.run_at = at.max(now);
        self.place = if at > now { later } else { Place::Enqueued };
        self.state()
    }
}

impl World {
    fn changed(&mut self) {
        self.changes += 1;
        self.wakers.drain(..).for_each(Waker::wake);
    }

    pub(super) fn insert(&mut self, jobs: Vec<NewJob>, now: Timestamp) -> Result<Vec<Inserted>> {
        jobs.iter().try_for_each(NewJob::check)?;
        let before = self.jobs.clone();
        let answers = jobs.into_iter().map(|job| self.insert_one(job, now)).collect::<Result<Vec<_>>>();
        match &answers {
            Ok(_) => self.changed(),
            Err(_) => self.jobs = before,
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
        let (id, at) = (new.id, new.start.instant(now));
        let mut job = Record {
            place: Place::Awaiting,
            run_at: at.max(now),
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
        if !verdicts.contains(&Verdict::Wait) {
            job.wait_for(at, Place::Scheduled, now);
        }
        self.jobs.insert(id, job);
        if verdicts.contains(&Verdict::Impossible) {
            self.end(id, State::Cancelled, None, None, now);
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

    pub(super) fn exchange(&mut self, exchange: &Exchange, now: Timestamp) -> Exchanged {
        exchange.notes.iter().for_each(|note| self.note(note));
        let settled = exchange.settlements.iter().map(|one| self.settle(one, now)).collect();
        let claimed = exchange.want.iter().flat_map(|want| self.claim(exchange.server, want, now)).collect();
        if !exchange.settlements.is_empty() {
            self.changed();
        }
        Exchanged { settled, claimed, cancel: self.cancel_flags(exchange.server) }
    }

    fn note(&mut self, note: &Note) {
        let (Note::Progress(lease, _) | Note::Log(lease, _)) = note;
        let Some(job) = self.jobs.get_mut(&lease.job).filter(|job| job.holds(lease.token)) else { return };
        match note {
            Note::Progress(_, progress) => job.progress = Some(progress.clone()),
            Note::Log(_, line) => job.log.push(line.clone()),
        }
    }

    fn settle(&mut self, settlement: &Settlement, now: Timestamp) -> Settled {
        let Lease { job: id, token } = settlement.lease;
        let Some(job) = self.jobs.get_mut(&id) else { return Settled::Lost };
        let Some(held) = job.held().filter(|held| held.token == token).cloned() else {
            // A repeat is answered as it was, as long as nothing has claimed the job since.
            let same = job.last.filter(|(last, _)| *last == token && job.held().is_none());
            return same.map_or(Settled::Lost, |(_, state)| Settled::Applied(state));
        };
        let alive = self.servers.get(&held.server).is_some_and(|server| server.lease_until > now);
        if settlement.only_if_expired && alive {
            return Settled::Lost;
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
        self.move_to(id, target, &held, now);
        Settled::Applied(target.state())
    }

    fn move_to(&mut self, id: JobId, target: &Target, held: &Held, now: Timestamp) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        match target {
            Target::Finished { state, result, attempts, crashes, .. } => {
                (job.attempts, job.crashes) = (*attempts, *crashes);
                self.end(id, *state, result.clone(), Some((held.server, held.started_at)), now);
            }
            Target::Again { state, after, attempts, crashes } => {
                (job.attempts, job.crashes) = (*attempts, *crashes);
                let later = if *state == State::Retrying { Place::Retrying } else { Place::Scheduled };
                job.wait_for(now.after(*after), later, now);
            }
        }
    }

    /// Ends a job and settles the fate of its children.
    fn end(
        &mut self,
        id: JobId,
        state: State,
        result: Option<Json>,
        held: Option<(ServerId, Timestamp)>,
        now: Timestamp,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let prune_at = match job.new.policy.retention.of(state) {
            Keep::For(duration) => Some(now.after(duration)),
            Keep::Forever => None,
        };
        job.place = Place::Ended(Ended { state, at: now, prune_at, held });
        job.result.clone_from(&result);
        self.tell_children(id, Some(state), result.as_ref(), now);
    }

    fn tell_children(&mut self, parent: JobId, state: Option<State>, result: Option<&Json>, now: Timestamp) {
        let waiting: Vec<_> =
            self.jobs.values().filter(|job| job.waits_for(parent)).map(|job| job.new.id).collect();
        for child in waiting {
            let Some(job) = self.jobs.get_mut(&child) else { continue };
            let verdicts = job.hear_of(parent, state, result);
            let was_awaiting = matches!(job.place, Place::Awaiting);
            if was_awaiting && verdicts.contains(&Verdict::Impossible) {
                self.end(child, State::Cancelled, None, None, now);
            } else if was_awaiting && job.parents.iter().all(|parent| parent.state.is_some()) {
                job.wait_for(job.run_at, Place::Scheduled, now);
            }
        }
    }

    fn claim(&mut self, server: ServerId, want: &Want, now: Timestamp) -> Vec<Claimed> {
        let taken =
            |job: &Record| job.held().filter(|held| held.token == want.token).map(|held| job.claimed(held));
        let mut repeat: Vec<_> = self.jobs.values().collect();
        repeat.sort_by_key(|job| (&job.new.queue, job.claim_key()));
        let repeat: Vec<_> = repeat.into_iter().filter_map(taken).collect();
        if !repeat.is_empty() || self.servers.get(&server).is_none_or(|server| server.lease_until <= now) {
            return repeat;
        }
        let mut claimed = Vec::new();
        for queue in &want.queues {
            let left = (want.limit as usize).saturating_sub(claimed.len()).min(queue.limit as usize);
            let wanted = |job: &&mut Record| {
                matches!(job.place, Place::Enqueued)
                    && *job.new.queue == *queue.name
                    && want.kinds.contains(&job.new.kind)
            };
            let mut head: Vec<_> = self.jobs.values_mut().filter(wanted).collect();
            head.sort_by_key(|job| job.claim_key());
            claimed.extend(head.into_iter().take(left).map(|job| job.start(server, want.token, now)));
        }
        claimed
    }

    pub(super) fn cancel_flags(&self, server: ServerId) -> Vec<Lease> {
        let flagged = |job: &Record| {
            let held = job.held().filter(|held| held.server == server && held.cancel_requested)?;
            Some(Lease { job: job.new.id, token: held.token })
        };
        self.jobs.values().filter_map(flagged).collect()
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
            job.state().after(Cause::Due).map_err(|e| Error::broken("an illegal promotion").caused_by(e))?;
            job.place = Place::Enqueued;
            count += 1;
        }
        if count > 0 {
            self.changed();
        }
        Ok(Promoted { count, next })
    }

    pub(super) fn expired(&self, limit: u32, now: Timestamp) -> Vec<Expired> {
        let alive = |id: &ServerId| self.servers.get(id).is_some_and(|server| server.lease_until > now);
        let dead = |job: &Record| {
            let held = job.held().filter(|held| !alive(&held.server))?;
            Some(Expired { facts: job.facts(held), server: held.server })
        };
        self.jobs.values().filter_map(dead).take(limit as usize).collect()
    }

    pub(super) fn prune(&mut self, limit: u32, now: Timestamp) -> u32 {
        let over =
            |job: &&Record| matches!(&job.place, Place::Ended(e) if e.prune_at.is_some_and(|at| at <= now));
        let old: Vec<_> =
            self.jobs.values().filter(over).take(limit as usize).map(|job| job.new.id).collect();
        for job in &old {
            self.delete(*job, now);
        }
        let holders: Vec<_> =
            self.jobs.values().filter_map(|job| job.held().map(|held| held.server)).collect();
        self.servers.retain(|id, server| server.lease_until > now || holders.contains(id));
        u32::try_from(old.len()).unwrap_or(u32::MAX)
    }

    fn delete(&mut self, id: JobId, now: Timestamp) {
        self.jobs.remove(&id);
        self.tell_children(id, None, None, now);
    }

    pub(super) fn beat(&mut self, beat: Beat, now: Timestamp) -> BeatAnswer {
        let Beat { server, lease, info } = beat;
        let started_at = self.servers.get(&server).map_or(now, |known| known.started_at);
        self.servers.insert(server, Server { info, started_at, lease_until: now.after(lease) });
        BeatAnswer { cancel: self.cancel_flags(server) }
    }

    pub(super) fn act(&mut self, id: JobId, action: Action, now: Timestamp) -> Result<Acted> {
        let Some(job) = self.jobs.get(&id) else { return Ok(Acted::Missing) };
        let state = job.state();
        let cause = match action {
            Action::Cancel => Cause::CancelRequested,
            Action::RunNow => Cause::RunNow,
            Action::Reschedule(_) => Cause::Rescheduled,
            Action::Delete if state.is_deletable() => {
                self.delete(id, now);
                return Ok(Acted::Done(state));
            }
            Action::Delete => return Ok(Acted::Refused(state)),
        };
        let Ok(next) = state.after(cause) else { return Ok(Acted::Refused(state)) };
        if state.is_final() && self.name_holder(&job.new).is_some() {
            return Ok(Acted::Refused(state));
        }
        let acted = self.act_on(id, action, (state, next), now);
        self.changed();
        acted.ok_or_else(|| Error::broken("the job vanished under its lock"))
    }

    fn act_on(
        &mut self,
        id: JobId,
        action: Action,
        (state, next): (State, State),
        now: Timestamp,
    ) -> Option<Acted> {
        let job = self.jobs.get_mut(&id)?;
        let at = match action {
            Action::Cancel => {
                if let Place::Processing(held) = &mut job.place {
                    held.cancel_requested = true;
                    return Some(Acted::Flagged);
                }
                self.end(id, State::Cancelled, None, None, now);
                return Some(Acted::Done(next));
            }
            Action::Reschedule(at) => at,
            Action::RunNow | Action::Delete => now,
        };
        if state.is_final() {
            (job.attempts, job.crashes, job.result, job.last) = (0, 0, None, None);
        }
        let later = if next == State::Retrying { Place::Retrying } else { Place::Scheduled };
        Some(Acted::Done(job.wait_for(at, later, now)))
    }
}

impl Record {
    fn claim_key(&self) -> (i16, Timestamp, JobId) {
        (self.new.priority, self.run_at, self.new.id)
    }

    fn start(&mut self, server: ServerId, token: Token, now: Timestamp) -> Claimed {
        let attempt = self.attempts.saturating_add(1);
        let held = Held { token, server, attempt, started_at: now, cancel_requested: false };
        let claimed = self.claimed(&held);
        self.place = Place::Processing(held);
        claimed
    }

    fn waits_for(&self, parent: JobId) -> bool {
        self.parents.iter().any(|known| known.job == parent && known.state.is_none())
    }

    /// Notes what a parent came to; answers what that means.
    fn hear_of(&mut self, parent: JobId, state: Option<State>, result: Option<&Json>) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for (dependency, known) in self.new.after.iter().zip(&mut self.parents) {
            if dependency.parent != parent || known.state.is_some() {
                continue;
            }
            let verdict = state.map_or(Trigger::verdict_if_deleted(), |state| dependency.on.verdict(state));
            if verdict != Verdict::Wait {
                known.state = Some(state.unwrap_or(State::Cancelled));
                known.result = result.cloned();
            }
            verdicts.push(verdict);
        }
        verdicts
    }
}
