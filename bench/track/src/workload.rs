//! What is measured, as data. A contestant does each in the way that its documentation recommends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The slots of a server that has many.
pub const SLOTS: u32 = 256;
/// The slots that suit us best: more make no difference. Peers have as many as suit each of them.
pub const BEST_SLOTS: u32 = 1_024;

/// One thing to do on an empty database. Arguments are some 100 bytes of JSON, handlers do nothing.
#[expect(missing_docs, reason = "the fields are the numbers that each line speaks of")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Workload {
    /// Each producer stores one job after the other and waits for each.
    Enqueue { producers: u32, jobs: u32 },
    /// One producer stores jobs in batches and waits for each batch.
    Bulk { batch: u32, jobs: u32 },
    /// Servers, mostly one, with so many slots each work a backlog that was stored before.
    Drain { servers: u32, slots: u32, jobs: u32 },
    /// As `Drain`, while a transaction that began before it sees the database as it was then; for so many minutes before
    /// the part that is measured, such backlogs are stored and worked.
    Pinned { slots: u32, jobs: u32, minutes: u32 },
    /// One producer stores batches while a server works them.
    Lifecycle { batch: u32, slots: u32, jobs: u32 },
    /// As `Drain`, and every tenth job fails its first attempt and is retried at once.
    Retries { slots: u32, jobs: u32 },
    /// The round trip of a claim of a hundred jobs, while so many are ready beside them.
    Claim { ready: u32, claims: u32 },
    /// From the call that stores a job to the first line of its handler; one job at a time.
    Latency { jobs: u32 },
    /// The same while producers store jobs at half the rate that the contestant can keep up with.
    Load { jobs: u32 },
    /// From the moment a delayed job is due to the first line of its handler.
    Scheduled { jobs: u32 },
    /// From the moment that a cron expression names to the first line of the handler.
    Slots { jobs: u32 },
    /// From the end of the delay that a failed attempt asked for to the first line of the next one.
    Retry { jobs: u32 },
    /// A server with nothing to do.
    Idle { seconds: u32 },
}

/// What a run may choose of the workloads.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Small workloads: whether everything works.
    pub quick: bool,
    /// How many jobs are ready beside those that are claimed, one workload for each number.
    pub ready: Vec<u32>,
    /// How long a pinned transaction has been there when a drain begins.
    pub pinned_minutes: u32,
}

/// All of them, in the order of the report.
pub fn all(sizes: &Sizes) -> Vec<Workload> {
    let quick = sizes.quick;
    // Large enough to outlast start-up by far; small enough that five rounds of all take some minutes.
    let size = |full: u32| if quick { full / 20 } else { full };
    let enqueue = |producers, jobs| Workload::Enqueue { producers, jobs: size(jobs) };
    let drain = |servers, slots, jobs| Workload::Drain { servers, slots, jobs: size(jobs) };
    let claim = |ready| Workload::Claim { ready, claims: size(400) };
    let drains =
        [(1, 10_000), (4, 20_000), (16, 40_000), (64, 100_000), (SLOTS, 100_000), (BEST_SLOTS, 100_000)];
    let pinned = |slots, jobs| Workload::Pinned { slots, jobs: size(jobs), minutes: sizes.pinned_minutes };
    let mut all = vec![enqueue(1, 5_000), enqueue(16, 16_000), enqueue(64, 32_000)];
    all.push(Workload::Bulk { batch: 1_000, jobs: size(100_000) });
    all.extend(drains.map(|(slots, jobs)| drain(1, slots, jobs)));
    all.extend([drain(2, SLOTS, 100_000), drain(4, SLOTS, 100_000), pinned(SLOTS, 100_000)]);
    all.push(Workload::Lifecycle { batch: 1_000, slots: BEST_SLOTS, jobs: size(100_000) });
    all.push(Workload::Retries { slots: SLOTS, jobs: size(50_000) });
    all.push(claim(0));
    all.extend(sizes.ready.iter().map(|ready| claim(size(*ready))));
    all.extend([Workload::Latency { jobs: size(1_000) }, Workload::Load { jobs: size(4_000) }]);
    all.extend([Workload::Scheduled { jobs: size(200) }, Workload::Slots { jobs: size(200) }]);
    all.push(Workload::Retry { jobs: size(200) });
    all.push(Workload::Idle { seconds: if quick { 2 } else { 30 } });
    all
}

impl Workload {
    /// Its name in filters and reports.
    pub fn name(self) -> String {
        match self {
            Self::Enqueue { producers, .. } => format!("enqueue/{producers}"),
            Self::Bulk { batch, .. } => format!("bulk/{batch}"),
            Self::Drain { servers: 1, slots, .. } => format!("drain/{slots}"),
            Self::Drain { servers, .. } => format!("servers/{servers}"),
            Self::Pinned { slots, minutes: 0, .. } => format!("pinned/{slots}"),
            Self::Pinned { slots, minutes, .. } => format!("pinned/{slots} {minutes} min"),
            Self::Lifecycle { slots, .. } => format!("lifecycle/{slots}"),
            Self::Retries { slots, .. } => format!("retries/{slots}"),
            Self::Claim { ready, .. } => format!("claim/{ready}"),
            Self::Latency { .. } => "latency".into(),
            Self::Load { .. } => "half-load".into(),
            Self::Scheduled { .. } => "scheduled".into(),
            Self::Slots { .. } => "slots".into(),
            Self::Retry { .. } => "retry".into(),
            Self::Idle { .. } => "idle".into(),
        }
    }

    /// How many jobs, or claims, it is about; none for an idle server.
    pub const fn jobs(self) -> u32 {
        match self {
            Self::Enqueue { jobs, .. }
            | Self::Bulk { jobs, .. }
            | Self::Drain { jobs, .. }
            | Self::Pinned { jobs, .. }
            | Self::Lifecycle { jobs, .. }
            | Self::Retries { jobs, .. }
            | Self::Latency { jobs }
            | Self::Load { jobs }
            | Self::Scheduled { jobs }
            | Self::Slots { jobs }
            | Self::Retry { jobs } => jobs,
            Self::Claim { claims, .. } => claims,
            Self::Idle { .. } => 0,
        }
    }

    /// The batch of the bare statements that ratios refer to: as large as the batch that is stored, and
    /// 100 where a server chooses its batches itself.
    pub const fn bare_batch(self) -> u32 {
        match self {
            Self::Bulk { batch, .. } => batch,
            _ => 100,
        }
    }

    /// What is measured of it.
    pub const fn measure(self) -> Measure {
        match self {
            Self::Latency { .. }
            | Self::Load { .. }
            | Self::Scheduled { .. }
            | Self::Slots { .. }
            | Self::Retry { .. } => Measure::Delay,
            Self::Claim { .. } => Measure::Claim,
            Self::Idle { .. } => Measure::Upkeep,
            _ => Measure::Rate,
        }
    }
}

/// The pause before a job where jobs come one at a time; drawn out, so that it does not beat in time with
/// anything.
pub fn pause(number: u32) -> Duration {
    Duration::from_millis(3 + u64::from(number % 3) * 2)
}

/// How many jobs are claimed at once where the claim is what is measured.
pub const CLAIM: u32 = 100;

/// What is measured of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Jobs per second.
    Rate,
    /// How long a job waits.
    Delay,
    /// How long a claim takes.
    Claim,
    /// What it costs to be there.
    Upkeep,
}
