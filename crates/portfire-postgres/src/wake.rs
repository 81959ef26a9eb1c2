//! How a waiting server learns of work: at once from its own storage, within milliseconds from others.
//!
//! 1. A call that made jobs ready rings the bell after its commit. An enqueue rings it here as soon as it is on its way,
//!    if a claim can [travel behind it](crate::ride).
//! 2. Those who wait on this storage are woken directly.
//! 3. A connection of its own listens for what other storages notify, and notifies for this one: not in the
//!    transactions that do the work, because each that notifies waits for every other at its commit, and at
//!    most once in [`QUIET`]. What it has said itself it does not listen to. Who waits here has a [`HEAD_START`].
//! 4. Nobody is told when a transaction of the application commits in which jobs have entered. So the bells of
//!    their tables ring after it, at growing distances ([`echoes`]).
//! 5. If the connection breaks, waiters are woken and it is made again.
//!
//! All of it is a hint: a waiter may be woken for nothing, and never waits longer than it asked to. Without
//! listening, as behind a pooler that shares sessions, polling alone is correct.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use portfire_core::storage::{Heard, echoes};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::pool::pause_for;

/// The least time between two notifications: a server that is woken 20 ms late is not noticed, and 50 small
/// commits a second cost a database nothing.
const QUIET: Duration = Duration::from_millis(20);
/// How long others hear nothing of work that somebody here has been woken for. The notification would share the
/// processors with that claim: on two of them an idle server's delay went from 1.78 to 1.57 ms (p50, means of five pairs).
const HEAD_START: Duration = Duration::from_millis(1);
/// How long to wait before the connection is made again.
const AWAY: Duration = Duration::from_secs(1);

/// The number of no process of a server.
const NOBODY: i32 = 0;

/// The bells of this process, for who has no storage at hand.
static BELLS: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// The bell of one storage.
#[derive(Debug)]
pub(crate) struct Bell(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// What the tables are called, and the channel of their bells.
    channel: String,
    runtime: Handle,
    listener: Option<Listener>,
    is_started: AtomicBool,
    is_echoing: AtomicBool,
    /// Whether others are heard.
    listens: AtomicBool,
    /// How many wait here.
    waiting: AtomicUsize,
    /// Whether somebody here has been woken for what others are to hear of.
    is_heard_here: AtomicBool,
    here: Notify,
    elsewhere: Notify,
    entered: Notify,
}

/// What it takes to listen.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

impl Bell {
    /// A bell that others hear too, if there is a listener. It connects when it is first used.
    pub(crate) fn new(channel: String, runtime: Handle, listener: Option<Listener>) -> Self {
        let inner = Arc::new(Inner {
            channel,
            runtime,
            listener,
            is_started: AtomicBool::new(false),
            is_echoing: AtomicBool::new(false),
            listens: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            is_heard_here: AtomicBool::new(false),
            here: Notify::new(),
            elsewhere: Notify::new(),
            entered: Notify::new(),
        });
        let mut bells = BELLS.lock().unwrap_or_else(PoisonError::into_inner);
        bells.retain(|bell| bell.strong_count() > 0);
        bells.push(Arc::downgrade(&inner));
        Self(inner)
    }

    /// Wakes those who wait now, here and elsewhere, and the next one to come: it may have missed the moment.
    pub(crate) fn ring(&self) {
        self.0.ring();
    }

    /// Whether somebody waits here.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > 0
    }

    /// Wakes those who wait here, and nobody elsewhere.
    pub(crate) fn ring_here(&self) {
        self.0.ring_here();
    }

    /// Tells others of what somebody here has been woken for.
    pub(crate) fn ring_elsewhere(&self) {
        self.0.ring_elsewhere(true);
    }

    /// Waits for the bell, but not longer than this.
    pub(crate) async fn wait(&self, at_most: Duration) -> Heard {
        self.0.start();
        let _here = Waiter::new(&self.0);
        let rung = tokio::time::timeout(at_most, self.0.here.notified()).await.is_ok();
        Heard { rung, listens: self.0.listens.load(Ordering::Relaxed) }
    }
}

