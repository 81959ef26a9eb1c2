//! What was counted, and failures by what they have in common, as a person looks at them; and what this
//! storage is. Reads only, each in one statement.

use portfire_core::limits::GROUP_COUNT_MAX;
use portfire_core::storage::{
    FaultGroup, FaultGroupRequest, FaultOrder, StorageView, Tally, TallyBy, TallyRequest, Width,
};
use portfire_core::{Error, Result};

use crate::pool::Lanes;
use crate::rows::{Row, Value};
use crate::statements::Names;
use crate::{migrate, tally};

async fn rows(lanes: &Lanes, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
    let mut lane = lanes.lane().await?;
    let rows = lane.listed(sql, values).await?;
    lane.hand_back();
    Ok(rows)
}

/// Tallies are kept in one width each, so those of a span are the sum of all that are no wider.
pub(crate) async fn tallies(lanes: &Lanes, names: &Names, request: &TallyRequest) -> Result<Vec<Tally>> {
    let name = match request.by {
        TallyBy::Total => "NULL",
        TallyBy::Kind => "kind",
        TallyBy::Queue => "queue",
    };
    let finer = Width::ALL.into_iter().filter(|width| *width <= request.width);
    let widths = finer.map(|width| width.seconds().to_string()).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT at - at % {}, {name}, {} FROM portfire_tally WHERE width IN ({widths}) AND at >= ? AND at < ?
         GROUP BY 1, 2 ORDER BY 1, 2 LIMIT {}",
        request.width.micros(),
        tally::SUMS,
        request.bounded_limit()
    );
    let (from, before) = request.bounds();
    let values = [Value::Int(from.as_micros()), Value::Int(before.as_micros())];
    rows(lanes, &names.put(&sql), &values).await?.iter().map(|row| read_tally(row, request)).collect()
}

fn read_tally(row: &Row, request: &TallyRequest) -> Result<Tally> {
    let name = row.opt_text(1)?.map(Into::into);
    let (kind, queue) = if request.by == TallyBy::Kind { (name, None) } else { (None, name) };
    tally::read(row, 2, Tally { kind, queue, ..Tally::new(row.time(0)?, request.width) })
}

/// A page of groups of failures.
pub(crate) async fn fault_groups(
    lanes: &Lanes,
    names: &Names,
    request: &FaultGroupRequest,
) -> Result<Vec<FaultGroup>> {
    let (only, after) = (request.only.map(|only| only.to_string()), After::of(request));
    let mut values = Vec::new();
    values.extend(only.as_deref().map(Value::Text));
    if let Some(After { place, fingerprint }) = &after {
        values.extend([Value::Int(*place), Value::Int(*place), Value::Text(fingerprint)]);
    }
    let sql = groups(request.order, only.is_some(), after.is_some(), request.bounded_limit());
    rows(lanes, &names.put(&sql), &values).await?.iter().map(read_group).collect()
}

/// Where a page of groups begins.
struct After {
    place: i64,
    fingerprint: String,
}

impl After {
    fn of(request: &FaultGroupRequest) -> Option<Self> {
        let after = request.after.as_ref()?;
        let place = match request.order {
            FaultOrder::Latest => after.last_at.as_micros(),
            FaultOrder::Most => i64::try_from(after.count).unwrap_or(i64::MAX),
        };
        Some(Self { place, fingerprint: after.fingerprint.to_string() })
    }
}

/// The statement of a page. It forces the index of its order, and counts no more than anybody counts.
fn groups(order: FaultOrder, only: bool, after: bool, limit: u32) -> String {
    let (index, by) = match order {
        FaultOrder::Latest => ("latest", "g.last_at"),
        FaultOrder::Most => ("most", "g.count"),
    };
    let index = if only { "PRIMARY" } else { index };
    let only = if only { "g.fingerprint = ?" } else { "true" };
    let after =
        if after { format!("({by} < ? OR {by} = ? AND g.fingerprint < ?)") } else { "true".to_owned() };
    let kept = "portfire_finished AS f WHERE f.fingerprint = g.fingerprint";
    let last = GROUP_COUNT_MAX - 1;
    format!(
        "SELECT g.fingerprint, g.kind, g.sample, g.first_at, g.last_at, g.count, g.last_job,
           CASE WHEN (SELECT 1 FROM {kept} LIMIT 1 OFFSET {last}) IS NULL THEN (SELECT count(*) FROM {kept}) ELSE {GROUP_COUNT_MAX} END
         FROM portfire_fault_group AS g FORCE INDEX ({index}) WHERE {only} AND {after}
         ORDER BY {by} DESC, g.fingerprint DESC LIMIT {limit}"
    )
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

/// The server, its database, and the room that our tables take in it. MySQL tells their size as it was up to a
/// day ago.
const DESCRIBE: &str = "SELECT version(), concat(@@hostname, ':', @@port, '/', database()),
    (SELECT CAST(sum(t.data_length + t.index_length) AS SIGNED) FROM information_schema.tables AS t
        WHERE t.table_schema = database() AND left(lower(t.table_name), char_length(?)) = lower(?))";

/// What this storage is.
pub(crate) async fn describe(lanes: &Lanes, names: &Names) -> Result<StorageView> {
    let prefix = &*names.prefix;
    let rows = rows(lanes, DESCRIBE, &[Value::Text(prefix), Value::Text(prefix)]).await?;
    let row = rows.first().ok_or_else(|| Error::broken("the database does not say what it is"))?;
    Ok(StorageView {
        product: product(row.text(0)?).into(),
        schema_version: migrate::known_version(),
        place: format!("{}, {prefix}*", row.text(1)?).into(),
        size_bytes: row.opt_int(2)?.map(i64::unsigned_abs),
    })
}

/// The name and number in what a server says of its version, such as `10.11.6-MariaDB-1` or `8.4.3-log`.
fn product(version: &str) -> String {
    let name = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    let number = version.split('-').find(|part| part.contains('.') && !part.starts_with("5.5.5"));
    format!("{name} {}", number.unwrap_or(version))
}

#[cfg(test)]
mod tests {
    use super::product;

    #[test]
    fn a_product_has_a_name_and_a_number() {
        assert_eq!(product("8.4.3"), "MySQL 8.4.3");
        assert_eq!(product("8.0.36-0ubuntu0.22.04.1"), "MySQL 8.0.36");
        assert_eq!(product("10.11.6-MariaDB-0+deb12u1-log"), "MariaDB 10.11.6");
        assert_eq!(product("5.5.5-10.6.12-MariaDB"), "MariaDB 10.6.12");
    }
}
