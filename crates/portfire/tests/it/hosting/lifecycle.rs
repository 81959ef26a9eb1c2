//! Start, stop, their order, their budget, and how a host tells of its end.

use std::future::pending;
use std::time::Duration;

use portfire::hosting::testing::TestHost;
use portfire::hosting::{Host, Order, Service, ServiceContext, ServiceEnd, StopCause, on_start, on_stop};
use portfire::{DurationExt, JobError};
use proptest::prelude::*;
use tokio::time::Instant;

use super::{Diary, Guard};

/// Notes every hook; does one of them in its own manner.
struct Noted {
    name: &'static str,
    diary: Diary,
    special: Option<(&'static str, Manner)>,
}

#[derive(Clone, Copy, Debug)]
enum Manner {
    Fails,
    Panics,
    Hangs,
}

impl Noted {
    fn new(name: &'static str, diary: &Diary) -> Self {
        Self { name, diary: diary.clone(), special: None }
    }

    fn but(mut self, hook: &'static str, manner: Manner) -> Self {
        self.special = Some((hook, manner));
        self
    }

    async fn called(&self, hook: &'static str) -> Result<(), JobError> {
        self.diary.note(format!("{} {hook}", self.name));
        match self.special {
            Some((special, manner)) if special == hook => match manner {
                Manner::Fails => Err(JobError::message("no luck")),
                Manner::Panics => panic!("boom"),
                Manner::Hangs => pending().await,
            },
            _ => Ok(()),
        }
    }
}

impl Service for Noted {
    async fn starting(&self, _ctx: &ServiceContext) -> Result<(), JobError> {
        self.called("starting").await
    }
    async fn start(&self, _ctx: &ServiceContext) -> Result<(), JobError> {
        self.called("start").await
    }
    async fn started(&self, _ctx: &ServiceContext) -> Result<(), JobError> {
        self.called("started").await
    }
    async fn stopping(&self, _ctx: &ServiceContext) -> Result<(), JobError> {
        self.called("stopping").await
    }
    async fn stop(&self, _ctx: &ServiceContext) -> Result<(), JobError> {
        self.called("stop").await
    }
    async fn stopped(&self, _ctx: &ServiceContext) -> Result<(), JobError> {
        self.called("stopped").await
    }
}

/// `Duration::MAX` is a way to say that there is no limit.
#[tokio::test(start_paused = true)]
async fn a_host_without_limits_starts_and_stops() {
    let host = Host::new().service("a", Noted::new("a", &Diary::default()));
    let host = host.startup_timeout(Duration::MAX).shutdown_timeout(Duration::MAX);
    let running = host.start().await.unwrap();
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn services_start_in_order_and_stop_in_reverse_hook_by_hook() {
    let diary = Diary::default();
    let host = Host::new().service("a", Noted::new("a", &diary)).service("b", Noted::new("b", &diary));
    let running = host.start().await.unwrap();
    let up = ["a starting", "b starting", "a start", "b start", "a started", "b started"];
    assert_eq!(diary.entries(), up);
    assert!(running.stop().await.is_clean());
    let down = ["b stopping", "a stopping", "b stop", "a stop", "b stopped", "a stopped"];
    assert_eq!(diary.entries()[6..], down);
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_stops_those_already_started_and_names_the_culprit() {
    for (manner, says) in [(Manner::Fails, "no luck"), (Manner::Panics, "boom")] {
        let diary = Diary::default();
        let host = Host::new()
            .service("a", Noted::new("a", &diary))
            .service("b", Noted::new("b", &diary).but("start", manner))
            .service("c", Noted::new("c", &diary));
        let error = host.start().await.unwrap_err();
        assert!(error.is_broken() && error.to_string().contains("`b`"), "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(diary.count("c start"), 0);
        assert_eq!((diary.count("a stop"), diary.count("b stop"), diary.count("c stop")), (1, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_later_hook_of_the_start_unwinds_it_too() {
    for hook in ["starting", "started"] {
        let diary = Diary::default();
        let host = Host::new()
            .service("a", Noted::new("a", &diary))
            .service("b", Noted::new("b", &diary).but(hook, Manner::Fails));
        let error = host.start().await.unwrap_err();
        assert!(error.to_string().contains("`b`") && error.to_string().contains(hook), "{error}");
        let started = usize::from(hook == "started");
        assert_eq!((diary.count("a stop"), diary.count("b stop")), (started, started), "{hook}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_takes_too_long_is_dropped_and_named() {
    let diary = Diary::default();
    let host = Host::new()
        .service("quick", Noted::new("quick", &diary))
        .service("slow", Noted::new("slow", &diary).but("start", Manner::Hangs))
        .startup_timeout(5.seconds());
    let begin = Instant::now();
    let error = host.start().await.unwrap_err();
    assert!(error.to_string().contains("`slow`") && error.to_string().contains("startup timeout"), "{error}");
    assert_eq!(begin.elapsed().as_secs(), 5);
    assert_eq!(diary.count("quick stop"), 1);
}

#[tokio::test(start_paused = true)]
async fn services_start_and_stop_together_by_option() {
    let slow = |_ctx: ServiceContext| async {
        tokio::time::sleep(3.seconds()).await;
        Ok(())
    };
    let host = || {
        let both = || on_start(slow).on_stop(slow);
        Host::new().service("a", both()).service("b", both()).service("c", both())
    };
    let begin = Instant::now();
    let running = host().start().await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 9, "one after the other");
    assert_eq!(running.stop().await.took.as_secs(), 9);
    let begin = Instant::now();
    let together = host().start_order(Order::Together).stop_order(Order::Together);
    let running = together.start().await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 3);
    assert_eq!(running.stop().await.took.as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_budget_is_shared_and_every_service_gets_its_turn() {
    let diary = Diary::default();
    let host = Host::new()
        .service("first", Noted::new("first", &diary))
        .service("stuck", Noted::new("stuck", &diary).but("stop", Manner::Hangs))
        .service("last", Noted::new("last", &diary))
        .shutdown_timeout(10.seconds());
    let report = host.start().await.unwrap().stop().await;
    assert!(report.took <= Duration::from_millis(10_010), "{report}");
    assert_eq!(report.service("stuck").unwrap().end, ServiceEnd::Abandoned);
    assert_eq!(report.service("first").unwrap().end, ServiceEnd::Stopped);
    assert_eq!((diary.count("first stop"), diary.count("first stopped")), (1, 1));
    let error = report.into_result().unwrap_err();
    assert!(error.to_string().contains("`stuck`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_hangs_at_stop_is_dropped_and_says_what_it_was_doing() {
    let diary = Diary::default();
    let seen = diary.clone();
    let host = Host::new().shutdown_timeout(3.seconds()).background("mirror", move |ctx| {
        let guard = Guard(seen.clone(), "dropped");
        async move {
            ctx.doing("copying page 7");
            let _guard = guard;
            pending().await
        }
    });
    let running = TestHost::start(host).await.unwrap();
    running.advance(1.second()).await;
    let report = running.stop().await;
    let mirror = report.service("mirror").unwrap();
    assert_eq!((&mirror.end, mirror.doing.as_deref()), (&ServiceEnd::Abandoned, Some("copying page 7")));
    assert!(report.to_string().contains("copying page 7"), "{report}");
    tokio::task::yield_now().await;
    assert_eq!(diary.count("dropped"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_first_hook_hangs_is_stopped_all_the_same_and_at_once() {
    let diary = Diary::default();
    let host = Host::new()
        .service("a", Noted::new("a", &diary).but("stopping", Manner::Hangs))
        .shutdown_timeout(10.seconds());
    let report = host.start().await.unwrap().stop().await;
    assert_eq!((diary.count("a stop"), diary.count("a stopped")), (1, 1));
    // 10 s, less a sixth for each of the two that come later.
    assert!(report.took < 7.seconds(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_stop_is_reported_and_the_others_stop_all_the_same() {
    let diary = Diary::default();
    let host = Host::new()
        .service("a", Noted::new("a", &diary))
        .service("b", Noted::new("b", &diary).but("stop", Manner::Panics));
    let report = host.start().await.unwrap().stop().await;
    assert!(
        matches!(&report.service("b").unwrap().end, ServiceEnd::Failed(fault) if fault.message.contains("boom"))
    );
    assert_eq!(diary.count("a stop"), 1);
    assert!(!report.is_clean() && report.cause == StopCause::Asked);
}

#[tokio::test(start_paused = true)]
async fn anyone_can_await_the_stages_and_stop_the_host() {
    let host = Host::new();
    let (lifetime, diary) = (host.lifetime(), Diary::default());
    let (notes, watched) = (diary.clone(), lifetime.clone());
    let watcher = tokio::spawn(async move {
        watched.started().await;
        notes.note("started");
        watched.stopping().await;
        notes.note("stopping");
        watched.stopped().await;
        notes.note("stopped");
    });
    assert!(!lifetime.is_started());
    let running = host.start().await.unwrap();
    assert!(lifetime.is_started() && !lifetime.is_stopping());
    lifetime.stop();
    lifetime.stop();
    assert!(lifetime.is_stopping());
    assert!(running.wait().await.is_clean());
    watcher.await.unwrap();
    assert_eq!(diary.entries(), ["started", "stopping", "stopped"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_never_hidden_behind_a_request_to_stop() {
    let host = Host::new();
    let lifetime = host.lifetime();
    let running = host.start().await.unwrap();
    lifetime.stop();
    lifetime.fail("disk", "it is full");
    let report = running.wait().await;
    assert!(matches!(&report.cause, StopCause::Failed { service, .. } if &**service == "disk"), "{report}");
    assert!(report.into_result().unwrap_err().to_string().contains("it is full"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_start_undoes_it() {
    let diary = Diary::default();
    let host = Host::new()
        .service("a", Noted::new("a", &diary))
        .service("slow", Noted::new("slow", &diary).but("start", Manner::Hangs));
    let lifetime = host.lifetime();
    let (error, ()) = tokio::join!(host.start(), async {
        tokio::time::sleep(1.second()).await;
        lifetime.stop();
    });
    assert!(error.unwrap_err().is_closed());
    assert_eq!(diary.count("a stop"), 1);
}

#[tokio::test(start_paused = true)]
async fn two_services_of_one_name_are_refused() {
    let host = Host::new().service("a", on_stop(|_| async { Ok(()) })).background("a", |_| async { Ok(()) });
    let error = host.start().await.unwrap_err();
    assert!(error.is_misuse() && error.to_string().contains("`a`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_shutdown_delay_keeps_the_host_running_but_not_ready() {
    let host = Host::new().shutdown_delay(5.seconds()).background("work", |ctx| async move {
        ctx.cancelled().await;
        Ok(())
    });
    let (health, lifetime) = (host.health(), host.lifetime());
    let running = host.start().await.unwrap();
    assert!(health.report().await.is_ready);
    let begin = Instant::now();
    lifetime.stop();
    assert!(!health.report().await.is_ready, "at once");
    lifetime.stopping().await;
    assert_eq!(begin.elapsed().as_secs(), 5);
    assert!(running.wait().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn dropping_a_running_host_ends_everything() {
    let diary = Diary::default();
    let seen = diary.clone();
    let host = Host::new().background("work", move |_ctx| {
        let guard = Guard(seen.clone(), "dropped");
        async move {
            let _guard = guard;
            pending().await
        }
    });
    let lifetime = host.lifetime();
    let running = TestHost::start(host).await.unwrap();
    running.advance(1.second()).await;
    drop(running);
    lifetime.stopped().await;
    tokio::time::sleep(1.second()).await;
    assert_eq!(diary.count("dropped"), 1);
}

/// What one service does wrong, if anything.
fn troubles() -> impl Strategy<Value = Option<(&'static str, Manner)>> {
    let hooks = prop_oneof![
        Just("starting"),
        Just("start"),
        Just("started"),
        Just("stopping"),
        Just("stop"),
        Just("stopped")
    ];
    let manners = prop_oneof![Just(Manner::Fails), Just(Manner::Panics), Just(Manner::Hangs)];
    prop_oneof![2 => Just(None), 1 => (hooks, manners).prop_map(Some)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_or_hangs_no_service_is_left_and_the_budget_is_kept(
        troubles in proptest::collection::vec(troubles(), 1..6),
        together in any::<(bool, bool)>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let order = |together| if together { Order::Together } else { Order::OneByOne };
            let diary = Diary::default();
            let mut host = Host::new()
                .startup_timeout(20.seconds())
                .shutdown_timeout(10.seconds())
                .start_order(order(together.0))
                .stop_order(order(together.1));
            let names = ["a", "b", "c", "d", "e"];
            for (name, trouble) in names.into_iter().zip(&troubles) {
                let mut service = Noted::new(name, &diary);
                service.special = *trouble;
                host = host.service(name, service);
            }
            let begin = Instant::now();
            let has_trouble = |hooks: &[&str]| troubles.iter().flatten().any(|(hook, _)| hooks.contains(hook));
            match host.start().await {
                Ok(running) => {
                    assert!(!has_trouble(&["starting", "start", "started"]));
                    let report = running.stop().await;
                    assert_eq!(report.is_clean(), !has_trouble(&["stopping", "stop", "stopped"]), "{report}");
                }
                Err(error) => assert!(error.is_broken(), "{error}"),
            }
            assert!(begin.elapsed() <= Duration::from_millis(30_050), "{:?}", begin.elapsed());
            for (name, trouble) in names.into_iter().zip(&troubles) {
                let has_started = diary.count(&format!("{name} start")) == 1
                    && !matches!(trouble, Some(("start", _)));
                // Together, a start may be dropped because another failed: then it was never awaited.
                let stops = diary.count(&format!("{name} stop"));
                assert!(stops == usize::from(has_started), "{name}: {:?}", diary.entries());
            }
        });
    }
}
