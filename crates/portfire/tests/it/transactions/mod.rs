//! The application's own transactions: one set of cases, which every driver passes. Each driver's file says how
//! it begins and ends a transaction, and how it writes a row.

#[cfg(feature = "mysql")]
mod on_mysql;
#[cfg(feature = "postgres")]
mod on_postgres;
mod on_sqlite;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use portfire::prelude::*;
use portfire::{Acted, OpenTransaction, Policy};
use portfire_core::storage::{Exchange, Settled};
use portfire_core::{Dice, Facts, Fault, Lease, Outcome, ServerId, settle};
use serde::{Deserialize, Serialize};

use crate::bed::{Bed, stop};

type Done<'a> = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send + 'a>>;
type Numbers<'a> = Pin<Box<dyn Future<Output = Vec<i64>> + Send + 'a>>;

/// An application with a table of its own in the database of the jobs, by one driver.
trait Application: Send + Sync + 'static {
    /// In one transaction: writes the number to the table, does the work, and commits or rolls back.
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a>;

    /// What is in the table.
    fn numbers(&self) -> Numbers<'_>;
}

type App = Arc<dyn Application>;

/// What is done in a transaction besides writing.
#[expect(clippy::large_enum_variant, reason = "one at a time, and taken apart at once")]
enum Work<'a> {
    Enqueue(Call<plain>),
    /// Ends the job with this output.
    Complete(&'a JobContext, i64),
}

impl Work<'_> {
    async fn perform<T: OpenTransaction>(self, transaction: &mut T) -> Result<(), JobError> {
        match self {
            Self::Enqueue(call) => Ok(call.enqueue_in(transaction).await.map(drop)?),
            Self::Complete(ctx, output) => ctx.complete_in(transaction, &output).await,
        }
    }
}

#[job]
async fn plain(_ctx: &JobContext) -> Result<(), JobError> {
    Ok(())
}

/// How a handler goes on after it has written and completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Course {
    Commits,
    RollsBackFirst,
    FailsAfterCommit,
    RollsBackAndReturns,
    ComesTooLate,
}

#[job(attempts = 3, backoff = Backoff::Fixed(Duration::ZERO))]
async fn write(ctx: &JobContext, #[from] app: &App, number: i64, course: Course) -> Result<i64, JobError> {
    if course == Course::ComesTooLate && ctx.attempt() == 1 {
        time_out_meanwhile(ctx).await;
    }
    let commit = match course {
        Course::RollsBackFirst => ctx.attempt() > 1,
        Course::RollsBackAndReturns => false,
        _ => true,
    };
    let done = app.transact(number, Work::Complete(ctx, number * 2), commit).await;
    if done.as_ref().is_err_and(JobError::is_lost) {
        ctx.log("lost");
    }
    done?;
    ctx.log("written");
    match course {
        Course::FailsAfterCommit => Err(JobError::message("after the commit")),
        Course::RollsBackFirst if !commit => Err(JobError::message("rolled back")),
        _ => Ok(number * 2),
    }
}

/// Adds to what its parent came to.
#[job]
async fn follow(ctx: &JobContext) -> Result<i64, JobError> {
    Ok(ctx.parent_result::<i64>()? + 1)
}

/// What a server does whose attempt has timed out while its handler cannot be stopped.
async fn time_out_meanwhile(ctx: &JobContext) {
    let lease = Lease { job: ctx.job_id(), token: ctx.token() };
    let (kind, policy) = (ctx.kind().into(), Policy::default());
    let facts = Facts { lease, kind, attempt: ctx.attempt(), crashes: 0, policy };
    let outcome = Outcome::Failed(Fault::new("took too long"));
    let settlements = vec![settle(&facts, outcome, &mut Dice::from_seed([1, 2]))];
    let server = ServerId::from_bytes([1; 16]);
    let exchange = Exchange { server, notes: Vec::new(), settlements, want: None };
    let answer = ctx.jobs().storage().exchange(exchange).await.unwrap();
    assert_eq!(answer.settled, [Settled::Applied(State::Retrying)]);
}

/// Runs every case with this driver.
async fn cases(jobs: Jobs, app: App) {
    let bed = Bed { jobs };
    let kinds = bed.server().job::<plain>().job::<write>().job::<follow>();
    let server = kinds.provide(Arc::clone(&app)).start().await.unwrap();
    jobs_are_there_if_and_only_if_it_commits(&bed, &app).await;
    a_repeated_id_and_a_name_with_a_parent_are_taken_once(&bed, &app).await;
    a_commit_ends_the_job_and_lets_its_children_go(&bed, &app).await;
    after_a_rollback_the_job_runs_again(&bed, &app).await;
    what_a_handler_returns_after_the_commit_changes_nothing(&bed, &app).await;
    a_rollback_leaves_the_success_to_the_server(&bed, &app).await;
    a_job_that_is_lost_is_not_completed(&bed, &app).await;
    stop(server).await;
}

