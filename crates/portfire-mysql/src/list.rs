//! Pages of jobs: a walk along one index, as [`Walk`] says.
//!
//! 1. The index is read in its order, which the statement forces, so that nothing is sorted and the page ends
//!    the walk as soon as it is full.
//! 2. Where something is looked up row by row, the last row that may be walked is found first, and bounds the
//!    walk. How many rows were walked is counted along the index afterwards.
//!
//! What is newest is read from the end of an index, and InnoDB may lose rows of such a walk: where a page beside it
//! is merged because its rows were deleted, those that move are passed by, whatever the isolation (MySQL bugs 114248
//! and 115518; beside deletions without end 1 look in 1,600 on MySQL 9.7, 1 in 65,000 on MariaDB 10.11, none
//! forwards). So a list may for once lack jobs, and no decision is read so without something to fall back on.
//!
//! The statements are put together from fixed parts; whatever a person typed is bound. Places in an index are
//! compared part by part, because a comparison of whole keys would not be read along the index.

use portfire_core::limits::WALK_MAX;
use portfire_core::storage::{Cursor, Filter, Page, PageRequest, Walk};
use portfire_core::{Error, Result, State};

use crate::look::{Look, REST, SUMMARY, SUMMARY_COLUMNS, summary};
use crate::rows::{Row, Value};

/// The message of the last error of `j`, whole. Ordered by the whole key, or MySQL would sort.
const LAST_FAULT: &str =
    "(SELECT t.fault FROM portfire_attempt AS t FORCE INDEX (PRIMARY) WHERE t.job = j.id AND t.fault IS NOT NULL
    ORDER BY t.job DESC, t.seq DESC LIMIT 1)";

impl Look<'_> {
    pub(crate) async fn list(&mut self, filter: &Filter, page: &PageRequest) -> Result<Page> {
        let mut found = self.walked(filter, page).await?;
        if page.goes_back() {
            found.jobs.reverse();
        }
        Ok(found)
    }

    /// The page in the order of the walk.
    async fn walked(&mut self, filter: &Filter, page: &PageRequest) -> Result<Page> {
        let Some(walk) = Walk::of(filter) else { return Ok(Page::default()) };
        let group = filter.fault.map(|group| group.to_string());
        let query = Query::new(walk, filter, group.as_deref(), page);
        let limit = page.bounded_limit() as usize;
        if walk.looks_up(filter) {
            return self.search(&query, limit).await;
        }
        let found = self.found(&query, None, limit).await?;
        let walked = u32::try_from(found.page.jobs.len()).unwrap_or(u32::MAX);
        Ok(Page { walked, ..found.page })
    }

    /// A page of a walk that may pass jobs by.
    async fn search(&mut self, query: &Query<'_>, limit: usize) -> Result<Page> {
        let last = query.last();
        let last = self.rows(&last.sql, &last.values).await?;
        let bound = last.first().map(key);
        let Found { page, end } = self.found(query, bound.as_deref(), limit).await?;
        if page.next.is_none() && last.len() > 1 {
            let end = &last[0];
            let end = self.summary_of(end.id(end.0.len() - 1)?).await?;
            let end = end.ok_or_else(|| Error::broken("a job in a list has no body"))?;
            return Ok(Page { next: Some(Cursor::of(&end)), walked: WALK_MAX, exhausted: true, ..page });
        }
        let end = end.as_ref().filter(|_| page.next.is_some()).map(key);
        let count = query.count(end.as_deref());
        let rows = self.rows(&count.sql, &count.values).await?;
        let walked = rows.first().map_or(Ok(0), |row| row.small(0))?;
        Ok(Page { walked, ..page })
    }

    /// The jobs of a page, of which it is not yet known how far was walked for it.
    async fn found(&mut self, query: &Query<'_>, bound: Option<&[Value<'_>]>, limit: usize) -> Result<Found> {
        let asked = query.page(bound, limit + 1);
        let mut rows = self.rows(&asked.sql, &asked.values).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let jobs = rows.iter().map(summary).collect::<Result<Vec<_>>>()?;
        let next = jobs.last().filter(|_| more).map(Cursor::of);
        let end = rows.pop().map(|row| Row(row.0[SUMMARY_COLUMNS..].to_vec()));
        Ok(Found { page: Page { jobs, next, walked: 0, exhausted: false }, end })
    }
}

/// A page, and the key of its last job.
struct Found {
    page: Page,
    end: Option<Row>,
}

/// The key that is a row, to be asked for.
fn key(row: &Row) -> Vec<Value<'_>> {
    row.0.iter().map(Value::from).collect()
}

/// A part of a statement, or a whole one, with the values of its placeholders in their order.
#[derive(Clone, Debug, Default)]
struct Part<'v> {
    sql: String,
    values: Vec<Value<'v>>,
}