/// Somebody who waits, until it is dropped.
struct Waiter<'b>(&'b Inner);

impl<'b> Waiter<'b> {
    fn new(inner: &'b Inner) -> Self {
        inner.waiting.fetch_add(1, Ordering::Relaxed);
        Self(inner)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Jobs have entered, or were let go, in a transaction of the application on the tables that are called so: who
/// waits for them hears of it when that has probably committed.
pub(crate) fn echo(channel: &str) {
    let bells = BELLS.lock().unwrap_or_else(PoisonError::into_inner);
    let of_these = bells.iter().filter_map(Weak::upgrade).filter(|bell| bell.channel == channel);
    of_these.for_each(|bell| bell.echo());
}

impl Inner {
    fn ring(self: &Arc<Self>) {
        let is_heard_here = self.waiting.load(Ordering::Relaxed) > 0;
        self.ring_here();
        self.ring_elsewhere(is_heard_here);
    }

    fn ring_elsewhere(self: &Arc<Self>, is_heard_here: bool) {
        self.is_heard_here.store(is_heard_here, Ordering::Relaxed);
        self.elsewhere.notify_one();
        self.start();
    }

    fn ring_here(&self) {
        self.here.notify_waiters();
        self.here.notify_one();
    }

    fn start(self: &Arc<Self>) {
        if self.listener.is_some() && !self.is_started.swap(true, Ordering::Relaxed) {
            self.runtime.spawn(Arc::clone(self).go_on());
        }
    }

    fn echo(self: &Arc<Self>) {
        self.entered.notify_one();
        if !self.is_echoing.swap(true, Ordering::Relaxed) {
            self.runtime.spawn(Arc::clone(self).go_on_echoing());
        }
    }

    /// Rings after jobs have entered, until the storage, and with it its runtime, is gone.
    async fn go_on_echoing(self: Arc<Self>) {
        echoes(|| self.entered.notified(), pause_for, || self.ring()).await;
    }

    /// Listens and notifies until the storage, and with it its runtime, is gone.
    async fn go_on(self: Arc<Self>) {
        let Some(listener) = &self.listener else { return };
        loop {
            // What went wrong is not said: whoever calls the database hears it, and waiting still works.
            drop(listener.listen(&self).await);
            if self.listens.swap(false, Ordering::Relaxed) {
                self.ring_here();
            }
            pause_for(AWAY).await;
        }
    }
}

impl Listener {
    async fn listen(&self, inner: &Inner) -> Result<(), tokio_postgres::Error> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
        let own = AtomicI32::new(NOBODY);
        let heard = async {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(said) = message?
                    && said.process_id() != own.load(Ordering::Relaxed)
                {
                    inner.ring_here();
                }
            }
            Ok(())
        };
        let mut heard = Box::pin(heard.fuse());
        tokio::select! {
            ended = &mut heard => ended,
            failed = Self::notify(&client, inner, &own) => failed,
        }
    }

    async fn notify(client: &Client, inner: &Inner, own: &AtomicI32) -> Result<(), tokio_postgres::Error> {
        // Who rang here was heard here: our own notifications, which come back, would have servers look twice.
        if let Some(row) = client.query_typed("SELECT pg_backend_pid()", &[]).await?.first() {
            own.store(row.try_get(0)?, Ordering::Relaxed);
        }
        // A hint need not survive, so no notification waits for the disk, nor the commits behind it.
        let listen = format!("SET synchronous_commit TO off; LISTEN \"{}\"", inner.channel);
        client.batch_execute(&listen).await?;
        inner.listens.store(true, Ordering::Relaxed);
        // What was missed while nobody listened.
        inner.ring_here();
        loop {
            inner.elsewhere.notified().await;
            if inner.is_heard_here.swap(false, Ordering::Relaxed) {
                pause_for(HEAD_START).await;
            }
            client.batch_execute(&format!("NOTIFY \"{}\"", inner.channel)).await?;
            pause_for(QUIET).await;
        }
    }
}
