//! Pages of jobs: a walk along one index, as [`Walk`] says.
//!
//! 1. The walk reads one index in its order, numbers its rows, and ends after so many. What the filter looks
//!    up is judged beside it; the page ends it as soon as it is full.
//! 2. A walk that filled no page is asked how far it came, and where the next goes on.
//!
//! The statements are put together from fixed parts; whatever a person typed is bound.

use portfire_core::limits::WALK_MAX;
use portfire_core::storage::{Cursor, Filter, JobSummary, Page, PageRequest, Walk};
use portfire_core::{Error, JobId, Result, State};

use crate::look::{Look, REST, SUMMARY, SUMMARY_COLUMNS, summary};
use crate::rows::{Value, job_uuid};

/// The message of the last error of `j`, whole.
const LAST_FAULT: &str =
    "(SELECT t.fault FROM portfire_attempt AS t WHERE t.job = j.id AND t.fault IS NOT NULL
    ORDER BY t.seq DESC LIMIT 1)";

/// The body of each row of a walk, looked up one by one. `OFFSET 0` keeps the planner from beginning with the
/// bodies instead: for a kind that is rare it would go through all that there are.
const BODY: &str = "CROSS JOIN LATERAL (SELECT * FROM portfire_job AS b WHERE b.id = w.id OFFSET 0) AS j";

impl Look<'_> {
    pub(crate) async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<Page> {
        let mut found = self.walked(filter, page).await?;
        if page.goes_back() {
            found.jobs.reverse();
        }
        Ok(found)
    }

    /// The page in the order of the walk.
    async fn walked(&self, filter: &Filter, page: &PageRequest) -> Result<Page> {
        let Some(walk) = Walk::of(filter) else { return Ok(Page::default()) };
        let group = filter.fault.map(|group| group.to_string());
        let query = Query::new(walk, filter, group.as_deref(), page);
        let limit = page.bounded_limit() as usize;
        let rows = self.rows(&query.page(limit + 1), &query.values).await?;
        let jobs = rows.iter().take(limit).map(summary).collect::<Result<Vec<_>>>()?;
        let walked = rows.iter().take(limit).next_back().map_or(Ok(0), |row| row.small(SUMMARY_COLUMNS))?;
        if rows.len() > limit {
            let next = jobs.last().map(Cursor::of);
            return Ok(Page { jobs, next, walked, exhausted: false });
        }
        if !walk.looks_up(filter) {
            return Ok(Page { jobs, next: None, walked, exhausted: false });
        }
        self.end_of_walk(&query, jobs).await
    }

    /// The page of a walk that ended with the list or after [`WALK_MAX`] rows.
    async fn end_of_walk(&self, query: &Query<'_>, jobs: Vec<JobSummary>) -> Result<Page> {
        let rows = self.rows(&query.end(), &query.values).await?;
        let walked = rows.first().map_or(Ok(0), |row| row.small(1))?;
        if walked <= WALK_MAX {
            return Ok(Page { jobs, next: None, walked, exhausted: false });
        }
        // The last row is one more than may be walked.
        let last = rows.get(1).ok_or_else(|| Error::broken("a long walk has one row"))?;
        let next = Some(Cursor::of(&self.summary_of(last.id(0)?).await?));
        Ok(Page { jobs, next, walked: WALK_MAX, exhausted: true })
    }

    async fn summary_of(&self, job: JobId) -> Result<JobSummary> {
        let sql = format!("{SUMMARY} FROM portfire_job AS j {REST} WHERE j.id = $1");
        let rows = self.rows(&sql, &[Value::job(job)]).await?;
        rows.first().map_or_else(|| Err(Error::broken("a job in a list has no body")), summary)
    }
}

/// The statements of a walk.
struct Query<'v> {
    /// Ids in the order of the list, with their numbers and the key of the order.
    walk: String,
    /// The order outside the walk, and what is looked up there.
    order: String,
    look_up: String,
    values: Vec<Value<'v>>,
}

