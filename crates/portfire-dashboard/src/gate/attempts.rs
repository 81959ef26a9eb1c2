//! How many wrong passwords one address may try. Pure; time is an argument.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use portfire_core::Timestamp;

/// Wrong passwords before an address has to wait.
const WRONG_MAX: u32 = 5;
/// How long it waits, counted from the last wrong one.
const WAIT: Duration = Duration::from_secs(60);
/// Most addresses remembered: 64 bytes each. When there are more, those that no longer wait are forgotten, and
/// if all wait, all are: somebody with ten thousand addresses is not stopped by counting them.
const ADDRESSES_MAX: usize = 10_000;

/// Wrong passwords by address.
#[derive(Debug, Default)]
pub(super) struct Attempts(BTreeMap<Option<IpAddr>, (u32, Timestamp)>);

impl Attempts {
    /// Whether this address has to wait.
    pub(super) fn is_shut(&self, from: Option<IpAddr>, now: Timestamp) -> bool {
        self.0.get(&from).is_some_and(|(wrong, last)| *wrong >= WRONG_MAX && now.since(*last) < WAIT)
    }

    /// Counts a wrong password.
    pub(super) fn wrong(&mut self, from: Option<IpAddr>, now: Timestamp) {
        if self.0.len() >= ADDRESSES_MAX {
            self.0.retain(|_, (_, last)| now.since(*last) < WAIT);
        }
        if self.0.len() >= ADDRESSES_MAX {
            self.0.clear();
        }
        let (wrong, last) = self.0.entry(from).or_insert((0, now));
        *wrong = if now.since(*last) < WAIT { wrong.saturating_add(1) } else { 1 };
        *last = now;
    }

    /// Forgets the wrong ones: the right one came.
    pub(super) fn right(&mut self, from: Option<IpAddr>) {
        self.0.remove(&from);
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempts, WAIT, WRONG_MAX};
    use portfire_core::Timestamp;

    #[test]
    fn an_address_waits_after_five_wrong_passwords_and_others_do_not() {
        let (here, there) = (Some([127, 0, 0, 1].into()), Some([10, 0, 0, 1].into()));
        let (mut attempts, now) = (Attempts::default(), Timestamp::from_micros(0));
        for _ in 0..WRONG_MAX {
            assert!(!attempts.is_shut(here, now));
            attempts.wrong(here, now);
        }
        assert!(attempts.is_shut(here, now) && !attempts.is_shut(there, now));
        assert!(!attempts.is_shut(here, now.after(WAIT)));
        attempts.right(here);
        assert!(!attempts.is_shut(here, now));
    }
}
