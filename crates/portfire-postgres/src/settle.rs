//! The server's door: notes, settlements, the fate of children, and claims, in one transaction whose
//! statements travel together: one round trip, whatever the batch.
//!
//! 1. The notes of jobs that are still held.
//! 2. `settle`: the fences, and all that follows from those that were passed.
//! 3. `settled`, which sees what was waited for at the fences: the answers, and the children's fate.
//! 4. `claim`, with the cancel requests.
//!
//! The decisions are made already ([`Settlement`], [`Trigger`]); here they are guarded and written. All
//! sets are sorted by id, so that two servers cannot wait for each other.
//!
//! A handler that settles its own job in the application's transaction runs steps 2 and 3 in one statement
//! ([`settle_alone`]).

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use portfire_core::storage::{Exchange, Exchanged, LogLine, Note, Progress, Settled, Want};
use portfire_core::{Lease, Result, Settlement, State, Target, Trigger, Verdict, first_line};

use crate::insert::{Executor, keep};
use crate::pool::{Lane, Step};
use crate::rows::{Row, Value, claimed, micros};
use crate::statements::Op;

/// What an exchange came to, and whether it made a job ready that it did not claim itself.
pub(crate) struct Done {
    pub(crate) answer: Exchanged,
    pub(crate) made_ready: bool,
}

/// One exchange. One that settles with one lease twice travels in pieces, so that each is judged by what the
/// one before it left.
pub(crate) async fn exchange(lane: &Lane, now: Option<i64>, request: &Exchange) -> Result<Done> {
    let Some(cut) = first_repeat(&request.settlements) else { return piece(lane, now, request).await };
    let mut first = Exchange { want: None, ..request.clone() };
    let settlements = first.settlements.split_off(cut);
    let begun = piece(lane, now, &first).await?;
    let rest = Exchange { notes: Vec::new(), settlements, ..request.clone() };
    let mut done = Box::pin(exchange(lane, now, &rest)).await?;
    done.answer.settled.splice(0..0, begun.answer.settled);
    done.made_ready |= begun.made_ready;
    Ok(done)
}

/// Where a lease comes that was there before.
fn first_repeat(settlements: &[Settlement]) -> Option<usize> {
    let mut seen = HashSet::new();
    settlements.iter().position(|settlement| !seen.insert(settlement.lease))
}

async fn piece(lane: &Lane, now: Option<i64>, request: &Exchange) -> Result<Done> {
    let settlements = in_order(&request.settlements);
    let groups = groups(&settlements);
    let mut steps = notes(&request.notes);
    if !settlements.is_empty() {
        steps.push(settle_step(now, &settlements, &groups));
        steps.push(settled_step(now, &request.settlements));
    }
    steps.push(claim_step(now, request));
    let mut rows = lane.pipeline(steps).await?.into_iter().rev();
    let mut answer = Exchanged::default();
    read_claim(&rows.next().unwrap_or_default(), request.want.as_ref(), &mut answer)?;
    let mut made_ready = false;
    if !settlements.is_empty() {
        let settled = rows.next().unwrap_or_default();
        made_ready = settled.first().is_some_and(|row| row.is(1).unwrap_or_default());
        answer.settled = settled.iter().map(read_settled).collect::<Result<_>>()?;
    }
    made_ready |= answer.settled.contains(&Settled::Applied(State::Enqueued));
    Ok(Done { answer, made_ready })
}

/// A settlement, and its place in the set.
type Turn<'a> = (i64, &'a Settlement);

/// Sorted by id; of two with one lease, the first.
fn in_order(settlements: &[Settlement]) -> Vec<Turn<'_>> {
    let mut seen = HashSet::new();
    let mut sorted: Vec<_> = (0..).zip(settlements).filter(|(_, one)| seen.insert(one.lease)).collect();
    sorted.sort_by_key(|(_, settlement)| settlement.lease);
    sorted
}

/// The groups of failures that jobs join, as they are stored.
fn groups(settlements: &[Turn<'_>]) -> Vec<Option<String>> {
    settlements.iter().map(|(_, settlement)| Some(settlement.fingerprint?.to_string())).collect()
}

/// The steps that write notes; none for none.
fn notes(notes: &[Note]) -> Vec<Step<'_>> {
    let (mut progress, mut lines) = (BTreeMap::new(), Vec::new());
    for note in notes {
        match note {
            // Only the last counts.
            Note::Progress(lease, latest) => drop(progress.insert(*lease, latest)),
            Note::Log(lease, line) => lines.push((*lease, line)),
        }
    }
    let mut steps = Vec::new();
    if !progress.is_empty() {
        steps.push(progress_step(&progress));
    }
    if !lines.is_empty() {
        steps.push(log_step(&lines));
    }
    steps
}

