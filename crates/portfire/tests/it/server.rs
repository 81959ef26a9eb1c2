//! What a server does with jobs: run, retry, contain, cancel, stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use portfire::prelude::*;
use portfire::{Acted, Layer, Next, Outcome};
use tokio::sync::{Notify, mpsc};

use crate::bed::{on_every_backend, stop};

#[job]
async fn double(number: u64) -> Result<u64, JobError> {
    Ok(number * 2)
}

#[job]
fn double_blocking(number: u64) -> Result<u64, JobError> {
    Ok(number * 2)
}

#[job]
async fn add_to_parent(ctx: &JobContext, number: u64) -> Result<u64, JobError> {
    Ok(ctx.parent_result::<u64>()? + number)
}

#[job(attempts = 3, backoff = Backoff::Fixed(Duration::ZERO))]
async fn fail_until(ctx: &JobContext, attempt: u16) -> Result<(), JobError> {
    if ctx.attempt() < attempt { Err(JobError::message("not yet")) } else { Ok(()) }
}

#[job]
async fn hopeless() -> Result<(), JobError> {
    Err(JobError::message("a typo").no_retry())
}

#[job(attempts = 1)]
async fn panics() {
    panic!("boom");
}

#[job(attempts = 1, timeout = Duration::from_millis(20))]
async fn hangs() {
    std::future::pending::<()>().await;
}

#[job(attempts = 1)]
async fn stops_itself() -> Result<(), JobError> {
    Err(JobError::cancel("not needed any more"))
}

#[job]
async fn waits_for_the_end(#[from] started: &Notify, ctx: &JobContext) -> Result<(), JobError> {
    started.notify_one();
    ctx.cancellation().cancelled().await;
    ctx.check_cancelled()
}

#[job]
async fn talks(ctx: &JobContext) -> Result<(), JobError> {
    ctx.progress(1, 2);
    ctx.log("half");
    ctx.progress(2, 2);
    ctx.progress_message("done");
    Ok(())
}

#[test]
fn a_job_runs_and_its_result_is_kept() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<double>().job::<double_blocking>().start().await.unwrap();
        let first = double(21).enqueue(&bed.jobs).await.unwrap();
        let second = double_blocking(4).enqueue(&bed.jobs).await.unwrap();
        bed.until(&first, State::Succeeded).await;
        bed.until(&second, State::Succeeded).await;
        assert_eq!(bed.jobs.result(&first).await.unwrap(), Some(42));
        assert_eq!(bed.jobs.result(&second).await.unwrap(), Some(8));
        stop(server).await;
    });
}

#[test]
fn a_failure_is_retried_until_it_succeeds_and_every_attempt_is_kept() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<fail_until>().start().await.unwrap();
        let job = fail_until(3).enqueue(&bed.jobs).await.unwrap();
        let details = bed.until(&job, State::Succeeded).await;
        assert_eq!(details.summary.attempts, 3);
        assert_eq!(details.history.iter().map(|attempt| attempt.attempt).collect::<Vec<_>>(), [1, 2]);
        let gives_up = fail_until(4).enqueue(&bed.jobs).await.unwrap();
        assert_eq!(bed.until(&gives_up, State::Failed).await.history.len(), 3);
        stop(server).await;
    });
}

#[test]
fn a_handler_that_knows_better_is_obeyed() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<hopeless>().job::<stops_itself>().start().await.unwrap();
        let failed = hopeless().enqueue(&bed.jobs).await.unwrap();
        let cancelled = stops_itself().enqueue(&bed.jobs).await.unwrap();
        assert_eq!(bed.until(&failed, State::Failed).await.summary.attempts, 1);
        let details = bed.until(&cancelled, State::Cancelled).await;
        let reason = details.history[0].fault.clone().unwrap();
        assert_eq!(&*reason.message, "not needed any more");
        stop(server).await;
    });
}

