//! One job of the model: its place, and the only way from one place to another.

use crate::storage::{AttemptView, Claimed, LogLine, ParentResult, Progress, Was};
use crate::{
    Cause, Error, Facts, Fingerprint, JobId, Json, Lease, NewJob, Result, ServerId, State, Target, Timestamp,
    Token, Trigger, Verdict,
};

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
    pub(super) fingerprint: Option<Fingerprint>,
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

    pub(super) fn holds(&self, token: Token) -> bool {
        self.held().is_some_and(|held| held.token == token)
    }

    /// Whether this claim ended the job well.
    pub(super) fn succeeded_by(&self, token: Token) -> bool {
        let ran = matches!(self.place, Place::Ended(Ended { held: Some(_), .. }));
        ran && self.last == Some((token, State::Succeeded))
    }

    /// What the audit says of it before somebody acts.
    pub(super) fn was(&self) -> Was<'_> {
        Was { state: self.state(), queue: &self.new.queue, priority: self.new.priority, run_at: self.run_at }
    }

    pub(super) fn facts(&self, held: &Held) -> Facts {
        let lease = Lease { job: self.new.id, token: held.token };
        Facts {
            lease,
            kind: self.new.kind.clone(),
            attempt: held.attempt,
            crashes: self.crashes,
            policy: self.new.policy.clone(),
        }
    }

    pub(super) fn claimed(&self, held: &Held) -> Claimed {
        Claimed {
            facts: self.facts(held),
            queue: self.new.queue.clone(),
            args: self.new.args.clone(),
            tags: self.new.tags.clone(),
            created_at: self.created_at,
            parents: self.parents.clone(),
            slot: self.new.slot.clone(),
        }
    }

    /// Goes to `place`, if the table says that `cause` leads there. Every change of state is this one.
    pub(super) fn go(&mut self, cause: Cause, place: Place) -> Result<State> {
        let next = self.state().after(cause).map_err(illegal)?;
        self.place = place;
        debug_assert_eq!(self.state(), next, "the place is the one that the table says");
        Ok(next)
    }

    /// Nothing is waited for any more but its time, which may have come.
    pub(super) fn release(&mut self, now: Timestamp) -> Result<State> {
        if self.run_at > now {
            return self.go(Cause::ReleasedForLater, Place::Scheduled);
        }
        self.run_at = now;
        self.go(Cause::Released, Place::Enqueued)
    }

    /// Moves to a time that an operator names, which may have come.
    pub(super) fn reschedule(&mut self, at: Timestamp, now: Timestamp) -> Result<State> {
        let retrying = self.state() == State::Retrying;
        self.go(Cause::Rescheduled, if retrying { Place::Retrying } else { Place::Scheduled })?;
        self.run_at = at.max(now);
        if at > now { Ok(self.state()) } else { self.go(Cause::Due, Place::Enqueued) }
    }

    pub(super) fn claim_key(&self) -> (i16, Timestamp, JobId) {
        (self.new.priority, self.run_at, self.new.id)
    }

    pub(super) fn start(&mut self, server: ServerId, token: Token, now: Timestamp) -> Result<Claimed> {
        let attempt = self.attempts.saturating_add(1);
        let held = Held { token, server, attempt, started_at: now, cancel_requested: false };
        let claimed = self.claimed(&held);
        self.go(Cause::Claimed, Place::Processing(held))?;
        Ok(claimed)
    }

    /// What went wrong last.
    pub(super) fn last_fault(&self) -> Option<&str> {
        self.history.iter().rev().find_map(|attempt| attempt.fault.as_ref()).map(|fault| &*fault.message)
    }

    pub(super) fn waits_for(&self, parent: JobId) -> bool {
        self.parents.iter().any(|known| known.job == parent && known.state.is_none())
    }

    /// Notes what a parent came to; answers what that means.
    pub(super) fn hear_of(
        &mut self,
        parent: JobId,
        state: Option<State>,
        result: Option<&Json>,
    ) -> Vec<Verdict> {
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

pub(super) fn illegal(illegal: crate::Illegal) -> Error {
    Error::broken("a change that the table of states does not have").caused_by(illegal)
}

/// What takes a running job to this target.
///
/// # Errors
/// Misuse if [`settle`](crate::settle) makes no such target.
pub(super) fn cause_of(target: &Target) -> Result<Cause> {
    Ok(match target {
        Target::Finished { state: State::Succeeded, .. } => Cause::AttemptSucceeded,
        Target::Finished { state: State::Failed, .. } => Cause::GaveUp,
        Target::Finished { state: State::Cancelled, .. } => Cause::Cancelled,
        Target::Again { state: State::Enqueued, after, .. } if after.is_zero() => Cause::GivenBack,
        Target::Again { state: State::Retrying, after, .. } if !after.is_zero() => Cause::AttemptFailed,
        Target::Again { state: State::Scheduled, after, .. } if !after.is_zero() => Cause::Snoozed,
        other => return Err(Error::misuse(format!("no settlement leads to {other:?}"))),
    })
}
