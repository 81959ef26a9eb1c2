//! What a person can look at. Reads only, each in one consistent glance: a snapshot of its own.
//!
//! A set is read table by table, never job by job. Lists are put together from fixed parts; whatever a person
//! typed is bound, never put into the text.

use std::collections::HashMap;

use portfire_core::limits::{ATTEMPTS_SHOWN, CHILDREN_SHOWN, COUNT_MAX, LOG_SHOWN};
use portfire_core::storage::{
    AttemptView, EndedCount, JobDetails, JobSummary, LogLine, Overview, ParentView, PausedQueue, Progress,
    QueueCount, ServerView,
};
use portfire_core::{Fault, JobId, Json, Policy, Result, State, Timestamp, first_line};

use crate::pool::Lane;
use crate::rows::{Row, Value, info, slot, tags};
use crate::statements::Names;

/// The columns of a summary, with what finds the state beside them. Of the last error no more is read than a
/// list may show: so many characters are at least so many bytes.
pub(crate) const SUMMARY: &str =
    "SELECT j.id, j.kind, j.queue, j.priority, j.attempts, j.created_at, j.run_at,
  x.attempt, coalesce(x.started_at, f.started_at), f.finished_at, f.state,
  s.retrying, a.waiting_for, x.cancel_requested, coalesce(x.server, f.server), j.tags,
  (SELECT left(t.fault, 300) FROM portfire_attempt AS t FORCE INDEX (PRIMARY) WHERE t.job = j.id AND t.fault IS NOT NULL
    ORDER BY t.job DESC, t.seq DESC LIMIT 1)";
/// How many columns these are.
pub(crate) const SUMMARY_COLUMNS: usize = 17;
/// Along the keys even where the database believes that a table is empty.
pub(crate) const REST: &str = "LEFT JOIN portfire_running AS x FORCE INDEX (PRIMARY) ON x.id = j.id
LEFT JOIN portfire_finished AS f FORCE INDEX (PRIMARY) ON f.id = j.id
LEFT JOIN portfire_scheduled AS s FORCE INDEX (PRIMARY) ON s.run_at = j.run_at AND s.id = j.id
LEFT JOIN portfire_awaiting AS a FORCE INDEX (PRIMARY) ON a.id = j.id";

/// Most jobs that are read at once: each has a part of its own in some statements.
const SET_MAX: usize = 100;

/// A snapshot, and the names of this database.
pub(crate) struct Look<'l> {
    lane: &'l mut Lane,
    names: &'l Names,
}

impl<'l> Look<'l> {
    /// Takes a snapshot, which the lane keeps until [`end`](Self::end).
    pub(crate) fn begin(lane: &'l mut Lane, names: &'l Names) -> Self {
        lane.begin_snapshot();
        Self { lane, names }
    }

    /// Lets the snapshot go.
    pub(crate) async fn end(self) -> Result<()> {
        self.lane.commit().await
    }

    pub(crate) async fn rows(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        self.lane.listed(&self.names.put(sql), values).await
    }

    /// Everything known of each of these jobs.
    pub(crate) async fn get(&mut self, jobs: &[JobId]) -> Result<Vec<Option<JobDetails>>> {
        let mut known = HashMap::new();
        for set in jobs.chunks(SET_MAX) {
            let belongings = Belongings::read(self, set).await?;
            let columns = "j.args, j.policy, f.fingerprint, j.unique_name, j.crashes, j.schedule, j.slot_at";
            let sql = format!("{SUMMARY}, {columns} FROM portfire_job AS j {REST} WHERE j.id IN (?)");
            for row in self.rows(&sql, &[Value::jobs(set)]).await? {
                let details = belongings.details(&row)?;
                known.insert(details.summary.id, details);
            }
        }
        Ok(jobs.iter().map(|job| known.get(job).cloned()).collect())
    }

    /// The summary of one job of a list.
    pub(crate) async fn summary_of(&mut self, job: JobId) -> Result<Option<JobSummary>> {
        let sql = format!("{SUMMARY} FROM portfire_job AS j {REST} WHERE j.id = ?");
        self.rows(&sql, &[Value::job(job)]).await?.first().map(summary).transpose()
    }

