//! What happened, counted in memory and written once for each transaction; and what was counted grows old.
//!
//! 1. Whatever is done in a transaction is counted in its [`Tallies`], by kind and queue.
//! 2. Before the commit they are added to the rows of the present minute: a statement, however many jobs. Each
//!    connection counts in rows of its own (a shard), so that nobody waits for a row of the present minute.
//! 3. Pruning merges minutes that are over, folds old rows into wider ones, as [`folds`] says, and forgets groups
//!    of failures that are long over. Each is a transaction of its own, so that what it locks is free again at
//!    once.

use std::collections::BTreeMap;
use std::time::Duration;

use portfire_core::limits::{FAULT_GROUPS_KEPT, FOLD_MAX};
use portfire_core::storage::tally::{Fold, folds};
use portfire_core::storage::{Tally, Width};
use portfire_core::{Error, Result, Timestamp};

use crate::pool::{Lane, Step};
use crate::rows::{Row, Value};
use crate::statements::Op;

/// When nobody counts in a minute any more, but for transactions that are very long; those are merged later.
const OVER_AFTER: Duration = Duration::from_secs(120);
/// Most rows that one statement adds or deletes.
const ROWS_MAX: usize = 500;

/// The sums of a span, in the order in which [`read`] reads them.
pub(crate) const SUMS: &str =
    "CAST(sum(created) AS SIGNED), CAST(sum(succeeded) AS SIGNED), CAST(sum(failed) AS SIGNED),
    CAST(sum(cancelled) AS SIGNED), CAST(sum(retried) AS SIGNED), CAST(sum(crashed) AS SIGNED),
    CAST(sum(waited) AS SIGNED), CAST(sum(ran) AS SIGNED)";

/// What happened in a transaction, by kind and queue.
#[derive(Debug, Default)]
pub(crate) struct Tallies(BTreeMap<Box<str>, BTreeMap<Box<str>, Tally>>);

impl Tallies {
    /// What is counted of jobs of this kind in this queue.
    pub(crate) fn of(&mut self, kind: &str, queue: &str) -> &mut Tally {
        // Looked up before it is put in, because most are known, and a name put in is a copy.
        if !self.0.contains_key(kind) {
            self.0.insert(kind.into(), BTreeMap::new());
        }
        let queues = self.0.get_mut(kind).expect("the kind was just put in");
        if !queues.contains_key(queue) {
            queues.insert(queue.into(), Tally::new(Timestamp::default(), Width::Minute));
        }
        queues.get_mut(queue).expect("the queue was just put in")
    }

    /// The statements that add it to the rows of the present minute: none, or one.
    pub(crate) fn steps<'s>(&self, now: Option<i64>) -> Vec<Step<'s>> {
        let width = Value::Int(Width::Minute.seconds().into());
        let all = self
            .0
            .iter()
            .flat_map(|(kind, queues)| queues.iter().map(move |(queue, tally)| (kind, queue, tally)));
        let rows = all.filter(|(.., tally)| !tally.is_empty()).map(|(kind, queue, tally)| {
            let span = [width.clone(), Value::Minute(now), Value::Shard];
            row(span, kind, queue, tally)
        });
        add(rows.collect())
    }
}

/// The statements that add these rows.
fn add(rows: Vec<Vec<Value<'_>>>) -> Vec<Step<'_>> {
    rows.chunks(ROWS_MAX).map(|rows| (Op::TallyAdd, vec![Value::Rows(rows.to_vec())])).collect()
}

/// A row of `tally_add`.
fn row<'s>(span: [Value<'s>; 3], kind: &str, queue: &str, tally: &Tally) -> Vec<Value<'s>> {
    let count = |count: u64| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
    let micros = |sum: Duration| Value::Int(i64::try_from(sum.as_micros()).unwrap_or(i64::MAX));
    let mut row = Vec::from(span);
    row.extend([
        Value::Owned(kind.to_owned()),
        Value::Owned(queue.to_owned()),
        count(tally.created),
        count(tally.succeeded),
        count(tally.failed),
        count(tally.cancelled),
        count(tally.retried),
        count(tally.crashed),
        micros(tally.waited),
        micros(tally.ran),
    ]);
    row
}

