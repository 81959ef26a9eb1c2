//! What a person can look at. Reads only, each in one consistent glance: a snapshot of its own.
//!
//! Lists are put together from fixed parts; whatever a person typed is bound, never put into the text.
//!
//! Every look goes from index to index, however rare the planner holds what is looked for: it would rather read
//! a whole table once than look up 20,000 rows of a walk, which is cheaper for the tables of today.

use portfire_core::limits::{ATTEMPTS_SHOWN, CHILDREN_SHOWN, COUNT_MAX, LOG_SHOWN};
use portfire_core::storage::{
    AttemptView, EndedCount, JobDetails, JobSummary, LogLine, Overview, ParentView, PausedQueue, Progress,
    QueueCount, ServerView,
};
use portfire_core::{Fault, JobId, Json, Policy, Result, State, first_line};

use crate::pool::Lane;
use crate::rows::{Row, Value, info, slot, tags};
use crate::statements::Names;

/// The columns of a summary, with what finds the state beside them. Of the last error no more is read than a
/// list may show: so many characters are at least so many bytes.
pub(crate) const SUMMARY: &str =
    "SELECT j.id, j.kind, j.queue, j.priority, j.attempts, j.created_at, j.run_at,
  x.attempt, coalesce(x.started_at, f.started_at), f.finished_at, f.state,
  s.retrying, a.waiting_for, x.cancel_requested, coalesce(x.server, f.server), j.tags,
  (SELECT left(t.fault, 300) FROM portfire_attempt AS t WHERE t.job = j.id AND t.fault IS NOT NULL
    ORDER BY t.seq DESC LIMIT 1)";
/// How many columns these are.
pub(crate) const SUMMARY_COLUMNS: usize = 17;
pub(crate) const REST: &str = "LEFT JOIN portfire_running AS x ON x.id = ANY (ARRAY[j.id])
LEFT JOIN portfire_finished AS f ON f.id = ANY (ARRAY[j.id])
LEFT JOIN portfire_scheduled AS s ON s.run_at = ANY (ARRAY[j.run_at]) AND s.id = ANY (ARRAY[j.id])
LEFT JOIN portfire_awaiting AS a ON a.id = ANY (ARRAY[j.id])";

/// A snapshot in which only nested loops along indexes, in their order, are left to the planner, and no time is spent
/// on compiling or on workers for what is short. A bitmap of all that an index has would be read to its end however
/// few are wanted.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL enable_seqscan TO off; \
    SET LOCAL enable_bitmapscan TO off; SET LOCAL enable_hashjoin TO off; SET LOCAL enable_mergejoin TO off; SET LOCAL jit TO off; \
    SET LOCAL max_parallel_workers_per_gather TO 0";

/// A snapshot, and the names of this database.
pub(crate) struct Look<'l> {
    lane: &'l Lane,
    names: &'l Names,
}

impl<'l> Look<'l> {
    /// Takes a snapshot, which the lane keeps until [`end`](Self::end).
    pub(crate) async fn begin(lane: &'l Lane, names: &'l Names) -> Result<Self> {
        lane.begin(BEGIN).await?;
        Ok(Self { lane, names })
    }

    /// Lets the snapshot go.
    pub(crate) async fn end(self) -> Result<()> {
        self.lane.batch("COMMIT").await
    }

