//! The suite that every backend passes, on SQLite.

use std::sync::Arc;

use portfire_core::{Storage, VirtualClock};
use portfire_sqlite::{SqliteOptions, SqliteStorage};

pub(crate) async fn make(clock: Arc<VirtualClock>) -> (Arc<dyn Storage>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("jobs.db")).clock(clock);
    (Arc::new(SqliteStorage::open(options).await.unwrap()), dir)
}

portfire_testkit::conformance!(crate::conformance::make);
