//! Jobs under test: no server, no sleep, and time that moves when told.
//!
//! A [`TestServer`] is the application's own server on a storage in memory: the same kinds, values and
//! layers, but nothing runs until the test says so.
//!
//! - [`run`](TestServer::run) runs one call inline and hands its result back; nothing is stored.
//! - [`drain`](TestServer::drain) runs everything that can run now, one attempt after the other.
//! - [`travel`](TestServer::travel) moves the clock from one due moment to the next: retries, delayed jobs
//!   and schedules come due, and run, at exactly their time.
//! - [`assert_enqueued`](TestServer::assert_enqueued) looks at what waits.
//!
//! ```
//! use portfire::prelude::*;
//! use portfire::testing::TestServer;
//!
//! #[job]
//! async fn welcome(ctx: &JobContext, user: u64) -> Result<(), JobError> {
//!     remind(user).after(3.days()).enqueue(ctx.jobs()).await?;
//!     Ok(())
//! }
//!
//! #[job]
//! async fn remind(user: u64) -> Result<u64, JobError> {
//!     Ok(user)
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let test = TestServer::new(|jobs| Server::new(jobs).job::<welcome>().job::<remind>()).await?;
//! welcome(7).enqueue(test.jobs()).await?;
//! test.drain().await?.assert_all_succeeded();
//! test.assert_enqueued::<remind>(|reminder| reminder.user == 7).await;
//! let ran = test.travel(3.days()).await?;
//! assert_eq!(ran.of::<remind>().count(), 1);
//! # Ok::<_, portfire::Error>(()) }).unwrap();
//! ```
//!
//! A handler that ends its job in its own transaction ([`complete_in`](JobContext::complete_in)) runs unchanged:
//! nothing is written to that transaction, and the job ends with what the handler returns.
//!
//! It deliberately has no concurrency and no faults: what happens when servers die is Portfire's to test.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use portfire_core::limits::{CLAIM_MAX, PAGE_MAX};
use portfire_core::schedule::plan;
use portfire_core::storage::{
    Beat, By, Claimed, Exchange, Filter, PageRequest, ServerInfo, Settled, Want, WantQueue,
};
use portfire_core::{
    Clock, Dice, Error, Facts, IdSequence, JobId, Lease, ModelStorage, Outcome, Result, ServerId, State,
    Timestamp, VirtualClock, settle,
};

use crate::context::ShutdownClock;
use crate::server::{Parts, Server};
use crate::{AttemptScope, Call, Job, JobContext, JobError, Jobs};

/// Most attempts of one drain: beyond it, jobs are surely making each other without end.
const ATTEMPTS_MAX: usize = 100_000;
/// Longer than any test travels, so that the test's own server is never taken for dead.
const LEASE: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// An application's server under test. See the [module](self).
#[derive(Debug)]
pub struct TestServer {
    jobs: Jobs,
    clock: Arc<VirtualClock>,
    parts: Parts,
    id: ServerId,
    chance: Mutex<Chance>,
}

/// Everything a server would take from the system's randomness; the same in every test.
#[derive(Debug)]
struct Chance {
    ids: IdSequence,
    dice: Dice,
}

impl TestServer {
    /// The server that `server` builds, on an empty storage in memory. Its clock stands at
    /// 2026-01-01T00:00:00Z.
    ///
    /// # Errors
    /// Misuse if the server could never work, as [`Server::start`].
    pub async fn new(server: impl FnOnce(&Jobs) -> Server) -> Result<Self> {
        Self::at(VirtualClock::default().now(), server).await
    }

