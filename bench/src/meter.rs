//! What one run costs: time, CPU, commits, bytes, memory. What only Linux or only some databases count is
//! elsewhere missing from the report.

use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::contestant::Fallible;
use crate::database::{Counts, Ground};
use crate::stopwatch;

/// In a second.
pub(crate) const MICROS: u64 = 1_000_000;

/// Measures the part of a run between [`start`](Self::start) and [`stop`](Self::stop).
#[derive(Debug, Default)]
pub(crate) struct Meter {
    started: Option<(Counts, Reading)>,
    sample: Sample,
}

/// What one run came to. Times are in microseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) wall: u64,
    pub(crate) cpu: u64,
    /// Of all processes of the database's server.
    pub(crate) server_cpu: Option<u64>,
    /// What the database itself counted.
    pub(crate) counts: Counts,
    /// Bytes that the process caused to be written to the disk.
    pub(crate) written: Option<u64>,
    /// The most memory that was resident, in KiB.
    pub(crate) peak_rss: Option<u64>,
    /// How long each job waited, where that is the measure.
    pub(crate) delays: Vec<u64>,
}

#[derive(Debug)]
struct Reading {
    at: Instant,
    cpu: Duration,
    server_cpu: Option<u64>,
    written: Option<u64>,
}

impl Reading {
    fn take(ground: &dyn Ground) -> Self {
        let written = counter("/proc/self/io", "write_bytes:");
        Self { at: stopwatch::now(), cpu: cpu(), server_cpu: ground.cpu(), written }
    }
}

impl Meter {
    /// The measured part begins.
    pub(crate) async fn start(&mut self, ground: &dyn Ground) -> Fallible<()> {
        // 5 resets the peak to what is resident now (proc_pid_clear_refs(5)).
        let _ = fs::write("/proc/self/clear_refs", "5");
        let counts = ground.counts().await?;
        self.started = Some((counts, Reading::take(ground)));
        Ok(())
    }

    /// The measured part is over.
    pub(crate) async fn stop(&mut self, ground: &dyn Ground) -> Fallible<()> {
        let end = Reading::take(ground);
        let Some((counts, start)) = &self.started else { return Ok(()) };
        let delta = |from: Option<u64>, to: Option<u64>| Some(to?.saturating_sub(from?));
        self.sample.wall = micros(end.at.duration_since(start.at));
        self.sample.cpu = micros(end.cpu.saturating_sub(start.cpu));
        self.sample.server_cpu = delta(start.server_cpu, end.server_cpu);
        self.sample.written = delta(start.written, end.written);
        self.sample.peak_rss = counter("/proc/self/status", "VmHWM:");
        self.sample.counts = ground.counts().await?.since(*counts);
        Ok(())
    }

    /// Everybody is gone: what was counted late is there now, and what is counted at once may be gone, too.
    pub(crate) fn finish(&mut self, counts: Counts) {
        if let Some((before, _)) = self.started.take() {
            self.sample.counts = counts.since(before).or(self.sample.counts);
        }
    }

    /// A job waited this long.
    pub(crate) fn waited(&mut self, delay: Duration) {
        self.sample.delays.push(micros(delay));
    }

    /// What the run came to.
    pub(crate) fn into_sample(self) -> Sample {
        self.sample
    }
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// CPU time of all threads of this process.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// The number behind `key` in a file of lines `key number`.
fn counter(file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}
