//! The host's wall clock: on SQLite it is the database's clock. The only file that reads it.
//!
//! Leases are judged by it, so a step forward (a correction by hand or by NTP; on Linux and macOS also a host
//! that slept) would make every living server look dead. The clock is therefore compared with the monotonic one at every reading;
//! after a step nobody is rescued for the time of a lease, in which every living server renews its own.
//!
//! A program that starts just after a step cannot know of it: it may rescue jobs of servers that have not
//! renewed yet, which then run twice and are settled once.
//!
//! A step back needs nothing: leases last longer by it, and slots and jobs wait for their time on the wall.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portfire_core::limits::LEASE;
use portfire_core::{Clock, Timestamp};

/// How far the clocks may drift apart between two readings without being taken for a step. A clock that is
/// slewed is corrected by half a millisecond a second at most, and readings are seldom a minute apart.
const DRIFT_MAX: Duration = Duration::from_secs(1);

/// The wall clock and the monotonic clock of a host.
pub(crate) struct HostClock {
    wall: fn() -> Timestamp,
    /// The time since some fixed moment; never set.
    steady: fn() -> Duration,
    watch: Mutex<StepWatch>,
}

impl HostClock {
    pub(crate) fn system() -> Self {
        Self::new(system_wall, system_steady)
    }

    fn new(wall: fn() -> Timestamp, steady: fn() -> Duration) -> Self {
        Self { wall, steady, watch: Mutex::default() }
    }

    /// Whether the clock was set forward so recently that leases only look expired.
    pub(crate) fn was_just_set(&self) -> bool {
        self.look();
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).holds((self.steady)())
    }

    fn look(&self) -> Timestamp {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, steady) = ((self.wall)(), (self.steady)());
        watch.look(wall, steady);
        wall
    }
}

impl Clock for HostClock {
    fn now(&self) -> Timestamp {
        self.look()
    }
}

impl fmt::Debug for HostClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostClock")
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn system_wall() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the monotonic clock")]
fn system_steady() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// Notices steps between readings of both clocks. Pure.
#[derive(Debug, Default)]
struct StepWatch {
    last: Option<(Timestamp, Duration)>,
    /// Until when, on the monotonic clock, leases are not judged.
    hold_until: Duration,
}

impl StepWatch {
    fn look(&mut self, wall: Timestamp, steady: Duration) {
        if let Some((last_wall, last_steady)) = self.last {
            let expected = last_wall.after(steady.saturating_sub(last_steady));
            if wall.since(expected) > DRIFT_MAX {
                self.hold_until = steady + LEASE;
            }
        }
        self.last = Some((wall, steady));
    }

    fn holds(&self, steady: Duration) -> bool {
        steady < self.hold_until
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use portfire_core::storage::{Beat, Exchange, ServerInfo, Settled, Want, WantQueue};
    use portfire_core::{Dice, IdSequence, Json, NewJob, Outcome, Storage, settle};

    use super::*;
    use crate::{SqliteOptions, SqliteStorage};

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn only_a_step_forward_holds_rescue() {
        let start = Timestamp::from_micros(1_800_000_000_000_000);
        // (wall, steady) of a second reading after one at (0, 0), in seconds, and whether it is a step.
        for (wall, steady, holds) in [(60, 60, false), (61, 60, false), (62, 60, true), (0, 60, false)] {
            let mut watch = StepWatch::default();
            watch.look(start, seconds(0));
            watch.look(start.after(seconds(wall)), seconds(steady));
            assert_eq!(watch.holds(seconds(steady)), holds, "{wall} s on the wall in {steady} s");
            assert!(!watch.holds(seconds(steady) + LEASE), "a lease later everybody has renewed");
        }
    }

    static WALL: AtomicU64 = AtomicU64::new(1_800_000_000);
    static STEADY: AtomicU64 = AtomicU64::new(0);

    fn pass(wall: u64, steady: u64) {
        WALL.fetch_add(wall, Ordering::Relaxed);
        STEADY.fetch_add(steady, Ordering::Relaxed);
    }

    /// The clock jumps by ten minutes: the living server keeps its job, and a dead one loses it a lease later.
    #[tokio::test]
    async fn a_clock_set_forward_costs_no_living_server_its_jobs() {
        let wall = || Timestamp::from_micros(1_000_000 * WALL.load(Ordering::Relaxed).cast_signed());
        let clock = Arc::new(HostClock::new(wall, || seconds(STEADY.load(Ordering::Relaxed))));
        let dir = tempfile::tempdir().unwrap();
        let mut options = SqliteOptions::new(dir.path().join("jobs.db"));
        (options.clock, options.host) = (Arc::clone(&clock) as Arc<dyn Clock>, Some(Arc::clone(&clock)));
        let storage = SqliteStorage::open(options).await.unwrap();
        let mut ids = IdSequence::new(Dice::from_seed([1, 2]));
        let (server, job, token) = (ids.server(clock.now()), ids.job(clock.now()), ids.token(clock.now()));
        let beat = || storage.beat(Beat { server, lease: LEASE, info: ServerInfo::default() });
        beat().await.unwrap();
        storage.insert(vec![NewJob::new(job, "work", Json::trusted("{}"))]).await.unwrap();
        let queues = vec![WantQueue { name: "default".into(), limit: 1 }];
        let want = Want { token, limit: 1, queues, kinds: ["work".into()].into() };
        let exchange =
            |settlements, want| storage.exchange(Exchange { server, notes: Vec::new(), settlements, want });
        let claimed = exchange(Vec::new(), Some(want)).await.unwrap().claimed.remove(0);
        let crashed = || settle(&claimed.facts, Outcome::Crashed, &mut Dice::from_seed([3, 4]));

        pass(600, 1);
        assert!(storage.expired(9).await.unwrap().is_empty(), "it only looks expired");
        assert_eq!(exchange(vec![crashed()], None).await.unwrap().settled, [Settled::Lost]);
        beat().await.unwrap();
        pass(29, 29);
        assert!(storage.expired(9).await.unwrap().is_empty());
        pass(2, 2);
        assert_eq!(storage.expired(9).await.unwrap().len(), 1, "it has not renewed since");
        assert!(matches!(exchange(vec![crashed()], None).await.unwrap().settled[0], Settled::Applied(_)));
    }
}
