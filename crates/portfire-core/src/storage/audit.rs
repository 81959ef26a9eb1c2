//! What persons did: one entry for each target that they changed, or were refused.
//!
//! A storage asks for the [`Deed`] once it knows what an order came to, and keeps it with the person and the
//! time, in the transaction of the order itself: neither is ever there without the other. An order that found
//! no target, or found it so already, leaves no entry, and a program leaves none at all. Entries are never
//! changed; they outlive what they speak of, and are pruned after [`AUDIT_KEPT`](crate::limits::AUDIT_KEPT).

use std::fmt;
use std::str::FromStr;

use super::{Acted, Action, Directed, Person, QueueOrder, ServerOrder};
use crate::limits::PAGE_MAX;
use crate::{Error, JobId, Order, Result, ServerId, Standing, State, Timestamp};

/// What an order was given to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A job.
    Job(JobId),
    /// A schedule, by its id.
    Schedule(Box<str>),
    /// A queue, by its name.
    Queue(Box<str>),
    /// A server.
    Server(ServerId),
}

impl Target {
    /// The stored word for what it is.
    pub const fn sort(&self) -> &'static str {
        match self {
            Self::Job(_) => "job",
            Self::Schedule(_) => "schedule",
            Self::Queue(_) => "queue",
            Self::Server(_) => "server",
        }
    }

    /// Its id or name, as it is stored.
    pub fn name(&self) -> String {
        match self {
            Self::Job(job) => job.to_string(),
            Self::Schedule(name) | Self::Queue(name) => name.to_string(),
            Self::Server(server) => server.to_string(),
        }
    }

    /// The target of this sort and name.
    ///
    /// # Errors
    /// Broken if there is no such sort; misuse if the name is not an id where it should be.
    pub fn of(sort: &str, name: &str) -> Result<Self> {
        match sort {
            "job" => name.parse().map(Self::Job),
            "schedule" => Ok(Self::Schedule(name.into())),
            "queue" => Ok(Self::Queue(name.into())),
            "server" => name.parse().map(Self::Server),
            _ => Err(Error::broken(format!("`{sort}` is nothing that orders are given to"))),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.sort(), self.name())
    }
}

/// The place of an entry: a number that grows from entry to entry. Only its order means anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditId(i64);

impl AuditId {
    /// The place with this number.
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for AuditId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |_| Error::misuse("not the place of an audit entry; use the `id` of one as it was given");
        text.parse().map(Self).map_err(wrong)
    }
}

/// Which entries to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditRequest {
    /// Most entries, 1 to [`PAGE_MAX`]; other values are brought into that range.
    pub limit: u32,
    /// Only entries before this one; `None` for the latest.
    pub before: Option<AuditId>,
}

impl AuditRequest {
    /// The limit, brought into range.
    pub fn bounded_limit(&self) -> u32 {
        self.limit.clamp(1, PAGE_MAX)
    }
}

impl Default for AuditRequest {
    fn default() -> Self {
        Self { limit: 50, before: None }
    }
}

/// One thing that a person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place.
    pub id: AuditId,
    /// When, by the storage's clock.
    pub at: Timestamp,
    /// To what.
    pub target: Target,
    /// What they wanted: `cancel`, `run now`, `reschedule`, `move`, `prioritize` or `delete` of a job; `pause`,
    /// `resume`, `remove` or `trigger` of a schedule; `pause` or `resume` of a queue; `run`, `quiet` or `stop`
    /// of a server.
    pub action: Box<str>,
    /// Who.
    pub by: Person,
    /// What it was before: a state, a time, a queue, a priority, a standing or an order, by the action.
    pub before: Option<Box<str>>,
    /// What it is now, in the same words; `None` if it was refused or is gone.
    pub after: Option<Box<str>>,
    /// What it came to.
    pub outcome: DeedOutcome,
}

/// What an order that is written down came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeedOutcome {
    /// Done.
    Done,
    /// The job runs; its server will be told.
    Flagged,
    /// Not possible as things were.
    Refused,
}

