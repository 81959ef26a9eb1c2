//! The last step of an exchange: jobs for the server, and what it is asked to cancel.
//!
//! 1. Each wanted queue is read from where its [mark](crate::mark) says.
//! 2. What was taken moves the mark.
//!
//! A server that wants nothing hears of cancel requests all the same.

use portfire_core::storage::{Exchange, Exchanged, Want, WantQueue};
use portfire_core::{Lease, Result};

use crate::mark::{Marks, Place, Seen, Start};
use crate::pool::Step;
use crate::rows::{Row, Value, claimed, job_uuid, token_uuid};
use crate::statements::Op;

/// Where a claim begins, in each of the wanted queues.
pub(crate) fn starts(request: &Exchange, marks: &Marks) -> Vec<Start> {
    let starts = |want: &Want| want.queues.iter().map(|queue| marks.of(&queue.name, &want.kinds)).collect();
    request.want.as_ref().map(starts).unwrap_or_default()
}

pub(crate) fn claim_step<'a>(now: Option<i64>, request: &'a Exchange, starts: &[Start]) -> Step<'a> {
    let server = Value::server(request.server);
    let Some(want) = &request.want else { return (Op::CancelFlags, vec![server]) };
    let ints = |part: fn(&Start) -> i64| Value::Ints(starts.iter().map(|start| Some(part(start))).collect());
    let bools =
        |part: fn(&Start) -> bool| Value::Bools(starts.iter().map(|start| Some(part(start))).collect());
    let values = vec![
        Value::Int(now),
        Value::Id(token_uuid(want.token)),
        server,
        Value::texts(want.queues.iter().map(|queue| &*queue.name)),
        Value::Ints(want.queues.iter().map(|queue| Some(queue.limit.into())).collect()),
        ints(|start| start.place.priority),
        ints(|start| start.place.run_at),
        Value::Ids(starts.iter().map(|start| Some(job_uuid(start.place.id))).collect()),
        bools(|start| start.looks_above),
        bools(|start| start.looks_before),
        Value::texts(want.kinds.iter().map(|kind| &**kind)),
        Value::Int(Some(want.limit.into())),
    ];
    (Op::Claim, values)
}

pub(crate) fn read_claim(
    rows: &[Row],
    request: &Exchange,
    (marks, starts): (&Marks, &[Start]),
    answer: &mut Exchanged,
) -> Result<()> {
    let (Some(want), Some((about, rows))) = (&request.want, rows.split_last()) else {
        answer.cancel = rows.iter().map(read_flag).collect::<Result<_>>()?;
        return Ok(());
    };
    for row in rows {
        if row.is_null(0) {
            answer.cancel.push(Lease { job: row.id(2)?, token: row.token(15)? });
        } else {
            answer.claimed.push(claimed(row, want.token)?);
        }
    }
    if want.limit > 0 {
        for (queue, start) in want.queues.iter().zip(starts) {
            marks.claimed(&queue.name, &want.kinds, *start, seen(rows, about, want, queue)?);
        }
    }
    Ok(())
}

/// What the claim came to in this queue.
fn seen(rows: &[Row], about: &Row, want: &Want, queue: &WantQueue) -> Result<Seen> {
    let jobs = || rows.iter().filter(|row| !row.is_null(0));
    let (mut last, mut taken) = (None, 0);
    for row in jobs().filter(|row| row.opt_text(1).is_ok_and(|name| name == Some(&*queue.name))) {
        taken += 1;
        last = last.max(Some(Place { priority: row.int(13)?, run_at: row.int(14)?, id: row.id(2)? }));
    }
    let is_filled = taken >= queue.limit as usize || jobs().count() >= want.limit as usize;
    Ok(Seen { last, is_filled, instant: about.int(16)?, walked: about.int(17)? })
}

/// A row of `cancel_flags` or `beat`.
pub(crate) fn read_flag(row: &Row) -> Result<Lease> {
    Ok(Lease { job: row.id(0)?, token: row.token(1)? })
}