    /// Rows of what belongs to jobs, by the job in the first column.
    async fn of_jobs(
        &mut self,
        select: &str,
        order: &str,
        jobs: &[JobId],
    ) -> Result<HashMap<JobId, Vec<Row>>> {
        let sql = format!("SELECT {select} IN (?) ORDER BY {order}");
        let mut by_job = HashMap::<_, Vec<_>>::new();
        for row in self.rows(&sql, &[Value::jobs(jobs)]).await? {
            by_job.entry(row.id(0)?).or_default().push(row);
        }
        Ok(by_job)
    }

    /// Rows of what may be long, as `of_jobs`, but no more than so many of each job. `select` ends where the
    /// job is named.
    async fn few_of_jobs(
        &mut self,
        select: &str,
        order: &str,
        most: u32,
        jobs: &[JobId],
    ) -> Result<HashMap<JobId, Vec<Row>>> {
        let part = format!("SELECT * FROM (SELECT {select} = ? ORDER BY {order} LIMIT {most})");
        let parts = (0..jobs.len()).map(|number| format!("{part} AS p{number}"));
        let sql = parts.collect::<Vec<_>>().join(" UNION ALL ");
        let mut by_job = HashMap::<_, Vec<_>>::new();
        for row in self.rows(&sql, &jobs.iter().copied().map(Value::job).collect::<Vec<_>>()).await? {
            by_job.entry(row.id(0)?).or_default().push(row);
        }
        Ok(by_job)
    }

    pub(crate) async fn overview(&mut self) -> Result<Overview> {
        let mut counts = self.enqueued().await?;
        for state in [State::Scheduled, State::Retrying, State::Awaiting, State::Processing] {
            counts.extend(self.counts(state).await?);
        }
        counts.sort_by(|a, b| (&a.queue, a.state).cmp(&(&b.queue, b.state)));
        let (ended, servers, paused) = (self.ended().await?, self.servers().await?, self.paused().await?);
        Ok(Overview { counts, ended, servers, paused })
    }

    async fn servers(&mut self) -> Result<Vec<ServerView>> {
        let sql = "SELECT id, started_at, lease_until, info, ordered FROM portfire_server ORDER BY id";
        let view = |row: &Row| {
            let (started_at, lease_until, order) = (row.time(1)?, row.time(2)?, row.text(4)?.parse()?);
            Ok(ServerView { id: row.server(0)?, info: info(row.text(3)?)?, started_at, lease_until, order })
        };
        self.rows(sql, &[]).await?.iter().map(view).collect()
    }

    async fn paused(&mut self) -> Result<Vec<PausedQueue>> {
        let sql = "SELECT name, since, actor, reason FROM portfire_paused_queue ORDER BY name";
        let view = |row: &Row| {
            let (queue, since) = (row.text(0)?.into(), row.time(1)?);
            let (by, reason) = (row.opt_text(2)?.map(Into::into), row.opt_text(3)?.map(Into::into));
            Ok(PausedQueue { queue, since, by, reason })
        };
        self.rows(sql, &[]).await?.iter().map(view).collect()
    }

    /// The jobs of a state by queue, as far as they are counted: those at the head of their list.
    async fn counts(&mut self, state: State) -> Result<Vec<QueueCount>> {
        let list = match state {
            State::Awaiting => "portfire_awaiting FORCE INDEX (PRIMARY) ORDER BY id",
            State::Processing => "portfire_running FORCE INDEX (PRIMARY) ORDER BY id",
            State::Retrying => "portfire_scheduled FORCE INDEX (list) WHERE retrying = 1 ORDER BY run_at, id",
            _ => "portfire_scheduled FORCE INDEX (list) WHERE retrying = 0 ORDER BY run_at, id",
        };
        let sql = format!(
            "SELECT j.queue, count(*) FROM (SELECT id FROM {list} LIMIT {COUNT_MAX}) AS w
             STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = w.id GROUP BY j.queue"
        );
        let count = |row: &Row| Ok((row.text(0)?.into(), row.int(1)?.unsigned_abs()));
        let counts = self.rows(&sql, &[]).await?.iter().map(count).collect::<Result<Vec<_>>>()?;
        let more = counts.iter().map(|(_, jobs)| jobs).sum::<u64>() >= COUNT_MAX;
        let count = |(queue, jobs)| QueueCount { queue, state, jobs, more, oldest: None };
        Ok(counts.into_iter().map(count).collect())
    }

