//! A storage that ails on demand: everything but its heartbeat fails or hangs.

use std::future::{pending, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portfire::{ModelStorage, Timestamp};
use portfire_core::storage::{
    Acted, Action, Answer, AuditEntry, AuditRequest, Beat, BeatAnswer, By, Directed, DueSchedules, Exchange,
    Exchanged, Expired, FaultGroup, FaultGroupRequest, Filter, Fired, Heard, Inserted, JobDetails, Overview,
    Page, PageRequest, Polled, Promoted, Put, QueueOrder, ServerOrder, SlotView, StorageView, Tally,
    TallyRequest, Target,
};
use portfire_core::{Clock, Error, Firing, JobId, NewJob, Order, Schedule, ScheduleView, ServerId, Storage};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ailment {
    Fails,
    Hangs,
}

#[derive(Debug)]
pub(crate) struct Ailing {
    model: ModelStorage,
    ailment: Mutex<Option<Ailment>>,
}

impl Ailing {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { model: ModelStorage::new(clock), ailment: Mutex::new(None) }
    }

    pub(crate) fn suffers(&self, ailment: Option<Ailment>) {
        *self.ailment.lock().unwrap() = ailment;
    }

    fn answer<'a, T: Send + 'a>(&self, healthy: impl FnOnce() -> Answer<'a, T>) -> Answer<'a, T> {
        match *self.ailment.lock().unwrap() {
            None => healthy(),
            Some(Ailment::Fails) => Box::pin(ready(Err(Error::transient("nobody answers")))),
            Some(Ailment::Hangs) => Box::pin(pending()),
        }
    }
}

macro_rules! ailing {
    ($($call:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        fn $call(&self, $($argument: $type),*) -> Answer<'_, $answer> {
            self.answer(|| self.model.$call($($argument),*))
        }
    )*};
}

impl Storage for Ailing {
    fn beat(&self, beat: Beat) -> Answer<'_, BeatAnswer> {
        self.model.beat(beat)
    }

    ailing! {
        insert(jobs: Vec<NewJob>) -> Vec<Inserted>;
        exchange(exchange: Exchange) -> Exchanged;
        wait(at_most: Duration) -> Heard;
        poll(queues: Arc<[Arc<str>]>) -> Polled;
        promote(limit: u32) -> Promoted;
        expired(limit: u32) -> Vec<Expired>;
        prune(limit: u32) -> u32;
        leave(server: ServerId, holds_nothing: bool) -> ();
        act(jobs: Vec<JobId>, action: Action, by: By) -> Vec<Acted>;
        put_schedules(schedules: Vec<Schedule>) -> Vec<Put>;
        due_schedules(limit: u32) -> DueSchedules;
        fire(firings: Vec<Firing>, by: By) -> Vec<Fired>;
        direct_schedules(schedules: Vec<Box<str>>, order: Order, by: By) -> Vec<Directed>;
        direct_queues(queues: Vec<Box<str>>, order: QueueOrder, by: By) -> Vec<Directed>;
        direct_servers(servers: Vec<ServerId>, order: ServerOrder, by: By) -> Vec<Directed>;
        audit(about: Option<Target>, page: AuditRequest) -> Vec<AuditEntry>;
        get_schedules(schedules: Vec<Box<str>>) -> Vec<Option<ScheduleView>>;
        list_schedules(after: Option<Box<str>>, limit: u32) -> Vec<ScheduleView>;
        slots(schedule: Box<str>, before: Option<Timestamp>, limit: u32) -> Vec<SlotView>;
        get(jobs: Vec<JobId>) -> Vec<Option<JobDetails>>;
        list(filter: Filter, page: PageRequest) -> Page;
        overview() -> Overview;
        tallies(request: TallyRequest) -> Vec<Tally>;
        fault_groups(request: FaultGroupRequest) -> Vec<FaultGroup>;
        describe() -> StorageView;
        now() -> Timestamp;
    }
}
