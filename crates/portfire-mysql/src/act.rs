//! What operators and the keeper do to jobs: cancel, run now, move, delete; promote, rescue, prune.
//!
//! Whether a wish is possible is read from the table of [`State`]; nothing is decided here. A job that
//! moves on between the look at it and the hand on it is looked at again.

use std::time::Duration;

use portfire_core::limits::{AUDIT_KEPT, FAULT_GROUPS_KEPT, SERVERS_KEPT};
use portfire_core::storage::tally::folds;
use portfire_core::storage::{Acted, Action, By, Deed, Expired, Polled, Promoted, Was};
use portfire_core::{Error, Facts, JobId, Lease, Policy, Result, State, Timestamp};

use crate::family::{Ended, tell_children};
use crate::insert::Executor;
use crate::mark::Stand;
use crate::pool::{Lane, Step};
use crate::rows::{Row, Value};
use crate::statements::Op;
use crate::steer::{entries, prune_audit};
use crate::tally::{self, Tallies};

/// How often a job that keeps moving is looked at again.
const LOOKS_MAX: usize = 20;

/// Does what an operator wants of each job. If servers should hear of it, answers where it has put jobs that were ready
/// before.
pub(crate) async fn act(
    lane: &mut Lane,
    now: Option<i64>,
    jobs: &[JobId],
    action: &Action,
    by: &By,
) -> Result<(Vec<Acted>, Option<Vec<Stand>>)> {
    lane.begin();
    let (deeds, moved, tallies) = (Vec::new(), Vec::new(), Tallies::default());
    let mut hand = Hand { lane, now, ring: false, moved, deeds, tallies };
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        answers.push(hand.act_on(*job, action).await?);
    }
    let Hand { ring, moved, deeds, tallies, .. } = hand;
    let mut steps = tallies.steps(now);
    steps.extend(entries(now, by, &deeds));
    lane.finish(steps).await?;
    Ok((answers, ring.then_some(moved)))
}

/// Where a job is, as a row of `place` says.
struct Place {
    row: Row,
    state: State,
    now: Timestamp,
}

impl Place {
    fn read(row: Row) -> Result<Self> {
        let (state, now) = (state_of(&row)?, row.time(5)?);
        Ok(Self { row, state, now })
    }

    /// What the audit says of the job before somebody acts.
    fn was(&self) -> Result<Was<'_>> {
        let (queue, priority) = (self.row.text(0)?, self.row.small(1)?);
        Ok(Was { state: self.state, queue, priority, run_at: self.row.time(2)? })
    }
}

fn state_of(row: &Row) -> Result<State> {
    if let Some(word) = row.opt_text(10)? {
        return word.parse();
    }
    Ok(match (row.is(9)?, row.is(8)?, row.opt_int(7)?.map(|retrying| retrying != 0), row.is(6)?) {
        (true, ..) => State::Processing,
        (_, true, ..) => State::Enqueued,
        (_, _, Some(false), _) => State::Scheduled,
        (_, _, Some(true), _) => State::Retrying,
        (_, _, _, true) => State::Awaiting,
        _ => return Err(Error::broken("a job is in no table; the database was changed by something else")),
    })
}

/// An operator's hand in an open transaction.
struct Hand<'l> {
    lane: &'l mut Lane,
    now: Option<i64>,
    ring: bool,
    moved: Vec<Stand>,
    deeds: Vec<Deed>,
    tallies: Tallies,
}

