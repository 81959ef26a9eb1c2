//! What a person can look at. Reads only, each in one consistent glance: a snapshot of its own.
//!
//! Lists are put together from fixed parts; whatever a person typed is bound, never put into the text.

use portfire_core::storage::{
    AttemptView, Cursor, Filter, JobDetails, JobSummary, LogLine, Overview, Page, PageRequest, ParentView,
    PausedQueue, Progress, QueueCount, ServerView,
};
use portfire_core::{Fault, JobId, Json, Policy, Result, State};

use crate::pool::Lane;
use crate::rows::{Row, Value, info, job_uuid, slot, tags};
use crate::statements::Names;

/// The columns of a summary, with what finds the state beside them.
const SUMMARY: &str = "SELECT j.id, j.kind, j.queue, j.priority, j.attempts, j.created_at, j.run_at,
  x.attempt, coalesce(x.started_at, f.started_at), f.finished_at, f.state,
  s.retrying, a.waiting_for, x.cancel_requested, coalesce(x.server, f.server)";
const REST: &str = "LEFT JOIN portfire_running AS x ON x.id = j.id
LEFT JOIN portfire_finished AS f ON f.id = j.id
LEFT JOIN portfire_scheduled AS s ON s.run_at = j.run_at AND s.id = j.id
LEFT JOIN portfire_awaiting AS a ON a.id = j.id";

/// A snapshot, and the names of this database.
pub(crate) struct Look<'l> {
    lane: &'l Lane,
    names: &'l Names,
}

impl<'l> Look<'l> {
    /// Takes a snapshot, which the lane keeps until [`end`](Self::end).
    pub(crate) async fn begin(lane: &'l Lane, names: &'l Names) -> Result<Self> {
        lane.batch("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
        Ok(Self { lane, names })
    }

    /// Lets the snapshot go.
    pub(crate) async fn end(self) -> Result<()> {
        self.lane.batch("COMMIT").await
    }

    async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        self.lane.listed(&self.names.put(sql), values).await
    }

    async fn of_job(&self, columns_from: &str, order: &str, job: JobId) -> Result<Vec<Row>> {
        self.rows(&format!("SELECT {columns_from} = $1 ORDER BY {order}"), &[Value::job(job)]).await
    }

