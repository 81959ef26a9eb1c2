//! How a job enters, written once for everything that can run SQL: the writer thread, and each driver's
//! transaction.
//!
//! 1. A repeat of an id is answered and changes nothing.
//! 2. A unique name that is taken leads to its holder and changes nothing.
//! 3. The parents that have ended are judged; an unknown parent refuses the whole set.
//! 4. The body is stored, and the job placed: awaiting, scheduled, ready, or cancelled at once.
//!
//! The code is async for the drivers that are; on rusqlite every step is ready at once, and [`at_once`] runs it.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use portfire_core::storage::Inserted;
use portfire_core::{Error, JobId, Keep, NewJob, Result, State, Timestamp, Verdict};

use crate::rows::{Ended, Ending, Row, Value};
use crate::statements::Op;
use crate::tally::Tallies;

/// Something that can run our statements.
pub(crate) trait Executor {
    /// Runs a statement; answers how many rows changed.
    fn execute(&mut self, op: Op, values: &[Value<'_>]) -> impl Future<Output = Result<u64>>;

    /// Runs a query; answers its first row.
    fn row(&mut self, op: Op, values: &[Value<'_>]) -> impl Future<Output = Result<Option<Row>>>;

    /// Runs a query; answers its rows.
    fn rows(&mut self, op: Op, values: &[Value<'_>]) -> impl Future<Output = Result<Vec<Row>>>;

    /// The attempt that this claim holds and that is about to end.
    async fn ending(&mut self, lease: &[Value<'_>]) -> Result<Option<Ending>> {
        self.row(Op::Ending, lease).await?.map(Ending::of).transpose()
    }

    /// Writes how an attempt ended its job, at once or at [`write_ends`](Self::write_ends).
    async fn end(&mut self, ended: Ended) -> Result<()> {
        self.execute(Op::FinishedInsert, &ended.values()).await.map(drop)
    }

    /// Writes what [`end`](Self::end) has kept: before `finished` is read.
    async fn write_ends(&mut self) -> Result<()> {
        Ok(())
    }

    /// What is counted in this transaction. Whoever ends it has it [written](crate::tally::write) before.
    fn tallies(&mut self) -> &mut Tallies;
}

/// Runs a future whose every step is ready.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a driver that blocks answers before it returns"),
    }
}

/// Stores jobs. After an error the transaction must be rolled back.
pub(crate) async fn insert<E: Executor>(
    db: &mut E,
    now: Timestamp,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        job.check()?;
        answers.push(insert_one(db, now, job).await?);
    }
    Ok(answers)
}

/// What a job's parents mean for it.
struct Parents {
    waiting_for: i64,
    impossible: bool,
}

async fn insert_one<E: Executor>(db: &mut E, now: Timestamp, job: &NewJob) -> Result<Inserted> {
    if let Some(name) = &job.unique
        && let Some(known) = take_name(db, job, name).await?
    {
        return Ok(known);
    }
    let run_at = job.start.instant(now);
    if !insert_body(db, now, run_at, job).await? {
        return Ok(Inserted::SameId);
    }
    db.tallies().of(&job.kind, &job.queue).created += 1;
    for tag in &job.tags {
        db.execute(Op::TagInsert, &[Value::Text(tag), Value::id(&job.id)]).await?;
    }
    let parents = insert_parents(db, job).await?;
    place(db, now, run_at, job, &parents).await?;
    Ok(Inserted::New)
}

/// Takes the unique name; answers if the job is not to be stored.
async fn take_name<E: Executor>(db: &mut E, job: &NewJob, name: &str) -> Result<Option<Inserted>> {
    let (kind, id) = (Value::Text(&job.kind), Value::id(&job.id));
    if db.row(Op::JobExists, &[id]).await?.is_some() {
        return Ok(Some(Inserted::SameId));
    }
    if db.execute(Op::UniqueTake, &[kind, Value::Text(name), id]).await? > 0 {
        return Ok(None);
    }
    let row = db.row(Op::UniqueHolder, &[kind, Value::Text(name)]).await?;
    let row = row.ok_or_else(|| Error::broken("a unique name is taken, but nobody has it"))?;
    Ok(Some(Inserted::Duplicate(row.id(0)?)))
}

async fn insert_body<E: Executor>(
    db: &mut E,
    now: Timestamp,
    run_at: Timestamp,
    job: &NewJob,
) -> Result<bool> {
    let policy = job.policy.to_json();
    let tags = crate::rows::tags_text(&job.tags);
    let values = [
        Value::id(&job.id),
        Value::Text(&job.kind),
        Value::Text(&job.queue),
        Value::Int(job.priority.into()),
        Value::Int(run_at.max(now).as_micros()),
        Value::Int(now.as_micros()),
        Value::Text(job.args.as_str()),
        Value::text(policy.as_ref().map(portfire_core::Json::as_str)),
        Value::text(job.unique.as_deref()),
        Value::text(tags.as_deref()),
        Value::Int(i64::from(!job.after.is_empty())),
        Value::text(job.slot.as_ref().map(|slot| &*slot.schedule)),
        job.slot.as_ref().map_or(Value::Null, |slot| Value::Int(slot.at.as_micros())),
    ];
    Ok(db.execute(Op::JobInsert, &values).await? > 0)
}

async fn insert_parents<E: Executor>(db: &mut E, job: &NewJob) -> Result<Parents> {
    let mut parents = Parents { waiting_for: 0, impossible: false };
    for (position, dependency) in (0_i64..).zip(&job.after) {
        let (state, result) = parent_end(db, job, dependency.parent).await?;
        let verdict = state.map_or(Verdict::Wait, |state| dependency.on.verdict(state));
        parents.waiting_for += i64::from(verdict == Verdict::Wait);
        parents.impossible |= verdict == Verdict::Impossible;
        let decided = verdict != Verdict::Wait;
        let values = [
            Value::id(&job.id),
            Value::Int(position),
            Value::id(&dependency.parent),
            Value::Text(dependency.on.as_str()),
            Value::text(state.filter(|_| decided).map(State::as_str)),
            Value::text(result.as_deref().filter(|_| decided)),
        ];
        db.execute(Op::DependencyInsert, &values).await?;
    }
    Ok(parents)
}

async fn parent_end<E: Executor>(
    db: &mut E,
    job: &NewJob,
    parent: JobId,
) -> Result<(Option<State>, Option<Box<str>>)> {
    let row = if parent == job.id { None } else { db.row(Op::ParentState, &[Value::id(&parent)]).await? };
    let row = row.ok_or_else(|| {
        Error::misuse(format!(
            "job {parent} is not known, so `{}` cannot wait for it; enqueue the parent first (one that \
             ended long ago may have been pruned)",
            job.kind
        ))
    })?;
    let state = row.opt_text(0)?.map(str::parse).transpose()?;
    Ok((state, row.opt_text(1)?.map(Into::into)))
}

async fn place<E: Executor>(
    db: &mut E,
    now: Timestamp,
    run_at: Timestamp,
    job: &NewJob,
    parents: &Parents,
) -> Result<()> {
    let id = Value::id(&job.id);
    if parents.impossible {
        return cancel_at_once(db, now, job).await;
    }
    if parents.waiting_for > 0 {
        db.execute(Op::AwaitingInsert, &[id, Value::Int(parents.waiting_for)]).await?;
    } else if run_at > now {
        db.execute(Op::ScheduledInsert, &[Value::Int(run_at.as_micros()), id, Value::Int(0)]).await?;
    } else {
        let (queue, kind) = (Value::Text(&job.queue), Value::Text(&job.kind));
        let (priority, due) = (Value::Int(job.priority.into()), Value::Int(now.as_micros()));
        db.execute(Op::ReadyInsert, &[queue, priority, due, id, kind]).await?;
    }
    Ok(())
}

/// A job whose parent has already ended otherwise than it asks.
async fn cancel_at_once<E: Executor>(db: &mut E, now: Timestamp, job: &NewJob) -> Result<()> {
    let keep = job.policy.retention.of(State::Cancelled);
    let values = [
        Value::id(&job.id),
        Value::Text(State::Cancelled.as_str()),
        Value::Int(now.as_micros()),
        Value::Null,
        Value::Null,
        Value::Null,
        prune_at(now, keep),
        Value::Null,
    ];
    db.execute(Op::FinishedInsert, &values).await?;
    db.tallies().of(&job.kind, &job.queue).count_end(State::Cancelled, None);
    if let Some(name) = &job.unique {
        let values = [Value::Text(&job.kind), Value::Text(name), Value::id(&job.id)];
        db.execute(Op::UniqueFree, &values).await?;
    }
    Ok(())
}

/// When a job that ended now may be pruned.
pub(crate) fn prune_at(now: Timestamp, keep: Keep) -> Value<'static> {
    match keep {
        Keep::For(duration) => Value::Int(now.after(duration).as_micros()),
        Keep::Forever => Value::Null,
    }
}