fn leases<'a>(leases: impl Iterator<Item = Lease> + Clone) -> [Value<'a>; 2] {
    [Value::jobs(leases.clone().map(|lease| lease.job)), Value::tokens(leases.map(|lease| lease.token))]
}

fn progress_step<'a>(progress: &BTreeMap<Lease, &'a Progress>) -> Step<'a> {
    let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let [jobs, tokens] = leases(progress.keys().copied());
    let done = progress.values().map(|latest| Some(clamp(latest.done)));
    let total = progress.values().map(|latest| latest.total.map(clamp));
    let message = progress.values().map(|latest| latest.message.as_deref());
    let lists = [Value::Ints(done.collect()), Value::Ints(total.collect()), Value::Texts(message.collect())];
    (Op::ProgressPut, [jobs, tokens].into_iter().chain(lists).collect())
}

fn log_step<'a>(lines: &[(Lease, &'a LogLine)]) -> Step<'a> {
    let [jobs, tokens] = leases(lines.iter().map(|(lease, _)| *lease));
    let attempts = lines.iter().map(|(_, line)| Some(line.attempt.into()));
    let at = lines.iter().map(|(_, line)| Some(line.at.as_micros()));
    let texts = Value::texts(lines.iter().map(|(_, line)| &*line.text));
    (Op::LogInsert, vec![jobs, tokens, Value::Ints(attempts.collect()), Value::Ints(at.collect()), texts])
}

fn settle_step<'a>(now: Option<i64>, turns: &[Turn<'a>], groups: &'a [Option<String>]) -> Step<'a> {
    let settlements: Vec<_> = turns.iter().map(|(_, settlement)| *settlement).collect();
    let [jobs, tokens] = leases(settlements.iter().map(|settlement| settlement.lease));
    let rescues = settlements.iter().map(|settlement| Some(settlement.only_if_expired));
    let mut values = vec![Value::Int(now), jobs, tokens, Value::Bools(rescues.collect())];
    values.extend(targets(settlements.iter().map(|settlement| Some(&settlement.to))));
    values.extend(targets(settlements.iter().map(|settlement| settlement.if_cancelled.as_ref())));
    let records = || settlements.iter().map(|settlement| settlement.record.as_ref());
    values.push(Value::Ints(records().map(|record| Some(record?.attempt.into())).collect()));
    values.push(Value::Texts(records().map(|record| Some(record?.outcome)).collect()));
    let faults = records().map(|record| Some(&*record?.fault.as_ref()?.message));
    values.push(Value::Texts(faults.collect()));
    values.push(Value::Ints(turns.iter().map(|(turn, _)| Some(*turn)).collect()));
    values.push(Value::Bools(settlements.iter().map(|settlement| Some(settlement.is_retry())).collect()));
    values.push(Value::Texts(groups.iter().map(Option::as_deref).collect()));
    let said = |settlement: &&'a Settlement| {
        let fault = settlement.fingerprint.and(settlement.record.as_ref())?.fault.as_ref()?;
        Some(first_line(&fault.message))
    };
    values.push(Value::Texts(settlements.iter().map(said).collect()));
    (Op::Settle, values)
}

/// One column for each part of a target.
fn targets<'a>(targets: impl Iterator<Item = Option<&'a Target>> + Clone) -> [Value<'a>; 6] {
    let ints = |part: fn(&Target) -> Option<i64>| Value::Ints(targets.clone().map(|to| part(to?)).collect());
    [
        Value::Texts(targets.clone().map(|to| Some(to?.state().as_str())).collect()),
        Value::Bools(targets.clone().map(|to| Some(matches!(to?, Target::Finished { .. }))).collect()),
        ints(|to| match to {
            Target::Finished { keep: how_long, .. } => keep(*how_long),
            Target::Again { after, .. } => Some(micros(*after)),
        }),
        Value::Texts(targets.clone().map(|to| result(to?)).collect()),
        ints(|to| match to {
            Target::Finished { attempts, .. } | Target::Again { attempts, .. } => Some((*attempts).into()),
        }),
        ints(|to| match to {
            Target::Finished { crashes, .. } | Target::Again { crashes, .. } => Some((*crashes).into()),
        }),
    ]
}

