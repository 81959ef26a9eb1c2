//! How a waiting server learns of work: at once from its own storage, within a tenth of a second from others.
//!
//! 1. A call that made jobs ready rings the bell after its commit.
//! 2. Those who wait on this storage are woken directly.
//! 3. The database cannot call its clients. So each storage writes the time of its last ringing into a row of its
//!    own, after and outside of the transactions that do the work and at most once in [`QUIET`]; and while somebody
//!    waits, one connection looks for the latest of these times every [`LOOK`].
//! 4. If that connection breaks, waiters are woken and it is made again.
//!
//! All of it is a hint: a waiter may be woken for nothing, and never waits longer than it asked to. Without
//! looking (`listen=off`) polling alone is correct.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use portfire_core::Result;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::pool::{Lanes, pause_for};
use crate::rows::Value;
use crate::statements::Op;

/// The least time between two ringings that others hear: nobody looks more often, and each is a commit.
const QUIET: Duration = LOOK;
/// How often to look for the ringing of others: ten look-ups a second in a table of a few rows cost a database
/// nothing, and a job that begins a tenth of a second late is not noticed.
const LOOK: Duration = Duration::from_millis(100);
/// How long to wait before the connection is made again.
const AWAY: Duration = Duration::from_secs(1);

/// The bell of one storage.
#[derive(Debug)]
pub(crate) struct Bell {
    inner: Arc<Inner>,
    watcher: Option<Watcher>,
    started: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    here: Notify,
    elsewhere: Notify,
    /// How many wait, and that somebody does.
    waiting: AtomicUsize,
    arrived: Notify,
}

/// What it takes to look, and to be heard.
#[derive(Clone, Debug)]
pub(crate) struct Watcher {
    pub(crate) lanes: Lanes,
    pub(crate) runtime: Handle,
}

impl Bell {
    /// A bell that others hear too, if there is a watcher. It connects when it is first used.
    pub(crate) fn new(watcher: Option<Watcher>) -> Self {
        Self { inner: Arc::default(), watcher, started: AtomicBool::new(false) }
    }

    /// Wakes those who wait now, here and elsewhere, and the next one to come: it may have missed the moment.
    pub(crate) fn ring(&self) {
        self.inner.ring();
        self.inner.elsewhere.notify_one();
        self.start();
    }

    /// Waits for the bell, but not longer than this.
    pub(crate) async fn wait(&self, at_most: Duration) {
        self.start();
        let _here = Waiter::new(&self.inner);
        // Being woken and having waited long enough are the same to the caller.
        let _ = tokio::time::timeout(at_most, self.inner.here.notified()).await;
    }

    fn start(&self) {
        if let Some(watcher) = &self.watcher
            && !self.started.swap(true, Ordering::Relaxed)
        {
            watcher.runtime.spawn(watcher.clone().go_on(Arc::clone(&self.inner)));
        }
    }
}

impl Inner {
    fn ring(&self) {
        self.here.notify_waiters();
        self.here.notify_one();
    }
}

/// Somebody who waits, until it is dropped.
struct Waiter<'b>(&'b Inner);

impl<'b> Waiter<'b> {
    fn new(inner: &'b Inner) -> Self {
        inner.waiting.fetch_add(1, Ordering::Relaxed);
        inner.arrived.notify_one();
        Self(inner)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Watcher {
    /// Looks and is heard until the storage, and with it its runtime, is gone.
    async fn go_on(self, inner: Arc<Inner>) {
        loop {
            // What went wrong is not said: whoever calls the database hears it, and waiting still works.
            tokio::select! {
                looked = self.look(&inner) => drop(looked),
                rung = self.ring(&inner) => drop(rung),
            }
            inner.ring();
            pause_for(AWAY).await;
        }
    }

    async fn look(&self, inner: &Inner) -> Result<()> {
        let mut last = None;
        loop {
            while inner.waiting.load(Ordering::Relaxed) == 0 {
                inner.arrived.notified().await;
            }
            let rows = self.lanes.rows(Op::BellHeard, &[]).await?;
            let heard = rows.first().map_or(Ok(None), |row| row.opt_int(0))?;
            // The first look rings, too: what was missed while nobody looked.
            if last.replace(heard) != Some(heard) {
                inner.ring();
            }
            pause_for(LOOK).await;
        }
    }

    async fn ring(&self, inner: &Inner) -> Result<()> {
        loop {
            inner.elsewhere.notified().await;
            let now = || Value::Now(None);
            self.lanes.rows(Op::BellRing, &[now(), now()]).await?;
            pause_for(QUIET).await;
        }
    }
}
