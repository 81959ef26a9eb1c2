//! How long to wait before the next attempt. Pure arithmetic: `(curve, retry number, dice) -> delay`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Dice;

/// The longest delay any curve gives: beyond a year the arithmetic, not the intent, is at work.
const DELAY_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How the waiting time grows from retry to retry. Retry 1 follows attempt 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backoff {
    /// Hangfire's curve: `(n-1)^4 + 15 + n·rand(0..30)` seconds before retry `n`.
    ///
    /// | retry | 1 | 2 | 3 | 5 | 9 |
    /// |---|---|---|---|---|---|
    /// | seconds | 15–44 | 16–74 | 31–118 | 271–416 | 4,111–4,372 |
    ///
    /// Source: `AutomaticRetryAttribute.SecondsToDelay` of Hangfire 1.8.
    #[default]
    Hangfire,
    /// The same delay each time.
    Fixed(Duration),
    /// `base · 2^(n-1)`, at most `cap`, then a random part of up to `jitter_percent` taken off.
    Exponential {
        /// The delay before the first retry.
        base: Duration,
        /// The longest delay.
        cap: Duration,
        /// How much of the delay is random, 0 to 100.
        jitter_percent: u8,
    },
    /// These delays in turn; the last one repeats. An empty list retries at once.
    List(Vec<Duration>),
}

impl Backoff {
    /// Doubling from `base` up to `cap`, with a quarter of the delay random so that jobs that failed
    /// together do not come back together.
    pub const fn exponential(base: Duration, cap: Duration) -> Self {
        Self::Exponential { base, cap, jitter_percent: 25 }
    }

    /// The delay before retry `retry` (1 follows the first attempt; 0 counts as 1).
    pub fn delay(&self, retry: u32, dice: &mut Dice) -> Duration {
        let retry = retry.max(1);
        let delay = match self {
            Self::Hangfire => hangfire(retry, dice),
            Self::Fixed(delay) => *delay,
            Self::Exponential { base, cap, jitter_percent } => {
                let doubled = base.saturating_mul(1_u32.checked_shl(retry - 1).unwrap_or(u32::MAX));
                // Bounded before the jitter: `mul_f64` panics near `Duration::MAX`.
                let full = doubled.min(*cap).min(DELAY_MAX);
                let jitter = f64::from((*jitter_percent).min(100)) / 100.0 * dice.fraction();
                full.mul_f64(1.0 - jitter)
            }
            Self::List(delays) => {
                let index = usize::try_from(retry - 1).unwrap_or(usize::MAX);
                delays.get(index).or(delays.last()).copied().unwrap_or_default()
            }
        };
        delay.min(DELAY_MAX)
    }
}

fn hangfire(retry: u32, dice: &mut Dice) -> Duration {
    let n = u64::from(retry);
    let seconds = (n - 1).saturating_pow(4).saturating_add(15).saturating_add(n * dice.below(30));
    Duration::from_secs(seconds)
}