impl<'v> Query<'v> {
    fn new(walk: Walk, filter: &'v Filter, group: Option<&'v str>, page: &'v PageRequest) -> Self {
        let mut path = Path::of(walk);
        path.descends ^= page.goes_back();
        let mut query =
            Self { walk: String::new(), order: String::new(), look_up: String::new(), values: Vec::new() };
        let mut narrow = vec![path.only.to_owned()];
        if walk == Walk::Fault {
            narrow.push(format!("w.fingerprint = {}", query.bind(Value::Text(group))));
        }
        if let Some(tag) = filter.tag.as_deref().filter(|_| walk == Walk::Tag) {
            narrow.push(format!("w.tag = {}", query.bind(Value::text(tag))));
        }
        if let Some(queue) = filter.queue.as_deref().filter(|_| walk.knows_queue()) {
            narrow.push(format!("w.queue = {}", query.bind(Value::text(queue))));
        }
        if walk.knows_times() {
            query.times(filter, path.time, &mut narrow);
        }
        if let Some(place) = page.place() {
            narrow.push(query.beyond(&path, place));
        }
        let look_up = query.looked_up(walk, filter, path.time);
        query.look_up = look_up.join(" AND ");
        let direction = if path.descends { " DESC" } else { "" };
        let named =
            |prefix: &str| (0..path.key.len()).map(|n| format!("{prefix}{n}{direction}")).collect::<Vec<_>>();
        let keys: Vec<_> =
            path.key.iter().enumerate().map(|(n, (column, _))| format!("{column} AS k{n}")).collect();
        let key = path.key.iter().map(|(column, _)| *column);
        let by: Vec<_> =
            path.lead.into_iter().chain(key).map(|column| format!("{column}{direction}")).collect();
        let (by, keys, narrow) = (by.join(", "), keys.join(", "), narrow.join(" AND "));
        query.order = named("w.k").join(", ");
        query.walk = format!(
            "SELECT {} AS id, row_number() OVER (ORDER BY {by}) AS n, {keys} FROM {} AS w WHERE {narrow} ORDER BY {by}",
            path.id, path.from
        );
        query
    }

    /// The jobs of a page.
    fn page(&self, limit: usize) -> String {
        let Self { walk, order, look_up, .. } = self;
        let most = if look_up == "true" { limit } else { WALK_MAX as usize };
        format!(
            "{SUMMARY}, w.n FROM ({walk} LIMIT {most}) AS w {BODY} {REST}
             WHERE {look_up} ORDER BY {order} LIMIT {limit}"
        )
    }

    /// The last two rows of the walk and one row more.
    fn end(&self) -> String {
        format!("SELECT id, n FROM ({} LIMIT {WALK_MAX} + 1) AS w ORDER BY n DESC LIMIT 2", self.walk)
    }

    fn bind(&mut self, value: Value<'v>) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn times(&mut self, filter: &Filter, column: &str, parts: &mut Vec<String>) {
        for (instant, compares) in [(filter.since, ">="), (filter.until, "<")] {
            let Some(instant) = instant else { continue };
            let value = self.bind(Value::Int(Some(instant.as_micros())));
            parts.push(format!("{column} {compares} {value}"));
        }
    }

    fn looked_up(&mut self, walk: Walk, filter: &'v Filter, time: &str) -> Vec<String> {
        let mut parts = vec!["true".to_owned()];
        if !walk.knows_times() {
            self.times(filter, time, &mut parts);
        }
        if let Some(queue) = filter.queue.as_deref().filter(|_| !walk.knows_queue()) {
            parts.push(format!("j.queue = {}", self.bind(Value::text(queue))));
        }
        if let Some(kind) = &filter.kind {
            parts.push(format!("j.kind = {}", self.bind(Value::text(kind))));
        }
        if let Some(tag) = filter.tag.as_deref().filter(|_| walk != Walk::Tag) {
            let tag = self.bind(Value::text(tag));
            parts.push(format!(
                "EXISTS (SELECT 1 FROM portfire_tag AS t WHERE t.tag = {tag} AND t.job = j.id)"
            ));
        }
        if let Some(text) = &filter.text {
            parts.push(format!("strpos({LAST_FAULT}, {}) > 0", self.bind(Value::text(text))));
        }
        self.without(filter, &mut parts);
        parts
    }

