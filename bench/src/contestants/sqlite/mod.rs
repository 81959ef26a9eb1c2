//! A SQLite file as the contestants share it: how it flushes, and how its commits are counted.

pub(super) mod bare;
pub(super) mod disk;
pub(super) mod packed;

use std::any::Any;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::contestant::Doing;
use crate::database::{Answer, Counts, Database, Ground};
use crate::workload::Workload;

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
    const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
        }
    }
}

impl Database for Flushing {
    fn name(&self) -> &'static str {
        match self {
            Self::Full => "sqlite/full",
            Self::Normal => "sqlite/normal",
        }
    }

    fn promise(&self) -> &'static str {
        match self {
            Self::Full => "commits survive a power cut",
            Self::Normal => "commits survive the process; a power cut may take the last moments",
        }
    }

    /// Who reads for long holds nobody up here, but lets the log grow: another matter.
    fn takes(&self, workload: Workload) -> bool {
        !matches!(workload, Workload::Pinned { .. })
    }

    fn version(&self) -> Answer<'_, String> {
        Box::pin(async { Ok(format!("SQLite {}", portfire_sqlite::rusqlite::version())) })
    }

    fn open<'a>(&'a self, dir: &'a Path) -> Answer<'a, Box<dyn Ground>> {
        Box::pin(async move { Ok(Box::new(Folder { flushing: *self, dir: dir.into() }) as Box<dyn Ground>) })
    }
}

/// The folder of a heat's file, which the race removes.
struct Folder {
    flushing: Flushing,
    dir: PathBuf,
}

impl Ground for Folder {
    fn url(&self) -> String {
        format!("sqlite://{}?synchronous={}", path(&self.dir).display(), self.flushing.word())
    }

    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    fn cpu(&self) -> Option<u64> {
        None
    }

    fn counts(&self) -> Answer<'_, Counts> {
        Box::pin(async { Ok(Counts { commits: commits(&self.dir), ..Counts::default() }) })
    }

    fn alone(&self) -> Doing<'_> {
        Box::pin(async { Ok(()) })
    }

    fn pin(&self) -> Answer<'_, Box<dyn Any>> {
        Box::pin(async { Err("a SQLite file is not pinned here".into()) })
    }

    fn clear(&self) -> Doing<'_> {
        Box::pin(async { Ok(()) })
    }
}

/// The file of a run.
fn path(dir: &Path) -> PathBuf {
    dir.join("jobs.db")
}

/// How many transactions have written, modulo 2³²: `iChange` at byte 8 of the WAL index, "incremented on
/// each transaction" (sqlite.org/walformat.html, 2.1).
fn commits(dir: &Path) -> Option<u64> {
    let mut index = File::open(dir.join("jobs.db-shm")).ok()?;
    index.seek(SeekFrom::Start(8)).ok()?;
    let mut count = [0; 4];
    index.read_exact(&mut count).ok()?;
    Some(u32::from_ne_bytes(count).into())
}
