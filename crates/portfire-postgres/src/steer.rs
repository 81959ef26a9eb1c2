//! Orders to queues and servers, and what is kept of what persons did.
//!
//! What an order changes, and what is to be told of it, is decided in the core ([`ServerOrder::then`],
//! [`Deed`]); here it is guarded and written, in sets.

use std::collections::{HashMap, HashSet};

use portfire_core::limits::AUDIT_KEPT;
use portfire_core::storage::{
    AuditEntry, AuditId, AuditRequest, BeatAnswer, By, Deed, Directed, Person, QueueOrder, ServerOrder,
    Target,
};
use portfire_core::{Result, ServerId};

use crate::claim::read_flag;
use crate::pool::{Lane, WRITES};
use crate::rows::{Row, Value, micros};
use crate::statements::Op;

/// Pauses or resumes queues.
pub(crate) async fn direct_queues(
    lane: &Lane,
    now: Option<i64>,
    queues: &[Box<str>],
    order: QueueOrder,
    by: &By,
) -> Result<Vec<Directed>> {
    lane.begin(WRITES).await?;
    let names = Value::texts(queues.iter().map(|queue| &**queue));
    let rows = match order {
        QueueOrder::Pause => {
            let (actor, reason) = (by.person().map(Person::name), by.person().and_then(Person::reason));
            let values = [Value::Int(now), names, Value::Text(actor), Value::Text(reason)];
            lane.rows(Op::QueuePause, &values).await?
        }
        QueueOrder::Resume => lane.rows(Op::QueueResume, &[names]).await?,
    };
    // A queue that is named twice changes once.
    let mut changed = rows.iter().map(|row| row.text(0)).collect::<Result<HashSet<_>>>()?;
    let mut directed = |queue: &str| if changed.remove(queue) { Directed::Done } else { Directed::Unchanged };
    let answers: Vec<_> = queues.iter().map(|queue| directed(queue)).collect();
    let deeds =
        queues.iter().zip(&answers).filter_map(|(queue, answer)| Deed::on_queue(queue, order, *answer));
    remember(lane, now, by, &deeds.collect::<Vec<_>>()).await?;
    lane.batch("COMMIT").await?;
    Ok(answers)
}

/// Tells servers what to do.
pub(crate) async fn direct_servers(
    lane: &Lane,
    now: Option<i64>,
    servers: &[ServerId],
    order: ServerOrder,
    by: &By,
) -> Result<Vec<Directed>> {
    lane.begin(WRITES).await?;
    let mut known = HashMap::new();
    for row in lane.rows(Op::ServersLock, &[Value::servers(servers.iter().copied())]).await? {
        known.insert(row.server(0)?, row.text(1)?.parse::<ServerOrder>()?);
    }
    let (mut answers, mut deeds) = (Vec::with_capacity(servers.len()), Vec::new());
    let mut told = Vec::new();
    for server in servers {
        let Some(before) = known.get_mut(server) else {
            answers.push(Directed::Missing);
            continue;
        };
        let answer = before.then(order);
        deeds.extend(Deed::on_server(*server, *before, order, answer));
        if answer == Directed::Done {
            *before = order;
            told.push(*server);
        }
        answers.push(answer);
    }
    let values = [Value::servers(told), Value::text(order.as_str())];
    lane.rows(Op::ServerOrder, &values).await?;
    remember(lane, now, by, &deeds).await?;
    lane.batch("COMMIT").await?;
    Ok(answers)
}

/// The rows of `beat`.
pub(crate) fn read_beat(rows: &[Row]) -> Result<BeatAnswer> {
    let mut answer = BeatAnswer::default();
    for row in rows {
        if row.is_null(0) {
            answer.order = row.text(2)?.parse()?;
        } else {
            answer.cancel.push(read_flag(row)?);
        }
    }
    Ok(answer)
}

/// Keeps what was done, if it was a person.
pub(crate) async fn remember(lane: &Lane, now: Option<i64>, by: &By, deeds: &[Deed]) -> Result<()> {
    let Some(person) = by.person().filter(|_| !deeds.is_empty()) else { return Ok(()) };
    let names: Vec<_> = deeds.iter().map(|deed| deed.target.name()).collect();
    let values = [
        Value::Int(now),
        Value::text(person.name()),
        Value::text(person.via().as_str()),
        Value::Text(person.reason()),
        Value::texts(deeds.iter().map(|deed| deed.target.sort())),
        Value::texts(names.iter().map(String::as_str)),
        Value::texts(deeds.iter().map(|deed| deed.action)),
        Value::Texts(deeds.iter().map(|deed| deed.before.as_deref()).collect()),
        Value::Texts(deeds.iter().map(|deed| deed.after.as_deref()).collect()),
        Value::texts(deeds.iter().map(|deed| deed.outcome.as_str())),
    ];
    lane.rows(Op::AuditInsert, &values).await.map(drop)
}

/// What a page of the audit is asked with. `name` is that of the target.
pub(crate) fn audit_values<'v>(
    about: Option<&'v Target>,
    name: &'v str,
    page: AuditRequest,
) -> (Op, Vec<Value<'v>>) {
    let before = Value::Int(Some(page.before.map_or(i64::MAX, AuditId::number)));
    let limit = Value::Int(Some(page.bounded_limit().into()));
    match about {
        None => (Op::AuditList, vec![before, limit]),
        Some(target) => (Op::AuditAbout, vec![Value::text(target.sort()), Value::text(name), before, limit]),
    }
}

/// A row of `audit_list` and its like.
pub(crate) fn read_entry(row: &Row) -> Result<AuditEntry> {
    let by = Person::new(row.text(5)?, row.text(6)?.parse()?)?;
    Ok(AuditEntry {
        id: AuditId::from_number(row.int(0)?),
        at: row.time(1)?,
        target: Target::of(row.text(2)?, row.text(3)?)?,
        action: row.text(4)?.into(),
        by: by.because(row.opt_text(7)?.unwrap_or_default()),
        before: row.opt_text(8)?.map(Into::into),
        after: row.opt_text(9)?.map(Into::into),
        outcome: row.text(10)?.parse()?,
    })
}

/// Forgets what nobody looks back to any more.
pub(crate) async fn prune_audit(lane: &Lane, now: Option<i64>, limit: u32) -> Result<()> {
    let kept = Value::Int(Some(micros(AUDIT_KEPT)));
    lane.rows(Op::AuditPrune, &[Value::Int(now), kept, Value::Int(Some(limit.into()))]).await.map(drop)
}
