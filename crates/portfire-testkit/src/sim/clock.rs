//! The clocks of a simulated world: the storage's, and one per server that drifts and jumps.
//!
//! Behind both is the true time, which only the simulator knows.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use portfire_core::engine::Moment;
use portfire_core::{Clock, Timestamp};

/// 2026-01-01T00:00:00Z, when every simulation begins.
pub(super) const BEGIN: i64 = 1_767_225_600_000_000;

/// The storage's clock: the true time, plus however far it was stepped.
#[derive(Debug)]
pub(super) struct StorageClock {
    micros: AtomicI64,
    offset: AtomicI64,
}

impl StorageClock {
    pub(super) const fn new() -> Self {
        Self { micros: AtomicI64::new(BEGIN), offset: AtomicI64::new(0) }
    }

    /// It is now this long after the beginning.
    pub(super) fn set(&self, now: Moment) {
        let since = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        self.micros.store(BEGIN.saturating_add(since), Ordering::Relaxed);
    }

    /// Jumps, ahead or back.
    pub(super) fn step(&self, micros: i64) {
        self.offset.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Clock for StorageClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::Relaxed) + self.offset.load(Ordering::Relaxed))
    }
}

/// A server's monotonic clock, which runs a little too fast or too slow.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalClock {
    /// True time at the last jump, or at the start.
    since: Moment,
    /// What the clock showed then.
    shown: Moment,
    /// Parts in a thousand: 1,050 gains 5 %.
    rate: u64,
}

impl LocalClock {
    pub(super) const fn start(now: Moment, rate: u64) -> Self {
        Self { since: now, shown: Duration::ZERO, rate }
    }

    /// What it shows at this true time.
    pub(super) fn at(&self, now: Moment) -> Moment {
        let passed = micros(now.saturating_sub(self.since));
        self.shown + Duration::from_micros(passed * self.rate / 1_000)
    }

    /// The first true time at which it shows `moment`; `None` if that is beyond any run.
    pub(super) fn when(&self, moment: Moment) -> Option<Moment> {
        if moment.as_secs() > 1_000_000_000 {
            return None;
        }
        let ahead = micros(moment.saturating_sub(self.shown));
        Some(self.since + Duration::from_micros((ahead * 1_000).div_ceil(self.rate)))
    }

    /// Jumps ahead at this true time.
    pub(super) fn step(&mut self, now: Moment, by: Duration) {
        self.shown = self.at(now) + by;
        self.since = now;
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