impl DeedOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Flagged, Self::Refused];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Flagged => "flagged",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for DeedOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeedOutcome {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|outcome| outcome.as_str() == word);
        known.ok_or_else(|| Error::broken(format!("`{word}` is nothing that an order can come to")))
    }
}

/// What is written down of an order to one target, beside who gave it and when. Made for storages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// To what.
    pub target: Target,
    /// The word for what was wanted.
    pub action: &'static str,
    /// What the target was before.
    pub before: Option<Box<str>>,
    /// What it is now.
    pub after: Option<Box<str>>,
    /// What it came to.
    pub outcome: DeedOutcome,
}

/// A job as it was before somebody acted on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Was<'a> {
    /// Where it was.
    pub state: State,
    /// Its queue.
    pub queue: &'a str,
    /// Its priority.
    pub priority: i16,
    /// When it was due.
    pub run_at: Timestamp,
}

impl Deed {
    /// Of an action on a job; `None` if there was no such job.
    pub fn on_job(job: JobId, action: &Action, was: Was<'_>, acted: Acted) -> Option<Self> {
        let state = |state: State| Box::from(state.as_str());
        let (outcome, before, after) = match acted {
            Acted::Missing => return None,
            Acted::Flagged => (DeedOutcome::Flagged, state(was.state), None),
            Acted::Refused(_) => (DeedOutcome::Refused, state(was.state), None),
            Acted::Done(now) => {
                let (before, after) = match action {
                    Action::Delete => (state(was.state), None),
                    Action::Cancel | Action::RunNow => (state(was.state), Some(state(now))),
                    Action::Reschedule(at) if was.state.is_final() => {
                        (state(was.state), Some(at.to_string().into()))
                    }
                    Action::Reschedule(at) => (was.run_at.to_string().into(), Some(at.to_string().into())),
                    Action::MoveTo(queue) => (was.queue.into(), Some(queue.clone())),
                    Action::Prioritize(priority) => {
                        (was.priority.to_string().into(), Some(priority.to_string().into()))
                    }
                };
                (DeedOutcome::Done, before, after)
            }
        };
        Some(Self { target: Target::Job(job), action: action.as_str(), before: Some(before), after, outcome })
    }

    /// Of an order to a schedule that stood so `before` and stands so `after` (`None`: it is gone).
    pub fn on_schedule(
        schedule: &str,
        order: Order,
        [before, after]: [Option<&Standing>; 2],
        directed: Directed,
    ) -> Option<Self> {
        let word = |standing: &Standing| Box::from(standing.as_str());
        let target = Target::Schedule(schedule.into());
        Self::directed(target, order.as_str(), directed, before.map(word), after.map(word))
    }

    /// Of a run of a schedule that a person asked for: this job.
    pub fn on_trigger(schedule: &str, job: JobId) -> Self {
        Self {
            target: Target::Schedule(schedule.into()),
            action: "trigger",
            before: None,
            after: Some(job.to_string().into()),
            outcome: DeedOutcome::Done,
        }
    }

    /// Of an order to a queue.
    pub fn on_queue(queue: &str, order: QueueOrder, directed: Directed) -> Option<Self> {
        Self::directed(Target::Queue(queue.into()), order.as_str(), directed, None, None)
    }

    /// Of an order to a server that was under the order `before`.
    pub fn on_server(
        server: ServerId,
        before: ServerOrder,
        order: ServerOrder,
        directed: Directed,
    ) -> Option<Self> {
        let word = |order: ServerOrder| Some(order.as_str().into());
        Self::directed(Target::Server(server), order.as_str(), directed, word(before), word(order))
    }

    fn directed(
        target: Target,
        action: &'static str,
        directed: Directed,
        before: Option<Box<str>>,
        after: Option<Box<str>>,
    ) -> Option<Self> {
        let (outcome, after) = match directed {
            Directed::Done => (DeedOutcome::Done, after),
            Directed::Refused => (DeedOutcome::Refused, None),
            Directed::Unchanged | Directed::Missing => return None,
        };
        Some(Self { target, action, before, after, outcome })
    }
}
