//! The last step of an exchange: jobs for the server, and what it is asked to cancel.
//!
//! 1. Each wanted queue is read from where its [mark](crate::mark) says.
//! 2. What was taken moves the mark.
//! 3. A claim that nobody has heard of is not made again: what it took is asked for by its token (a limit of 0), and
//!    it takes nothing more.
//!
//! A server that wants nothing hears of cancel requests all the same.

use portfire_core::storage::{Exchange, Exchanged, Want, WantQueue};
use portfire_core::{Lease, Result};

use crate::mark::{Marks, Place, Seen, Stretch};
use crate::pool::Step;
use crate::rows::{Row, Value, claimed, job_uuid, token_uuid};
use crate::statements::Op;

/// What a claim reads of each of the wanted queues.
pub(crate) type Stretches = Vec<Vec<Stretch>>;

pub(crate) fn stretches(request: &Exchange, marks: &Marks) -> Stretches {
    let of = |want: &Want| want.queues.iter().map(|queue| marks.of(&queue.name, &want.kinds)).collect();
    request.want.as_ref().map(of).unwrap_or_default()
}

pub(crate) fn claim_step<'a>(now: Option<i64>, request: &'a Exchange, stretches: &Stretches) -> Step<'a> {
    let server = Value::server(request.server);
    let Some(want) = &request.want else { return (Op::CancelFlags, vec![server]) };
    let token = Value::Id(token_uuid(want.token));
    if want.limit == 0 {
        return (Op::ClaimAgain, vec![token, server]);
    }
    let all =
        || (1..).zip(stretches).flat_map(|(number, parts)| parts.iter().map(move |part| (number, part)));
    let ints = |value: fn(i64, &Stretch) -> i64| {
        Value::Ints(all().map(|(number, part)| Some(value(number, part))).collect())
    };
    let values = vec![
        Value::Int(now),
        token,
        server,
        Value::texts(want.queues.iter().map(|queue| &*queue.name)),
        Value::Ints(want.queues.iter().map(|queue| Some(queue.limit.into())).collect()),
        ints(|number, _| number),
        ints(|_, part| part.from.priority),
        ints(|_, part| part.from.run_at),
        Value::Ids(all().map(|(_, part)| Some(job_uuid(part.from.id))).collect()),
        ints(|_, part| part.until),
        Value::Bools(all().map(|(_, part)| Some(part.looks_before)).collect()),
        Value::texts(want.kinds.iter().map(|kind| &**kind)),
        Value::Int(Some(want.limit.into())),
    ];
    (Op::Claim, values)
}

pub(crate) fn read_claim(
    rows: &[Row],
    request: &Exchange,
    (marks, stretches): (&Marks, &Stretches),
    answer: &mut Exchanged,
) -> Result<()> {
    let (Some(want), Some((about, rows))) = (&request.want, rows.split_last()) else {
        answer.cancel = rows.iter().map(read_flag).collect::<Result<_>>()?;
        return Ok(());
    };
    let mut paused = Vec::new();
    for row in rows {
        match (row.is_null(0), row.is_null(2)) {
            (true, true) => paused.push(row.text(1)?),
            (true, false) => answer.cancel.push(Lease { job: row.id(2)?, token: row.token(15)? }),
            (false, _) => answer.claimed.push(claimed(row, want.token)?),
        }
    }
    // Of what was not read nothing is known.
    let Some(instant) = about.opt_int(16)? else { return Ok(()) };
    for (queue, read) in want.queues.iter().zip(stretches) {
        if !paused.contains(&&*queue.name) {
            let seen = Seen { instant, walked: about.int(17)?, ..seen(rows, want, queue)? };
            marks.claimed(&queue.name, &want.kinds, read, &seen);
        }
    }
    Ok(())
}

/// What the claim took of this queue.
fn seen(rows: &[Row], want: &Want, queue: &WantQueue) -> Result<Seen> {
    let jobs = || rows.iter().filter(|row| !row.is_null(0));
    let here = |row: &&Row| row.opt_text(1).is_ok_and(|name| name == Some(&*queue.name));
    let taken = jobs().filter(here).map(place).collect::<Result<Vec<_>>>()?;
    let is_filled = taken.len() >= queue.limit as usize || jobs().count() >= want.limit as usize;
    Ok(Seen { taken, is_filled, ..Seen::default() })
}

fn place(row: &Row) -> Result<Place> {
    Ok(Place { priority: row.int(13)?, run_at: row.int(14)?, id: row.id(2)? })
}

/// A row of `cancel_flags` or `beat`.
pub(crate) fn read_flag(row: &Row) -> Result<Lease> {
    Ok(Lease { job: row.id(0)?, token: row.token(1)? })
}
