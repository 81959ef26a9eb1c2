//! What was counted, and failures by what they have in common, as a person looks at them; and what this
//! storage is. Reads only.

use portfire_core::limits::GROUP_COUNT_MAX;
use portfire_core::storage::{
    FaultGroup, FaultGroupRequest, FaultOrder, StorageView, Tally, TallyBy, TallyRequest, Width,
};
use portfire_core::{Error, Result};

use crate::look::Look;
use crate::rows::{Row, Value};
use crate::{migrate, tally};

impl Look<'_, '_> {
    /// Tallies are kept in one width each, so those of a span are the sum of all that are no wider.
    pub(crate) fn tallies(&self, request: &TallyRequest) -> Result<Vec<Tally>> {
        let name = match request.by {
            TallyBy::Total => "NULL",
            TallyBy::Kind => "kind",
            TallyBy::Queue => "queue",
        };
        let finer = Width::ALL.into_iter().filter(|width| *width <= request.width);
        let widths = finer.map(|width| width.seconds().to_string()).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT at - at % ?1, {name}, sum(created), sum(succeeded), sum(failed), sum(cancelled), sum(retried),
             sum(crashed), sum(waited), sum(ran) FROM portfire_tally
             WHERE width IN ({widths}) AND at >= ?2 AND at < ?3 GROUP BY 1, 2 ORDER BY 1, 2 LIMIT ?4"
        );
        let (from, before) = request.bounds();
        let values = [
            Value::Int(request.width.micros()),
            Value::Int(from.as_micros()),
            Value::Int(before.as_micros()),
            Value::Int(request.bounded_limit().into()),
        ];
        self.rows(&sql, &values)?.iter().map(|row| read_tally(row, request)).collect()
    }

    pub(crate) fn fault_groups(&self, request: &FaultGroupRequest) -> Result<Vec<FaultGroup>> {
        let by = match request.order {
            FaultOrder::Latest => "last_at",
            FaultOrder::Most => "count",
        };
        let place = request.after.as_ref().map(|after| match request.order {
            FaultOrder::Latest => after.last_at.as_micros(),
            FaultOrder::Most => i64::try_from(after.count).unwrap_or(i64::MAX),
        });
        let after = request.after.as_ref().map(|after| after.fingerprint.to_string());
        let only = request.only.map(|only| only.to_string());
        // The first page begins before everything: no number is higher, and no digit is `g`.
        let sql = format!(
            "SELECT fingerprint, kind, sample, first_at, last_at, count, last_job, (SELECT count(*) FROM (
               SELECT 1 FROM portfire_finished AS f WHERE f.fingerprint = g.fingerprint LIMIT {GROUP_COUNT_MAX}))
             FROM portfire_fault_group AS g WHERE ({by}, fingerprint) < (?1, ?2) AND {}
             ORDER BY {by} DESC, fingerprint DESC LIMIT ?4",
            if only.is_some() { "fingerprint = ?3" } else { "?3 IS NULL" }
        );
        let values = [
            Value::Int(place.unwrap_or(i64::MAX)),
            Value::Text(after.as_deref().unwrap_or("g")),
            Value::text(only.as_deref()),
            Value::Int(request.bounded_limit().into()),
        ];
        self.rows(&sql, &values)?.iter().map(read_group).collect()
    }

    pub(crate) fn describe(&self, place: &str) -> Result<StorageView> {
        let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        let rows = self.rows(sql, &[])?;
        let size = rows.first().map_or_else(|| Err(Error::broken("a file has no size")), |row| row.int(0))?;
        Ok(StorageView {
            product: format!("SQLite {}", rusqlite::version()).into(),
            schema_version: migrate::version(),
            place: place.into(),
            size_bytes: u64::try_from(size).ok(),
        })
    }
}

fn read_tally(row: &Row, request: &TallyRequest) -> Result<Tally> {
    let name = row.opt_text(1)?.map(Into::into);
    let (kind, queue) = if request.by == TallyBy::Kind { (name, None) } else { (None, name) };
    tally::read(row, 2, Tally { kind, queue, ..Tally::new(row.time(0)?, request.width) })
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
