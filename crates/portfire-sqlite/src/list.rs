//! Pages of jobs: a walk along one index, as [`Walk`] says, that ends as [`Walker`] says.
//!
//! 1. The walk reads one index in its order, with what the filter looks up beside each row, and is stepped
//!    row by row.
//! 2. Only of jobs that match is the summary read.
//!
//! The statement is put together from fixed parts; whatever a person typed is bound.

use std::ops::ControlFlow;

use portfire_core::storage::{Cursor, Filter, JobSummary, Page, PageRequest, Walk, Walker};
use portfire_core::{Error, JobId, Result, State};

use crate::look::{Look, REST, SUMMARY, summary};
use crate::rows::{Value, job_id};

/// The message of the last error of `j`, whole.
const LAST_FAULT: &str =
    "(SELECT t.fault FROM portfire_attempt AS t WHERE t.job = j.id AND t.fault IS NOT NULL
    ORDER BY t.seq DESC LIMIT 1)";

impl Look<'_, '_> {
    pub(crate) fn list(&self, filter: &Filter, page: &PageRequest) -> Result<Page> {
        let Some(walk) = Walk::of(filter) else { return Ok(Page::default()) };
        let group = filter.fault.map(|group| group.to_string());
        let query = Query::new(walk, filter, group.as_deref(), page);
        let mut walker = Walker::new(page);
        self.walk(&query.sql, &query.values, |row| {
            let (id, matches) = job_id(row)?;
            let job = if matches { Some(self.summary_of(id)?) } else { None };
            walker.take(job, || self.summary_of(id).map(|job| Cursor::of(&job)))
        })?;
        Ok(walker.finish())
    }

    fn summary_of(&self, job: JobId) -> Result<JobSummary> {
        let sql = format!("{SUMMARY} FROM portfire_job AS j {REST} WHERE j.id = ?1");
        let rows = self.rows(&sql, &[Value::id(&job)])?;
        rows.first().map_or_else(|| Err(Error::broken("a job in a list has no body")), summary)
    }

    fn walk(
        &self,
        sql: &str,
        values: &[Value<'_>],
        step: impl FnMut(&rusqlite::Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.tx.walked(&self.put(sql), values, step)
    }
}

/// The statement of a walk: ids in the order of the list, and whether what is looked up matches.
struct Query<'v> {
    sql: String,
    values: Vec<Value<'v>>,
}

impl<'v> Query<'v> {
    fn new(walk: Walk, filter: &'v Filter, group: Option<&'v str>, page: &'v PageRequest) -> Self {
        let path = Path::of(walk);
        let by = if page.goes_back() { turned(path.by) } else { path.by.to_owned() };
        let mut query = Self { sql: String::new(), values: Vec::new() };
        let mut narrow = vec![path.only.to_owned()];
        let mut look_up = Vec::new();
        if let Some(queue) = &filter.queue {
            let body = if walk.knows_queue() { "w" } else { "j" };
            let part = format!("{body}.queue = {}", query.bind(Value::Text(queue)));
            if walk.knows_queue() { narrow.push(part) } else { look_up.push(part) }
        }
        let times = if walk.knows_times() { &mut narrow } else { &mut look_up };
        for (instant, compares) in [(filter.since, ">="), (filter.until, "<")] {
            let Some(instant) = instant else { continue };
            times.push(format!("{} {compares} {}", path.time, query.bind(Value::Int(instant.as_micros()))));
        }
        if walk == Walk::Fault {
            narrow.push(format!("w.fingerprint = {}", query.bind(Value::text(group))));
        }
        if let Some(tag) = &filter.tag {
            let tag = query.bind(Value::Text(tag));
            if walk == Walk::Tag {
                narrow.push(format!("w.tag = {tag}"));
            } else {
                let known = "EXISTS (SELECT 1 FROM portfire_tag AS t WHERE t.job = j.id AND t.tag";
                look_up.push(format!("{known} = {tag})"));
            }
        }
        if let Some(kind) = &filter.kind {
            look_up.push(format!("j.kind = {}", query.bind(Value::Text(kind))));
        }
        if let Some(text) = &filter.text {
            let text = query.bind(Value::Text(text));
            look_up.push(format!("coalesce(instr({LAST_FAULT}, {text}), 0) > 0"));
        }
        query.without(filter, &mut look_up);
        if let Some(place) = page.place() {
            narrow.push(query.beyond(&path, &by, place));
        }
        let matches = if look_up.is_empty() { "1".to_owned() } else { look_up.join(" AND ") };
        let Path { id, from, .. } = path;
        query.sql =
            format!("SELECT {id}, {matches} FROM {from} WHERE {} ORDER BY {by}", narrow.join(" AND "));
        query
    }

