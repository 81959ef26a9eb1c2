//! Claims: the last part of an exchange.
//!
//! 1. Whether this claim was given up, whether it has been here before, whether the server may claim at all, and
//!    which of its queues are paused, is asked along with what settlements have to know. A claim that asks for no
//!    job gives itself up, and waits for what is still at work for it.
//! 2. The head of a queue is held, past what others hold, with what is to be written before it; then that of the
//!    next queue, until there is enough.
//! 3. What is held moves to `running`, and its bodies are read then: what a statement reads beside what it holds
//!    may be older.

use std::collections::HashSet;

use portfire_core::storage::{Claimed, Exchange, Exchanged, ParentResult, Want};
use portfire_core::{Facts, JobId, Json, Lease, Policy, Result, Token};

use crate::insert::Executor;
use crate::pool::{Answer, Lane, Step};
use crate::rows::{Row, Value, slot, tags};
use crate::settle::read_flag;
use crate::statements::Op;

/// What has to be known before; the order is that of [`Permit::read`].
pub(crate) fn questions(now: Option<i64>, request: &Exchange) -> Vec<Step<'_>> {
    let Some(want) = &request.want else { return Vec::new() };
    let (token, server) = (Value::token(want.token), Value::server(request.server));
    // What the claim took is read after it is known to have ended.
    let ended =
        if want.limit == 0 { (Op::ClaimClose, vec![token, server]) } else { (Op::ClaimOpen, vec![server]) };
    vec![
        ended,
        (Op::ClaimRepeat, vec![Value::token(want.token)]),
        (Op::ServerAlive, vec![Value::server(request.server), Value::Now(now)]),
        (Op::PausedAmong, vec![Value::texts(want.queues.iter().map(|queue| &*queue.name))]),
    ]
}

/// What the answers say.
#[derive(Debug, Default)]
pub(crate) struct Permit {
    /// What this token took before and still holds.
    taken: Vec<JobId>,
    may_take: bool,
    paused: HashSet<String>,
}

impl Permit {
    /// `gone` are the jobs that this exchange itself has settled.
    pub(crate) fn read(want: Option<&Want>, answers: &[Answer], gone: &HashSet<JobId>) -> Result<Self> {
        let (Some(want), [closed, taken, alive, paused]) = (want, answers) else {
            return Ok(Self::default());
        };
        let closed = closed.rows.first().map(|row| row.token(0)).transpose()?;
        let is_open = want.limit > 0 && closed.is_none_or(|closed| want.token > closed);
        let mut taken = taken.rows.iter().map(|row| row.id(0)).collect::<Result<Vec<_>>>()?;
        taken.retain(|job| !gone.contains(job));
        let paused = paused.rows.iter().map(|row| row.text(0).map(str::to_owned)).collect::<Result<_>>()?;
        Ok(Self { taken, may_take: is_open && !alive.rows.is_empty(), paused })
    }
}

/// Writes the steps, claims, and commits.
pub(crate) async fn claim(
    lane: &mut Lane,
    now: Option<i64>,
    request: &Exchange,
    (mut steps, permit): (Vec<Step<'_>>, Permit),
    answer: &mut Exchanged,
) -> Result<()> {
    let mut jobs = permit.taken.clone();
    if let Some(want) = request.want.as_ref().filter(|_| permit.may_take && jobs.is_empty()) {
        let heads = hold(lane, want, &permit, &mut steps).await?;
        jobs = heads.iter().map(Head::id).collect::<Result<_>>()?;
        steps.extend(take_steps(now, request, want, &heads)?);
    }
    let flags = (Op::CancelFlags, vec![Value::server(request.server)]);
    let Some(want) = request.want.as_ref().filter(|_| !jobs.is_empty()) else {
        steps.push(flags);
        let flags = lane.finish(steps).await?.pop().unwrap_or_default().rows;
        answer.cancel = flags.iter().map(read_flag).collect::<Result<_>>()?;
        return Ok(());
    };
    let parents = (Op::ParentsOf, vec![Value::jobs(jobs)]);
    steps.extend([(Op::Claimed, vec![Value::token(want.token)]), parents, flags]);
    let answers = lane.finish(steps).await?;
    let [.., bodies, parents, flags] = &*answers else { return Ok(()) };
    answer.cancel = flags.rows.iter().map(read_flag).collect::<Result<_>>()?;
    let parents = parents.rows.iter().map(parent).collect::<Result<Vec<_>>>()?;
    for row in &bodies.rows {
        answer.claimed.push(claimed(row, want.token, &parents)?);
    }
    Ok(())
}

/// A job at the head of its queue, held by this transaction.
struct Head<'w> {
    queue: &'w str,
    row: Row,
}

