//! What happened, in numbers: tallies of minutes, hours and days. Pure.
//!
//! 1. With every write, in its transaction, a storage adds what happened to the tallies of the present
//!    minute by its clock, one for each kind and queue. So a tally never differs from what was stored.
//! 2. Minutes that are old are folded into hours, hours into days, and days are dropped ([`folds`]): that is
//!    part of [`prune`](crate::Storage::prune).
//! 3. Whoever asks for hours gets the sum of those and of the minutes that are not folded yet. So when
//!    something is folded changes no answer.
//!
//! A tally is kept once, in one width. Widths and ages are decided here; a storage only adds.

use std::time::Duration;

use crate::limits::{DAYS_KEPT, HOURS_KEPT, MINUTES_KEPT, TALLIES_MAX};
use crate::{State, Timestamp};

/// What happened to jobs in a span of time, by the storage's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// When the span begins.
    pub from: Timestamp,
    /// How long it is.
    pub width: Width,
    /// The kind of the jobs; `None` for all.
    pub kind: Option<Box<str>>,
    /// Their queue; `None` for all.
    pub queue: Option<Box<str>>,
    /// Jobs stored. Repeats and refused unique names store none.
    pub created: u64,
    /// Jobs that succeeded.
    pub succeeded: u64,
    /// Jobs that failed for good.
    pub failed: u64,
    /// Jobs that were cancelled, also by what became of a parent.
    pub cancelled: u64,
    /// Attempts that ended without success and are followed by another. Not those that were given back or
    /// snoozed, which are free.
    pub retried: u64,
    /// Attempts whose server died or lost its lease; each is counted under what became of the job as well.
    pub crashed: u64,
    /// How long the attempts by which jobs succeeded or failed for good had waited in all, from when the
    /// job was due to their start.
    pub waited: Duration,
    /// How long these attempts ran in all.
    pub ran: Duration,
}

impl Tally {
    /// Nothing happened yet.
    pub const fn new(from: Timestamp, width: Width) -> Self {
        Self {
            from,
            width,
            kind: None,
            queue: None,
            created: 0,
            succeeded: 0,
            failed: 0,
            cancelled: 0,
            retried: 0,
            crashed: 0,
            waited: Duration::ZERO,
            ran: Duration::ZERO,
        }
    }

    /// Counts a job that ended; `attempt` is how long the attempt had waited and ran, if one ended it.
    ///
    /// No other states than those that are final are counted.
    pub fn count_end(&mut self, state: State, attempt: Option<(Duration, Duration)>) {
        match state {
            State::Succeeded => self.succeeded += 1,
            State::Failed => self.failed += 1,
            State::Cancelled => self.cancelled += 1,
            _ => {}
        }
        if let (State::Succeeded | State::Failed, Some((waited, ran))) = (state, attempt) {
            self.waited += waited;
            self.ran += ran;
        }
    }

    /// Adds what happened in another tally; span, kind and queue stay.
    pub fn add(&mut self, other: &Self) {
        self.created += other.created;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.retried += other.retried;
        self.crashed += other.crashed;
        self.waited += other.waited;
        self.ran += other.ran;
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        let counts = [self.created, self.succeeded, self.failed, self.cancelled, self.retried, self.crashed];
        counts == [0; 6]
    }

    /// How long an attempt by which a job succeeded or failed had waited on average; `None` without any.
    pub fn mean_wait(&self) -> Option<Duration> {
        self.mean(self.waited)
    }

    /// How long such an attempt ran on average; `None` without any.
    pub fn mean_run(&self) -> Option<Duration> {
        self.mean(self.ran)
    }

    fn mean(&self, sum: Duration) -> Option<Duration> {
        let attempts = u128::from(self.succeeded + self.failed);
        let nanos = sum.as_nanos().checked_div(attempts)?;
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// How long the span of a tally is. Spans begin at whole minutes, hours and days of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Width {
    /// A minute.
    #[default]
    Minute,
    /// An hour.
    Hour,
    /// A day of UTC.
    Day,
}

impl Width {
    /// All, finest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its length in seconds, by which it is stored.
    pub const fn seconds(self) -> u32 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// Its length in microseconds.
    pub const fn micros(self) -> i64 {
        self.seconds() as i64 * 1_000_000
    }

    /// The beginning of the span in which an instant is.
    pub const fn begin(self, instant: Timestamp) -> Timestamp {
        let micros = instant.as_micros();
        Timestamp::from_micros(micros - micros.rem_euclid(self.micros()))
    }

    /// What it is folded into; `None` for the widest.
    pub const fn wider(self) -> Option<Self> {
        match self {
            Self::Minute => Some(Self::Hour),
            Self::Hour => Some(Self::Day),
            Self::Day => None,
        }
    }

    /// How long its tallies are kept as they are.
    pub const fn kept(self) -> Duration {
        match self {
            Self::Minute => MINUTES_KEPT,
            Self::Hour => HOURS_KEPT,
            Self::Day => DAYS_KEPT,
        }
    }
}

/// What is to be folded: the tallies of one width that are old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Of this width,
    pub of: Width,
    /// all that begin before this instant
    pub before: Timestamp,
    /// are added to those of this width; `None` drops them.
    pub into: Option<Width>,
}

/// What is to be folded now, finest first. Each fold ends at a whole span of what it is folded into, so that
/// no span is left in two halves.
pub fn folds(now: Timestamp) -> [Fold; 3] {
    Width::ALL.map(|of| {
        let into = of.wider();
        Fold { of, before: into.unwrap_or(of).begin(now.before(of.kept())), into }
    })
}

/// Which tallies to sum up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TallyRequest {
    /// How long each span is. Finer tallies than are kept are absent.
    pub width: Width,
    /// The first span is the one with this instant in it.
    pub from: Timestamp,
    /// Only spans that begin before this instant.
    pub until: Timestamp,
    /// What is told apart.
    pub by: TallyBy,
    /// Most tallies, 1 to [`TALLIES_MAX`]; other values are brought into that range.
    pub limit: u32,
}

impl TallyRequest {
    /// The sums of all jobs in spans of this width, from this instant until that.
    pub const fn total(width: Width, from: Timestamp, until: Timestamp) -> Self {
        Self { width, from, until, by: TallyBy::Total, limit: TALLIES_MAX }
    }

    /// The limit, brought into range.
    pub fn bounded_limit(&self) -> u32 {
        self.limit.clamp(1, TALLIES_MAX)
    }

    /// The rows that count, which may be finer than what is asked for: from when, and before when they begin.
    pub fn bounds(&self) -> (Timestamp, Timestamp) {
        let last = Timestamp::from_micros(self.until.as_micros().saturating_sub(1));
        let after_last = self.width.begin(last).as_micros().saturating_add(self.width.micros());
        (self.width.begin(self.from), Timestamp::from_micros(after_last))
    }
}

/// What tallies tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TallyBy {
    /// Nothing: one tally for each span.
    #[default]
    Total,
    /// Kinds: one for each span and kind.
    Kind,
    /// Queues: one for each span and queue.
    Queue,
}
