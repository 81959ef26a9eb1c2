//! What operators and the keeper do to jobs: cancel, run now, move, delete; promote, rescue, prune.
//!
//! Whether a wish is possible is read from the table of [`State`]; nothing is decided here. A job that
//! moves on between the look at it and the hand on it is looked at again.

use portfire_core::limits::SERVERS_KEPT;
use portfire_core::storage::{Acted, Action, By, Deed, Expired, Promoted, Was};
use portfire_core::{Error, Facts, JobId, Lease, Policy, Result, State, Timestamp};

use crate::poll::until;
use crate::pool::{Lane, WRITES};
use crate::rows::{Row, Value, micros};
use crate::settle::verdicts;
use crate::statements::Op;
use crate::steer::{prune_audit, remember};
use crate::tally;

/// How often a job that keeps moving is looked at again.
const LOOKS_MAX: usize = 20;

/// What came of an operator's wish.
pub(crate) struct Done {
    pub(crate) acted: Vec<Acted>,
    /// Whether servers should hear of it.
    pub(crate) rings: bool,
    /// Since when the first job has been due that stands elsewhere in a queue now.
    pub(crate) due_since: Option<i64>,
}

/// Does what an operator wants of each job.
pub(crate) async fn act(
    lane: &Lane,
    now: Option<i64>,
    jobs: &[JobId],
    action: &Action,
    by: &By,
) -> Result<Done> {
    lane.begin(WRITES).await?;
    let mut hand = Hand { lane, now, ring: false, due_since: None, deeds: Vec::new() };
    let mut acted = Vec::with_capacity(jobs.len());
    for job in jobs {
        acted.push(hand.act_on(*job, action).await?);
    }
    let Hand { ring: rings, due_since, deeds, .. } = hand;
    remember(lane, now, by, &deeds).await?;
    lane.batch("COMMIT").await?;
    Ok(Done { acted, rings, due_since })
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
    Ok(match (row.is(9)?, row.is(8)?, row.opt_bool(7)?, row.is(6)?) {
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
    lane: &'l Lane,
    now: Option<i64>,
    ring: bool,
    due_since: Option<i64>,
    deeds: Vec<Deed>,
}

impl Hand<'_> {
    async fn act_on(&mut self, job: JobId, action: &Action) -> Result<Acted> {
        for _ in 0..LOOKS_MAX {
            let place = self.lane.rows(Op::Place, &[Value::Int(self.now), Value::job(job)]).await?.pop();
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
        let there = !self.lane.rows(Op::CancelRequest, &[Value::job(job)]).await?.is_empty();
        Ok(there.then_some(Acted::Flagged))
    }

    async fn cancel(&mut self, job: JobId, place: &Place, next: State) -> Result<Option<Acted>> {
        if !self.take_out(job, place).await? {
            return Ok(None);
        }
        self.lane.rows(Op::Cancel, &[Value::Int(self.now), Value::job(job)]).await?;
        self.ring |= tell_children(self.lane, self.now, &[job], Some(State::Cancelled)).await?;
        Ok(Some(Acted::Done(next)))
    }

    async fn delete(&mut self, job: JobId, place: &Place) -> Result<Option<Acted>> {
        if !self.take_out(job, place).await? {
            return Ok(None);
        }
        self.ring |= forget(self.lane, self.now, &[job]).await?;
        Ok(Some(Acted::Done(place.state)))
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
        if place.state.is_final() {
            self.lane.rows(Op::JobReset, &[Value::job(job)]).await?;
        }
        let ready = at <= place.now;
        let until = Value::Int(Some(at.max(place.now).as_micros()));
        let retrying = next == State::Retrying;
        let values = [Value::job(job), until, Value::Bool(ready), Value::Bool(retrying)];
        self.lane.rows(Op::JobMove, &values).await?;
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
        let (queue, priority) = (Value::text(queue), Value::Int(Some(priority)));
        let values = [Value::job(job), queue, priority, Value::text(state.as_str())];
        self.lane.rows(Op::JobRelocate, &values).await?;
        if state == State::Enqueued {
            let run_at = place.row.int(2)?;
            self.due_since = Some(self.due_since.map_or(run_at, |since| since.min(run_at)));
            self.ring = true;
        }
        Ok(Some(Acted::Done(state)))
    }

    /// An ended job takes its unique name back, if that is free.
    async fn take_name(&self, job: JobId, place: &Place) -> Result<bool> {
        let Some(name) = place.row.opt_text(4)? else { return Ok(true) };
        let values = [Value::texts([place.row.text(3)?]), Value::texts([name]), Value::jobs([job])];
        if !self.lane.rows(Op::UniqueTake, &values).await?.is_empty() {
            return Ok(true);
        }
        // It may be this very job that has it: taken on a look before, when the job then had moved.
        let values = [Value::text(place.row.text(3)?), Value::text(name)];
        let holder = self.lane.rows(Op::UniqueHolder, &values).await?;
        holder.first().map_or(Ok(false), |row| Ok(row.id(0)? == job))
    }

    /// Removes a job from the table that says its state; answers whether it was still there.
    async fn take_out(&self, job: JobId, place: &Place) -> Result<bool> {
        let (id, row) = (Value::job(job), &place.row);
        let run_at = Value::Int(Some(row.int(2)?));
        let rows = match place.state {
            State::Awaiting => self.lane.rows(Op::AwaitingDelete, &[id]).await?,
            State::Scheduled | State::Retrying => self.lane.rows(Op::ScheduledDelete, &[run_at, id]).await?,
            State::Enqueued => {
                let key = [Value::text(row.text(0)?), Value::Int(Some(row.int(1)?)), run_at, id];
                self.lane.rows(Op::ReadyDelete, &key).await?
            }
            State::Succeeded | State::Failed | State::Cancelled => {
                self.lane.rows(Op::FinishedDelete, &[id]).await?
            }
            State::Processing => return Err(Error::broken("a running job leaves only through its fence")),
        };
        Ok(!rows.is_empty())
    }
}

/// Settles the fate of those who wait for these jobs, which ended so or (`None`) were deleted; answers
/// whether one became ready.
async fn tell_children(lane: &Lane, now: Option<i64>, jobs: &[JobId], end: Option<State>) -> Result<bool> {
    let states = jobs.iter().map(|_| end.map(State::as_str)).collect();
    let mut values = vec![Value::Int(now), Value::jobs(jobs.iter().copied()), Value::Texts(states)];
    values.extend(verdicts());
    let rows = lane.rows(Op::TellChildren, &values).await?;
    rows.first().map_or(Ok(false), |row| row.is(0))
}

/// Deletes jobs that are out of their places, with all that belongs to them.
async fn forget(lane: &Lane, now: Option<i64>, jobs: &[JobId]) -> Result<bool> {
    lane.rows(Op::JobDelete, &[Value::jobs(jobs.iter().copied())]).await?;
    tell_children(lane, now, jobs, None).await
}

/// Moves due jobs to where servers find them; answers, too, since when the first of them has been due.
pub(crate) async fn promote(lane: &Lane, now: Option<i64>, limit: u32) -> Result<(Promoted, Option<i64>)> {
    let limit = Value::Int(Some(limit.into()));
    let rows = lane.rows(Op::Promote, &[Value::Int(now), limit]).await?;
    let row = rows.first().ok_or_else(|| Error::broken("a promotion has an answer"))?;
    let promoted = Promoted { count: row.small(0)?, next: until(row, 1)?, next_slot: until(row, 2)? };
    Ok((promoted, row.opt_int(3)?))
}

/// A row of `expired`.
pub(crate) fn read_expired(row: &Row) -> Result<Expired> {
    let lease = Lease { job: row.id(0)?, token: row.token(1)? };
    let policy = Policy::from_json(row.opt_text(5)?);
    let (attempt, crashes, kind) = (row.small(3)?, row.small(4)?, row.text(6)?.into());
    let facts = Facts { lease, kind, attempt, crashes, policy };
    Ok(Expired { facts, server: row.server(2)? })
}

/// Forgets servers that left and hold nothing any more.
async fn prune_left(lane: &Lane) -> Result<()> {
    let left = lane.rows(Op::LeftLock, &[]).await?;
    let left = left.iter().map(|row| row.server(0)).collect::<Result<Vec<_>>>()?;
    if !left.is_empty() {
        lane.rows(Op::LeftPrune, &[Value::servers(left)]).await?;
    }
    Ok(())
}

/// Deletes jobs whose time to be kept has passed, dead servers, and old entries of the audit.
pub(crate) async fn prune(lane: &Lane, now: Option<i64>, limit: u32) -> Result<u32> {
    lane.begin(WRITES).await?;
    let rows = lane.rows(Op::Prune, &[Value::Int(now), Value::Int(Some(limit.into()))]).await?;
    let jobs = rows.iter().map(|row| row.id(0)).collect::<Result<Vec<_>>>()?;
    if !jobs.is_empty() {
        forget(lane, now, &jobs).await?;
    }
    let kept = Value::Int(Some(micros(SERVERS_KEPT)));
    lane.rows(Op::PruneServers, &[Value::Int(now), kept]).await?;
    prune_left(lane).await?;
    prune_audit(lane, now, limit).await?;
    lane.batch("COMMIT").await?;
    tally::tidy(lane, now).await?;
    Ok(u32::try_from(jobs.len()).unwrap_or(u32::MAX))
}
