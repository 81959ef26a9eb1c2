//! How jobs enter, written once for everything that can run SQL: our own connections, a transaction of
//! tokio-postgres, one of sqlx.
//!
//! 1. A set is cut into runs in which no job depends on another: most sets are one run. In a run,
//! 2. repeats of an id are told apart, if names or parents are at stake;
//! 3. unique names are taken; one that is taken leads to its holder;
//! 4. parents are held where they are, and those that have ended are judged; an unknown one refuses the set;
//! 5. bodies and places are stored in one statement, what they wait for in another.
//!
//! A run without names and parents is the last step alone.

use std::collections::{HashMap, HashSet};
use std::future::Future;

use portfire_core::storage::Inserted;
use portfire_core::{Dependency, Error, JobId, Json, Keep, NewJob, Result, Start, State, Verdict};

use crate::rows::{Row, Value, job_uuid, micros, tags_text};
use crate::statements::Op;

/// Most jobs in one statement: its values are a few megabytes at most for ordinary arguments.
const RUN_MAX: usize = 10_000;
/// How long a job is kept that is kept for ever, in a statement.
pub(crate) const FOREVER: i64 = -1;
/// How often a parent that moves or a name that is let go is looked at again before we give up.
const LOOKS_MAX: usize = 20;

/// Something that can run our statements.
pub(crate) trait Executor: Send {
    /// Runs a statement; answers its rows.
    fn rows(&mut self, op: Op, values: &[Value<'_>]) -> impl Future<Output = Result<Vec<Row>>> + Send;
}

/// Whether a job of the set may be stored already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// It is not looked for: if one is there, the statement fails, and the set is tried again as the other.
    New,
    /// It is looked for, and passed by.
    MayRepeat,
}

impl Ids {
    /// What to take them for at first, where a statement may fail alone. Ids of ours are of version 7 and stored once,
    /// but for an answer that was lost; who chooses ids, so that repeating is safe, mostly makes them of another.
    pub(crate) fn at_first(jobs: &[NewJob]) -> Self {
        let is_ours = |job: &NewJob| job_uuid(job.id).get_version_num() == 7;
        if jobs.iter().all(is_ours) { Self::New } else { Self::MayRepeat }
    }
}

/// Whether a set is stored by a single statement.
pub(crate) fn is_one_statement(jobs: &[NewJob]) -> bool {
    jobs.iter().all(|job| job.unique.is_none() && job.after.is_empty()) && runs(jobs).len() <= 1
}

/// Stores jobs. After an error the transaction must be rolled back.
pub(crate) async fn insert<E: Executor>(
    db: &mut E,
    now: Option<i64>,
    jobs: &[NewJob],
    ids: Ids,
) -> Result<Vec<Inserted>> {
    jobs.iter().try_for_each(NewJob::check)?;
    let mut answers = Vec::with_capacity(jobs.len());
    for run in runs(jobs) {
        answers.extend(insert_run(db, now, run, ids).await?);
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
        if depends || position - start == RUN_MAX {
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

async fn insert_run<E: Executor>(
    db: &mut E,
    now: Option<i64>,
    run: &[NewJob],
    ids: Ids,
) -> Result<Vec<Inserted>> {
    let mut repeats = known(db, run).await?;
    let candidates: Vec<_> = run.iter().filter(|job| !repeats.contains(&job.id)).collect();
    let holders = take_names(db, &candidates).await?;
    let mut left: Vec<_> = candidates.into_iter().filter(|job| !holders.contains_key(&job.id)).collect();
    left.sort_by_key(|job| job.id);
    let parents = judge_parents(db, &left).await?;
    repeats.extend(insert_bodies(db, now, &left, &parents, ids).await?);
    insert_dependencies(db, &left, &parents, &repeats).await?;
    free_names(db, &left, &parents).await?;
    let answer = |job: &NewJob| match holders.get(&job.id) {
        Some(holder) if *holder != job.id => Inserted::Duplicate(*holder),
        None if !repeats.contains(&job.id) => Inserted::New,
        _ => Inserted::SameId,
    };
    Ok(run.iter().map(answer).collect())
}

/// The repeats of a run, where it matters.
async fn known<E: Executor>(db: &mut E, run: &[NewJob]) -> Result<HashSet<JobId>> {
    let special = run.iter().filter(|job| job.unique.is_some() || !job.after.is_empty());
    let special: Vec<_> = special.map(|job| job.id).collect();
    if special.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = db.rows(Op::Known, &[Value::jobs(special)]).await?;
    rows.iter().map(|row| row.id(0)).collect()
}

/// Takes the unique names; answers who has those that could not be taken.
async fn take_names<E: Executor>(db: &mut E, jobs: &[&NewJob]) -> Result<HashMap<JobId, JobId>> {
    let mut named: Vec<_> = jobs.iter().filter_map(|job| Some((*job, job.unique.as_deref()?))).collect();
    let mut holders = HashMap::new();
    for _ in 0..LOOKS_MAX {
        if named.is_empty() {
            return Ok(holders);
        }
        let kinds = Value::texts(named.iter().map(|(job, _)| &*job.kind));
        let names = Value::texts(named.iter().map(|(_, name)| *name));
        let ids = Value::jobs(named.iter().map(|(job, _)| job.id));
        let taken = db.rows(Op::UniqueTake, &[kinds, names, ids]).await?;
        let taken = taken.iter().map(|row| row.id(0)).collect::<Result<HashSet<_>>>()?;
        let mut again = Vec::new();
        for (job, name) in named.into_iter().filter(|(job, _)| !taken.contains(&job.id)) {
            let holder = db.rows(Op::UniqueHolder, &[Value::text(&job.kind), Value::text(name)]).await?;
            match holder.first() {
                Some(row) => drop(holders.insert(job.id, row.id(0)?)),
                None => again.push((job, name)), // Let go between the two statements.
            }
        }
        named = again;
    }
    Err(Error::transient("a unique name is taken and let go faster than it can be read; try again"))
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
    let parents: HashSet<_> = jobs.iter().flat_map(|job| &job.after).map(|wish| wish.parent).collect();
    if parents.is_empty() {
        return Ok(HashMap::new());
    }
    let known = hold_parents(db, &parents).await?;
    let rows = db.rows(Op::ParentState, &[Value::jobs(known.iter().copied())]).await?;
    let mut ends = HashMap::new();
    for row in &rows {
        let end = End { state: row.text(1)?.parse()?, result: row.opt_text(2)?.map(Into::into) };
        ends.insert(row.id(0)?, end);
    }
    let waiting = jobs.iter().filter(|job| !job.after.is_empty());
    waiting.map(|job| Ok((job.id, judge(job, &known, &ends)?))).collect()
}

/// Holds the parents where they are, so that none ends unseen; answers which there are.
async fn hold_parents<E: Executor>(db: &mut E, parents: &HashSet<JobId>) -> Result<HashSet<JobId>> {
    for _ in 0..LOOKS_MAX {
        let rows = db.rows(Op::ParentsLock, &[Value::jobs(parents.iter().copied())]).await?;
        let held = rows.iter().map(|row| row.is(1)).collect::<Result<Vec<_>>>()?;
        if held.iter().all(|held| *held) {
            return rows.iter().map(|row| row.id(0)).collect();
        }
    }
    Err(Error::transient("a parent moved on faster than it could be held; try again"))
}

fn judge(job: &NewJob, known: &HashSet<JobId>, ends: &HashMap<JobId, End>) -> Result<Parents> {
    let mut parents = Parents::default();
    for Dependency { parent, on } in &job.after {
        if !known.contains(parent) {
            return Err(unknown_parent(job, *parent));
        }
        let end = ends.get(parent);
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

/// Stores what goes into one statement; answers which of them were there already.
async fn insert_bodies<E: Executor>(
    db: &mut E,
    now: Option<i64>,
    jobs: &[&NewJob],
    parents: &HashMap<JobId, Parents>,
    ids: Ids,
) -> Result<Vec<JobId>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let policies: Vec<_> = jobs.iter().map(|job| job.policy.to_json()).collect();
    let tags: Vec<_> = jobs.iter().map(|job| tags_text(&job.tags)).collect();
    let words = jobs.iter().flat_map(|job| job.tags.iter().map(|tag| (&**tag, job.id)));
    let (words, owners): (Vec<_>, Vec<_>) = words.unzip();
    let waiting = |job: &&NewJob| {
        let parents = parents.get(&job.id)?;
        Some((job.id, Some(if parents.impossible { -1 } else { parents.waiting_for })))
    };
    let (children, waits): (Vec<_>, Vec<_>) = jobs.iter().filter_map(waiting).unzip();
    let kept = |job: &NewJob| keep(job.policy.retention.of(State::Cancelled)).unwrap_or(FOREVER);
    let values = [
        Value::Int(now),
        Value::Bool(ids == Ids::MayRepeat),
        Value::jobs(jobs.iter().map(|job| job.id)),
        Value::Texts(said(jobs, |job| &*job.kind)),
        Value::Texts(said(jobs, |job| &*job.queue)),
        Value::Ints(said(jobs, |job| job.priority.into())),
        Value::Ints(spoken(jobs.iter().map(|job| start_at(job.start)))),
        Value::Ints(said(jobs, |job| start_after(job.start))),
        Value::texts(jobs.iter().map(|job| job.args.as_str())),
        Value::Texts(spoken(policies.iter().map(|policy| policy.as_ref().map(Json::as_str)))),
        Value::Texts(spoken(jobs.iter().map(|job| job.unique.as_deref()))),
        Value::Texts(spoken(tags.iter().map(Option::as_deref))),
        Value::Ints(said(jobs, kept)),
        Value::jobs(children),
        Value::Ints(waits),
        Value::texts(words),
        Value::jobs(owners),
        Value::Texts(spoken(jobs.iter().map(|job| Some(&*job.slot.as_ref()?.schedule)))),
        Value::Ints(spoken(jobs.iter().map(|job| Some(job.slot.as_ref()?.at.as_micros())))),
    ];
    let rows = db.rows(Op::Insert, &values).await?;
    rows.iter().map(|row| row.id(0)).collect()
}

/// A list for the statement; of one item, if that is the same for each job.
pub(crate) fn said<'a, T: PartialEq>(
    jobs: &[&'a NewJob],
    column: impl Fn(&'a NewJob) -> T,
) -> Vec<Option<T>> {
    let mut items: Vec<_> = jobs.iter().map(|job| Some(column(job))).collect();
    if items.windows(2).all(|pair| pair[0] == pair[1]) {
        items.truncate(1);
    }
    items
}

/// A list for the statement; of none, if it says nothing of any job.
pub(crate) fn spoken<T>(items: impl Iterator<Item = Option<T>>) -> Vec<Option<T>> {
    let items: Vec<_> = items.collect();
    if items.iter().any(Option::is_some) { items } else { Vec::new() }
}

const fn start_at(start: Start) -> Option<i64> {
    match start {
        Start::At(instant) => Some(instant.as_micros()),
        Start::Now | Start::After(_) => None,
    }
}

fn start_after(start: Start) -> i64 {
    match start {
        Start::After(delay) => micros(delay),
        Start::Now | Start::At(_) => 0,
    }
}

/// How long a job is kept, in microseconds; `None` for ever.
pub(crate) fn keep(keep: Keep) -> Option<i64> {
    match keep {
        Keep::For(duration) => Some(micros(duration)),
        Keep::Forever => None,
    }
}

async fn insert_dependencies<E: Executor>(
    db: &mut E,
    jobs: &[&NewJob],
    parents: &HashMap<JobId, Parents>,
    repeats: &HashSet<JobId>,
) -> Result<()> {
    let (mut children, mut positions, mut of) = (Vec::new(), Vec::new(), Vec::new());
    let (mut wishes, mut states, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for job in jobs.iter().filter(|job| !repeats.contains(&job.id)) {
        let Some(known) = parents.get(&job.id) else { continue };
        for ((position, wish), end) in (0_i64..).zip(&job.after).zip(&known.ends) {
            children.push(Some(job_uuid(job.id)));
            positions.push(Some(position));
            of.push(Some(job_uuid(wish.parent)));
            wishes.push(Some(wish.on.as_str()));
            states.push(end.as_ref().map(|end| end.state.as_str()));
            results.push(end.as_ref().and_then(|end| end.result.as_deref()));
        }
    }
    if children.is_empty() {
        return Ok(());
    }
    let values = [
        Value::Ids(children),
        Value::Ints(positions),
        Value::Ids(of),
        Value::Texts(wishes),
        Value::Texts(states),
        Value::Texts(results),
    ];
    db.rows(Op::DependencyInsert, &values).await.map(drop)
}

/// Jobs that were cancelled at once hold no names.
async fn free_names<E: Executor>(
    db: &mut E,
    jobs: &[&NewJob],
    parents: &HashMap<JobId, Parents>,
) -> Result<()> {
    let cancelled = |job: &NewJob| parents.get(&job.id).is_some_and(|parents| parents.impossible);
    let named = jobs.iter().filter(|job| job.unique.is_some() && cancelled(job));
    let named: Vec<_> = named.map(|job| job.id).collect();
    if named.is_empty() {
        return Ok(());
    }
    db.rows(Op::UniqueFree, &[Value::jobs(named)]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use portfire_core::{Dependency, Dice, IdSequence, Json, NewJob, Timestamp, Trigger};

    use super::{is_one_statement, runs};

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
        assert_eq!(lengths(&jobs(10_001)), [10_000, 1]);
    }

    #[test]
    fn plain_jobs_are_one_statement() {
        let mut set = jobs(3);
        assert!(is_one_statement(&set) && is_one_statement(&[]));
        set[1].unique = Some("one".into());
        assert!(!is_one_statement(&set));
    }
}
