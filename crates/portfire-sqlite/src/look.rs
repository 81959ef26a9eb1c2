//! What a person can look at. Reads only, on connections of their own, each in one consistent glance.
//!
//! Lists are put together from fixed parts; whatever a person typed is bound, never put into the text.

use portfire_core::limits::COUNT_MAX;
use portfire_core::storage::{
    AttemptView, EndedCount, JobDetails, JobSummary, LogLine, Overview, ParentView, PausedQueue, Progress,
    QueueCount, ServerView,
};
use portfire_core::{Fault, JobId, Json, Policy, Result, State, Timestamp, first_line};

use crate::rows::{Row, Value, info, slot, tags};
use crate::statements::put_prefix;
use crate::threads::Tx;

/// The columns of a summary, with what finds the state beside them. Of the last error no more is read than a
/// list may show: so many characters are at least so many bytes.
pub(crate) const SUMMARY: &str =
    "SELECT j.id, j.kind, j.queue, j.priority, j.attempts, j.created_at, j.run_at,
  x.attempt, coalesce(x.started_at, f.started_at), f.finished_at, f.state,
  s.retrying, a.waiting_for, x.cancel_requested, coalesce(x.server, f.server), j.tags,
  (SELECT substr(t.fault, 1, 300) FROM portfire_attempt AS t WHERE t.job = j.id AND t.fault IS NOT NULL
    ORDER BY t.seq DESC LIMIT 1)";
pub(crate) const REST: &str = "LEFT JOIN portfire_running AS x ON x.id = j.id
LEFT JOIN portfire_finished AS f ON f.id = j.id
LEFT JOIN portfire_scheduled AS s ON s.run_at = j.run_at AND s.id = j.id
LEFT JOIN portfire_awaiting AS a ON a.id = j.id";

/// SQL parts with this database's prefix.
pub(crate) struct Look<'t, 'c> {
    pub(crate) tx: &'t Tx<'c>,
    prefix: &'t str,
}

impl<'t, 'c> Look<'t, 'c> {
    pub(crate) const fn new(tx: &'t Tx<'c>, prefix: &'t str) -> Self {
        Self { tx, prefix }
    }

    /// SQL with this database's prefix.
    pub(crate) fn put(&self, sql: &str) -> Box<str> {
        put_prefix(sql, self.prefix)
    }

