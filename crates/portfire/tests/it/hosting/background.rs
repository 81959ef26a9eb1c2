//! Background services: restarts, giving up, early ends, values.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use portfire::hosting::testing::TestHost;
use portfire::hosting::{
    Background, GiveUp, Host, OnEnd, OnFailure, Restart, ServiceContext, ServiceState, Status, StopCause,
    on_start,
};
use portfire::{Backoff, DurationExt, JobError};

use super::{Diary, Guard};

/// Fails this many times, then works on.
fn fails(times: u32, diary: &Diary) -> impl Fn(ServiceContext) -> Work + Send + Sync + 'static {
    let (runs, diary) = (Arc::new(AtomicU32::new(0)), diary.clone());
    move |ctx| {
        let (run, diary) = (runs.fetch_add(1, SeqCst), diary.clone());
        Box::pin(async move {
            diary.note("run");
            if run < times {
                return Err(JobError::message("no luck"));
            }
            ctx.cancelled().await;
            Ok(())
        })
    }
}

type Work = std::pin::Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

async fn health_of(host: &TestHost, name: &str) -> portfire::hosting::ServiceHealth {
    let report = host.health().report().await;
    report.services.into_iter().find(|service| &*service.name == name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_background_service_never_blocks_the_start_of_others() {
    let diary = Diary::default();
    let seen = diary.clone();
    let host = Host::new()
        .background("for ever", |_ctx| pending())
        .service(
            "after",
            on_start(move |_| {
                seen.note("started");
                async { Ok(()) }
            }),
        )
        .shutdown_timeout(1.second());
    let running = host.start().await.unwrap();
    assert_eq!(diary.entries(), ["started"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_service_is_restarted_after_a_growing_while() {
    let diary = Diary::default();
    let host = Host::new().background("work", fails(3, &diary));
    let host = TestHost::start(host).await.unwrap();
    host.advance(500.milliseconds()).await;
    assert_eq!(diary.count("run"), 1);
    let health = health_of(&host, "work").await;
    assert_eq!((health.state, health.status), (ServiceState::Restarting, Status::Degraded));
    assert!(health.problem.unwrap().contains("no luck"));
    // 1 s, 2 s and 4 s, less at most a quarter.
    host.advance(7.seconds()).await;
    assert_eq!(diary.count("run"), 4);
    let health = health_of(&host, "work").await;
    assert_eq!((health.state, health.restarts, health.failures), (ServiceState::Running, 3, 3));
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lasts_or_ends_well_makes_up_for_the_failures_before_it() {
    let diary = Diary::default();
    let restart = Restart::new().backoff(Backoff::Fixed(1.second())).forgiven_after(1.minute());
    let ends = Arc::new(AtomicU32::new(0));
    let host = Host::new().add(Background::new("lasts", fails(1, &diary)).on_failure(restart)).background(
        "ends",
        move |_| {
            let run = ends.fetch_add(1, SeqCst);
            async move { if run == 0 { Err(JobError::message("no luck")) } else { Ok(()) } }
        },
    );
    let host = TestHost::start(host).await.unwrap();
    host.advance(59.seconds()).await;
    assert_eq!(health_of(&host, "lasts").await.status, Status::Degraded);
    let ended = health_of(&host, "ends").await;
    assert_eq!((ended.state, ended.status), (ServiceState::Finished, Status::Healthy));
    host.advance(2.seconds()).await;
    let lasting = health_of(&host, "lasts").await;
    assert_eq!((lasting.status, lasting.problem, lasting.failures), (Status::Healthy, None, 1));
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_the_request_to_stop_is_a_failure() {
    let host = Host::new().background("work", |ctx| async move {
        ctx.cancelled().await;
        if true { panic!("boom") } else { Ok(()) }
    });
    let report = TestHost::start(host).await.unwrap().stop().await;
    assert!(!report.is_clean() && report.to_string().contains("boom"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn panics_are_failures() {
    let runs = Arc::new(AtomicU32::new(0));
    let seen = runs.clone();
    let host = Host::new().background("work", move |ctx| {
        let run = seen.fetch_add(1, SeqCst);
        async move {
            assert!(run > 0, "boom");
            ctx.cancelled().await;
            Ok(())
        }
    });
    let host = TestHost::start(host).await.unwrap();
    host.advance(1.second()).await;
    assert_eq!(runs.load(SeqCst), 2);
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_keeps_failing_stops_the_host_with_a_failure() {
    let diary = Diary::default();
    let restart = Restart::new().limit(3).backoff(Backoff::Fixed(1.second()));
    let host = Host::new().add(Background::new("work", fails(100, &diary)).on_failure(restart));
    let report = host.start().await.unwrap().wait().await;
    assert_eq!(diary.count("run"), 4);
    assert!(matches!(&report.cause, StopCause::Failed { service, .. } if &**service == "work"));
    assert!(report.into_result().is_err());
}

#[tokio::test(start_paused = true)]
async fn stop_host_stops_it_at_the_first_failure() {
    let diary = Diary::default();
    let host = Host::new().add(Background::new("work", fails(1, &diary)).on_failure(OnFailure::StopHost));
    let report = TestHost::run(host).await.unwrap();
    assert_eq!(diary.count("run"), 1);
    assert!(report.into_result().unwrap_err().to_string().contains("no luck"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_service_leaves_the_host_running_and_unhealthy() {
    let diary = Diary::default();
    let give_up = Restart::new().limit(0).then(GiveUp::LeaveDead);
    let host = Host::new()
        .add(Background::new("dead", fails(1, &diary)).on_failure(OnFailure::LeaveDead))
        .add(Background::new("given up", fails(1, &diary)).on_failure(give_up));
    let host = TestHost::start(host).await.unwrap();
    host.advance(1.hour()).await;
    let report = host.health().report().await;
    assert!(report.services.iter().all(|service| service.state == ServiceState::Dead));
    assert_eq!((report.status, report.is_ready, report.is_live), (Status::Unhealthy, false, true));
    assert!(host.stop().await.is_clean(), "it was asked to stop, and did");
}

#[tokio::test(start_paused = true)]
async fn an_early_end_is_visible() {
    let host = TestHost::start(Host::new().background("once", |_| async { Ok(()) })).await.unwrap();
    host.advance(1.second()).await;
    assert_eq!(health_of(&host, "once").await.state, ServiceState::Finished);
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_one_thing_can_end_the_host() {
    let once = Background::new("once", |_| async { Ok(()) }).on_end(OnEnd::StopHost);
    let report = TestHost::run(Host::new().add(once)).await.unwrap();
    assert!(report.is_clean());
    let never =
        Background::new("never", |_| async { Ok(()) }).on_end(OnEnd::Fail).on_failure(OnFailure::StopHost);
    let report = TestHost::run(Host::new().add(never)).await.unwrap();
    assert!(report.into_result().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_error_decides_how_it_is_treated() {
    let useless = Background::new("useless", |_| async { Err(JobError::message("a typo").no_retry()) });
    let begin = tokio::time::Instant::now();
    let report = TestHost::run(Host::new().add(useless)).await.unwrap();
    assert!(!report.is_clean() && begin.elapsed() < Duration::from_secs(1));
    let runs = Arc::new(AtomicU32::new(0));
    let seen = runs.clone();
    let host = TestHost::start(Host::new().background("later", move |_| {
        seen.fetch_add(1, SeqCst);
        async { Err(JobError::message("busy").retry_after(1.hour())) }
    }));
    let host = host.await.unwrap();
    host.advance(59.minutes()).await;
    assert_eq!(runs.load(SeqCst), 1);
    host.advance(1.minute()).await;
    assert_eq!(runs.load(SeqCst), 2);
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_error_after_the_request_to_stop_is_held_against_nobody() {
    let host = Host::new().background("work", |ctx| async move {
        ctx.cancelled().await;
        Err(JobError::message("interrupted"))
    });
    assert!(host.start().await.unwrap().stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn each_run_and_each_scope_has_values_of_its_own() {
    let diary = Diary::default();
    let (made, seen) = (diary.clone(), diary.clone());
    let host = Host::new()
        .provide(7_u32)
        .provide_with(move |scope| {
            let made = made.clone();
            async move {
                assert_eq!(*scope.value::<u32>().await?, 7);
                made.note("made");
                Ok(Guard(made, "dropped"))
            }
        })
        .background("work", move |ctx| {
            let seen = seen.clone();
            async move {
                ctx.value::<Guard>().await?;
                ctx.value::<Guard>().await?;
                ctx.scope().value::<Guard>().await?;
                seen.note("end");
                Err(JobError::snooze(1.hour()))
            }
        });
    let host = TestHost::start(host).await.unwrap();
    host.advance(1.hour()).await;
    let run = ["made", "made", "dropped", "end", "dropped"];
    assert_eq!(diary.entries(), [run, run].concat());
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stops_beating_is_named() {
    let host = Host::new().background("pump", |ctx| async move {
        ctx.beat(10.seconds());
        ctx.doing("waiting for a valve");
        ctx.cancelled().await;
        Ok(())
    });
    let host = TestHost::start(host).await.unwrap();
    host.advance(9.seconds()).await;
    assert!(host.health().report().await.is_live);
    host.advance(2.seconds()).await;
    let report = host.health().report().await;
    assert!(!report.is_live && !report.is_ready);
    assert_eq!(report.stuck, ["pump".into()]);
    assert!(report.services[0].problem.as_ref().unwrap().contains("waiting for a valve"));
    host.stop().await;
}
