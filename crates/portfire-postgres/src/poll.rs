//! The look of an idle server at all that it might have to do.
//!
//! 1. Each queue is read from its [marks](crate::mark), and what is before them is looked at, if that is due.
//! 2. Where something was found there the next claim reads that priority from its head.

use std::time::Duration;

use portfire_core::storage::Polled;
use portfire_core::{Error, Result};

use crate::mark::{Look, Marks, Walk};
use crate::rows::{Row, Value, job_uuid};

pub(crate) fn poll_values(now: Option<i64>, looks: &[Look]) -> Vec<Value<'_>> {
    let ints = |part: fn(&Look) -> i64| Value::Ints(looks.iter().map(|look| Some(part(look))).collect());
    vec![
        Value::Int(now),
        Value::texts(looks.iter().map(|look| &*look.queue)),
        ints(|look| look.from.priority),
        ints(|look| look.from.run_at),
        Value::Ids(looks.iter().map(|look| Some(job_uuid(look.from.id))).collect()),
        ints(|look| look.until),
        ints(|look| look.due_at),
    ]
}

/// The first row is the answer; each other one says before which place something was found.
pub(crate) fn read_poll(rows: &[Row], looks: &[Look], marks: &Marks) -> Result<Polled> {
    let (answer, found) = rows.split_first().ok_or_else(|| Error::broken("a question has an answer"))?;
    let found = found.iter().map(|row| row.small::<usize>(0)).collect::<Result<Vec<_>>>()?;
    let walk = Walk { at: answer.int(5)?, entries: answer.int(6)? };
    for (number, look) in (1..).zip(looks) {
        marks.looked(look, found.contains(&number), walk);
    }
    Ok(Polled {
        enqueued: answer.is(1)? || !found.is_empty(),
        expired: answer.is(2)?,
        next: until(answer, 3)?,
        next_slot: until(answer, 4)?,
    })
}

/// A column that says how long until something is due.
pub(crate) fn until(row: &Row, column: usize) -> Result<Option<Duration>> {
    Ok(row.opt_int(column)?.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0))))
}
