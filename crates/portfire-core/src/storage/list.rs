//! What a person can look at: one job in full, pages of jobs, the whole at a glance.

use std::fmt;
use std::str::FromStr;

use super::{PausedQueue, Progress, ServerInfo, ServerOrder, Walk};
use crate::limits::PAGE_MAX;
use crate::{
    Error, Fault, Fingerprint, JobId, Json, Policy, Result, ServerId, Slot, State, Timestamp, Trigger,
};

/// A job in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSummary {
    /// Its name.
    pub id: JobId,
    /// Where it is.
    pub state: State,
    /// Which handler runs it.
    pub kind: Box<str>,
    /// Its queue.
    pub queue: Box<str>,
    /// Smaller runs first.
    pub priority: i16,
    /// Attempts charged, the running one included.
    pub attempts: u16,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it may run, became due, or will be retried.
    pub run_at: Timestamp,
    /// When its last attempt began, while it runs and after its end.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The server that runs it now or ran it last before it ended.
    pub server: Option<ServerId>,
    /// Its tags.
    pub tags: Vec<Box<str>>,
    /// What went wrong last, if anything did, also before it succeeded: [`first_line`](crate::first_line).
    pub fault: Option<Box<str>>,
}

/// Everything known of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDetails {
    /// What a list shows.
    pub summary: JobSummary,
    /// Its arguments.
    pub args: Json,
    /// How it is retried and kept.
    pub policy: Policy,
    /// How often it took its server down.
    pub crashes: u16,
    /// The group of failures it is in, while it is failed.
    pub fingerprint: Option<Fingerprint>,
    /// Its unique name.
    pub unique: Option<Box<str>>,
    /// The slot of the schedule that made it, if one did.
    pub slot: Option<Slot>,
    /// Whether somebody wants it cancelled.
    pub cancel_requested: bool,
    /// What it produced.
    pub result: Option<Json>,
    /// How far it is or was.
    pub progress: Option<Progress>,
    /// Its last log lines, first to last; no more than [`LOG_SHOWN`](crate::limits::LOG_SHOWN).
    pub log: Vec<LogLine>,
    /// The last of its attempts that did not succeed, first to last; no more than
    /// [`ATTEMPTS_SHOWN`](crate::limits::ATTEMPTS_SHOWN).
    pub history: Vec<AttemptView>,
    /// The jobs it waits or waited for.
    pub parents: Vec<ParentView>,
    /// The first of the jobs that wait or waited for it, by id; no more than
    /// [`CHILDREN_SHOWN`](crate::limits::CHILDREN_SHOWN).
    pub children: Vec<JobId>,
}

/// A line a job logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When, by the server's clock.
    pub at: Timestamp,
    /// The attempt that said it.
    pub attempt: u16,
    /// What.
    pub text: Box<str>,
}

/// An attempt that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptView {
    /// Its number.
    pub attempt: u16,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was settled.
    pub ended_at: Timestamp,
    /// The server that ran it.
    pub server: ServerId,
    /// What it came to.
    pub outcome: Box<str>,
    /// What went wrong.
    pub fault: Option<Fault>,
}

/// A parent as its child sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentView {
    /// The parent.
    pub job: JobId,
    /// Which end of it counts.
    pub on: Trigger,
    /// How it ended; `None` while it is waited for.
    pub state: Option<State>,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only in this state.
    pub state: Option<State>,
    /// Only in this queue.
    pub queue: Option<Box<str>>,
    /// Only of this kind.
    pub kind: Option<Box<str>>,
    /// Only with this tag.
    pub tag: Option<Box<str>>,
    /// Only failed jobs of this group of failures; with another state there are none.
    pub fault: Option<Fingerprint>,
    /// Only from this instant on, by the time that the list is sorted by: the due time of jobs that are
    /// enqueued, scheduled or retrying, the end of those that ended, and else when the job was stored.
    pub since: Option<Timestamp>,
    /// Only before this instant, by the same time.
    pub until: Option<Timestamp>,
    /// Only where the message of the last error contains this text, in upper and lower case as it is.
    pub text: Option<Box<str>>,
    /// None of these.
    pub without: Without,
}

/// What a filter leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Without {
    /// Jobs in one of these queues.
    pub queues: Vec<Box<str>>,
    /// Jobs of one of these kinds.
    pub kinds: Vec<Box<str>>,
    /// Jobs with one of these tags.
    pub tags: Vec<Box<str>>,
}

impl Without {
    /// Whether nothing is left out.
    pub const fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.kinds.is_empty() && self.tags.is_empty()
    }

    /// Whether this job is left out.
    pub fn has(&self, job: &JobSummary) -> bool {
        self.queues.contains(&job.queue)
            || self.kinds.contains(&job.kind)
            || self.tags.iter().any(|tag| job.tags.contains(tag))
    }
}

impl Filter {
    /// Jobs in this state.
    pub fn of(state: State) -> Self {
        Self { state: Some(state), ..Self::default() }
    }
}

/// Which page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Most jobs on it, 1 to [`PAGE_MAX`]; other values are brought into that range.
    pub limit: u32,
    /// Where the page before ended; `None` for the first page.
    pub after: Option<Cursor>,
    /// The other way: the page that ends just before this place. It comes before `after`, if both are given.
    pub before: Option<Cursor>,
}

