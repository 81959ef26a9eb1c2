//! How a failure wants to be treated, and how a call wants to be run.

use std::time::Duration;

use portfire::prelude::*;
use portfire::{Fault, Json, Outcome, Timestamp};

use crate::bed::{on_every_backend, stop};

#[job]
async fn snoozes(ctx: &JobContext) -> Result<(), JobError> {
    if ctx.created_at() > Timestamp::default() { Err(JobError::snooze(1.hour())) } else { Ok(()) }
}

#[job]
async fn knows_when() -> Result<(), JobError> {
    Err(JobError::message("busy").retry_after(2.hours()))
}

#[job(attempts = 2, retry_delay = by_number)]
async fn has_its_own_delays() -> Result<(), JobError> {
    Err(JobError::message("no"))
}

fn by_number(retry: u32, error: &JobError) -> Option<Duration> {
    (error.cause().to_string() == "no").then(|| u64::from(retry * 3).hours())
}

#[job]
async fn fails_for_good() -> Result<(), JobError> {
    Err("x".parse::<u8>().no_retry().unwrap_err())
}

#[job]
async fn works() {}

#[job]
async fn asks_its_parent(ctx: &JobContext) -> Result<u8, JobError> {
    ctx.parent_result()
}

#[job]
async fn counts_attempts(ctx: &JobContext) -> Result<Vec<u16>, JobError> {
    Ok(vec![ctx.attempt(), ctx.attempts_max()])
}

#[job]
async fn produces(bytes: usize) -> Result<String, JobError> {
    Ok("x".repeat(bytes))
}

#[job]
async fn has_a_deadline(ctx: &JobContext) -> Result<(bool, bool), JobError> {
    Ok((ctx.deadline().is_some(), ctx.time_to_shutdown().is_some()))
}

#[job]
async fn talks_too_much(ctx: &JobContext, lines: u32) {
    for line in 0..lines {
        ctx.log(line);
    }
}

fn server(bed: &crate::bed::Bed) -> Server {
    bed.server()
        .job::<snoozes>()
        .job::<knows_when>()
        .job::<has_its_own_delays>()
        .job::<fails_for_good>()
        .job::<works>()
        .job::<asks_its_parent>()
        .job::<counts_attempts>()
        .job::<produces>()
        .job::<has_a_deadline>()
        .job::<talks_too_much>()
}

/// How long the job waits, from the end of its last attempt.
fn wait_of(details: &portfire::JobDetails) -> Duration {
    details.summary.run_at.since(details.history.last().unwrap().ended_at)
}

#[test]
fn a_snooze_is_not_charged_and_a_retry_comes_when_the_handler_says() {
    on_every_backend(|bed| async move {
        let server = server(&bed).start().await.unwrap();
        let snoozed = snoozes().enqueue(&bed.jobs).await.unwrap();
        let later = knows_when().enqueue(&bed.jobs).await.unwrap();
        let own = has_its_own_delays().enqueue(&bed.jobs).await.unwrap();
        let snoozed = bed.until(&snoozed, State::Scheduled).await;
        assert_eq!((snoozed.summary.attempts, wait_of(&snoozed)), (0, 1.hour()));
        let later = bed.until(&later, State::Retrying).await;
        assert_eq!((later.summary.attempts, wait_of(&later)), (1, 2.hours()));
        assert_eq!(wait_of(&bed.until(&own, State::Retrying).await), 3.hours());
        bed.jobs.retry(&own).await.unwrap();
        assert_eq!(bed.until(&own, State::Failed).await.summary.attempts, 2);
        stop(server).await;
    });
}

#[test]
fn children_wait_for_the_end_that_they_named() {
    on_every_backend(|bed| async move {
        let (fails, succeeds) =
            (fails_for_good().enqueue(&bed.jobs).await.unwrap(), works().enqueue(&bed.jobs).await.unwrap());
        let after_failure = works().after_failure_of(&fails).enqueue(&bed.jobs).await.unwrap();
        let after_end = works().after_end_of(&fails).enqueue(&bed.jobs).await.unwrap();
        let never = works().after_failure_of(&succeeds).enqueue(&bed.jobs).await.unwrap();
        let waits = works().after_success_of(&fails).enqueue(&bed.jobs).await.unwrap();
        let server = server(&bed).start().await.unwrap();
        bed.until(&after_failure, State::Succeeded).await;
        bed.until(&after_end, State::Succeeded).await;
        bed.until(&never, State::Cancelled).await;
        bed.until(&waits, State::Awaiting).await;
        stop(server).await;
    });
}

