//! The server under test: inline, drained, and travelling in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use portfire::prelude::*;
use portfire::testing::TestServer;

#[job]
async fn double(number: u64) -> Result<u64, JobError> {
    Ok(number * 2)
}

#[job(attempts = 3, backoff = Backoff::Fixed(Duration::from_secs(60)))]
async fn flaky(ctx: &JobContext) -> Result<(), JobError> {
    if ctx.attempt() < 3 { Err(JobError::message("not yet")) } else { Ok(()) }
}

#[job]
async fn makes_another(ctx: &JobContext) -> Result<(), JobError> {
    makes_another().enqueue(ctx.jobs()).await?;
    Ok(())
}

#[job]
async fn count(#[from] counter: &Arc<AtomicU32>, ctx: &JobContext) {
    counter.fetch_add(1, Ordering::Relaxed);
    ctx.log("counted");
}

#[job(attempts = 1)]
async fn panics() {
    panic!("boom");
}

async fn test_server() -> TestServer {
    let server = |jobs: &Jobs| {
        Server::new(jobs)
            .job::<double>()
            .job::<flaky>()
            .job::<makes_another>()
            .job::<count>()
            .job::<panics>()
            .provide(Arc::new(AtomicU32::new(0)))
    };
    TestServer::new(server).await.unwrap()
}

#[tokio::test]
async fn a_call_runs_inline_and_stores_nothing() {
    let test = test_server().await;
    assert_eq!(test.run(double(21)).await.unwrap(), 42);
    let failed = test.run(panics()).await.unwrap_err();
    assert!(failed.to_string().contains("boom"), "{failed}");
    assert!(test.jobs().overview().await.unwrap().counts.is_empty());
}

#[tokio::test]
async fn a_kind_that_the_server_does_not_know_is_said() {
    let test = TestServer::new(|jobs| Server::new(jobs).job::<double>()).await.unwrap();
    let refused = test.run(flaky()).await.unwrap_err();
    assert!(refused.to_string().contains("`flaky`"), "{refused}");
    let lacking = TestServer::new(|jobs| Server::new(jobs).job::<count>()).await;
    assert!(lacking.unwrap_err().is_misuse(), "a value is missing");
}

#[tokio::test]
async fn a_drain_runs_what_can_run_and_what_that_makes_possible() {
    let test = test_server().await;
    let parent = double(1).enqueue(test.jobs()).await.unwrap();
    double(2).after_success_of(&parent).enqueue(test.jobs()).await.unwrap();
    double(3).after(1.hour()).enqueue(test.jobs()).await.unwrap();
    let drained = test.drain().await.unwrap();
    drained.assert_all_succeeded();
    assert_eq!(drained.of::<double>().count(), 2);
    assert_eq!(test.jobs().result(&parent).await.unwrap(), Some(2));
    test.assert_enqueued::<double>(|job| job.number == 3).await;
    test.assert_none_enqueued::<flaky>().await;
}

#[tokio::test]
async fn retries_come_at_their_time() {
    let test = test_server().await;
    let job = flaky().enqueue(test.jobs()).await.unwrap();
    let begin = test.now();
    assert_eq!(test.drain().await.unwrap().attempts[0].state, State::Retrying);
    assert!(test.travel(59.seconds()).await.unwrap().attempts.is_empty());
    assert_eq!(test.travel(1.second()).await.unwrap().attempts[0].attempt, 2);
    let last = test.travel(1.hour()).await.unwrap();
    assert_eq!((last.attempts[0].state, last.attempts.len()), (State::Succeeded, 1));
    let details = test.jobs().get(&job).await.unwrap().unwrap();
    assert_eq!(details.summary.finished_at.unwrap().since(begin), Duration::from_secs(120));
    assert_eq!(test.now().since(begin), Duration::from_secs(3_660));
}

#[tokio::test]
async fn schedules_fire_at_each_slot_on_the_way() {
    let test = test_server().await;
    test.jobs().recurring("count", "*/5 * * * *").upsert(count()).await.unwrap();
    let ran = test.travel(1.hour()).await.unwrap();
    assert_eq!(ran.of::<count>().count(), 12);
    ran.assert_all_succeeded();
    let history = test.jobs().schedule("count").history(None, 20).await.unwrap();
    assert!(history.iter().all(|slot| slot.fired_at == slot.at), "each at its time, not at the end");
    let log = test.jobs().get(history[0].job.unwrap()).await.unwrap().unwrap().log;
    assert_eq!(&*log[0].text, "counted");
}

#[tokio::test]
async fn what_was_kept_long_enough_is_pruned_on_the_way() {
    let test = test_server().await;
    let job = double(1).enqueue(test.jobs()).await.unwrap();
    test.drain().await.unwrap();
    test.travel(23.hours()).await.unwrap();
    assert!(test.jobs().get(&job).await.unwrap().is_some());
    test.travel(1.hour()).await.unwrap();
    assert!(test.jobs().get(&job).await.unwrap().is_none());
}

#[tokio::test]
async fn jobs_that_make_each_other_without_end_are_an_error() {
    let test = test_server().await;
    // Pruned at once, so that the storage stays small.
    let retention = Retention { succeeded: Keep::For(Duration::ZERO), ..Retention::default() };
    makes_another().retention(retention).enqueue(test.jobs()).await.unwrap();
    let refused =
        tokio::time::timeout(Duration::from_secs(60), test.drain_at_most(50)).await.unwrap().unwrap_err();
    assert!(refused.is_misuse() && refused.to_string().contains("without end"), "{refused}");
}

#[tokio::test]
#[should_panic(expected = "not every attempt succeeded")]
async fn a_failed_attempt_is_shown() {
    let test = test_server().await;
    panics().enqueue(test.jobs()).await.unwrap();
    test.drain().await.unwrap().assert_all_succeeded();
}

/// No database knows of the job, so nothing is asked of the transaction; the output is checked all the same.
#[cfg(feature = "sqlite")]
#[job(attempts = 1)]
async fn completes(ctx: &JobContext, bytes: usize, fails: bool) -> Result<String, JobError> {
    let mut anywhere = rusqlite::Connection::open_in_memory()?;
    let output = "x".repeat(bytes);
    ctx.complete_in(&mut anywhere, &output).await?;
    if fails { Err(JobError::message("afterwards")) } else { Ok(output) }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_handler_that_completes_in_a_transaction_runs_unchanged() {
    let test = TestServer::new(|jobs| Server::new(jobs).job::<completes>()).await.unwrap();
    assert_eq!(test.run(completes(2, false)).await.unwrap(), "xx");
    let long = test.run(completes(2_000_000, false)).await.unwrap_err();
    assert!(long.to_string().contains("the limit is"), "{long}");
    let job = completes(1, false).enqueue(test.jobs()).await.unwrap();
    test.drain().await.unwrap().assert_all_succeeded();
    assert_eq!(test.jobs().result(&job).await.unwrap().as_deref(), Some("x"));
    completes(1, true).enqueue(test.jobs()).await.unwrap();
    assert_eq!(test.drain().await.unwrap().attempts[0].state, State::Failed);
}
