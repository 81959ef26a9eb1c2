//! The storage contract in memory: the executable specification, and what user tests run on.
//!
//! Obviously right rather than fast: one lock, one map of jobs, and each job's place as an enum, so that
//! no job can be in two places. Every change of state goes through the table of [`State`](crate::State).
//! Nothing survives the process.

mod look;
mod record;
mod schedules;
mod steer;
mod tallies;
mod world;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{
    Acted, Action, Answer, AuditEntry, AuditRequest, Beat, BeatAnswer, By, Directed, DueSchedules, Exchange,
    Exchanged, Expired, FaultGroup, FaultGroupRequest, Filter, Fired, Heard, Inserted, JobDetails, Overview,
    Page, PageRequest, Polled, Promoted, Put, QueueOrder, ServerOrder, SlotView, Storage, StorageView, Tally,
    TallyRequest, Target,
};
use crate::{Clock, Firing, JobId, NewJob, Order, Result, Schedule, ScheduleView, ServerId, Timestamp};
use world::World;

/// Jobs in memory.
///
/// ```
/// use portfire_core::{ModelStorage, VirtualClock};
/// use std::sync::Arc;
///
/// let clock = Arc::new(VirtualClock::default());
/// let storage = ModelStorage::new(clock);
/// # let _ = storage;
/// ```
#[derive(Debug)]
pub struct ModelStorage {
    clock: Arc<dyn Clock>,
    world: Mutex<World>,
}

impl ModelStorage {
    /// An empty storage that tells the time by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, world: Mutex::default() }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does it now: nothing here ever waits.
    fn done<'a, T: Send + 'a>(&self, work: impl FnOnce(&mut World, Timestamp) -> Result<T>) -> Answer<'a, T> {
        let mut world = self.world();
        let (now, before) = (self.clock.now(), world.changes);
        let answer = work(&mut world, now);
        let wakers =
            if world.changes == before { BTreeMap::new() } else { std::mem::take(&mut world.wakers) };
        // A waker may run whatever it likes, so the lock is free by then.
        drop(world);
        wakers.into_values().for_each(Waker::wake);
        Box::pin(std::future::ready(answer))
    }
}

impl Storage for ModelStorage {
    fn insert(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Inserted>> {
        self.done(|world, now| world.insert(jobs, now))
    }

    fn exchange(&self, exchange: Exchange) -> Answer<'_, Exchanged> {
        self.done(|world, now| world.exchange(&exchange, now))
    }

