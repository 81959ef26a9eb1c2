//! How a waiting server learns of work: at once from its own process, within milliseconds from others.
//!
//! Commits of this storage notify directly. Commits of other connections, in this process or another,
//! are seen by a thread that polls `PRAGMA data_version`, some microseconds a look. All of it is a hint:
//! a waiter may be woken for nothing, and is at least once a second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use portfire_core::Result;
use rusqlite::Connection;
use tokio::sync::Notify;

/// How often the file is looked at: half of it is the delay that work from another process sees.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How many looks without a change until waiters are woken all the same: once a second.
const QUIET_LOOKS: u32 = 200;

/// The bell of one storage.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    notify: Arc<Notify>,
    watched: AtomicBool,
}

impl Bell {
    /// Wakes those who wait now, and the next one to come: it may have missed the moment.
    pub(crate) fn ring(&self) {
        ring(&self.notify);
    }

    /// Waits for the bell. The first wait sets `connect`'s connection to watch the file; if that fails, the
    /// next one tries again.
    pub(crate) async fn wait(&self, connect: impl FnOnce() -> Result<Connection>) -> Result<()> {
        if !self.watched.swap(true, Ordering::Relaxed) {
            self.watch(connect).inspect_err(|_| self.watched.store(false, Ordering::Relaxed))?;
        }
        self.notify.notified().await;
        Ok(())
    }

    fn watch(&self, connect: impl FnOnce() -> Result<Connection>) -> Result<()> {
        let (connection, bell) = (connect()?, Arc::downgrade(&self.notify));
        std::thread::Builder::new()
            .name("portfire-watch".into())
            .spawn(move || watch_file(&connection, &bell))
            .map(drop)
            .map_err(|e| portfire_core::Error::broken("the watching thread could not start").caused_by(e))
    }
}

fn ring(notify: &Notify) {
    notify.notify_waiters();
    notify.notify_one();
}

/// Rings when the file changes, until the storage is gone.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite pushes nothing across processes; looking is the only way"
)]
fn watch_file(connection: &Connection, bell: &Weak<Notify>) {
    let (mut seen, mut quiet) = (None, 0);
    while let Some(notify) = bell.upgrade() {
        let version: Option<i64> = connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut look| look.query_row([], |row| row.get(0)))
            .ok();
        quiet += 1;
        if version != seen || quiet >= QUIET_LOOKS {
            (seen, quiet) = (version, 0);
            ring(&notify);
        }
        drop(notify);
        std::thread::sleep(LOOK_EVERY);
    }
}
