//! How a waiting server learns of work: at once from its own storage, within hundredths of a second from others.
//!
//! 1. A call that made jobs ready rings the bell after its commit.
//! 2. Those who wait on this storage are woken directly.
//! 3. The database cannot call its clients, but it can let them wait: while somebody waits here, one connection
//!    waits in a statement of some seconds, in which the server itself looks at a named lock (`GET_LOCK`) 25 times a
//!    second. Who rings holds this lock for a moment, on a second connection: no row is written and nothing is
//!    committed.
//! 4. Nobody is told when a transaction of the application commits in which jobs have entered. So the bells of
//!    their tables ring after it, at growing distances ([`echoes`]).
//! 5. If the connection breaks, waiters are woken and it is made again.
//!
//! All of it is a hint: a waiter may be woken for nothing, and never waits longer than it asked to. Named locks need no
//! right, and belong to one server: on a cluster with several primaries those of the same one are heard. Where
//! there are none, and without listening (`listen=off`), polling alone is correct.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use portfire_core::storage::{Heard, echoes};
use portfire_core::{Error, Result};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::pool::{Lanes, pause_for};
use crate::rows::{Row, Value};
use crate::statements::Op;

/// How long one wait in the server lasts, in milliseconds: seven statements a minute, each a tenth shorter than what
/// servers count as slow unless told otherwise.
const LISTEN: i64 = 9_000;
/// The first wait, which only shows whether the server can: one look.
const TRY: i64 = 40;
/// The longest pause between two waits in the server while others ring, so that somebody who rings without
/// pause wakes others 20 times a second. A ring lasts longer (`bell_ring.sql`), so none is missed.
const HEARD: Duration = Duration::from_millis(50);
/// How long a wait in the server may take at all; then the connection is dead.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long to wait before the connection is made again; it doubles up to the longest, for servers that cannot.
const AWAY: Duration = Duration::from_secs(1);
const AWAY_LONGEST: Duration = Duration::from_secs(64);

/// The bells of this process, for who has no storage at hand.
static BELLS: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// The bell of one storage.
#[derive(Debug)]
pub(crate) struct Bell(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// How the names of the tables begin.
    prefix: Box<str>,
    runtime: Handle,
    /// The connections to wait and to ring on, if others are to be heard.
    lanes: Option<Lanes>,
    is_started: AtomicBool,
    is_echoing: AtomicBool,
    /// Whether others are heard.
    listens: AtomicBool,
    here: Notify,
    elsewhere: Notify,
    entered: Notify,
    /// How many wait, and that somebody does.
    waiting: AtomicUsize,
    arrived: Notify,
}

impl Bell {
    /// A bell that others hear too, if there are connections for it. They are made when it is first used.
    pub(crate) fn new(prefix: &str, runtime: Handle, lanes: Option<Lanes>) -> Self {
        let inner = Arc::new(Inner {
            prefix: prefix.into(),
            runtime,
            lanes,
            is_started: AtomicBool::new(false),
            is_echoing: AtomicBool::new(false),
            listens: AtomicBool::new(false),
            here: Notify::new(),
            elsewhere: Notify::new(),
            entered: Notify::new(),
            waiting: AtomicUsize::new(0),
            arrived: Notify::new(),
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

    /// Waits for the bell, but not longer than this.
    pub(crate) async fn wait(&self, at_most: Duration) -> Heard {
        self.0.start();
        let _here = Waiter::new(&self.0);
        let rung = tokio::time::timeout(at_most, self.0.here.notified()).await.is_ok();
        Heard { rung, listens: self.0.listens.load(Ordering::Relaxed) }
    }
}

/// Jobs have entered in a transaction of the application, in the tables whose names begin so: who waits for them
/// hears of it when that has probably committed.
pub(crate) fn echo(prefix: &str) {
    let bells = BELLS.lock().unwrap_or_else(PoisonError::into_inner);
    let of_these = bells.iter().filter_map(Weak::upgrade).filter(|bell| *bell.prefix == *prefix);
    of_these.for_each(|bell| bell.echo());
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

impl Inner {
    fn ring(self: &Arc<Self>) {
        self.ring_here();
        self.elsewhere.notify_one();
        self.start();
    }

    fn ring_here(&self) {
        self.here.notify_waiters();
        self.here.notify_one();
    }

    fn start(self: &Arc<Self>) {
        if self.lanes.is_some() && !self.is_started.swap(true, Ordering::Relaxed) {
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

    /// Listens and is heard until the storage, and with it its runtime, is gone.
    async fn go_on(self: Arc<Self>) {
        let Some(lanes) = &self.lanes else { return };
        let mut away = AWAY;
        loop {
            // What went wrong is not said: whoever calls the database hears it, and waiting still works.
            tokio::select! {
                heard = self.listen(lanes) => drop(heard),
                rung = self.be_heard(lanes) => drop(rung),
            }
            if self.listens.swap(false, Ordering::Relaxed) {
                self.ring_here();
                away = AWAY;
            }
            pause_for(away).await;
            away = (away * 2).min(AWAY_LONGEST);
        }
    }

    async fn listen(&self, lanes: &Lanes) -> Result<()> {
        loop {
            while self.waiting.load(Ordering::Relaxed) == 0 {
                self.arrived.notified().await;
            }
            let is_new = !self.listens.load(Ordering::Relaxed);
            let rows = ask(lanes, Op::BellHeard, vec![Value::Int(if is_new { TRY } else { LISTEN })]).await?;
            let rung = rows.first().map_or(Ok(false), |row| row.is(0))?;
            self.listens.store(true, Ordering::Relaxed);
            // Once for what was missed while nobody listened.
            if rung || is_new {
                self.ring_here();
            }
            if rung {
                pause_for(HEARD).await;
            }
        }
    }

    async fn be_heard(&self, lanes: &Lanes) -> Result<()> {
        loop {
            self.elsewhere.notified().await;
            ask(lanes, Op::BellRing, Vec::new()).await?;
        }
    }
}

/// Runs one statement on its own. It is not repeated: who waits has to know that nothing is heard.
async fn ask(lanes: &Lanes, op: Op, values: Vec<Value<'_>>) -> Result<Vec<Row>> {
    let asked = async {
        let mut lane = lanes.lane().await?;
        let rows = lane.rows(op, &values).await?;
        lane.hand_back();
        Ok(rows)
    };
    let late = |_| Err(Error::transient("the database did not answer while it was waited in"));
    tokio::time::timeout(DEADLINE, asked).await.unwrap_or_else(late)
}
