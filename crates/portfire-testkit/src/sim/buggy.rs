//! Bugs on purpose: a storage that does what job systems have really done, to show that the simulator
//! sees it. A simulator that finds nothing in these proves nothing about the others.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portfire_core::storage::{
    Acted, Action, Answer, Beat, BeatAnswer, Exchange, Exchanged, Expired, Filter, Inserted, JobDetails,
    Overview, Page, PageRequest, Promoted,
};
use portfire_core::{JobId, NewJob, ServerId, Settlement, Storage, Target, Timestamp, Token};

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
}

impl Bug {
    /// All bugs.
    pub const ALL: [Self; 4] =
        [Self::SettleByIdOnly, Self::RescueByRememberedIds, Self::CrashNotCounted, Self::TokenReused];
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
                [Some(&mut settlement.to), settlement.if_cancelled.as_mut()].into_iter().flatten().for_each(forget);
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

    fn wait(&self, at_most: Duration) -> Answer<'_, ()> {
        self.storage.wait(at_most)
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

    fn leave(&self, server: ServerId) -> Answer<'_, ()> {
        self.storage.leave(server)
    }

    fn act(&self, jobs: Vec<JobId>, action: Action) -> Answer<'_, Vec<Acted>> {
        self.storage.act(jobs, action)
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

    fn now(&self) -> Answer<'_, Timestamp> {
        self.storage.now()
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