impl Hand<'_> {
    async fn act_on(&mut self, job: JobId, action: &Action) -> Result<Acted> {
        for _ in 0..LOOKS_MAX {
            let place = self.lane.rows(Op::Place, &[Value::Now(self.now), Value::job(job)]).await?.pop();
            let Some(row) = place else { return Ok(Acted::Missing) };
            let place = Place::read(row)?;
            if let Some(acted) = self.act_there(job, action, &place).await? {
                self.deeds.extend(Deed::on_job(job, action, place.was()?, acted));
                return Ok(acted);
            }
        }
        Err(Error::transient(format!("job {job} keeps moving; try again")))
    }

    /// `None` if the job is no longer there.
    async fn act_there(&mut self, job: JobId, action: &Action, place: &Place) -> Result<Option<Acted>> {
        let state = place.state;
        let Some(cause) = action.cause() else {
            if !state.is_deletable() {
                return Ok(Some(Acted::Refused(state)));
            }
            return self.delete(job, place).await;
        };
        let Ok(next) = state.after(cause) else { return Ok(Some(Acted::Refused(state))) };
        match action {
            Action::Cancel if state == State::Processing => self.flag(job).await,
            Action::RunNow => self.wait_for(job, place, next, place.now).await,
            Action::Reschedule(at) => self.wait_for(job, place, next, *at).await,
            Action::MoveTo(queue) => self.relocate(job, place, (queue, place.row.int(1)?)).await,
            Action::Prioritize(priority) => {
                self.relocate(job, place, (place.row.text(0)?, (*priority).into())).await
            }
            Action::Cancel | Action::Delete => self.cancel(job, place, next).await,
        }
    }

    async fn flag(&mut self, job: JobId) -> Result<Option<Acted>> {
        self.ring = true; // Not ready to run, but its server must hear of it.
        let there = self.lane.changed(Op::CancelRequest, &[Value::job(job)]).await? > 0;
        Ok(there.then_some(Acted::Flagged))
    }

    async fn cancel(&mut self, job: JobId, place: &Place, next: State) -> Result<Option<Acted>> {
        if !self.take_out(job, place).await? {
            return Ok(None);
        }
        let (row, now, state) = (&place.row, place.now.as_micros(), State::Cancelled);
        self.tallies.of(row.text(3)?, row.text(0)?).count_end(state, None);
        let prune_at = row.opt_int(11)?.map(|keep| now.saturating_add(keep));
        let (id, null) = (Value::job(job), Value::Null);
        let ending = [Value::Text(state.as_str()), Value::Int(now), null.clone(), null.clone(), null.clone()];
        let mut ending = [id.clone()].into_iter().chain(ending).collect::<Vec<_>>();
        ending.extend([Value::int(prune_at), null]);
        let steps = vec![
            (Op::FinishedInsert, vec![Value::Rows(vec![ending])]),
            (Op::UniqueFree, vec![Value::List(vec![id])]),
        ];
        self.lane.run(steps).await?;
        self.tell_children(now, Ended { job, state: Some(state), result: None }).await?;
        Ok(Some(Acted::Done(next)))
    }

    async fn delete(&mut self, job: JobId, place: &Place) -> Result<Option<Acted>> {
        if !self.take_out(job, place).await? {
            return Ok(None);
        }
        self.lane.run(forget_steps(&[job])).await?;
        self.tell_children(place.now.as_micros(), Ended { job, state: None, result: None }).await?;
        Ok(Some(Acted::Done(place.state)))
    }

    async fn tell_children(&mut self, now: i64, parent: Ended<'_>) -> Result<()> {
        let family = tell_children(self.lane, now, vec![parent], None, &mut self.tallies).await?;
        self.ring |= family.made_ready.is_some();
        self.lane.run(family.steps).await.map(drop)
    }

    /// Makes a job wait for `at` instead of whatever it did.
    async fn wait_for(
        &mut self,
        job: JobId,
        place: &Place,
        next: State,
        at: Timestamp,
    ) -> Result<Option<Acted>> {
        if place.state.is_final() && !self.take_name(job, place).await? {
            return Ok(Some(Acted::Refused(place.state)));
        }
        if !self.take_out(job, place).await? {
            return Ok(None);
        }
        let (ids, mut steps) = (|| Value::List(vec![Value::job(job)]), Vec::new());
        if place.state.is_final() {
            steps.push((Op::JobReset, vec![Value::job(job)]));
            steps.push((Op::ResultDelete, vec![ids()]));
        }
        let ready = at <= place.now;
        let retrying = next == State::Retrying;
        steps.push((Op::JobDue, vec![ids(), Value::Int(at.max(place.now).as_micros())]));
        steps.push(enter(job, if ready { State::Enqueued } else { next }));
        self.lane.run(steps).await?;
        self.ring = true; // It may be due before anybody looks.
        let state = match (ready, retrying) {
            (true, _) => State::Enqueued,
            (false, true) => State::Retrying,
            (false, false) => State::Scheduled,
        };
        Ok(Some(Acted::Done(state)))
    }

    /// Gives a waiting job another queue or priority. What waits for a time or a slot leaves its place and
    /// enters it anew, because others read the queue on their way from there; what waits for other jobs stays,
    /// because they count down there.
    async fn relocate(
        &mut self,
        job: JobId,
        place: &Place,
        (queue, priority): (&str, i64),
    ) -> Result<Option<Acted>> {
        let state = place.state;
        let still_there = if state == State::Awaiting {
            !self.lane.rows(Op::AwaitingLock, &[Value::job(job)]).await?.is_empty()
        } else {
            self.take_out(job, place).await?
        };
        if !still_there {
            return Ok(None);
        }
        let mut steps =
            vec![(Op::JobRelocate, vec![Value::Text(queue), Value::Int(priority), Value::job(job)])];
        if state != State::Awaiting {
            steps.push(enter(job, state));
        }
        self.lane.run(steps).await?;
        if state == State::Enqueued {
            self.ring = true;
            self.moved.push(Stand { queue: queue.into(), priority, run_at: place.row.int(2)? });
        }
        Ok(Some(Acted::Done(state)))
    }

    /// An ended job takes its unique name back, if that is free.
    async fn take_name(&mut self, job: JobId, place: &Place) -> Result<bool> {
        let Some(name) = place.row.opt_text(4)? else { return Ok(true) };
        let (kind, name) = (Value::Text(place.row.text(3)?), Value::Text(name));
        let take = (Op::UniqueTake, vec![kind.clone(), name.clone(), Value::job(job)]);
        let answers = self.lane.run(vec![take, (Op::UniqueHolder, vec![kind, name])]).await?;
        // It may be this very job that has it: taken on a look before, when the job then had moved.
        let holder = answers.last().and_then(|answer| answer.rows.first());
        holder.map_or(Ok(false), |row| Ok(row.id(0)? == job))
    }

    /// Removes a job from the table that says its state; answers whether it was still there.
    async fn take_out(&mut self, job: JobId, place: &Place) -> Result<bool> {
        let (id, row) = (Value::job(job), &place.row);
        let run_at = Value::Int(row.int(2)?);
        let (op, values) = match place.state {
            State::Awaiting => (Op::AwaitingDelete, vec![Value::List(vec![id])]),
            State::Scheduled | State::Retrying => {
                (Op::ScheduledDelete, vec![Value::Rows(vec![vec![run_at, id]])])
            }
            State::Enqueued => {
                let key = vec![Value::Int(row.int(1)?), run_at, id];
                (Op::ReadyDelete, vec![Value::Rows(vec![key]), Value::Text(row.text(0)?)])
            }
            State::Succeeded | State::Failed | State::Cancelled => {
                (Op::FinishedDelete, vec![Value::List(vec![id])])
            }
            State::Processing => return Err(Error::broken("a running job leaves only through its fence")),
        };
        Ok(self.lane.changed(op, &values).await? > 0)
    }
}

