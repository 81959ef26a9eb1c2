//! Recurring jobs: put, seen when due, fired, directed, shown. What becomes of them is decided in
//! [`portfire_core::schedule`]; here it is guarded and written.

use portfire_core::limits::{PAGE_MAX, SLOTS_KEPT};
use portfire_core::schedule::{self, Firing, LastRun, Order, Schedule, ScheduleView, SlotPlan, Standing};
use portfire_core::storage::{By, Deed, Directed, DueSchedules, Fired, Put, SlotView};
use portfire_core::{JobId, Result, State, Timestamp};

use crate::act::state_of;
use crate::insert::{at_once, insert};
use crate::rows::{Row, Value};
use crate::statements::Op;
use crate::steer::remember;
use crate::threads::Tx;

/// Puts schedules, all or none.
pub(crate) fn put(tx: &mut Tx<'_>, schedules: &[Schedule]) -> Result<Vec<Put>> {
    // A waiting server has to learn of the next slot.
    tx.made_ready |= !schedules.is_empty();
    schedules.iter().map(|one| put_one(tx, one)).collect()
}

fn put_one(tx: &Tx<'_>, new: &Schedule) -> Result<Put> {
    let known = get(tx, &new.id)?;
    let Some(standing) = schedule::put(known.as_ref(), new, tx.now)? else { return Ok(Put::Unchanged) };
    let revision = schedule::revision(known.as_ref(), tx.now);
    let definition = new.definition();
    let [next, problem] = standing_values(&standing);
    let values = [
        Value::Text(&new.id),
        Value::Text(&new.cron),
        Value::Text(&new.zone),
        Value::Text(definition.as_str()),
        Value::Int(i64::try_from(revision).unwrap_or(i64::MAX)),
        next,
        problem,
        Value::Int(tx.now.as_micros()),
    ];
    tx.run(Op::SchedulePut, &values)?;
    Ok(if known.is_some() { Put::Changed } else { Put::New })
}

/// `next_at` and `problem`.
fn standing_values(standing: &Standing) -> [Value<'_>; 2] {
    match standing {
        Standing::Active { next } => [Value::Int(next.as_micros()), Value::Null],
        Standing::Paused => [Value::Null, Value::Null],
        Standing::Flagged { problem } => [Value::Null, Value::Text(problem)],
    }
}

/// Schedules whose next slot has come.
pub(crate) fn due(tx: &Tx<'_>, limit: u32) -> Result<DueSchedules> {
    let values = [Value::Int(tx.now.as_micros()), Value::Int(limit.into())];
    Ok(DueSchedules { now: tx.now, due: views(tx, Op::SchedulesDue, &values)? })
}

/// Carries out firings, each whole or not at all.
pub(crate) fn fire(tx: &mut Tx<'_>, firings: &[Firing], by: &By) -> Result<Vec<Fired>> {
    let fire = |firing: &Firing| {
        let fired = fire_one(tx, firing)?;
        if let Fired::Applied(jobs) = &fired {
            let tell = |job: &JobId| remember(tx, by, Some(Deed::on_trigger(&firing.schedule, *job)));
            jobs.iter().try_for_each(tell)?;
        }
        Ok(fired)
    };
    firings.iter().map(fire).collect()
}

fn fire_one(tx: &mut Tx<'_>, firing: &Firing) -> Result<Fired> {
    let Some(known) = get(tx, &firing.schedule)?.filter(|known| known.seen() == firing.seen) else {
        return Ok(Fired::Lost);
    };
    let (mut stored, mut last_slot) = (Vec::new(), known.last_slot);
    for slot in &firing.slots {
        if take_slot(tx, &firing.schedule, slot)? {
            last_slot = last_slot.max(Some(slot.at));
            stored.extend(slot.job.as_ref().map(|job| job.id));
        }
    }
    let id = Value::Text(&firing.schedule);
    let [next, problem] = standing_values(&firing.then);
    let last_job = stored.last().map_or(Value::Null, Value::id);
    let last_slot = last_slot.map_or(Value::Null, |at| Value::Int(at.as_micros()));
    tx.run(Op::ScheduleFired, &[id, next, problem, last_slot, last_job])?;
    tx.run(Op::SlotsTrim, &[id, Value::Int(SLOTS_KEPT.into())])?;
    Ok(Fired::Applied(stored))
}

/// Enters a slot into the history and stores its job; `false` if it had its turn before.
fn take_slot(tx: &mut Tx<'_>, schedule: &str, slot: &SlotPlan) -> Result<bool> {
    let job = slot.job.as_ref().map_or(Value::Null, |job| Value::id(&job.id));
    let (at, now) = (Value::Int(slot.at.as_micros()), Value::Int(tx.now.as_micros()));
    let values = [Value::Text(schedule), at, now, Value::Text(slot.fate.as_str()), job];
    if tx.run(Op::SlotInsert, &values)? == 0 {
        return Ok(false);
    }
    let now = tx.now;
    at_once(insert(tx, now, slot.job.as_slice()))?;
    Ok(true)
}

