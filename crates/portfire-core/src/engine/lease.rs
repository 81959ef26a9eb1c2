//! When to stop trusting one's own lease: before anybody may rescue the jobs.
//!
//! Trust is counted from the moment a heartbeat was *sent*, on the local monotonic clock: the storage
//! counted its lease from a later moment, so it ends later there. The margin covers clocks that run at
//! different speeds and the time an interruption takes to arrive.

use std::time::Duration;

use super::{Moment, NEVER};

#[derive(Debug)]
pub(super) struct LeaseWatch {
    trust: Duration,
    until: Moment,
    /// Trust has ended, and that has been said.
    lost: bool,
    /// Trust had ended when it was renewed, and that has not been said.
    lapsed: bool,
    /// How often trust has ended.
    lapses: u32,
}

impl LeaseWatch {
    /// One tenth of the lease is margin: 3 s of 30 s.
    pub(super) fn new(lease: Duration) -> Self {
        let trust = lease.saturating_sub(lease / 10);
        Self { trust, until: trust, lost: false, lapsed: false, lapses: 0 }
    }

    /// A process that stood still may hear of its next heartbeat before it has looked at its clock: the
    /// time between was not covered, and others may have rescued its jobs.
    pub(super) fn renewed(&mut self, sent_at: Moment) {
        self.lapsed |= sent_at >= self.until;
        self.until = self.until.max(sent_at + self.trust);
    }

    pub(super) fn is_trusted(&self, now: Moment) -> bool {
        now < self.until
    }

    /// Whether trust ended since the last question, though it may have been renewed.
    pub(super) fn just_lost(&mut self, now: Moment) -> bool {
        let lost = !self.is_trusted(now);
        let just = (lost && !self.lost) | std::mem::take(&mut self.lapsed);
        self.lost = lost;
        self.lapses += u32::from(just);
        just
    }

    /// How often trust has ended: what was asked for in an earlier term may belong to others.
    pub(super) const fn lapses(&self) -> u32 {
        self.lapses
    }

    /// When to look again.
    pub(super) const fn next(&self) -> Moment {
        if self.lost { NEVER } else { self.until }
    }
}
