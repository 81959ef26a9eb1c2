//! The same job inline, in a queue, and durably.

use std::sync::Arc;

use portfire::hosting::testing::TestHost;
use portfire::hosting::{Fate, Host, Inline, TaskQueue, TaskState, WhenFull};
use portfire::prelude::*;
use portfire::{Filter, ModelStorage, PageRequest};

use super::{Diary, Guard};

#[job]
async fn greet(#[from] greeting: &String, ctx: &JobContext, name: String) -> Result<String, JobError> {
    Ok(format!("{greeting}, {name} ({})", ctx.attempt()))
}

#[job(attempts = 3, backoff = Backoff::Fixed(std::time::Duration::from_secs(60)))]
async fn fails_twice(ctx: &JobContext) -> Result<u16, JobError> {
    if ctx.attempt() < 3 { Err(JobError::message("no luck")) } else { Ok(ctx.attempt()) }
}

#[job(attempts = 1, timeout = std::time::Duration::from_secs(5))]
async fn hangs(#[from] guard: &Guard) -> Result<(), JobError> {
    guard.0.note("hangs");
    std::future::pending().await
}

#[job]
async fn waits(ctx: &JobContext) -> Result<(), JobError> {
    ctx.cancellation().cancelled().await;
    ctx.check_cancelled()
}

#[job(attempts = 1)]
async fn enqueues(ctx: &JobContext) -> Result<(), JobError> {
    greet("Ada".into()).enqueue(ctx.jobs()).await?;
    Ok(())
}

#[derive(Debug)]
struct StillClock;

impl portfire_core::Clock for StillClock {
    fn now(&self) -> portfire::Timestamp {
        portfire::Timestamp::from_micros(0)
    }
}

fn storage() -> Jobs {
    Jobs::new(Arc::new(ModelStorage::new(Arc::new(StillClock))))
}