impl Head<'_> {
    fn id(&self) -> Result<JobId> {
        self.row.id(2)
    }
}

/// Holds the heads of the wanted queues, one after the other; the steps are written before.
async fn hold<'w>(
    lane: &mut Lane,
    want: &'w Want,
    permit: &Permit,
    steps: &mut Vec<Step<'_>>,
) -> Result<Vec<Head<'w>>> {
    let mut heads: Vec<Head<'w>> = Vec::new();
    for queue in want.queues.iter().filter(|queue| !permit.paused.contains(&*queue.name)) {
        let left = want.limit.saturating_sub(u32::try_from(heads.len()).unwrap_or(u32::MAX));
        let limit = left.min(queue.limit);
        if limit == 0 {
            continue;
        }
        let kinds = Value::texts(want.kinds.iter().map(|kind| &**kind));
        let mut travelling = std::mem::take(steps);
        travelling.push((Op::Claim, vec![Value::Text(&queue.name), kinds, Value::Int(limit.into())]));
        let mut rows = lane.run(travelling).await?.pop().unwrap_or_default().rows;
        rows.sort_by_key(|row| (row.int(0).ok(), row.int(1).ok(), row.id(2).ok()));
        heads.extend(rows.into_iter().map(|row| Head { queue: &queue.name, row }));
    }
    Ok(heads)
}

/// The steps by which what is held moves to `running`.
fn take_steps<'s>(
    now: Option<i64>,
    request: &'s Exchange,
    want: &'s Want,
    heads: &[Head<'s>],
) -> Result<Vec<Step<'s>>> {
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let key = |head: &Head<'s>| -> Result<Vec<Value<'s>>> {
        let (priority, run_at) = (Value::Int(head.row.int(0)?), Value::Int(head.row.int(1)?));
        Ok(vec![Value::Text(head.queue), priority, run_at, Value::job(head.id()?)])
    };
    let keys = heads.iter().map(key).collect::<Result<_>>()?;
    let ids = Value::List(heads.iter().map(|head| head.id().map(Value::job)).collect::<Result<_>>()?);
    let running = vec![
        Value::token(want.token),
        // Where each stands in the list is its place in the claim.
        ids.clone(),
        Value::server(request.server),
        Value::Now(now),
        ids,
    ];
    Ok(vec![(Op::ReadyDelete, vec![Value::Rows(keys)]), (Op::RunningInsert, running)])
}

/// A row of `parents_of`.
fn parent(row: &Row) -> Result<(JobId, ParentResult)> {
    let state = row.opt_text(2)?.map(str::parse).transpose()?;
    let result = row.opt_text(3)?.map(Json::trusted);
    Ok((row.id(0)?, ParentResult { job: row.id(1)?, state, result }))
}

/// A row of `claimed`.
fn claimed(row: &Row, token: Token, parents: &[(JobId, ParentResult)]) -> Result<Claimed> {
    let job = row.id(0)?;
    let parents = parents.iter().filter(|(child, _)| *child == job);
    Ok(Claimed {
        facts: Facts {
            lease: Lease { job, token },
            kind: row.text(2)?.into(),
            attempt: row.small(7)?,
            crashes: row.small(8)?,
            policy: Policy::from_json(row.opt_text(4)?)?,
        },
        queue: row.text(1)?.into(),
        args: Json::trusted(row.text(3)?),
        tags: tags(row.opt_text(5)?)?,
        created_at: row.time(6)?,
        parents: parents.map(|(_, parent)| parent.clone()).collect(),
        slot: slot(row, 9)?,
    })
}
