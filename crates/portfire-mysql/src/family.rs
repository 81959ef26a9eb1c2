//! What a job's end means for those who wait for it.
//!
//! A generation at a time: those who waited for jobs that ended are told, and held; those who wait for nobody any
//! more are let go; those who now wait in vain are cancelled, and are the jobs that ended for the next one.

use std::collections::{BTreeMap, BTreeSet};

use portfire_core::{JobId, Result, State, Trigger, Verdict};

use crate::ending::first_priority;
use crate::insert::Executor;
use crate::pool::Step;
use crate::rows::{Row, Value};
use crate::settle::first;
use crate::statements::Op;
use crate::tally::Tallies;

/// A job that ended; without a state it was deleted.
pub(crate) struct Ended<'s> {
    pub(crate) job: JobId,
    pub(crate) state: Option<State>,
    pub(crate) result: Option<&'s str>,
}

/// What is left to be written, and the first priority, in the order of claims, of jobs that may be run at once.
#[derive(Default)]
pub(crate) struct Family<'s> {
    pub(crate) steps: Vec<Step<'s>>,
    pub(crate) made_ready: Option<i64>,
}

/// Settles the fate of those who wait for these jobs. `children` are the rows of `children_of`, if they have been
/// read already.
pub(crate) async fn tell_children<'s, E: Executor>(
    db: &mut E,
    now: i64,
    mut ended: Vec<Ended<'s>>,
    mut children: Option<Vec<Row>>,
    tallies: &mut Tallies,
) -> Result<Family<'s>> {
    let mut family = Family::default();
    while !ended.is_empty() {
        let rows = if let Some(rows) = children.take() {
            rows
        } else {
            // Along with what the last generation came to, which this one has to see.
            let mut steps = std::mem::take(&mut family.steps);
            steps.push((Op::ChildrenOf, vec![Value::jobs(ended.iter().map(|parent| parent.job))]));
            db.run(steps).await?.pop().unwrap_or_default().rows
        };
        let told = Told::read(&rows, &ended)?;
        if told.is_nobody() {
            break;
        }
        let mut steps: Vec<_> = ended.iter().filter_map(|parent| decide(parent, &told)).collect();
        steps.push((Op::ChildrenHeld, vec![Value::jobs(told.all())]));
        let held = db.run(steps).await?.pop().unwrap_or_default().rows;
        ended = Generation::of(now, &held, &told, tallies)?.write(&mut family);
    }
    Ok(family)
}

/// What ends mean for children that wait.
#[derive(Default)]
struct Told {
    /// For whom how many parents came to what was wished.
    satisfied: BTreeMap<JobId, i64>,
    impossible: BTreeSet<JobId>,
    /// Which wishes are decided of each parent.
    wishes: BTreeMap<JobId, BTreeSet<&'static str>>,
}

impl Told {
    fn read(rows: &[Row], ended: &[Ended<'_>]) -> Result<Self> {
        let ends: BTreeMap<_, _> = ended.iter().map(|parent| (parent.job, parent.state)).collect();
        let mut told = Self::default();
        for row in rows {
            let (child, parent, on): (_, _, Trigger) = (row.id(0)?, row.id(1)?, row.text(2)?.parse()?);
            let Some(state) = ends.get(&parent) else { continue };
            match state.map_or(Trigger::verdict_if_deleted(), |state| on.verdict(state)) {
                Verdict::Wait => continue,
                Verdict::Satisfied => *told.satisfied.entry(child).or_default() += 1,
                Verdict::Impossible => drop(told.impossible.insert(child)),
            }
            told.wishes.entry(parent).or_default().insert(on.as_str());
        }
        Ok(told)
    }

    fn is_nobody(&self) -> bool {
        self.wishes.is_empty()
    }

    fn all(&self) -> BTreeSet<JobId> {
        self.satisfied.keys().chain(&self.impossible).copied().collect()
    }
}

/// The step that tells what a parent came to.
fn decide<'s>(parent: &Ended<'s>, told: &Told) -> Option<Step<'s>> {
    let wishes = told.wishes.get(&parent.job)?;
    // A deleted parent counts as cancelled for the child that reads what became of it.
    let state = Value::Text(parent.state.unwrap_or(State::Cancelled).as_str());
    let wishes = Value::texts(wishes.iter().copied());
    Some((Op::DependencyDecide, vec![state, Value::text(parent.result), Value::job(parent.job), wishes]))
}