#[test]
fn a_child_without_a_result_to_read_fails_for_good() {
    on_every_backend(|bed| async move {
        let server = server(&bed).start().await.unwrap();
        let parent = works().enqueue(&bed.jobs).await.unwrap();
        let child = asks_its_parent().after_success_of(&parent).enqueue(&bed.jobs).await.unwrap();
        let details = bed.until(&child, State::Failed).await;
        assert_eq!(details.summary.attempts, 1);
        assert!(
            details.history[0].fault.as_ref().unwrap().message.contains("no parent of this job has a result")
        );
        assert_eq!(bed.jobs.get(&parent).await.unwrap().unwrap().result, None, "nothing is stored of `()`");
        stop(server).await;
    });
}

#[test]
fn a_call_may_say_everything_about_itself() {
    on_every_backend(|bed| async move {
        let at = Timestamp::from(std::time::SystemTime::now()).after(5.hours());
        let kept = Retention { succeeded: Keep::Forever, ..Retention::default() };
        let call = works().timeout(7.seconds()).backoff(Backoff::Fixed(3.seconds())).retention(kept).at(at);
        let job = call.enqueue(&bed.jobs).await.unwrap();
        let details = bed.jobs.get(&job).await.unwrap().unwrap();
        assert_eq!((details.summary.state, details.summary.run_at), (State::Scheduled, at));
        assert_eq!(details.policy.timeout, Some(7.seconds()));
        assert_eq!((details.policy.backoff, details.policy.retention), (Backoff::Fixed(3.seconds()), kept));
    });
}

#[test]
fn a_handler_knows_its_attempt_its_deadline_and_that_nobody_stops() {
    on_every_backend(|bed| async move {
        let server = server(&bed).start().await.unwrap();
        let counts = counts_attempts().attempts(4).enqueue(&bed.jobs).await.unwrap();
        let timed = has_a_deadline().timeout(1.hour()).enqueue(&bed.jobs).await.unwrap();
        let untimed = has_a_deadline().enqueue(&bed.jobs).await.unwrap();
        for job in [counts.id(), timed.id(), untimed.id()] {
            bed.until(job, State::Succeeded).await;
        }
        assert_eq!(bed.jobs.result(&counts).await.unwrap(), Some(vec![1, 4]));
        assert_eq!(bed.jobs.result(&timed).await.unwrap(), Some((true, false)));
        assert_eq!(bed.jobs.result(&untimed).await.unwrap(), Some((false, false)));
        stop(server).await;
    });
}

#[test]
fn a_result_that_is_too_large_fails_with_advice() {
    on_every_backend(|bed| async move {
        let server = server(&bed).start().await.unwrap();
        let fits = produces((1 << 20) - 2).enqueue(&bed.jobs).await.unwrap();
        let large = produces((1 << 20) - 1).enqueue(&bed.jobs).await.unwrap();
        bed.until(&fits, State::Succeeded).await;
        let details = bed.until(&large, State::Failed).await;
        assert_eq!(details.summary.attempts, 1);
        assert!(
            details.history[0].fault.as_ref().unwrap().message.contains("Store the data and return its id")
        );
        stop(server).await;
    });
}

#[test]
fn log_lines_beyond_the_limit_are_counted_as_one() {
    on_every_backend(|bed| async move {
        let server = server(&bed).start().await.unwrap();
        let job = talks_too_much(10_005).enqueue(&bed.jobs).await.unwrap();
        let log = bed.until(&job, State::Succeeded).await.log;
        // Of the 10,001 the last are shown.
        let last: Vec<_> = log.iter().rev().take(2).map(|line| &*line.text).collect();
        assert_eq!(log.len(), portfire_core::limits::LOG_SHOWN as usize);
        assert_eq!(last, ["further lines of this attempt are not kept", "9999"]);
        stop(server).await;
    });
}