    fn without(&mut self, filter: &'v Filter, parts: &mut Vec<String>) {
        let without = &filter.without;
        for queue in &without.queues {
            parts.push(format!("j.queue <> {}", self.bind(Value::text(queue))));
        }
        for kind in &without.kinds {
            parts.push(format!("j.kind <> {}", self.bind(Value::text(kind))));
        }
        for tag in &without.tags {
            let tag = self.bind(Value::text(tag));
            parts.push(format!(
                "NOT EXISTS (SELECT 1 FROM portfire_tag AS t WHERE t.tag = {tag} AND t.job = j.id)"
            ));
        }
    }

    fn beyond(&mut self, path: &Path, place: &'v Cursor) -> String {
        let columns = path.key.iter().map(|(column, _)| *column).collect::<Vec<_>>().join(", ");
        let values = path.key.iter().map(|(_, part)| match part {
            Part::Queue => Value::text(&place.queue),
            Part::Priority => Value::Int(Some(place.priority.into())),
            Part::Time => Value::Int(Some(place.at.as_micros())),
            Part::Id => Value::Id(job_uuid(place.id)),
        });
        let values = values.map(|value| self.bind(value)).collect::<Vec<_>>().join(", ");
        format!("({columns}) {} ({values})", if path.descends { "<" } else { ">" })
    }
}

/// How an index is walked, as `w`.
struct Path {
    from: &'static str,
    only: &'static str,
    id: &'static str,
    /// By what times are told; of the job's body, `j`, where the walk does not know them.
    time: &'static str,
    /// What the index has before the order, where that is a boolean: the planner does not see that it is the same in
    /// all rows, and may walk another index of the same order, past all rows that are not meant.
    lead: Option<&'static str>,
    /// The order, which is that of the index, and its parts in a cursor.
    key: &'static [(&'static str, Part)],
    descends: bool,
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
            Walk::All => Self { descends: true, ..Self::by_id("portfire_job") },
            Walk::Tag => Self {
                id: "w.job",
                key: &[("w.job", Part::Id)],
                descends: true,
                ..Self::by_id("portfire_tag")
            },
            Walk::Place(State::Awaiting) => Self::by_id("portfire_awaiting"),
            Walk::Place(_) => Self::by_id("portfire_running"),
            Walk::Line => Self {
                time: "j.run_at",
                key: &[
                    ("w.queue", Part::Queue),
                    ("w.priority", Part::Priority),
                    ("w.run_at", Part::Time),
                    ("w.id", Part::Id),
                ],
                ..Self::by_id("portfire_ready")
            },
            Walk::Due(State::Retrying) => Self::due("w.retrying"),
            Walk::Due(_) => Self::due("NOT w.retrying"),
            Walk::Ended(State::Succeeded) => Self::ended("w.state = 'succeeded'"),
            Walk::Ended(State::Failed) => Self::ended("w.state = 'failed'"),
            Walk::Ended(_) => Self::ended("w.state = 'cancelled'"),
            Walk::Fault => Self::ended("w.fingerprint IS NOT NULL"),
        }
    }

    const fn by_id(from: &'static str) -> Self {
        let key = &[("w.id", Part::Id)];
        Self { from, only: "true", id: "w.id", time: "j.created_at", lead: None, key, descends: false }
    }

    const fn due(only: &'static str) -> Self {
        let key = &[("w.run_at", Part::Time), ("w.id", Part::Id)];
        let lead = Some("w.retrying");
        Self { only, time: "w.run_at", lead, key, ..Self::by_id("portfire_scheduled") }
    }

    const fn ended(only: &'static str) -> Self {
        let key = &[("w.finished_at", Part::Time), ("w.id", Part::Id)];
        Self { only, time: "w.finished_at", key, descends: true, ..Self::by_id("portfire_finished") }
    }
}
