//! The storage contract: what a backend does for Portfire.
//!
//! One dyn-safe trait at the altitude of the domain's verbs, in sets, with decisions already made. A
//! backend does all of it or is not a backend: there are no capability flags and no default methods.
//! [`ModelStorage`](model::ModelStorage) is the executable specification, and the conformance suite of
//! `portfire-testkit` says the same things as these comments.
//!
//! Rules for every method:
//!
//! - **Sets.** It takes a set and returns one answer per item, in the order asked.
//! - **Few statements.** One statement or one short transaction; never a round trip per item.
//! - **No decisions.** No backoff, no comparing of attempts; SQL may compare, order, limit and guard.
//! - **Guarded.** A write names what the caller believes; a lost guard is an answer, not an error.
//! - **Repeatable.** Calling again after a lost acknowledgement is harmless and answers the same.
//! - **Bounded.** Each call takes or has a limit; callers loop while full.
//! - **Its own clock.** Due times and leases are judged by the storage's clock alone.
//! - **Cancel-safe in effect.** Dropping a returned future may leave the call done or not done, never
//!   half done.

mod audit;
mod echo;
mod fault_group;
mod gather;
mod list;
pub mod model;
mod steer;
pub mod tally;
mod types;
mod walk;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use audit::{AuditEntry, AuditId, AuditRequest, Deed, DeedOutcome, Target, Was};
pub use echo::echoes;
pub use fault_group::{FaultCursor, FaultGroup, FaultGroupRequest, FaultOrder};
pub use gather::Gathering;
pub use list::{AttemptView, EndedCount, QueueCount, ServerView, StorageView};
pub use list::{
    Cursor, Filter, JobDetails, JobSummary, LogLine, Overview, Page, PageRequest, ParentView, Without,
};
pub use steer::{By, PausedQueue, Person, QueueOrder, ServerOrder, Via};
pub use tally::{Tally, TallyBy, TallyRequest, Width};
pub use types::{
    Acted, Action, Beat, BeatAnswer, Claimed, Directed, DueSchedules, Exchange, Exchanged, Expired, Fired,
    Heard, Inserted, Note, ParentResult, Polled, Progress, Promoted, Put, ServerInfo, Settled, SlotView,
    Want, WantQueue,
};
pub use walk::{Walk, Walker};

use crate::{Firing, JobId, NewJob, Order, Result, Schedule, ScheduleView, ServerId, Timestamp};