#[test]
fn panics_and_timeouts_are_contained() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<panics>().job::<hangs>().job::<double>().start().await.unwrap();
        let panicked = panics().enqueue(&bed.jobs).await.unwrap();
        let hung = hangs().enqueue(&bed.jobs).await.unwrap();
        let details = bed.until(&panicked, State::Failed).await;
        assert_eq!(&*details.history[0].outcome, "panicked");
        assert_eq!(&*details.history[0].fault.clone().unwrap().message, "boom");
        assert_eq!(&*bed.until(&hung, State::Failed).await.history[0].outcome, "timed out");
        let after = double(1).enqueue(&bed.jobs).await.unwrap();
        bed.until(&after, State::Succeeded).await;
        stop(server).await;
    });
}

#[test]
fn a_running_job_is_cancelled_through_its_token() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<waits_for_the_end>().provide(Notify::new()).start().await.unwrap();
        let job = waits_for_the_end().enqueue(&bed.jobs).await.unwrap();
        bed.until(&job, State::Processing).await;
        assert_eq!(bed.jobs.cancel(&job).await.unwrap(), Acted::Flagged);
        bed.until(&job, State::Cancelled).await;
        stop(server).await;
    });
}

#[test]
fn stopping_gives_an_unfinished_job_back_uncharged() {
    on_every_backend(|bed| async move {
        let server = bed
            .server()
            .job::<waits_for_the_end>()
            .provide(Notify::new())
            .shutdown_timeout(100.milliseconds())
            .start()
            .await
            .unwrap();
        let job = waits_for_the_end().enqueue(&bed.jobs).await.unwrap();
        bed.until(&job, State::Processing).await;
        stop(server).await;
        let details = bed.until(&job, State::Enqueued).await;
        assert_eq!(details.summary.attempts, 0);
        assert!(bed.jobs.overview().await.unwrap().servers.is_empty());
    });
}

#[job]
async fn fails_when_it_is_asked_to_stop(ctx: &JobContext) -> Result<(), JobError> {
    ctx.cancellation().cancelled().await;
    Err(JobError::message("it was in the middle of something"))
}

/// The delay of its kind is for failures, and this is none.
#[job(retry_delay = an_hour)]
async fn fails_likewise(ctx: &JobContext) -> Result<(), JobError> {
    ctx.cancellation().cancelled().await;
    Err(JobError::message("it was in the middle of something"))
}

fn an_hour(_retry: u32, _error: &JobError) -> Option<Duration> {
    Some(1.hour())
}

#[job]
async fn never_ends() {
    std::future::pending::<()>().await;
}

#[test]
fn an_error_because_of_the_stop_is_not_charged() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<fails_when_it_is_asked_to_stop>().job::<fails_likewise>();
        let server = server.shutdown_timeout(100.milliseconds()).start().await.unwrap();
        let jobs = [
            fails_when_it_is_asked_to_stop().enqueue(&bed.jobs).await.unwrap().id(),
            fails_likewise().enqueue(&bed.jobs).await.unwrap().id(),
        ];
        for job in jobs {
            bed.until(job, State::Processing).await;
        }
        stop(server).await;
        for job in jobs {
            assert_eq!(bed.until(job, State::Enqueued).await.summary.attempts, 0);
        }
    });
}

#[test]
fn a_handler_that_does_not_listen_is_dropped_at_the_deadline() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<never_ends>().shutdown_timeout(50.milliseconds());
        let server = server.start().await.unwrap();
        let job = never_ends().enqueue(&bed.jobs).await.unwrap();
        bed.until(&job, State::Processing).await;
        // Shorter than the grace of a cancelled attempt, which would end it in a server without a deadline.
        let stopped = tokio::time::timeout(5.seconds(), server.stop()).await;
        stopped.expect("the deadline of the server comes first").unwrap();
        assert_eq!(bed.until(&job, State::Enqueued).await.summary.attempts, 0);
    });
}

