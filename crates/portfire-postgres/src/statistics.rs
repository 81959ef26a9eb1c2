//! What was counted, and failures by what they have in common, as a person looks at them; and what this
//! storage is. Reads only, each in one statement.

use std::time::Duration;

use portfire_core::limits::GROUP_COUNT_MAX;
use portfire_core::storage::{
    FaultGroup, FaultGroupRequest, FaultOrder, StorageView, Tally, TallyBy, TallyRequest, Width,
};
use portfire_core::{Error, Result};

use crate::pool::Lanes;
use crate::rows::{Row, Value};
use crate::statements::Names;
use crate::{look, migrate};

async fn rows(lanes: &Lanes, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
    let lane = lanes.lane().await?;
    let rows = lane.alone(lane.listed(sql, values)).await?;
    lane.hand_back();
    Ok(rows)
}

/// Tallies are kept in one width each, so those of a span are the sum of all that are no wider.
pub(crate) async fn tallies(lanes: &Lanes, names: &Names, request: &TallyRequest) -> Result<Vec<Tally>> {
    let name = match request.by {
        TallyBy::Total => "NULL::text",
        TallyBy::Kind => "kind",
        TallyBy::Queue => "queue",
    };
    let sql = format!(
        "SELECT at - at % $1, {name}, sum(created)::bigint, sum(succeeded)::bigint, sum(failed)::bigint,
         sum(cancelled)::bigint, sum(retried)::bigint, sum(crashed)::bigint, sum(waited)::bigint, sum(ran)::bigint
         FROM portfire_tally WHERE width = ANY ($2::bigint[]) AND at >= $3 AND at < $4
         GROUP BY 1, 2 ORDER BY 1, 2 LIMIT $5"
    );
    let finer = Width::ALL.into_iter().filter(|width| *width <= request.width);
    let (from, before) = request.bounds();
    let values = [
        Value::Int(Some(request.width.micros())),
        Value::Ints(finer.map(|width| Some(width.seconds().into())).collect()),
        Value::Int(Some(from.as_micros())),
        Value::Int(Some(before.as_micros())),
        Value::Int(Some(request.bounded_limit().into())),
    ];
    rows(lanes, &names.put(&sql), &values).await?.iter().map(|row| read_tally(row, request)).collect()
}

fn read_tally(row: &Row, request: &TallyRequest) -> Result<Tally> {
    let name = row.opt_text(1)?.map(Into::into);
    let (kind, queue) = if request.by == TallyBy::Kind { (name, None) } else { (None, name) };
    let count = |column| Ok::<_, Error>(row.int(column)?.unsigned_abs());
    Ok(Tally {
        from: row.time(0)?,
        width: request.width,
        kind,
        queue,
        created: count(2)?,
        succeeded: count(3)?,
        failed: count(4)?,
        cancelled: count(5)?,
        retried: count(6)?,
        crashed: count(7)?,
        waited: Duration::from_micros(count(8)?),
        ran: Duration::from_micros(count(9)?),
    })
}

/// A page of groups of failures. Their jobs are counted along the index, as a [`Look`](crate::look::Look) reads: a
/// bitmap would go to the end of a group of any size.
pub(crate) async fn fault_groups(
    lanes: &Lanes,
    names: &Names,
    request: &FaultGroupRequest,
) -> Result<Vec<FaultGroup>> {
    let by = match request.order {
        FaultOrder::Latest => "g.last_at",
        FaultOrder::Most => "g.count",
    };
    let place = request.after.as_ref().map(|after| match request.order {
        FaultOrder::Latest => after.last_at.as_micros(),
        FaultOrder::Most => i64::try_from(after.count).unwrap_or(i64::MAX),
    });
    let after = request.after.as_ref().map(|after| after.fingerprint.to_string());
    let only = request.only.map(|only| only.to_string());
    // The first page begins before everything: no number is higher, and no digit is `g`.
    let sql = format!(
        "SELECT g.fingerprint, g.kind, g.sample, g.first_at, g.last_at, g.count, g.last_job, (SELECT count(*) FROM (
           SELECT 1 FROM portfire_finished AS f WHERE f.fingerprint = g.fingerprint LIMIT {GROUP_COUNT_MAX}) AS kept)
         FROM portfire_fault_group AS g WHERE ({by}, g.fingerprint) < ($1, $2) AND {}
         ORDER BY {by} DESC, g.fingerprint DESC LIMIT $4",
        if only.is_some() { "g.fingerprint = $3" } else { "$3 IS NULL" }
    );
    let values = [
        Value::Int(Some(place.unwrap_or(i64::MAX))),
        Value::text(after.as_deref().unwrap_or("g")),
        Value::Text(only.as_deref()),
        Value::Int(Some(request.bounded_limit().into())),
    ];
    let (lane, sql) = (lanes.lane().await?, names.put(&sql));
    let rows = lane.alone_in(look::BEGIN, lane.listed(&sql, &values)).await?;
    lane.hand_back();
    rows.iter().map(read_group).collect()
}

fn read_group(row: &Row) -> Result<FaultGroup> {
    Ok(FaultGroup {
        fingerprint: row.text(0)?.parse()?,
        kind: row.text(1)?.into(),
        sample: row.text(2)?.into(),
        first_at: row.time(3)?,
        last_at: row.time(4)?,
        count: row.int(5)?.unsigned_abs(),
        last_job: row.id(6)?,
        kept: row.int(7)?.unsigned_abs(),
    })
}

/// The server, its database, and the room that our tables take in it.
const DESCRIBE: &str = "SELECT split_part(current_setting('server_version'), ' ', 1),
    coalesce(host(inet_server_addr()) || ':' || inet_server_port(), 'local') || '/' || current_database(),
    (SELECT sum(pg_total_relation_size(c.oid))::bigint
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND starts_with(c.relname, $1)
            AND CASE WHEN $2 IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = $2 END)";

/// What this storage is.
pub(crate) async fn describe(lanes: &Lanes, names: &Names) -> Result<StorageView> {
    let prefix = names.prefix.to_ascii_lowercase();
    let schema = names.schema.as_deref().map(str::to_ascii_lowercase);
    let rows = rows(lanes, DESCRIBE, &[Value::text(&prefix), Value::Text(schema.as_deref())]).await?;
    let row = rows.first().ok_or_else(|| Error::broken("the database does not say what it is"))?;
    Ok(StorageView {
        product: format!("PostgreSQL {}", row.text(0)?).into(),
        schema_version: migrate::known_version(),
        place: format!("{}, {}*", row.text(1)?, names.word().trim_start_matches('.')).into(),
        size_bytes: row.opt_int(2)?.map(i64::unsigned_abs),
    })
}