#[test]
fn arguments_that_no_longer_fit_are_named_as_such() {
    on_every_backend(|bed| async move {
        let stored =
            portfire_core::NewJob::new(bed.jobs.new_id(), "produces", Json::trusted(r#"{"bytes":-1}"#));
        let id = stored.id;
        bed.jobs.storage().insert(vec![stored]).await.unwrap();
        let server = server(&bed).start().await.unwrap();
        let details = bed.until_that(id, |job| !job.history.is_empty()).await;
        assert_eq!(&*details.history[0].outcome, Outcome::Undecodable(Fault::new("")).as_str());
        assert!(details.history[0].fault.as_ref().unwrap().message.contains("invalid value: integer `-1`"));
        stop(server).await;
    });
}

/// Told by a handler that it has begun: a job that is *processing* may still be on its way to it.
type Begun = std::sync::Arc<tokio::sync::Notify>;

#[job]
async fn looks_at_the_clock(#[from] begun: &Begun, ctx: &JobContext) -> Result<bool, JobError> {
    begun.notify_one();
    while ctx.time_to_shutdown().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(ctx.time_to_shutdown() <= Some(5.seconds()))
}

#[job]
async fn says_where_it_is(#[from] go_on: &Begun, ctx: &JobContext) {
    ctx.progress(1, 2);
    ctx.log("half");
    go_on.notified().await;
}

#[test]
fn progress_and_log_lines_are_seen_while_the_job_runs() {
    on_every_backend(|bed| async move {
        let go_on = Begun::default();
        let server = bed.server().job::<says_where_it_is>().provide(go_on.clone()).start().await.unwrap();
        let job = says_where_it_is().enqueue(&bed.jobs).await.unwrap();
        let details = bed.until_that(&job, |job| job.progress.is_some() && !job.log.is_empty()).await;
        assert_eq!((details.summary.state, details.progress.unwrap().done), (State::Processing, 1));
        go_on.notify_one();
        bed.until(&job, State::Succeeded).await;
        stop(server).await;
    });
}

#[test]
fn a_server_that_beats_keeps_its_jobs_however_long_they_take() {
    on_every_backend(|bed| async move {
        let go_on = Begun::default();
        let server = || bed.server().lease(1.second()).job::<says_where_it_is>().provide(go_on.clone());
        let (first, second) = (server().start().await.unwrap(), server().start().await.unwrap());
        let job = says_where_it_is().enqueue(&bed.jobs).await.unwrap();
        bed.until(&job, State::Processing).await;
        let leases =
            || async { bed.jobs.overview().await.unwrap().servers.into_iter().map(|one| one.lease_until) };
        let latest = || async { leases().await.max().unwrap() };
        let enough = latest().await.after(1.second());
        while latest().await <= enough {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        go_on.notify_one();
        let details = bed.until(&job, State::Succeeded).await;
        assert_eq!((details.summary.attempts, details.crashes), (1, 0));
        stop(first).await;
        stop(second).await;
    });
}

#[job(queue = "aside")]
async fn in_a_queue_of_its_own() {}

#[test]
fn a_handler_sees_how_long_a_stopping_server_waits() {
    on_every_backend(|bed| async move {
        let begun = Begun::default();
        let server = bed.server().job::<looks_at_the_clock>().provide(begun.clone()).start().await.unwrap();
        let job = looks_at_the_clock().enqueue(&bed.jobs).await.unwrap();
        begun.notified().await;
        stop(server).await;
        assert_eq!(bed.jobs.result(&job).await.unwrap(), Some(true));
    });
}

#[test]
fn a_server_serves_the_queues_that_its_kinds_name() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<works>().job::<in_a_queue_of_its_own>().job::<produces>();
        let server = server.start().await.unwrap();
        let job = in_a_queue_of_its_own().enqueue(&bed.jobs).await.unwrap();
        bed.until(&job, State::Succeeded).await;
        let [view] = &bed.jobs.overview().await.unwrap().servers[..] else { panic!("one server") };
        assert_eq!(view.info.queues, ["default".into(), "aside".into()]);
        assert_eq!(&*view.info.name, format!("process {}", std::process::id()));
        stop(server).await;
    });
}

#[test]
fn ordered_queues_are_served_one_after_the_other() {
    on_every_backend(|bed| async move {
        let to = |queue: &'static str| (0..12).map(move |_| works().queue(queue));
        let second = bed.jobs.enqueue_many(to("second")).await.unwrap();
        let first = bed.jobs.enqueue_many(to("first")).await.unwrap();
        let server = bed.server().job::<works>().slots(1).queues(Queues::ordered(["first", "second"]));
        let server = server.start().await.unwrap();
        let mut begun = [Vec::new(), Vec::new()];
        for (jobs, begun) in [first, second].iter().zip(&mut begun) {
            for job in jobs {
                begun.push(bed.until(job, State::Succeeded).await.summary.started_at.unwrap());
            }
        }
        assert!(begun[0].iter().max() <= begun[1].iter().min(), "{begun:?}");
        stop(server).await;
    });
}
