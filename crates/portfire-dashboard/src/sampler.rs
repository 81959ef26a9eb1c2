//! The counts of all jobs, looked at once for all viewers.
//!
//! 1. A viewer asks for a glance ([`Sampler::glance`]).
//! 2. If the last one is fresh, that is the answer; no statement is made.
//! 3. Otherwise one viewer looks, while the others wait for what it sees.
//!
//! Nothing runs while nobody looks: ten open tabs cost what one costs, and none costs nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portfire_core::storage::{JobSummary, Overview, PausedQueue, Tally, TallyRequest, Width};
use portfire_core::{Clock, State, Storage, Timestamp};

use crate::gate::Scope;
use crate::reader::{patiently, within};
use crate::refusal::Result;

/// How old a glance may be.
const FRESH: Duration = Duration::from_secs(2);
/// From when on a difference between the clocks is told.
const SKEW_TOLD: Duration = Duration::from_secs(2);

/// What was seen at one glance.
#[derive(Debug)]
pub(crate) struct Glance {
    /// The counts and the servers.
    pub(crate) overview: Overview,
    /// The storage's clock at the glance.
    pub(crate) now: Timestamp,
    /// The host's clock at the glance.
    pub(crate) taken_at: Timestamp,
    /// Raised whenever something was different from the glance before.
    pub(crate) version: u64,
}

impl Glance {
    /// How many jobs are in this state, in the queues that exist for them. Those that ended are not counted by
    /// queue; who may not see all of them is told of none.
    pub(crate) fn count(&self, state: State, scope: &Scope) -> u64 {
        let counts = self.overview.counts.iter();
        let waiting = counts.filter(|count| count.state == state && scope.has_queue(&count.queue));
        let ended =
            self.overview.ended.iter().filter(|count| count.state == state && *scope == Scope::Everything);
        waiting.map(|count| count.jobs).sum::<u64>() + ended.map(|count| count.jobs).sum::<u64>()
    }

    /// The pause that keeps a job from being taken, if its queue is paused.
    pub(crate) fn holds(&self, job: &JobSummary) -> Option<&PausedQueue> {
        let mut paused = self.overview.paused.iter();
        paused.find(|paused| job.state == State::Enqueued && paused.queue == job.queue)
    }

    /// How far the storage's clock is from the host's.
    pub(crate) fn skew(&self) -> Duration {
        self.now.since(self.taken_at).max(self.taken_at.since(self.now))
    }

    /// Whether the clocks are so far from each other that somebody should know.
    pub(crate) fn clocks_disagree(&self) -> bool {
        self.skew() >= SKEW_TOLD
    }

    /// The queues that exist for them, by name.
    pub(crate) fn queues<'g>(&'g self, scope: &'g Scope) -> impl Iterator<Item = &'g str> {
        let served = self.overview.servers.iter().flat_map(|server| &server.info.queues);
        let used = self.overview.counts.iter().map(|count| &count.queue);
        let paused = self.overview.paused.iter().map(|paused| &paused.queue);
        let names: std::collections::BTreeSet<&str> =
            served.chain(used).chain(paused).map(|name| &**name).collect();
        names.into_iter().filter(|name| scope.has_queue(name))
    }
}

/// How far a history goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Span {
    /// An hour, by minutes.
    #[default]
    Hour,
    /// A day, by hours.
    Day,
    /// A week, by hours.
    Week,
    /// Thirty days, by days.
    Month,
}

impl Span {
    pub(crate) const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The word in an address.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The span of this word; unknown words are the shortest.
    pub(crate) fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|span| span.as_str() == word).unwrap_or_default()
    }

    pub(crate) const fn width(self) -> Width {
        match self {
            Self::Hour => Width::Minute,
            Self::Day | Self::Week => Width::Hour,
            Self::Month => Width::Day,
        }
    }

    /// How many tallies it has.
    const fn count(self) -> u32 {
        match self {
            Self::Hour => 60,
            Self::Day => 24,
            Self::Week => 168,
            Self::Month => 30,
        }
    }

    /// From the beginning of its first tally to now, which its last one contains.
    pub(crate) fn bounds(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let step = Duration::from_secs(self.width().seconds().into());
        (self.width().begin(now).before(step * (self.count() - 1)), now.after(Duration::from_micros(1)))
    }
}

