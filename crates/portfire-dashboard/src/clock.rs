//! The host's clock, randomness and timers: the only file of this crate that has them.

use std::time::Duration;

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

/// Dice seeded by the operating system.
pub(crate) fn system_dice() -> Dice {
    let word = || getrandom::u64().expect("the operating system provides randomness");
    Dice::from_seed([word(), word()])
}

/// Passes this much time between two looks of a live stream.
#[expect(clippy::disallowed_methods, reason = "a live stream looks again after a while; nothing signals it")]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
