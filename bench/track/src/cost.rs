//! What a process uses up: time, CPU, bytes, memory. What only Linux counts is elsewhere missing.

use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::stopwatch;

/// What a part of a run has cost its process. Times are in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// From its start to its end.
    pub wall: u64,
    /// Of all threads.
    pub cpu: u64,
    /// Bytes that the process caused to be written to the disk.
    pub written: Option<u64>,
    /// The most memory that was resident, in KiB.
    pub peak_rss: Option<u64>,
}

/// What this process has used up so far.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    at: Instant,
    cpu: Duration,
    written: Option<u64>,
}

impl Reading {
    /// Now.
    pub fn take() -> Self {
        Self { at: stopwatch::now(), cpu: cpu(), written: counter("/proc/self/io", "write_bytes:") }
    }

    /// Now, and from now on the peak of the memory is a new one.
    pub fn start() -> Self {
        // 5 resets the peak to what is resident now (proc_pid_clear_refs(5)).
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self::take()
    }

    /// What it cost to come from here to there.
    pub fn cost(&self, end: &Self) -> Cost {
        Cost {
            wall: micros(end.at.duration_since(self.at)),
            cpu: micros(end.cpu.saturating_sub(self.cpu)),
            written: end.written.zip(self.written).map(|(end, start)| end.saturating_sub(start)),
            peak_rss: counter("/proc/self/status", "VmHWM:"),
        }
    }
}

/// As whole microseconds.
pub fn micros(time: Duration) -> u64 {
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