    /// The same, with its clock at `now`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub async fn at(now: impl Into<Timestamp>, server: impl FnOnce(&Jobs) -> Server) -> Result<Self> {
        let clock = Arc::new(VirtualClock::at(now.into()));
        let jobs = Jobs::new(Arc::new(ModelStorage::new(Arc::<VirtualClock>::clone(&clock))));
        let parts = server(&jobs).into_parts()?;
        let mut chance =
            Chance { ids: IdSequence::new(Dice::from_seed([1, 2])), dice: Dice::from_seed([3, 4]) };
        let id = chance.ids.server(clock.now());
        let beat = Beat { server: id, lease: LEASE, info: ServerInfo::default() };
        jobs.storage().beat(beat).await?;
        Ok(Self { jobs, clock, parts, id, chance: Mutex::new(chance) })
    }

    /// The client of the storage under test.
    pub const fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs a call inline: arguments through JSON and back, layers, values, handler, as in a server.
    /// Nothing is stored.
    ///
    /// # Errors
    /// What the handler returned; that it panicked or timed out; that the server does not know the kind.
    ///
    /// # Cancel safety
    /// If dropped, the handler is dropped at its next await.
    pub async fn run<J: Job>(&self, call: impl Into<Call<J>>) -> Result<J::Output, JobError> {
        let (id, token) = self.with_chance(|chance, now| (chance.ids.job(now), chance.ids.token(now)));
        let job = call.into().prepare(id)?;
        let lease = Lease { job: job.id, token };
        let facts = Facts { lease, kind: job.kind, attempt: 1, crashes: 0, policy: job.policy };
        let claimed = Claimed {
            facts,
            queue: job.queue,
            args: job.args,
            tags: job.tags,
            created_at: self.now(),
            parents: Vec::new(),
            slot: job.slot,
        };
        match self.attempt(claimed).await? {
            Outcome::Succeeded(result) => {
                let json = result.unwrap_or_else(|| portfire_core::Json::trusted("null"));
                json.parse().map_err(JobError::new)
            }
            other => Err(JobError::message(other.explain())),
        }
    }

    /// Runs everything that can run now, and what that makes possible, until nothing can.
    ///
    /// # Errors
    /// Misuse if jobs keep making each other without end.
    ///
    /// # Cancel safety
    /// If dropped, the attempt under way is lost and its job stays *processing*.
    pub async fn drain(&self) -> Result<Drained> {
        self.drain_at_most(ATTEMPTS_MAX).await
    }

    /// The same, but an error after `most` attempts already. [`drain`](Self::drain) allows 100,000.
    ///
    /// # Errors
    /// As [`drain`](Self::drain).
    ///
    /// # Cancel safety
    /// As [`drain`](Self::drain).
    pub async fn drain_at_most(&self, most: usize) -> Result<Drained> {
        let mut drained = Drained::default();
        loop {
            let promoted = self.jobs.storage().promote(PAGE_MAX).await?;
            let fired = self.fire().await?;
            let room = most.saturating_add(1).saturating_sub(drained.attempts.len());
            let ran = self.claim_and_run(&mut drained, u32::try_from(room).unwrap_or(CLAIM_MAX)).await?;
            if promoted.count == 0 && !fired && ran == 0 {
                return Ok(drained);
            }
            if drained.attempts.len() > most {
                return Err(Error::misuse(format!(
                    "after {most} attempts there is still more to run; jobs make each other without end"
                )));
            }
        }
    }

    /// Moves the clock forward by `by`, stopping wherever something comes due, and runs it there. What has
    /// been kept long enough is pruned at the end.
    ///
    /// # Errors
    /// As [`drain`](Self::drain).
    ///
    /// # Cancel safety
    /// As [`drain`](Self::drain).
    pub async fn travel(&self, by: Duration) -> Result<Drained> {
        let end = self.now().after(by);
        let mut drained = self.drain().await?;
        loop {
            let due = self.jobs.storage().promote(0).await?;
            let next = [due.next, due.next_slot].into_iter().flatten().min();
            let left = end.since(self.now());
            self.clock.advance(next.unwrap_or(left).min(left));
            drained.attempts.extend(self.drain().await?.attempts);
            if next.is_none_or(|next| next > left) {
                break;
            }
        }
        while self.jobs.storage().prune(PAGE_MAX).await? == PAGE_MAX {}
        Ok(drained)
    }

    /// The arguments of all jobs of a kind that have not ended, oldest first.
    ///
    /// # Errors
    /// Misuse if stored arguments do not fit the kind any more.
    pub async fn enqueued<J: Job>(&self) -> Result<Vec<J>> {
        let all = self.jobs.storage().get(self.ids_of(J::KIND).await?).await?;
        let mut waiting: Vec<_> =
            all.into_iter().flatten().filter(|job| !job.summary.state.is_final()).collect();
        waiting.sort_by_key(|job| (job.summary.created_at, job.summary.id));
        waiting.iter().map(|job| job.args.parse()).collect()
    }

    /// Checks that a job of this kind waits for which this is true.
    ///
    /// # Panics
    /// If there is none; the message lists those that wait.
    pub async fn assert_enqueued<J: Job>(&self, is_so: impl Fn(&J) -> bool) {
        let waiting = self.enqueued::<J>().await.expect("the arguments of a waiting job fit its kind");
        let listed = || waiting.iter().map(|job| portfire_core::Json::of(job)).collect::<Vec<_>>();
        assert!(
            waiting.iter().any(is_so),
            "no such job of kind `{}` waits; there are {}: {:?}",
            J::KIND,
            waiting.len(),
            listed()
        );
    }

    /// Checks that no job of this kind waits.
    ///
    /// # Panics
    /// If one does.
    pub async fn assert_none_enqueued<J: Job>(&self) {
        let waiting = self.enqueued::<J>().await.expect("the arguments of a waiting job fit its kind");
        assert!(waiting.is_empty(), "{} jobs of kind `{}` wait", waiting.len(), J::KIND);
    }

    async fn ids_of(&self, kind: &str) -> Result<Vec<JobId>> {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let filter = Filter { kind: Some(kind.into()), ..Filter::default() };
            let page = self.jobs.list(filter, PageRequest { limit: PAGE_MAX, after, before: None }).await?;
            ids.extend(page.jobs.iter().map(|job| job.id));
            after = page.next;
            if after.is_none() {
                return Ok(ids);
            }
        }
    }

    /// Fires due schedules; says whether there were any.
    async fn fire(&self) -> Result<bool> {
        let seen = self.jobs.storage().due_schedules(PAGE_MAX).await?;
        let plan = |due| self.with_chance(|chance, now| plan(due, now, &mut chance.ids));
        let firings: Vec<_> = seen.due.iter().filter_map(plan).collect();
        let any = !firings.is_empty();
        if any {
            self.jobs.storage().fire(firings, By::Program).await?;
        }
        Ok(any)
    }

    async fn claim_and_run(&self, drained: &mut Drained, room: u32) -> Result<usize> {
        let limit = room.min(CLAIM_MAX);
        let queues = self.parts.queues.iter().map(|name| WantQueue { name: (**name).into(), limit });
        let token = self.with_chance(|chance, now| chance.ids.token(now));
        let want = Want { token, limit, queues: queues.collect(), kinds: Arc::clone(&self.parts.kinds) };
        let exchange =
            Exchange { server: self.id, notes: Vec::new(), settlements: Vec::new(), want: Some(want) };
        let claimed = self.jobs.storage().exchange(exchange).await?.claimed;
        let count = claimed.len();
        for job in claimed {
            drained.attempts.push(self.run_claimed(job).await?);
        }
        Ok(count)
    }

    async fn run_claimed(&self, claimed: Claimed) -> Result<RanAttempt> {
        let facts = claimed.facts.clone();
        let ctx = self.context(claimed);
        let outcome = self.attempt_with(&ctx).await?;
        let fault = outcome.fault().map(|fault| fault.message);
        let settlement = self.with_chance(|chance, _| settle(&facts, outcome, &mut chance.dice));
        let notes = ctx.take_notes();
        let exchange = Exchange { server: self.id, notes, settlements: vec![settlement], want: None };
        let answer = self.jobs.storage().exchange(exchange).await?;
        let Some(Settled::Applied(state)) = answer.settled.first().copied() else {
            return Err(Error::broken("the test's own server lost a lease"));
        };
        Ok(RanAttempt { job: facts.lease.job, kind: facts.kind, attempt: facts.attempt, state, fault })
    }

    fn context(&self, claimed: Claimed) -> JobContext {
        let scope = AttemptScope::new(Arc::clone(&self.parts.values));
        let (jobs, token) = (Some(self.jobs.clone()), CancellationToken::new());
        JobContext::in_memory(claimed, jobs, scope, token, ShutdownClock::default())
    }

    async fn attempt(&self, claimed: Claimed) -> Result<Outcome> {
        self.attempt_with(&self.context(claimed)).await
    }

    async fn attempt_with(&self, ctx: &JobContext) -> Result<Outcome> {
        let runner = self.parts.runners.get(ctx.kind()).copied().ok_or_else(|| {
            Error::misuse(format!("the server under test does not know the kind `{}`", ctx.kind()))
        })?;
        Ok(self.parts.attempts.run(runner, ctx).await)
    }

    fn with_chance<T>(&self, take: impl FnOnce(&mut Chance, Timestamp) -> T) -> T {
        take(&mut self.chance.lock().unwrap_or_else(PoisonError::into_inner), self.now())
    }
}