/// The step by which a job that is nowhere enters a place, as its body says.
fn enter(job: JobId, state: State) -> Step<'static> {
    if state == State::Enqueued {
        return (Op::ReadyEnter, vec![Value::job(job)]);
    }
    (Op::ScheduledEnter, vec![Value::Int((state == State::Retrying).into()), Value::job(job)])
}

/// The steps that delete jobs that are out of their places, with all that belongs to them.
fn forget_steps(jobs: &[JobId]) -> Vec<Step<'static>> {
    let ops = [
        Op::AttemptDelete,
        Op::ResultDelete,
        Op::DependencyDelete,
        Op::TagDelete,
        Op::ProgressDelete,
        Op::LogDelete,
        Op::UniqueFree,
        Op::JobDelete,
    ];
    ops.into_iter().map(|op| (op, vec![Value::jobs(jobs.iter().copied())])).collect()
}

/// Moves due jobs to where servers find them; answers where that is, if it is to be told.
pub(crate) async fn promote(
    lane: &mut Lane,
    now: Option<i64>,
    limit: u32,
    tells: bool,
) -> Result<(Promoted, Vec<Stand>)> {
    lane.begin();
    let due = lane.rows(Op::DueHold, &[Value::Now(now), Value::Int(limit.into())]).await?;
    let key = |row: &Row| Ok(vec![Value::Int(row.int(0)?), Value::job(row.id(1)?)]);
    let keys = due.iter().map(key).collect::<Result<Vec<_>>>()?;
    let mut steps = Vec::new();
    if !keys.is_empty() {
        steps.extend(tells.then(|| (Op::Promoted, vec![Value::Rows(keys.clone())])));
        steps.push((Op::Promote, vec![Value::Rows(keys.clone())]));
        steps.push((Op::ScheduledDelete, vec![Value::Rows(keys)]));
    }
    steps.push((Op::NextDue, vec![Value::Now(now), Value::Now(now)]));
    let answers = lane.finish(steps).await?;
    let next = answers.last().and_then(|next| next.rows.first());
    let next = next.ok_or_else(|| Error::broken("a question has an answer"))?;
    let count = u32::try_from(due.len()).unwrap_or(u32::MAX);
    let told = answers.first().filter(|_| tells && count > 0).map_or(&[][..], |told| &told.rows);
    let stands = told.iter().map(stand).collect::<Result<_>>()?;
    Ok((Promoted { count, next: until(next, 0)?, next_slot: until(next, 1)? }, stands))
}

