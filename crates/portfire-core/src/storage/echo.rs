//! How a bell rings after jobs have entered in a transaction of the application, on databases that tell nobody of its
//! commit.
//!
//! 1. Jobs enter. Whether their transaction commits, and when, is not known.
//! 2. The bell rings soon after ([`FIRST`]), because most transactions are short, and then at growing distances
//!    ([`THEN`]): one of these comes soon after the commit, and the transaction itself pays nothing.
//! 3. Who enters between two of them begins it anew. Who enters during the first pause does not, so that those before
//!    do not wait longer.
//!
//! Here is neither a clock nor a bell: how one waits, and what rings, are arguments.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// How long after a job has entered the bell rings first: most transactions have ended by then.
const FIRST: Duration = Duration::from_millis(20);
/// The pauses between the ringings after that: 0.1, 0.5, 2 and 5 s after the job has entered. What commits later is
/// found by polling, which is not much later.
const THEN: [Duration; 4] = [
    Duration::from_millis(80),
    Duration::from_millis(400),
    Duration::from_millis(1_500),
    Duration::from_millis(3_000),
];

/// Rings after jobs have entered, for ever. `entered` waits until some do, or did while nobody waited.
///
/// ```
/// use portfire_core::storage::echoes;
/// use tokio::sync::Notify;
///
/// async fn go_on(entered: &Notify, bell: &Notify) {
///     // A backend waits on its runtime.
///     let pause = |_| std::future::pending();
///     echoes(|| entered.notified(), pause, || bell.notify_waiters()).await;
/// }
/// ```
pub async fn echoes<E, P>(entered: impl Fn() -> E, pause: impl Fn(Duration) -> P, ring: impl Fn())
where
    E: Future<Output = ()>,
    P: Future<Output = ()>,
{
    loop {
        entered().await;
        while !die_away(&entered, &pause, &ring).await {}
    }
}

/// Rings until it is over; answers false if others enter before.
async fn die_away<E, P>(entered: &impl Fn() -> E, pause: &impl Fn(Duration) -> P, ring: &impl Fn()) -> bool
where
    E: Future<Output = ()>,
    P: Future<Output = ()>,
{
    pause(FIRST).await;
    ring();
    for next in THEN {
        if is_first(entered(), pause(next)).await {
            return false;
        }
        ring();
    }
    true
}

/// Waits for either; answers whether it was the one.
async fn is_first(one: impl Future<Output = ()>, other: impl Future<Output = ()>) -> bool {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending => other.as_mut().poll(context).map(|()| false),
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::{Future, poll_fn, ready};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::echoes;

    /// The pauses, in milliseconds, and the number of ringings after each, if somebody enters whenever one of these
    /// times is asked for it.
    fn heard(enters: &[usize]) -> Vec<(u128, usize)> {
        let (asked, rung, pauses) = (Cell::new(0), Cell::new(0), RefCell::new(Vec::new()));
        let entered = || {
            asked.set(asked.get() + 1);
            let enters = enters.contains(&asked.get());
            poll_fn(move |_| if enters { Poll::Ready(()) } else { Poll::Pending })
        };
        let pause = |pause: std::time::Duration| {
            pauses.borrow_mut().push((pause.as_millis(), rung.get()));
            ready(())
        };
        let mut going_on = pin!(echoes(entered, pause, || rung.set(rung.get() + 1)));
        let poll = going_on.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending(), "it waits for the next to enter");
        pauses.take()
    }

    #[test]
    fn it_rings_at_growing_distances_after_jobs_have_entered() {
        assert_eq!(heard(&[]), []);
        assert_eq!(heard(&[1]), [(20, 0), (80, 1), (400, 2), (1_500, 3), (3_000, 4)]);
    }

    #[test]
    fn who_enters_between_two_ringings_begins_it_anew() {
        let anew = [(20, 0), (80, 1), (400, 2), (20, 2), (80, 3), (400, 4), (1_500, 5), (3_000, 6)];
        assert_eq!(heard(&[1, 3]), anew);
    }
}