    /// The enqueued jobs of each queue, and the oldest of them: from queue to queue along the index. A recursion
    /// in SQL would read it from its beginning for each of them.
    async fn enqueued(&mut self) -> Result<Vec<QueueCount>> {
        let (sql, mut counts, mut last) = (next_queue(), Vec::new(), Box::<str>::default());
        while let Some(row) = self.rows(&sql, &[Value::Text(&last)]).await?.first()
            && let Some(queue) = row.opt_text(0)?
        {
            last = queue.into();
            let jobs = row.int(1)?.unsigned_abs();
            let more = jobs >= COUNT_MAX;
            let oldest = if more { self.oldest(&last).await? } else { row.opt_time(2)? };
            counts.push(QueueCount { queue: last.clone(), state: State::Enqueued, jobs, more, oldest });
        }
        Ok(counts)
    }

    /// The oldest of a long queue: that of each priority is at its head.
    async fn oldest(&mut self, queue: &str) -> Result<Option<Timestamp>> {
        let next = "SELECT r.priority, r.run_at FROM portfire_ready AS r FORCE INDEX (PRIMARY)
             WHERE r.queue = ? AND r.priority > ? ORDER BY r.priority, r.run_at LIMIT 1";
        let (mut oldest, mut last) = (None, i64::MIN);
        while let Some(row) = self.rows(next, &[Value::Text(queue), Value::Int(last)]).await?.first() {
            last = row.int(0)?;
            let at = row.time(1)?;
            oldest = Some(oldest.map_or(at, |oldest: Timestamp| oldest.min(at)));
        }
        Ok(oldest)
    }

    async fn ended(&mut self) -> Result<Vec<EndedCount>> {
        let finals: Vec<_> = State::ALL.into_iter().filter(|state| state.is_final()).collect();
        let count = |state: &State| {
            format!(
                "(SELECT count(*) FROM (SELECT 1 FROM portfire_finished FORCE INDEX (list) WHERE state = '{state}' LIMIT {COUNT_MAX}) \
                 AS {state})"
            )
        };
        let sql = format!("SELECT {}", finals.iter().map(count).collect::<Vec<_>>().join(", "));
        let rows = self.rows(&sql, &[]).await?;
        let mut ended = Vec::new();
        for (column, state) in finals.into_iter().enumerate() {
            let jobs = rows.first().map_or(Ok(0), |row| row.int(column))?.unsigned_abs();
            if jobs > 0 {
                ended.push(EndedCount { state, jobs });
            }
        }
        Ok(ended)
    }
}

/// The first queue after one, its enqueued jobs, and when the oldest was due: of those at its head, of which no more
/// are counted than anybody counts. Nothing but nulls and a zero if there is none.
fn next_queue() -> String {
    format!(
        "SELECT min(head.queue), count(*), min(head.run_at) FROM (
           SELECT r.queue, r.run_at FROM portfire_ready AS r FORCE INDEX (PRIMARY)
           WHERE r.queue = (SELECT q.queue FROM portfire_ready AS q FORCE INDEX (PRIMARY) WHERE q.queue > ? ORDER BY q.queue LIMIT 1)
           ORDER BY r.priority, r.run_at, r.id LIMIT {COUNT_MAX}
         ) AS head"
    )
}

/// What belongs to the jobs of a set, each by its job.
struct Belongings {
    results: HashMap<JobId, Vec<Row>>,
    progress: HashMap<JobId, Vec<Row>>,
    log: HashMap<JobId, Vec<Row>>,
    history: HashMap<JobId, Vec<Row>>,
    parents: HashMap<JobId, Vec<Row>>,
    children: HashMap<JobId, Vec<Row>>,
}

