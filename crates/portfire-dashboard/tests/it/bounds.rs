//! What a page costs the storage, and what it shows when the storage is away.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use portfire_core::limits::PAGE_MAX;
use portfire_core::storage::*;
use portfire_core::{
    Error, Firing, JobId, ModelStorage, NewJob, Order, Schedule, ScheduleView, ServerId, Timestamp,
    VirtualClock,
};
use portfire_dashboard::{Permissions, dashboard};

use crate::fixture;
use crate::markup::elements;
use crate::site::{admit, answer, request};

/// A storage that counts what is asked of it, and can be taken away.
#[derive(Debug)]
pub struct Watched {
    inner: Arc<ModelStorage>,
    asked: Mutex<Vec<&'static str>>,
    pub is_away: AtomicBool,
    pub hangs: AtomicBool,
}

impl Watched {
    fn note<'a, T: Send + 'a>(
        &'a self,
        what: &'static str,
        limit: u32,
        answer: Answer<'a, T>,
    ) -> Answer<'a, T> {
        assert!((1..=PAGE_MAX.max(10_000)).contains(&limit), "{what} asks for {limit}");
        self.asked.lock().unwrap().push(what);
        if self.hangs.load(Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        if self.is_away.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(Error::transient("connection refused"))));
        }
        answer
    }

    fn taken(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// Methods that the dashboard never calls.
macro_rules! not_called {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> Answer<'_, $answer> {
            panic!(concat!("the dashboard calls ", stringify!($name)))
        })*
    };
}

/// Methods that are counted, each with the limit it asks for.
macro_rules! watched {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty, $limit:expr;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> Answer<'_, $answer> {
            let limit = u32::try_from($limit).unwrap();
            self.note(stringify!($name), limit, self.inner.$name($($argument),*))
        })*
    };
}

impl Storage for Watched {
    not_called! {
        insert(_jobs: Vec<NewJob>) -> Vec<Inserted>;
        exchange(_exchange: Exchange) -> Exchanged;
        wait(_at_most: Duration) -> Heard;
        poll(_queues: Arc<[Arc<str>]>) -> Polled;
        promote(_limit: u32) -> Promoted;
        expired(_limit: u32) -> Vec<Expired>;
        prune(_limit: u32) -> u32;
        beat(_beat: Beat) -> BeatAnswer;
        leave(_server: ServerId, _holds_nothing: bool) -> ();
        put_schedules(_schedules: Vec<Schedule>) -> Vec<Put>;
        due_schedules(_limit: u32) -> DueSchedules;
    }
    watched! {
        act(jobs: Vec<JobId>, action: Action, by: By) -> Vec<Acted>, jobs.len();
        fire(firings: Vec<Firing>, by: By) -> Vec<Fired>, firings.len();
        direct_schedules(schedules: Vec<Box<str>>, order: Order, by: By) -> Vec<Directed>, schedules.len();
        direct_queues(queues: Vec<Box<str>>, order: QueueOrder, by: By) -> Vec<Directed>, queues.len();
        direct_servers(servers: Vec<ServerId>, order: ServerOrder, by: By) -> Vec<Directed>, servers.len();
        audit(about: Option<Target>, page: AuditRequest) -> Vec<AuditEntry>, page.limit;
        get_schedules(schedules: Vec<Box<str>>) -> Vec<Option<ScheduleView>>, schedules.len();
        list_schedules(after: Option<Box<str>>, limit: u32) -> Vec<ScheduleView>, limit;
        slots(schedule: Box<str>, before: Option<Timestamp>, limit: u32) -> Vec<SlotView>, limit;
        get(jobs: Vec<JobId>) -> Vec<Option<JobDetails>>, jobs.len();
        list(filter: Filter, page: PageRequest) -> Page, page.limit;
        overview() -> Overview, 1_u32;
        tallies(request: TallyRequest) -> Vec<Tally>, request.limit;
        fault_groups(request: FaultGroupRequest) -> Vec<FaultGroup>, request.limit;
        describe() -> StorageView, 1_u32;
        now() -> Timestamp, 1_u32;
    }
}

pub async fn site() -> (Arc<Watched>, Arc<VirtualClock>, axum::Router) {
    let clock = Arc::new(VirtualClock::at(fixture::noon()));
    let inner = Arc::new(ModelStorage::new(clock.clone()));
    fixture::fill(&*inner, &clock).await;
    let watched =
        Arc::new(Watched { inner, asked: Mutex::default(), is_away: false.into(), hangs: false.into() });
    let router = admit(dashboard(watched.clone()).clock(clock.clone()), Permissions::admin()).build();
    (watched, clock, router)
}

#[tokio::test]
async fn no_page_asks_more_than_six_questions_and_each_has_a_limit() {
    let (watched, clock, router) = site().await;
    let job = watched.inner.list(Filter::default(), PageRequest::default()).await.unwrap().jobs[0].id;
    let job = format!("/jobs/{job}");
    for path in [
        "/",
        "/jobs",
        "/jobs?q=state:failed",
        &job,
        "/failed",
        "/recurring",
        "/recurring/one?id=cleanup",
        "/queues",
        "/servers",
        "/audit",
        "/about",
    ] {
        clock.advance(Duration::from_secs(60));
        watched.taken();
        let first = answer(router.clone(), request("GET", path, &[], "")).await;
        assert_eq!(first.status, StatusCode::OK, "{path}");
        let asked = watched.taken();
        assert!(asked.len() <= 6, "{path} asks {asked:?}");
    }
}

#[tokio::test]
async fn ten_viewers_cost_what_one_costs() {
    let (watched, _, router) = site().await;
    for _ in 0..10 {
        answer(router.clone(), request("GET", "/", &[], "")).await;
    }
    let asked = watched.taken();
    let times = |what| asked.iter().filter(|one| **one == what).count();
    assert_eq!((times("overview"), times("now"), times("tallies")), (1, 1, 1));
}

#[tokio::test]
async fn a_storage_that_is_away_is_said_to_be_away_with_the_last_numbers() {
    let (watched, clock, router) = site().await;
    answer(router.clone(), request("GET", "/", &[], "")).await;
    watched.is_away.store(true, Ordering::Relaxed);
    clock.advance(Duration::from_secs(180));
    for path in ["/", "/jobs", "/queues"] {
        let page = answer(router.clone(), request("GET", path, &[], "")).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            page.body.contains("The storage does not answer") && page.body.contains("from 3 min ago"),
            "{}",
            page.body
        );
        assert!(!page.body.contains("connection refused"), "what the database says stays in the log");
        elements(&page.body);
    }
    watched.is_away.store(false, Ordering::Relaxed);
    assert_eq!(answer(router, request("GET", "/", &[], "")).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_hangs_is_not_waited_for() {
    let (watched, clock, router) = site().await;
    watched.hangs.store(true, Ordering::Relaxed);
    clock.advance(Duration::from_secs(60));
    let page = answer(router, request("GET", "/jobs", &[], "")).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
}
