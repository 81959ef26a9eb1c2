//! The system's clocks and randomness: the only file of this crate that reads them.

use portfire_core::{Clock, Dice, Timestamp};

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

/// Dice seeded by the operating system.
pub(crate) fn system_dice() -> Dice {
    let word = || getrandom::u64().expect("the operating system provides randomness");
    Dice::from_seed([word(), word()])
}
