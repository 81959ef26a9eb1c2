//! The last step of an exchange: jobs for the server, and what it is asked to cancel.
//!
//! 1. Each wanted queue is read from where its [mark](crate::mark) says.
//! 2. What was taken moves the mark.
//!
//! A server that wants nothing hears of cancel requests all the same.

use portfire_core::storage::{Exchange, Exchanged, Want};
use portfire_core::{Lease, Result};

use crate::mark::{Marks, Place};
use crate::pool::Step;
use crate::rows::{Row, Value, claimed, job_uuid, token_uuid};
use crate::statements::Op;

pub(crate) fn claim_step<'a>(now: Option<i64>, request: &'a Exchange, marks: &Marks) -> Step<'a> {
    let server = Value::server(request.server);
    let Some(want) = &request.want else { return (Op::CancelFlags, vec![server]) };
    let places: Vec<_> = want.queues.iter().map(|queue| marks.of(request.server, &queue.name)).collect();
    let values = vec![
        Value::Int(now),
        Value::Id(token_uuid(want.token)),
        server,
        Value::texts(want.queues.iter().map(|queue| &*queue.name)),
        Value::Ints(want.queues.iter().map(|queue| Some(queue.limit.into())).collect()),
        Value::Ints(places.iter().map(|place| Some(place.priority)).collect()),
        Value::Ints(places.iter().map(|place| Some(place.run_at)).collect()),
        Value::Ids(places.iter().map(|place| Some(job_uuid(place.id))).collect()),
        Value::texts(want.kinds.iter().map(|kind| &**kind)),
        Value::Int(Some(want.limit.into())),
    ];
    (Op::Claim, values)
}

pub(crate) fn read_claim(
    rows: &[Row],
    request: &Exchange,
    marks: &Marks,
    answer: &mut Exchanged,
) -> Result<()> {
    let Some(want) = &request.want else {
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
    move_marks(rows, request, want, marks)
}

fn move_marks(rows: &[Row], request: &Exchange, want: &Want, marks: &Marks) -> Result<()> {
    for queue in &want.queues {
        let (mut last, mut instant) = (None, 0);
        for row in rows.iter().filter(|row| row.opt_text(1).is_ok_and(|name| name == Some(&*queue.name))) {
            let place = Place { priority: row.int(14)?, run_at: row.int(15)?, id: row.id(2)? };
            last = last.max(Some(place));
            instant = row.int(16)?;
        }
        marks.claimed(request.server, &queue.name, last, instant);
    }
    Ok(())
}

/// A row of `cancel_flags` or `beat`.
pub(crate) fn read_flag(row: &Row) -> Result<Lease> {
    Ok(Lease { job: row.id(0)?, token: row.token(1)? })
}
