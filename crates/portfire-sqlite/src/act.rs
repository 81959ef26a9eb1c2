//! What operators and the keeper do to jobs: cancel, run now, move, delete; promote, rescue, prune.
//!
//! Whether a wish is possible is read from the table of [`State`]; nothing is decided here.

use std::sync::Arc;

use portfire_core::limits::SERVERS_KEPT;
use portfire_core::storage::{Acted, Action, By, Deed, Expired, Polled, Promoted, Was};
use portfire_core::{Error, Facts, JobId, Lease, Policy, Result, State, Timestamp};

use crate::insert::at_once;
use crate::rows::{Row, Value, json_list};
use crate::settle::{cancel, enqueue_or_schedule, tell_children};
use crate::statements::Op;
use crate::steer::{prune_audit, remember};
use crate::tally;
use crate::threads::Tx;

/// Does what an operator wants of each job.
pub(crate) fn act(tx: &mut Tx<'_>, jobs: &[JobId], action: &Action, by: &By) -> Result<Vec<Acted>> {
    jobs.iter().map(|job| act_on(tx, *job, action, by)).collect()
}

/// The state that a row of `place` means.
pub(crate) fn state_of(place: &Row) -> Result<State> {
    if let Some(word) = place.opt_text(10)? {
        return word.parse();
    }
    let retrying = place.opt_int(7)?;
    Ok(match (place.is_null(9), place.is_null(8), retrying, place.is_null(6)) {
        (false, ..) => State::Processing,
        (_, false, ..) => State::Enqueued,
        (_, _, Some(0), _) => State::Scheduled,
        (_, _, Some(_), _) => State::Retrying,
        (_, _, _, false) => State::Awaiting,
        _ => return Err(Error::broken("a job is in no table; the database was changed by something else")),
    })
}

fn act_on(tx: &mut Tx<'_>, job: JobId, action: &Action, by: &By) -> Result<Acted> {
    let Some(place) = tx.one(Op::Place, &[Value::id(&job)])? else { return Ok(Acted::Missing) };
    let state = state_of(&place)?;
    let acted = act_there(tx, job, action, &place, state)?;
    let was = Was { state, queue: place.text(0)?, priority: place.small(1)?, run_at: place.time(2)? };
    remember(tx, by, Deed::on_job(job, action, was, acted))?;
    Ok(acted)
}

fn act_there(tx: &mut Tx<'_>, job: JobId, action: &Action, place: &Row, state: State) -> Result<Acted> {
    let Some(cause) = action.cause() else {
        if !state.is_deletable() {
            return Ok(Acted::Refused(state));
        }
        delete(tx, job, place)?;
        return Ok(Acted::Done(state));
    };
    let Ok(next) = state.after(cause) else { return Ok(Acted::Refused(state)) };
    match action {
        Action::Cancel if state == State::Processing => {
            tx.run(Op::CancelRequest, &[Value::id(&job)])?;
            tx.made_ready = true; // Not ready to run, but its server must hear of it.
            return Ok(Acted::Flagged);
        }
        Action::Cancel | Action::Delete => {
            take_out(tx, job, place, state)?;
            let now = tx.now;
            at_once(cancel(tx, now, job, place))?;
        }
        Action::RunNow => return wait_for(tx, job, place, (state, next), tx.now),
        Action::Reschedule(at) => return wait_for(tx, job, place, (state, next), *at),
        Action::MoveTo(queue) => relocate(tx, job, place, state, (queue, place.int(1)?))?,
        Action::Prioritize(priority) => {
            relocate(tx, job, place, state, (place.text(0)?, (*priority).into()))?;
        }
    }
    Ok(Acted::Done(next))
}

/// Gives a waiting job another queue or priority. Only enqueued ones stand in a line already.
fn relocate(
    tx: &mut Tx<'_>,
    job: JobId,
    place: &Row,
    state: State,
    (queue, priority): (&str, i64),
) -> Result<()> {
    let (id, queue, priority) = (Value::id(&job), Value::Text(queue), Value::Int(priority));
    tx.run(Op::JobRelocate, &[id, queue, priority])?;
    if state == State::Enqueued {
        take_out(tx, job, place, state)?;
        let (due, kind) = (Value::Int(place.int(2)?), Value::Text(place.text(3)?));
        tx.run(Op::ReadyInsert, &[queue, priority, due, id, kind])?;
        tx.made_ready = true;
    }
    Ok(())
}

/// Makes a job wait for `at` instead of whatever it did.
fn wait_for(
    tx: &mut Tx<'_>,
    job: JobId,
    place: &Row,
    (state, next): (State, State),
    at: Timestamp,
) -> Result<Acted> {
    if state.is_final() && !begin_afresh(tx, job, place)? {
        return Ok(Acted::Refused(state));
    }
    take_out(tx, job, place, state)?;
    if next == State::Retrying && at > tx.now {
        let (id, due) = (Value::id(&job), Value::Int(at.as_micros()));
        tx.run(Op::JobMove, &[id, due])?;
        tx.run(Op::ScheduledInsert, &[due, id, Value::Int(1)])?;
        return Ok(Acted::Done(next));
    }
    let now = tx.now;
    at_once(enqueue_or_schedule(tx, now, job, place, at)).map(Acted::Done)
}

/// An ended job runs again: it takes its unique name back if that is free, and forgets its result.
fn begin_afresh(tx: &Tx<'_>, job: JobId, place: &Row) -> Result<bool> {
    let id = Value::id(&job);
    if let Some(name) = place.opt_text(4)?
        && tx.run(Op::UniqueTake, &[Value::Text(place.text(3)?), Value::Text(name), id])? == 0
    {
        return Ok(false);
    }
    tx.run(Op::JobReset, &[id])?;
    tx.run(Op::ResultDelete, &[id])?;
    Ok(true)
}