    fn bind(&mut self, value: Value<'v>) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    fn without(&mut self, filter: &'v Filter, look_up: &mut Vec<String>) {
        let without = &filter.without;
        for queue in &without.queues {
            look_up.push(format!("j.queue <> {}", self.bind(Value::Text(queue))));
        }
        for kind in &without.kinds {
            look_up.push(format!("j.kind <> {}", self.bind(Value::Text(kind))));
        }
        for tag in &without.tags {
            let known = "NOT EXISTS (SELECT 1 FROM portfire_tag AS t WHERE t.job = j.id AND t.tag";
            look_up.push(format!("{known} = {})", self.bind(Value::Text(tag))));
        }
    }

    fn beyond(&mut self, path: &Path, by: &str, place: &'v Cursor) -> String {
        let key = path.key.iter().map(|part| match part {
            Part::Queue => Value::Text(&place.queue),
            Part::Priority => Value::Int(place.priority.into()),
            Part::Time => Value::Int(place.at.as_micros()),
            Part::Id => Value::id(&place.id),
        });
        let key = key.map(|value| self.bind(value)).collect::<Vec<_>>().join(", ");
        let compares = if by.ends_with("DESC") { "<" } else { ">" };
        format!("({}) {compares} ({key})", path.by.replace(" DESC", ""))
    }
}

/// An order the other way round.
fn turned(by: &str) -> String {
    let turn = |part: &str| part.strip_suffix(" DESC").map_or_else(|| format!("{part} DESC"), str::to_owned);
    by.split(", ").map(turn).collect::<Vec<_>>().join(", ")
}

/// How an index is walked.
struct Path {
    /// What is walked is `w`, a job's body `j`.
    from: &'static str,
    only: &'static str,
    id: &'static str,
    /// By what times are told.
    time: &'static str,
    /// The order, which is that of the index,
    by: &'static str,
    /// and its parts in a cursor.
    key: &'static [Part],
}

/// A part of a place in a list.
#[derive(Clone, Copy)]
enum Part {
    Queue,
    Priority,
    Time,
    Id,
}

impl Path {
    const fn of(walk: Walk) -> Self {
        match walk {
            Walk::All => Self::by_id("portfire_job AS j", "j.id", "j.id DESC"),
            Walk::Tag => Self::by_id(
                "portfire_tag AS w CROSS JOIN portfire_job AS j ON j.id = w.job",
                "w.job",
                "w.job DESC",
            ),
            Walk::Place(State::Awaiting) => Self::by_id(
                "portfire_awaiting AS w CROSS JOIN portfire_job AS j ON j.id = w.id",
                "w.id",
                "w.id",
            ),
            Walk::Place(_) => Self::by_id(
                "portfire_running AS w CROSS JOIN portfire_job AS j ON j.id = w.id",
                "w.id",
                "w.id",
            ),
            Walk::Line => Self {
                from: "portfire_ready AS w CROSS JOIN portfire_job AS j ON j.id = w.id",
                only: "1",
                id: "w.id",
                time: "w.run_at",
                by: "w.queue, w.priority, w.run_at, w.id",
                key: &[Part::Queue, Part::Priority, Part::Time, Part::Id],
            },
            Walk::Due(State::Retrying) => Self::due("w.retrying = 1"),
            Walk::Due(_) => Self::due("w.retrying = 0"),
            Walk::Ended(State::Succeeded) => Self::ended("w.state = 'succeeded'"),
            Walk::Ended(State::Failed) => Self::ended("w.state = 'failed'"),
            Walk::Ended(_) => Self::ended("w.state = 'cancelled'"),
            Walk::Fault => Self::ended("1"),
        }
    }

