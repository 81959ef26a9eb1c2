//! How a job moves: eight states, and one exhaustive table of what may cause which change.
//!
//! The table is used wherever a state changes, live and in recovery; a move that is not in it is an
//! [`Illegal`] error, never a silent write.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Waits for other jobs.
    Awaiting,
    /// Waits for a time in the future.
    Scheduled,
    /// Waits for a free slot.
    Enqueued,
    /// Belongs to a server.
    Processing,
    /// Failed an attempt, and will run again at a known time.
    Retrying,
    /// Ended well.
    Succeeded,
    /// Gave up: no attempts left, or the handler said so.
    Failed,
    /// Was stopped on purpose.
    Cancelled,
}

/// What makes a job change its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// All jobs it waited for came to what it asked, and its time has come.
    Released,
    /// The same, but its time is still ahead.
    ReleasedForLater,
    /// Its time has come.
    Due,
    /// A server took it.
    Claimed,
    /// The attempt ended well.
    AttemptSucceeded,
    /// The attempt failed, and there will be another.
    AttemptFailed,
    /// The attempt failed, and it was the last.
    GaveUp,
    /// The handler asked to run later; no attempt is charged.
    Snoozed,
    /// The server gave it back unfinished at shutdown; no attempt is charged.
    GivenBack,
    /// The handler, an operator's wish or a parent's end stops it.
    Cancelled,
    /// An operator wants it stopped; while it runs this is only a wish.
    CancelRequested,
    /// An operator wants it to run now.
    RunNow,
    /// An operator moves it to a time in the future.
    Rescheduled,
    /// An operator gives it another place in line, another queue or priority: its time stays.
    Moved,
}

/// A change that the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {from} cannot change by {cause:?}")]
pub struct Illegal {
    /// The state it was in.
    pub from: State,
    /// What should have changed it.
    pub cause: Cause,
}

impl State {
    /// All states, in the order of a job's life.
    pub const ALL: [Self; 8] = [
        Self::Awaiting,
        Self::Scheduled,
        Self::Enqueued,
        Self::Processing,
        Self::Retrying,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The state after `cause`: the whole table.
    ///
    /// # Errors
    /// [`Illegal`] if the table has no such row.
    pub const fn after(self, cause: Cause) -> Result<Self, Illegal> {
        use Cause as C;
        use State as S;
        Ok(match (self, cause) {
            (S::Awaiting, C::Released) => S::Enqueued,
            (S::Awaiting, C::ReleasedForLater) => S::Scheduled,
            (S::Scheduled | S::Retrying, C::Due) => S::Enqueued,
            (S::Enqueued, C::Claimed) => S::Processing,

            (S::Processing, C::AttemptSucceeded) => S::Succeeded,
            (S::Processing, C::AttemptFailed) => S::Retrying,
            (S::Processing, C::GaveUp) => S::Failed,
            (S::Processing, C::Snoozed) => S::Scheduled,
            (S::Processing, C::GivenBack) => S::Enqueued,
            (S::Processing, C::CancelRequested) => S::Processing,

            (S::Awaiting | S::Scheduled | S::Enqueued | S::Retrying, C::CancelRequested) => S::Cancelled,
            (S::Awaiting | S::Scheduled | S::Enqueued | S::Processing | S::Retrying, C::Cancelled) => {
                S::Cancelled
            }

            (
                S::Awaiting | S::Scheduled | S::Retrying | S::Succeeded | S::Failed | S::Cancelled,
                C::RunNow,
            ) => S::Enqueued,
            (S::Scheduled | S::Enqueued | S::Succeeded | S::Failed | S::Cancelled, C::Rescheduled) => {
                S::Scheduled
            }
            (S::Retrying, C::Rescheduled) => S::Retrying,
            (S::Awaiting | S::Scheduled | S::Enqueued | S::Retrying, C::Moved) => self,

            (from, cause) => return Err(Illegal { from, cause }),
        })
    }

    /// Whether no server will touch the job again by itself.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// Whether the job may be deleted: everything but what a server is working on.
    pub const fn is_deletable(self) -> bool {
        !matches!(self, Self::Processing)
    }

    /// The word for it, in code, SQL, logs, documentation and dashboard.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Awaiting => "awaiting",
            Self::Scheduled => "scheduled",
            Self::Enqueued => "enqueued",
            Self::Processing => "processing",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for State {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(|| {
            Error::misuse(format!(
                "`{word}` is not a state; the states are {:?}",
                Self::ALL.map(Self::as_str)
            ))
        })
    }
}
