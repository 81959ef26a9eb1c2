//! The machine and the versions that a report belongs to, and how long its disk takes to flush.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::contestant::Fallible;
use crate::figures::percentile;
use crate::meter::micros;
use crate::stopwatch;

/// How often the disk is asked to flush: enough for a median, some 0.1 s on a fast disk.
const FLUSHES: u32 = 500;
/// A page of SQLite.
const PAGE: [u8; 4_096] = [0xA5; 4_096];

/// What a report says of where it was made.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    pub(crate) kernel: String,
    pub(crate) disk: String,
    /// Median microseconds to overwrite one page of a file and flush it (`fdatasync`).
    pub(crate) flush: f64,
    pub(crate) versions: String,
}

impl Machine {
    /// Looks at this machine; `dir` is on the disk that is measured, `databases` are the versions of those that
    /// take part.
    pub(crate) fn look(dir: &Path, databases: &[String]) -> Fallible<Self> {
        let rustc = answer("rustc", &["--version"]);
        let commit = answer("git", &["describe", "--always", "--dirty"]);
        Ok(Self {
            cpu: line_value("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: line_value("/proc/meminfo", "MemTotal").unwrap_or_else(unknown),
            kernel: first_line("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
            disk: disk_of(dir).unwrap_or_else(unknown),
            flush: flush_time(dir)?,
            versions: format!(
                "Portfire {} ({commit}), {}, {rustc}, release build",
                env!("CARGO_PKG_VERSION"),
                databases.join(", ")
            ),
        })
    }
}

fn unknown() -> String {
    "unknown".into()
}

/// The cheapest flush there is: the file has its size and its blocks already.
fn flush_time(dir: &Path) -> Fallible<f64> {
    let mut file: File = tempfile::tempfile_in(dir)?;
    (0..FLUSHES).try_for_each(|_| file.write_all(&PAGE))?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let mut times = Vec::new();
    for _ in 0..FLUSHES {
        file.write_all(&PAGE)?;
        let start = stopwatch::now();
        file.sync_data()?;
        times.push(micros(start.elapsed()));
    }
    Ok(percentile(&times, 0.5))
}

/// The device and file system of the mount that holds `dir`.
fn disk_of(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let fields = mounts.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let holds = fields.filter(|fields| fields.len() > 3 && dir.starts_with(fields[1]));
    let mount = holds.max_by_key(|fields| fields[1].len())?;
    Some(format!("{} ({})", mount[0], mount[2]))
}

fn line_value(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn first_line(file: &str) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.lines().next()?.to_owned())
}

fn answer(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    if text.is_empty() { format!("{program} unknown") } else { text.trim().to_owned() }
}
