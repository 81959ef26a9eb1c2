//! The server's door: notes, settlements, the fate of children, and claims, in one transaction.
//!
//! The decisions are made already ([`Settlement`], [`Trigger`](portfire_core::Trigger)); here they are
//! guarded and written.
//!
//! Settling is written once for everything that can run SQL, as inserting is: a handler may settle its own
//! job inside the application's transaction. Claiming is the writer's alone.

use portfire_core::storage::{Claimed, Exchange, Exchanged, Note, Settled, Want, WantQueue};
use portfire_core::{
    Error, JobId, Json, Keep, Lease, Policy, Result, ServerId, Settlement, State, Target, Timestamp, Verdict,
    first_line,
};

use crate::insert::{Executor, at_once, prune_at};
use crate::rows::{Ended, Ending, Row, Taken, Value, json_list, parent_result};
use crate::statements::Op;
use crate::threads::Tx;

/// One exchange.
pub(crate) fn exchange(tx: &mut Tx<'_>, exchange: &Exchange) -> Result<Exchanged> {
    exchange.notes.iter().try_for_each(|note| write_note(tx, note))?;
    let settled = exchange.settlements.iter().map(|one| settle_or_hold(tx, one)).collect::<Result<_>>()?;
    at_once(tx.write_ends())?;
    let claimed = match &exchange.want {
        Some(want) => claim(tx, exchange.server, want)?,
        None => Vec::new(),
    };
    Ok(Exchanged { settled, claimed, cancel: cancel_flags(tx, exchange.server)? })
}

/// Running jobs of this server that somebody wants cancelled.
pub(crate) fn cancel_flags(tx: &Tx<'_>, server: ServerId) -> Result<Vec<Lease>> {
    let rows = tx.all(Op::CancelFlags, &[Value::Blob(server.as_bytes())])?;
    rows.iter().map(|row| Ok(Lease { job: row.id(0)?, token: row.token(1)? })).collect()
}

fn write_note(tx: &Tx<'_>, note: &Note) -> Result<()> {
    let (Note::Progress(lease, _) | Note::Log(lease, _)) = note;
    let (job, token) = (Value::id(&lease.job), Value::Blob(lease.token.as_bytes()));
    if tx.one(Op::Held, &[job, token])?.is_none() {
        return Ok(());
    }
    match note {
        Note::Progress(_, progress) => {
            let clamp = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
            let (done, total) = (clamp(progress.done), progress.total.map_or(Value::Null, clamp));
            tx.run(Op::ProgressPut, &[job, done, total, Value::text(progress.message.as_deref())])?;
        }
        Note::Log(_, line) => {
            let (attempt, at) = (Value::Int(line.attempt.into()), Value::Int(line.at.as_micros()));
            tx.run(Op::LogInsert, &[job, attempt, at, Value::Text(&line.text)])?;
        }
    }
    Ok(())
}

/// Settles, unless it is a rescue while leases may not be judged.
fn settle_or_hold(tx: &mut Tx<'_>, settlement: &Settlement) -> Result<Settled> {
    if settlement.only_if_expired && !tx.may_rescue {
        return at_once(settled_before(tx, settlement));
    }
    let now = tx.now;
    at_once(settle(tx, now, settlement))
}

/// One settlement, by whatever runs our statements.
pub(crate) async fn settle<E: Executor>(
    db: &mut E,
    now: Timestamp,
    settlement: &Settlement,
) -> Result<Settled> {
    let Some(ending) = pass_fence(db, now, settlement).await? else {
        return settled_before(db, settlement).await;
    };
    let target = match &settlement.if_cancelled {
        Some(cancelled) if ending.cancel_requested => cancelled,
        _ => &settlement.to,
    };
    remember(db, now, settlement, &ending).await?;
    let tally = db.tallies().of(&ending.kind, &ending.queue);
    tally.crashed += u64::from(settlement.only_if_expired);
    tally.retried += u64::from(settlement.is_retry() && *target == settlement.to);
    match target {
        Target::Finished { state, result, keep, attempts, crashes } => {
            if *state != State::Succeeded {
                let counts = [Value::Int((*attempts).into()), Value::Int((*crashes).into())];
                db.execute(Op::JobCounts, &[Value::id(&settlement.lease.job), counts[0], counts[1]]).await?;
            }
            let end = End { lease: settlement.lease, state: *state, result: result.as_ref(), keep: *keep };
            end_attempt(db, now, &end, &ending, settlement).await?;
        }
        Target::Again { after, attempts, crashes, state } => {
            let counts = [Value::Int((*attempts).into()), Value::Int((*crashes).into())];
            let run_at = now.after(*after);
            let again = Again { state: *state, run_at, counts };
            wait_again(db, settlement.lease, &again).await?;
        }
    }
    Ok(Settled::Applied(target.state()))
}

