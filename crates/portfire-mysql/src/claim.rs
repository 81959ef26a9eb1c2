//! Claims: the last part of an exchange.
//!
//! 1. Whether this claim was given up, whether it has been here before, whether the server may claim at all, which of
//!    its queues are paused, and which of its jobs somebody wants cancelled, is asked along with what settlements have
//!    to know. A claim that asks for no job gives itself up, and waits for what is still at work for it.
//! 2. The head of a queue is held, past what others hold, with what is to be written before it; then that of the
//!    next queue, until there is enough.
//! 3. What is held moves to `running`, and its bodies are read then: what a statement reads beside what it holds
//!    may be older.

use std::collections::HashSet;

use portfire_core::storage::{Claimed, Exchange, Exchanged, ParentResult, Want};
use portfire_core::{Error, Facts, JobId, Json, Lease, Policy, Result, Token};

use crate::body::{Bodies, Body};
use crate::insert::Executor;
use crate::mark::{Found, Marks, Place, Sight};
use crate::pool::{Answer, Lane, Step, moment};
use crate::rows::{Row, Value, slot, tags};
use crate::settle::read_flag;
use crate::statements::Op;

/// What has to be known before; the order is that of [`Permit::read`].
pub(crate) fn questions(now: Option<i64>, request: &Exchange) -> Vec<Step<'_>> {
    let server = || Value::server(request.server);
    let Some(want) = &request.want else { return vec![(Op::CancelFlags, vec![server()])] };
    let token = || Value::token(want.token);
    // What the claim took is read after it is known to have ended.
    let ended = if want.limit == 0 {
        (Op::ClaimClose, vec![token(), server()])
    } else {
        (Op::ClaimOpen, vec![server()])
    };
    let queues = Value::texts(want.queues.iter().map(|queue| &*queue.name));
    let permit = vec![token(), Value::Now(now), server(), Value::Now(now), queues, server()];
    vec![ended, (Op::ClaimPermit, permit)]
}

/// What the answers say.
#[derive(Debug, Default)]
pub(crate) struct Permit {
    /// Whether this token took jobs before that it still holds.
    has_taken: bool,
    may_take: bool,
    /// The instant of that.
    now: i64,
    paused: HashSet<String>,
    /// The jobs of this server that somebody wants cancelled.
    cancel: Vec<Lease>,
}

impl Permit {
    /// `gone` are the jobs that this exchange itself has settled.
    pub(crate) fn read(want: Option<&Want>, answers: &[Answer], gone: &HashSet<JobId>) -> Result<Self> {
        let mut permit = Self::default();
        match (want, answers) {
            (Some(want), [closed, rows]) => {
                permit.read_rows(&rows.rows, gone)?;
                let closed = closed.rows.first().map(|row| row.token(0)).transpose()?;
                permit.may_take &= want.limit > 0 && closed.is_none_or(|closed| want.token > closed);
            }
            (None, [flags]) => permit.cancel = flags.rows.iter().map(read_flag).collect::<Result<_>>()?,
            _ => {}
        }
        permit.cancel.retain(|lease| !gone.contains(&lease.job));
        Ok(permit)
    }

    /// The rows of `claim_permit`.
    fn read_rows(&mut self, rows: &[Row], gone: &HashSet<JobId>) -> Result<()> {
        for row in rows {
            match row.int(0)? {
                1 => self.has_taken |= !gone.contains(&row.id(1)?),
                2 => (self.may_take, self.now) = (true, row.int(4)?),
                3 => drop(self.paused.insert(row.text(3)?.to_owned())),
                _ => self.cancel.push(Lease { job: row.id(1)?, token: row.token(2)? }),
            }
        }
        Ok(())
    }
}

