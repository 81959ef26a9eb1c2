//! What one run costs: the process itself, the database's server, and what the database counts. What only Linux or
//! only some databases count is elsewhere missing from the report.

use std::time::Duration;

use serde::{Deserialize, Serialize};
pub(crate) use track::cost::micros;
use track::cost::{Cost, Reading};

use crate::contestant::Fallible;
use crate::database::{Counts, Ground};

/// In a second.
pub(crate) const MICROS: u64 = 1_000_000;

/// Measures the part of a run between [`start`](Self::start) and [`stop`](Self::stop).
#[derive(Debug, Default)]
pub(crate) struct Meter {
    started: Option<(Counts, Reading, Option<u64>)>,
    sample: Sample,
}

/// What one run came to. Times are in microseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// How many jobs it was about, where those are fewer than the workload's.
    pub(crate) jobs: Option<u32>,
    #[serde(flatten)]
    pub(crate) cost: Cost,
    /// Of all processes of the database's server.
    pub(crate) server_cpu: Option<u64>,
    /// What the database itself counted.
    pub(crate) counts: Counts,
    /// How long each job waited, where that is the measure.
    pub(crate) delays: Vec<u64>,
}

impl Meter {
    /// The measured part begins.
    pub(crate) async fn start(&mut self, ground: &dyn Ground) -> Fallible<()> {
        let counts = ground.counts().await?;
        self.started = Some((counts, Reading::start(), ground.cpu()));
        Ok(())
    }

    /// The measured part is over.
    pub(crate) async fn stop(&mut self, ground: &dyn Ground) -> Fallible<()> {
        let (end, cpu) = (Reading::take(), ground.cpu());
        let Some((counts, start, cpu_before)) = &self.started else { return Ok(()) };
        self.sample.cost = start.cost(&end);
        self.sample.server_cpu = cpu.zip(*cpu_before).map(|(to, from)| to.saturating_sub(from));
        self.sample.counts = ground.counts().await?.since(*counts);
        Ok(())
    }

    /// Everybody is gone: what was counted late is there now, and what is counted at once may be gone, too.
    pub(crate) fn finish(&mut self, counts: Counts) {
        if let Some((before, ..)) = self.started.take() {
            self.sample.counts = counts.since(before).or(self.sample.counts);
        }
    }

    /// A job waited this long.
    pub(crate) fn waited(&mut self, delay: Duration) {
        self.sample.delays.push(micros(delay));
    }

    /// A program that measures itself says this of the part that was measured here as well.
    pub(crate) fn says(&mut self, cost: Cost, jobs: u32, delays: Vec<u64>) {
        (self.sample.cost, self.sample.jobs, self.sample.delays) = (cost, Some(jobs), delays);
    }

    /// What the run came to.
    pub(crate) fn into_sample(self) -> Sample {
        self.sample
    }
}