/// What was known of the attempt, if the claim still held the job. It does no longer.
async fn pass_fence<E: Executor>(
    db: &mut E,
    now: Timestamp,
    settlement: &Settlement,
) -> Result<Option<Ending>> {
    let key = [Value::id(&settlement.lease.job), Value::Blob(settlement.lease.token.as_bytes())];
    // Two statements of one transaction: `RETURNING` opens a table of its own for each row.
    let Some(ending) = db.ending(&key).await? else { return Ok(None) };
    let gone = if settlement.only_if_expired {
        db.execute(Op::FenceExpired, &[key[0], key[1], Value::Int(now.as_micros())]).await?
    } else {
        db.execute(Op::Fence, &key).await?
    };
    Ok((gone > 0).then_some(ending))
}

/// How a job ends that ran.
struct End<'s> {
    lease: Lease,
    state: State,
    result: Option<&'s Json>,
    keep: Keep,
}

async fn end_attempt<E: Executor>(
    db: &mut E,
    at: Timestamp,
    end: &End<'_>,
    ending: &Ending,
    settlement: &Settlement,
) -> Result<()> {
    let times = (ending.started_at.since(ending.run_at), at.since(ending.started_at));
    db.tallies().of(&ending.kind, &ending.queue).count_end(end.state, Some(times));
    let group = settlement.fingerprint.filter(|_| end.state == State::Failed).map(|group| group.to_string());
    let (id, now) = (Value::id(&end.lease.job), Value::Int(at.as_micros()));
    if let Some(group) = &group {
        let said = settlement.record.as_ref().and_then(|record| record.fault.as_ref());
        let sample = said.map(|fault| first_line(&fault.message)).unwrap_or_default();
        let values = [Value::Text(group), Value::Text(&ending.kind), Value::Text(sample), now, id];
        db.execute(Op::FaultJoin, &values).await?;
    }
    let ended = Ended {
        lease: end.lease,
        state: end.state,
        finished_at: at,
        started_at: ending.started_at,
        server: ending.server,
        prune_at: prune_at(at, end.keep),
        group,
    };
    db.end(ended).await?;
    if let Some(result) = end.result {
        db.execute(Op::ResultInsert, &[id, Value::Text(result.as_str())]).await?;
    }
    if let Some(name) = &ending.unique_name {
        db.execute(Op::UniqueFree, &[Value::Text(&ending.kind), Value::Text(name), id]).await?;
    }
    if !ending.has_children {
        return Ok(());
    }
    tell_children(db, at, end.lease.job, Some(end.state), end.result).await
}

/// Answers a repeat as it was answered; everything else has lost its lease.
async fn settled_before<E: Executor>(db: &mut E, settlement: &Settlement) -> Result<Settled> {
    db.write_ends().await?;
    let token = settlement.lease.token.as_bytes();
    let Some(row) = db.row(Op::SettledBefore, &[Value::id(&settlement.lease.job)]).await? else {
        return Ok(Settled::Lost);
    };
    if row.opt_bytes(0)?.as_ref() == Some(token) {
        return Ok(Settled::Applied(row.text(1)?.parse()?));
    }
    // It was to run again. What it was told then, not what this call asks: after a rescue with this token,
    // a late success must not hear that it was written.
    let ended_by_a_later_claim = !row.is_null(0);
    let running_again = row.int(3)? == 1;
    if row.opt_bytes(2)?.as_ref() == Some(token) && !running_again && !ended_by_a_later_claim {
        return Ok(Settled::Applied(row.text(4)?.parse()?));
    }
    Ok(Settled::Lost)
}

async fn remember<E: Executor>(
    db: &mut E,
    now: Timestamp,
    settlement: &Settlement,
    ending: &Ending,
) -> Result<()> {
    let Some(record) = &settlement.record else { return Ok(()) };
    let values = [
        Value::id(&settlement.lease.job),
        Value::Int(record.attempt.into()),
        Value::Int(ending.started_at.as_micros()),
        Value::Int(now.as_micros()),
        Value::Blob(&ending.server),
        Value::Text(record.outcome),
        Value::text(record.fault.as_ref().map(|fault| &*fault.message)),
    ];
    db.execute(Op::AttemptInsert, &values).await.map(drop)
}

struct Again<'v> {
    state: State,
    run_at: Timestamp,
    counts: [Value<'v>; 2],
}