    /// Waits for a change. The time limit is left to the caller's own timer, because there is none here:
    /// a driver always bounds this wait by itself.
    fn wait(&self, _at_most: Duration) -> Answer<'_, Heard> {
        let mut world = self.world();
        world.waits += 1;
        Box::pin(Change { storage: self, seen: world.changes, number: world.waits })
    }

    fn poll(&self, queues: Arc<[Arc<str>]>) -> Answer<'_, Polled> {
        self.done(|world, now| Ok(world.poll(&queues, now)))
    }

    fn promote(&self, limit: u32) -> Answer<'_, Promoted> {
        self.done(|world, now| world.promote(limit, now))
    }

    fn expired(&self, limit: u32) -> Answer<'_, Vec<Expired>> {
        self.done(|world, now| Ok(world.expired(limit, now)))
    }

    fn prune(&self, limit: u32) -> Answer<'_, u32> {
        self.done(|world, now| world.prune(limit, now))
    }

    fn beat(&self, beat: Beat) -> Answer<'_, BeatAnswer> {
        self.done(|world, now| Ok(world.beat(beat, now)))
    }

    fn leave(&self, server: ServerId, _: bool) -> Answer<'_, ()> {
        self.done(|world, _| {
            world.servers.remove(&server);
            Ok(())
        })
    }

    fn act(&self, jobs: Vec<JobId>, action: Action, by: By) -> Answer<'_, Vec<Acted>> {
        self.done(|world, now| world.act(&jobs, &action, &by, now))
    }

    fn put_schedules(&self, schedules: Vec<Schedule>) -> Answer<'_, Vec<Put>> {
        self.done(|world, now| world.put_schedules(schedules, now))
    }

    fn due_schedules(&self, limit: u32) -> Answer<'_, DueSchedules> {
        self.done(|world, now| Ok(world.due_schedules(limit, now)))
    }

    fn fire(&self, firings: Vec<Firing>, by: By) -> Answer<'_, Vec<Fired>> {
        self.done(|world, now| world.fire(firings, &by, now))
    }

    fn direct_schedules(&self, schedules: Vec<Box<str>>, order: Order, by: By) -> Answer<'_, Vec<Directed>> {
        self.done(|world, now| Ok(world.direct_schedules(&schedules, order, &by, now)))
    }

    fn direct_queues(&self, queues: Vec<Box<str>>, order: QueueOrder, by: By) -> Answer<'_, Vec<Directed>> {
        self.done(|world, now| world.direct_queues(&queues, order, &by, now))
    }

    fn direct_servers(
        &self,
        servers: Vec<ServerId>,
        order: ServerOrder,
        by: By,
    ) -> Answer<'_, Vec<Directed>> {
        self.done(|world, now| Ok(world.direct_servers(&servers, order, &by, now)))
    }

    fn audit(&self, about: Option<Target>, page: AuditRequest) -> Answer<'_, Vec<AuditEntry>> {
        self.done(|world, _| Ok(world.audit(about.as_ref(), &page)))
    }

    fn get_schedules(&self, schedules: Vec<Box<str>>) -> Answer<'_, Vec<Option<ScheduleView>>> {
        self.done(|world, _| Ok(schedules.iter().map(|id| world.view(id)).collect()))
    }

    fn list_schedules(&self, after: Option<Box<str>>, limit: u32) -> Answer<'_, Vec<ScheduleView>> {
        self.done(|world, _| Ok(world.list_schedules(after.as_deref(), limit)))
    }

    fn slots(&self, schedule: Box<str>, before: Option<Timestamp>, limit: u32) -> Answer<'_, Vec<SlotView>> {
        self.done(|world, _| Ok(world.slots(&schedule, before, limit)))
    }

    fn get(&self, jobs: Vec<JobId>) -> Answer<'_, Vec<Option<JobDetails>>> {
        self.done(|world, _| Ok(jobs.iter().map(|job| world.details(*job)).collect()))
    }

    fn list(&self, filter: Filter, page: PageRequest) -> Answer<'_, Page> {
        self.done(|world, _| Ok(world.list(&filter, &page)))
    }

    fn overview(&self) -> Answer<'_, Overview> {
        self.done(|world, _| Ok(world.overview()))
    }

    fn tallies(&self, request: TallyRequest) -> Answer<'_, Vec<Tally>> {
        self.done(|world, _| Ok(world.tallies.sums(&request)))
    }

    fn fault_groups(&self, request: FaultGroupRequest) -> Answer<'_, Vec<FaultGroup>> {
        self.done(|world, _| Ok(world.fault_groups(&request)))
    }

    fn describe(&self) -> Answer<'_, StorageView> {
        let (product, place) = ("memory".into(), "this process".into());
        self.done(|_, _| Ok(StorageView { product, schema_version: 0, place, size_bytes: None }))
    }

    fn now(&self) -> Answer<'_, Timestamp> {
        self.done(|_, now| Ok(now))
    }
}

/// A future that is ready once the world has changed since it was made. Dropped, it leaves no waker.
struct Change<'s> {
    storage: &'s ModelStorage,
    seen: u64,
    number: u64,
}

impl Future for Change<'_> {
    type Output = Result<Heard>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Heard>> {
        let mut world = self.storage.world();
        if world.changes != self.seen {
            return Poll::Ready(Ok(Heard { rung: true, listens: true }));
        }
        world.wakers.insert(self.number, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        let waker = self.storage.world().wakers.remove(&self.number);
        drop(waker); // After the lock is free again.
    }
}
