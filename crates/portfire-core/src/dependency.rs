//! What a waiting job asks of its parents, and what their ends mean for it.

use std::fmt;
use std::str::FromStr;

use crate::{Error, JobId, State};

/// One job that another waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The job waited for.
    pub parent: JobId,
    /// Which end of it counts.
    pub on: Trigger,
}

/// Which end of a parent lets the waiting job go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// It succeeded.
    Success,
    /// It gave up.
    Failure,
    /// It ended, however.
    End,
}

/// What a parent's end means for a job that waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// This parent is no longer waited for.
    Satisfied,
    /// Keep waiting: a person may still retry the parent.
    Wait,
    /// What was waited for can no longer happen: the job is cancelled.
    Impossible,
}

impl Trigger {
    /// All triggers.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::End];

    /// What it means that the parent is now in `state`.
    ///
    /// A parent that *failed* keeps its success-children waiting: a person may fix the cause and retry
    /// it, and then they run. They are cancelled when it is cancelled or deleted.
    pub const fn verdict(self, state: State) -> Verdict {
        match (self, state) {
            (Self::Success, State::Succeeded) => Verdict::Satisfied,
            (Self::Success, State::Cancelled) => Verdict::Impossible,
            (Self::Failure, State::Failed) => Verdict::Satisfied,
            (Self::Failure, State::Succeeded | State::Cancelled) => Verdict::Impossible,
            (Self::End, State::Succeeded | State::Failed | State::Cancelled) => Verdict::Satisfied,
            _ => Verdict::Wait,
        }
    }

    /// What it means that the parent was deleted before it came to what was asked.
    pub const fn verdict_if_deleted() -> Verdict {
        Verdict::Impossible
    }

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::End => "end",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Trigger {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|trigger| trigger.as_str() == word)
            .ok_or_else(|| Error::broken(format!("`{word}` is not a trigger")))
    }
}
