//! What one run costs: time, CPU, commits, bytes, memory. Linux counts the last three; elsewhere they
//! are missing from the report.

use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::stopwatch;

/// Measures the part of a run between [`start`](Self::start) and [`stop`](Self::stop).
#[derive(Debug, Default)]
pub(crate) struct Meter {
    started: Option<Reading>,
    sample: Sample,
}

/// What one run came to. Times are in microseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) wall: u64,
    pub(crate) cpu: u64,
    /// Transactions that wrote; `None` where they cannot be counted.
    pub(crate) commits: Option<u64>,
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
    commits: Option<u64>,
    written: Option<u64>,
}

impl Reading {
    fn take(commits: Option<u64>) -> Self {
        Self { at: stopwatch::now(), cpu: cpu(), commits, written: counter("/proc/self/io", "write_bytes:") }
    }
}

impl Meter {
    /// The measured part begins. `commits` is the database's own count so far, if it has one.
    pub(crate) fn start(&mut self, commits: Option<u64>) {
        // 5 resets the peak to what is resident now (proc_pid_clear_refs(5)).
        let _ = fs::write("/proc/self/clear_refs", "5");
        self.started = Some(Reading::take(commits));
    }

    /// The measured part is over.
    pub(crate) fn stop(&mut self, commits: Option<u64>) {
        let end = Reading::take(commits);
        let Some(start) = self.started.take() else { return };
        let delta = |from: Option<u64>, to: Option<u64>| Some(to?.saturating_sub(from?));
        self.sample.wall = micros(end.at.duration_since(start.at));
        self.sample.cpu = micros(end.cpu.saturating_sub(start.cpu));
        self.sample.commits = delta(start.commits, end.commits);
        self.sample.written = delta(start.written, end.written);
        self.sample.peak_rss = counter("/proc/self/status", "VmHWM:");
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
