//! Jobs that come at times of their own, whether or not those before them are through: half as many a second as a
//! contestant can keep up with.
//!
//! 1. So many jobs are stored as fast as producers can while a server works them: that rate is the contestant's own.
//! 2. The same producers store as many again at half that rate.
//! 3. A job's delay is from the call that stores it to the first line of its handler; where the call comes late because
//!    its producer was still busy, from the moment that was meant.

use std::future::Future;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::runtime::Handle;

use crate::arrivals::ARRIVED;
use crate::{Fallible, stopwatch};

/// How many producers store jobs.
pub const PRODUCERS: u32 = 16;
/// Which part of a contestant's own rate is offered to it: one job in so many intervals.
const PART: u32 = 2;

/// Stores `jobs` jobs as fast as it goes, and answers in which interval further ones are to come. What is stored has to
/// be worked meanwhile.
///
/// # Errors
/// Those of `store`.
pub async fn interval<S, F>(jobs: u32, store: S) -> Fallible<Duration>
where
    S: Fn(u32) -> F + Clone + Send + 'static,
    F: Future<Output = Fallible<()>> + Send,
{
    let start = stopwatch::now();
    offer(0..jobs, Duration::ZERO, store).await?;
    ARRIVED.wait(jobs).await;
    Ok(stopwatch::now().duration_since(start) * PART / jobs)
}

/// Stores these jobs, one in each interval, and answers how long each waited for its handler.
///
/// # Errors
/// Those of `store`.
pub async fn delays<S, F>(numbers: Range<u32>, interval: Duration, store: S) -> Fallible<Vec<Duration>>
where
    S: Fn(u32) -> F + Clone + Send + 'static,
    F: Future<Output = Fallible<()>> + Send,
{
    ARRIVED.note_times();
    let sent = offer(numbers.clone(), interval, store).await?;
    let times = ARRIVED.times_of(numbers).await;
    Ok(sent.into_iter().map(|(number, at)| times[&number].saturating_duration_since(at)).collect())
}

/// Stores these jobs by producers in turn, and answers when each was sent.
async fn offer<S, F>(numbers: Range<u32>, interval: Duration, store: S) -> Fallible<Vec<(u32, Instant)>>
where
    S: Fn(u32) -> F + Clone + Send + 'static,
    F: Future<Output = Fallible<()>> + Send,
{
    let start = stopwatch::now();
    let produce = |producer: u32| {
        let (store, numbers) = (store.clone(), numbers.clone());
        Handle::current().spawn(async move {
            let mut sent = Vec::new();
            for number in (numbers.start + producer..numbers.end).step_by(PRODUCERS as usize) {
                sent.push((number, meet(start + interval * (number - numbers.start)).await));
                store(number).await?;
            }
            Ok(sent)
        })
    };
    let sent: Fallible<Vec<_>> = try_join_all((0..PRODUCERS).map(produce)).await?.into_iter().collect();
    Ok(sent?.concat())
}

/// Waits for this moment, and answers when it was over; one that has passed counts as it was meant.
async fn meet(due: Instant) -> Instant {
    match due.checked_duration_since(stopwatch::now()) {
        Some(early) => {
            stopwatch::idle(early).await;
            stopwatch::now()
        }
        None => due,
    }
}

#[cfg(test)]
mod tests {
    use super::{delays, interval};
    use crate::arrivals::ARRIVED;

    #[tokio::test]
    async fn each_job_that_is_offered_has_one_delay() {
        let store = |number| async move {
            ARRIVED.one_of(number);
            Ok(())
        };
        let every = interval(50, store).await.unwrap();
        assert_eq!(delays(50..80, every, store).await.unwrap().len(), 30);
    }
}
