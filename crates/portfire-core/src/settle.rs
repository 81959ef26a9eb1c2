//! The heart: what becomes of a job after an attempt. Nothing else decides it, in any language.
//!
//! 1. A server (or, for a dead one, whoever rescues) has the [`Facts`] and an [`Outcome`].
//! 2. [`settle`] turns them into a [`Settlement`]: a target, an alternative for the case that somebody
//!    asked to cancel meanwhile, and what is remembered of the attempt.
//! 3. The storage writes one of the two if the lease is still held, and answers *lost* otherwise.
//!
//! Invariants: an attempt is charged exactly when its number is written back; a job is never retried
//! beyond its policy; a job that crashed three servers is never given to a fourth by itself.
//!
//! Delays are relative: the storage adds them to its own clock, which alone decides what is due.

use std::time::Duration;

use crate::limits::CRASHES_MAX;
use crate::{Cause, Dice, Fault, Fingerprint, Json, Keep, Lease, Outcome, Policy, State};

/// What must be known of a running job to decide its fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The right to run it.
    pub lease: Lease,
    /// Which handler runs it.
    pub kind: Box<str>,
    /// The number of this attempt; the first is 1.
    pub attempt: u16,
    /// How often the job took its server down before.
    pub crashes: u16,
    /// How it is retried and kept.
    pub policy: Policy,
}

/// A decided, guarded write for one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The fence: the write applies only while this claim holds the job.
    pub lease: Lease,
    /// Rescue only: the write applies only while the lease has expired by the storage's clock.
    pub only_if_expired: bool,
    /// What the job becomes.
    pub to: Target,
    /// What it becomes instead if a cancel request arrived meanwhile; `None` if that changes nothing.
    pub if_cancelled: Option<Target>,
    /// What is remembered of the attempt; `None` for a success, whose times are kept with the job.
    pub record: Option<AttemptRecord>,
    /// The group of failures that the job joins if `to` is written and that is *failed*; `None` otherwise.
    pub fingerprint: Option<Fingerprint>,
}

impl Settlement {
    /// Whether `to` is another attempt after one that was charged: what a tally counts as retried.
    pub fn is_retry(&self) -> bool {
        let charged = self.record.as_ref().map(|record| record.attempt);
        matches!(&self.to, Target::Again { attempts, .. } if Some(*attempts) == charged)
    }
}

/// Where a settlement takes a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// It is over.
    Finished {
        /// Succeeded, failed or cancelled.
        state: State,
        /// What it produced.
        result: Option<Json>,
        /// How long it is kept, from now by the storage's clock.
        keep: Keep,
        /// Attempts charged so far.
        attempts: u16,
        /// Crashes so far.
        crashes: u16,
    },
    /// It runs again later; at once if the delay is zero.
    Again {
        /// Scheduled, retrying or enqueued: its state until then. Enqueued exactly if `after` is zero.
        state: State,
        /// How long from now by the storage's clock.
        after: Duration,
        /// Attempts charged so far.
        attempts: u16,
        /// Crashes so far.
        crashes: u16,
    },
}

impl Target {
    /// The state the job will be in.
    pub const fn state(&self) -> State {
        match self {
            Self::Finished { state, .. } | Self::Again { state, .. } => *state,
        }
    }
}

/// What is kept of an attempt that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Its number.
    pub attempt: u16,
    /// [`Outcome::as_str`].
    pub outcome: &'static str,
    /// What went wrong, if something did.
    pub fault: Option<Fault>,
}

/// Decides what becomes of a job.
///
/// `dice` is only rolled for the jitter of a retry.
pub fn settle(facts: &Facts, outcome: Outcome, dice: &mut Dice) -> Settlement {
    let only_if_expired = outcome == Outcome::Crashed;
    let record = record(facts, &outcome);
    // A crash counts whatever becomes of the job, so that a person sees how often it happened.
    let crashes = facts.crashes.saturating_add(u16::from(only_if_expired));
    let to = target(facts, outcome, crashes, dice);
    let fault = record.as_ref().and_then(|record| record.fault.as_ref());
    let fingerprint =
        fault.filter(|_| to.state() == State::Failed).map(|fault| fault.fingerprint(&facts.kind));
    let if_cancelled = (to.state() != State::Succeeded && to.state() != State::Cancelled)
        .then(|| finished(facts, Cause::Cancelled, None, crashes));
    Settlement { lease: facts.lease, only_if_expired, to, if_cancelled, record, fingerprint }
}

fn target(facts: &Facts, outcome: Outcome, crashes: u16, dice: &mut Dice) -> Target {
    match outcome {
        Outcome::Succeeded(result) => finished(facts, Cause::AttemptSucceeded, result, crashes),
        Outcome::FailedForGood(_) => finished(facts, Cause::GaveUp, None, crashes),
        Outcome::Cancelled(_) => finished(facts, Cause::Cancelled, None, crashes),
        Outcome::Failed(_) | Outcome::TimedOut(_) | Outcome::Panicked(_) | Outcome::Undecodable(_) => {
            let delay = facts.policy.backoff.delay(u32::from(facts.attempt), dice);
            retry(facts, delay, crashes)
        }
        Outcome::RetryAfter(_, delay) => retry(facts, delay, crashes),
        Outcome::Snoozed(delay) => uncharged(facts, Cause::Snoozed, delay),
        Outcome::Interrupted => uncharged(facts, Cause::GivenBack, Duration::ZERO),
        Outcome::Crashed => crashed(facts, crashes, dice),
    }
}

fn uncharged(facts: &Facts, cause: Cause, after: Duration) -> Target {
    again(cause, after, facts.attempt.saturating_sub(1), facts.crashes)
}

fn crashed(facts: &Facts, crashes: u16, dice: &mut Dice) -> Target {
    if crashes >= CRASHES_MAX {
        return finished(facts, Cause::GaveUp, None, crashes);
    }
    let delay = facts.policy.backoff.delay(u32::from(facts.attempt), dice);
    // The first crash is retried at once: most are deploys and power cuts, not the job's doing.
    retry(facts, if crashes == 1 { Duration::ZERO } else { delay }, crashes)
}

fn retry(facts: &Facts, delay: Duration, crashes: u16) -> Target {
    if facts.attempt < facts.policy.attempts_max {
        again(Cause::AttemptFailed, delay, facts.attempt, crashes)
    } else {
        finished(facts, Cause::GaveUp, None, crashes)
    }
}

fn again(cause: Cause, after: Duration, attempts: u16, crashes: u16) -> Target {
    let state = if after.is_zero() { State::Enqueued } else { processing_after(cause) };
    Target::Again { state, after, attempts, crashes }
}

fn finished(facts: &Facts, cause: Cause, result: Option<Json>, crashes: u16) -> Target {
    let state = processing_after(cause);
    let keep = facts.policy.retention.of(state);
    Target::Finished { state, result, keep, attempts: facts.attempt, crashes }
}

fn processing_after(cause: Cause) -> State {
    State::Processing.after(cause).expect("every settlement cause is a row of the table from processing")
}

fn record(facts: &Facts, outcome: &Outcome) -> Option<AttemptRecord> {
    if matches!(outcome, Outcome::Succeeded(_)) {
        return None;
    }
    Some(AttemptRecord { attempt: facts.attempt, outcome: outcome.as_str(), fault: outcome.fault() })
}
