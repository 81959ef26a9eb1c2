//! The server's door: notes, settlements, the fate of children, and claims, in one transaction whose
//! statements travel together: one round trip, whatever the batch.
//!
//! 1. The notes of jobs that are still held.
//! 2. `succeed`: the fences of the jobs that succeeded, in the quickest form, and what they came to.
//! 3. `settle`: the fences of all others, and all that follows from those that were passed.
//! 4. `settled`, which sees what was waited for at the fences: the answers, and the children's fate.
//! 5. [`claim`](crate::claim), with the cancel requests.
//!
//! The decisions are made already ([`Settlement`], [`Trigger`]); here they are guarded and written. All
//! sets are sorted by id, so that two servers cannot wait for each other.
//!
//! A handler that settles its own job in the application's transaction runs steps 3 and 4 in one statement
//! ([`settle_alone`]).

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use portfire_core::storage::{Exchange, Exchanged, LogLine, Note, Progress, Settled};
use portfire_core::{Lease, Result, Settlement, State, Target, Trigger, Verdict, first_line};

use crate::claim::{claim_step, read_claim, stretches};
use crate::insert::{Executor, keep};
use crate::mark::Marks;
use crate::pool::{Lane, Step};
use crate::rows::{Row, Value, micros};
use crate::statements::Op;

/// What an exchange came to, and whether it made a job ready that it did not claim itself.
pub(crate) struct Done {
    pub(crate) answer: Exchanged,
    pub(crate) made_ready: bool,
}

/// One exchange. One that settles with one lease twice travels in pieces, so that each is judged by what the
/// one before it left.
pub(crate) async fn exchange(
    lane: &Lane,
    now: Option<i64>,
    request: &Exchange,
    marks: &Marks,
) -> Result<Done> {
    let Some(cut) = first_repeat(&request.settlements) else {
        return piece(lane, now, request, marks).await;
    };
    let mut first = Exchange { want: None, ..request.clone() };
    let settlements = first.settlements.split_off(cut);
    let begun = piece(lane, now, &first, marks).await?;
    let rest = Exchange { notes: Vec::new(), settlements, ..request.clone() };
    let mut done = Box::pin(exchange(lane, now, &rest, marks)).await?;
    done.answer.settled.splice(0..0, begun.answer.settled);
    done.made_ready |= begun.made_ready;
    Ok(done)
}

/// Where a lease comes that was there before.
fn first_repeat(settlements: &[Settlement]) -> Option<usize> {
    let mut seen = HashSet::new();
    settlements.iter().position(|settlement| !seen.insert(settlement.lease))
}

async fn piece(lane: &Lane, now: Option<i64>, request: &Exchange, marks: &Marks) -> Result<Done> {
    let parts = Parts::of(&request.settlements);
    let groups = groups(&parts.others);
    let mut steps = notes(&request.notes);
    if !parts.succeeded.is_empty() {
        steps.push(succeed_step(now, &parts.succeeded));
    }
    if !parts.others.is_empty() {
        steps.push(settle_step(now, &parts.others, &groups));
        steps.push(settled_step(now, &parts.others));
    }
    let stretches = stretches(request, marks);
    steps.push(claim_step(now, request, &stretches));
    let mut rows = lane.pipeline(steps).await?.into_iter().rev();
    let mut answer = Exchanged::default();
    read_claim(&rows.next().unwrap_or_default(), request, (marks, &stretches), &mut answer)?;
    let made_ready = parts.read(rows, &mut answer.settled)?;
    Ok(Done { made_ready: made_ready || answer.settled.contains(&Settled::Applied(State::Enqueued)), answer })
}

/// A settlement, and its place in the set.
type Turn<'a> = (usize, &'a Settlement);

/// The settlements of an exchange by the step that writes them, each part sorted by id.
struct Parts<'a> {
    succeeded: Vec<Turn<'a>>,
    others: Vec<Turn<'a>>,
    count: usize,
}

impl<'a> Parts<'a> {
    fn of(settlements: &'a [Settlement]) -> Self {
        let mut sorted: Vec<_> = settlements.iter().enumerate().collect();
        sorted.sort_by_key(|(_, settlement)| settlement.lease);
        let (succeeded, others) = sorted.into_iter().partition(|(_, settlement)| is_success(settlement));
        Self { succeeded, others, count: settlements.len() }
    }

    /// What they came to, from what their steps answered, the last first; answers whether a job became ready.
    fn read(&self, mut rows: impl Iterator<Item = Vec<Row>>, answers: &mut Vec<Settled>) -> Result<bool> {
        // A success that is not spoken of was written as asked.
        *answers = vec![Settled::Applied(State::Succeeded); self.count];
        let mut made_ready = false;
        for (part, fence_rows) in [(&self.others, 1), (&self.succeeded, 0)] {
            if part.is_empty() {
                continue;
            }
            let settled = rows.next().unwrap_or_default();
            made_ready |= settled.first().is_some_and(|row| row.is(1).unwrap_or_default());
            for ((turn, _), row) in part.iter().zip(&settled) {
                answers[*turn] = read_settled(row)?;
            }
            rows.by_ref().take(fence_rows).for_each(drop);
        }
        Ok(made_ready)
    }
}

