//! A SQLite file as the contestants share it: how it flushes, and how its commits are counted.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// When a commit counts as done: `PRAGMA synchronous`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushing {
    /// When it is on the disk.
    Full,
    /// When the operating system has it.
    Normal,
}

impl Flushing {
    /// The value of the pragma.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
        }
    }

    /// The name of the database in reports.
    pub(crate) const fn database(self) -> &'static str {
        match self {
            Self::Full => "sqlite/full",
            Self::Normal => "sqlite/normal",
        }
    }

    /// What a commit survives.
    pub(crate) const fn promise(self) -> &'static str {
        match self {
            Self::Full => "commits survive a power cut",
            Self::Normal => "commits survive the process; a power cut may take the last moments",
        }
    }
}

/// The file of a run.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("jobs.db")
}

/// How many transactions have written, modulo 2³²: `iChange` at byte 8 of the WAL index, "incremented on
/// each transaction" (sqlite.org/walformat.html, 2.1).
pub(crate) fn commits(dir: &Path) -> Option<u64> {
    let mut index = File::open(dir.join("jobs.db-shm")).ok()?;
    index.seek(SeekFrom::Start(8)).ok()?;
    let mut count = [0; 4];
    index.read_exact(&mut count).ok()?;
    Some(u32::from_ne_bytes(count).into())
}