async fn wait_again<E: Executor>(db: &mut E, lease: Lease, again: &Again<'_>) -> Result<()> {
    let [attempts, crashes] = again.counts;
    let (id, due) = (Value::id(&lease.job), Value::Int(again.run_at.as_micros()));
    let state = Value::Text(again.state.as_str());
    let values = [id, attempts, crashes, due, Value::Blob(lease.token.as_bytes()), state];
    let row = db.row(Op::JobAgain, &values).await?;
    let row = row.ok_or_else(|| Error::broken("a running job has no body"))?;
    if again.state == State::Enqueued {
        let (queue, kind) = (Value::Text(row.text(0)?), Value::Text(row.text(2)?));
        db.execute(Op::ReadyInsert, &[queue, Value::Int(row.int(1)?), due, id, kind]).await?;
    } else {
        let retrying = Value::Int(i64::from(again.state == State::Retrying));
        db.execute(Op::ScheduledInsert, &[due, id, retrying]).await?;
    }
    Ok(())
}

/// Settles the fate of the jobs that wait for this one, which ended in `state` or (`None`) was deleted.
/// Children that are cancelled by it settle the fate of their own.
pub(crate) async fn tell_children<E: Executor>(
    db: &mut E,
    now: Timestamp,
    parent: JobId,
    state: Option<State>,
    result: Option<&Json>,
) -> Result<()> {
    let mut cancelled = tell(db, now, parent, state, result).await?;
    while let Some(parent) = cancelled.pop() {
        cancelled.extend(tell(db, now, parent, Some(State::Cancelled), None).await?);
    }
    Ok(())
}

/// Tells the children themselves; answers which of them are cancelled by it.
async fn tell<E: Executor>(
    db: &mut E,
    now: Timestamp,
    parent: JobId,
    state: Option<State>,
    result: Option<&Json>,
) -> Result<Vec<JobId>> {
    let mut cancelled = Vec::new();
    for row in db.rows(Op::ChildrenOf, &[Value::id(&parent)]).await? {
        let (child, position) = (row.id(0)?, row.int(1)?);
        let on: portfire_core::Trigger = row.text(2)?.parse()?;
        let verdict = state.map_or(portfire_core::Trigger::verdict_if_deleted(), |state| on.verdict(state));
        if verdict == Verdict::Wait {
            continue;
        }
        // A deleted parent counts as cancelled for the child that reads what became of it.
        let word = state.unwrap_or(State::Cancelled).as_str();
        let result = Value::text(result.map(Json::as_str));
        let values = [Value::id(&child), Value::Int(position), Value::Text(word), result];
        db.execute(Op::DependencyDecide, &values).await?;
        match verdict {
            Verdict::Satisfied => release(db, now, child).await?,
            Verdict::Impossible if cancel_waiting(db, now, child).await? => cancelled.push(child),
            Verdict::Impossible | Verdict::Wait => {}
        }
    }
    Ok(cancelled)
}

/// One parent fewer; the last one lets the child go.
async fn release<E: Executor>(db: &mut E, now: Timestamp, child: JobId) -> Result<()> {
    let left = db.row(Op::AwaitingCount, &[Value::id(&child)]).await?;
    if left.is_some_and(|row| row.int(0).is_ok_and(|left| left == 0)) {
        db.execute(Op::AwaitingDelete, &[Value::id(&child)]).await?;
        let row = db.row(Op::Place, &[Value::id(&child)]).await?;
        let row = row.ok_or_else(|| Error::broken("an awaiting job has no body"))?;
        enqueue_or_schedule(db, now, child, &row, row.time(2)?).await?;
    }
    Ok(())
}

/// Puts a job where it waits for `run_at`: ready if that has come. `place` is its row of `place`.
pub(crate) async fn enqueue_or_schedule<E: Executor>(
    db: &mut E,
    now: Timestamp,
    job: JobId,
    place: &Row,
    run_at: Timestamp,
) -> Result<State> {
    let due = run_at.max(now);
    let (id, at) = (Value::id(&job), Value::Int(due.as_micros()));
    db.execute(Op::JobMove, &[id, at]).await?;
    if run_at > now {
        db.execute(Op::ScheduledInsert, &[at, id, Value::Int(0)]).await?;
        return Ok(State::Scheduled);
    }
    let (queue, kind) = (Value::Text(place.text(0)?), Value::Text(place.text(3)?));
    db.execute(Op::ReadyInsert, &[queue, Value::Int(place.int(1)?), at, id, kind]).await?;
    Ok(State::Enqueued)
}

/// Cancels a job that waits for others; says whether it did.
async fn cancel_waiting<E: Executor>(db: &mut E, now: Timestamp, child: JobId) -> Result<bool> {
    if db.execute(Op::AwaitingDelete, &[Value::id(&child)]).await? == 0 {
        return Ok(false);
    }
    let row = db.row(Op::Place, &[Value::id(&child)]).await?;
    let row = row.ok_or_else(|| Error::broken("an awaiting job has no body"))?;
    end_as_cancelled(db, now, child, &row).await.map(|()| true)
}