/// The numbers of a tally in eight columns from `first` on.
pub(crate) fn read(row: &Row, first: usize, mut tally: Tally) -> Result<Tally> {
    let count = |column| Ok::<_, Error>(row.int(first + column)?.unsigned_abs());
    tally.created = count(0)?;
    tally.succeeded = count(1)?;
    tally.failed = count(2)?;
    tally.cancelled = count(3)?;
    tally.retried = count(4)?;
    tally.crashed = count(5)?;
    tally.waited = Duration::from_micros(count(6)?);
    tally.ran = Duration::from_micros(count(7)?);
    Ok(tally)
}

/// What begins before this instant is over.
pub(crate) fn over(now: Timestamp) -> Timestamp {
    Width::Minute.begin(now.before(OVER_AFTER))
}

/// Merges, folds and forgets.
pub(crate) async fn tidy(lane: &mut Lane, now: Timestamp) -> Result<()> {
    let most = || Value::Int(FOLD_MAX.into());
    let instant = |at: Timestamp| Value::Int(at.as_micros());
    replace(lane, Op::TalliesSharded, &[instant(over(now)), most()], |width, at| Some((width, at))).await?;
    for Fold { of, before, into } in folds(now) {
        let values = [Value::Int(of.seconds().into()), instant(before), most()];
        let wider = |_, at| into.map(|into| (into.seconds().into(), into.begin(at)));
        replace(lane, Op::TalliesOld, &values, wider).await?;
    }
    forget(lane, instant(now.before(FAULT_GROUPS_KEPT)), most()).await
}

/// Forgets groups of failures that are long over.
async fn forget(lane: &mut Lane, before: Value<'_>, most: Value<'_>) -> Result<()> {
    lane.begin();
    let old = lane.rows(Op::FaultsOld, &[before.clone(), most]).await?;
    let groups = old.iter().map(|row| row.text(0)).collect::<Result<Vec<_>>>()?;
    let sets = groups.chunks(ROWS_MAX).map(|set| Value::texts(set.iter().copied()));
    let steps = sets.map(|set| (Op::FaultsForget, vec![set, before.clone()]));
    lane.finish(steps.collect()).await.map(drop)
}

/// Adds the tallies that a statement finds to those of the spans that `to` says, in order, so that two servers do
/// not wait for each other; where that is none they are dropped.
async fn replace(
    lane: &mut Lane,
    find: Op,
    values: &[Value<'_>],
    to: impl Fn(i64, Timestamp) -> Option<(i64, Timestamp)> + Send,
) -> Result<()> {
    lane.begin();
    let found = lane.rows(find, values).await?;
    let (mut sums, mut keys) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
    for row in &found {
        let key = [0, 1, 2].map(|column| row.int(column).map(Value::Int));
        let key = key.into_iter().collect::<Result<Vec<_>>>()?;
        keys.entry((row.text(3)?, row.text(4)?)).or_default().push(key);
        let Some((width, at)) = to(row.int(0)?, row.time(1)?) else { continue };
        let name = (width, at, row.text(3)?, row.text(4)?);
        let sum = sums.entry(name).or_insert_with(|| Tally::new(at, Width::Minute));
        sum.add(&read(row, 5, sum.clone())?);
    }
    let names = |(kind, queue)| [Value::Text(kind), Value::Text(queue)];
    let delete = |(name, keys)| (Op::TallyDelete, [vec![Value::Rows(keys)], names(name).into()].concat());
    let mut steps: Vec<Step<'_>> = keys.into_iter().map(delete).collect();
    let rows = sums.iter().map(|((width, at, kind, queue), sum)| {
        row([Value::Int(*width), Value::Int(at.as_micros()), Value::Int(0)], kind, queue, sum)
    });
    steps.extend(add(rows.collect()));
    lane.finish(steps).await.map(drop)
}
