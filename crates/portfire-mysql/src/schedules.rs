//! Recurring jobs: put, seen when due, fired, directed, shown. What becomes of them is decided in
//! [`portfire_core::schedule`]; here it is guarded and written.
//!
//! Firings are written in sets: the schedules are held, those that are as their plans saw them enter their
//! slots, and the jobs of the slots that had no turn yet are stored as one set. Whoever holds a schedule is the only
//! one who enters slots of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use portfire_core::limits::{PAGE_MAX, SLOTS_KEPT};
use portfire_core::schedule::{self, Firing, LastRun, Order, Schedule, ScheduleView, SlotPlan, Standing};
use portfire_core::storage::{By, Deed, Directed, DueSchedules, Fired, Put, SlotView};
use portfire_core::{Error, JobId, Result, Timestamp};

use crate::insert::{Executor, insert};
use crate::pool::{Lane, Step};
use crate::rows::{Row, Value};
use crate::statements::Op;
use crate::steer::entries;

/// Puts schedules, all or none.
pub(crate) async fn put(lane: &mut Lane, now: Option<i64>, schedules: &[Schedule]) -> Result<Vec<Put>> {
    lane.begin();
    let mut answers = Vec::with_capacity(schedules.len());
    for one in schedules {
        answers.push(put_one(lane, now, one).await?);
    }
    lane.commit().await?;
    Ok(answers)
}

async fn put_one(lane: &mut Lane, now: Option<i64>, new: &Schedule) -> Result<Put> {
    let (mut known, instant) = lock(lane, now, [&*new.id]).await?;
    let known = known.remove(&*new.id);
    let Some(standing) = schedule::put(known.as_ref(), new, instant)? else { return Ok(Put::Unchanged) };
    let revision = i64::try_from(schedule::revision(known.as_ref(), instant)).unwrap_or(i64::MAX);
    let definition = new.definition();
    let (next, problem) = standing_values(&standing);
    let mut values = vec![
        Value::Text(&new.cron),
        Value::Text(&new.zone),
        Value::Text(definition.as_str()),
        Value::Int(revision),
        Value::int(next),
        Value::text(problem),
        Value::Text(&new.id),
    ];
    if known.is_some() {
        lane.changed(Op::ScheduleReplace, &values).await?;
        return Ok(Put::Changed);
    }
    // Whoever else puts it first makes this call begin again.
    values.push(Value::Now(now));
    lane.changed(Op::ScheduleInsert, &values).await?;
    Ok(Put::New)
}

/// `next_at` and `problem`.
fn standing_values(standing: &Standing) -> (Option<i64>, Option<&str>) {
    match standing {
        Standing::Active { next } => (Some(next.as_micros()), None),
        Standing::Paused => (None, None),
        Standing::Flagged { problem } => (None, Some(problem)),
    }
}

/// The rows of `schedules_due`, and an instant that is no earlier than the one by which they were judged.
pub(crate) fn read_due(rows: &[Row], now: &[Row]) -> Result<DueSchedules> {
    let now = now.first().map_or(Ok(Timestamp::default()), |row| row.time(0))?;
    let due = rows.iter().map(view).collect::<Result<_>>()?;
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
    lane.begin();
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
    lane.finish(entries(now, by, &stored.collect::<Vec<_>>())).await?;
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
    let (known, _) = lock(lane, now, round.iter().map(|one| &*firings[*one].schedule)).await?;
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
    insert(lane, now, &jobs).await?;
    lane.run(after.iter().flat_map(After::steps).collect()).await.map(drop)
}

