//! How a claim travels behind an enqueue, so that an idle server has the job nearly as soon as it is stored.
//!
//! Who enqueues where a server of the same storage waits would wake it after the commit; it would claim by a round trip of
//! its own, on a session that has been idle. That was half of an idle server's delay.
//!
//! 1. A plain set is sent. Before it is answered its connection is [offered](Rides::offer), and the server is woken.
//! 2. The claim that comes of it [boards](Rides::board), and is sent on the same connection: the database runs it as soon
//!    as the set is committed, in a transaction of its own.
//! 3. If it did not take the whole set, servers are woken again: the claim may have been for other queues, or filled.
//! 4. If nobody boarded until the set was stored, servers are woken as ever.
//!
//! It is offered while no exchange is under way, which is when a server is idle: a busy one gains nothing. A claim that
//! boarded waits for the enqueue, which may stand behind a lock of somebody else's, so it does not wait for long: after
//! its [`patience`] it is given up like any claim whose answer was lost, and many enqueues are not offered.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portfire_core::storage::Claimed;
use portfire_core::{JobId, NewJob};

/// Most jobs of a set that is offered: it is stored within a few milliseconds.
const JOBS_MAX: usize = 64;
/// How many enqueues are not offered after one that took long. Where each takes long, one in so many keeps a claim.
const REST: u32 = 256;

/// How long a claim may wait for its answer behind an enqueue, if a call may take so long: a quarter of a second of
/// fifteen, which is a hundred times what both take.
pub(crate) fn patience(deadline: Duration) -> Duration {
    deadline / 60
}

/// What is offered in a storage, and whether anything may be. `L` is a lane.
pub(crate) struct Rides<L>(Mutex<State<L>>);

struct State<L> {
    /// By the number of its offer.
    offered: Option<(u64, Ride<L>)>,
    offers: u64,
    exchanges: u32,
    /// How many enqueues are still not offered.
    rests: u32,
}

/// The way of a claim: on this lane, behind the enqueue of these jobs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ride<L> {
    pub(crate) lane: L,
    pub(crate) jobs: Vec<JobId>,
}

impl<L> Ride<L> {
    /// Whether the claim took all that it went behind.
    pub(crate) fn has_all(&self, claimed: &[Claimed]) -> bool {
        self.jobs.iter().all(|job| claimed.iter().any(|one| one.facts.lease.job == *job))
    }
}

impl<L> Rides<L> {
    /// Offers the way behind an enqueue that has been sent, unless a server is at work or an enqueue took long lately.
    pub(crate) fn offer(&self, jobs: &[NewJob], lane: impl FnOnce() -> L) -> Option<Offer<'_, L>> {
        let mut state = self.state();
        let rests = state.rests > 0;
        state.rests = state.rests.saturating_sub(1);
        if rests || state.exchanges > 0 || state.offered.is_some() || jobs.len() > JOBS_MAX {
            return None;
        }
        state.offers += 1;
        let number = state.offers;
        state.offered = Some((number, Ride { lane: lane(), jobs: jobs.iter().map(|job| job.id).collect() }));
        Some(Offer { rides: self, number })
    }

    /// An exchange begins, and goes the way that is offered, if it may.
    pub(crate) fn board(&self, may_ride: bool) -> (UnderWay<'_, L>, Option<Ride<L>>) {
        let mut state = self.state();
        state.exchanges += 1;
        let ride = state.offered.take_if(|_| may_ride).map(|(_, ride)| ride);
        (UnderWay(self), ride)
    }

    /// A claim was kept by the enqueue that it went behind.
    pub(crate) fn rest(&self) {
        self.state().rests = REST;
    }

    fn state(&self) -> MutexGuard<'_, State<L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> Default for Rides<L> {
    fn default() -> Self {
        Self(Mutex::new(State { offered: None, offers: 0, exchanges: 0, rests: 0 }))
    }
}

impl<L> fmt::Debug for Rides<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rides")
    }
}

/// An offer, which ends with its enqueue.
#[must_use]
pub(crate) struct Offer<'r, L> {
    rides: &'r Rides<L>,
    number: u64,
}

impl<L> Offer<'_, L> {
    /// What was offered, or nothing if a claim has boarded.
    pub(crate) fn end(self) -> Option<Ride<L>> {
        self.withdraw()
    }

    fn withdraw(&self) -> Option<Ride<L>> {
        let mut state = self.rides.state();
        state.offered.take_if(|(number, _)| *number == self.number).map(|(_, ride)| ride)
    }
}

impl<L> Drop for Offer<'_, L> {
    fn drop(&mut self) {
        drop(self.withdraw());
    }
}

/// An exchange, until it ends.
#[must_use]
pub(crate) struct UnderWay<'r, L>(&'r Rides<L>);

impl<L> Drop for UnderWay<'_, L> {
    fn drop(&mut self) {
        self.0.state().exchanges -= 1;
    }
}

#[cfg(test)]
mod tests {
    use portfire_core::{JobId, Json, NewJob};

    use super::{JOBS_MAX, REST, Ride, Rides};

    fn jobs(count: usize) -> Vec<NewJob> {
        let id = |n: usize| JobId::from_bytes([u8::try_from(n).unwrap(); 16]);
        (0..count).map(|n| NewJob::new(id(n), "work", Json::trusted("{}"))).collect()
    }

    /// An offer of lane 1.
    fn is_offered(rides: &Rides<u32>, jobs: &[NewJob]) -> bool {
        rides.offer(jobs, || 1).is_some()
    }

    #[test]
    fn what_is_offered_is_taken_once_and_the_enqueue_hears_of_it() {
        let (rides, jobs) = (Rides::default(), jobs(2));
        let offer = rides.offer(&jobs, || 1).unwrap();
        let (first, ride) = rides.board(true);
        assert_eq!(ride, Some(Ride { lane: 1, jobs: vec![jobs[0].id, jobs[1].id] }));
        let (second, none) = rides.board(true);
        assert_eq!((none, offer.end()), (None, None));
        drop((first, second));
        assert_eq!(rides.offer(&jobs, || 2).unwrap().end().map(|ride| ride.lane), Some(2), "nobody boarded");
    }

    #[test]
    fn an_offer_ends_with_its_enqueue_and_no_other() {
        let (rides, jobs) = (Rides::default(), jobs(1));
        let first = rides.offer(&jobs, || 1).unwrap();
        drop(rides.board(true));
        let second = rides.offer(&jobs, || 2).unwrap();
        drop(first);
        assert_eq!(second.end().map(|ride| ride.lane), Some(2));
        drop(rides.offer(&jobs, || 3));
        assert!(rides.board(true).1.is_none());
    }

    #[test]
    fn a_server_at_work_and_a_large_set_are_not_offered_anything() {
        let rides = Rides::default();
        let (under_way, _) = rides.board(false);
        assert!(!is_offered(&rides, &jobs(1)));
        drop(under_way);
        assert!(is_offered(&rides, &jobs(JOBS_MAX)) && !is_offered(&rides, &jobs(JOBS_MAX + 1)));
        let offer = rides.offer(&jobs(1), || 1);
        assert!(rides.board(false).1.is_none(), "it has more to say than a claim");
        assert!(offer.is_some_and(|offer| offer.end().is_some()));
    }

    #[test]
    fn after_a_long_wait_many_enqueues_are_not_offered() {
        let rides = Rides::default();
        rides.rest();
        assert!((0..REST).all(|_| !is_offered(&rides, &jobs(1))) && is_offered(&rides, &jobs(1)));
    }
}
