//! How a waiting server learns of work: at once from its own process, within milliseconds from others.
//!
//! Commits of this storage notify directly. Commits of other connections, in this process or another,
//! are seen by a thread that polls `PRAGMA data_version`, some microseconds a look: also those of transactions of
//! the application in which jobs have entered. All of it is a hint: a waiter may be woken for nothing, and never waits
//! longer than it asked to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use portfire_core::Result;
use portfire_core::storage::Heard;
use rusqlite::Connection;
use tokio::sync::Notify;

/// How often the file is looked at: half of it is the delay that work from another process sees.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The bell of one storage.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    inner: Arc<Inner>,
    watched: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    notify: Notify,
    /// Whether the file could be looked at.
    listens: AtomicBool,
}

impl Bell {
    /// Wakes those who wait now, and the next one to come: it may have missed the moment.
    pub(crate) fn ring(&self) {
        self.inner.ring();
    }

    /// Waits for the bell, but not longer than this. The first wait sets `connect`'s connection to watch the file; if
    /// that fails, the next one tries again.
    pub(crate) async fn wait(
        &self,
        at_most: Duration,
        connect: impl FnOnce() -> Result<Connection>,
    ) -> Result<Heard> {
        if !self.watched.swap(true, Ordering::Relaxed) {
            self.watch(connect).inspect_err(|_| self.watched.store(false, Ordering::Relaxed))?;
        }
        let rung = tokio::time::timeout(at_most, self.inner.notify.notified()).await.is_ok();
        Ok(Heard { rung, listens: self.inner.listens.load(Ordering::Relaxed) })
    }

    fn watch(&self, connect: impl FnOnce() -> Result<Connection>) -> Result<()> {
        let (connection, bell) = (connect()?, Arc::downgrade(&self.inner));
        std::thread::Builder::new()
            .name("portfire-watch".into())
            .spawn(move || watch_file(&connection, &bell))
            .map(drop)
            .map_err(|e| portfire_core::Error::broken("the watching thread could not start").caused_by(e))
    }
}

impl Inner {
    fn ring(&self) {
        self.notify.notify_waiters();
        self.notify.notify_one();
    }
}

/// Rings when the file changes, until the storage is gone.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite pushes nothing across processes; looking is the only way"
)]
fn watch_file(connection: &Connection, bell: &Weak<Inner>) {
    let mut seen = None;
    while let Some(inner) = bell.upgrade() {
        let version: Option<i64> = connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut look| look.query_row([], |row| row.get(0)))
            .ok();
        inner.listens.store(version.is_some(), Ordering::Relaxed);
        if std::mem::replace(&mut seen, version) != version {
            inner.ring();
        }
        drop(inner);
        std::thread::sleep(LOOK_EVERY);
    }
}
