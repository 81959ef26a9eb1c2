//! Recurring jobs: put, seen when due, fired, directed, shown. What becomes of them is decided in
//! [`portfire_core::schedule`]; here it is guarded and written.
//!
//! Firings are written in sets: the schedules are held, those that are as their plans saw them enter their
//! slots, and the jobs of the slots that had no turn yet are stored as one set.

use std::collections::{HashMap, HashSet};

use portfire_core::limits::{PAGE_MAX, SLOTS_KEPT};
use portfire_core::schedule::{self, Firing, LastRun, Order, Schedule, ScheduleView, Standing};
use portfire_core::storage::{By, Deed, Directed, DueSchedules, Fired, Put, SlotView};
use portfire_core::{Error, JobId, Result, Timestamp};

use crate::insert::{Ids, insert};
use crate::pool::{Lane, WRITES};
use crate::rows::{Row, Value, job_uuid};
use crate::statements::Op;
use crate::steer::remember;

/// How often a schedule that others put at the same time is looked at again.
const LOOKS_MAX: usize = 20;

/// Puts schedules, all or none.
pub(crate) async fn put(lane: &Lane, now: Option<i64>, schedules: &[Schedule]) -> Result<Vec<Put>> {
    lane.begin(WRITES).await?;
    let mut answers = Vec::with_capacity(schedules.len());
    for one in schedules {
        answers.push(put_one(lane, now, one).await?);
    }
    lane.batch("COMMIT").await?;
    Ok(answers)
}

async fn put_one(lane: &Lane, now: Option<i64>, new: &Schedule) -> Result<Put> {
    for _ in 0..LOOKS_MAX {
        let known = lock(lane, [&*new.id]).await?.remove(&*new.id);
        let instant = instant(lane, now).await?;
        let Some(standing) = schedule::put(known.as_ref(), new, instant)? else { return Ok(Put::Unchanged) };
        let revision = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        // No revision is below zero, so what is not known is only ever stored anew.
        let seen = known.as_ref().map_or(-1, |known| revision(known.revision));
        let definition = new.definition();
        let (next, problem) = standing_values(&standing);
        let values = [
            Value::Int(now),
            Value::text(&new.id),
            Value::text(&new.cron),
            Value::text(&new.zone),
            Value::text(definition.as_str()),
            Value::Int(Some(revision(schedule::revision(known.as_ref(), instant)))),
            Value::Int(next),
            Value::Text(problem),
            Value::Int(Some(seen)),
        ];
        if !lane.rows(Op::SchedulePut, &values).await?.is_empty() {
            return Ok(if known.is_some() { Put::Changed } else { Put::New });
        }
    }
    Err(Error::transient(format!("the schedule `{}` keeps changing; try again", new.id)))
}

/// The storage's clock.
async fn instant(lane: &Lane, now: Option<i64>) -> Result<Timestamp> {
    let rows = lane.rows(Op::Now, &[Value::Int(now)]).await?;
    rows.first().map_or(Ok(Timestamp::default()), |row| row.time(0))
}

/// `next_at` and `problem`.
fn standing_values(standing: &Standing) -> (Option<i64>, Option<&str>) {
    match standing {
        Standing::Active { next } => (Some(next.as_micros()), None),
        Standing::Paused => (None, None),
        Standing::Flagged { problem } => (None, Some(problem)),
    }
}

/// Schedules whose next slot has come.
pub(crate) fn read_due(rows: &[Row]) -> Result<DueSchedules> {
    let now = rows.first().map_or(Ok(Timestamp::default()), |row| row.time(11))?;
    let due = rows.iter().filter(|row| !row.is_null(0)).map(view).collect::<Result<_>>()?;
    Ok(DueSchedules { now, due })
}

/// Carries out firings, each whole or not at all. Of several for one schedule each sees what the one before
/// has left.
pub(crate) async fn fire(
    lane: &mut Lane,
    now: Option<i64>,
    firings: &[Firing],
    by: &By,
) -> Result<Vec<Fired>> {
    lane.begin(WRITES).await?;
    let mut answers = vec![Fired::Lost; firings.len()];
    let mut left: Vec<_> = (0..firings.len()).collect();
    while !left.is_empty() {
        let mut seen = HashSet::new();
        let (round, rest) = left.into_iter().partition(|one| seen.insert(&*firings[*one].schedule));
        fire_round(lane, now, firings, round, &mut answers).await?;
        left = rest;
    }
    let stored = firings.iter().zip(&answers).flat_map(|(firing, fired)| match fired {
        Fired::Applied(jobs) => jobs.iter().map(|job| Deed::on_trigger(&firing.schedule, *job)).collect(),
        Fired::Lost => Vec::new(),
    });
    remember(lane, now, by, &stored.collect::<Vec<_>>()).await?;
    lane.batch("COMMIT").await?;
    Ok(answers)
}

