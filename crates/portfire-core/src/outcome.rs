//! What one attempt came to. An outcome is a fact; what becomes of the job is decided by
//! [`settle`](crate::settle).

use std::time::Duration;

use crate::{Fault, Json};

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ended well; the result is kept if there is one.
    Succeeded(Option<Json>),
    /// It failed; try again by the policy.
    Failed(Fault),
    /// It failed; the handler knows when to try again. The attempt is charged.
    RetryAfter(Fault, Duration),
    /// It failed; the handler knows that another attempt is useless.
    FailedForGood(Fault),
    /// It took longer than its timeout.
    TimedOut(Duration),
    /// It panicked.
    Panicked(Fault),
    /// The arguments do not fit the handler's type.
    Undecodable(Fault),
    /// Not now: run again after this long, uncharged.
    Snoozed(Duration),
    /// The handler stopped on purpose, with its reason.
    Cancelled(Fault),
    /// The server shut down first: the job goes back uncharged.
    Interrupted,
    /// Its server died or lost its lease: the attempt is charged and counted as a crash.
    Crashed,
}

impl Outcome {
    /// The word under which the attempt is kept.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded(_) => "succeeded",
            Self::Failed(_) | Self::RetryAfter(..) | Self::FailedForGood(_) => "failed",
            Self::TimedOut(_) => "timed out",
            Self::Panicked(_) => "panicked",
            Self::Undecodable(_) => "undecodable",
            Self::Snoozed(_) => "snoozed",
            Self::Cancelled(_) => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Crashed => "crashed",
        }
    }

    /// What went wrong, if something did: kept with the attempt.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Failed(fault)
            | Self::RetryAfter(fault, _)
            | Self::FailedForGood(fault)
            | Self::Panicked(fault)
            | Self::Undecodable(fault)
            | Self::Cancelled(fault) => Some(fault.clone()),
            Self::TimedOut(limit) => Some(Fault::new(&format!("took longer than its timeout of {limit:?}"))),
            Self::Crashed => Some(Fault::new("its server died or lost its lease before the attempt ended")),
            Self::Succeeded(_) | Self::Snoozed(_) | Self::Interrupted => None,
        }
    }

    /// The same for people, who also want to hear of an attempt that was snoozed or interrupted.
    pub fn explain(&self) -> Box<str> {
        self.fault().map_or_else(|| self.as_str().into(), |fault| fault.message)
    }
}
