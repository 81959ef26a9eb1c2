//! Orders to queues and servers, and what is kept of what persons did.
//!
//! What an order changes, and what is to be told of it, is decided in the core ([`ServerOrder::then`],
//! [`Deed`]); here it is guarded and written.

use portfire_core::limits::AUDIT_KEPT;
use portfire_core::storage::{
    AuditEntry, AuditId, AuditRequest, By, Deed, Directed, Person, QueueOrder, ServerOrder, Target,
};
use portfire_core::{Result, ServerId};

use crate::rows::{Row, Value};
use crate::statements::Op;
use crate::threads::Tx;

/// Pauses or resumes queues.
pub(crate) fn direct_queues(
    tx: &mut Tx<'_>,
    queues: &[Box<str>],
    order: QueueOrder,
    by: &By,
) -> Result<Vec<Directed>> {
    tx.made_ready |= order == QueueOrder::Resume;
    let direct = |queue: &str| {
        let directed = direct_queue(tx, queue, order, by)?;
        remember(tx, by, Deed::on_queue(queue, order, directed))?;
        Ok(directed)
    };
    queues.iter().map(|queue| direct(queue)).collect()
}

fn direct_queue(tx: &Tx<'_>, queue: &str, order: QueueOrder, by: &By) -> Result<Directed> {
    let name = Value::Text(queue);
    let changed = match order {
        QueueOrder::Pause => {
            let (actor, reason) = (by.person().map(Person::name), by.person().and_then(Person::reason));
            let now = Value::Int(tx.now.as_micros());
            tx.run(Op::QueuePause, &[name, now, Value::text(actor), Value::text(reason)])?
        }
        QueueOrder::Resume => tx.run(Op::QueueResume, &[name])?,
    };
    Ok(if changed == 0 { Directed::Unchanged } else { Directed::Done })
}

/// Tells servers what to do.
pub(crate) fn direct_servers(
    tx: &Tx<'_>,
    servers: &[ServerId],
    order: ServerOrder,
    by: &By,
) -> Result<Vec<Directed>> {
    let direct = |server: &ServerId| {
        let Some(before) = ordered(tx, *server)? else { return Ok(Directed::Missing) };
        let directed = before.then(order);
        if directed == Directed::Done {
            tx.run(Op::ServerOrder, &[Value::Blob(server.as_bytes()), Value::Text(order.as_str())])?;
        }
        remember(tx, by, Deed::on_server(*server, before, order, directed))?;
        Ok(directed)
    };
    servers.iter().map(direct).collect()
}

/// What a server is to do; `None` if there is no such server.
pub(crate) fn ordered(tx: &Tx<'_>, server: ServerId) -> Result<Option<ServerOrder>> {
    let row = tx.one(Op::ServerOrdered, &[Value::Blob(server.as_bytes())])?;
    row.map(|row| row.text(0)?.parse()).transpose()
}

/// Keeps what was done, if it was a person.
pub(crate) fn remember(tx: &Tx<'_>, by: &By, deed: Option<Deed>) -> Result<()> {
    let (Some(person), Some(deed)) = (by.person(), deed) else { return Ok(()) };
    let name = deed.target.name();
    let values = [
        Value::Int(tx.now.as_micros()),
        Value::Text(deed.target.sort()),
        Value::Text(&name),
        Value::Text(deed.action),
        Value::Text(person.name()),
        Value::Text(person.via().as_str()),
        Value::text(person.reason()),
        Value::text(deed.before.as_deref()),
        Value::text(deed.after.as_deref()),
        Value::Text(deed.outcome.as_str()),
    ];
    tx.run(Op::AuditInsert, &values).map(drop)
}

/// A page of what persons did.
pub(crate) fn audit(tx: &Tx<'_>, about: Option<&Target>, page: AuditRequest) -> Result<Vec<AuditEntry>> {
    let before = Value::Int(page.before.map_or(i64::MAX, AuditId::number));
    let limit = Value::Int(page.bounded_limit().into());
    let rows = match about {
        None => tx.all(Op::AuditList, &[before, limit])?,
        Some(target) => {
            let name = target.name();
            tx.all(Op::AuditAbout, &[Value::Text(target.sort()), Value::Text(&name), before, limit])?
        }
    };
    rows.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<AuditEntry> {
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
pub(crate) fn prune_audit(tx: &Tx<'_>, limit: u32) -> Result<()> {
    let kept_since = Value::Int(tx.now.before(AUDIT_KEPT).as_micros());
    tx.run(Op::AuditPrune, &[kept_since, Value::Int(limit.into())]).map(drop)
}
