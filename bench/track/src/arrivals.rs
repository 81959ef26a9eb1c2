//! How many jobs have arrived at their handlers, and when each did, where that is the measure. A run has its process to
//! itself, so it can be static, which costs a handler less than anything a server provides.

use std::collections::HashMap;
use std::mem;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::stopwatch;

/// The arrivals of this run.
pub static ARRIVED: Arrivals = Arrivals::new();

/// A count that can be waited for.
#[derive(Debug)]
pub struct Arrivals {
    count: AtomicU32,
    bell: Notify,
    timed: AtomicBool,
    times: Mutex<Vec<(u32, Instant)>>,
}

impl Arrivals {
    const fn new() -> Self {
        Self {
            count: AtomicU32::new(0),
            bell: Notify::const_new(),
            timed: AtomicBool::new(false),
            times: Mutex::new(Vec::new()),
        }
    }

    /// From now on it is noted when each job comes. Else that is a cost which a rate must not bear.
    pub fn note_times(&self) {
        self.timed.store(true, Ordering::Relaxed);
    }

    /// One more is here.
    pub fn one(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.bell.notify_one();
    }

    /// This job is here.
    pub fn one_of(&self, number: u32) {
        if self.timed.load(Ordering::Relaxed) {
            let now = stopwatch::now();
            self.times.lock().unwrap_or_else(PoisonError::into_inner).push((number, now));
        }
        self.one();
    }

    /// When this job came, once it has.
    pub async fn time_of(&self, number: u32) -> Instant {
        self.times_of(number..number + 1).await[&number]
    }

    /// When each of these jobs came, once all of them have; the first time of those that come again, as jobs may.
    pub async fn times_of(&self, numbers: Range<u32>) -> HashMap<u32, Instant> {
        let mut first = HashMap::new();
        loop {
            let times = mem::take(&mut *self.times.lock().unwrap_or_else(PoisonError::into_inner));
            for (number, at) in times.into_iter().filter(|(number, _)| numbers.contains(number)) {
                first.entry(number).or_insert(at);
            }
            if first.len() == numbers.len() {
                return first;
            }
            self.bell.notified().await;
        }
    }

    /// Waits until so many are here.
    pub async fn wait(&self, count: u32) {
        while self.count.load(Ordering::Relaxed) < count {
            self.bell.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arrivals;

    #[tokio::test]
    async fn a_job_that_comes_again_counts_as_it_came_first() {
        let arrivals = Arrivals::new();
        arrivals.one_of(1);
        arrivals.note_times();
        for number in [2, 3, 2] {
            arrivals.one_of(number);
        }
        let times = arrivals.times_of(2..4).await;
        assert!(times.len() == 2 && times[&2] <= times[&3], "{times:?}");
    }
}
