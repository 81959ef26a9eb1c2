//! `1.hour()` and its like: durations that read as they are spoken.

use std::time::Duration;

/// Durations from whole numbers: `30.seconds()`, `1.hour()`.
///
/// ```
/// use portfire::DurationExt;
///
/// assert_eq!(1.hour(), 60.minutes());
/// assert_eq!(2.days(), 48.hours());
/// ```
pub trait DurationExt: Sized {
    /// This many milliseconds.
    fn milliseconds(self) -> Duration;
    /// This many seconds.
    fn seconds(self) -> Duration;

    /// One second.
    fn second(self) -> Duration {
        self.seconds()
    }
    /// One minute.
    fn minute(self) -> Duration {
        self.minutes()
    }
    /// This many minutes.
    fn minutes(self) -> Duration {
        self.seconds().saturating_mul(60)
    }
    /// One hour.
    fn hour(self) -> Duration {
        self.hours()
    }
    /// This many hours.
    fn hours(self) -> Duration {
        self.minutes().saturating_mul(60)
    }
    /// One day of 24 hours.
    fn day(self) -> Duration {
        self.days()
    }
    /// This many days of 24 hours.
    fn days(self) -> Duration {
        self.hours().saturating_mul(24)
    }
}

impl DurationExt for u64 {
    fn milliseconds(self) -> Duration {
        Duration::from_millis(self)
    }

    fn seconds(self) -> Duration {
        Duration::from_secs(self)
    }
}