/// Whether it is a job that succeeded, and nothing more.
fn is_success(settlement: &Settlement) -> bool {
    let Settlement { only_if_expired, to, if_cancelled, record, .. } = settlement;
    let succeeded = matches!(to, Target::Finished { state: State::Succeeded, .. });
    succeeded && !only_if_expired && if_cancelled.is_none() && record.is_none()
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

fn succeed_step<'a>(now: Option<i64>, turns: &[Turn<'a>]) -> Step<'a> {
    let [jobs, tokens] = leases(turns.iter().map(|(_, settlement)| settlement.lease));
    let (mut firsts, mut lasts, mut keeps, mut results) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut next = 1;
    for run in turns.chunk_by(are_a_run) {
        firsts.push(Some(next));
        next += i64::try_from(run.len()).unwrap_or(i64::MAX);
        lasts.push(Some(next - 1));
        keeps.push(delay(&run[0].1.to));
        results.push(result(&run[0].1.to));
    }
    let mut values =
        vec![Value::Int(now), jobs, tokens, Value::Ints(firsts), Value::Ints(lasts), Value::Ints(keeps)];
    values.push(Value::Texts(results));
    values.extend(verdicts());
    values.push(finals());
    (Op::Succeed, values)
}

/// Whether these two can be said in one row: from one claim, kept for as long, and without a result.
fn are_a_run((_, one): &Turn<'_>, (_, next): &Turn<'_>) -> bool {
    let said = |settlement: &Settlement| (settlement.lease.token, delay(&settlement.to));
    said(one) == said(next) && [one, next].iter().all(|settlement| result(&settlement.to).is_none())
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
    values.push(Value::Ints(turns.iter().map(|(turn, _)| i64::try_from(*turn).ok()).collect()));
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
        ints(delay),
        Value::Texts(targets.clone().map(|to| result(to?)).collect()),
        ints(|to| match to {
            Target::Finished { attempts, .. } | Target::Again { attempts, .. } => Some((*attempts).into()),
        }),
        ints(|to| match to {
            Target::Finished { crashes, .. } | Target::Again { crashes, .. } => Some((*crashes).into()),
        }),
    ]
}

/// How long until it is deleted, or runs again.
fn delay(target: &Target) -> Option<i64> {
    match target {
        Target::Finished { keep: how_long, .. } => keep(*how_long),
        Target::Again { after, .. } => Some(micros(*after)),
    }
}

fn result(target: &Target) -> Option<&str> {
    match target {
        Target::Finished { result, .. } => result.as_ref().map(portfire_core::Json::as_str),
        Target::Again { .. } => None,
    }
}

fn settled_step(now: Option<i64>, turns: &[Turn<'_>]) -> Step<'static> {
    let [jobs, tokens] = leases(turns.iter().map(|(_, settlement)| settlement.lease));
    let mut values = vec![Value::Int(now), jobs, tokens];
    values.extend(verdicts());
    values.push(finals());
    (Op::Settled, values)
}

fn finals() -> Value<'static> {
    Value::texts(State::ALL.into_iter().filter(|state| state.is_final()).map(State::as_str))
}

/// One settlement by itself, by whatever runs our statements: both steps in one function of the database.
pub(crate) async fn settle_alone<E: Executor>(db: &mut E, settlement: &Settlement) -> Result<Settled> {
    let turns = [(0, settlement)];
    let groups = groups(&turns);
    let (_, mut values) = settle_step(None, &turns, &groups);
    let (_, settled) = settled_step(None, &turns);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use portfire_core::{JobId, Json, Keep, Lease, Settlement, State, Target, Token};

    use super::{Parts, are_a_run};

    fn success(job: u8, token: u8, keep_seconds: u64, result: Option<&str>) -> Settlement {
        Settlement {
            lease: Lease { job: JobId::from_bytes([job; 16]), token: Token::from_bytes([token; 16]) },
            only_if_expired: false,
            to: Target::Finished {
                state: State::Succeeded,
                result: result.map(Json::trusted),
                keep: Keep::For(Duration::from_secs(keep_seconds)),
                attempts: 1,
                crashes: 0,
            },
            if_cancelled: None,
            record: None,
            fingerprint: None,
        }
    }

    /// How many jobs each run has.
    fn runs(settlements: &[Settlement]) -> Vec<usize> {
        Parts::of(settlements).succeeded.chunk_by(are_a_run).map(<[_]>::len).collect()
    }

    /// It is for speed alone, so nothing else would tell.
    #[test]
    fn what_is_alike_and_side_by_side_is_one_run() {
        let plain: Vec<_> = (0..9).rev().map(|job| success(job, 1, 60, None)).collect();
        assert_eq!(runs(&plain), [9], "in whatever order they come");
        let other = |at: usize, other: Settlement| {
            let mut set = plain.clone();
            set[at] = other;
            runs(&set)
        };
        assert_eq!(other(4, success(4, 2, 60, None)), [4, 1, 4], "of another claim");
        assert_eq!(other(4, success(4, 1, 61, None)), [4, 1, 4], "kept for longer");
        assert_eq!(other(4, success(4, 1, 60, Some("1"))), [4, 1, 4], "with a result");
        assert_eq!(other(8, success(0, 1, 60, Some("1"))), [1, 8], "with a result, the first");
    }
}