    pub(crate) async fn get(&self, job: JobId) -> Result<Option<JobDetails>> {
        let sql = format!(
            "{SUMMARY}, j.args, j.policy, j.tags, j.unique_name, j.crashes, j.schedule, j.slot_at FROM portfire_job AS j {REST} WHERE j.id = $1"
        );
        let rows = self.rows(&sql, &[Value::job(job)]).await?;
        match rows.first() {
            Some(row) => self.details(job, row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn details(&self, job: JobId, row: &Row) -> Result<JobDetails> {
        let result = self.of_job("result FROM portfire_result WHERE job", "job", job).await?;
        let children =
            self.of_job("DISTINCT child FROM portfire_dependency WHERE parent", "child", job).await?;
        Ok(JobDetails {
            summary: summary(row)?,
            args: Json::trusted(row.text(15)?),
            policy: Policy::from_json(row.opt_text(16)?)?,
            tags: tags(row.opt_text(17)?)?,
            unique: row.opt_text(18)?.map(Into::into),
            crashes: row.small(19)?,
            slot: slot(row, 20)?,
            cancel_requested: row.opt_bool(13)? == Some(true),
            server: (!row.is_null(14)).then(|| row.server(14)).transpose()?,
            result: result.first().map(|row| row.text(0).map(Json::trusted)).transpose()?,
            progress: self.progress(job).await?,
            log: self.log(job).await?,
            history: self.history(job).await?,
            parents: self.parents(job).await?,
            children: children.iter().map(|row| row.id(0)).collect::<Result<_>>()?,
        })
    }

    async fn progress(&self, job: JobId) -> Result<Option<Progress>> {
        let rows = self.of_job("done, total, message FROM portfire_progress WHERE job", "job", job).await?;
        let progress = |row: &Row| {
            let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
            let message = row.opt_text(2)?.map(Into::into);
            Ok(Progress { done: unsigned(row.int(0)?), total: row.opt_int(1)?.map(unsigned), message })
        };
        rows.first().map(progress).transpose()
    }

    async fn log(&self, job: JobId) -> Result<Vec<LogLine>> {
        let rows = self.of_job("at, attempt, text FROM portfire_log WHERE job", "seq", job).await?;
        rows.iter()
            .map(|row| Ok(LogLine { at: row.time(0)?, attempt: row.small(1)?, text: row.text(2)?.into() }))
            .collect()
    }

    async fn history(&self, job: JobId) -> Result<Vec<AttemptView>> {
        let columns = "attempt, started_at, ended_at, server, outcome, fault FROM portfire_attempt WHERE job";
        let view = |row: &Row| {
            Ok(AttemptView {
                attempt: row.small(0)?,
                started_at: row.time(1)?,
                ended_at: row.time(2)?,
                server: row.server(3)?,
                outcome: row.text(4)?.into(),
                fault: row.opt_text(5)?.map(|message| Fault { message: message.into() }),
            })
        };
        self.of_job(columns, "seq", job).await?.iter().map(view).collect()
    }

    async fn parents(&self, job: JobId) -> Result<Vec<ParentView>> {
        let rows = self
            .of_job("parent, on_end, state FROM portfire_dependency WHERE child", "position", job)
            .await?;
        rows.iter()
            .map(|row| {
                let state = row.opt_text(2)?.map(str::parse).transpose()?;
                Ok(ParentView { job: row.id(0)?, on: row.text(1)?.parse()?, state })
            })
            .collect()
    }

    pub(crate) async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<Page> {
        let order = Order::of(filter.state);
        let limit = page.bounded_limit();
        let after = page.after.as_ref();
        let sql = format!(
            "{SUMMARY} FROM {} {REST} WHERE {} AND {} AND ($5 IS NULL OR j.queue = $5) AND ($6 IS NULL OR j.kind = $6)
             AND ($7 IS NULL OR EXISTS (SELECT 1 FROM portfire_tag AS t WHERE t.tag = $7 AND t.job = j.id))
             ORDER BY {} LIMIT $8",
            order.from,
            order.only,
            if after.is_some() { order.after } else { "true" },
            order.by
        );
        let values = [
            Value::Text(after.map(|cursor| &*cursor.queue)),
            Value::Int(after.map(|cursor| cursor.priority.into())),
            Value::Int(after.map(|cursor| cursor.at.as_micros())),
            Value::Id(after.map_or_else(uuid::Uuid::nil, |cursor| job_uuid(cursor.id))),
            Value::Text(filter.queue.as_deref()),
            Value::Text(filter.kind.as_deref()),
            Value::Text(filter.tag.as_deref()),
            Value::Int(Some(i64::from(limit) + 1)),
        ];
        let rows = self.rows(&sql, &values).await?;
        let mut jobs = rows.iter().map(summary).collect::<Result<Vec<_>>>()?;
        let more = jobs.len() > limit as usize;
        jobs.truncate(limit as usize);
        let next = jobs.last().filter(|_| more).map(Cursor::of);
        Ok(Page { jobs, next })
    }

    pub(crate) async fn overview(&self) -> Result<Overview> {
        let sql = "SELECT j.queue, CASE WHEN f.state IS NOT NULL THEN f.state WHEN x.id IS NOT NULL THEN 'processing'
            WHEN s.retrying THEN 'retrying' WHEN NOT s.retrying THEN 'scheduled'
            WHEN a.id IS NOT NULL THEN 'awaiting' ELSE 'enqueued' END AS state, count(*)
            FROM portfire_job AS j";
        let rows = self.rows(&format!("{sql} {REST} GROUP BY 1, 2"), &[]).await?;
        let count = |row: &Row| {
            let jobs = u64::try_from(row.int(2)?).unwrap_or(0);
            Ok(QueueCount { queue: row.text(0)?.into(), state: row.text(1)?.parse()?, jobs })
        };
        let mut counts = rows.iter().map(count).collect::<Result<Vec<_>>>()?;
        counts.sort_by(|a, b| (&a.queue, a.state).cmp(&(&b.queue, b.state)));
        Ok(Overview { counts, servers: self.servers().await?, paused: self.paused().await? })
    }

    async fn servers(&self) -> Result<Vec<ServerView>> {
        let sql = "SELECT id, started_at, lease_until, info, ordered FROM portfire_server ORDER BY id";
        let view = |row: &Row| {
            let (started_at, lease_until, order) = (row.time(1)?, row.time(2)?, row.text(4)?.parse()?);
            Ok(ServerView { id: row.server(0)?, info: info(row.text(3)?)?, started_at, lease_until, order })
        };
        self.rows(sql, &[]).await?.iter().map(view).collect()
    }

    async fn paused(&self) -> Result<Vec<PausedQueue>> {
        let sql = "SELECT name, since, actor, reason FROM portfire_paused_queue ORDER BY name";
        let view = |row: &Row| {
            let (queue, since) = (row.text(0)?.into(), row.time(1)?);
            let (by, reason) = (row.opt_text(2)?.map(Into::into), row.opt_text(3)?.map(Into::into));
            Ok(PausedQueue { queue, since, by, reason })
        };
        self.rows(sql, &[]).await?.iter().map(view).collect()
    }
}

/// How a list of one state is read: from which table, in which order, and from where a page goes on.
/// Every order is that of an index, so a page costs the same wherever it is.
struct Order {
    from: &'static str,
    only: &'static str,
    after: &'static str,
    by: &'static str,
}

impl Order {
    const fn of(state: Option<State>) -> Self {
        match state {
            None => Self { from: "portfire_job AS j", only: "true", after: "j.id < $4", by: "j.id DESC" },
            Some(State::Enqueued) => Self {
                from: "portfire_ready AS r JOIN portfire_job AS j ON j.id = r.id",
                only: "true",
                after: "(r.queue, r.priority, r.run_at, r.id) > ($1, $2, $3, $4)",
                by: "r.queue, r.priority, r.run_at, r.id",
            },
            Some(State::Scheduled) => Self::waiting("NOT w.retrying"),
            Some(State::Retrying) => Self::waiting("w.retrying"),
            Some(State::Awaiting) => Self {
                from: "portfire_awaiting AS w JOIN portfire_job AS j ON j.id = w.id",
                only: "true",
                after: "w.id > $4",
                by: "w.id",
            },
            Some(State::Processing) => Self {
                from: "portfire_running AS w JOIN portfire_job AS j ON j.id = w.id",
                only: "true",
                after: "w.id > $4",
                by: "w.id",
            },
            Some(State::Succeeded) => Self::ended("w.state = 'succeeded'"),
            Some(State::Failed) => Self::ended("w.state = 'failed'"),
            Some(State::Cancelled) => Self::ended("w.state = 'cancelled'"),
        }
    }

    const fn waiting(only: &'static str) -> Self {
        Self {
            from: "portfire_scheduled AS w JOIN portfire_job AS j ON j.id = w.id",
            only,
            after: "(w.run_at, w.id) > ($3, $4)",
            by: "w.run_at, w.id",
        }
    }

    const fn ended(only: &'static str) -> Self {
        Self {
            from: "portfire_finished AS w JOIN portfire_job AS j ON j.id = w.id",
            only,
            after: "(w.finished_at, w.id) < ($3, $4)",
            by: "w.finished_at DESC, w.id DESC",
        }
    }
}

fn summary(row: &Row) -> Result<JobSummary> {
    let state = match (row.opt_text(10)?, row.opt_bool(11)?) {
        (Some(word), _) => word.parse()?,
        _ if !row.is_null(7) => State::Processing,
        (_, Some(retrying)) => [State::Scheduled, State::Retrying][usize::from(retrying)],
        _ if !row.is_null(12) => State::Awaiting,
        _ => State::Enqueued,
    };
    // A success is not written back to the body: its attempt was one more than those charged before.
    let charged: u16 = row.small(4)?;
    let attempts = match state {
        State::Processing => row.small(7)?,
        State::Succeeded => charged.saturating_add(1),
        _ => charged,
    };
    Ok(JobSummary {
        id: row.id(0)?,
        state,
        kind: row.text(1)?.into(),
        queue: row.text(2)?.into(),
        priority: row.small(3)?,
        attempts,
        created_at: row.time(5)?,
        run_at: row.time(6)?,
        started_at: row.opt_time(8)?,
        finished_at: row.opt_time(9)?,
    })
}
