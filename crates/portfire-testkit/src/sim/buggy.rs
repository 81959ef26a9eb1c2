//! Bugs on purpose: a storage that does what job systems have really done, to show that the simulator
//! sees it. A simulator that finds nothing in these proves nothing about the others.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portfire_core::storage::{
    self, Acted, Action, Answer, AuditEntry, AuditRequest, Beat, BeatAnswer, By, Directed, DueSchedules,
    Exchange, Exchanged, Expired, FaultGroup, FaultGroupRequest, Filter, Fired, Heard, Inserted, JobDetails,
    Overview, Page, PageRequest, Polled, Promoted, Put, QueueOrder, ServerOrder, SlotView, StorageView,
    Tally, TallyRequest,
};
use portfire_core::{
    Firing, JobId, NewJob, Order, Schedule, ScheduleView, ServerId, Settlement, Storage, Target, Timestamp,
    Token,
};

use super::net::at_once;

/// A bug that some job system has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// An outcome is written by the job's id alone: the fence is ignored.
    SettleByIdOnly,
    /// A job is rescued because it was read as expired, whatever has become of it since.
    RescueByRememberedIds,
    /// A job that takes its server down may do so for ever.
    CrashNotCounted,
    /// A job is always claimed with the token of its first claim.
    TokenReused,
    /// Whoever finds a slot due makes a job for it.
    SlotKeyMissing,
    /// A claim that its caller has given up may arrive later and take jobs.
    ClaimNotClosed,
}

impl Bug {
    /// All bugs.
    pub const ALL: [Self; 6] = [
        Self::SettleByIdOnly,
        Self::RescueByRememberedIds,
        Self::CrashNotCounted,
        Self::TokenReused,
        Self::SlotKeyMissing,
        Self::ClaimNotClosed,
    ];
}

/// A storage with a bug.
#[derive(Debug)]
pub struct Buggy<S> {
    storage: S,
    bug: Bug,
    tokens: Mutex<Tokens>,
}

/// Which token a job was claimed with: first, as callers know it, and last, as the storage has it.
#[derive(Debug, Default)]
struct Tokens {
    first: BTreeMap<JobId, Token>,
    last: BTreeMap<JobId, Token>,
}

impl<S: Storage> Buggy<S> {
    /// Puts the bug into this storage.
    pub const fn new(storage: S, bug: Bug) -> Self {
        Self { storage, bug, tokens: Mutex::new(Tokens { first: BTreeMap::new(), last: BTreeMap::new() }) }
    }

    /// Stores the job of a slot that was refused one.
    fn fire_all_the_same(&self, firing: &Firing, answer: Fired) -> Fired {
        let mut stored = if let Fired::Applied(stored) = answer { stored } else { Vec::new() };
        for job in firing.slots.iter().filter_map(|slot| slot.job.clone()) {
            if !stored.contains(&job.id) {
                stored.push(job.id);
                let _ = at_once(self.storage.insert(vec![job]));
            }
        }
        Fired::Applied(stored)
    }

    fn spoil(&self, tokens: &Tokens, settlement: &mut Settlement) {
        let lease = &mut settlement.lease;
        let current = tokens.last.get(&lease.job).copied().unwrap_or(lease.token);
        match self.bug {
            Bug::SettleByIdOnly => lease.token = current,
            Bug::TokenReused if tokens.first.get(&lease.job) == Some(&lease.token) => lease.token = current,
            Bug::RescueByRememberedIds if settlement.only_if_expired => {
                (lease.token, settlement.only_if_expired) = (current, false);
            }
            Bug::CrashNotCounted if settlement.only_if_expired => {
                [Some(&mut settlement.to), settlement.if_cancelled.as_mut()]
                    .into_iter()
                    .flatten()
                    .for_each(forget);
            }
            _ => {}
        }
    }
}

fn forget(target: &mut Target) {
    let (Target::Finished { crashes, .. } | Target::Again { crashes, .. }) = target;
    *crashes = crashes.saturating_sub(1);
}

impl Tokens {
    /// Notes what was claimed; gives the token that callers know, if that is another.
    fn claimed(&mut self, job: JobId, token: Token) -> Token {
        self.last.insert(job, token);
        *self.first.entry(job).or_insert(token)
    }
}

