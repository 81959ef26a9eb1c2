//! The system's clocks and randomness: the only file of this crate that reads them.

use std::time::Duration;

use portfire_core::{Clock, Dice, Timestamp};

/// What stands for a moment that no clock can name: nobody waits for longer.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The host's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::from(std::time::SystemTime::now())
    }
}

/// The runtime's monotonic clock, which tests may stop.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the monotonic clock")]
pub(crate) fn monotonic_now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// The moment this long from now. `Duration::MAX` is a way to say "never", so it must not overflow.
pub(crate) fn monotonic_after(wait: Duration) -> tokio::time::Instant {
    monotonic_now() + wait.min(FAR)
}

/// Dice seeded by the operating system.
pub(crate) fn system_dice() -> Dice {
    let word = || getrandom::u64().expect("the operating system provides randomness");
    Dice::from_seed([word(), word()])
}
