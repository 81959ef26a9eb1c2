//! How jobs enter, written once for everything that can run SQL: our own connections, a transaction of
//! `mysql_async`, one of sqlx.
//!
//! 1. A set is cut into runs in which no job depends on another: most sets are one run. A run without names and
//!    parents is stored at once, in one packet; if it turns out to repeat an id, it is taken back to where it
//!    began, and stored without what was there already. In any other run,
//! 2. repeats of an id are told apart;
//! 3. unique names are taken; one that is taken leads to its holder;
//! 4. parents are held where they are, and those that have ended are judged; an unknown one refuses the set;
//! 5. bodies, places, what they wait for and what is counted are stored in one packet.
//!
//! An application's transaction may have any isolation level. What has to be true now is therefore read with a
//! lock, and only where a row is known to be: looked for in vain, such a read would keep others from storing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::future::Future;

use portfire_core::storage::Inserted;
use portfire_core::{Dependency, Error, JobId, Json, Keep, NewJob, Result, Start, State, Verdict};

use crate::error::is_duplicate;
use crate::pool::{Answer, PACKET_BYTES, SET_MAX, Step};
use crate::rows::{Row, Value, micros, tags_text};
use crate::statements::Op;
use crate::tally::Tallies;

/// How often a parent that moves is looked at again before we give up.
const LOOKS_MAX: usize = 20;

/// Something that can run our statements.
pub(crate) trait Executor: Send {
    /// Whether what is read without being held is what was there when the statement began. In a transaction of the
    /// application it may be what was there when that began.
    const READS_ARE_CURRENT: bool;

    /// Runs statements in their order, which travel together; answers what each came to. After an error those
    /// behind it have not run.
    fn run(&mut self, steps: Vec<Step<'_>>) -> impl Future<Output = Result<Vec<Answer>>> + Send;
}

/// The steps that fail where no transaction is open: what is several statements would be done by halves.
pub(crate) fn in_transaction() -> Vec<Step<'static>> {
    vec![(Op::Mark, Vec::new()), (Op::MarkRelease, Vec::new())]
}

/// Whether a set is stored by a single packet, unless it repeats an id.
pub(crate) fn is_one_packet(jobs: &[NewJob]) -> bool {
    let bytes: usize = jobs.iter().map(|job| job.args.as_str().len()).sum();
    jobs.iter().all(is_plain) && runs(jobs).len() <= 1 && bytes < PACKET_BYTES / 2
}

/// Whether a job has neither a unique name nor parents.
fn is_plain(job: &NewJob) -> bool {
    job.unique.is_none() && job.after.is_empty()
}

/// Stores jobs. After an error the transaction must be rolled back.
pub(crate) async fn insert<E: Executor>(
    db: &mut E,
    now: Option<i64>,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    insert_after(db, Vec::new(), now, jobs).await
}

/// Stores jobs after these steps, which travel with the first of them.
pub(crate) async fn insert_after<E: Executor>(
    db: &mut E,
    mut steps: Vec<Step<'_>>,
    now: Option<i64>,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    jobs.iter().try_for_each(NewJob::check)?;
    let mut answers = Vec::with_capacity(jobs.len());
    for run in runs(jobs) {
        let steps = std::mem::take(&mut steps);
        let answered = if run.iter().all(is_plain) {
            insert_plain(db, steps, now, run).await?
        } else {
            insert_special(db, steps, now, run).await?
        };
        answers.extend(answered);
    }
    Ok(answers)
}

/// Cuts a set where a job repeats an id or a name of the run, or waits for one of it.
fn runs(jobs: &[NewJob]) -> Vec<&[NewJob]> {
    let (mut runs, mut start) = (Vec::new(), 0);
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    for (position, job) in jobs.iter().enumerate() {
        let name = job.unique.as_deref().map(|name| (&*job.kind, name));
        let depends = ids.contains(&job.id)
            || name.is_some_and(|name| names.contains(&name))
            || job.after.iter().any(|dependency| ids.contains(&dependency.parent));
        if depends {
            runs.push(&jobs[start..position]);
            (start, ids, names) = (position, HashSet::new(), HashSet::new());
        }
        ids.insert(job.id);
        names.extend(name);
    }
    if start < jobs.len() {
        runs.push(&jobs[start..]);
    }
    runs
}

