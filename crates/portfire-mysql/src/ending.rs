//! What becomes of attempts, put together before it is written: which rows, in which tables. Pure.
//!
//! What is decided comes with each [`Settlement`]; here one of its two targets is taken, by whether somebody
//! asked to cancel. PostgreSQL does this in functions of its own and SQLite job by job; here it is sets of rows,
//! one statement for each table.

use std::collections::BTreeMap;

use portfire_core::{JobId, Json, Settlement, State, Target, Timestamp, first_line};

use crate::body::Body;
use crate::family::Ended;
use crate::insert::keep;
use crate::pool::Step;
use crate::rows::{Value, micros};
use crate::settle::Held;
use crate::statements::Op;
use crate::tally::Tallies;

/// Rows to write of attempts that are over.
pub(crate) struct Endings<'s> {
    now: i64,
    gone: Vec<Value<'s>>,
    /// Rows by table.
    attempts: Vec<Vec<Value<'s>>>,
    finished: Vec<Vec<Value<'s>>>,
    results: Vec<Vec<Value<'s>>>,
    ready: Vec<Vec<Value<'s>>>,
    scheduled: Vec<Vec<Value<'s>>>,
    /// Changes to bodies: one statement each.
    bodies: Vec<Step<'s>>,
    named: Vec<Value<'s>>,
    groups: BTreeMap<String, Group<'s>>,
    ended: Vec<Ended<'s>>,
}

/// Jobs that join a group of failures.
struct Group<'s> {
    kind: String,
    sample: &'s str,
    count: i64,
    last: JobId,
}

impl<'s> Endings<'s> {
    pub(crate) fn new(now: i64) -> Self {
        let (gone, attempts, finished, results) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (ready, scheduled, bodies, named) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (groups, ended) = (BTreeMap::new(), Vec::new());
        Self { now, gone, attempts, finished, results, ready, scheduled, bodies, named, groups, ended }
    }

    /// Settles an attempt that is held; `body` is what has to be known of it, `seq` its number in the history.
    /// Answers the state of the job.
    pub(crate) fn settle(
        &mut self,
        settlement: &'s Settlement,
        held: &Held,
        body: &Body,
        seq: i64,
        tallies: &mut Tallies,
    ) -> State {
        let (target, second) = match &settlement.if_cancelled {
            Some(cancelled) if held.cancel_requested => (cancelled, true),
            _ => (&settlement.to, false),
        };
        self.gone.push(Value::job(settlement.lease.job));
        self.remember(settlement, held, seq);
        let tally = tallies.of(&body.kind, &body.queue);
        tally.crashed += u64::from(settlement.only_if_expired);
        tally.retried += u64::from(settlement.is_retry() && !second);
        match target {
            Target::Finished { state, .. } => {
                let now = Timestamp::from_micros(self.now);
                let waited = held.started_at.since(body.run_at);
                tally.count_end(*state, Some((waited, now.since(held.started_at))));
                self.finish(settlement, target, held, body);
            }
            Target::Again { .. } => self.again(settlement, target, body),
        }
        target.state()
    }

    fn remember(&mut self, settlement: &'s Settlement, held: &Held, seq: i64) {
        let Some(record) = &settlement.record else { return };
        self.attempts.push(vec![
            Value::job(settlement.lease.job),
            Value::Int(seq),
            Value::Int(record.attempt.into()),
            Value::Int(held.started_at.as_micros()),
            Value::Int(self.now),
            Value::server(held.server),
            Value::Text(record.outcome),
            Value::text(record.fault.as_ref().map(|fault| &*fault.message)),
        ]);
    }

    fn finish(&mut self, settlement: &'s Settlement, to: &'s Target, held: &Held, body: &Body) {
        let Target::Finished { state, result, keep: how_long, attempts, crashes } = to else { return };
        let (job, id) = (settlement.lease.job, Value::job(settlement.lease.job));
        // A success is not written back to the body: its attempt was one more than those charged before.
        if *state != State::Succeeded {
            let counts = vec![Value::Int((*attempts).into()), Value::Int((*crashes).into()), id.clone()];
            self.bodies.push((Op::JobCounts, counts));
        }
        let group = settlement.fingerprint.filter(|_| *state == State::Failed).map(|group| group.to_string());
        self.finished.push(vec![
            id.clone(),
            Value::Text(state.as_str()),
            Value::Int(self.now),
            Value::Int(held.started_at.as_micros()),
            Value::token(settlement.lease.token),
            Value::server(held.server),
            Value::int(keep(*how_long).map(|keep| self.now.saturating_add(keep))),
            group.clone().map_or(Value::Null, Value::Owned),
        ]);
        if let Some(group) = group {
            self.join(group, &body.kind, settlement);
        }
        if let Some(result) = result {
            self.results.push(vec![id.clone(), Value::Text(result.as_str())]);
        }
        if body.is_named {
            self.named.push(id);
        }
        self.ended.push(Ended { job, state: Some(*state), result: result.as_ref().map(Json::as_str) });
    }

