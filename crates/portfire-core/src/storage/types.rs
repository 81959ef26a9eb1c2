//! Requests to a storage and its answers: plain data.

use std::time::Duration;

use super::ServerOrder;
use crate::job::check_name;
use crate::{
    Cause, Facts, JobId, Json, Lease, Result, ScheduleView, ServerId, Settlement, Slot, SlotFate, State,
    Timestamp, Token,
};

/// What became of one inserted job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is stored.
    New,
    /// A job with this id is stored already: a repeat. Nothing changed.
    SameId,
    /// A job of its kind with its unique name has not ended; this is that job. Nothing changed.
    Duplicate(JobId),
}

/// One round trip of a server.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Who asks.
    pub server: ServerId,
    /// Progress and log lines of running jobs.
    pub notes: Vec<Note>,
    /// What ended attempts become.
    pub settlements: Vec<Settlement>,
    /// What to claim, if anything.
    pub want: Option<Want>,
}

/// What a server wants to claim.
#[derive(Clone, Debug)]
pub struct Want {
    /// The fence of all jobs of this claim, made anew for each. A server's tokens grow, in the order of their
    /// bytes, so that one that is closed closes those before it.
    pub token: Token,
    /// Most jobs in all; 0 to hear what this token took, and to close it.
    pub limit: u32,
    /// The queues to go through, in this order.
    pub queues: Vec<WantQueue>,
    /// The kinds the server knows; jobs of others wait.
    pub kinds: std::sync::Arc<[Box<str>]>,
}

/// One queue of a claim.
#[derive(Clone, Debug)]
pub struct WantQueue {
    /// Its name.
    pub name: std::sync::Arc<str>,
    /// Most jobs from it.
    pub limit: u32,
}

/// What an [`Exchange`] came to.
#[derive(Clone, Debug, Default)]
pub struct Exchanged {
    /// One answer per settlement, in the order asked.
    pub settled: Vec<Settled>,
    /// What was claimed, in claim order.
    pub claimed: Vec<Claimed>,
    /// Running jobs of this server that somebody wants cancelled.
    pub cancel: Vec<Lease>,
}

/// What became of one settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Written; the job is now in this state.
    Applied(State),
    /// The lease was no longer held, or was not expired where that was the condition: nothing was written.
    Lost,
}

/// A claimed job: all that is needed to run it and to decide its fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Lease, kind, attempt number, crashes and policy.
    pub facts: Facts,
    /// The queue it came from.
    pub queue: Box<str>,
    /// Its arguments.
    pub args: Json,
    /// Its tags.
    pub tags: Vec<Box<str>>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// What its parents came to, in the order they were named; empty for most jobs.
    pub parents: Vec<ParentResult>,
    /// The slot of the schedule that made it, if one did.
    pub slot: Option<Slot>,
}

/// What a parent came to, as its child sees it: a copy, so it outlives the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentResult {
    /// The parent.
    pub job: JobId,
    /// How it ended; `None` if the child was run by an operator before it did.
    pub state: Option<State>,
    /// What it produced.
    pub result: Option<Json>,
}

/// Something a running attempt says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// How far it is. Replaces what it said before.
    Progress(Lease, Progress),
    /// A log line. Appended in the order of the set.
    Log(Lease, super::LogLine),
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    /// What is done, in the job's own unit.
    pub done: u64,
    /// What there is to do; `None` if not known.
    pub total: Option<u64>,
    /// What it is doing.
    pub message: Option<Box<str>>,
}

/// What came of waiting for a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Heard {
    /// There may be work, or a cancel request. Not that the time has passed.
    pub rung: bool,
    /// Whether what others do on this database would have been heard. If not, polling is all there is.
    pub listens: bool,
}

/// What a look for work found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Polled {
    /// Jobs are enqueued, in whatever queue and of whatever kind.
    pub enqueued: bool,
    /// Jobs run whose server is gone: [`expired`](crate::Storage::expired) has some to answer.
    pub expired: bool,
    /// How long from now, by the storage's clock, until the next job is due; zero if one is, `None` if none
    /// waits for a time.
    pub next: Option<Duration>,
    /// How long from now, by the storage's clock, until the next slot of a schedule; zero if one is due.
    pub next_slot: Option<Duration>,
}