async fn insert_plain<E: Executor>(
    db: &mut E,
    mut steps: Vec<Step<'_>>,
    now: Option<i64>,
    run: &[NewJob],
) -> Result<Vec<Inserted>> {
    let jobs: Vec<_> = run.iter().collect();
    let none = HashMap::new();
    steps.push((Op::Mark, Vec::new()));
    match store(db, now, &jobs, &none, steps).await {
        Ok(()) => return Ok(vec![Inserted::New; run.len()]),
        Err(error) if is_duplicate(&error) => {}
        Err(error) => return Err(error),
    }
    let known = known(db, vec![(Op::BackToMark, Vec::new())], jobs.iter().map(|job| job.id)).await?;
    let fresh: Vec<_> = run.iter().filter(|job| !known.contains(&job.id)).collect();
    store(db, now, &fresh, &none, Vec::new()).await?;
    let answer = |job: &NewJob| if known.contains(&job.id) { Inserted::SameId } else { Inserted::New };
    Ok(run.iter().map(answer).collect())
}

async fn insert_special<E: Executor>(
    db: &mut E,
    steps: Vec<Step<'_>>,
    now: Option<i64>,
    run: &[NewJob],
) -> Result<Vec<Inserted>> {
    let known = known(db, steps, run.iter().map(|job| job.id)).await?;
    let candidates: Vec<_> = run.iter().filter(|job| !known.contains(&job.id)).collect();
    let holders = take_names(db, &candidates).await?;
    let left: Vec<_> = candidates.into_iter().filter(|job| !holders.contains_key(&job.id)).collect();
    let parents = judge_parents(db, &left).await?;
    store(db, now, &left, &parents, Vec::new()).await?;
    let answer = |job: &NewJob| match holders.get(&job.id) {
        Some(holder) => Inserted::Duplicate(*holder),
        None if known.contains(&job.id) => Inserted::SameId,
        None => Inserted::New,
    };
    Ok(run.iter().map(answer).collect())
}

/// Those of the ids that there are, after these steps.
async fn known<E: Executor>(
    db: &mut E,
    mut steps: Vec<Step<'_>>,
    ids: impl Iterator<Item = JobId>,
) -> Result<HashSet<JobId>> {
    steps.push((Op::Known, vec![Value::jobs(ids)]));
    let rows = db.run(steps).await?.pop().unwrap_or_default().rows;
    rows.iter().map(|row| row.id(0)).collect()
}

/// Takes the unique names; answers who has those that could not be taken.
async fn take_names<E: Executor>(db: &mut E, jobs: &[&NewJob]) -> Result<HashMap<JobId, JobId>> {
    let named = jobs.iter().filter_map(|job| Some(((&*job.kind, job.unique.as_deref()?), job.id)));
    let wanted: BTreeMap<_, _> = named.collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let key = |kind, name| vec![Value::Text(kind), Value::Text(name)];
    let taken = wanted
        .iter()
        .map(|((kind, name), job)| (Op::UniqueTake, [key(kind, name), vec![Value::job(*job)]].concat()));
    // Each is there and held by us, whoever has it.
    let looked = wanted.keys().map(|(kind, name)| (Op::UniqueHolder, key(kind, name)));
    let steps: Vec<Step<'_>> = taken.chain(looked).collect();
    let answers = db.run(steps).await?;
    let mut holders = HashMap::new();
    for (job, answer) in wanted.values().zip(&answers[wanted.len()..]) {
        let row = answer.rows.first().ok_or_else(|| Error::transient("a unique name was let go just now"))?;
        let holder = row.id(0)?;
        if holder != *job {
            holders.insert(*job, holder);
        }
    }
    Ok(holders)
}

/// What a job's parents mean for it.
#[derive(Debug, Default)]
struct Parents {
    /// How many are undecided.
    waiting_for: i64,
    impossible: bool,
    /// How each that is decided ended, in the order of the job's dependencies.
    ends: Vec<Option<End>>,
}

/// How a parent ended.
#[derive(Clone, Debug)]
struct End {
    state: State,
    result: Option<Box<str>>,
}