    fn join(&mut self, group: String, kind: &str, settlement: &'s Settlement) {
        let said = settlement.record.as_ref().and_then(|record| record.fault.as_ref());
        let sample = said.map(|fault| first_line(&fault.message)).unwrap_or_default();
        let last = settlement.lease.job;
        let new = || Group { kind: kind.into(), sample, count: 0, last };
        let group = self.groups.entry(group).or_insert_with(new);
        (group.count, group.last) = (group.count + 1, last);
    }

    fn again(&mut self, settlement: &'s Settlement, to: &'s Target, body: &Body) {
        let Target::Again { state, after, attempts, crashes } = to else { return };
        let id = || Value::job(settlement.lease.job);
        let due = || Value::Int(self.now.saturating_add(micros(*after)));
        if *state == State::Enqueued {
            let [kind, queue] = [&body.kind, &body.queue].map(|text| Value::Owned(text.as_ref().into()));
            self.ready.push(vec![queue, Value::Int(body.priority), due(), id(), kind]);
        } else {
            let retrying = i64::from(*state == State::Retrying);
            self.scheduled.push(vec![due(), id(), Value::Int(retrying)]);
        }
        let values = vec![
            Value::Int((*attempts).into()),
            Value::Int((*crashes).into()),
            due(),
            Value::token(settlement.lease.token),
            Value::Text(state.as_str()),
            id(),
        ];
        self.bodies.push((Op::JobAgain, values));
    }

    /// The first priority, in the order of claims, of jobs that may be run at once.
    pub(crate) fn made_ready(&self) -> Option<i64> {
        first_priority(&self.ready)
    }

    /// Adds the steps that write it; answers who has ended.
    pub(crate) fn write(self, steps: &mut Vec<Step<'s>>) -> Vec<Ended<'s>> {
        let Self { now, gone, named, mut bodies, mut finished, groups, ended, .. } = self;
        // Each row beside the one before it, wherever it ends: 0.2 ms less for 200.
        finished.sort_by_key(|row| if let Some(Value::Id(id)) = row.first() { *id } else { [0; 16] });
        if !gone.is_empty() {
            steps.push((Op::RunningDelete, vec![Value::List(gone)]));
        }
        steps.append(&mut bodies);
        let tables = [
            (Op::AttemptInsert, self.attempts),
            (Op::FinishedInsert, finished),
            (Op::ResultInsert, self.results),
            (Op::ReadyInsert, self.ready),
            (Op::ScheduledInsert, self.scheduled),
        ];
        let tables = tables.into_iter().filter(|(_, rows)| !rows.is_empty());
        steps.extend(tables.map(|(op, rows)| (op, vec![Value::Rows(rows)])));
        if !named.is_empty() {
            steps.push((Op::UniqueFree, vec![Value::List(named)]));
        }
        // In order, so that two servers cannot wait for each other's groups.
        steps.extend(groups.into_iter().map(|(group, joined)| joined.step(group, now)));
        ended
    }
}

/// The first priority, in the order of claims, in rows of `ready_insert`.
pub(crate) fn first_priority(ready: &[Vec<Value<'_>>]) -> Option<i64> {
    let priority = |row: &Vec<Value<'_>>| {
        if let Some(Value::Int(priority)) = row.get(1) { Some(*priority) } else { None }
    };
    ready.iter().filter_map(priority).min()
}

impl<'s> Group<'s> {
    fn step(self, fingerprint: String, now: i64) -> Step<'s> {
        let (now, count, last) = (Value::Int(now), Value::Int(self.count), Value::job(self.last));
        let (fingerprint, kind) = (Value::Owned(fingerprint), Value::Owned(self.kind));
        let new = vec![
            fingerprint,
            kind,
            Value::Text(self.sample),
            now.clone(),
            now.clone(),
            count.clone(),
            last.clone(),
        ];
        (Op::FaultJoin, vec![Value::Rows(vec![new]), now, count, last])
    }
}
