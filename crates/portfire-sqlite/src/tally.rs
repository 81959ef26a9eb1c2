//! What happened, counted in memory and written once for each transaction.
//!
//! 1. Whatever is done in a transaction is counted in its [`Tallies`], by kind and queue.
//! 2. Before the commit they are added to the rows of the present minute: a few rows, however many jobs.
//! 3. Pruning folds old rows into wider ones, as [`folds`] says.

use std::collections::BTreeMap;
use std::time::Duration;

use portfire_core::limits::{FAULT_GROUPS_KEPT, FOLD_MAX};
use portfire_core::storage::tally::{Fold, folds};
use portfire_core::storage::{Tally, Width};
use portfire_core::{Result, Timestamp};

use crate::insert::Executor;
use crate::rows::{Row, Value};
use crate::statements::Op;
use crate::threads::Tx;

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
}

/// Adds what was counted to the rows of the present minute.
pub(crate) async fn write<E: Executor>(db: &mut E, now: Timestamp) -> Result<()> {
    let counted = std::mem::take(db.tallies());
    for (kind, queues) in &counted.0 {
        for (queue, tally) in queues.iter().filter(|(_, tally)| !tally.is_empty()) {
            add(db, Width::Minute, Width::Minute.begin(now), (kind, queue), tally).await?;
        }
    }
    Ok(())
}

async fn add<E: Executor>(
    db: &mut E,
    width: Width,
    from: Timestamp,
    (kind, queue): (&str, &str),
    tally: &Tally,
) -> Result<()> {
    let count = |count: u64| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
    let micros = |sum: Duration| Value::Int(i64::try_from(sum.as_micros()).unwrap_or(i64::MAX));
    let values = [
        Value::Int(width.seconds().into()),
        Value::Int(from.as_micros()),
        Value::Text(kind),
        Value::Text(queue),
        count(tally.created),
        count(tally.succeeded),
        count(tally.failed),
        count(tally.cancelled),
        count(tally.retried),
        count(tally.crashed),
        micros(tally.waited),
        micros(tally.ran),
    ];
    db.execute(Op::TallyAdd, &values).await.map(drop)
}

/// The numbers of a tally in eight columns from `first` on.
pub(crate) fn read(row: &Row, first: usize, mut tally: Tally) -> Result<Tally> {
    let count = |column| Ok::<_, portfire_core::Error>(row.int(first + column)?.unsigned_abs());
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

/// Folds old tallies into wider ones, and forgets groups of failures that are long over.
pub(crate) async fn tidy(tx: &mut Tx<'_>) -> Result<()> {
    let now = tx.now;
    for fold in folds(now) {
        fold_one(tx, fold).await?;
    }
    tx.run(Op::FaultsForget, &[Value::Int(now.before(FAULT_GROUPS_KEPT).as_micros())]).map(drop)
}

async fn fold_one(tx: &mut Tx<'_>, fold: Fold) -> Result<()> {
    let width = Value::Int(fold.of.seconds().into());
    let values = [width, Value::Int(fold.before.as_micros()), Value::Int(FOLD_MAX.into())];
    for row in tx.all(Op::TalliesOld, &values)? {
        let (from, kind, queue) = (row.time(0)?, row.text(1)?, row.text(2)?);
        if let Some(into) = fold.into {
            let tally = read(&row, 3, Tally::new(from, fold.of))?;
            add(tx, into, into.begin(from), (kind, queue), &tally).await?;
        }
        let key = [width, Value::Int(from.as_micros()), Value::Text(kind), Value::Text(queue)];
        tx.run(Op::TallyDelete, &key)?;
    }
    Ok(())
}