async fn judge_parents<E: Executor>(db: &mut E, jobs: &[&NewJob]) -> Result<HashMap<JobId, Parents>> {
    let parents: BTreeSet<_> = jobs.iter().flat_map(|job| &job.after).map(|wish| wish.parent).collect();
    if parents.is_empty() {
        return Ok(HashMap::new());
    }
    let held = hold_parents(db, &parents).await?;
    let waiting = jobs.iter().filter(|job| !job.after.is_empty());
    waiting.map(|job| Ok((job.id, judge(job, &held)?))).collect()
}

/// The parents there are, and how those ended that have.
type Held = HashMap<JobId, Option<End>>;

/// Holds the parents where they are, so that none ends unseen.
async fn hold_parents<E: Executor>(db: &mut E, parents: &BTreeSet<JobId>) -> Result<Held> {
    let mut held = Held::new();
    for look in 0..LOOKS_MAX {
        let missing = || parents.iter().copied().filter(|parent| !held.contains_key(parent));
        if missing().next().is_none() {
            return Ok(held);
        }
        // What is not where the first look has seen it has moved on, perhaps out of sight of this transaction.
        let sure = look > 0;
        let find = if sure { Op::ParentsFindNow } else { Op::ParentsFind };
        let mut answers = db.run(vec![(find, vec![Value::jobs(missing())])]).await?;
        let found = answers.pop().unwrap_or_default().rows;
        if found.is_empty() && sure {
            return Ok(held); // What is left is unknown.
        }
        hold_found(db, &found, sure, &mut held).await?;
    }
    Err(Error::transient("a parent moved on faster than it could be held; try again"))
}

/// Holds parents where a row of `parents_find` says they are, or (`everywhere`) wherever they may be.
async fn hold_found<E: Executor>(db: &mut E, found: &[Row], everywhere: bool, held: &mut Held) -> Result<()> {
    let mut steps = Vec::new();
    for row in found {
        let place = row.opt_text(4)?.filter(|_| !everywhere);
        steps.extend(holds(row, place)?);
    }
    let results = if everywhere { Op::ResultHold } else { Op::ResultGet };
    let answers = db.run(steps).await?;
    let rows: Vec<_> = answers.iter().flat_map(|answer| &answer.rows).collect();
    let mut ended = Vec::new();
    for row in rows {
        let state: Option<State> = row.opt_text(1)?.map(str::parse).transpose()?;
        held.insert(row.id(0)?, state.map(|state| End { state, result: None }));
        ended.extend(state.map(|_| row.id(0)).transpose()?);
    }
    if ended.is_empty() {
        return Ok(());
    }
    let steps = ended.iter().map(|parent| (results, vec![Value::job(*parent)])).collect();
    for (parent, answer) in ended.iter().zip(db.run(steps).await?) {
        let result = answer.rows.first().map(|row| row.text(0)).transpose()?;
        if let Some(Some(end)) = held.get_mut(parent) {
            end.result = result.map(Into::into);
        }
    }
    Ok(())
}

/// The steps that hold a parent in the table where it is; in all of them, in the direction in which jobs move, if
/// that is not said.
fn holds<'r>(row: &'r Row, place: Option<&str>) -> Result<Vec<Step<'r>>> {
    let id = || row.id(0).map(Value::job);
    let run_at = || row.int(3).map(Value::Int);
    let all = [
        ("awaiting", (Op::AwaitingHold, vec![id()?])),
        ("scheduled", (Op::ScheduledHold, vec![run_at()?, id()?])),
        (
            "ready",
            (Op::ReadyHold, vec![Value::Text(row.text(1)?), Value::Int(row.int(2)?), run_at()?, id()?]),
        ),
        ("running", (Op::RunningHold, vec![id()?])),
        ("finished", (Op::FinishedHold, vec![id()?])),
    ];
    let there = all.into_iter().filter(|(name, _)| place.is_none_or(|place| place == *name));
    Ok(there.map(|(_, step)| step).collect())
}

fn judge(job: &NewJob, held: &Held) -> Result<Parents> {
    let mut parents = Parents::default();
    for Dependency { parent, on } in &job.after {
        let end = held.get(parent).ok_or_else(|| unknown_parent(job, *parent))?.as_ref();
        let verdict = end.map_or(Verdict::Wait, |end| on.verdict(end.state));
        parents.waiting_for += i64::from(verdict == Verdict::Wait);
        parents.impossible |= verdict == Verdict::Impossible;
        parents.ends.push(end.filter(|_| verdict != Verdict::Wait).cloned());
    }
    Ok(parents)
}