/// Writes the steps, claims, and commits.
pub(crate) async fn claim(
    lane: &mut Lane,
    now: Option<i64>,
    request: &Exchange,
    (mut steps, permit): (Vec<Step<'_>>, Permit),
    (marks, bodies): (&Marks, &Bodies),
    answer: &mut Exchanged,
) -> Result<()> {
    let (mut has_jobs, mut sight) = (permit.has_taken, marks.look(permit.now));
    if let Some(want) = request.want.as_ref().filter(|_| permit.may_take && !has_jobs) {
        let marks = hold(lane, want, &permit, &mut steps, &mut sight).await?;
        has_jobs = !marks.is_empty();
        steps.extend(take_steps(now, request, want, &marks)?);
    }
    answer.cancel = permit.cancel;
    let want = request.want.as_ref().filter(|_| has_jobs);
    steps.extend(want.map(|want| (Op::Claimed, vec![Value::token(want.token)])));
    let rows = lane.finish(steps).await?.pop().unwrap_or_default().rows;
    sight.remember();
    if let Some(want) = want {
        let claimed = read_claimed(&rows, want.token)?;
        let (claimed, read): (Vec<_>, Vec<_>) = claimed.into_iter().unzip();
        bodies.keep(claimed.iter().map(|one| one.facts.lease).zip(read));
        answer.claimed = claimed;
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

    /// Where it is in its queue.
    fn key(&self) -> Result<Vec<Value<'static>>> {
        Ok(vec![Value::Int(self.row.int(0)?), Value::Int(self.row.int(1)?), Value::job(self.id()?)])
    }
}

/// Holds the marks of the wanted queues, one after the other; the steps are written before.
async fn hold<'w>(
    lane: &mut Lane,
    want: &'w Want,
    permit: &Permit,
    steps: &mut Vec<Step<'_>>,
    sight: &mut Sight<'_>,
) -> Result<Vec<Head<'w>>> {
    let mut marks: Vec<Head<'w>> = Vec::new();
    for queue in want.queues.iter().filter(|queue| !permit.paused.contains(&*queue.name)) {
        let left = want.limit.saturating_sub(u32::try_from(marks.len()).unwrap_or(u32::MAX));
        let limit = left.min(queue.limit);
        if limit == 0 {
            continue;
        }
        let rows = hold_queue(lane, want, (&queue.name, limit), steps, sight).await?;
        marks.extend(rows.into_iter().map(|row| Head { queue: &queue.name, row }));
    }
    Ok(marks)
}

/// Holds the head of one queue, from behind the place that is known, and from the very head if too few are there.
async fn hold_queue(
    lane: &mut Lane,
    want: &Want,
    (queue, limit): (&str, u32),
    steps: &mut Vec<Step<'_>>,
    sight: &mut Sight<'_>,
) -> Result<Vec<Row>> {
    let mut behind = sight.begin(queue, &want.kinds);
    loop {
        let step = claim_step(want, queue, behind, limit);
        // What is written along with it may wait for others.
        sight.walks(behind, steps.is_empty().then(moment));
        let claimed = run_claim(lane, std::mem::take(steps), step, sight.measures(behind));
        let (mut rows, took) = claimed.await?;
        let (count, is_filled) = (rows.len(), rows.len() >= limit as usize);
        if !is_filled && behind.is_some_and(|place| sight.looks_before(place)) {
            // What is held already comes again, in its place.
            behind = None;
            continue;
        }
        rows.sort_by_key(|row| (row.int(0).ok(), row.int(1).ok(), row.id(2).ok()));
        let last = rows.last().map(|row| Ok((row.int(0)?, row.int(1)?, row.id(2)?))).transpose()?;
        sight.saw(behind, Found { last, count, is_filled, took });
        return Ok(rows);
    }
}

/// Runs the steps and that of a claim; answers its rows and, if it is to be measured, for how many microseconds it ran,
/// by the database's clock before and after it.
async fn run_claim(
    lane: &mut Lane,
    mut steps: Vec<Step<'_>>,
    claim: Step<'_>,
    is_measured: bool,
) -> Result<(Vec<Row>, Option<i64>)> {
    let clock = || is_measured.then(|| (Op::Now, vec![Value::Now(None)]));
    steps.extend(clock());
    steps.push(claim);
    steps.extend(clock());
    let mut answers = lane.run(steps).await?;
    let after = if is_measured { answers.pop() } else { None };
    let rows = answers.pop().unwrap_or_default().rows;
    let took = match (answers.pop(), after) {
        (Some(before), Some(after)) => Some(instant(&after)? - instant(&before)?),
        _ => None,
    };
    Ok((rows, took))
}

