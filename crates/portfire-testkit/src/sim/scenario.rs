//! Who takes part in a run, and for how long.

use std::ops::Range;
use std::time::Duration;

use portfire_core::{Json, Keep, Misfire, Overlap, Policy, Retention, Schedule, Template, Timestamp};

use super::clock::BEGIN;

/// What a run consists of.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) hosts: usize,
    pub(super) producers: usize,
    /// Operators interfere with jobs.
    pub(super) operators: bool,
    /// The milliseconds between two edits of schedules, if somebody edits them.
    pub(super) edits: Option<(u64, u64)>,
    /// Put at the beginning.
    pub(super) schedules: Vec<Schedule>,
    /// No process runs during these, in seconds.
    pub(super) outages: Vec<Range<u64>>,
    /// The range from which the length of a lease is drawn, in milliseconds.
    pub(super) lease: (u64, u64),
    /// The range from which the time between two polls is drawn, in milliseconds.
    pub(super) poll: (u64, u64),
    /// How long producers produce and things go wrong.
    pub(super) storm: Duration,
    /// How long everything due may take to end once nothing goes wrong any more.
    pub(super) calm: Duration,
}

/// A run that is about schedules: five servers, none of which leads.
#[derive(Clone, Debug)]
pub struct Recurring {
    /// What recurs, from the beginning on.
    pub schedules: Vec<Schedule>,
    /// For how long.
    pub lasts: Duration,
    /// When no server runs, in seconds from the beginning.
    pub outages: Vec<Range<u64>>,
    /// Somebody edits the schedules three times a second.
    pub edited: bool,
}

impl Recurring {
    /// One schedule that fires each minute under this policy, for so many minutes.
    pub fn minutely(misfire: Misfire, minutes: u64) -> Self {
        let keep = Keep::For(Duration::ZERO);
        let retention = Retention { succeeded: keep, failed: keep, cancelled: keep };
        let job = Template {
            kind: "work".into(),
            queue: "default".into(),
            priority: 0,
            args: Json::trusted("{}"),
            policy: Policy { retention, ..Policy::default() },
            tags: Vec::new(),
        };
        let (id, cron, zone) = ("minutely".into(), "* * * * *".into(), "UTC".into());
        Self {
            schedules: vec![Schedule { id, cron, zone, misfire, overlap: Overlap::Allow, job }],
            lasts: Duration::from_secs(minutes * 60),
            outages: Vec::new(),
            edited: false,
        }
    }
}

/// After the last fault, what was sent before may still arrive: two slow ways and some more.
pub(super) const LINGER: Duration = Duration::from_secs(60);

impl Scenario {
    /// A little of everything, small enough for two hundred runs in each check.
    pub(super) const fn mixed() -> Self {
        Self {
            hosts: 3,
            producers: 2,
            operators: true,
            edits: Some((1_000, 9_000)),
            schedules: Vec::new(),
            outages: Vec::new(),
            lease: (9_000, 20_000),
            poll: (1_000, 4_000),
            storm: Duration::from_secs(120),
            // A clock step of ten minutes, retries and leases, and the same again.
            calm: Duration::from_secs(3_000),
        }
    }

    /// Servers as they are by default, and nobody else.
    pub(super) fn idle() -> Self {
        Self {
            producers: 0,
            operators: false,
            edits: None,
            lease: (30_000, 30_000),
            poll: (4_000, 4_000),
            storm: Duration::from_secs(1_800),
            ..Self::mixed()
        }
    }

    pub(super) fn recurring(run: Recurring) -> Self {
        let Recurring { schedules, lasts, outages, edited } = run;
        Self {
            hosts: 5,
            producers: 0,
            operators: false,
            edits: edited.then_some((250, 400)),
            schedules,
            outages,
            lease: (300_000, 600_000),
            poll: (20_000, 60_000),
            storm: lasts,
            ..Self::mixed()
        }
    }

    /// Whether no process may run at this second.
    pub(super) fn is_outage(&self, second: u64) -> bool {
        self.outages.iter().any(|outage| outage.contains(&second))
    }
}

/// When every run begins.
pub const fn begin() -> Timestamp {
    Timestamp::from_micros(BEGIN)
}