/// A tally for each step of the span, also for those in which nothing happened.
fn without_gaps(span: Span, from: Timestamp, found: Vec<Tally>) -> Vec<Tally> {
    let step = Duration::from_secs(span.width().seconds().into());
    let mut found: BTreeMap<_, _> = found.into_iter().map(|tally| (tally.from, tally)).collect();
    let steps = (0..span.count()).map(|number| from.after(step * number));
    steps.map(|at| found.remove(&at).unwrap_or_else(|| Tally::new(at, span.width()))).collect()
}

/// When a history was looked up, and what it was.
type History = (Timestamp, Arc<Vec<Tally>>);

/// Looks for all viewers.
#[derive(Debug)]
pub(crate) struct Sampler {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    latest: Mutex<Latest>,
    histories: Mutex<BTreeMap<Span, History>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Latest {
    glance: Option<Arc<Glance>>,
    /// Whether something was done since, so that the next viewer wants to see it.
    is_stale: bool,
}

impl Sampler {
    pub(crate) fn new(storage: Arc<dyn Storage>, clock: Arc<dyn Clock>) -> Self {
        Self {
            storage,
            clock,
            latest: Mutex::default(),
            histories: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// A glance that is fresh. Who waits for another's look waits no longer than for their own.
    pub(crate) async fn glance(&self) -> Result<Arc<Glance>> {
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        patiently(self.look()).await?
    }

    async fn look(&self) -> Result<Arc<Glance>> {
        let _turn = self.turn.lock().await;
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        self.with(|latest| latest.is_stale = false);
        let overview = within(self.storage.overview()).await?;
        let now = within(self.storage.now()).await?;
        let before = self.last_known();
        // Counts are capped, so while jobs run there may be changes that no count shows.
        let runs = overview.counts.iter().any(|count| count.state == State::Processing);
        let version =
            before.map_or(1, |before| before.version + u64::from(runs || before.overview != overview));
        let glance = Arc::new(Glance { overview, now, taken_at: self.clock.now(), version });
        self.with(|latest| latest.glance = Some(Arc::clone(&glance)));
        Ok(glance)
    }

    /// What happened in this span until the glance, without gaps. Looked up once for all viewers, like a glance.
    pub(crate) async fn history(&self, span: Span, glance: &Glance) -> Result<Arc<Vec<Tally>>> {
        let known = || self.histories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, tallies)) = known().get(&span).filter(|(at, _)| *at == glance.taken_at) {
            return Ok(Arc::clone(tallies));
        }
        let (from, until) = span.bounds(glance.now);
        let found = within(self.storage.tallies(TallyRequest::total(span.width(), from, until))).await?;
        let tallies = Arc::new(without_gaps(span, from, found));
        known().insert(span, (glance.taken_at, Arc::clone(&tallies)));
        Ok(tallies)
    }

    /// What was seen last, however long ago.
    pub(crate) fn last_known(&self) -> Option<Arc<Glance>> {
        self.with(|latest| latest.glance.clone())
    }

    /// Something was done: the next viewer looks again.
    pub(crate) fn stale(&self) {
        self.with(|latest| latest.is_stale = true);
    }

    /// The storage's clock now, reckoned from the glance.
    pub(crate) fn now(&self, glance: &Glance) -> Timestamp {
        glance.now.after(self.age(glance))
    }

    /// How old a glance is.
    pub(crate) fn age(&self, glance: &Glance) -> Duration {
        self.clock.now().since(glance.taken_at)
    }

    fn fresh(&self) -> Option<Arc<Glance>> {
        let now = self.clock.now();
        let fresh = |glance: &Arc<Glance>| now >= glance.taken_at && now.since(glance.taken_at) < FRESH;
        self.with(|latest| latest.glance.clone().filter(|glance| !latest.is_stale && fresh(glance)))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Latest) -> T) -> T {
        look(&mut self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