fn result(target: &Target) -> Option<&str> {
    match target {
        Target::Finished { result, .. } => result.as_ref().map(portfire_core::Json::as_str),
        Target::Again { .. } => None,
    }
}

fn settled_step(now: Option<i64>, settlements: &[Settlement]) -> Step<'_> {
    let [jobs, tokens] = leases(settlements.iter().map(|settlement| settlement.lease));
    let finals = State::ALL.into_iter().filter(|state| state.is_final()).map(State::as_str);
    let mut values = vec![Value::Int(now), jobs, tokens];
    values.extend(verdicts());
    values.push(Value::texts(finals));
    (Op::Settled, values)
}

/// One settlement by itself, by whatever runs our statements: both steps in one function of the database.
pub(crate) async fn settle_alone<E: Executor>(db: &mut E, settlement: &Settlement) -> Result<Settled> {
    let one = std::slice::from_ref(settlement);
    let turns = in_order(one);
    let groups = groups(&turns);
    let (_, mut values) = settle_step(None, &turns, &groups);
    let (_, settled) = settled_step(None, one);
    // The instant, the job and the token are the same in both.
    values.extend(settled.into_iter().skip(3));
    let rows = db.rows(Op::SettleIn, &values).await?;
    rows.first().map_or(Ok(Settled::Lost), read_settled)
}

fn read_settled(row: &Row) -> Result<Settled> {
    Ok(row.opt_text(0)?.map(str::parse).transpose()?.map_or(Settled::Lost, Settled::Applied))
}

/// What each end of a parent means for each wish of a child.
static VERDICTS: LazyLock<Vec<(Trigger, Option<State>, &'static str)>> = LazyLock::new(|| {
    let ends = State::ALL.into_iter().filter(|state| state.is_final()).map(Some).chain([None]);
    let pairs = ends.flat_map(|end| Trigger::ALL.map(|on| (on, end)));
    let row = |(on, end): (Trigger, Option<State>)| {
        let verdict = end.map_or(Trigger::verdict_if_deleted(), |state| on.verdict(state));
        match verdict {
            Verdict::Satisfied => Some((on, end, "satisfied")),
            Verdict::Impossible => Some((on, end, "impossible")),
            Verdict::Wait => None,
        }
    };
    pairs.filter_map(row).collect()
});

/// That table as the database takes it. A null state says that the parent was deleted.
pub(crate) fn verdicts() -> [Value<'static>; 3] {
    [
        Value::texts(VERDICTS.iter().map(|(on, ..)| on.as_str())),
        Value::Texts(VERDICTS.iter().map(|(_, end, _)| end.map(State::as_str)).collect()),
        Value::texts(VERDICTS.iter().map(|(.., verdict)| *verdict)),
    ]
}

fn claim_step(now: Option<i64>, request: &Exchange) -> Step<'_> {
    let server = Value::server(request.server);
    let Some(want) = &request.want else { return (Op::CancelFlags, vec![server]) };
    let values = vec![
        Value::Int(now),
        Value::Id(crate::rows::token_uuid(want.token)),
        server,
        Value::texts(want.queues.iter().map(|queue| &*queue.name)),
        Value::Ints(want.queues.iter().map(|queue| Some(queue.limit.into())).collect()),
        Value::texts(want.kinds.iter().map(|kind| &**kind)),
        Value::Int(Some(want.limit.into())),
    ];
    (Op::Claim, values)
}

fn read_claim(rows: &[Row], want: Option<&Want>, answer: &mut Exchanged) -> Result<()> {
    let Some(want) = want else {
        answer.cancel = rows.iter().map(read_flag).collect::<Result<_>>()?;
        return Ok(());
    };
    for row in rows {
        if row.is_null(0) {
            answer.cancel.push(Lease { job: row.id(2)?, token: row.token(13)? });
        } else {
            answer.claimed.push(claimed(row, want.token)?);
        }
    }
    Ok(())
}

/// A row of `cancel_flags` or `beat`.
pub(crate) fn read_flag(row: &Row) -> Result<Lease> {
    Ok(Lease { job: row.id(0)?, token: row.token(1)? })
}
