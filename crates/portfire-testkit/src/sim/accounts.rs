//! The moment of a call's effect: it is entered into the ledger, and everything is looked at.

use std::collections::BTreeMap;

use portfire_core::limits::PAGE_MAX;
use portfire_core::storage::{
    Acted, Action, Claimed, Exchange, Exchanged, Filter, Fired, Inserted, JobSummary, Note, PageRequest,
    Settled, Want,
};
use portfire_core::{Clock, Firing, JobId, NewJob, ServerId, Settlement, State};

use super::invariants::{self, Broken, Doing, Holds, holds};
use super::ledger::{Holder, Stage};
use super::net::{Call, Reply, at_once};
use super::world::World;

impl World {
    /// Enters a call and its answer, and judges the answer.
    pub(super) fn enter(&mut self, call: &Call, reply: &Reply) -> Holds {
        match (call, reply) {
            (Call::Insert(_), Reply::Refused(_)) => self.tally.orphans += 1,
            (_, Reply::Refused(why)) => {
                return Err(Broken { invariant: 3, what: format!("{call:?} was refused: {why}") });
            }
            (Call::Insert(jobs), Reply::Inserted(answers)) => return self.enter_set(jobs, answers),
            (Call::Act(jobs, action), Reply::Acted(answers)) => {
                let mut pairs = jobs.iter().zip(answers);
                return pairs.try_for_each(|(job, answer)| self.enter_wish(*job, action, *answer));
            }
            (Call::Exchange(exchange), Reply::Exchanged(answer)) => {
                return self.enter_exchange(exchange, answer);
            }
            (Call::Beat(beat), _) => {
                self.ledger.leases.insert(beat.server, self.clock.now().after(beat.lease));
            }
            (Call::Leave(server), _) => {
                self.ledger.leases.remove(server);
            }
            (Call::Put(schedules), Reply::Put(answers)) => self.ledger.put(schedules, answers),
            (Call::Direct(names, order), Reply::Directed(answers)) => {
                self.ledger.direct(names, *order, answers);
            }
            (Call::Fire(firings), Reply::Fired(answers)) => return self.enter_firings(firings, answers),
            _ => {}
        }
        Ok(())
    }

    fn enter_firings(&mut self, firings: &[Firing], answers: &[Fired]) -> Holds {
        let now = self.clock.now();
        for (firing, answer) in firings.iter().zip(answers) {
            let Fired::Applied(stored) = answer else {
                self.tally.lost_firings += 1;
                continue;
            };
            invariants::a_firing_follows_the_definition(&self.ledger, firing, stored)?;
            for slot in &firing.slots {
                let job = slot.job.as_ref().filter(|job| stored.contains(&job.id));
                invariants::a_slot_fires_at_most_once(&self.ledger, &firing.schedule, slot, job)?;
                if self.profile.keeps_time() {
                    invariants::no_slot_fires_early(&firing.schedule, slot, now)?;
                }
                self.ledger.tick(&firing.schedule, slot, job);
                self.tally.ticks += u64::from(job.is_some());
            }
        }
        Ok(())
    }

    fn enter_set(&mut self, jobs: &[NewJob], answers: &[Inserted]) -> Holds {
        for (job, answer) in jobs.iter().zip(answers) {
            let Some(entry) = self.ledger.jobs.get(&job.id) else { continue };
            invariants::no_job_is_stored_twice(entry, *answer)?;
            match answer {
                Inserted::Duplicate(holder) => {
                    invariants::a_duplicate_has_a_holder(&self.ledger, entry, *holder)?;
                    self.tally.duplicates += 1;
                }
                Inserted::SameId => self.tally.repeated_sets += 1,
                Inserted::New => self.ledger.store(job.id),
            }
        }
        Ok(())
    }

    fn enter_wish(&mut self, job: JobId, action: &Action, answer: Acted) -> Holds {
        let Some(entry) = self.ledger.jobs.get_mut(&job) else { return Ok(()) };
        match (answer, action) {
            (Acted::Missing, _) => {
                return holds(1, entry.stage != Stage::Stored, || {
                    format!("job {job} was stored and is missing")
                });
            }
            (Acted::Flagged, _) => {
                let flag = entry.holder.as_mut().map(|holder| holder.flagged = true);
                return holds(3, flag.is_some(), || format!("job {job} was flagged and does not run"));
            }
            (Acted::Done(state), Action::Delete) => entry.deleted(state),
            (Acted::Done(_), Action::RunNow | Action::Reschedule(_)) => {
                entry.hurried = true;
                if entry.seen.is_some_and(State::is_final) {
                    entry.begun_afresh();
                }
            }
            (Acted::Done(_) | Acted::Refused(_), _) => {}
        }
        Ok(())
    }