    const fn by_id(from: &'static str, id: &'static str, by: &'static str) -> Self {
        Self { from, only: "1", id, time: "j.created_at", by, key: &[Part::Id] }
    }

    const fn due(only: &'static str) -> Self {
        Self {
            from: "portfire_scheduled AS w CROSS JOIN portfire_job AS j ON j.id = w.id",
            only,
            id: "w.id",
            time: "w.run_at",
            by: "w.run_at, w.id",
            key: &[Part::Time, Part::Id],
        }
    }

    const fn ended(only: &'static str) -> Self {
        Self {
            from: "portfire_finished AS w CROSS JOIN portfire_job AS j ON j.id = w.id",
            only,
            id: "w.id",
            time: "w.finished_at",
            by: "w.finished_at DESC, w.id DESC",
            key: &[Part::Time, Part::Id],
        }
    }
}

#[cfg(test)]
mod tests {
    use portfire_core::storage::{Cursor, Filter, PageRequest, Walk, Without};
    use portfire_core::{Fault, JobId, State, Timestamp};

    use super::Query;

    /// The steps by which SQLite runs a walk.
    fn plan(connection: &rusqlite::Connection, filter: &Filter, page: &PageRequest) -> String {
        let walk = Walk::of(filter).unwrap();
        let group = filter.fault.map(|group| group.to_string());
        let query = Query::new(walk, filter, group.as_deref(), page);
        let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql)).unwrap();
        let steps =
            explained.query_map(rusqlite::params_from_iter(&query.values), |row| row.get::<_, String>(3));
        steps.unwrap().map(Result::unwrap).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_walk_is_along_an_index_in_its_order() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        crate::migrate::migrate(&connection, crate::DEFAULT_PREFIX).unwrap();
        let (id, at) = (JobId::from_bytes([1; 16]), Timestamp::from_micros(1));
        let cursor = Cursor { queue: "default".into(), priority: 0, at, id };
        let fault = Some(Fault::new("it broke").fingerprint("work"));
        let whole = Filter {
            kind: Some("work".into()),
            queue: Some("default".into()),
            since: Some(at),
            until: Some(at),
            text: Some("broke".into()),
            without: Without { tags: vec!["blue".into()], ..Without::default() },
            ..Filter::default()
        };
        let tagged = Filter { tag: Some("red".into()), ..whole.clone() };
        let mut filters = vec![Filter::default(), Filter { fault, ..tagged.clone() }, tagged.clone(), whole];
        filters.extend(State::ALL.map(Filter::of));
        filters.extend(State::ALL.map(|state| Filter { state: Some(state), ..tagged.clone() }));
        for filter in filters {
            let (first, place) = (PageRequest::default(), Some(cursor.clone()));
            let pages = [
                PageRequest { after: place.clone(), ..first.clone() },
                PageRequest { before: place, ..first.clone() },
                first,
            ];
            for page in pages {
                let plan = plan(&connection, &filter, &page);
                let sorts = plan.contains("TEMP B-TREE");
                let scans = ["SCAN w USING COVERING INDEX portfire_finished", "SCAN j USING COVERING INDEX"];
                assert!(!sorts && !scans.iter().any(|scan| plan.contains(scan)), "{filter:?}\n{plan}");
                if filter.fault.is_some() {
                    assert!(plan.contains("portfire_finished_fault (fingerprint=?"), "{plan}");
                } else if matches!(Walk::of(&filter), Some(Walk::Due(_))) {
                    assert!(plan.contains("portfire_scheduled_list (retrying=?"), "{plan}");
                } else if matches!(Walk::of(&filter), Some(Walk::Ended(_))) {
                    assert!(plan.contains("portfire_finished_list (state=?"), "{plan}");
                }
            }
        }
    }
}