    pub(crate) fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        self.tx.listed(&self.put(sql), values)
    }

    fn of_job(&self, columns_from: &str, order: &str, job: JobId) -> Result<Vec<Row>> {
        self.rows(&format!("SELECT {columns_from} = ?1 ORDER BY {order}"), &[Value::id(&job)])
    }

    pub(crate) fn get(&self, job: JobId) -> Result<Option<JobDetails>> {
        let sql = format!(
            "{SUMMARY}, j.args, j.policy, f.fingerprint, j.unique_name, j.crashes, j.schedule, j.slot_at FROM portfire_job AS j {REST} WHERE j.id = ?1"
        );
        let rows = self.rows(&sql, &[Value::id(&job)])?;
        rows.first().map(|row| self.details(job, row)).transpose()
    }

    fn details(&self, job: JobId, row: &Row) -> Result<JobDetails> {
        let result = self.of_job("result FROM portfire_result WHERE job", "job", job)?;
        let children = self.of_job("DISTINCT child FROM portfire_dependency WHERE parent", "child", job)?;
        Ok(JobDetails {
            summary: summary(row)?,
            args: Json::trusted(row.text(17)?),
            policy: Policy::from_json(row.opt_text(18)?)?,
            fingerprint: row.opt_text(19)?.map(str::parse).transpose()?,
            unique: row.opt_text(20)?.map(Into::into),
            crashes: row.small(21)?,
            slot: slot(row, 22)?,
            cancel_requested: row.opt_int(13)? == Some(1),
            result: result.first().map(|row| row.text(0).map(Json::trusted)).transpose()?,
            progress: self.progress(job)?,
            log: self.log(job)?,
            history: self.history(job)?,
            parents: self.parents(job)?,
            children: children.iter().map(|row| row.id(0)).collect::<Result<_>>()?,
        })
    }

    fn progress(&self, job: JobId) -> Result<Option<Progress>> {
        let rows = self.of_job("done, total, message FROM portfire_progress WHERE job", "job", job)?;
        let progress = |row: &Row| {
            let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
            let message = row.opt_text(2)?.map(Into::into);
            Ok(Progress { done: unsigned(row.int(0)?), total: row.opt_int(1)?.map(unsigned), message })
        };
        rows.first().map(progress).transpose()
    }

    fn log(&self, job: JobId) -> Result<Vec<LogLine>> {
        let rows = self.of_job("at, attempt, text FROM portfire_log WHERE job", "seq", job)?;
        rows.iter()
            .map(|row| Ok(LogLine { at: row.time(0)?, attempt: row.small(1)?, text: row.text(2)?.into() }))
            .collect()
    }

    fn history(&self, job: JobId) -> Result<Vec<AttemptView>> {
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
        self.of_job(columns, "seq", job)?.iter().map(view).collect()
    }

    fn parents(&self, job: JobId) -> Result<Vec<ParentView>> {
        let rows =
            self.of_job("parent, on_end, state FROM portfire_dependency WHERE child", "position", job)?;
        rows.iter()
            .map(|row| {
                let state = row.opt_text(2)?.map(str::parse).transpose()?;
                Ok(ParentView { job: row.id(0)?, on: row.text(1)?.parse()?, state })
            })
            .collect()
    }

    pub(crate) fn overview(&self) -> Result<Overview> {
        let mut counts = self.enqueued()?;
        let waiting =
            |retrying| format!("portfire_scheduled WHERE retrying = {retrying} ORDER BY run_at, id");
        counts.extend(self.counts(State::Scheduled, &waiting(0))?);
        counts.extend(self.counts(State::Retrying, &waiting(1))?);
        counts.extend(self.counts(State::Awaiting, "portfire_awaiting ORDER BY id")?);
        counts.extend(self.counts(State::Processing, "portfire_running ORDER BY id")?);
        counts.sort_by(|a, b| (&a.queue, a.state).cmp(&(&b.queue, b.state)));
        let (ended, servers, paused) = (self.ended()?, self.servers()?, self.paused()?);
        Ok(Overview { counts, ended, servers, paused })
    }

    fn servers(&self) -> Result<Vec<ServerView>> {
        let sql = "SELECT id, started_at, lease_until, info, ordered FROM portfire_server ORDER BY id";
        let view = |row: &Row| {
            let (started_at, lease_until, order) = (row.time(1)?, row.time(2)?, row.text(4)?.parse()?);
            Ok(ServerView { id: row.server(0)?, info: info(row.text(3)?)?, started_at, lease_until, order })
        };
        self.rows(sql, &[])?.iter().map(view).collect()
    }

    fn paused(&self) -> Result<Vec<PausedQueue>> {
        let sql = "SELECT name, since, actor, reason FROM portfire_paused_queue ORDER BY name";
        let view = |row: &Row| {
            let (queue, since) = (row.text(0)?.into(), row.time(1)?);
            let (by, reason) = (row.opt_text(2)?.map(Into::into), row.opt_text(3)?.map(Into::into));
            Ok(PausedQueue { queue, since, by, reason })
        };
        self.rows(sql, &[])?.iter().map(view).collect()
    }

    /// The jobs of a state by queue, as far as they are counted: those at the head of their list.
    fn counts(&self, state: State, list: &str) -> Result<Vec<QueueCount>> {
        let sql = format!(
            "SELECT j.queue, count(*) FROM (SELECT id FROM {list} LIMIT {COUNT_MAX}) AS w
             CROSS JOIN portfire_job AS j ON j.id = w.id GROUP BY j.queue"
        );
        let count = |row: &Row| Ok((row.text(0)?.into(), row.int(1)?.unsigned_abs()));
        let counts = self.rows(&sql, &[])?.iter().map(count).collect::<Result<Vec<_>>>()?;
        let more = counts.iter().map(|(_, jobs)| jobs).sum::<u64>() >= COUNT_MAX;
        let count = |(queue, jobs)| QueueCount { queue, state, jobs, more, oldest: None };
        Ok(counts.into_iter().map(count).collect())
    }

    /// The enqueued jobs of each queue, and the oldest of them: from queue to queue along the index.
    fn enqueued(&self) -> Result<Vec<QueueCount>> {
        let next = "SELECT queue FROM portfire_ready WHERE queue > ?1 ORDER BY queue LIMIT 1";
        let head = format!(
            "SELECT count(*), min(run_at) FROM (SELECT run_at FROM portfire_ready WHERE queue = ?1
             ORDER BY priority, run_at, id LIMIT {COUNT_MAX})"
        );
        let (mut counts, mut last) = (Vec::new(), Box::<str>::default());
        while let Some(row) = self.rows(next, &[Value::Text(&last)])?.first() {
            last = row.text(0)?.into();
            let rows = self.rows(&head, &[Value::Text(&last)])?;
            let Some(head) = rows.first() else { break };
            let jobs = head.int(0)?.unsigned_abs();
            let more = jobs >= COUNT_MAX;
            let oldest = if more { self.oldest(&last)? } else { head.opt_time(1)? };
            counts.push(QueueCount { queue: last.clone(), state: State::Enqueued, jobs, more, oldest });
        }
        Ok(counts)
    }

    /// The oldest of a long queue: that of each priority is at its head.
    fn oldest(&self, queue: &str) -> Result<Option<Timestamp>> {
        let next = "SELECT priority, run_at FROM portfire_ready WHERE queue = ?1 AND priority > ?2
             ORDER BY priority, run_at LIMIT 1";
        let (mut oldest, mut last) = (None, i64::MIN);
        while let Some(row) = self.rows(next, &[Value::Text(queue), Value::Int(last)])?.first() {
            last = row.int(0)?;
            let at = row.time(1)?;
            oldest = Some(oldest.map_or(at, |oldest: Timestamp| oldest.min(at)));
        }
        Ok(oldest)
    }

    fn ended(&self) -> Result<Vec<EndedCount>> {
        let count = format!(
            "SELECT count(*) FROM (SELECT 1 FROM portfire_finished WHERE state = ?1 LIMIT {COUNT_MAX})"
        );
        let mut ended = Vec::new();
        for state in State::ALL.into_iter().filter(|state| state.is_final()) {
            let rows = self.rows(&count, &[Value::Text(state.as_str())])?;
            let jobs = rows.first().map_or(Ok(0), |row| row.int(0))?.unsigned_abs();
            if jobs > 0 {
                ended.push(EndedCount { state, jobs });
            }
        }
        Ok(ended)
    }
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