    fn enter_exchange(&mut self, exchange: &Exchange, answer: &Exchanged) -> Holds {
        for note in &exchange.notes {
            let Note::Log(lease, line) = note else { continue };
            if self.ledger.jobs.get(&lease.job).is_some_and(|entry| entry.holds(lease.token)) {
                self.ledger.lines.insert(line.text.to_string());
            }
        }
        holds(4, exchange.settlements.len() == answer.settled.len(), || "an answer is missing".into())?;
        for (settlement, settled) in exchange.settlements.iter().zip(&answer.settled) {
            self.enter_settlement(settlement, *settled)?;
        }
        for claimed in &answer.claimed {
            self.enter_claim(exchange.server, exchange.want.as_ref(), claimed)?;
        }
        Ok(())
    }

    fn enter_settlement(&mut self, settlement: &Settlement, answer: Settled) -> Holds {
        let expected = self.ledger.expected(settlement, self.clock.now());
        invariants::a_stale_token_changes_nothing(settlement, answer, expected)?;
        let Some(entry) = self.ledger.jobs.get_mut(&settlement.lease.job) else { return Ok(()) };
        match answer {
            Settled::Applied(state) if entry.holds(settlement.lease.token) => {
                self.tally.rescues += u64::from(settlement.only_if_expired);
                entry.settled(settlement, state);
                let crashed = entry.crashes >= portfire_core::limits::CRASHES_MAX;
                self.tally.quarantines += u64::from(crashed && state == State::Failed);
            }
            Settled::Applied(_) => self.tally.repeated_settlements += 1,
            Settled::Lost if settlement.only_if_expired => self.tally.late_rescues += 1,
            Settled::Lost => self.tally.zombies += 1,
        }
        Ok(())
    }

    fn enter_claim(&mut self, server: ServerId, want: Option<&Want>, claimed: &Claimed) -> Holds {
        let (lease, now) = (claimed.facts.lease, self.clock.now());
        let (Some(entry), Some(want)) = (self.ledger.jobs.get(&lease.job), want) else {
            return Err(Broken { invariant: 2, what: format!("{claimed:?} was not asked for") });
        };
        invariants::a_claim_takes_what_is_free(&self.ledger, entry, server, lease.token, now)?;
        invariants::a_claim_takes_what_is_known(entry, want)?;
        invariants::a_fence_is_made_anew(entry, claimed)?;
        invariants::attempts_stay_within_the_policy(entry, claimed)?;
        let Some(entry) = self.ledger.jobs.get_mut(&lease.job) else { return Ok(()) };
        if entry.holds(lease.token) {
            self.tally.repeated_claims += 1;
            return Ok(());
        }
        self.tally.attempts += 1;
        entry.tokens.insert(lease.token);
        entry.holder = Some(Holder { token: lease.token, server, flagged: false });
        (0..self.hosts.len()).try_for_each(|host| self.check_faith(host))
    }

    /// Looks at everything there is, and judges what has changed since the last look.
    pub(super) fn look(&mut self, call: &Call, reply: &Reply) -> Holds {
        let doing = Doing::of(call);
        let seen = self.all_jobs()?;
        if doing == Doing::Prune {
            self.ledger.prune(&seen, self.clock.now());
        }
        invariants::no_job_is_lost(&self.ledger, &seen)?;
        for job in seen.values() {
            invariants::no_job_comes_from_nowhere(&self.ledger, job)?;
            let Some(entry) = self.ledger.jobs.get_mut(&job.id) else { continue };
            invariants::every_change_is_a_row(doing, entry.seen, job)?;
            invariants::a_job_runs_while_it_is_held(entry, job)?;
            entry.look(job);
        }
        if let Reply::Exchanged(answer) = reply {
            for claimed in &answer.claimed {
                invariants::a_child_starts_after_its_parents(&self.ledger, claimed.facts.lease.job)?;
            }
        }
        invariants::a_unique_name_has_one_holder(&self.ledger)?;
        let overview = at_once(self.storage.overview()).map_err(unreadable)?;
        invariants::counters_equal_a_recount(&overview, &seen)
    }

    fn all_jobs(&self) -> Result<BTreeMap<JobId, JobSummary>, Broken> {
        let mut seen = BTreeMap::new();
        let mut request = PageRequest { limit: PAGE_MAX, ..PageRequest::default() };
        loop {
            let page = at_once(self.storage.list(Filter::default(), request.clone())).map_err(unreadable)?;
            seen.extend(page.jobs.into_iter().map(|job| (job.id, job)));
            request.after = page.next;
            if request.after.is_none() {
                return Ok(seen);
            }
        }
    }

    /// Whether nobody has anything left to do.
    pub(super) fn is_settled(&self) -> bool {
        self.ledger.schedules.is_empty()
            && self.producers.iter().all(super::producers::Producer::is_done)
            && self.ledger.unsettled().is_none()
    }

