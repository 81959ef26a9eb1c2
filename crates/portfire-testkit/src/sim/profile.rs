//! What a run is like: how many take part, and how often what goes wrong.

use std::fmt;
use std::str::FromStr;

/// A kind of trouble to simulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Everything at once, but the storage's clock keeps good time.
    Storm,
    /// As `Storm`, and the storage's clock steps by up to ten minutes, either way. Leases are judged by
    /// that clock, so a job may run twice; its outcome is still written once.
    Clocks,
    /// A little of everything, now and then: for runs of months.
    Breeze,
    /// No trouble at all: what fails here is wrong by itself.
    Calm,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 4] = [Self::Storm, Self::Clocks, Self::Breeze, Self::Calm];

    /// Its word on a command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Storm => "storm",
            Self::Clocks => "clocks",
            Self::Breeze => "breeze",
            Self::Calm => "calm",
        }
    }

    /// Whether the storage's clock never jumps: an expired lease means that its time has really passed, and
    /// what was due stays due.
    pub(super) const fn keeps_time(self) -> bool {
        !matches!(self, Self::Clocks)
    }

    pub(super) const fn odds(self) -> Odds {
        match self {
            Self::Storm => Odds::STORM,
            Self::Clocks => Odds { storage_clock_step: 300, ..Odds::STORM },
            Self::Breeze => Odds::BREEZE,
            Self::Calm => Odds::CALM,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|profile| profile.as_str() == word);
        known.ok_or_else(|| format!("`{word}` is not a profile; there are {:?}", Self::ALL.map(Self::as_str)))
    }
}

/// How often what goes wrong, in a thousand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Odds {
    /// Of each storage call: it never arrives.
    pub(super) dropped: u64,
    /// Of each storage call: it is done, and the answer is lost.
    pub(super) unanswered: u64,
    /// Of each storage call: it arrives twice.
    pub(super) doubled: u64,
    /// Of each storage call: it takes seconds instead of milliseconds.
    pub(super) slow: u64,
    /// Of each second of a host: its process is killed.
    pub(super) crash: u64,
    /// Of each second of a host: its process stands still for a while.
    pub(super) pause: u64,
    /// Of each second of a host: its heartbeats get lost for a while.
    pub(super) deaf: u64,
    /// Of each second of a host: it is woken for nothing.
    pub(super) woken: u64,
    /// Of each second of a host: it is stopped as for a deploy.
    pub(super) deploy: u64,
    /// Of each second of a host: its clock jumps ahead.
    pub(super) local_clock_step: u64,
    /// Of each ten seconds: the storage's clock jumps.
    pub(super) storage_clock_step: u64,
    /// How far a local clock may run too fast or too slow. The engine allows for a tenth of the lease.
    pub(super) drift: u64,
}

impl Odds {
    /// Some ten of each in a run of two minutes, so that they meet.
    const STORM: Self = Self {
        dropped: 30,
        unanswered: 30,
        doubled: 30,
        slow: 40,
        crash: 10,
        pause: 20,
        deaf: 8,
        woken: 500,
        deploy: 6,
        local_clock_step: 4,
        storage_clock_step: 0,
        drift: 50,
    };
    /// A process dies about four times an hour, and one call in a hundred fares badly.
    const BREEZE: Self = Self {
        dropped: 2,
        unanswered: 3,
        doubled: 3,
        slow: 2,
        crash: 1,
        pause: 1,
        deaf: 0,
        woken: 10,
        deploy: 1,
        local_clock_step: 0,
        storage_clock_step: 0,
        drift: 20,
    };
    /// Nothing ever goes wrong.
    pub(super) const CALM: Self = Self {
        dropped: 0,
        unanswered: 0,
        doubled: 0,
        slow: 0,
        crash: 0,
        pause: 0,
        deaf: 0,
        woken: 0,
        deploy: 0,
        local_clock_step: 0,
        storage_clock_step: 0,
        drift: 0,
    };
}
