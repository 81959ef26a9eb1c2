//! How many jobs have arrived at their handlers, and when each did, where that is the measure. A run has its process to
//! itself, so it can be static, which costs a handler less than anything a server provides.
//!
//! Who waits is woken when as many are here as it waits for, not by each: waking a thread for every job took a tenth of
//! both cores from a drain of PostgreSQL, and made each contestant look slower by the same microseconds.

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

/// A count that one task at a time can wait for.
#[derive(Debug)]
pub struct Arrivals {
    count: AtomicU32,
    /// The count from which on it rings.
    wanted: AtomicU32,
    bell: Notify,
    timed: AtomicBool,
    times: Mutex<Vec<(u32, Instant)>>,
}

impl Arrivals {
    const fn new() -> Self {
        Self {
            count: AtomicU32::new(0),
            wanted: AtomicU32::new(u32::MAX),
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
        // In one order with what `wait` does: either this sees what is wanted, or that sees the count.
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if count >= self.wanted.load(Ordering::SeqCst) {
            self.bell.notify_one();
        }
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
            // A time is noted before its job is counted, so none of those that are missing is counted yet.
            let counted = self.count.load(Ordering::SeqCst);
            let times = mem::take(&mut *self.times.lock().unwrap_or_else(PoisonError::into_inner));
            for (number, at) in times.into_iter().filter(|(number, _)| numbers.contains(number)) {
                first.entry(number).or_insert(at);
            }
            let missing = u32::try_from(numbers.len() - first.len()).unwrap_or(u32::MAX);
            if missing == 0 {
                return first;
            }
            self.wait(counted.saturating_add(missing)).await;
        }
    }

    /// Waits until so many are here.
    pub async fn wait(&self, count: u32) {
        self.wanted.store(count, Ordering::SeqCst);
        while self.count.load(Ordering::SeqCst) < count {
            self.bell.notified().await;
        }
        self.wanted.store(u32::MAX, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Wake, Waker};

    use super::Arrivals;

    /// How often somebody was woken.
    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_waits_is_woken_by_the_job_it_waits_for_and_by_none_before() {
        let (arrivals, woken) = (Arrivals::new(), Arc::new(Woken::default()));
        arrivals.one();
        let mut wait = pin!(arrivals.wait(4));
        let waker = Waker::from(Arc::clone(&woken));
        let mut is_over = || wait.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        assert!(!is_over());
        for (job, expected) in [(2, 0), (3, 0), (4, 1)] {
            arrivals.one();
            assert_eq!(woken.0.load(Ordering::Relaxed), expected, "after job {job}");
        }
        assert!(is_over());
    }

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