/// What becomes of the children that still wait.
#[derive(Default)]
struct Generation<'s> {
    out: Vec<Value<'s>>,
    cancelled: Vec<JobId>,
    named: Vec<Value<'s>>,
    finished: Vec<Vec<Value<'s>>>,
    /// How many parents are left.
    counts: BTreeMap<i64, Vec<Value<'s>>>,
    /// When those are due who are let go.
    due: BTreeMap<i64, Vec<Value<'s>>>,
    ready: Vec<Vec<Value<'s>>>,
    scheduled: Vec<Vec<Value<'s>>>,
}

impl<'s> Generation<'s> {
    /// Judges the rows of `children_held`: those who do not wait any more only hear of it.
    fn of(now: i64, held: &[Row], told: &Told, tallies: &mut Tallies) -> Result<Self> {
        let mut all = Self::default();
        for row in held {
            let (child, waiting_for) = (row.id(0)?, row.int(1)?);
            if told.impossible.contains(&child) {
                tallies.of(row.text(2)?, row.text(3)?).count_end(State::Cancelled, None);
                all.cancel(now, child, row)?;
                continue;
            }
            let left = waiting_for - told.satisfied.get(&child).copied().unwrap_or_default();
            if left > 0 {
                all.counts.entry(left).or_default().push(Value::job(child));
            } else {
                all.release(now, child, row)?;
            }
        }
        Ok(all)
    }

    fn cancel(&mut self, now: i64, child: JobId, row: &Row) -> Result<()> {
        self.out.push(Value::job(child));
        self.cancelled.push(child);
        let prune_at = row.opt_int(7)?.map(|keep| now.saturating_add(keep));
        let (state, null) = (Value::Text(State::Cancelled.as_str()), Value::Null);
        let ending =
            [state, Value::Int(now), null.clone(), null.clone(), null.clone(), Value::int(prune_at), null];
        self.finished.push([Value::job(child)].into_iter().chain(ending).collect());
        if !row.is_null(8) {
            self.named.push(Value::job(child));
        }
        Ok(())
    }

    fn release(&mut self, now: i64, child: JobId, row: &Row) -> Result<()> {
        let (run_at, created_at) = (row.int(5)?.max(now), row.int(6)?);
        self.out.push(Value::job(child));
        self.due.entry(run_at).or_default().push(Value::job(child));
        // A job for at once, stored by a transaction that began after this one, is not one for later.
        if run_at <= now.max(created_at) {
            let [kind, queue] = [row.text(2)?, row.text(3)?].map(|text| Value::Owned(text.into()));
            self.ready.push(vec![
                queue,
                Value::Int(row.int(4)?),
                Value::Int(run_at),
                Value::job(child),
                kind,
            ]);
        } else {
            self.scheduled.push(vec![Value::Int(run_at), Value::job(child), Value::Int(0)]);
        }
        Ok(())
    }

    /// Adds the steps that write it; answers who ended by it.
    fn write(self, family: &mut Family<'s>) -> Vec<Ended<'s>> {
        let steps = &mut family.steps;
        family.made_ready = first(family.made_ready, first_priority(&self.ready));
        if !self.out.is_empty() {
            steps.push((Op::AwaitingDelete, vec![Value::List(self.out)]));
        }
        if !self.named.is_empty() {
            steps.push((Op::UniqueFree, vec![Value::List(self.named)]));
        }
        let counted = self.counts.into_iter();
        steps
            .extend(counted.map(|(left, ids)| (Op::AwaitingCount, vec![Value::List(ids), Value::Int(left)])));
        let due = self.due.into_iter();
        steps.extend(due.map(|(run_at, ids)| (Op::JobDue, vec![Value::List(ids), Value::Int(run_at)])));
        let tables = [
            (Op::FinishedInsert, self.finished),
            (Op::ReadyInsert, self.ready),
            (Op::ScheduledInsert, self.scheduled),
        ];
        let tables = tables.into_iter().filter(|(_, rows)| !rows.is_empty());
        steps.extend(tables.map(|(op, rows)| (op, vec![Value::Rows(rows)])));
        let ended = |job| Ended { job, state: Some(State::Cancelled), result: None };
        self.cancelled.into_iter().map(ended).collect()
    }
}