async fn stored(jobs: &Jobs) -> Vec<String> {
    let page = jobs.list(Filter::default(), PageRequest::default()).await.unwrap();
    page.jobs.iter().map(|job| job.kind.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_same_job_runs_inline_and_in_a_queue_and_can_be_stored() {
    let inline = Inline::new().provide("Hello".to_owned());
    assert_eq!(greet("Ada".into()).run_inline(&inline).await.unwrap(), "Hello, Ada (1)");

    let queue = TaskQueue::new("work");
    let host = TestHost::start(Host::new().provide("Hi".to_owned()).queue(&queue)).await.unwrap();
    let task = greet("Ada".into()).local(&queue).await.unwrap();
    assert_eq!(task.await.unwrap(), "Hi, Ada (1)");
    host.stop().await;

    let jobs = storage();
    greet("Ada".into()).enqueue(&jobs).await.unwrap();
    assert_eq!(stored(&jobs).await, ["greet"]);
}

#[tokio::test(start_paused = true)]
async fn a_local_job_is_retried_by_its_policy() {
    let queue = TaskQueue::new("work");
    let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
    let begin = tokio::time::Instant::now();
    let task = fails_twice().local(&queue).await.unwrap();
    let other = queue.push(|_| async { Ok("meanwhile") }).await.unwrap();
    assert_eq!(other.await.unwrap(), "meanwhile");
    assert!(begin.elapsed() < 1.second(), "a retry holds up nobody");
    assert_eq!(task.await.unwrap(), 3);
    assert_eq!(begin.elapsed().as_secs(), 120);
    let gives_up = fails_twice().attempts(2).local(&queue).await.unwrap().await.unwrap_err();
    assert!(gives_up.is_failed() && gives_up.to_string().contains("no luck"), "{gives_up}");
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_local_job_times_out_and_its_values_are_let_go() {
    let (queue, diary) = (TaskQueue::new("work"), Diary::default());
    let made = diary.clone();
    let host = Host::new().queue(&queue).provide_with(move |_| {
        let made = made.clone();
        async move { Ok(Guard(made, "dropped")) }
    });
    let host = TestHost::start(host).await.unwrap();
    assert!(hangs().local(&queue).await.unwrap().await.unwrap_err().is_failed());
    assert_eq!(diary.entries(), ["hangs", "dropped"]);
    host.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_local_job_can_be_delayed_and_cancelled() {
    let queue = TaskQueue::new("work");
    let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
    let begin = tokio::time::Instant::now();
    let task = fails_twice().attempts(1).after(1.hour()).local(&queue).await.unwrap();
    assert!(task.await.unwrap_err().is_failed());
    assert_eq!(begin.elapsed().as_secs(), 3600);
    let task = waits().local(&queue).await.unwrap();
    host.advance(1.second()).await;
    task.cancel();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn calls_that_need_a_storage_or_a_missing_value_are_refused() {
    let queue = TaskQueue::new("work");
    let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
    let unique = waits().unique("one").local(&queue).await.unwrap_err();
    assert!(unique.is_misuse() && unique.to_string().contains("unique"), "{unique}");
    let parent = waits().after_success_of(storage().new_id()).local(&queue).await.unwrap_err();
    assert!(parent.is_misuse(), "{parent}");
    let missing = greet("Ada".into()).local(&queue).await.unwrap_err();
    assert!(missing.is_misuse() && missing.to_string().contains("String"), "{missing}");
    let inline = greet("Ada".into()).run_inline(&Inline::new()).await.unwrap_err();
    assert!(inline.to_string().contains("String"), "{inline}");
    host.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_handed_over_to_durable_storage() {
    let jobs = storage();
    let queue = TaskQueue::builder("work").hand_over_to(&jobs).build();
    let host = TestHost::start(Host::new().queue(&queue).shutdown_timeout(10.seconds())).await.unwrap();
    let runs = waits().local(&queue).await.unwrap();
    let next = fails_twice().local(&queue).await.unwrap();
    let later = waits().after(1.day()).local(&queue).await.unwrap();
    host.advance(1.second()).await;
    let report = host.stop().await;
    assert!(report.is_clean(), "nothing is lost: {report}");
    let left = &report.service("work").unwrap().left;
    assert!(left.len() == 3 && left.iter().all(|left| left.fate == Fate::HandedOver), "{left:?}");
    let mut kinds = stored(&jobs).await;
    kinds.sort();
    assert_eq!(kinds, ["fails_twice", "waits", "waits"]);
    assert!(runs.await.unwrap_err().is_handed_over());
    assert!(next.await.unwrap_err().is_handed_over() && later.await.unwrap_err().is_handed_over());
}

#[tokio::test(start_paused = true)]
async fn what_is_handed_over_keeps_the_time_before_which_it_may_not_run() {
    let jobs = storage();
    let queue = TaskQueue::builder("work").hand_over_to(&jobs).build();
    let host = TestHost::start(Host::new().queue(&queue).shutdown_timeout(10.seconds())).await.unwrap();
    // 2026-01-01T00:00:00Z, where a test begins.
    let began = portfire::Timestamp::from_micros(1_767_225_600_000_000);
    let at = began.after(2.days());
    let delayed = waits().after(1.day()).local(&queue).await.unwrap();
    let appointed = waits().at(at).local(&queue).await.unwrap();
    let retried = fails_twice().local(&queue).await.unwrap();
    host.advance(1.second()).await;
    assert_eq!(retried.state(), TaskState::Retrying);
    assert!(host.stop().await.is_clean());
    let page = jobs.list(Filter::default(), PageRequest::default()).await.unwrap();
    let mut due: Vec<_> = page.jobs.iter().map(|job| (job.run_at, &*job.kind, job.attempts)).collect();
    due.sort();
    let minute = began.after(1.minute());
    assert_eq!(due, [(minute, "fails_twice", 0), (began.after(1.day()), "waits", 0), (at, "waits", 0)]);
    assert!(delayed.await.unwrap_err().is_handed_over() && appointed.await.unwrap_err().is_handed_over());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_its_next_attempt_takes_nobodys_place() {
    for when_full in [WhenFull::Wait, WhenFull::Reject] {
        let queue = TaskQueue::builder("work").capacity(1).when_full(when_full).build();
        let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
        let retried = fails_twice().local(&queue).await.unwrap();
        host.advance(1.second()).await;
        assert_eq!((retried.state(), queue.waiting()), (TaskState::Retrying, 1));
        let other = queue.push(|_| async { Ok("meanwhile") }).await.unwrap();
        assert_eq!(other.await.unwrap(), "meanwhile", "{when_full:?}");
        assert_eq!(retried.await.unwrap(), 3);
        assert!(host.stop().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopping_queue_does_not_wait_for_what_was_cancelled() {
    let queue = TaskQueue::new("work");
    let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
    let begin = tokio::time::Instant::now();
    let later = waits().after(20.seconds()).local(&queue).await.unwrap();
    let lifetime = host.lifetime().clone();
    lifetime.stop();
    tokio::time::sleep(1.second()).await;
    later.cancel();
    assert!(host.stop().await.is_clean());
    assert!(begin.elapsed() < 2.seconds(), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_local_job_enqueues_where_its_queue_hands_over() {
    let jobs = storage();
    let (with, without) = (TaskQueue::builder("with").hand_over_to(&jobs).build(), TaskQueue::new("without"));
    let host = TestHost::start(Host::new().queue(&with).queue(&without)).await.unwrap();
    enqueues().local(&with).await.unwrap().await.unwrap();
    assert_eq!(stored(&jobs).await, ["greet"]);
    let failure = enqueues().local(&without).await.unwrap().await.unwrap_err();
    assert!(failure.to_string().contains("hand_over_to"), "{failure}");
    host.stop().await;
}
