//! What must hold after every step, one function per invariant, with its number.
//!
//! 1. no stored job is ever missing unless it was deleted or pruned, and none comes from nowhere
//! 2. no job is run by two servers that both have reason to think it theirs
//! 3. every change of state is a row of the table, and a child starts after its parents
//! 4. a stale token changes nothing; a rescue needs an expired lease; a fence is made anew
//! 5. attempts and crashes are counted, and stay within the policy
//! 6. once faults stop, everything due ends
//! 7. each slot of a schedule fires at most once
//! 8. a server that stopped well leaves no running job
//! 9. counters equal a recount
//! 10. no two jobs that have not ended share a unique name
//! 11. a server never runs more attempts than it has slots
//!
//! They judge from the [`Ledger`]; what the storage shows is what is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use portfire_core::limits::CRASHES_MAX;
use portfire_core::schedule::SlotPlan;
use portfire_core::storage::{Claimed, Inserted, JobDetails, JobSummary, Overview, Settled, Want};
use portfire_core::{
    Cause, Firing, JobId, Lease, NewJob, ServerId, Settlement, SlotFate, State, Timestamp, Token,
};

use super::ledger::{Entry, Ledger, Stage};

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its number.
    pub invariant: u8,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {} is broken: {}", self.invariant, self.what)
    }
}

pub(super) type Holds = Result<(), Broken>;

pub(super) fn holds(invariant: u8, does: bool, what: impl FnOnce() -> String) -> Holds {
    if does { Ok(()) } else { Err(Broken { invariant, what: what() }) }
}

/// A storage call, as far as it says what may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Insert,
    Act,
    Exchange,
    Promote,
    Prune,
    Fire,
    /// Reads and heartbeats.
    Nothing,
}

impl Doing {
    /// What may move jobs in such a call; inserts and deletions move children.
    const fn causes(self) -> &'static [Cause] {
        match self {
            Self::Insert | Self::Fire | Self::Prune => {
                &[Cause::Released, Cause::ReleasedForLater, Cause::Cancelled]
            }
            Self::Act => &[
                Cause::CancelRequested,
                Cause::RunNow,
                Cause::Rescheduled,
                Cause::Due,
                Cause::Released,
                Cause::ReleasedForLater,
                Cause::Cancelled,
            ],
            Self::Exchange => &[
                Cause::AttemptSucceeded,
                Cause::AttemptFailed,
                Cause::GaveUp,
                Cause::Snoozed,
                Cause::GivenBack,
                Cause::Cancelled,
                Cause::Released,
                Cause::ReleasedForLater,
                Cause::Claimed,
            ],
            Self::Promote => &[Cause::Due],
            Self::Nothing => &[],
        }
    }
}

/// 1: what is stored is there.
pub(super) fn no_job_is_lost(ledger: &Ledger, seen: &BTreeMap<JobId, JobSummary>) -> Holds {
    let lost = ledger.stored().find(|(id, _)| !seen.contains_key(id));
    holds(1, lost.is_none(), || format!("job {:?} was stored and is not there", lost.map(|(id, _)| id)))
}

/// 1: what is there was stored.
pub(super) fn no_job_comes_from_nowhere(ledger: &Ledger, job: &JobSummary) -> Holds {
    let entry = ledger.jobs.get(&job.id);
    holds(1, entry.is_some_and(|entry| entry.stage == Stage::Stored), || {
        format!("job {} is there, and its account says {:?}", job.id, entry.map(|entry| entry.stage))
    })
}

/// 1: a job is stored once.
pub(super) fn no_job_is_stored_twice(entry: &Entry, answer: Inserted) -> Holds {
    let twice = entry.stage == Stage::Stored && answer == Inserted::New;
    let never = entry.stage != Stage::Stored && answer == Inserted::SameId;
    holds(1, !twice && !never, || {
        format!("storing job {}, which is {:?}, was answered {answer:?}", entry.new.id, entry.stage)
    })
}

/// 2: a claim by one whose lease has ended takes nothing, and nothing is taken from a holder.
pub(super) fn a_claim_takes_what_is_free(
    ledger: &Ledger,
    entry: &Entry,
    server: ServerId,
    token: Token,
    now: Timestamp,
) -> Holds {
    let repeat = entry.holder.is_some_and(|holder| (holder.token, holder.server) == (token, server));
    holds(2, repeat || entry.holder.is_none(), || {
        format!("job {} was claimed while {:?} held it", entry.new.id, entry.holder)
    })?;
    holds(2, repeat || ledger.has_lease(server, now), || {
        format!("job {} was claimed by server {server}, whose lease has ended", entry.new.id)
    })
}

