//! What is measured, as data. A contestant does each in the way that its documentation recommends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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
    /// As `Drain`, while a transaction that began before it sees the database as it was then.
    Pinned { slots: u32, jobs: u32 },
    /// One producer stores batches while a server works them.
    Lifecycle { batch: u32, slots: u32, jobs: u32 },
    /// As `Drain`, and every tenth job fails its first attempt and is retried at once.
    Retries { slots: u32, jobs: u32 },
    /// The round trip of a claim of a hundred jobs, while so many are ready beside them.
    Claim { ready: u32, claims: u32 },
    /// From the call that stores a job to the first line of its handler; one job at a time.
    Latency { jobs: u32 },
    /// From the moment a delayed job is due to the first line of its handler.
    Scheduled { jobs: u32 },
    /// From the moment that a cron expression names to the first line of the handler.
    Slots { jobs: u32 },
    /// From the end of the delay that a failed attempt asked for to the first line of the next one.
    Retry { jobs: u32 },
    /// A server with nothing to do.
    Idle { seconds: u32 },
}

/// All of them, in the order of the report.
pub fn all(quick: bool, ready: u32) -> Vec<Workload> {
    // Large enough to outlast start-up by far; small enough that five rounds of all take some minutes.
    let size = |full: u32| if quick { full / 20 } else { full };
    let enqueue = |producers, jobs| Workload::Enqueue { producers, jobs: size(jobs) };
    let drain = |servers, slots, jobs| Workload::Drain { servers, slots, jobs: size(jobs) };
    let claim = |ready| Workload::Claim { ready, claims: size(400) };
    vec![
        enqueue(1, 5_000),
        enqueue(16, 16_000),
        enqueue(64, 32_000),
        Workload::Bulk { batch: 1_000, jobs: size(100_000) },
        drain(1, 1, 10_000),
        drain(1, 16, 40_000),
        drain(1, 64, 100_000),
        drain(1, 256, 100_000),
        drain(1, 1024, 100_000),
        drain(2, 256, 100_000),
        drain(4, 256, 100_000),
        Workload::Pinned { slots: 256, jobs: size(100_000) },
        Workload::Lifecycle { batch: 1_000, slots: 256, jobs: size(100_000) },
        Workload::Retries { slots: 256, jobs: size(50_000) },
        claim(0),
        claim(size(ready)),
        Workload::Latency { jobs: size(500) },
        Workload::Scheduled { jobs: size(200) },
        Workload::Slots { jobs: size(200) },
        Workload::Retry { jobs: size(200) },
        Workload::Idle { seconds: if quick { 2 } else { 30 } },
    ]
}

impl Workload {
    /// Its name in filters and reports.
    pub fn name(self) -> String {
        match self {
            Self::Enqueue { producers, .. } => format!("enqueue/{producers}"),
            Self::Bulk { batch, .. } => format!("bulk/{batch}"),
            Self::Drain { servers: 1, slots, .. } => format!("drain/{slots}"),
            Self::Drain { servers, .. } => format!("servers/{servers}"),
            Self::Pinned { slots, .. } => format!("pinned/{slots}"),
            Self::Lifecycle { slots, .. } => format!("lifecycle/{slots}"),
            Self::Retries { slots, .. } => format!("retries/{slots}"),
            Self::Claim { ready, .. } => format!("claim/{ready}"),
            Self::Latency { .. } => "latency".into(),
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
            Self::Latency { .. } | Self::Scheduled { .. } | Self::Slots { .. } | Self::Retry { .. } => {
                Measure::Delay
            }
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