/// What a promotion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Promoted {
    /// How many jobs became due.
    pub count: u32,
    /// How long from now, by the storage's clock, until the next one is due; `None` if none waits for a
    /// time. Zero if more are due than the limit allowed.
    pub next: Option<Duration>,
    /// How long from now, by the storage's clock, until the next slot of a schedule; zero if one is due.
    pub next_slot: Option<Duration>,
}

/// A running job whose server is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Enough to settle it.
    pub facts: Facts,
    /// The server that held it.
    pub server: ServerId,
}

/// A server's pulse.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Whose.
    pub server: ServerId,
    /// How long its lease lasts from now.
    pub lease: Duration,
    /// What it says of itself.
    pub info: ServerInfo,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ServerInfo {
    /// A name for people.
    pub name: Box<str>,
    /// The host it runs on.
    pub host: Box<str>,
    /// The program it is part of, with its version; empty unless configured.
    pub build: Box<str>,
    /// Its process id.
    pub pid: u32,
    /// The queues it serves.
    pub queues: Vec<Box<str>>,
    /// How many jobs it runs at once.
    pub slots: u32,
    /// How many it runs now.
    pub running: u32,
}

/// The answer to a pulse.
#[derive(Clone, Debug, Default)]
pub struct BeatAnswer {
    /// Running jobs of this server that somebody wants cancelled.
    pub cancel: Vec<Lease>,
    /// What the server is to do.
    pub order: ServerOrder,
}

/// What an operator wants of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop it: at once while it waits, through its cancellation token while it runs.
    Cancel,
    /// Run it as soon as a slot is free.
    RunNow,
    /// Run it at this instant (at once if that has passed).
    Reschedule(Timestamp),
    /// Let it wait in this queue; its state and its time stay.
    MoveTo(Box<str>),
    /// Give it this priority; its state and its time stay.
    Prioritize(i16),
    /// Remove it and all that belongs to it.
    Delete,
}

impl Action {
    /// The stored word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::RunNow => "run now",
            Self::Reschedule(_) => "reschedule",
            Self::MoveTo(_) => "move",
            Self::Prioritize(_) => "prioritize",
            Self::Delete => "delete",
        }
    }

    /// What it is in the table of [`State`]; `None` for a deletion, which is no change of state.
    pub const fn cause(&self) -> Option<Cause> {
        match self {
            Self::Cancel => Some(Cause::CancelRequested),
            Self::RunNow => Some(Cause::RunNow),
            Self::Reschedule(_) => Some(Cause::Rescheduled),
            Self::MoveTo(_) | Self::Prioritize(_) => Some(Cause::Moved),
            Self::Delete => None,
        }
    }

    /// Refuses what no storage could keep. Every way into a storage calls this once.
    ///
    /// # Errors
    /// Misuse, naming what is wrong.
    pub fn check(&self) -> Result<()> {
        if let Self::MoveTo(queue) = self { check_name("queue", queue) } else { Ok(()) }
    }
}

/// What became of an operator's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acted {
    /// Done; the job is now in this state (the state it had, if it was deleted).
    Done(State),
    /// It runs; its server will be told.
    Flagged,
    /// Not possible from this state.
    Refused(State),
    /// There is no such job.
    Missing,
}

/// What became of a schedule that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was not known before.
    New,
    /// It was known otherwise, and is now as put.
    Changed,
    /// It was known just so; nothing changed.
    Unchanged,
}

/// Schedules whose next slot has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueSchedules {
    /// The storage's clock at this glance.
    pub now: Timestamp,
    /// The schedules, by their next slot, then by id.
    pub due: Vec<ScheduleView>,
}

/// What became of a firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fired {
    /// Carried out; these jobs were stored. A slot that had its turn before got none.
    Applied(Vec<JobId>),
    /// The schedule was no longer as the plan saw it: nothing was written.
    Lost,
}

/// What became of an order to a schedule, a queue or a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directed {
    /// Done.
    Done,
    /// It was so already.
    Unchanged,
    /// Not possible: a server that was told to stop does not come back.
    Refused,
    /// There is no such schedule or server.
    Missing,
}

/// A slot in the history of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotView {
    /// The instant that the expression named; for a run that a person asked for, when they did.
    pub at: Timestamp,
    /// When it was carried out.
    pub fired_at: Timestamp,
    /// What became of it.
    pub fate: SlotFate,
    /// Its job, if it got one.
    pub job: Option<JobId>,
    /// Where that job is; `None` once it has been pruned or deleted.
    pub state: Option<State>,
}