/// The attempts of a drain, in the order in which they ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Each attempt.
    pub attempts: Vec<RanAttempt>,
}

/// One attempt of a drain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RanAttempt {
    /// The job.
    pub job: JobId,
    /// Its kind.
    pub kind: Box<str>,
    /// The number of the attempt; the first is 1.
    pub attempt: u16,
    /// What the job became by it.
    pub state: State,
    /// What went wrong, if something did.
    pub fault: Option<Box<str>>,
}

impl Drained {
    /// The attempts of jobs of kind `J`.
    pub fn of<J: Job>(&self) -> impl Iterator<Item = &RanAttempt> {
        self.attempts.iter().filter(|attempt| *attempt.kind == *J::KIND)
    }

    /// How many attempts left their job in each state.
    pub fn counts(&self) -> HashMap<State, usize> {
        let mut counts = HashMap::new();
        for attempt in &self.attempts {
            *counts.entry(attempt.state).or_default() += 1;
        }
        counts
    }

    /// Checks that something ran, and that every attempt succeeded.
    ///
    /// # Panics
    /// If nothing ran, or an attempt did not succeed; the message lists those.
    pub fn assert_all_succeeded(&self) {
        assert!(
            !self.attempts.is_empty(),
            "nothing could run: look whether the job is due, its kind known to the server, and its queue served"
        );
        let others: Vec<_> = self
            .attempts
            .iter()
            .filter(|attempt| attempt.state != State::Succeeded)
            .map(ToString::to_string)
            .collect();
        assert!(others.is_empty(), "not every attempt succeeded:\n{}", others.join("\n"));
    }
}

impl fmt::Display for RanAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, attempt {}: {}", self.kind, self.job, self.attempt, self.state)?;
        self.fault.iter().try_for_each(|fault| write!(f, ": {fault}"))
    }
}
