//! How many jobs have arrived at their handlers, and when the last one did. A run has its process to itself, so it
//! can be static, which costs a handler less than anything a server provides.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::stopwatch;

/// The arrivals of this run.
pub static ARRIVED: Arrivals = Arrivals { count: AtomicU32::new(0), bell: Notify::const_new() };
/// When the last job started that was timed.
static STARTED: Mutex<Option<Instant>> = Mutex::new(None);

/// A count that can be waited for.
#[derive(Debug)]
pub struct Arrivals {
    count: AtomicU32,
    bell: Notify,
}

impl Arrivals {
    /// One more is here.
    pub fn one(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.bell.notify_one();
    }

    /// One more is here, at this moment.
    pub fn one_now(&self) {
        *STARTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(stopwatch::now());
        self.one();
    }

    /// When the last one came that was timed.
    pub fn last(&self) -> Option<Instant> {
        *STARTED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until so many are here.
    pub async fn wait(&self, count: u32) {
        while self.count.load(Ordering::Relaxed) < count {
            self.bell.notified().await;
        }
    }
}
