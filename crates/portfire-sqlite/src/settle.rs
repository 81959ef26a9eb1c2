//! The server's door: notes, settlements, the fate of children, and claims, in one transaction.
//!
//! The decisions are made already ([`Settlement`], [`Trigger`](portfire_core::Trigger)); here they are
//! guarded and written.

use portfire_core::storage::{Claimed, Exchange, Exchanged, Note, Settled, Want, WantQueue};
use portfire_core::{
    Error, JobId, Json, Keep, Lease, Policy, Result, ServerId, Settlement, State, Target, Timestamp, Verdict,
    first_line,
};

use crate::insert::prune_at;
use crate::rows::{Ending, Row, Value, claimed, json_list, parent_result};
use crate::statements::Op;
use crate::threads::Tx;

/// One exchange.
pub(crate) fn exchange(tx: &mut Tx<'_>, exchange: &Exchange) -> Result<Exchanged> {
    exchange.notes.iter().try_for_each(|note| write_note(tx, note))?;
    let settled = exchange.settlements.iter().map(|one| settle(tx, one)).collect::<Result<_>>()?;
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

fn settle(tx: &mut Tx<'_>, settlement: &Settlement) -> Result<Settled> {
    let Some(ending) = pass_fence(tx, settlement)? else {
        return settled_before(tx, settlement);
    };
    let target = match &settlement.if_cancelled {
        Some(cancelled) if ending.cancel_requested => cancelled,
        _ => &settlement.to,
    };
    remember(tx, settlement, &ending)?;
    let tally = tx.tallies.of(&ending.kind, &ending.queue);
    tally.crashed += u64::from(settlement.only_if_expired);
    tally.retried += u64::from(settlement.is_retry() && *target == settlement.to);
    match target {
        Target::Finished { state, result, keep, attempts, crashes } => {
            if *state != State::Succeeded {
                let counts = [Value::Int((*attempts).into()), Value::Int((*crashes).into())];
                tx.run(Op::JobCounts, &[Value::id(&settlement.lease.job), counts[0], counts[1]])?;
            }
            let end = End { lease: settlement.lease, state: *state, result: result.as_ref(), keep: *keep };
            end_attempt(tx, &end, &ending, settlement)?;
        }
        Target::Again { after, attempts, crashes, state } => {
            let counts = [Value::Int((*attempts).into()), Value::Int((*crashes).into())];
            let run_at = tx.now.after(*after);
            let again = Again { state: *state, run_at, counts };
            wait_again(tx, settlement.lease, &again)?;
        }
    }
    Ok(Settled::Applied(target.state()))
}

/// What was known of the attempt, if the claim still held the job. It does no longer.
fn pass_fence(tx: &Tx<'_>, settlement: &Settlement) -> Result<Option<Ending>> {
    if settlement.only_if_expired && !tx.may_rescue {
        return Ok(None);
    }
    let key = [Value::id(&settlement.lease.job), Value::Blob(settlement.lease.token.as_bytes())];
    // Two statements of one transaction: `RETURNING` opens a table of its own for each row.
    let Some(ending) = tx.first(Op::Ending, &key, Ending::read)? else { return Ok(None) };
    let gone = if settlement.only_if_expired {
        tx.run(Op::FenceExpired, &[key[0], key[1], Value::Int(tx.now.as_micros())])?
    } else {
        tx.run(Op::Fence, &key)?
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

fn end_attempt(tx: &mut Tx<'_>, end: &End<'_>, ending: &Ending, settlement: &Settlement) -> Result<()> {
    let times = (ending.started_at.since(ending.run_at), tx.now.since(ending.started_at));
    tx.tallies.of(&ending.kind, &ending.queue).count_end(end.state, Some(times));
    let group = settlement.fingerprint.filter(|_| end.state == State::Failed).map(|group| group.to_string());
    let (id, now) = (Value::id(&end.lease.job), Value::Int(tx.now.as_micros()));
    let values = [
        id,
        Value::Text(end.state.as_str()),
        now,
        Value::Int(ending.started_at.as_micros()),
        Value::Blob(end.lease.token.as_bytes()),
        Value::Blob(&ending.server),
        prune_at(tx.now, end.keep),
        Value::text(group.as_deref()),
    ];
    tx.run(Op::FinishedInsert, &values)?;
    if let Some(group) = &group {
        let said = settlement.record.as_ref().and_then(|record| record.fault.as_ref());
        let sample = said.map(|fault| first_line(&fault.message)).unwrap_or_default();
        tx.run(
            Op::FaultJoin,
            &[Value::Text(group), Value::Text(&ending.kind), Value::Text(sample), now, id],
        )?;
    }
    if let Some(result) = end.result {
        tx.run(Op::ResultInsert, &[id, Value::Text(result.as_str())])?;
    }
    if let Some(name) = &ending.unique_name {
        tx.run(Op::UniqueFree, &[Value::Text(&ending.kind), Value::Text(name), id])?;
    }
    if !ending.has_children {
        return Ok(());
    }
    tell_children(tx, end.lease.job, Some(end.state), end.result)
}

/// Answers a repeat as it was answered; everything else has lost its lease.
fn settled_before(tx: &Tx<'_>, settlement: &Settlement) -> Result<Settled> {
    let token = settlement.lease.token.as_bytes();
    let Some(row) = tx.one(Op::SettledBefore, &[Value::id(&settlement.lease.job)])? else {
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

fn remember(tx: &Tx<'_>, settlement: &Settlement, ending: &Ending) -> Result<()> {
    let Some(record) = &settlement.record else { return Ok(()) };
    let values = [
        Value::id(&settlement.lease.job),
        Value::Int(record.attempt.into()),
        Value::Int(ending.started_at.as_micros()),
        Value::Int(tx.now.as_micros()),
        Value::Blob(&ending.server),
        Value::Text(record.outcome),
        Value::text(record.fault.as_ref().map(|fault| &*fault.message)),
    ];
    tx.run(Op::AttemptInsert, &values).map(drop)
}

struct Again<'v> {
    state: State,
    run_at: Timestamp,
    counts: [Value<'v>; 2],
}

fn wait_again(tx: &mut Tx<'_>, lease: Lease, again: &Again<'_>) -> Result<()> {
    let [attempts, crashes] = again.counts;
    let (id, due) = (Value::id(&lease.job), Value::Int(again.run_at.as_micros()));
    let state = Value::Text(again.state.as_str());
    let values = [id, attempts, crashes, due, Value::Blob(lease.token.as_bytes()), state];
    let row = tx.one(Op::JobAgain, &values)?.ok_or_else(|| Error::broken("a running job has no body"))?;
    if again.state == State::Enqueued {
        let (queue, kind) = (Value::Text(row.text(0)?), Value::Text(row.text(2)?));
        tx.run(Op::ReadyInsert, &[queue, Value::Int(row.int(1)?), due, id, kind])?;
        tx.made_ready = true;
    } else {
        let retrying = Value::Int(i64::from(again.state == State::Retrying));
        tx.run(Op::ScheduledInsert, &[due, id, retrying])?;
    }
    Ok(())
}

/// Settles the fate of the jobs that wait for this one, which ended in `state` or (`None`) was deleted.
/// Children that are cancelled by it settle the fate of their own.
pub(crate) fn tell_children(
    tx: &mut Tx<'_>,
    parent: JobId,
    state: Option<State>,
    result: Option<&Json>,
) -> Result<()> {
    for row in tx.all(Op::ChildrenOf, &[Value::id(&parent)])? {
        let (child, position) = (row.id(0)?, row.int(1)?);
        let on: portfire_core::Trigger = row.text(2)?.parse()?;
        let verdict = state.map_or(portfire_core::Trigger::verdict_if_deleted(), |state| on.verdict(state));
        if verdict == Verdict::Wait {
            continue;
        }
        // A deleted parent counts as cancelled for the child that reads what became of it.
        let word = state.unwrap_or(State::Cancelled).as_str();
        let result = Value::text(result.map(Json::as_str));
        tx.run(Op::DependencyDecide, &[Value::id(&child), Value::Int(position), Value::Text(word), result])?;
        match verdict {
            Verdict::Satisfied => release(tx, child)?,
            Verdict::Impossible => cancel_waiting(tx, child)?,
            Verdict::Wait => {}
        }
    }
    Ok(())
}

/// One parent fewer; the last one lets the child go.
fn release(tx: &mut Tx<'_>, child: JobId) -> Result<()> {
    let left = tx.one(Op::AwaitingCount, &[Value::id(&child)])?;
    if left.is_some_and(|row| row.int(0).is_ok_and(|left| left == 0)) {
        tx.run(Op::AwaitingDelete, &[Value::id(&child)])?;
        let row = tx.one(Op::Place, &[Value::id(&child)])?;
        let row = row.ok_or_else(|| Error::broken("an awaiting job has no body"))?;
        enqueue_or_schedule(tx, child, &row, row.time(2)?)?;
    }
    Ok(())
}

/// Puts a job where it waits for `run_at`: ready if that has come. `place` is its row of `place`.
pub(crate) fn enqueue_or_schedule(
    tx: &mut Tx<'_>,
    job: JobId,
    place: &Row,
    run_at: Timestamp,
) -> Result<State> {
    let due = run_at.max(tx.now);
    let (id, at) = (Value::id(&job), Value::Int(due.as_micros()));
    tx.run(Op::JobMove, &[id, at])?;
    if run_at > tx.now {
        tx.run(Op::ScheduledInsert, &[at, id, Value::Int(0)])?;
        return Ok(State::Scheduled);
    }
    let (queue, kind) = (Value::Text(place.text(0)?), Value::Text(place.text(3)?));
    tx.run(Op::ReadyInsert, &[queue, Value::Int(place.int(1)?), at, id, kind])?;
    tx.made_ready = true;
    Ok(State::Enqueued)
}

fn cancel_waiting(tx: &mut Tx<'_>, child: JobId) -> Result<()> {
    if tx.run(Op::AwaitingDelete, &[Value::id(&child)])? == 0 {
        return Ok(());
    }
    let row = tx.one(Op::Place, &[Value::id(&child)])?;
    let row = row.ok_or_else(|| Error::broken("an awaiting job has no body"))?;
    cancel(tx, child, &row)
}

/// Ends a job that does not run, as cancelled. It is out of its old place already.
pub(crate) fn cancel(tx: &mut Tx<'_>, job: JobId, place: &Row) -> Result<()> {
    let (kind, queue, state) = (place.text(3)?, place.text(0)?, State::Cancelled);
    tx.tallies.of(kind, queue).count_end(state, None);
    let keep = Policy::from_json(place.opt_text(5)?)?.retention.of(state);
    let (id, now, null) = (Value::id(&job), Value::Int(tx.now.as_micros()), Value::Null);
    let values = [id, Value::Text(state.as_str()), now, null, null, null, prune_at(tx.now, keep), null];
    tx.run(Op::FinishedInsert, &values)?;
    if let Some(name) = place.opt_text(4)? {
        tx.run(Op::UniqueFree, &[Value::Text(kind), Value::Text(name), id])?;
    }
    tell_children(tx, job, Some(state), None)
}

fn claim(tx: &Tx<'_>, server: ServerId, want: &Want) -> Result<Vec<Claimed>> {
    let (id, token) = (Value::Blob(server.as_bytes()), Value::Blob(want.token.as_bytes()));
    if want.limit == 0 {
        tx.run(Op::ClaimClose, &[id, token])?;
    }
    let taken = tx.all(Op::ClaimRepeat, &[token])?;
    if !taken.is_empty() {
        let mut taken: Vec<_> =
            taken.into_iter().map(|row| claimed_with_parents(tx, row, want)).collect::<Result<_>>()?;
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
    let limit = Value::Int(left.min(queue.limit).into());
    let server = Value::Blob(server.as_bytes());
    let queue = Value::Text(&queue.name);
    for row in tx.all(Op::Claim, &[queue, Value::Text(kinds), limit])? {
        let (priority, run_at) = (Value::Int(row.int(1)?), Value::Int(row.int(2)?));
        let job = claimed_with_parents(tx, row, want)?;
        let id = Value::id(&job.facts.lease.job);
        tx.run(Op::ReadyDelete, &[queue, priority, run_at, id])?;
        let (token, attempt) = (Value::Blob(want.token.as_bytes()), Value::Int(job.facts.attempt.into()));
        tx.run(Op::RunningInsert, &[id, token, server, attempt, Value::Int(tx.now.as_micros())])?;
        all.push(job);
    }
    Ok(())
}

fn claimed_with_parents(tx: &Tx<'_>, row: Row, want: &Want) -> Result<Claimed> {
    let has_parents = row.int(11)? == 1;
    let mut job = claimed(row, want.token)?;
    if has_parents {
        let parents = tx.all(Op::ParentsOf, &[Value::id(&job.facts.lease.job)])?;
        job.parents = parents.iter().map(parent_result).collect::<Result<_>>()?;
    }
    Ok(job)
}