impl<S: Storage> Storage for Buggy<S> {
    fn exchange(&self, mut exchange: Exchange) -> Answer<'_, Exchanged> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        exchange.settlements.iter_mut().for_each(|settlement| self.spoil(&tokens, settlement));
        if let Some(want) =
            exchange.want.as_mut().filter(|want| self.bug == Bug::ClaimNotClosed && want.limit == 0)
        {
            (want.limit, want.queues) = (1, Vec::new());
        }
        let answer = at_once(self.storage.exchange(exchange)).map(|mut answer| {
            for claimed in &mut answer.claimed {
                let lease = &mut claimed.facts.lease;
                let known = tokens.claimed(lease.job, lease.token);
                if self.bug == Bug::TokenReused {
                    lease.token = known;
                }
            }
            answer
        });
        Box::pin(std::future::ready(answer))
    }

    fn insert(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Inserted>> {
        self.storage.insert(jobs)
    }

    fn wait(&self, at_most: Duration) -> Answer<'_, Heard> {
        self.storage.wait(at_most)
    }

    fn poll(&self, queues: Arc<[Arc<str>]>) -> Answer<'_, Polled> {
        self.storage.poll(queues)
    }

    fn promote(&self, limit: u32) -> Answer<'_, Promoted> {
        self.storage.promote(limit)
    }

    fn expired(&self, limit: u32) -> Answer<'_, Vec<Expired>> {
        self.storage.expired(limit)
    }

    fn prune(&self, limit: u32) -> Answer<'_, u32> {
        self.storage.prune(limit)
    }

    fn beat(&self, beat: Beat) -> Answer<'_, BeatAnswer> {
        self.storage.beat(beat)
    }

    fn leave(&self, server: ServerId, holds_nothing: bool) -> Answer<'_, ()> {
        self.storage.leave(server, holds_nothing)
    }

    fn act(&self, jobs: Vec<JobId>, action: Action, by: By) -> Answer<'_, Vec<Acted>> {
        self.storage.act(jobs, action, by)
    }

    fn fire(&self, firings: Vec<Firing>, by: By) -> Answer<'_, Vec<Fired>> {
        if self.bug != Bug::SlotKeyMissing {
            return self.storage.fire(firings, by);
        }
        let answer = at_once(self.storage.fire(firings.clone(), by)).map(|answers| {
            let pairs = firings.iter().zip(answers);
            pairs.map(|(firing, answer)| self.fire_all_the_same(firing, answer)).collect()
        });
        Box::pin(std::future::ready(answer))
    }

    fn put_schedules(&self, schedules: Vec<Schedule>) -> Answer<'_, Vec<Put>> {
        self.storage.put_schedules(schedules)
    }

    fn due_schedules(&self, limit: u32) -> Answer<'_, DueSchedules> {
        self.storage.due_schedules(limit)
    }

    fn direct_schedules(&self, schedules: Vec<Box<str>>, order: Order, by: By) -> Answer<'_, Vec<Directed>> {
        self.storage.direct_schedules(schedules, order, by)
    }

    fn direct_queues(&self, queues: Vec<Box<str>>, order: QueueOrder, by: By) -> Answer<'_, Vec<Directed>> {
        self.storage.direct_queues(queues, order, by)
    }

    fn direct_servers(
        &self,
        servers: Vec<ServerId>,
        order: ServerOrder,
        by: By,
    ) -> Answer<'_, Vec<Directed>> {
        self.storage.direct_servers(servers, order, by)
    }

    fn audit(&self, about: Option<storage::Target>, page: AuditRequest) -> Answer<'_, Vec<AuditEntry>> {
        self.storage.audit(about, page)
    }

    fn get_schedules(&self, schedules: Vec<Box<str>>) -> Answer<'_, Vec<Option<ScheduleView>>> {
        self.storage.get_schedules(schedules)
    }

    fn list_schedules(&self, after: Option<Box<str>>, limit: u32) -> Answer<'_, Vec<ScheduleView>> {
        self.storage.list_schedules(after, limit)
    }

    fn slots(&self, schedule: Box<str>, before: Option<Timestamp>, limit: u32) -> Answer<'_, Vec<SlotView>> {
        self.storage.slots(schedule, before, limit)
    }

    fn get(&self, jobs: Vec<JobId>) -> Answer<'_, Vec<Option<JobDetails>>> {
        self.storage.get(jobs)
    }

    fn list(&self, filter: Filter, page: PageRequest) -> Answer<'_, Page> {
        self.storage.list(filter, page)
    }

    fn overview(&self) -> Answer<'_, Overview> {
        self.storage.overview()
    }

    fn tallies(&self, request: TallyRequest) -> Answer<'_, Vec<Tally>> {
        self.storage.tallies(request)
    }

    fn fault_groups(&self, request: FaultGroupRequest) -> Answer<'_, Vec<FaultGroup>> {
        self.storage.fault_groups(request)
    }

    fn describe(&self) -> Answer<'_, StorageView> {
        self.storage.describe()
    }

    fn now(&self) -> Answer<'_, Timestamp> {
        self.storage.now()
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