/// Removes a job from the table that says its state.
fn take_out(tx: &Tx<'_>, job: JobId, place: &Row, state: State) -> Result<()> {
    let id = Value::id(&job);
    let run_at = Value::Int(place.int(2)?);
    match state {
        State::Awaiting => tx.run(Op::AwaitingDelete, &[id]),
        State::Scheduled | State::Retrying => tx.run(Op::ScheduledDelete, &[run_at, id]),
        State::Enqueued => {
            let key = [Value::Text(place.text(0)?), Value::Int(place.int(1)?), run_at, id];
            tx.run(Op::ReadyDelete, &key)
        }
        State::Succeeded | State::Failed | State::Cancelled => tx.run(Op::FinishedDelete, &[id]),
        State::Processing => return Err(Error::broken("a running job leaves only through its fence")),
    }
    .map(drop)
}

/// What is deleted with a job, and the job itself last.
const BELONGINGS: [Op; 7] = [
    Op::AttemptDelete,
    Op::ResultDelete,
    Op::DependencyDelete,
    Op::TagDelete,
    Op::ProgressDelete,
    Op::LogDelete,
    Op::JobDelete,
];

fn delete(tx: &mut Tx<'_>, job: JobId, place: &Row) -> Result<()> {
    let id = Value::id(&job);
    take_out(tx, job, place, state_of(place)?)?;
    if let Some(name) = place.opt_text(4)? {
        tx.run(Op::UniqueFree, &[Value::Text(place.text(3)?), Value::Text(name), id])?;
    }
    for op in BELONGINGS {
        tx.run(op, &[id])?;
    }
    let now = tx.now;
    at_once(tell_children(tx, now, job, None, None))
}

/// Looks for all that a server might have to do.
pub(crate) fn poll(tx: &Tx<'_>, queues: &[Arc<str>], may_rescue: bool) -> Result<Polled> {
    let queues = json_list(queues);
    let row = tx.one(Op::Poll, &[Value::Int(tx.now.as_micros()), Value::Text(&queues)])?;
    let row = row.ok_or_else(|| Error::broken("a question has an answer"))?;
    let from_now = |at: Timestamp| at.since(tx.now);
    Ok(Polled {
        enqueued: row.int(0)? != 0,
        expired: row.int(1)? != 0 && may_rescue,
        next: row.opt_time(2)?.map(from_now),
        next_slot: row.opt_time(3)?.map(from_now),
    })
}

/// Moves due jobs to where servers find them.
pub(crate) fn promote(tx: &mut Tx<'_>, limit: u32) -> Result<Promoted> {
    let due = tx.all(Op::Promote, &[Value::Int(tx.now.as_micros()), Value::Int(limit.into())])?;
    for row in &due {
        let (at, job) = (Value::Int(row.int(0)?), row.id(1)?);
        tx.run(Op::ScheduledDelete, &[at, Value::id(&job)])?;
        let (queue, kind) = (Value::Text(row.text(2)?), Value::Text(row.text(4)?));
        tx.run(Op::ReadyInsert, &[queue, Value::Int(row.int(3)?), at, Value::id(&job), kind])?;
    }
    tx.made_ready |= !due.is_empty();
    let next = tx.one(Op::NextDue, &[])?.map_or(Ok(None), |row| row.opt_time(0))?;
    let count = u32::try_from(due.len()).unwrap_or(u32::MAX);
    let next_slot = tx.one(Op::NextSlot, &[])?.map_or(Ok(None), |row| row.opt_time(0))?;
    let from_now = |at: Timestamp| at.since(tx.now);
    Ok(Promoted { count, next: next.map(from_now), next_slot: next_slot.map(from_now) })
}

/// Running jobs of dead servers.
pub(crate) fn expired(tx: &Tx<'_>, limit: u32) -> Result<Vec<Expired>> {
    let rows = tx.all(Op::Expired, &[Value::Int(tx.now.as_micros()), Value::Int(limit.into())])?;
    rows.iter()
        .map(|row| {
            let lease = Lease { job: row.id(0)?, token: row.token(1)? };
            let policy = Policy::from_json(row.opt_text(5)?);
            let (attempt, crashes, kind) = (row.small(3)?, row.small(4)?, row.text(6)?.into());
            let facts = Facts { lease, kind, attempt, crashes, policy };
            Ok(Expired { facts, server: row.server(2)? })
        })
        .collect()
}

/// Deletes jobs whose time to be kept has passed, dead servers, and old entries of the audit.
pub(crate) fn prune(tx: &mut Tx<'_>, limit: u32) -> Result<u32> {
    let now = Value::Int(tx.now.as_micros());
    let rows = tx.all(Op::Prune, &[now, Value::Int(limit.into())])?;
    for row in &rows {
        let job = row.id(0)?;
        let place = tx.one(Op::Place, &[Value::id(&job)])?;
        let place = place.ok_or_else(|| Error::broken("a finished job has no body"))?;
        delete(tx, job, &place)?;
    }
    tx.run(Op::PruneServers, &[Value::Int(tx.now.before(SERVERS_KEPT).as_micros())])?;
    prune_audit(tx, limit)?;
    at_once(tally::tidy(tx))?;
    Ok(u32::try_from(rows.len()).unwrap_or(u32::MAX))
}