/// Carries out those of the firings that `round` names, of which no two are for one schedule.
async fn fire_round(
    lane: &mut Lane,
    now: Option<i64>,
    firings: &[Firing],
    round: Vec<usize>,
    answers: &mut [Fired],
) -> Result<()> {
    let known = lock(lane, round.iter().map(|one| &*firings[*one].schedule)).await?;
    let as_seen = |one: &usize| {
        known.get(&*firings[*one].schedule).map(ScheduleView::seen).as_ref() == Some(&firings[*one].seen)
    };
    let round: Vec<_> = round.into_iter().filter(as_seen).collect();
    if round.is_empty() {
        return Ok(());
    }
    let taken = take_slots(lane, now, round.iter().map(|one| &firings[*one])).await?;
    let mut after = Vec::with_capacity(round.len());
    let mut jobs = Vec::new();
    for one in round {
        let firing = &firings[one];
        let turns = firing.slots.iter().filter(|slot| taken.contains(&(&*firing.schedule, slot.at)));
        let last_slot = turns.clone().map(|slot| slot.at).max();
        let stored: Vec<_> = turns.clone().filter_map(|slot| slot.job.as_ref()).map(|job| job.id).collect();
        jobs.extend(turns.filter_map(|slot| slot.job.clone()));
        after.push(After::of(firing, &known[&*firing.schedule], last_slot, stored.last().copied()));
        answers[one] = Fired::Applied(stored);
    }
    insert(lane, now, &jobs, Ids::MayRepeat).await?;
    lane.rows(Op::ScheduleFired, &After::values(&after)).await.map(drop)
}

/// Enters slots into the histories; answers those that had no turn before.
async fn take_slots<'f>(
    lane: &Lane,
    now: Option<i64>,
    firings: impl Iterator<Item = &'f Firing>,
) -> Result<HashSet<(&'f str, Timestamp)>> {
    let slots: Vec<_> =
        firings.flat_map(|firing| firing.slots.iter().map(|slot| (&*firing.schedule, slot))).collect();
    let jobs = slots.iter().map(|(_, slot)| slot.job.as_ref().map(|job| job_uuid(job.id)));
    let values = [
        Value::Int(now),
        Value::texts(slots.iter().map(|(schedule, _)| *schedule)),
        Value::Ints(slots.iter().map(|(_, slot)| Some(slot.at.as_micros())).collect()),
        Value::texts(slots.iter().map(|(_, slot)| slot.fate.as_str())),
        Value::Ids(jobs.collect()),
    ];
    let rows = lane.rows(Op::SlotInsert, &values).await?;
    let taken = rows.iter().map(|row| Ok((row.text(0)?, row.time(1)?))).collect::<Result<HashSet<_>>>()?;
    Ok(slots.into_iter().map(|(id, slot)| (id, slot.at)).filter(|slot| taken.contains(slot)).collect())
}

/// How a schedule stands after its firing.
struct After<'f> {
    schedule: &'f str,
    next: Option<i64>,
    problem: Option<&'f str>,
    last_slot: Option<Timestamp>,
    last_job: Option<JobId>,
}

impl<'f> After<'f> {
    fn of(firing: &'f Firing, known: &ScheduleView, slot: Option<Timestamp>, job: Option<JobId>) -> Self {
        let (next, problem) = standing_values(&firing.then);
        Self {
            schedule: &firing.schedule,
            next,
            problem,
            last_slot: known.last_slot.max(slot),
            last_job: job,
        }
    }

    fn values(all: &[Self]) -> [Value<'f>; 6] {
        [
            Value::texts(all.iter().map(|one| one.schedule)),
            Value::Ints(all.iter().map(|one| one.next).collect()),
            Value::Texts(all.iter().map(|one| one.problem).collect()),
            Value::Ints(all.iter().map(|one| one.last_slot.map(Timestamp::as_micros)).collect()),
            Value::Ids(all.iter().map(|one| one.last_job.map(job_uuid)).collect()),
            Value::Int(Some(SLOTS_KEPT.into())),
        ]
    }
}

