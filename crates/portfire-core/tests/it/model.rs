//! What only the model promises: when its `wait` wakes. All else is in the conformance suite.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use portfire_core::storage::{Action, Exchange};
use portfire_core::{
    Clock, Dice, IdSequence, Json, Lease, ModelStorage, NewJob, ServerId, Settlement, Start, State, Storage,
    Target, VirtualClock,
};

#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The model's calls are done when they return, except `wait`.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the model answers at once"),
    }
}

fn model() -> (Arc<VirtualClock>, ModelStorage) {
    let clock = Arc::new(VirtualClock::default());
    (Arc::clone(&clock), ModelStorage::new(clock))
}

fn job(start: Start) -> NewJob {
    let clock = VirtualClock::default();
    let id = IdSequence::new(Dice::from_seed([1, 2])).job(clock.now());
    NewJob { start, ..NewJob::new(id, "work", Json::trusted("{}")) }
}

/// Polls a wait, does `change`, and says whether the waiter was woken and is ready.
fn wakes(storage: &ModelStorage, change: impl FnOnce()) -> (u32, bool) {
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let mut wait = storage.wait(Duration::from_secs(1));
    assert!(wait.as_mut().poll(&mut cx).is_pending());
    assert!(wait.as_mut().poll(&mut cx).is_pending(), "polling twice does not wake twice");
    change();
    (count.0.load(Ordering::Relaxed), wait.as_mut().poll(&mut cx).is_ready())
}

const WOKEN: (u32, bool) = (1, true);
const ASLEEP: (u32, bool) = (0, false);

#[test]
fn an_insert_wakes() {
    let (_, storage) = model();
    assert_eq!(wakes(&storage, || drop(now(storage.insert(vec![job(Start::Now)])).unwrap())), WOKEN);
}

#[test]
fn a_promotion_wakes_and_an_empty_one_does_not() {
    let (clock, storage) = model();
    now(storage.insert(vec![job(Start::After(Duration::from_secs(1)))])).unwrap();
    let promote = || assert!(now(storage.promote(9)).unwrap().count < 2);
    assert_eq!(wakes(&storage, promote), ASLEEP);
    clock.advance(Duration::from_secs(1));
    assert_eq!(wakes(&storage, promote), WOKEN);
}

#[test]
fn an_operators_wish_wakes_and_looking_does_not() {
    let (_, storage) = model();
    let job = job(Start::Now);
    let id = job.id;
    now(storage.insert(vec![job])).unwrap();
    assert_eq!(wakes(&storage, || drop(now(storage.get(vec![id])).unwrap())), ASLEEP);
    assert_eq!(wakes(&storage, || drop(now(storage.act(vec![id], Action::Cancel)).unwrap())), WOKEN);
}

#[test]
fn a_change_before_the_first_poll_is_not_missed() {
    let (_, storage) = model();
    let wait = storage.wait(Duration::from_secs(1));
    now(storage.insert(vec![job(Start::Now)])).unwrap();
    now(wait).unwrap();
}

#[test]
fn a_dropped_wait_leaves_no_waker() {
    let (_, storage) = model();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    for _ in 0..100 {
        let mut wait = storage.wait(Duration::from_secs(1));
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1);
}

/// A settlement that no rule makes is refused before anything is written.
#[test]
fn a_target_outside_the_table_is_refused_whole() {
    let (_, storage) = model();
    let lease = Lease { job: job(Start::Now).id, token: portfire_core::Token::from_bytes([1; 16]) };
    let (server, after) = (ServerId::from_bytes([1; 16]), Duration::from_secs(1));
    for state in State::ALL.into_iter().filter(|state| !matches!(state, State::Retrying | State::Scheduled)) {
        let to = Target::Again { state, after, attempts: 1, crashes: 0 };
        let settlement = Settlement {
            lease,
            only_if_expired: false,
            to,
            if_cancelled: None,
            record: None,
            fingerprint: None,
        };
        let exchange = Exchange { server, notes: Vec::new(), settlements: vec![settlement], want: None };
        assert!(now(storage.exchange(exchange)).unwrap_err().is_misuse(), "{state}");
    }
}