impl<'v> Part<'v> {
    /// A condition more.
    fn and(&mut self, sql: &str, values: impl IntoIterator<Item = Value<'v>>) {
        let joint = if self.sql.is_empty() { "" } else { " AND " };
        self.sql.push_str(joint);
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    fn times(&mut self, filter: &Filter, column: &str) {
        for (instant, compares) in [(filter.since, ">="), (filter.until, "<")] {
            let Some(instant) = instant else { continue };
            self.and(&format!("{column} {compares} ?"), [Value::Int(instant.as_micros())]);
        }
    }
}

/// The statements of a walk.
struct Query<'v> {
    path: Path,
    /// What bounds the walk along the index.
    narrow: Part<'v>,
    /// What is judged row by row.
    look_up: Part<'v>,
}

impl<'v> Query<'v> {
    fn new(walk: Walk, filter: &'v Filter, group: Option<&'v str>, page: &'v PageRequest) -> Self {
        let mut path = Path::of(walk);
        path.descends ^= page.goes_back();
        let mut narrow = Part::default();
        narrow.and(path.only, []);
        if walk == Walk::Fault {
            narrow.and("w.fingerprint = ?", [Value::text(group)]);
        }
        if let Some(tag) = filter.tag.as_deref().filter(|_| walk == Walk::Tag) {
            narrow.and("w.tag = ?", [Value::Text(tag)]);
        }
        if let Some(queue) = filter.queue.as_deref().filter(|_| walk.knows_queue()) {
            narrow.and("w.queue = ?", [Value::Text(queue)]);
            // What is the same in all rows is no part of the order, or MariaDB would sort.
            path.key = &path.key[1..];
        }
        if walk.knows_times() {
            narrow.times(filter, path.time);
        }
        if let Some(place) = page.place() {
            let key: Vec<_> = path.key.iter().map(|(_, part)| part.of(place)).collect();
            path.beyond(path.onward(), "", &key, &mut narrow);
        }
        Self { look_up: looked_up(walk, filter, path.time), path, narrow }
    }

    /// The jobs of a page with their keys, up to a bound.
    fn page<'q>(&'q self, bound: Option<&'q [Value<'_>]>, limit: usize) -> Part<'q> {
        let (from, id) = (self.path.from, self.path.id());
        let mut all = self.up_to(bound);
        all.and(&self.look_up.sql, self.look_up.values.iter().cloned());
        all.sql = format!(
            "{SUMMARY}, {} FROM {from} STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = {id} {REST}
             WHERE {} ORDER BY {} LIMIT {limit}",
            self.path.columns(),
            all.sql,
            self.path.order()
        );
        all
    }

    /// The key of the last row that may be walked, and one row more, if there are so many.
    fn last(&self) -> Part<'_> {
        let Path { from, .. } = self.path;
        let (columns, order, narrow) = (self.path.columns(), self.path.order(), &self.narrow.sql);
        let before = WALK_MAX - 1;
        let sql =
            format!("SELECT {columns} FROM {from} WHERE {narrow} ORDER BY {order} LIMIT 2 OFFSET {before}");
        Part { sql, values: self.narrow.values.clone() }
    }

    /// How many rows are walked up to a place, itself included; without one, up to the end of the list, which is
    /// known to come before the walk's.
    fn count<'q>(&'q self, end: Option<&'q [Value<'_>]>) -> Part<'q> {
        let (from, mut all) = (self.path.from, self.up_to(end));
        all.sql = match end {
            Some(_) => format!("SELECT count(*) FROM {from} WHERE {}", all.sql),
            None => format!(
                "SELECT count(*) FROM (SELECT 1 FROM {from} WHERE {} LIMIT {WALK_MAX}) AS walked",
                all.sql
            ),
        };
        all
    }

    fn up_to<'q>(&'q self, end: Option<&'q [Value<'_>]>) -> Part<'q> {
        let mut all = self.narrow.clone();
        if let Some(end) = end {
            self.path.beyond(self.path.back(), "=", end, &mut all);
        }
        all
    }
}

fn looked_up<'v>(walk: Walk, filter: &'v Filter, time: &str) -> Part<'v> {
    let mut all = Part::default();
    all.and("true", []);
    if !walk.knows_times() {
        all.times(filter, time);
    }
    if let Some(queue) = filter.queue.as_deref().filter(|_| !walk.knows_queue()) {
        all.and("j.queue = ?", [Value::Text(queue)]);
    }
    if let Some(kind) = &filter.kind {
        all.and("j.kind = ?", [Value::Text(kind)]);
    }
    if let Some(tag) = filter.tag.as_deref().filter(|_| walk != Walk::Tag) {
        // A value, because EXISTS may be made a join, which may then lead and decide the order.
        let known = "(SELECT 1 FROM portfire_tag AS t WHERE t.tag = ? AND t.job = j.id LIMIT 1) = 1";
        all.and(known, [Value::Text(tag)]);
    }
    if let Some(text) = &filter.text {
        all.and(&format!("locate(?, {LAST_FAULT}) > 0"), [Value::Text(text)]);
    }
    for queue in &filter.without.queues {
        all.and("j.queue <> ?", [Value::Text(queue)]);
    }
    for kind in &filter.without.kinds {
        all.and("j.kind <> ?", [Value::Text(kind)]);
    }
    for tag in &filter.without.tags {
        let unknown = "(SELECT 1 FROM portfire_tag AS t WHERE t.tag = ? AND t.job = j.id LIMIT 1) IS NULL";
        all.and(unknown, [Value::Text(tag)]);
    }
    all
}