/// A row of `promoted`.
fn stand(row: &Row) -> Result<Stand> {
    Ok(Stand { queue: row.text(0)?.into(), priority: row.int(1)?, run_at: row.int(2)? })
}

/// The row of `poll`.
pub(crate) fn read_poll(row: &Row) -> Result<Polled> {
    Ok(Polled { enqueued: row.is(0)?, expired: row.is(1)?, next: until(row, 2)?, next_slot: until(row, 3)? })
}

/// A column that says how long until something is due.
fn until(row: &Row, column: usize) -> Result<Option<Duration>> {
    Ok(row.opt_int(column)?.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0))))
}

/// A row of `expired`.
pub(crate) fn read_expired(row: &Row) -> Result<Expired> {
    let lease = Lease { job: row.id(0)?, token: row.token(1)? };
    let policy = Policy::from_json(row.opt_text(5)?);
    let (attempt, crashes, kind) = (row.small(3)?, row.small(4)?, row.text(6)?.into());
    let facts = Facts { lease, kind, attempt, crashes, policy };
    Ok(Expired { facts, server: row.server(2)? })
}

/// Deletes jobs whose time to be kept has passed, dead servers, and old entries of the audit.
pub(crate) async fn prune(lane: &mut Lane, now: Option<i64>, limit: u32) -> Result<u32> {
    let instant = lane.rows(Op::Now, &[Value::Now(now)]).await?;
    let instant = instant.first().map_or(Ok(Timestamp::default()), |row| row.time(0))?;
    let any = lane.rows(Op::PruneLook, &look_values(instant)).await?;
    if !any.first().map_or(Ok(false), |row| row.is(0))? {
        return Ok(0);
    }
    let pruned = prune_held(lane, now, instant, limit).await?;
    tally::tidy(lane, instant).await?;
    Ok(pruned)
}

/// What is looked for before: most of the time there is nothing, and then it is all.
fn look_values(now: Timestamp) -> Vec<Value<'static>> {
    let instant = |at: Timestamp| Value::Int(at.as_micros());
    let folds = folds(now).map(|fold| vec![Value::Int(fold.of.seconds().into()), instant(fold.before)]);
    vec![
        instant(now),
        instant(now.before(SERVERS_KEPT)),
        instant(now.before(AUDIT_KEPT)),
        instant(tally::over(now)),
        Value::Rows(folds.into()),
        instant(now.before(FAULT_GROUPS_KEPT)),
    ]
}

/// Deletes old jobs, dead servers and old entries of the audit.
async fn prune_held(lane: &mut Lane, now: Option<i64>, instant: Timestamp, limit: u32) -> Result<u32> {
    lane.begin();
    let died_before = || Value::Int(instant.before(SERVERS_KEPT).as_micros());
    let asked = vec![
        (Op::PruneHold, vec![Value::Now(now), Value::Int(limit.into())]),
        (Op::ServersDead, vec![died_before()]),
    ];
    let answers = lane.run(asked).await?;
    let [old, dead] = &*answers else { return Err(Error::broken("two questions, two answers")) };
    let jobs = old.rows.iter().map(|row| row.id(0)).collect::<Result<Vec<_>>>()?;
    if !jobs.is_empty() {
        prune_jobs(lane, now, instant.as_micros(), &jobs).await?;
    }
    let dead = dead.rows.iter().map(|row| row.server(0).map(Value::server)).collect::<Result<Vec<_>>>()?;
    let mut steps = vec![prune_audit(now, limit)];
    if !dead.is_empty() {
        steps.push((Op::PruneServers, vec![Value::List(dead.clone()), died_before()]));
        steps.push((Op::ClosedDelete, vec![Value::List(dead)]));
    }
    lane.finish(steps).await?;
    Ok(u32::try_from(jobs.len()).unwrap_or(u32::MAX))
}

async fn prune_jobs(lane: &mut Lane, now: Option<i64>, instant: i64, jobs: &[JobId]) -> Result<()> {
    let mut steps = vec![(Op::FinishedDelete, vec![Value::jobs(jobs.iter().copied())])];
    steps.extend(forget_steps(jobs));
    lane.run(steps).await?;
    let ended = jobs.iter().map(|job| Ended { job: *job, state: None, result: None }).collect();
    let mut tallies = Tallies::default();
    let family = tell_children(lane, instant, ended, None, &mut tallies).await?;
    let mut steps = family.steps;
    steps.extend(tallies.steps(now));
    lane.run(steps).await.map(drop)
}