    pub(crate) async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        self.lane.listed(&self.names.put(sql), values).await
    }

    async fn of_job(&self, columns_from: &str, order: &str, job: JobId) -> Result<Vec<Row>> {
        self.rows(&format!("SELECT {columns_from} = $1 ORDER BY {order}"), &[Value::job(job)]).await
    }

    pub(crate) async fn get(&self, job: JobId) -> Result<Option<JobDetails>> {
        let sql = format!(
            "{SUMMARY}, j.args, j.policy, f.fingerprint, j.unique_name, j.crashes, j.schedule, j.slot_at FROM portfire_job AS j {REST} WHERE j.id = $1"
        );
        let rows = self.rows(&sql, &[Value::job(job)]).await?;
        match rows.first() {
            Some(row) => self.details(job, row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn details(&self, job: JobId, row: &Row) -> Result<JobDetails> {
        let result = self.of_job("result FROM portfire_result WHERE job", "job", job).await?;
        let children = self
            .of_job(
                "DISTINCT child FROM portfire_dependency WHERE parent",
                &most("child", CHILDREN_SHOWN),
                job,
            )
            .await?;
        Ok(JobDetails {
            summary: summary(row)?,
            args: Json::trusted(row.text(17)?),
            policy: Policy::from_json(row.opt_text(18)?),
            fingerprint: row.opt_text(19)?.map(str::parse).transpose()?,
            unique: row.opt_text(20)?.map(Into::into),
            crashes: row.small(21)?,
            slot: slot(row, 22)?,
            cancel_requested: row.opt_bool(13)? == Some(true),
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
        let rows = self
            .of_job("at, attempt, text FROM portfire_log WHERE job", &most("seq DESC", LOG_SHOWN), job)
            .await?;
        rows.iter()
            .rev()
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
        self.of_job(columns, &most("seq DESC", ATTEMPTS_SHOWN), job).await?.iter().rev().map(view).collect()
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

    pub(crate) async fn overview(&self) -> Result<Overview> {
        let mut counts = self.enqueued().await?;
        for state in [State::Scheduled, State::Retrying, State::Awaiting, State::Processing] {
            counts.extend(self.counts(state).await?);
        }
        counts.sort_by(|a, b| (&a.queue, a.state).cmp(&(&b.queue, b.state)));
        let (ended, servers, paused) = (self.ended().await?, self.servers().await?, self.paused().await?);
        Ok(Overview { counts, ended, servers, paused })
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

    /// The jobs of a state by queue, as far as they are counted: those at the head of their list.
    async fn counts(&self, state: State) -> Result<Vec<QueueCount>> {
        let list = match state {
            State::Awaiting => "portfire_awaiting ORDER BY id",
            State::Processing => "portfire_running ORDER BY id",
            State::Retrying => "portfire_scheduled WHERE retrying ORDER BY retrying, run_at, id",
            _ => "portfire_scheduled WHERE NOT retrying ORDER BY retrying, run_at, id",
        };
        let sql = format!(
            "SELECT j.queue, count(*) FROM (SELECT id FROM {list} LIMIT {COUNT_MAX}) AS w
             JOIN portfire_job AS j ON j.id = w.id GROUP BY j.queue"
        );
        let count = |row: &Row| Ok((row.text(0)?.into(), row.int(1)?.unsigned_abs()));
        let counts = self.rows(&sql, &[]).await?.iter().map(count).collect::<Result<Vec<_>>>()?;
        let more = counts.iter().map(|(_, jobs)| jobs).sum::<u64>() >= COUNT_MAX;
        let count = |(queue, jobs)| QueueCount { queue, state, jobs, more, oldest: None };
        Ok(counts.into_iter().map(count).collect())
    }

    /// The enqueued jobs of each queue, and the oldest of them: from queue to queue along the index, and from
    /// priority to priority, for the oldest of each is at its head.
    async fn enqueued(&self) -> Result<Vec<QueueCount>> {
        let sql = format!(
            "WITH RECURSIVE line(queue) AS (
               (SELECT r.queue FROM portfire_ready AS r ORDER BY r.queue LIMIT 1)
               UNION ALL
               SELECT (SELECT r.queue FROM portfire_ready AS r WHERE r.queue > line.queue ORDER BY r.queue LIMIT 1)
               FROM line WHERE line.queue IS NOT NULL)
             SELECT line.queue, first.jobs, oldest.at FROM line CROSS JOIN LATERAL (
               SELECT count(*) AS jobs FROM (
                 SELECT 1 FROM portfire_ready AS r WHERE r.queue = line.queue LIMIT {COUNT_MAX}) AS few) AS first
             CROSS JOIN LATERAL (
               WITH RECURSIVE head(priority, run_at) AS (
                 (SELECT r.priority, r.run_at FROM portfire_ready AS r WHERE r.queue = line.queue
                  ORDER BY r.priority, r.run_at LIMIT 1)
                 UNION ALL
                 SELECT next.priority, next.run_at FROM head CROSS JOIN LATERAL (
                   SELECT r.priority, r.run_at FROM portfire_ready AS r
                   WHERE r.queue = line.queue AND r.priority > head.priority
                   ORDER BY r.priority, r.run_at LIMIT 1) AS next)
               SELECT min(run_at) AS at FROM head) AS oldest
             WHERE line.queue IS NOT NULL"
        );
        let mut counts = Vec::new();
        for row in self.rows(&sql, &[]).await? {
            let (queue, jobs) = (row.text(0)?, row.int(1)?.unsigned_abs());
            let (more, oldest) = (jobs >= COUNT_MAX, row.opt_time(2)?);
            counts.push(QueueCount { queue: queue.into(), state: State::Enqueued, jobs, more, oldest });
        }
        Ok(counts)
    }

    async fn ended(&self) -> Result<Vec<EndedCount>> {
        let sql = format!(
            "SELECT s.state, (SELECT count(*) FROM (
               SELECT 1 FROM portfire_finished AS f WHERE f.state = s.state LIMIT {COUNT_MAX}) AS first)
             FROM unnest($1::text[]) WITH ORDINALITY AS s(state, n) ORDER BY s.n"
        );
        let finals = State::ALL.into_iter().filter(|state| state.is_final()).map(State::as_str);
        let rows = self.rows(&sql, &[Value::texts(finals)]).await?;
        let count =
            |row: &Row| Ok(EndedCount { state: row.text(0)?.parse()?, jobs: row.int(1)?.unsigned_abs() });
        let mut ended = rows.iter().map(count).collect::<Result<Vec<_>>>()?;
        ended.retain(|count| count.jobs > 0);
        Ok(ended)
    }
}

/// An order, and where it ends.
fn most(order: &str, limit: u32) -> String {
    format!("{order} LIMIT {limit}")
}

pub(crate) fn summary(row: &Row) -> Result<JobSummary> {
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
        server: (!row.is_null(14)).then(|| row.server(14)).transpose()?,
        tags: tags(row.opt_text(15)?)?,
        fault: row.opt_text(16)?.map(|message| first_line(message).into()),
    })
}