async fn jobs_are_there_if_and_only_if_it_commits(bed: &Bed, app: &App) {
    let [stays, goes] = [bed.jobs.new_id(), bed.jobs.new_id()];
    app.transact(1, Work::Enqueue(plain().id(goes)), false).await.unwrap();
    app.transact(2, Work::Enqueue(plain().id(stays)), true).await.unwrap();
    bed.until(stays, State::Succeeded).await;
    assert!(bed.jobs.get(goes).await.unwrap().is_none());
    assert_eq!(app.numbers().await, [2]);
}

/// Each leaves its transaction as it was, so that the rest of it commits.
async fn a_repeated_id_and_a_name_with_a_parent_are_taken_once(bed: &Bed, app: &App) {
    let [plainly, named] = [bed.jobs.new_id(), bed.jobs.new_id()];
    let parent = plain().enqueue(&bed.jobs).await.unwrap();
    let child = |id| plain().id(id).unique("one").after_success_of(&parent);
    for number in [60, 61] {
        app.transact(number, Work::Enqueue(plain().id(plainly)), true).await.unwrap();
        app.transact(number, Work::Enqueue(child(named)), true).await.unwrap();
        assert_eq!(times(app, number).await, 2);
    }
    bed.until(plainly, State::Succeeded).await;
    bed.until(named, State::Succeeded).await;
}

async fn a_commit_ends_the_job_and_lets_its_children_go(bed: &Bed, app: &App) {
    let job = write(10, Course::Commits).unique("ten").enqueue(&bed.jobs).await.unwrap();
    let child = follow().after_success_of(&job).enqueue(&bed.jobs).await.unwrap();
    bed.until(&child, State::Succeeded).await;
    assert_eq!(bed.jobs.result(&child).await.unwrap(), Some(21));
    assert_eq!(bed.jobs.result(&job).await.unwrap(), Some(20));
    let details = bed.until_that(&job, |details| details.log.len() == 1).await;
    assert_eq!((details.summary.attempts, &*details.log[0].text), (1, "written"), "{details:#?}");
    assert!(details.history.is_empty() && times(app, 10).await == 1, "{details:#?}");
    let again = write(11, Course::Commits).unique("ten").enqueue(&bed.jobs).await.unwrap();
    assert_ne!(again.id(), job.id(), "the name is free");
    bed.until(&again, State::Succeeded).await;
}

async fn after_a_rollback_the_job_runs_again(bed: &Bed, app: &App) {
    let job = write(20, Course::RollsBackFirst).enqueue(&bed.jobs).await.unwrap();
    let details = bed.until(&job, State::Succeeded).await;
    assert_eq!((details.summary.attempts, details.history.len()), (2, 1), "{details:#?}");
    assert_eq!(times(app, 20).await, 1);
}

async fn what_a_handler_returns_after_the_commit_changes_nothing(bed: &Bed, app: &App) {
    let job = write(30, Course::FailsAfterCommit).enqueue(&bed.jobs).await.unwrap();
    // Its last words come with what it returned, which has been refused then.
    let details = bed.until_that(&job, |details| details.log.len() == 1).await;
    assert_eq!((details.summary.state, details.summary.attempts), (State::Succeeded, 1), "{details:#?}");
    assert!(details.history.is_empty() && times(app, 30).await == 1, "{details:#?}");
    assert_eq!(bed.jobs.result(&job).await.unwrap(), Some(60));
}

async fn a_rollback_leaves_the_success_to_the_server(bed: &Bed, app: &App) {
    let job = write(40, Course::RollsBackAndReturns).enqueue(&bed.jobs).await.unwrap();
    bed.until(&job, State::Succeeded).await;
    assert_eq!((bed.jobs.result(&job).await.unwrap(), times(app, 40).await), (Some(80), 0));
}

async fn a_job_that_is_lost_is_not_completed(bed: &Bed, app: &App) {
    let job = write(50, Course::ComesTooLate).enqueue(&bed.jobs).await.unwrap();
    let details = bed.until(&job, State::Retrying).await;
    assert_eq!(details.summary.attempts, 1, "{details:#?}");
    while !matches!(bed.jobs.retry(job.id()).await.unwrap(), Acted::Done(_)) {}
    let details = bed.until(&job, State::Succeeded).await;
    assert_eq!((details.summary.attempts, times(app, 50).await), (2, 1), "{details:#?}");
}

/// How often a number was written.
async fn times(app: &App, number: i64) -> usize {
    app.numbers().await.into_iter().filter(|written| *written == number).count()
}

/// Runs a future that is ready when it is first polled.
#[cfg(any(feature = "diesel-postgres", feature = "diesel-mysql"))]
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("diesel blocks"),
    }
}
