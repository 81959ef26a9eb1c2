//! What holds when nothing is said, as the guide and the documentation promise it.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use portfire::hosting::testing::TestHost;
use portfire::hosting::{
    Every, Host, OnFailure, Order, Service, ServiceContext, ServiceState, StopCause, TaskQueue, WhenFull,
    on_start,
};
use portfire::{DurationExt, JobError};
use tokio::time::Instant;

use super::Diary;

/// Hangs in the last hook of all, which may take what is left of the budget.
struct Lingers;

impl Service for Lingers {
    async fn stopped(&self, _ctx: &ServiceContext) -> Result<(), JobError> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn the_defaults_of_a_host_are_as_documented() {
    let (diary, begin) = (Diary::default(), Instant::now());
    let slow = |name: &'static str| {
        let notes = diary.clone();
        on_start(move |_ctx| {
            let notes = notes.clone();
            async move {
                notes.note(name);
                tokio::time::sleep(180.days()).await;
                Ok(())
            }
        })
    };
    let host = Host::new().service("lingers", Lingers).service("a", slow("a")).service("b", slow("b"));
    let running = host.start().await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 360 * 24 * 60 * 60, "no startup timeout; one after the other");
    assert_eq!(diary.entries(), ["a", "b"]);
    let stopping = Instant::now();
    let report = running.stop().await;
    assert_eq!((report.took.as_secs(), stopping.elapsed().as_secs()), (30, 30), "the budget, and no delay");
    assert_eq!(report.cause, StopCause::Asked);
    assert_eq!(Order::default(), Order::OneByOne);
}

#[tokio::test(start_paused = true)]
async fn the_defaults_of_a_background_service_are_as_documented() {
    let (runs, begin) = (Arc::new(AtomicU32::new(0)), Instant::now());
    let seen = runs.clone();
    let host = Host::new().background("work", move |_ctx| {
        seen.fetch_add(1, SeqCst);
        async { Err(JobError::message("no luck")) }
    });
    let report = TestHost::run(host).await.unwrap();
    assert_eq!(runs.load(SeqCst), 11, "ten restarts");
    assert!(matches!(report.cause, StopCause::Failed { .. }), "then the host stops: {report}");
    // 1 + 2 + 4 + 8 + 16 + 32 + 4 * 60 seconds, less at most a quarter.
    let most = Duration::from_secs(303);
    assert!((most * 3 / 4..=most + 1.second()).contains(&begin.elapsed()), "{:?}", begin.elapsed());
    assert!(matches!(OnFailure::default(), OnFailure::Restart(_)));
}

#[tokio::test(start_paused = true)]
async fn five_minutes_forgive_by_default_and_a_good_end_is_no_failure() {
    let runs = Arc::new(AtomicU32::new(0));
    let host = Host::new().background("ends", |_| async { Ok(()) }).background("lasts", move |ctx| {
        let run = runs.fetch_add(1, SeqCst);
        async move {
            if run == 0 {
                return Err(JobError::message("no luck").retry_after(1.second()));
            }
            ctx.cancelled().await;
            Ok(())
        }
    });
    let host = TestHost::start(host).await.unwrap();
    let problem = async || host.health().report().await.services[1].problem.clone();
    host.advance(5.minutes()).await;
    assert!(problem().await.is_some_and(|problem| problem.contains("no luck")));
    host.advance(2.seconds()).await;
    assert_eq!(problem().await, None);
    assert_eq!(host.health().report().await.services[0].state, ServiceState::Finished);
    assert!(!host.lifetime().is_stopping());
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_defaults_of_a_queue_are_as_documented() {
    let queue = TaskQueue::new("work");
    for _ in 0..100 {
        queue.try_push(|_| pending::<Result<(), JobError>>()).unwrap();
    }
    let full = queue.try_push(|_| async { Ok(()) }).unwrap_err();
    assert!(full.is_transient() && full.to_string().contains("100 tasks wait"), "{full}");
    let waits = tokio::time::timeout(1.hour(), queue.push(|_| async { Ok(()) })).await;
    assert!(waits.is_err(), "a push waits");
    assert_eq!(WhenFull::default(), WhenFull::Wait);
    let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
    host.advance(1.second()).await;
    let detail = host.health().report().await.services[0].detail.clone();
    assert_eq!(detail.as_deref(), Some("99 of 100 waiting, 1 of 1 running"));
}

#[tokio::test(start_paused = true)]
async fn the_defaults_of_a_periodic_service_are_as_documented() {
    let diary = Diary::default();
    let notes = diary.clone();
    let host = Host::new().periodic("work", Every::interval(1.hour()), move |tick| {
        let notes = notes.clone();
        async move {
            notes.note(tick.number().to_string());
            tick.sleep(20.days()).await;
            Ok(())
        }
    });
    let host = TestHost::start(host).await.unwrap();
    host.advance(59.minutes()).await;
    assert!(diary.entries().is_empty(), "not at once");
    host.advance(10.days()).await;
    let report = host.health().report().await;
    assert!(report.is_live && report.services[0].failures == 0, "no limit for a tick: {report:?}");
    assert_eq!(diary.entries(), ["1"]);
    assert!(host.stop().await.is_clean());
}