impl Belongings {
    async fn read(look: &mut Look<'_>, jobs: &[JobId]) -> Result<Self> {
        let history = "job, seq, attempt, started_at, ended_at, server, outcome, fault
            FROM portfire_attempt FORCE INDEX (PRIMARY) WHERE job";
        let log = "job, seq, at, attempt, text FROM portfire_log FORCE INDEX (PRIMARY) WHERE job";
        let last = "job DESC, seq DESC";
        let parents = "child, parent, on_end, state FROM portfire_dependency WHERE child";
        let children = "DISTINCT parent, child FROM portfire_dependency FORCE INDEX (parent) WHERE parent";
        Ok(Self {
            results: look.of_jobs("job, result FROM portfire_result WHERE job", "job", jobs).await?,
            progress: look
                .of_jobs("job, done, total, message FROM portfire_progress WHERE job", "job", jobs)
                .await?,
            log: in_order(look.few_of_jobs(log, last, LOG_SHOWN, jobs).await?)?,
            history: in_order(look.few_of_jobs(history, last, ATTEMPTS_SHOWN, jobs).await?)?,
            parents: look.of_jobs(parents, "child, `position`", jobs).await?,
            children: look.few_of_jobs(children, "parent, child", CHILDREN_SHOWN, jobs).await?,
        })
    }

    /// Of the job in this row of `get`.
    fn details(&self, row: &Row) -> Result<JobDetails> {
        let summary = summary(row)?;
        let of = |rows: &'_ HashMap<JobId, Vec<Row>>| rows.get(&summary.id).cloned().unwrap_or_default();
        let result = of(&self.results).first().map(|row| row.text(1).map(Json::trusted)).transpose()?;
        let progress = of(&self.progress).first().map(progress).transpose()?;
        Ok(JobDetails {
            args: Json::trusted(row.text(17)?),
            policy: Policy::from_json(row.opt_text(18)?),
            fingerprint: row.opt_text(19)?.map(str::parse).transpose()?,
            unique: row.opt_text(20)?.map(Into::into),
            crashes: row.small(21)?,
            slot: slot(row, 22)?,
            cancel_requested: row.opt_int(13)? == Some(1),
            result,
            progress,
            log: of(&self.log).iter().map(log_line).collect::<Result<_>>()?,
            history: of(&self.history).iter().map(attempt).collect::<Result<_>>()?,
            parents: of(&self.parents).iter().map(parent).collect::<Result<_>>()?,
            children: of(&self.children).iter().map(|row| row.id(1)).collect::<Result<_>>()?,
            summary,
        })
    }
}

/// Rows in the order of their number, which is the second column.
fn in_order(mut rows: HashMap<JobId, Vec<Row>>) -> Result<HashMap<JobId, Vec<Row>>> {
    for of_job in rows.values_mut() {
        let mut numbered = of_job.drain(..).map(|row| Ok((row.int(1)?, row))).collect::<Result<Vec<_>>>()?;
        numbered.sort_by_key(|(number, _)| *number);
        of_job.extend(numbered.into_iter().map(|(_, row)| row));
    }
    Ok(rows)
}

fn progress(row: &Row) -> Result<Progress> {
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    let message = row.opt_text(3)?.map(Into::into);
    Ok(Progress { done: unsigned(row.int(1)?), total: row.opt_int(2)?.map(unsigned), message })
}

fn log_line(row: &Row) -> Result<LogLine> {
    Ok(LogLine { at: row.time(2)?, attempt: row.small(3)?, text: row.text(4)?.into() })
}

fn attempt(row: &Row) -> Result<AttemptView> {
    Ok(AttemptView {
        attempt: row.small(2)?,
        started_at: row.time(3)?,
        ended_at: row.time(4)?,
        server: row.server(5)?,
        outcome: row.text(6)?.into(),
        fault: row.opt_text(7)?.map(|message| Fault { message: message.into() }),
    })
}

fn parent(row: &Row) -> Result<ParentView> {
    let state = row.opt_text(3)?.map(str::parse).transpose()?;
    Ok(ParentView { job: row.id(1)?, on: row.text(2)?.parse()?, state })
}

pub(crate) fn summary(row: &Row) -> Result<JobSummary> {
    let state = match (row.opt_text(10)?, row.opt_int(11)?) {
        (Some(word), _) => word.parse()?,
        _ if !row.is_null(7) => State::Processing,
        (_, Some(retrying)) => [State::Scheduled, State::Retrying][usize::from(retrying == 1)],
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