/// 2: nobody is given a job that it cannot run.
pub(super) fn a_claim_takes_what_is_known(entry: &Entry, want: &Want) -> Holds {
    holds(2, want.kinds.contains(&entry.new.kind), || {
        format!("job {} of kind {} was claimed by one that does not know it", entry.new.id, entry.new.kind)
    })
}

/// 2: what a server runs in good faith was given to nobody else.
pub(super) fn nobody_else_holds_it(ledger: &Ledger, lease: Lease, server: ServerId) -> Holds {
    let holder = ledger.jobs.get(&lease.job).and_then(|entry| entry.holder);
    let other = holder.filter(|holder| holder.token != lease.token);
    holds(2, other.is_none(), || {
        format!("server {server} runs job {} in good faith, and {other:?} holds it", lease.job)
    })
}

/// 3: no state is reached but by rows of the table.
pub(super) fn every_change_is_a_row(doing: Doing, before: Option<State>, job: &JobSummary) -> Holds {
    if before == Some(job.state) {
        return Ok(());
    }
    let start: &[State] = match (before, doing) {
        (Some(_), _) => before.as_slice(),
        (None, Doing::Insert | Doing::Fire) => &[State::Awaiting, State::Scheduled, State::Enqueued],
        (None, _) => &[],
    };
    // Settled, released and claimed again within one exchange: no path is longer.
    let mut reached: BTreeSet<State> = start.iter().copied().collect();
    for _ in 0..4 {
        let next =
            reached.iter().flat_map(|from| doing.causes().iter().filter_map(|why| from.after(*why).ok()));
        let next: Vec<_> = next.collect();
        reached.extend(next);
    }
    holds(3, reached.contains(&job.state), || {
        format!("job {} went from {before:?} to {} by {doing:?}", job.id, job.state)
    })
}

/// 3: a child starts when its parents have come to what it asked.
pub(super) fn a_child_starts_after_its_parents(ledger: &Ledger, job: JobId) -> Holds {
    let may_start = ledger.jobs.get(&job).is_some_and(|entry| ledger.may_start(entry));
    holds(3, may_start, || format!("job {job} started before its parents ended"))
}

/// 4: a settlement applies exactly when its token holds the job and its condition is met.
pub(super) fn a_stale_token_changes_nothing(
    settlement: &Settlement,
    answer: Settled,
    expected: Settled,
) -> Holds {
    holds(4, answer == expected, || {
        format!("{settlement:?} was answered {answer:?}; the account says {expected:?}")
    })
}

/// 4: a job leaves `processing` by the settlement of its holder and by nothing else.
pub(super) fn a_job_runs_while_it_is_held(entry: &Entry, job: &JobSummary) -> Holds {
    holds(4, entry.holder.is_some() == (job.state == State::Processing), || {
        format!("job {} is {}, and the account says that {:?} holds it", job.id, job.state, entry.holder)
    })
}

/// 4: no token fences two claims of one job.
pub(super) fn a_fence_is_made_anew(entry: &Entry, claimed: &Claimed) -> Holds {
    let token = claimed.facts.lease.token;
    holds(4, entry.holds(token) || !entry.tokens.contains(&token), || {
        format!("job {} was claimed again with token {token}, which had held it before", entry.new.id)
    })
}

/// 5: a claim carries the number of its attempt, within the policy.
pub(super) fn attempts_stay_within_the_policy(entry: &Entry, claimed: &Claimed) -> Holds {
    let (facts, id) = (&claimed.facts, entry.new.id);
    let (attempt, crashes) = (facts.attempt, facts.crashes);
    holds(5, (attempt, crashes) == (entry.charged + 1, entry.crashes), || {
        let (charged, counted) = (entry.charged, entry.crashes);
        format!(
            "job {id} was claimed as attempt {attempt} after {crashes} crashes; {charged} and {counted} count"
        )
    })?;
    let attempts_max = entry.new.policy.attempts_max;
    holds(5, attempt <= attempts_max, || {
        format!("attempt {attempt} of job {id}, which may have {attempts_max}")
    })?;
    holds(5, entry.crashes < CRASHES_MAX, || format!("job {id} runs after {crashes} crashes"))
}

/// 4: every line in a log was said by one who held the job.
pub(super) fn a_stale_token_says_nothing(ledger: &Ledger, job: &JobDetails) -> Holds {
    let stale = job.log.iter().find(|line| !ledger.lines.contains(&*line.text));
    holds(4, stale.is_none(), || format!("the log of job {} has {stale:?}", job.summary.id))
}

/// 5: what is kept of attempts and crashes is what happened.
pub(super) fn counts_are_kept(ledger: &Ledger, job: &JobDetails) -> Holds {
    let Some(entry) = ledger.jobs.get(&job.summary.id) else { return Ok(()) };
    let (kept, counted) = ((job.summary.attempts, job.crashes), (entry.charged, entry.crashes));
    holds(5, kept == counted, || {
        format!("job {} is kept with (attempts, crashes) {kept:?}; {counted:?} count", job.summary.id)
    })
}

