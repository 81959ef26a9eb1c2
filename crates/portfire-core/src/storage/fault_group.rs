//! Failures by what they have in common: how often a thing went wrong, since when, and how many jobs wait
//! for somebody to mend it.
//!
//! A job that fails for good joins the group of its [`Fingerprint`], which its settlement names. The group
//! outlives its jobs for a while ([`FAULT_GROUPS_KEPT`](crate::limits::FAULT_GROUPS_KEPT)), so that a
//! failure that comes back is known.

use std::fmt;
use std::str::FromStr;

use crate::limits::PAGE_MAX;
use crate::{Error, Fingerprint, JobId, Result, Timestamp};

/// Failures of one kind of job with the same cause, as far as their messages tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultGroup {
    /// Its name, by which [`Filter::fault`](super::Filter::fault) finds its jobs.
    pub fingerprint: Fingerprint,
    /// The kind of its jobs.
    pub kind: Box<str>,
    /// What its first job said: the first line, cut.
    pub sample: Box<str>,
    /// When a job first joined it.
    pub first_at: Timestamp,
    /// When a job last joined it.
    pub last_at: Timestamp,
    /// How often a job joined it. One that is run again and fails again joins again.
    pub count: u64,
    /// The job that joined it last.
    pub last_job: JobId,
    /// How many of its jobs are failed now; [`GROUP_COUNT_MAX`](crate::limits::GROUP_COUNT_MAX) means that many
    /// or more.
    pub kept: u64,
}

/// Which groups of failures to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultGroupRequest {
    /// Most groups, 1 to [`PAGE_MAX`]; other values are brought into that range.
    pub limit: u32,
    /// Where the page before ended; `None` for the first page.
    pub after: Option<FaultCursor>,
    /// Which come first.
    pub order: FaultOrder,
    /// Only this one.
    pub only: Option<Fingerprint>,
}

impl FaultGroupRequest {
    /// The limit, brought into range.
    pub fn bounded_limit(&self) -> u32 {
        self.limit.clamp(1, PAGE_MAX)
    }
}

impl Default for FaultGroupRequest {
    fn default() -> Self {
        Self { limit: 50, after: None, order: FaultOrder::Latest, only: None }
    }
}

/// Which groups of failures come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FaultOrder {
    /// Those that a job joined last.
    #[default]
    Latest,
    /// Those that most jobs joined.
    Most,
}

/// A place in a list of groups, in either order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultCursor {
    /// When a job last joined the group.
    pub last_at: Timestamp,
    /// How often one did.
    pub count: u64,
    /// Its name.
    pub fingerprint: Fingerprint,
}

impl FaultCursor {
    /// The place of this group.
    pub const fn of(group: &FaultGroup) -> Self {
        Self { last_at: group.last_at, count: group.count, fingerprint: group.fingerprint }
    }
}

impl fmt::Display for FaultCursor {
    /// The form that travels in a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.fingerprint, self.last_at.as_micros(), self.count)
    }
}

impl FromStr for FaultCursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::misuse("not a cursor of failures; use that of the last group as it was given");
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or_else(wrong);
        Ok(Self {
            fingerprint: part()?.parse()?,
            last_at: Timestamp::from_micros(part()?.parse().map_err(|_| wrong())?),
            count: part()?.parse().map_err(|_| wrong())?,
        })
    }
}
