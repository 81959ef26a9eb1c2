//! A host in a test: started, ticked and stopped without a moment's real waiting.
//!
//! Run the test with a paused clock, `#[tokio::test(start_paused = true)]`: then time moves only when
//! everything rests, and jumps to the next thing that is due. Cron schedules follow the same clock.
//!
//! ```
//! use portfire::DurationExt;
//! use portfire::hosting::{Every, Host, testing::TestHost};
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
//! let ticks = Arc::new(AtomicU32::new(0));
//! let seen = ticks.clone();
//! let host = Host::new().periodic("count", Every::interval(1.hour()), move |_tick| {
//!     let ticks = ticks.clone();
//!     async move {
//!         ticks.fetch_add(1, SeqCst);
//!         Ok(())
//!     }
//! });
//! let host = TestHost::start(host).await?;
//! host.advance(24.hours()).await;
//! assert_eq!(seen.load(SeqCst), 24);
//! host.tick("count").await?;
//! assert_eq!(seen.load(SeqCst), 25);
//! assert!(host.stop().await.is_clean());
//! # Ok::<(), portfire::Error>(()) }).unwrap();
//! ```

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::{Clock, Result, Timestamp};
use tokio::time::Instant;

use super::{Host, Report, RunningHost, run};
use crate::clock::monotonic_now;

/// When tests begin: 2026-01-01T00:00:00Z.
const BEGIN: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// A wall clock that follows tokio's, which a test can pause.
#[derive(Debug)]
struct FollowingClock {
    begin: Timestamp,
    since: Instant,
}

impl Clock for FollowingClock {
    fn now(&self) -> Timestamp {
        self.begin.after(self.since.elapsed())
    }
}

/// A running host, and the time it lives in. Everything a [`RunningHost`] can do, it can do too.
#[derive(Debug)]
pub struct TestHost(RunningHost);

impl TestHost {
    /// Starts a host at 2026-01-01T00:00:00Z.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn start(host: Host) -> Result<Self> {
        Self::start_at(host, BEGIN).await
    }

    /// Starts a host at this instant.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn start_at(host: Host, begin: Timestamp) -> Result<Self> {
        let clock = FollowingClock { begin, since: monotonic_now() };
        Ok(Self(host.clock(Arc::new(clock)).start().await?))
    }

    /// Runs a host that ends by itself, from 2026-01-01T00:00:00Z to its end.
    ///
    /// # Errors
    /// Misuse as [`Host::start`]; whatever else happens is in the report.
    pub async fn run(host: Host) -> Result<Report> {
        let clock = FollowingClock { begin: BEGIN, since: monotonic_now() };
        match run::start(host.clock(Arc::new(clock)).ready()?).await {
            Ok(running) => Ok(running.wait().await),
            Err(report) => Ok(report),
        }
    }

    /// Lets this much time pass, with everything that is due in it, up to and including its last instant.
    /// (If the clock is not paused, it passes in reality.)
    #[expect(clippy::disallowed_methods, reason = "on a paused clock this is what moves the time")]
    pub async fn advance(&self, duration: Duration) {
        // One grain of tokio's timer more, so that what is due at the last instant comes first.
        tokio::time::sleep(duration + Duration::from_millis(1)).await;
    }

    /// Stops everything and says how it went.
    pub async fn stop(self) -> Report {
        self.0.stop().await
    }
}

impl Deref for TestHost {
    type Target = RunningHost;

    fn deref(&self) -> &RunningHost {
        &self.0
    }
}