/// How an index is walked, as `w`.
struct Path {
    /// The table with the index. Without the hint the database may think that sorting is cheaper.
    from: &'static str,
    only: &'static str,
    /// By what times are told; of the job's body, `j`, where the walk does not know them.
    time: &'static str,
    /// The order, which is that of the index, and its parts in a cursor. The last is the id.
    key: &'static [(&'static str, Column)],
    descends: bool,
}

/// A part of a place in a list.
#[derive(Clone, Copy)]
enum Column {
    Queue,
    Priority,
    Time,
    Id,
}

impl Column {
    fn of(self, cursor: &Cursor) -> Value<'_> {
        match self {
            Self::Queue => Value::Text(&cursor.queue),
            Self::Priority => Value::Int(cursor.priority.into()),
            Self::Time => Value::Int(cursor.at.as_micros()),
            Self::Id => Value::job(cursor.id),
        }
    }
}

impl Path {
    const fn of(walk: Walk) -> Self {
        match walk {
            Walk::All => Self { descends: true, ..Self::by_id("portfire_job AS w FORCE INDEX (PRIMARY)") },
            Walk::Tag => Self {
                key: &[("w.job", Column::Id)],
                descends: true,
                ..Self::by_id("portfire_tag AS w FORCE INDEX (PRIMARY)")
            },
            Walk::Place(State::Awaiting) => Self::by_id("portfire_awaiting AS w FORCE INDEX (PRIMARY)"),
            Walk::Place(_) => Self::by_id("portfire_running AS w FORCE INDEX (PRIMARY)"),
            Walk::Line => Self {
                time: "j.run_at",
                key: &[
                    ("w.queue", Column::Queue),
                    ("w.priority", Column::Priority),
                    ("w.run_at", Column::Time),
                    ("w.id", Column::Id),
                ],
                ..Self::by_id("portfire_ready AS w FORCE INDEX (PRIMARY)")
            },
            Walk::Due(State::Retrying) => Self::due("w.retrying = 1"),
            Walk::Due(_) => Self::due("w.retrying = 0"),
            Walk::Ended(State::Succeeded) => Self::ended("w.state = 'succeeded'"),
            Walk::Ended(State::Failed) => Self::ended("w.state = 'failed'"),
            Walk::Ended(_) => Self::ended("w.state = 'cancelled'"),
            Walk::Fault => Self { from: "portfire_finished AS w FORCE INDEX (fault)", ..Self::ended("true") },
        }
    }

    const fn by_id(from: &'static str) -> Self {
        Self { from, only: "true", time: "j.created_at", key: &[("w.id", Column::Id)], descends: false }
    }

    const fn due(only: &'static str) -> Self {
        let key = &[("w.run_at", Column::Time), ("w.id", Column::Id)];
        let from = "portfire_scheduled AS w FORCE INDEX (list)";
        Self { only, time: "w.run_at", key, ..Self::by_id(from) }
    }

    const fn ended(only: &'static str) -> Self {
        let key = &[("w.finished_at", Column::Time), ("w.id", Column::Id)];
        let from = "portfire_finished AS w FORCE INDEX (list)";
        Self { only, time: "w.finished_at", key, descends: true, ..Self::by_id(from) }
    }

    fn columns(&self) -> String {
        self.key.iter().map(|(column, _)| *column).collect::<Vec<_>>().join(", ")
    }

    fn order(&self) -> String {
        let direction = if self.descends { " DESC" } else { "" };
        self.key.iter().map(|(column, _)| format!("{column}{direction}")).collect::<Vec<_>>().join(", ")
    }

    fn id(&self) -> &'static str {
        self.key.last().map_or("w.id", |(column, _)| *column)
    }

    /// How keys further on compare, and those before.
    const fn onward(&self) -> &'static str {
        if self.descends { "<" } else { ">" }
    }

    const fn back(&self) -> &'static str {
        if self.descends { ">" } else { "<" }
    }

    /// That the key is beyond this one, or with `or` = `=` there: the first part decides, the next only where
    /// that is the same.
    fn beyond<'v>(&self, compares: &str, or: &str, key: &[Value<'v>], all: &mut Part<'v>) {
        let (mut sql, mut closing, mut values) = (String::new(), String::new(), Vec::new());
        for (n, ((column, _), value)) in self.key.iter().zip(key).enumerate() {
            values.push(value.clone());
            if n + 1 == self.key.len() {
                sql.extend([column, " ", compares, or, " ?"]);
            } else {
                sql.extend(["(", column, " ", compares, " ? OR ", column, " = ? AND "]);
                closing.push(')');
                values.push(value.clone());
            }
        }
        all.and(&(sql + &closing), values);
    }
}