/// Enters slots into the histories; answers those that had no turn before.
async fn take_slots<'f>(
    lane: &mut Lane,
    now: Option<i64>,
    firings: impl Iterator<Item = &'f Firing>,
) -> Result<HashSet<(&'f str, Timestamp)>> {
    let slots: Vec<_> =
        firings.flat_map(|firing| firing.slots.iter().map(|slot| (&*firing.schedule, slot))).collect();
    if slots.is_empty() {
        return Ok(HashSet::new());
    }
    let keys = slots.iter().map(|(id, slot)| vec![Value::Text(id), Value::Int(slot.at.as_micros())]);
    let rows = lane.rows(Op::SlotsKnown, &[Value::Rows(keys.collect())]).await?;
    let known = rows.iter().map(|row| Ok((row.text(0)?, row.time(1)?))).collect::<Result<HashSet<_>>>()?;
    // A firing that names a slot twice enters it once.
    let fresh: BTreeMap<_, _> = slots
        .into_iter()
        .filter(|(id, slot)| !known.contains(&(*id, slot.at)))
        .map(|(id, slot)| ((id, slot.at), slot))
        .collect();
    let row = |((id, at), slot): (&(&'f str, Timestamp), &&'f SlotPlan)| {
        let job = slot.job.as_ref().map_or(Value::Null, |job| Value::job(job.id));
        vec![
            Value::Text(id),
            Value::Int(at.as_micros()),
            Value::Now(now),
            Value::Text(slot.fate.as_str()),
            job,
        ]
    };
    if !fresh.is_empty() {
        lane.rows(Op::SlotInsert, &[Value::Rows(fresh.iter().map(row).collect())]).await?;
    }
    Ok(fresh.into_keys().collect())
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

    fn steps(&self) -> [Step<'f>; 2] {
        let fired = vec![
            Value::int(self.next),
            Value::text(self.problem),
            Value::int(self.last_slot.map(Timestamp::as_micros)),
            self.last_job.map_or(Value::Null, Value::job),
            Value::Text(self.schedule),
        ];
        let id = || Value::Text(self.schedule);
        let trim = vec![id(), id(), Value::Int(i64::from(SLOTS_KEPT) - 1)];
        [(Op::ScheduleFired, fired), (Op::SlotsTrim, trim)]
    }
}

/// Pauses, resumes or removes schedules.
pub(crate) async fn direct(
    lane: &mut Lane,
    now: Option<i64>,
    schedules: &[Box<str>],
    order: Order,
    by: &By,
) -> Result<Vec<Directed>> {
    lane.begin();
    let (mut answers, mut deeds) = (Vec::with_capacity(schedules.len()), Vec::new());
    for id in schedules {
        let (answer, standings) = direct_one(lane, now, id, order).await?;
        deeds.extend(Deed::on_schedule(id, order, standings.each_ref().map(Option::as_ref), answer));
        answers.push(answer);
    }
    lane.finish(entries(now, by, &deeds)).await?;
    Ok(answers)
}

/// What became of the order, and how the schedule stood before and stands after it.
async fn direct_one(
    lane: &mut Lane,
    now: Option<i64>,
    id: &str,
    order: Order,
) -> Result<(Directed, [Option<Standing>; 2])> {
    let (mut known, instant) = lock(lane, now, [id]).await?;
    let Some(known) = known.remove(id) else { return Ok((Directed::Missing, [None, None])) };
    if order == Order::Remove {
        let id = || vec![Value::Text(id)];
        lane.run(vec![(Op::SlotsDelete, id()), (Op::ScheduleDelete, id())]).await?;
        return Ok((Directed::Done, [Some(known.standing), None]));
    }
    let standing = schedule::direct(&known, order, instant);
    let Some(standing) = standing else { return Ok((Directed::Unchanged, [None, None])) };
    let (next, problem) = standing_values(&standing);
    lane.changed(Op::ScheduleDirect, &[Value::int(next), Value::text(problem), Value::Text(id)]).await?;
    Ok((Directed::Done, [Some(known.standing), Some(standing)]))
}

/// Holds schedules as they are; those that there are, by id, and the storage's clock.
async fn lock<'i>(
    lane: &mut Lane,
    now: Option<i64>,
    ids: impl IntoIterator<Item = &'i str>,
) -> Result<(HashMap<Box<str>, ScheduleView>, Timestamp)> {
    let ids = Value::texts(ids);
    let steps = vec![
        (Op::SchedulesHold, vec![ids.clone()]),
        (Op::SchedulesGet, vec![ids]),
        (Op::Now, vec![Value::Now(now)]),
    ];
    let answers = lane.run(steps).await?;
    let [_, schedules, now] = &*answers else { return Err(Error::broken("three questions, three answers")) };
    Ok((by_id(&schedules.rows)?, now.rows.first().map_or(Ok(Timestamp::default()), |row| row.time(0))?))
}

/// Rows of schedules, by id.
pub(crate) fn by_id(rows: &[Row]) -> Result<HashMap<Box<str>, ScheduleView>> {
    rows.iter().map(|row| view(row).map(|view| (view.schedule.id.clone(), view))).collect()
}

/// The values of a page of schedules.
pub(crate) fn page_values(after: Option<&str>, limit: u32) -> [Value<'_>; 2] {
    // No id is empty, so the empty text is before them all.
    [Value::Text(after.unwrap_or_default()), Value::Int(limit.clamp(1, PAGE_MAX).into())]
}

/// The values of a page of a schedule's history.
pub(crate) fn slots_values(schedule: &str, before: Option<Timestamp>, limit: u32) -> [Value<'_>; 3] {
    let before = before.map_or(i64::MAX, Timestamp::as_micros);
    [Value::Text(schedule), Value::Int(before), Value::Int(limit.clamp(1, PAGE_MAX).into())]
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
