//! Periodic services: rates, rests, cron, coalescing, failures, values.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use portfire::hosting::testing::TestHost;
use portfire::hosting::{Every, Host, Periodic, ServiceState, Status, Tick};
use portfire::{DurationExt, JobError};

use super::{Diary, Guard};

type Work = std::pin::Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

/// Notes each tick with the host's time, and then works this long.
fn noting(diary: &Diary, seconds: u64) -> impl Fn(Tick) -> Work + Send + Sync + 'static {
    let diary = diary.clone();
    move |tick| {
        let time = tick.now().to_string();
        diary.note(format!("{} {} +{}", tick.number(), &time[..19], tick.missed()));
        Box::pin(async move {
            tick.sleep(seconds.seconds()).await;
            Ok(())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_interval_ticks_at_a_fixed_rate_and_a_delay_rests_between() {
    let (rate, delay) = (Diary::default(), Diary::default());
    let host = Host::new()
        .periodic("rate", Every::interval(60.seconds()).at_once(), noting(&rate, 10))
        .periodic("delay", Every::delay(60.seconds()), noting(&delay, 10));
    let host = TestHost::start(host).await.unwrap();
    host.advance(3.minutes()).await;
    host.stop().await;
    let at = |diary: &Diary| diary.entries().iter().map(|entry| entry[13..21].to_owned()).collect::<Vec<_>>();
    assert_eq!(at(&rate), ["00:00:00", "00:01:00", "00:02:00", "00:03:00"]);
    assert_eq!(at(&delay), ["00:01:00", "00:02:10"]);
}

#[tokio::test(start_paused = true)]
async fn ticks_coalesce_instead_of_overlapping() {
    let diary = Diary::default();
    let busy = Arc::new(AtomicU32::new(0));
    let (notes, running) = (diary.clone(), busy.clone());
    let host = Host::new().periodic("slow", Every::interval(10.seconds()), move |tick| {
        let (notes, running) = (notes.clone(), running.clone());
        async move {
            assert_eq!(running.fetch_add(1, SeqCst), 0, "two ticks at once");
            notes.note(format!("{} +{}", tick.number(), tick.missed()));
            tick.sleep(if tick.number() == 1 { 35.seconds() } else { 1.second() }).await;
            running.fetch_sub(1, SeqCst);
            Ok(())
        }
    });
    let host = TestHost::start(host).await.unwrap();
    host.advance(60.seconds()).await;
    assert!(host.stop().await.is_clean());
    // Due at 10; at 20, 30 and 40 it works; one tick at 45 stands for three.
    assert_eq!(diary.entries(), ["1 +0", "2 +2", "3 +0", "4 +0"]);
}

#[tokio::test(start_paused = true)]
async fn cron_ticks_follow_the_clock_of_their_zone() {
    let diary = Diary::default();
    let host =
        Host::new().periodic("nightly", Every::cron("0 2 * * *", "Asia/Taipei").unwrap(), noting(&diary, 0));
    let host = TestHost::start(host).await.unwrap();
    host.advance(2.days()).await;
    assert!(host.stop().await.is_clean());
    assert_eq!(diary.entries(), ["1 2026-01-01T18:00:00 +0", "2 2026-01-02T18:00:00 +0"]);
}

#[test]
fn a_cron_that_is_not_understood_is_refused() {
    assert!(Every::cron("0 25 * * *", "UTC").unwrap_err().is_misuse());
    assert!(Every::cron("0 2 * * *", "Asia/Taipeh").unwrap_err().is_misuse());
}

#[tokio::test(start_paused = true)]
async fn a_failed_tick_is_shown_and_the_next_one_comes() {
    let host = Host::new().periodic("flaky", Every::interval(1.minute()), |tick| async move {
        match tick.number() {
            1 => Err(JobError::message("no luck")),
            2 => panic!("boom"),
            _ => Ok(()),
        }
    });
    let host = TestHost::start(host).await.unwrap();
    for problem in ["no luck", "boom"] {
        host.advance(1.minute()).await;
        let service = host.health().report().await.services.remove(0);
        assert_eq!((service.state, service.status), (ServiceState::Running, Status::Degraded));
        assert!(service.problem.as_ref().unwrap().contains(problem), "{service:?}");
    }
    host.advance(1.minute()).await;
    let service = host.health().report().await.services.remove(0);
    assert_eq!((service.status, service.failures), (Status::Healthy, 2));
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn each_tick_has_values_of_its_own_even_after_a_panic() {
    let diary = Diary::default();
    let made = diary.clone();
    let host = Host::new()
        .provide_with(move |_| {
            let made = made.clone();
            async move {
                made.note("made");
                Ok(Guard(made, "dropped"))
            }
        })
        .periodic("work", Every::interval(1.minute()), |tick| async move {
            let (first, second) = (tick.value::<Guard>().await?, tick.value::<Guard>().await?);
            assert!(Arc::ptr_eq(&first, &second) && tick.number() != 2, "boom");
            Ok(())
        });
    let host = TestHost::start(host).await.unwrap();
    host.advance(3.minutes()).await;
    assert!(host.stop().await.is_clean());
    assert_eq!(diary.entries(), ["made", "dropped"].repeat(3));
}

#[tokio::test(start_paused = true)]
async fn a_tick_can_be_called_for_and_its_error_is_given() {
    let host = Host::new().periodic("good", Every::interval(1.hour()), |_| async { Ok(()) }).periodic(
        "bad",
        Every::interval(1.hour()),
        |_| async { Err(JobError::message("no luck")) },
    );
    let host = TestHost::start(host).await.unwrap();
    host.tick("good").await.unwrap();
    assert!(host.tick("bad").await.unwrap_err().to_string().contains("no luck"));
    assert!(host.tick("missing").await.unwrap_err().is_misuse());
    host.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_takes_too_long_is_dropped_or_named() {
    let slow = |tick: Tick| async move {
        tick.sleep(if tick.number() == 1 { 1.hour() } else { 1.second() }).await;
        Ok(())
    };
    let host = Host::new()
        .add(Periodic::new("limited", Every::interval(1.minute()), slow).timeout(5.seconds()))
        .add(Periodic::new("watched", Every::interval(1.minute()), slow).stuck_after(5.seconds()));
    let host = TestHost::start(host).await.unwrap();
    host.advance(66.seconds()).await;
    let report = host.health().report().await;
    assert!(report.services[0].problem.as_ref().unwrap().contains("longer than 5s"), "{report:?}");
    assert_eq!(report.stuck, ["watched".into()]);
    host.advance(1.hour()).await;
    assert!(host.health().report().await.is_live, "a tick that ends is not stuck any more");
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn jitter_delays_ticks_but_not_their_beat() {
    let diary = Diary::default();
    let host =
        Host::new().periodic("work", Every::interval(1.hour()).jitter(10.minutes()), noting(&diary, 0));
    let host = TestHost::start(host).await.unwrap();
    host.advance(24.hours() + 10.minutes()).await;
    host.stop().await;
    let entries = diary.entries();
    assert_eq!(entries.len(), 24, "{entries:?}");
    assert!(entries.iter().all(|entry| entry.contains(":0") || entry.contains(":10:0")), "{entries:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_runs_at_the_stop_is_asked_to_end() {
    let diary = Diary::default();
    let notes = diary.clone();
    let host = Host::new().periodic("work", Every::interval(1.minute()).at_once(), move |tick| {
        let notes = notes.clone();
        async move {
            tick.cancelled().await;
            notes.note("ended");
            Ok(())
        }
    });
    let host = TestHost::start(host).await.unwrap();
    host.advance(1.second()).await;
    let report = host.stop().await;
    assert!(report.is_clean() && report.took < 1.second());
    assert_eq!(diary.entries(), ["ended"]);
}