/// `Duration::MAX` is a way to say that there is no limit. A job that fells each server that claims it fells all.
#[test]
fn the_longest_limits_are_none() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<double>().shutdown_timeout(Duration::MAX);
        let server = server.start().await.unwrap();
        let job = double(1).timeout(Duration::MAX).enqueue(&bed.jobs).await.unwrap();
        bed.until(&job, State::Succeeded).await;
        stop(server).await;
    });
}

/// Panics when it is woken, on the thread of who wakes it.
struct Trap;

impl Wake for Trap {
    fn wake(self: Arc<Self>) {
        panic!("a trap");
    }
}

#[job]
async fn sets_a_trap(ctx: &JobContext) {
    let mut cancelled = Box::pin(ctx.cancellation().cancelled());
    let trap = Waker::from(Arc::new(Trap));
    assert!(cancelled.as_mut().poll(&mut Context::from_waker(&trap)).is_pending());
    std::future::pending::<()>().await;
}

/// Else its jobs would stay with it for ever: only servers whose lease has ended are rescued.
#[test]
fn a_server_whose_driver_died_beats_no_more() {
    on_every_backend(|bed| async move {
        let server = bed.server().lease(1.second()).job::<sets_a_trap>();
        let mut dies = server.start().await.unwrap();
        let job = sets_a_trap().enqueue(&bed.jobs).await.unwrap();
        bed.until(&job, State::Processing).await;
        bed.jobs.cancel(&job).await.unwrap();
        assert!(dies.ended().await.unwrap_err().is_broken());
        let rescues = bed.server().lease(1.second()).job::<hopeless>().start().await.unwrap();
        bed.until(&job, State::Cancelled).await;
        stop(rescues).await;
    });
}

#[test]
fn a_child_reads_what_its_parent_produced() {
    on_every_backend(|bed| async move {
        let parent = double(5).enqueue(&bed.jobs).await.unwrap();
        let child = add_to_parent(1).after_success_of(&parent).enqueue(&bed.jobs).await.unwrap();
        bed.until(&child, State::Awaiting).await;
        let server = bed.server().job::<double>().job::<add_to_parent>().start().await.unwrap();
        bed.until(&child, State::Succeeded).await;
        assert_eq!(bed.jobs.result(&child).await.unwrap(), Some(11));
        stop(server).await;
    });
}

#[test]
fn unknown_kinds_wait_uncharged() {
    on_every_backend(|bed| async move {
        let waits = double(1).enqueue(&bed.jobs).await.unwrap();
        let server = bed.server().job::<hopeless>().start().await.unwrap();
        let known = hopeless().enqueue(&bed.jobs).await.unwrap();
        bed.until(&known, State::Failed).await;
        stop(server).await;
        let details = bed.until(&waits, State::Enqueued).await;
        assert_eq!(details.summary.attempts, 0);
    });
}

#[test]
fn progress_and_log_lines_are_kept() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<talks>().start().await.unwrap();
        let job = talks().enqueue(&bed.jobs).await.unwrap();
        let details = bed.until(&job, State::Succeeded).await;
        let progress = details.progress.unwrap();
        assert_eq!((progress.done, progress.total, progress.message.as_deref()), (2, Some(2), Some("done")));
        assert_eq!(details.log.iter().map(|line| &*line.text).collect::<Vec<_>>(), ["half"]);
        stop(server).await;
    });
}

#[test]
fn a_delayed_job_runs_when_it_is_due() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<double>().start().await.unwrap();
        let job = double(1).after(30.milliseconds()).enqueue(&bed.jobs).await.unwrap();
        let details = bed.until(&job, State::Succeeded).await;
        assert!(details.summary.started_at.unwrap() >= details.summary.created_at.after(30.milliseconds()));
        stop(server).await;
    });
}