/// The future of a storage call.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A place where jobs are kept. See the [module](self) for the rules that hold for every method.
pub trait Storage: fmt::Debug + Send + Sync {
    /// Stores jobs, all or none, in the order given.
    ///
    /// A job goes to `awaiting` while a parent is unfinished, to `scheduled` while its time is ahead, to
    /// `enqueued` otherwise. Parents that ended already count at once by
    /// [`Trigger::verdict`](crate::Trigger::verdict); one that makes the job impossible stores it as
    /// `cancelled`. A parent may stand earlier in the same set.
    ///
    /// # Errors
    /// Misuse if [`NewJob::check`] refuses one, or if a parent is unknown; then nothing is stored.
    fn insert(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Inserted>>;

    /// One round trip of a server: writes notes, settles attempts and claims jobs, in this order and in
    /// one transaction.
    ///
    /// *Notes* and *settlements* apply only where the lease's token still holds the job; notes also where the
    /// job has succeeded by it, because a handler may settle its own and say more afterwards. A repeated
    /// settlement (same token) answers as it did, until the job is claimed or begun afresh. A server whose
    /// lease has expired may settle what nobody has rescued. A settlement that ends a job frees its unique
    /// name and settles the fate of its children by [`Trigger::verdict`](crate::Trigger::verdict),
    /// recursively; a child that an operator has run already only hears of it.
    ///
    /// The *claim* takes up to `limit` enqueued jobs whose kind is wanted, going through the wanted queues in the order
    /// given with at most each one's own limit, within a queue by priority, then by the time they became due, then by
    /// id; a paused queue is passed by. It takes nothing if the server's lease has expired or the server is unknown. No
    /// job goes to two callers. Where it takes long to look for a job that came to stand before others, it may be passed
    /// by for some tens of times as long.
    ///
    /// A claim is asked once. Whoever has heard nothing of it asks again with its token and a limit of 0. That takes
    /// nothing new, returns what the token took and still holds, in the same order, and closes the token: a claim of this
    /// server with it, or with one before it, that arrives later takes nothing. So the caller knows all that it will ever
    /// take. What is closed stays so for as long as the server is remembered: at least
    /// [`SERVERS_KEPT`](crate::limits::SERVERS_KEPT) after its lease, though it be deaf meanwhile.
    ///
    /// A server may have two of them in flight, one that writes and one that claims, in any order of arrival.
    fn exchange(&self, exchange: Exchange) -> Answer<'_, Exchanged>;

    /// Waits until there *may* be work on any queue, or a cancel request, or until `at_most` has passed, and
    /// says which. It may always wait for the whole time: this is a hint, polling is the truth. Cancel-safe.
    fn wait(&self, at_most: Duration) -> Answer<'_, Heard>;

    /// Looks once for all that a server of these queues might have to do: the heads of what is enqueued there, of what
    /// waits for a time and of the schedules, and whether a server is gone that holds jobs. Read only, and all that a
    /// server asks while nothing happens, so it is one statement.
    fn poll(&self, queues: Arc<[Arc<str>]>) -> Answer<'_, Polled>;

    /// Moves up to `limit` due jobs from `scheduled` and `retrying` to `enqueued`, earliest first, and
    /// says when the next one is due, and when the next slot of a schedule is.
    fn promote(&self, limit: u32) -> Answer<'_, Promoted>;

    /// Running jobs whose server is gone: its lease has expired by the storage's clock. Read only; the
    /// caller settles each with [`Outcome::Crashed`](crate::Outcome::Crashed), guarded again.
    fn expired(&self, limit: u32) -> Answer<'_, Vec<Expired>>;

    /// Deletes up to `limit` finished jobs whose time to be kept has passed, with all that belongs to
    /// them, the rows of servers that died [`SERVERS_KEPT`](crate::limits::SERVERS_KEPT) ago and hold no jobs, and up to `limit` entries of the audit that
    /// are older than [`AUDIT_KEPT`](crate::limits::AUDIT_KEPT). Returns how many jobs went.
    ///
    /// Folds old tallies as [`folds`](tally::folds) says, up to [`FOLD_MAX`](crate::limits::FOLD_MAX) rows,
    /// and forgets groups of failures that no job joined for
    /// [`FAULT_GROUPS_KEPT`](crate::limits::FAULT_GROUPS_KEPT) and of which none is kept.
    fn prune(&self, limit: u32) -> Answer<'_, u32>;

    /// Registers a server or renews its lease, from now by the storage's clock. Must not wait behind
    /// [`exchange`](Self::exchange) or [`insert`](Self::insert) beyond the database's own write lock.
    /// Returns the running jobs of this server that somebody wants cancelled, and what it is to do: to run,
    /// unless [`direct_servers`](Self::direct_servers) told it otherwise.
    fn beat(&self, beat: Beat) -> Answer<'_, BeatAnswer>;

    /// Removes a server. Jobs it still holds become expired at once; `holds_nothing` says that there are none, nor a
    /// claim under way, so that nobody need look for them.
    fn leave(&self, server: ServerId, holds_nothing: bool) -> Answer<'_, ()>;

    /// Does to each job what an operator asks, if the table of [`State`](crate::State) has such a row.
    ///
    /// Cancelling a running job only flags it; its server hears of it. Running a finished job again
    /// starts its attempts and crashes afresh and keeps its history; its result is forgotten, and it takes
    /// its unique name again if that is free (if not, the job is [`Acted::Refused`]). Deleting removes all
    /// that belongs to the job; children that waited for it are cancelled. Moving a job to a queue or a
    /// priority that it has already is done, too.
    ///
    /// If a person wants it, the same transaction keeps a [`Deed`] of every job that there is, also of
    /// those that it was refused for.
    ///
    /// # Errors
    /// Misuse if [`Action::check`] refuses it; then nothing is done.
    fn act(&self, jobs: Vec<JobId>, action: Action, by: By) -> Answer<'_, Vec<Acted>>;

    /// Puts schedules, all or none: each is stored, replaced or left as it is by [`put`](crate::schedule::put).
    ///
    /// # Errors
    /// Misuse if one is refused; then nothing is stored.
    fn put_schedules(&self, schedules: Vec<Schedule>) -> Answer<'_, Vec<Put>>;

    /// Up to `limit` schedules whose next slot has come by the storage's clock, earliest first. Read only;
    /// the caller plans what becomes of each ([`plan`](crate::schedule::plan)) and has it fired.
    fn due_schedules(&self, limit: u32) -> Answer<'_, DueSchedules>;

    /// Carries out firings, each whole or not at all: only while the schedule is as the plan saw it, the
    /// slots enter its history, their jobs are stored as [`insert`](Self::insert) stores them, and the
    /// schedule stands as planned. A slot of a schedule gets at most one job: one that is in the history
    /// already is passed over. The history keeps the latest [`SLOTS_KEPT`](crate::limits::SLOTS_KEPT).
    ///
    /// If a person wants it, the same transaction keeps a [`Deed`] of every job that is stored by it.
    fn fire(&self, firings: Vec<Firing>, by: By) -> Answer<'_, Vec<Fired>>;

    /// Pauses, resumes ([`direct`](crate::schedule::direct)) or removes schedules. Once this has answered, no
    /// slot that was planned before gets a job. What a person changes by it is kept as a [`Deed`].
    fn direct_schedules(&self, schedules: Vec<Box<str>>, order: Order, by: By) -> Answer<'_, Vec<Directed>>;

    /// Pauses or resumes queues, whether or not there are jobs in them. Once a pause has answered, no claim
    /// that begins takes a job from the queue; one that was under way still may. A queue that is paused
    /// already keeps since when, by whom and why. Resuming wakes servers. What a person changes is kept as a
    /// [`Deed`].
    ///
    /// # Errors
    /// Misuse if [`QueueOrder::check`] refuses a name; then nothing is done.
    fn direct_queues(&self, queues: Vec<Box<str>>, order: QueueOrder, by: By) -> Answer<'_, Vec<Directed>>;

    /// Tells servers what to do ([`ServerOrder::then`]); they hear of it at their next heartbeat. What a
    /// person changes by it, or is refused, is kept as a [`Deed`].
    fn direct_servers(&self, servers: Vec<ServerId>, order: ServerOrder, by: By)
    -> Answer<'_, Vec<Directed>>;

    /// A page of what persons did, latest first: to everything, or to one target, which need not be there
    /// any more.
    fn audit(&self, about: Option<Target>, page: AuditRequest) -> Answer<'_, Vec<AuditEntry>>;

    /// Each of these schedules; `None` where there is no such schedule.
    fn get_schedules(&self, schedules: Vec<Box<str>>) -> Answer<'_, Vec<Option<ScheduleView>>>;

    /// Up to `limit` schedules by id (in the order of its bytes), from the first one after `after` on.
    fn list_schedules(&self, after: Option<Box<str>>, limit: u32) -> Answer<'_, Vec<ScheduleView>>;

    /// Up to `limit` slots in the history of a schedule, latest first, from the first one before `before`
    /// on. None if there is no such schedule.
    fn slots(&self, schedule: Box<str>, before: Option<Timestamp>, limit: u32) -> Answer<'_, Vec<SlotView>>;

    /// What is known of each job; `None` where there is no such job. Of what can be long, its log, its attempts
    /// and its children, no more than [`JobDetails`] says.
    fn get(&self, jobs: Vec<JobId>) -> Answer<'_, Vec<Option<JobDetails>>>;

    /// One page of jobs. What is walked for it, and when that ends, is decided by [`Walk`] and [`Walker`].
    ///
    /// Order: enqueued jobs in claim order by queue name, scheduled and retrying ones by due time,
    /// finished ones latest first, awaiting and processing ones by id, and without a state all jobs by
    /// id, latest first. Stable under change: a page begins after its cursor, or ends before it, wherever
    /// that job is now.
    fn list(&self, filter: Filter, page: PageRequest) -> Answer<'_, Page>;

    /// Jobs by queue and state, the servers, and the paused queues: one consistent glance. Its cost does not
    /// grow with the number of jobs.
    fn overview(&self) -> Answer<'_, Overview>;

    /// What happened, by spans of time: from the earliest on, then by kind or queue; spans and names without
    /// anything are absent. Every write counts in its own transaction, whoever makes it; a repeat that changes
    /// nothing counts nothing. Whoever gets as many as asked for asks again from the span of the last.
    fn tallies(&self, request: TallyRequest) -> Answer<'_, Vec<Tally>>;

    /// Groups of failures, in the order asked, then by fingerprint, the highest first.
    fn fault_groups(&self, request: FaultGroupRequest) -> Answer<'_, Vec<FaultGroup>>;

    /// What this storage is.
    fn describe(&self) -> Answer<'_, StorageView>;

    /// The storage's clock.
    fn now(&self) -> Answer<'_, Timestamp>;
}

/// Fails to compile if the trait cannot be used as `dyn Storage`.
const _: fn(&dyn Storage) = |_| ();