/// Pauses, resumes or removes schedules.
pub(crate) async fn direct(
    lane: &Lane,
    now: Option<i64>,
    schedules: &[Box<str>],
    order: Order,
    by: &By,
) -> Result<Vec<Directed>> {
    lane.begin(WRITES).await?;
    let (mut answers, mut deeds) = (Vec::with_capacity(schedules.len()), Vec::new());
    for id in schedules {
        let (answer, standings) = direct_one(lane, now, id, order).await?;
        deeds.extend(Deed::on_schedule(id, order, standings.each_ref().map(Option::as_ref), answer));
        answers.push(answer);
    }
    remember(lane, now, by, &deeds).await?;
    lane.batch("COMMIT").await?;
    Ok(answers)
}

/// What became of the order, and how the schedule stood before and stands after it.
async fn direct_one(
    lane: &Lane,
    now: Option<i64>,
    id: &str,
    order: Order,
) -> Result<(Directed, [Option<Standing>; 2])> {
    let Some(known) = lock(lane, [id]).await?.remove(id) else {
        return Ok((Directed::Missing, [None, None]));
    };
    if order == Order::Remove {
        lane.rows(Op::ScheduleDelete, &[Value::text(id)]).await?;
        return Ok((Directed::Done, [Some(known.standing), None]));
    }
    let standing = schedule::direct(&known, order, instant(lane, now).await?);
    let Some(standing) = standing else { return Ok((Directed::Unchanged, [None, None])) };
    let (next, problem) = standing_values(&standing);
    lane.rows(Op::ScheduleDirect, &[Value::text(id), Value::Int(next), Value::Text(problem)]).await?;
    Ok((Directed::Done, [Some(known.standing), Some(standing)]))
}

/// Holds schedules as they are; those that there are, by id.
async fn lock<'i>(
    lane: &Lane,
    ids: impl IntoIterator<Item = &'i str>,
) -> Result<HashMap<Box<str>, ScheduleView>> {
    by_id(&lane.rows(Op::SchedulesLock, &[Value::texts(ids)]).await?)
}

/// Rows of schedules, by id.
pub(crate) fn by_id(rows: &[Row]) -> Result<HashMap<Box<str>, ScheduleView>> {
    rows.iter().map(|row| view(row).map(|view| (view.schedule.id.clone(), view))).collect()
}

/// The values of a page of schedules.
pub(crate) fn page_values(after: Option<&str>, limit: u32) -> [Value<'_>; 2] {
    // No id is empty, so the empty text is before them all.
    [Value::text(after.unwrap_or_default()), Value::Int(Some(limit.clamp(1, PAGE_MAX).into()))]
}

/// The values of a page of a schedule's history.
pub(crate) fn slots_values(schedule: &str, before: Option<Timestamp>, limit: u32) -> [Value<'_>; 3] {
    let before = before.map_or(i64::MAX, Timestamp::as_micros);
    [Value::text(schedule), Value::Int(Some(before)), Value::Int(Some(limit.clamp(1, PAGE_MAX).into()))]
}

/// A row of `slots_list`.
pub(crate) fn read_slot(row: &Row) -> Result<SlotView> {
    Ok(SlotView {
        at: row.time(0)?,
        fired_at: row.time(1)?,
        fate: row.text(2)?.parse()?,
        job: row.opt_id(3)?,
        state: row.opt_text(4)?.map(str::parse).transpose()?,
    })
}

/// A row of `schedules_get` and its like.
pub(crate) fn view(row: &Row) -> Result<ScheduleView> {
    let standing = match (row.opt_time(5)?, row.opt_text(6)?) {
        (Some(next), _) => Standing::Active { next },
        (None, Some(problem)) => Standing::Flagged { problem: problem.into() },
        (None, None) => Standing::Paused,
    };
    let state = row.opt_text(10)?.map(str::parse).transpose()?;
    let names = [row.text(0)?, row.text(1)?, row.text(2)?];
    let (schedule, standing) = Schedule::from_stored(names, row.text(3)?, standing);
    Ok(ScheduleView {
        schedule,
        revision: row.small(4)?,
        standing,
        last_slot: row.opt_time(7)?,
        last_run: row.opt_id(8)?.map(|job| LastRun { job, state }),
        created_at: row.time(9)?,
    })
}