/// 7: a slot has its turn once.
pub(super) fn a_slot_fires_at_most_once(
    ledger: &Ledger,
    schedule: &str,
    slot: &SlotPlan,
    job: Option<&NewJob>,
) -> Holds {
    let before = ledger.schedules.get(schedule).and_then(|known| known.slots.get(&slot.at));
    holds(7, job.is_none() || before.is_none(), || {
        format!(
            "slot {} of schedule {schedule} got job {:?} and had its turn before",
            slot.at,
            job.map(|job| job.id)
        )
    })
}

/// 7: a slot is not fired before its time. (A run that a person asks for may be a microsecond off.)
pub(super) fn no_slot_fires_early(schedule: &str, slot: &SlotPlan, now: Timestamp) -> Holds {
    let in_time = slot.fate == SlotFate::Triggered || slot.at <= now;
    holds(7, in_time, || format!("slot {} of schedule {schedule} was fired at {now}", slot.at))
}

/// 7: nothing is made from a schedule that was removed, paused or replaced.
pub(super) fn a_firing_follows_the_definition(ledger: &Ledger, firing: &Firing, stored: &[JobId]) -> Holds {
    let id = &firing.schedule;
    let Some(known) = ledger.schedules.get(id) else {
        return holds(7, stored.is_empty(), || format!("schedule {id} was fired after it was removed"));
    };
    for slot in firing.slots.iter().filter(|slot| slot.fate == SlotFate::Fired) {
        let Some(job) = slot.job.as_ref().filter(|job| stored.contains(&job.id)) else { continue };
        holds(7, !known.is_paused, || {
            format!("slot {} of schedule {id} was fired while it was paused", slot.at)
        })?;
        holds(7, Some(&job.args) == known.args.as_ref(), || {
            format!("slot {} of schedule {id} was fired as it was before", slot.at)
        })?;
    }
    Ok(())
}

/// 8: a server that stopped well holds nothing.
pub(super) fn a_stopped_server_leaves_nothing(ledger: &Ledger, server: ServerId) -> Holds {
    let left = ledger.stored().find(|(_, entry)| entry.holder.is_some_and(|holder| holder.server == server));
    holds(8, left.is_none(), || {
        format!("server {server} stopped and left {:?} running", left.map(|(id, _)| id))
    })
}

/// 9: the overview is what one would count.
pub(super) fn counters_equal_a_recount(overview: &Overview, seen: &BTreeMap<JobId, JobSummary>) -> Holds {
    let mut counts = BTreeMap::<_, u64>::new();
    for job in seen.values() {
        let queue = if job.state.is_final() { None } else { Some(&*job.queue) };
        *counts.entry((queue, job.state)).or_default() += 1;
    }
    let live = overview.counts.iter().map(|count| ((Some(&*count.queue), count.state), count.jobs));
    let ended = overview.ended.iter().map(|count| ((None, count.state), count.jobs));
    let shown: BTreeMap<_, _> = live.chain(ended).collect();
    holds(9, counts == shown, || format!("the overview says {shown:?}; a recount says {counts:?}"))
}

/// 10: no name has two holders.
pub(super) fn a_unique_name_has_one_holder(ledger: &Ledger) -> Holds {
    let mut names = BTreeMap::new();
    for (id, entry) in ledger.stored() {
        let Some(name) = &entry.new.unique else { continue };
        if entry.seen.is_some_and(State::is_final) {
            continue;
        }
        let other = names.insert((&entry.new.kind, name), id);
        holds(10, other.is_none(), || format!("jobs {id} and {other:?} both hold the name `{name}`"))?;
    }
    Ok(())
}

/// 10: a set is refused for a name only while that name is held.
pub(super) fn a_duplicate_has_a_holder(ledger: &Ledger, entry: &Entry, holder: JobId) -> Holds {
    let other = ledger.jobs.get(&holder).filter(|other| other.stage == Stage::Stored);
    let same = other.is_some_and(|other| {
        (&other.new.kind, &other.new.unique) == (&entry.new.kind, &entry.new.unique)
            && !other.seen.is_some_and(State::is_final)
    });
    holds(10, same, || format!("job {} was refused for {holder}, which does not hold its name", entry.new.id))
}

/// 11: what runs is counted, whatever became of its lease.
pub(super) fn a_server_keeps_to_its_slots(server: ServerId, slots: u32, attempts: usize) -> Holds {
    holds(11, attempts <= slots as usize, || {
        format!("server {server} runs {attempts} attempts in {slots} slots")
    })
}