impl PageRequest {
    /// The limit, brought into range.
    pub fn bounded_limit(&self) -> u32 {
        self.limit.clamp(1, PAGE_MAX)
    }

    /// Whether the list is walked backwards.
    pub const fn goes_back(&self) -> bool {
        self.before.is_some()
    }

    /// Where the walk begins, which is no part of the page; `None` for the beginning of the list.
    pub const fn place(&self) -> Option<&Cursor> {
        if self.before.is_some() { self.before.as_ref() } else { self.after.as_ref() }
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: 50, after: None, before: None }
    }
}

/// One page of jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The jobs, always in the order of the list.
    pub jobs: Vec<JobSummary>,
    /// Where the next page begins; `None` on the last page. Of a walk backwards: where the page before this one
    /// ends, and `None` at the beginning of the list.
    pub next: Option<Cursor>,
    /// How many jobs of the list were looked at for this page, from where it begins to its last job, or as
    /// far as was searched. See [`Walk`](super::Walk) for what the list is.
    pub walked: u32,
    /// Whether the search stopped after [`WALK_MAX`](crate::limits::WALK_MAX) jobs, before the page was full:
    /// `next` goes on searching.
    pub exhausted: bool,
}

/// A place in a list: the sort key of the last job seen, in every order a list can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Its queue.
    pub queue: Box<str>,
    /// Its priority.
    pub priority: i16,
    /// Its due time, or the time it ended.
    pub at: Timestamp,
    /// Its id.
    pub id: JobId,
}

impl Cursor {
    /// The place of this job in a list of jobs of its state.
    pub fn of(job: &JobSummary) -> Self {
        let at = job.finished_at.unwrap_or(job.run_at);
        Self { queue: job.queue.clone(), priority: job.priority, at, id: job.id }
    }
}

impl Cursor {
    /// The place of an instant in the list that this filter names: what comes after it is from that instant on, in
    /// the order of the list, by the time that it is sorted by. `None` for enqueued jobs, which are in the order
    /// in which they are claimed.
    ///
    /// Lists by id are sorted by when the id was made, which is in it.
    pub fn at(filter: &Filter, instant: Timestamp) -> Option<Self> {
        let walk = Walk::of(filter)?;
        let mut id = match walk {
            Walk::Line => return None,
            Walk::All | Walk::Tag | Walk::Ended(_) | Walk::Fault => [0xFF; 16],
            Walk::Place(_) | Walk::Due(_) => [0; 16],
        };
        if matches!(walk, Walk::All | Walk::Tag | Walk::Place(_)) {
            id[..6].copy_from_slice(&instant.as_millis().to_be_bytes()[2..]);
        }
        Some(Self { queue: "".into(), priority: 0, at: instant, id: JobId::from_bytes(id) })
    }
}

impl fmt::Display for Cursor {
    /// The form that travels in a URL. The queue comes last because only it can hold a `.`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.id, self.at.as_micros(), self.priority, self.queue)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::misuse("not a page cursor; use the `next` of the page before as it was given");
        let mut parts = text.splitn(4, '.');
        let mut part = || parts.next().ok_or_else(wrong);
        Ok(Self {
            id: part()?.parse()?,
            at: Timestamp::from_micros(part()?.parse().map_err(|_| wrong())?),
            priority: part()?.parse().map_err(|_| wrong())?,
            queue: part()?.into(),
        })
    }
}

/// The whole at a glance. No count costs more than some milliseconds, however many jobs there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// How many jobs that have not ended are in each queue and state; pairs without jobs are absent. By queue,
    /// then state.
    pub counts: Vec<QueueCount>,
    /// How many jobs are kept in each of the states in which jobs end; those without are absent. By state.
    pub ended: Vec<EndedCount>,
    /// The servers, by id.
    pub servers: Vec<ServerView>,
    /// The queues that are paused, by name.
    pub paused: Vec<PausedQueue>,
}

/// How many jobs of a queue are in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueCount {
    /// The queue.
    pub queue: Box<str>,
    /// The state: one that is not final.
    pub state: State,
    /// How many; [`COUNT_MAX`](crate::limits::COUNT_MAX) means that many or more.
    pub jobs: u64,
    /// Whether there may be more: so many were counted when the count stopped. Enqueued jobs are counted for
    /// each queue on its own, those of every other state together, in the order of their list.
    pub more: bool,
    /// For enqueued jobs, when the oldest of them was due.
    pub oldest: Option<Timestamp>,
}

/// How many jobs are kept that ended in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedCount {
    /// The state: a final one.
    pub state: State,
    /// How many; [`COUNT_MAX`](crate::limits::COUNT_MAX) means that many or more.
    pub jobs: u64,
}

/// What a storage is, for a page about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageView {
    /// The database and its version, such as `SQLite 3.51.3`.
    pub product: Box<str>,
    /// The version of our tables.
    pub schema_version: u32,
    /// Where it is: a file, or a host and a database. Never a secret.
    pub place: Box<str>,
    /// How much room it takes, in bytes, if that is known.
    pub size_bytes: Option<u64>,
}

/// A server as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerView {
    /// Its name.
    pub id: ServerId,
    /// What it says of itself.
    pub info: ServerInfo,
    /// When it started.
    pub started_at: Timestamp,
    /// Until when it is trusted.
    pub lease_until: Timestamp,
    /// What it was told to do; it may not have heard of it yet.
    pub order: ServerOrder,
}
