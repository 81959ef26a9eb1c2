//! The clocks of the measuring stick: the only file that reads them or waits for time to pass.

use std::time::{Duration, Instant, SystemTime};

/// Now, for measuring.
#[expect(clippy::disallowed_methods, reason = "a stopwatch reads the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Now, by the wall clock that due times are compared with.
#[expect(clippy::disallowed_methods, reason = "scheduled jobs are due by the wall clock")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Lets time pass: between the jobs of an idle server, or while it idles.
#[expect(clippy::disallowed_methods, reason = "to be idle is to let time pass")]
pub async fn idle(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The same for a thread.
#[expect(clippy::disallowed_methods, reason = "to be idle is to let time pass")]
pub fn rest(time: Duration) {
    std::thread::sleep(time);
}
