//! How a waiting server learns of work: at once from its own storage, within milliseconds from others.
//!
//! 1. A call that made jobs ready rings the bell after its commit.
//! 2. Those who wait on this storage are woken directly.
//! 3. A connection of its own listens for what other storages notify, and notifies for this one: not in the
//!    transactions that do the work, because each that notifies waits for every other at its commit, and at
//!    most once in [`QUIET`].
//! 4. If that connection breaks, waiters are woken and it is made again.
//!
//! All of it is a hint: a waiter may be woken for nothing, and never waits longer than it asked to. Without
//! listening, as behind a pooler that shares sessions, polling alone is correct.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::pool::pause_for;

/// The least time between two notifications: a server that is woken 20 ms late is not noticed, and 50 small
/// commits a second cost a database nothing.
const QUIET: Duration = Duration::from_millis(20);
/// How long to wait before the connection is made again.
const AWAY: Duration = Duration::from_secs(1);

/// The bell of one storage.
#[derive(Debug)]
pub(crate) struct Bell {
    inner: Arc<Inner>,
    listener: Option<Listener>,
    started: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    here: Notify,
    elsewhere: Notify,
}

/// What it takes to listen.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
    pub(crate) runtime: Handle,
    pub(crate) channel: String,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Bell {
    /// A bell that others hear too, if there is a listener. It connects when it is first used.
    pub(crate) fn new(listener: Option<Listener>) -> Self {
        Self { inner: Arc::default(), listener, started: AtomicBool::new(false) }
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
        // Being woken and having waited long enough are the same to the caller.
        let _ = tokio::time::timeout(at_most, self.inner.here.notified()).await;
    }

    fn start(&self) {
        if let Some(listener) = &self.listener
            && !self.started.swap(true, Ordering::Relaxed)
        {
            listener.runtime.spawn(listener.clone().go_on(Arc::clone(&self.inner)));
        }
    }
}

impl Inner {
    fn ring(&self) {
        self.here.notify_waiters();
        self.here.notify_one();
    }
}

impl Listener {
    /// Listens and notifies until the storage, and with it its runtime, is gone.
    async fn go_on(self, inner: Arc<Inner>) {
        loop {
            // What went wrong is not said: whoever calls the database hears it, and waiting still works.
            drop(self.listen(&inner).await);
            inner.ring();
            pause_for(AWAY).await;
        }
    }

    async fn listen(&self, inner: &Inner) -> Result<(), tokio_postgres::Error> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
        let heard = async {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                if matches!(message?, AsyncMessage::Notification(_)) {
                    inner.ring();
                }
            }
            Ok(())
        };
        let mut heard = Box::pin(heard.fuse());
        tokio::select! {
            ended = &mut heard => ended,
            failed = self.notify(&client, inner) => failed,
        }
    }

    async fn notify(&self, client: &Client, inner: &Inner) -> Result<(), tokio_postgres::Error> {
        client.batch_execute(&format!("LISTEN \"{}\"", self.channel)).await?;
        // What was missed while nobody listened.
        inner.ring();
        loop {
            inner.elsewhere.notified().await;
            client.batch_execute(&format!("NOTIFY \"{}\"", self.channel)).await?;
            pause_for(QUIET).await;
        }
    }
}