/// Ends a job that does not run, as cancelled. It is out of its old place already.
pub(crate) async fn cancel<E: Executor>(db: &mut E, now: Timestamp, job: JobId, place: &Row) -> Result<()> {
    end_as_cancelled(db, now, job, place).await?;
    tell_children(db, now, job, Some(State::Cancelled), None).await
}

async fn end_as_cancelled<E: Executor>(db: &mut E, now: Timestamp, job: JobId, place: &Row) -> Result<()> {
    let (kind, queue, state) = (place.text(3)?, place.text(0)?, State::Cancelled);
    db.tallies().of(kind, queue).count_end(state, None);
    let keep = Policy::from_json(place.opt_text(5)?).retention.of(state);
    let (id, at, null) = (Value::id(&job), Value::Int(now.as_micros()), Value::Null);
    let values = [id, Value::Text(state.as_str()), at, null, null, null, prune_at(now, keep), null];
    db.execute(Op::FinishedInsert, &values).await?;
    if let Some(name) = place.opt_text(4)? {
        db.execute(Op::UniqueFree, &[Value::Text(kind), Value::Text(name), id]).await?;
    }
    Ok(())
}

fn claim(tx: &Tx<'_>, server: ServerId, want: &Want) -> Result<Vec<Claimed>> {
    let (id, token) = (Value::Blob(server.as_bytes()), Value::Blob(want.token.as_bytes()));
    if want.limit == 0 {
        tx.run(Op::ClaimClose, &[id, token])?;
    }
    let taken = tx.each(Op::ClaimRepeat, &[token], |row| Taken::read(row, want.token))?;
    if !taken.is_empty() {
        let mut taken: Vec<_> = taken.into_iter().map(|one| with_parents(tx, one)).collect::<Result<_>>()?;
        // The rows come by the name of their queue; the first answer went through the queues as asked.
        taken.sort_by_key(|job| want.queues.iter().position(|queue| *queue.name == *job.queue));
        return Ok(taken);
    }
    let now = Value::Int(tx.now.as_micros());
    if tx.one(Op::LeaseValid, &[id, now, token])?.is_none() {
        return Ok(Vec::new());
    }
    let kinds = json_list(&want.kinds);
    let mut all = Vec::new();
    for queue in &want.queues {
        let left = want.limit.saturating_sub(u32::try_from(all.len()).unwrap_or(u32::MAX));
        if left == 0 {
            break;
        }
        claim_from(tx, server, want, (queue, left, &kinds), &mut all)?;
    }
    Ok(all)
}

fn claim_from(
    tx: &Tx<'_>,
    server: ServerId,
    want: &Want,
    (queue, left, kinds): (&WantQueue, u32, &str),
    all: &mut Vec<Claimed>,
) -> Result<()> {
    let (queue, limit) = (Value::Text(&queue.name), Value::Int(left.min(queue.limit).into()));
    let heads =
        tx.each(Op::Claim, &[queue, Value::Text(kinds), limit], |row| Taken::read(row, want.token))?;
    let before = all.len();
    for head in heads {
        let place = [Value::Int(head.priority), Value::Int(head.run_at)];
        let job = with_parents(tx, head)?;
        // By its key each: one walk over all of them by range costs SQLite as many instructions.
        tx.run(Op::ReadyDelete, &[queue, place[0], place[1], Value::id(&job.facts.lease.job)])?;
        all.push(job);
    }
    hold(tx, server, want, &all[before..])
}

/// The claim itself.
fn hold(tx: &Tx<'_>, server: ServerId, want: &Want, jobs: &[Claimed]) -> Result<()> {
    let (token, server) = (Value::Blob(want.token.as_bytes()), Value::Blob(server.as_bytes()));
    let now = Value::Int(tx.now.as_micros());
    let facts = jobs.iter().map(|job| &job.facts);
    let rows: Vec<_> = facts
        .map(|facts| [Value::id(&facts.lease.job), token, server, Value::Int(facts.attempt.into()), now])
        .collect();
    tx.insert_all(Op::RunningInsert, Op::RunningInsertSet, &rows)
}

fn with_parents(tx: &Tx<'_>, taken: Taken) -> Result<Claimed> {
    let mut job = taken.job;
    if taken.has_parents {
        let parents = tx.all(Op::ParentsOf, &[Value::id(&job.facts.lease.job)])?;
        job.parents = parents.iter().map(parent_result).collect::<Result<_>>()?;
    }
    Ok(job)
}