/// The row of `now`.
fn instant(answer: &Answer) -> Result<i64> {
    answer.rows.first().map_or_else(|| Err(Error::broken("a clock tells the time")), |row| row.int(0))
}

/// The step that holds the head of a queue.
fn claim_step<'w>(want: &'w Want, queue: &'w str, behind: Option<Place>, limit: u32) -> Step<'w> {
    let kinds = Value::texts(want.kinds.iter().map(|kind| &**kind));
    let (queue, limit) = (Value::Text(queue), Value::Int(limit.into()));
    let Some(Place { priority, run_at, id, .. }) = behind else {
        return (Op::Claim, vec![queue, kinds, limit]);
    };
    let [priority, run_at] = [priority, run_at].map(Value::Int);
    let place = [priority.clone(), run_at.clone(), Value::job(id), priority.clone(), run_at, priority];
    (Op::ClaimBehind, [queue, kinds].into_iter().chain(place).chain([limit]).collect())
}

/// The steps by which what is held moves to `running`.
fn take_steps<'s>(
    now: Option<i64>,
    request: &'s Exchange,
    want: &'s Want,
    marks: &[Head<'s>],
) -> Result<Vec<Step<'s>>> {
    if marks.is_empty() {
        return Ok(Vec::new());
    }
    let mut steps = Vec::new();
    for queue in marks.chunk_by(|one, next| one.queue == next.queue) {
        let keys = Value::Rows(queue.iter().map(Head::key).collect::<Result<_>>()?);
        steps.push((Op::ReadyDelete, vec![keys, Value::Text(queue[0].queue)]));
    }
    let places = (1..).zip(marks).map(|(place, head)| Ok(vec![Value::job(head.id()?), Value::Int(place)]));
    let running = vec![
        Value::token(want.token),
        Value::server(request.server),
        Value::Now(now),
        Value::Rows(places.collect::<Result<_>>()?),
    ];
    steps.push((Op::RunningInsert, running));
    Ok(steps)
}

/// The rows of `claimed`, some of them for each job.
fn read_claimed(rows: &[Row], token: Token) -> Result<Vec<(Claimed, Body)>> {
    rows.chunk_by(|one, next| one.0[0] == next.0[0]).map(|rows| claimed(rows, token)).collect()
}

/// The rows of one job, of which the one with the arguments tells all but the parents.
fn claimed(rows: &[Row], token: Token) -> Result<(Claimed, Body)> {
    let row = rows.iter().find(|row| !row.is_null(3)).unwrap_or(&rows[0]);
    let job = row.id(0)?;
    let mut parents: Vec<_> = rows.iter().filter(|row| !row.is_null(11)).collect();
    parents.sort_by_key(|row| row.int(14).ok());
    let body = Body::read(row, [2, 1, 15, 16, 17])?;
    let claimed = Claimed {
        facts: Facts {
            lease: Lease { job, token },
            kind: row.text(2)?.into(),
            attempt: row.small(7)?,
            crashes: row.small(8)?,
            policy: Policy::from_json(row.opt_text(4)?),
        },
        queue: row.text(1)?.into(),
        args: Json::trusted(row.text(3)?),
        tags: tags(row.opt_text(5)?)?,
        created_at: row.time(6)?,
        parents: parents.into_iter().map(parent).collect::<Result<_>>()?,
        slot: slot(row, 9)?,
    };
    Ok((claimed, body))
}

/// What a parent came to, in a row of `claimed`.
fn parent(row: &Row) -> Result<ParentResult> {
    let state = row.opt_text(12)?.map(str::parse).transpose()?;
    Ok(ParentResult { job: row.id(11)?, state, result: row.opt_text(13)?.map(Json::trusted) })
}