fn unknown_parent(job: &NewJob, parent: JobId) -> Error {
    Error::misuse(format!(
        "job {parent} is not known, so `{}` cannot wait for it; enqueue the parent first (one that ended \
         long ago may have been pruned)",
        job.kind
    ))
}

/// Stores jobs that are not there, with all that belongs to them, after these steps.
async fn store<E: Executor>(
    db: &mut E,
    now: Option<i64>,
    jobs: &[&NewJob],
    parents: &HashMap<JobId, Parents>,
    mut steps: Vec<Step<'_>>,
) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let mut tallies = Tallies::default();
    for job in jobs {
        let tally = tallies.of(&job.kind, &job.queue);
        tally.created += 1;
        tally.cancelled += u64::from(is_impossible(parents, job));
    }
    let texts: Vec<_> = jobs.iter().map(|job| (job.policy.to_json(), tags_text(&job.tags))).collect();
    let rows = jobs.iter().zip(&texts).map(|(job, (policy, tags))| {
        body(job, now, (policy.as_ref(), tags.as_deref()), parents.contains_key(&job.id))
    });
    steps.extend(chunks(rows).map(|rows| (Op::JobInsert, vec![rows])));
    steps.extend(places(jobs, parents));
    steps.extend(chunks(dependencies(jobs, parents)).map(|rows| (Op::DependencyInsert, vec![rows])));
    let tags = jobs.iter().flat_map(|job| {
        let tags: BTreeSet<_> = job.tags.iter().map(|tag| &**tag).collect();
        tags.into_iter().map(|tag| vec![Value::Text(tag), Value::job(job.id)])
    });
    steps.extend(chunks(tags).map(|rows| (Op::TagInsert, vec![rows])));
    let nameless = jobs.iter().filter(|job| job.unique.is_some() && is_impossible(parents, job));
    let nameless: Vec<_> = nameless.map(|job| Value::job(job.id)).collect();
    if !nameless.is_empty() {
        steps.push((Op::UniqueFree, vec![Value::List(nameless)]));
    }
    steps.extend(tallies.steps(now));
    db.run(steps).await.map(drop)
}

/// Whether a parent has ended so that the job will never run. Such a job is cancelled and holds no name.
fn is_impossible(parents: &HashMap<JobId, Parents>, job: &NewJob) -> bool {
    parents.get(&job.id).is_some_and(|parents| parents.impossible)
}

/// Rows in sets of one statement each.
fn chunks<'v>(rows: impl Iterator<Item = Vec<Value<'v>>>) -> impl Iterator<Item = Value<'v>> {
    let mut rows = rows.peekable();
    std::iter::from_fn(move || {
        rows.peek()?;
        let (mut set, mut bytes) = (Vec::new(), 0);
        while set.len() < SET_MAX && bytes < PACKET_BYTES / 4 {
            let Some(row) = rows.next() else { break };
            bytes += row.iter().map(Value::bytes).sum::<usize>();
            set.push(row);
        }
        Some(Value::Rows(set))
    })
}

/// A row of `job_insert`.
fn body<'v>(
    job: &'v NewJob,
    now: Option<i64>,
    (policy, tags): (Option<&'v Json>, Option<&'v str>),
    has_parents: bool,
) -> Vec<Value<'v>> {
    let slot = job.slot.as_ref();
    vec![
        Value::job(job.id),
        Value::Text(&job.kind),
        Value::Text(&job.queue),
        Value::Int(job.priority.into()),
        Value::Due(now, job.start),
        Value::Now(now),
        Value::Text(job.args.as_str()),
        Value::text(policy.map(Json::as_str)),
        Value::text(job.unique.as_deref()),
        Value::text(tags),
        Value::Int(has_parents.into()),
        Value::int(keep(job.policy.retention.of(State::Cancelled))),
        Value::text(slot.map(|slot| &*slot.schedule)),
        Value::int(slot.map(|slot| slot.at.as_micros())),
    ]
}