    /// 6: everything due ends, once faults have stopped.
    pub(super) fn check_patience(&self, waited: std::time::Duration) -> Holds {
        holds(6, waited < self.scenario.calm, || {
            let stuck = self.ledger.unsettled();
            format!("{waited:?} after the last fault, {stuck:?} has not ended")
        })
    }

    /// What can be judged once, at the end: logs and counts.
    pub(super) fn check_at_the_end(&self) -> Holds {
        let stored: Vec<_> = self.ledger.stored().map(|(id, _)| *id).collect();
        let details = at_once(self.storage.get(stored)).map_err(unreadable)?;
        details.iter().flatten().try_for_each(|job| {
            invariants::a_stale_token_says_nothing(&self.ledger, job)?;
            invariants::counts_are_kept(&self.ledger, job)
        })
    }

    /// Writes a call and its answer into the trace, if it did something.
    pub(super) fn describe(&mut self, call: &Call, reply: &Reply) {
        match (call, reply) {
            (Call::Insert(jobs), _) => self.say(|names| {
                let jobs: Vec<_> =
                    jobs.iter().map(|job| format!("{} ({})", names.job(job.id), job.kind)).collect();
                format!("insert {}: {reply}", jobs.join(", "))
            }),
            (Call::Act(jobs, action), _) => self.say(|names| {
                let jobs: Vec<_> = jobs.iter().map(|job| names.job(*job)).collect();
                format!("{action:?} {}: {reply}", jobs.join(", "))
            }),
            (Call::Exchange(exchange), Reply::Exchanged(answer)) => self.describe_exchange(exchange, answer),
            (Call::Promote(_), Reply::Promoted(promoted)) if promoted.count > 0 => {
                self.say(|_| format!("promote: {}", promoted.count));
            }
            (Call::Sweep(_), Reply::Swept(expired)) if !expired.is_empty() => self.say(|names| {
                let dead: Vec<_> = expired.iter().map(|dead| names.lease(dead.facts.lease)).collect();
                format!("sweep: {}", dead.join(", "))
            }),
            (Call::Prune(_), Reply::Pruned(count)) if *count > 0 => self.say(|_| format!("prune: {count}")),
            (Call::Put(schedules), _) => self.say(|_| {
                let words =
                    schedules.iter().map(|one| format!("{} `{}` {:?}", one.id, one.cron, one.misfire));
                format!("put {}", words.collect::<Vec<_>>().join(", "))
            }),
            (Call::Direct(names, order), Reply::Directed(answers)) => {
                self.say(|_| format!("{order:?} {}: {answers:?}", names.join(", ")));
            }
            (Call::Fire(firings), Reply::Fired(answers)) => self.describe_firings(firings, answers),
            (Call::Beat(beat), _) => self.say(|names| format!("{} beats", names.server(beat.server))),
            (Call::Leave(server), _) => self.say(|names| format!("{} leaves", names.server(*server))),
            _ => {}
        }
    }

    fn describe_firings(&mut self, firings: &[Firing], answers: &[Fired]) {
        for (firing, answer) in firings.iter().zip(answers) {
            let answer = if matches!(answer, Fired::Lost) { "lost" } else { "applied" };
            self.say(|names| {
                let slots = firing.slots.iter().map(|slot| {
                    let job = slot.job.as_ref().map(|job| names.job(job.id)).unwrap_or_default();
                    format!(" {} {} {job}", slot.at, slot.fate)
                });
                let slots: String = slots.collect();
                format!("fire {}:{slots}: {answer}", firing.schedule)
            });
        }
    }

    fn describe_exchange(&mut self, exchange: &Exchange, answer: &Exchanged) {
        if exchange.settlements.is_empty() && answer.claimed.is_empty() {
            return;
        }
        self.say(|names| {
            let mut parts = vec![format!("{} exchanges", names.server(exchange.server))];
            let settled = exchange.settlements.iter().zip(&answer.settled);
            parts.extend(settled.map(|(settlement, answer)| names.settlement(settlement, *answer)));
            let claimed = answer.claimed.iter();
            parts.extend(claimed.map(|claimed| format!("claims {}", names.lease(claimed.facts.lease))));
            parts.join("; ")
        });
    }
}

impl Doing {
    const fn of(call: &Call) -> Self {
        match call {
            Call::Insert(_) => Self::Insert,
            Call::Act(..) => Self::Act,
            Call::Exchange(_) => Self::Exchange,
            Call::Promote(_) => Self::Promote,
            Call::Prune(_) => Self::Prune,
            Call::Fire(_) => Self::Fire,
            Call::Poll(_) | Call::Sweep(_) | Call::Beat(_) | Call::Leave(_) => Self::Nothing,
            Call::Put(_) | Call::Due(_) | Call::Direct(..) => Self::Nothing,
        }
    }
}

fn unreadable(error: portfire_core::Error) -> Broken {
    Broken { invariant: 9, what: format!("the storage could not be looked at: {error}") }
}
