//! Portfire on SQLite: durable jobs in one file, in the application's own process.
//!
//! What it guarantees: with the default [`Synchronous::Full`] a job that was stored survives the death of
//! the process, of the operating system, and a power cut on a disk that honors flushes. Several processes
//! on one host may share the file. It refuses SQLite versions that can corrupt a file in WAL mode.
//!
//! What it costs: one writer at a time, so all writes of a process go through one thread, which commits
//! whatever arrived meanwhile together. Not for network file systems.
//!
//! The tables share a prefix and may live in the application's own file; then [`insert_in`] stores jobs,
//! and [`settle_in`] ends them, inside the application's own transaction.

mod act;
mod clock;
mod connect;
mod insert;
mod list;
mod look;
mod migrate;
mod rows;
mod schedules;
mod settle;
mod statements;
mod statistics;
mod steer;
mod storage;
mod tally;
mod threads;
mod transaction;
mod wake;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::{Clock, Error, Result};

pub use rusqlite;
pub use storage::SqliteStorage;
pub use transaction::{insert_in, settle_in};
#[cfg(feature = "diesel")]
pub use transaction::{insert_in_diesel, settle_in_diesel};
#[cfg(feature = "diesel-async")]
pub use transaction::{insert_in_diesel_async, settle_in_diesel_async};
#[cfg(feature = "sea-orm")]
pub use transaction::{insert_in_sea_orm, settle_in_sea_orm};
#[cfg(feature = "sqlx")]
pub use transaction::{insert_in_sqlx, settle_in_sqlx};

/// The prefix of table names unless another is chosen.
pub const DEFAULT_PREFIX: &str = "portfire_";

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// When it is flushed to the disk: survives a power cut.
    #[default]
    Full,
    /// When it is written: survives the death of the process; a power cut may take the last moments.
    Normal,
}

/// How to open a file.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    path: PathBuf,
    prefix: Box<str>,
    synchronous: Synchronous,
    busy_timeout: Duration,
    statement_timeout: Option<Duration>,
    clock: Arc<dyn Clock>,
    /// The same clock, where it is the host's and may be set.
    host: Option<Arc<clock::HostClock>>,
}

impl SqliteOptions {
    /// This file with the defaults: prefix `portfire_`, flushed commits, 5 s of patience with other
    /// writers, the host's clock.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let clock = Arc::new(clock::HostClock::system());
        Self {
            path: path.into(),
            prefix: DEFAULT_PREFIX.into(),
            synchronous: Synchronous::Full,
            busy_timeout: Duration::from_secs(5),
            statement_timeout: None,
            clock: Arc::<clock::HostClock>::clone(&clock),
            host: Some(clock),
        }
    }

    /// The prefix of the table names, so that the tables can share a file with others.
    ///
    /// # Errors
    /// Misuse unless it is a letter or `_`, then up to 40 letters, digits or `_`.
    pub fn prefix(mut self, prefix: &str) -> Result<Self> {
        statements::check_prefix(prefix)?;
        self.prefix = prefix.into();
        Ok(self)
    }

    /// When a commit counts as done.
    #[must_use]
    pub const fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// How long to wait for another process that writes.
    #[must_use]
    pub const fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// How long it may take to look: at lists, jobs, counts. Then SQLite is interrupted, and the call fails as
    /// transient. Writes are not limited by it. Default: no limit.
    #[must_use]
    pub const fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = Some(timeout);
        self
    }

    /// As a dashboard wants it, which should have a storage of its own: then a slow page keeps nobody waiting who
    /// works. Three seconds for each look.
    #[must_use]
    pub const fn for_dashboard(self) -> Self {
        self.statement_timeout(Duration::from_secs(3))
    }

    /// Another clock, for tests that travel in time.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        (self.clock, self.host) = (clock, None);
        self
    }
}

impl<P: Into<PathBuf>> From<P> for SqliteOptions {
    fn from(path: P) -> Self {
        Self::new(path)
    }
}

/// What SQLite reported, in the four kinds that callers know.
pub(crate) fn sqlite_error(doing: &str, error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Code;
    let message = format!("SQLite could not {doing}");
    let kind = match error.sqlite_error_code() {
        Some(Code::DatabaseBusy | Code::DatabaseLocked | Code::SchemaChanged) => Error::transient(message),
        Some(Code::OperationInterrupted) => {
            Error::transient(format!("{message} in the time that it may take"))
        }
        Some(Code::TooBig | Code::TypeMismatch) => Error::misuse(message),
        _ => Error::broken(message),
    };
    kind.caused_by(error)
}
