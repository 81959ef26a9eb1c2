//! Orders to queues and servers, how servers hear of them, and what is kept of what persons did.
//!
//! What an order changes, and what is to be told of it, is decided in the core ([`ServerOrder::then`],
//! [`Deed`]); here it is guarded and written, in sets: what is there is read and held, and what follows from it
//! travels with the commit.

use std::collections::{BTreeSet, HashMap, HashSet};

use portfire_core::limits::AUDIT_KEPT;
use portfire_core::storage::{
    AuditEntry, AuditId, AuditRequest, Beat, BeatAnswer, By, Deed, Directed, Person, QueueOrder, ServerOrder,
    Target,
};
use portfire_core::{Error, Result, ServerId};

use crate::pool::{Lane, Step};
use crate::rows::{Row, Value, info_text, micros};
use crate::settle::read_flag;
use crate::statements::Op;

/// Most entries in one statement: each is some hundred bytes.
const ENTRIES_MAX: usize = 1_000;

/// Pauses or resumes queues.
pub(crate) async fn direct_queues(
    lane: &mut Lane,
    now: Option<i64>,
    queues: &[Box<str>],
    order: QueueOrder,
    by: &By,
) -> Result<Vec<Directed>> {
    lane.begin();
    let named: BTreeSet<&str> = queues.iter().map(|queue| &**queue).collect();
    let rows = lane.rows(Op::QueuesLock, &[Value::texts(named.iter().copied())]).await?;
    let paused = rows.iter().map(|row| row.text(0)).collect::<Result<HashSet<_>>>()?;
    let changes = |queue: &&str| paused.contains(queue) == (order == QueueOrder::Resume);
    let mut changed: BTreeSet<_> = named.into_iter().filter(changes).collect();
    if !changed.is_empty() {
        let (op, values) = queue_step(now, &changed, order, by);
        let done = lane.changed(op, &values).await?;
        if usize::try_from(done) != Ok(changed.len()) {
            return Err(Error::transient("somebody else paused one of the queues just then"));
        }
    }
    // A queue that is named twice changes once.
    let mut directed = |queue: &str| if changed.remove(queue) { Directed::Done } else { Directed::Unchanged };
    let answers: Vec<_> = queues.iter().map(|queue| directed(queue)).collect();
    let deeds =
        queues.iter().zip(&answers).filter_map(|(queue, answer)| Deed::on_queue(queue, order, *answer));
    lane.finish(entries(now, by, &deeds.collect::<Vec<_>>())).await?;
    Ok(answers)
}

fn queue_step<'q>(now: Option<i64>, changed: &BTreeSet<&'q str>, order: QueueOrder, by: &'q By) -> Step<'q> {
    let (actor, reason) = (by.person().map(Person::name), by.person().and_then(Person::reason));
    let row =
        |queue: &&'q str| vec![Value::Text(queue), Value::Now(now), Value::text(actor), Value::text(reason)];
    match order {
        QueueOrder::Pause => (Op::QueuePause, vec![Value::Rows(changed.iter().map(row).collect())]),
        QueueOrder::Resume => (Op::QueueResume, vec![Value::texts(changed.iter().copied())]),
    }
}

/// Tells servers what to do.
pub(crate) async fn direct_servers(
    lane: &mut Lane,
    now: Option<i64>,
    servers: &[ServerId],
    order: ServerOrder,
    by: &By,
) -> Result<Vec<Directed>> {
    lane.begin();
    let mut known = HashMap::new();
    let named = Value::List(servers.iter().copied().map(Value::server).collect());
    for row in lane.rows(Op::ServersLock, &[named]).await? {
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
            told.push(Value::server(*server));
        }
        answers.push(answer);
    }
    let mut steps = vec![(Op::ServerOrder, vec![Value::Text(order.as_str()), Value::List(told)])];
    steps.extend(entries(now, by, &deeds));
    lane.finish(steps).await?;
    Ok(answers)
}

/// Renews the lease of a server, or registers it; answers what it is to hear.
pub(crate) async fn beat(lane: &mut Lane, now: Option<i64>, beat: &Beat) -> Result<BeatAnswer> {
    let (server, info) = (|| Value::server(beat.server), info_text(&beat.info));
    let (now, lease) = (|| Value::Now(now), || Value::Int(micros(beat.lease)));
    let info = || Value::Text(&info);
    let renewed = lane.ask(Op::Beat, &[info(), now(), lease(), server()]).await?;
    let is_new = renewed.changed == 0;
    if !is_new && renewed.told == 0 {
        return Ok(BeatAnswer::default());
    }
    let mut steps = Vec::new();
    if is_new {
        let inserted = vec![server(), now(), now(), lease(), info(), now(), lease(), info()];
        steps.push((Op::ServerInsert, inserted));
        steps.push((Op::ClosedInsert, vec![server(), Value::Id([0; 16])]));
    }
    steps.extend([(Op::ServerOrdered, vec![server()]), (Op::CancelFlags, vec![server()])]);
    lane.begin();
    let answers = lane.finish(steps).await?;
    let [.., ordered, flags] = &*answers else { return Err(Error::broken("two questions, two answers")) };
    let order = ordered.rows.first().map(|row| row.text(0)?.parse()).transpose()?;
    let cancel = flags.rows.iter().map(read_flag).collect::<Result<_>>()?;
    Ok(BeatAnswer { cancel, order: order.unwrap_or_default() })
}

/// The statements that keep what was done, if it was a person.
pub(crate) fn entries<'d>(now: Option<i64>, by: &'d By, deeds: &'d [Deed]) -> Vec<Step<'d>> {
    let Some(person) = by.person() else { return Vec::new() };
    let entry = |deed: &'d Deed| {
        vec![
            Value::Now(now),
            Value::Text(deed.target.sort()),
            Value::Owned(deed.target.name()),
            Value::Text(deed.action),
            Value::Text(person.name()),
            Value::Text(person.via().as_str()),
            Value::text(person.reason()),
            Value::text(deed.before.as_deref()),
            Value::text(deed.after.as_deref()),
            Value::Text(deed.outcome.as_str()),
        ]
    };
    let set = |deeds: &'d [Deed]| (Op::AuditInsert, vec![Value::Rows(deeds.iter().map(entry).collect())]);
    deeds.chunks(ENTRIES_MAX).map(set).collect()
}

/// What a page of the audit is asked with. `name` is that of the target.
pub(crate) fn audit_values<'v>(
    about: Option<&'v Target>,
    name: &'v str,
    page: AuditRequest,
) -> (Op, Vec<Value<'v>>) {
    let before = Value::Int(page.before.map_or(i64::MAX, AuditId::number));
    let limit = Value::Int(page.bounded_limit().into());
    match about {
        None => (Op::AuditList, vec![before, limit]),
        Some(target) => (Op::AuditAbout, vec![Value::Text(target.sort()), Value::Text(name), before, limit]),
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

/// The statement that forgets what nobody looks back to any more.
pub(crate) fn prune_audit(now: Option<i64>, limit: u32) -> Step<'static> {
    let values = vec![Value::Now(now), Value::Int(micros(AUDIT_KEPT)), Value::Int(limit.into())];
    (Op::AuditPrune, values)
}