/// Pauses, resumes or removes schedules.
pub(crate) fn direct(
    tx: &mut Tx<'_>,
    schedules: &[Box<str>],
    order: Order,
    by: &By,
) -> Result<Vec<Directed>> {
    tx.made_ready |= order == Order::Resume;
    schedules.iter().map(|id| direct_one(tx, id, order, by)).collect()
}

fn direct_one(tx: &Tx<'_>, id: &str, order: Order, by: &By) -> Result<Directed> {
    let Some(known) = get(tx, id)? else { return Ok(Directed::Missing) };
    let after = if order == Order::Remove {
        tx.run(Op::ScheduleDelete, &[Value::Text(id)])?;
        tx.run(Op::SlotsDelete, &[Value::Text(id)])?;
        None
    } else {
        let Some(standing) = schedule::direct(&known, order, tx.now) else { return Ok(Directed::Unchanged) };
        let [next, problem] = standing_values(&standing);
        tx.run(Op::ScheduleDirect, &[Value::Text(id), next, problem])?;
        Some(standing)
    };
    let standings = [Some(&known.standing), after.as_ref()];
    remember(tx, by, Deed::on_schedule(id, order, standings, Directed::Done))?;
    Ok(Directed::Done)
}

/// One schedule.
pub(crate) fn get(tx: &Tx<'_>, id: &str) -> Result<Option<ScheduleView>> {
    tx.one(Op::ScheduleGet, &[Value::Text(id)])?.map(|row| view(tx, &row)).transpose()
}

/// A page of schedules.
pub(crate) fn list(tx: &Tx<'_>, after: Option<&str>, limit: u32) -> Result<Vec<ScheduleView>> {
    // No id is empty, so the empty text is before them all.
    let values = [Value::Text(after.unwrap_or_default()), Value::Int(limit.clamp(1, PAGE_MAX).into())];
    views(tx, Op::SchedulesList, &values)
}

/// A page of a schedule's history.
pub(crate) fn slots(
    tx: &Tx<'_>,
    schedule: &str,
    before: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<SlotView>> {
    let before = Value::Int(before.map_or(i64::MAX, Timestamp::as_micros));
    let rows =
        tx.all(Op::SlotsList, &[Value::Text(schedule), before, Value::Int(limit.clamp(1, PAGE_MAX).into())])?;
    rows.iter()
        .map(|row| {
            let job = row.opt_bytes(3)?.map(JobId::from_bytes);
            let state = job.map_or(Ok(None), |job| job_state(tx, job))?;
            Ok(SlotView { at: row.time(0)?, fired_at: row.time(1)?, fate: row.text(2)?.parse()?, job, state })
        })
        .collect()
}

fn views(tx: &Tx<'_>, op: Op, values: &[Value<'_>]) -> Result<Vec<ScheduleView>> {
    tx.all(op, values)?.iter().map(|row| view(tx, row)).collect()
}

/// A row of `schedule_get` and its like.
fn view(tx: &Tx<'_>, row: &Row) -> Result<ScheduleView> {
    let standing = match (row.opt_time(5)?, row.opt_text(6)?) {
        (Some(next), _) => Standing::Active { next },
        (None, Some(problem)) => Standing::Flagged { problem: problem.into() },
        (None, None) => Standing::Paused,
    };
    let id = row.text(0)?;
    let (schedule, standing) =
        Schedule::from_stored([id, row.text(1)?, row.text(2)?], row.text(3)?, standing);
    let last_run = match unended_run(tx, id)?.or(row.opt_bytes(8)?.map(JobId::from_bytes)) {
        Some(job) => Some(LastRun { job, state: job_state(tx, job)? }),
        None => None,
    };
    Ok(ScheduleView {
        schedule,
        revision: row.small(4)?,
        standing,
        last_slot: row.opt_time(7)?,
        last_run,
        created_at: row.time(9)?,
    })
}

/// The latest job of a schedule that has not ended.
fn unended_run(tx: &Tx<'_>, schedule: &str) -> Result<Option<JobId>> {
    tx.one(Op::SlotUnended, &[Value::Text(schedule)])?.map(|row| row.id(0)).transpose()
}

fn job_state(tx: &Tx<'_>, job: JobId) -> Result<Option<State>> {
    tx.one(Op::Place, &[Value::id(&job)])?.as_ref().map(state_of).transpose()
}