#[test]
fn another_server_rescues_the_jobs_of_a_dead_one() {
    on_every_backend(|bed| async move {
        let dies = bed.server().lease(1.second()).job::<waits_for_the_end>().provide(Notify::new());
        let dies = dies.start().await.unwrap();
        let job = waits_for_the_end().enqueue(&bed.jobs).await.unwrap();
        bed.until(&job, State::Processing).await;
        drop(dies);
        let rescues = bed.server().lease(1.second()).job::<waits_for_the_end>().provide(Notify::new());
        let rescues = rescues.start().await.unwrap();
        let details = bed.until_that(&job, |details| details.summary.attempts == 2).await;
        assert_eq!(details.crashes, 1);
        bed.jobs.cancel(&job).await.unwrap();
        bed.until(&job, State::Cancelled).await;
        stop(rescues).await;
    });
}

struct Tells(&'static str, mpsc::UnboundedSender<String>);

impl Layer for Tells {
    fn around<'a>(
        &'a self,
        ctx: &'a JobContext,
        next: Next<'a>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(async move {
            self.1.send(format!("{} before", self.0)).unwrap();
            let outcome = next.run(ctx).await;
            self.1.send(format!("{} after {}", self.0, outcome.as_str())).unwrap();
            outcome
        })
    }
}

#[test]
fn layers_wrap_attempts_from_the_outside_in() {
    on_every_backend(|bed| async move {
        let (said, mut hears) = mpsc::unbounded_channel();
        let server = bed.server().job::<double>().layer(Tells("outer", said.clone()));
        let server = server.layer(Tells("inner", said)).start().await.unwrap();
        double(1).enqueue(&bed.jobs).await.unwrap();
        for expected in ["outer before", "inner before", "inner after succeeded", "outer after succeeded"] {
            assert_eq!(hears.recv().await.unwrap(), expected);
        }
        stop(server).await;
    });
}

#[job]
async fn counts(#[from] high: &HighWater) {
    high.enter();
    tokio::time::sleep(Duration::from_millis(2)).await;
    high.leave();
}

/// The most that were inside at once.
#[derive(Clone, Default)]
struct HighWater(Arc<(AtomicU32, AtomicU32)>);

impl HighWater {
    fn enter(&self) {
        let inside = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(inside, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn slots_and_queue_slots_are_never_exceeded() {
    on_every_backend(|bed| async move {
        let (high, other) = (HighWater::default(), 40);
        let jobs = bed.jobs.enqueue_many((0..other).map(|_| counts().queue("narrow"))).await.unwrap();
        let server = bed.server().job::<counts>().provide(high.clone()).slots(8);
        let server = server.queues(Queues::ordered(["default", "narrow"])).queue_slots("narrow", 3);
        let server = server.start().await.unwrap();
        for job in &jobs {
            bed.until(job, State::Succeeded).await;
        }
        assert_eq!(high.0.1.load(Ordering::SeqCst), 3);
        stop(server).await;
    });
}

#[test]
fn a_server_that_could_never_work_is_refused() {
    on_every_backend(|bed| async move {
        let says = |error: portfire::Error| error.to_string();
        let none = bed.server().start().await.unwrap_err();
        assert!(says(none).contains("knows no kinds"));
        let missing = bed.server().job::<waits_for_the_end>().start().await.unwrap_err();
        assert!(says(missing).contains("provides none"));
        let twice = bed.server().job::<double>().job::<double>().start().await.unwrap_err();
        assert!(says(twice).contains("two jobs have the kind `double`"));
        let idle = bed.server().job::<double>().slots(0).start().await.unwrap_err();
        assert!(idle.is_misuse());
        let narrow = Queues::ordered(["narrow", "default", "narrow"]);
        let repeated = bed.server().job::<double>().queues(narrow).queue_slots("narrow", 1).start().await;
        assert!(says(repeated.unwrap_err()).contains("queue `narrow` is named twice"));
        let unserved = bed.server().job::<double>().queue_slots("other", 1).start().await.unwrap_err();
        assert!(says(unserved).contains("does not serve"));
    });
}