/// The steps that say where jobs are. Whether a time is ahead was decided when the body was stored.
fn places<'v>(jobs: &[&NewJob], parents: &HashMap<JobId, Parents>) -> Vec<Step<'v>> {
    let (mut now, mut timed, mut impossible, mut awaiting) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for job in jobs {
        let id = Value::job(job.id);
        match parents.get(&job.id) {
            Some(parents) if parents.impossible => impossible.push(id),
            Some(parents) if parents.waiting_for > 0 => {
                awaiting.push(vec![id, Value::Int(parents.waiting_for)]);
            }
            _ if job.start == Start::Now => now.push(id),
            _ => timed.push(id),
        }
    }
    let lists = [
        (Op::ReadyPlace, now),
        (Op::ReadyPlace, timed.clone()),
        (Op::ScheduledPlace, timed),
        (Op::CancelledPlace, impossible),
    ];
    let lists = lists.into_iter().filter(|(_, ids)| !ids.is_empty());
    let mut steps: Vec<_> = lists.map(|(op, ids)| (op, vec![Value::List(ids)])).collect();
    if !awaiting.is_empty() {
        steps.push((Op::AwaitingInsert, vec![Value::Rows(awaiting)]));
    }
    steps
}

/// Rows of `dependency_insert`.
fn dependencies<'v>(
    jobs: &[&'v NewJob],
    parents: &'v HashMap<JobId, Parents>,
) -> impl Iterator<Item = Vec<Value<'v>>> {
    let waiting = jobs.iter().filter_map(|job| Some((*job, parents.get(&job.id)?)));
    waiting.flat_map(|(job, known)| {
        (0_i64..).zip(&job.after).zip(&known.ends).map(|((position, wish), end)| {
            vec![
                Value::job(job.id),
                Value::Int(position),
                Value::job(wish.parent),
                Value::Text(wish.on.as_str()),
                Value::text(end.as_ref().map(|end| end.state.as_str())),
                Value::text(end.as_ref().and_then(|end| end.result.as_deref())),
            ]
        })
    })
}

/// How long a job is kept, in microseconds; `None` for ever.
pub(crate) fn keep(keep: Keep) -> Option<i64> {
    match keep {
        Keep::For(duration) => Some(micros(duration)),
        Keep::Forever => None,
    }
}

#[cfg(test)]
mod tests {
    use portfire_core::{Dependency, Dice, IdSequence, Json, NewJob, Timestamp, Trigger};

    use super::{SET_MAX, chunks, is_one_packet, runs};
    use crate::rows::Value;

    fn jobs(count: usize) -> Vec<NewJob> {
        let mut ids = IdSequence::new(Dice::from_seed([1, 2]));
        let mut job = || NewJob::new(ids.job(Timestamp::default()), "work", Json::trusted("{}"));
        (0..count).map(|_| job()).collect()
    }

    #[test]
    fn a_set_is_cut_where_a_job_leans_on_another() {
        let lengths = |jobs: &[NewJob]| runs(jobs).iter().map(|run| run.len()).collect::<Vec<_>>();
        let mut set = jobs(4);
        assert_eq!(lengths(&set), [4]);
        set[2].after = vec![Dependency { parent: set[1].id, on: Trigger::End }];
        assert_eq!(lengths(&set), [2, 2]);
        set[3].id = set[2].id;
        assert_eq!(lengths(&set), [2, 1, 1]);
        for job in &mut set {
            job.unique = Some("one".into());
        }
        assert_eq!(lengths(&set), [1, 1, 1, 1]);
    }

    #[test]
    fn plain_jobs_are_one_packet() {
        let mut set = jobs(3);
        assert!(is_one_packet(&set) && is_one_packet(&[]));
        set[1].unique = Some("one".into());
        assert!(!is_one_packet(&set));
    }

    #[test]
    fn statements_are_cut_by_rows_and_by_bytes() {
        let lengths = |rows: Vec<Vec<Value<'_>>>| -> Vec<usize> {
            let sets = chunks(rows.into_iter());
            sets.map(|set| if let Value::Rows(rows) = set { rows.len() } else { 0 }).collect()
        };
        assert_eq!(lengths(vec![vec![Value::Null]; SET_MAX + 1]), [SET_MAX, 1]);
        let long = "x".repeat(1 << 20);
        assert_eq!(lengths(vec![vec![Value::Text(&long)]; 2]), [1, 1]);
        assert!(lengths(Vec::new()).is_empty());
    }
}
