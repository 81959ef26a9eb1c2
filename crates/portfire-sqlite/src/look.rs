//! What a person can look at. Reads only, on connections of their own, each in one consistent glance.
//!
//! Lists are put together from fixed parts; whatever a person typed is bound, never put into the text.

use portfire_core::limits::{ATTEMPTS_SHOWN, CHILDREN_SHOWN, COUNT_MAX, LOG_SHOWN};
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
        let children = "DISTINCT child FROM portfire_dependency WHERE parent";
        let children = self.of_job(children, &most("child", CHILDREN_SHOWN), job)?;
        Ok(JobDetails {
            summary: summary(row)?,
            args: Json::trusted(row.text(17)?),
            policy: Policy::from_json(row.opt_text(18)?),
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
        let lines = "at, attempt, text FROM portfire_log WHERE job";
        let rows = self.of_job(lines, &most("seq DESC", LOG_SHOWN), job)?;
        rows.iter()
            .rev()
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
        self.of_job(columns, &most("seq DESC", ATTEMPTS_SHOWN), job)?.iter().rev().map(view).collect()
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

/// An order, and where it ends.
fn most(order: &str, limit: u32) -> String {
    format!("{order} LIMIT {limit}")
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use portfire_core::storage::{
        AuditRequest, Cursor, FaultCursor, FaultGroupRequest, FaultOrder, Filter, PageRequest, TallyBy,
        TallyRequest, Target, Walk, Width,
    };
    use portfire_core::{JobId, Result, State, Timestamp};
    use portfire_testkit::scale;
    use rusqlite::Connection;
    use rusqlite::trace::{TraceEvent, TraceEventCodes};

    use super::Look;
    use crate::statements::Statements;
    use crate::threads::Tx;
    use crate::{DEFAULT_PREFIX, migrate, schedules, steer};

    /// So many that a scan of all of them takes more steps than anything may.
    const JOBS: u32 = 1_000_000;
    /// Most steps of SQLite's machine: a walk to its end, its counts, or a day of tallies. To read every job would
    /// take more, even without doing anything with it.
    const STEPS_MAX: u64 = 2_500_000;
    /// How many steps are counted as one.
    const STEPS: u64 = 100;
    /// How many more steps may be taken in the full file than in one with a tenth of the jobs, where nothing is
    /// counted or searched for: less than to look at every job of the smallest of its tables.
    const SLACK: u64 = 10_000;

    thread_local! {
        static ASKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    fn keep(event: TraceEvent<'_>) {
        if let TraceEvent::Stmt(statement, _) = event {
            ASKED.with_borrow_mut(|asked| asked.push(statement.sql().into_owned()));
        }
    }

    /// A file that is full, and what it costs to look at it.
    struct Full {
        jobs: u32,
        connection: Connection,
        statements: Statements,
        steps: Arc<AtomicU64>,
        /// What was asked, and in how many steps.
        took: RefCell<Vec<(String, u64)>>,
    }

    impl Full {
        fn new(jobs: u32) -> Self {
            let connection = Connection::open_in_memory().unwrap();
            migrate::migrate(&connection, DEFAULT_PREFIX).unwrap();
            let fill = include_str!("../tests/it/fill.sql").replace("$jobs", &jobs.to_string());
            connection.execute_batch(&fill).unwrap();
            let steps = Arc::<AtomicU64>::default();
            let counted = Arc::clone(&steps);
            let count = move || counted.fetch_add(1, Ordering::Relaxed) == u64::MAX;
            connection.progress_handler(i32::try_from(STEPS).unwrap(), Some(count)).unwrap();
            let statements = Statements::with_prefix(DEFAULT_PREFIX);
            Self { jobs, connection, statements, steps, took: RefCell::default() }
        }

        /// Asks, and judges what SQLite did for it.
        fn costs<T>(&self, what: &str, statements: usize, ask: impl FnOnce(&Tx<'_>) -> Result<T>) -> T {
            let trace = |on: Option<fn(TraceEvent<'_>)>| {
                self.connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, on);
            };
            self.steps.store(0, Ordering::Relaxed);
            trace(Some(keep));
            let answer = ask(&Tx::new(&self.connection, &self.statements, Timestamp::default())).unwrap();
            trace(None);
            let (steps, asked) = (self.steps.load(Ordering::Relaxed) * STEPS, ASKED.take());
            assert!(steps <= STEPS_MAX, "{what} takes {steps} steps");
            self.took.borrow_mut().push((what.to_owned(), steps));
            assert!((1..=statements).contains(&asked.len()), "{what} takes {} statements", asked.len());
            for statement in asked {
                let plan = self.plan(&statement);
                let groups = statement.contains("GROUP BY");
                assert!(
                    groups || !plan.contains("TEMP B-TREE FOR ORDER BY"),
                    "{what} sorts\n{statement}\n{plan}"
                );
            }
            answer
        }

        fn plan(&self, statement: &str) -> String {
            let mut explained = self.connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
            let values = vec![rusqlite::types::Null; explained.parameter_count()];
            let values = rusqlite::params_from_iter(values);
            let steps = explained.query_map(values, |row| row.get::<_, String>(3)).unwrap();
            steps.map(std::result::Result::unwrap).collect::<Vec<_>>().join("\n")
        }
    }

    /// Lists by what is walked and what is looked up, with what is rare and so is searched for to the end.
    fn filters() -> Vec<Filter> {
        let text = |text: &str| Some(text.into());
        let all = Filter::default();
        let mut filters = vec![
            Filter { tag: text("common"), ..all.clone() },
            Filter { fault: Some("0000000000000000".parse().unwrap()), ..all.clone() },
        ];
        for state in std::iter::once(None).chain(State::ALL.map(Some)) {
            let of = Filter { state, ..all.clone() };
            filters.push(of.clone());
            filters.push(Filter { kind: text("rare"), ..of.clone() });
            filters.push(Filter { queue: text("nothing"), ..of.clone() });
            filters.push(Filter { text: text("needle"), ..of.clone() });
            filters.push(Filter { tag: text("rare"), ..of.clone() });
            filters.push(Filter {
                since: Some(Timestamp::default()),
                until: Some(Timestamp::default()),
                ..of
            });
        }
        filters
    }

    #[test]
    fn looking_at_a_full_file_goes_along_indexes_and_ends() {
        let all = scale::jobs(JOBS);
        let [tenth, full] = [all / 10, all].map(look_at);
        println!("| what | steps, a tenth | steps, full |\n| :-- | --: | --: |");
        for ((what, tenth), (_, full)) in tenth.iter().zip(&full) {
            println!("| {what} | {tenth} | {full} |");
            let limited = what.starts_with(LIMITED);
            assert!(limited || *full <= tenth + SLACK, "{what} takes {full} steps, and {tenth} for a tenth");
        }
        assert!(tenth.len() == full.len() && full.len() > 100);
    }

    /// How a question begins that counts or searches up to a limit, to which a smaller file need not come.
    const LIMITED: &str = "up to a limit: ";

    /// Asks a file with so many jobs everything; answers how many steps each took.
    fn look_at(jobs: u32) -> Vec<(String, u64)> {
        let full = Full::new(jobs);
        for filter in filters() {
            let searches = Walk::of(&filter).is_some_and(|walk| walk.looks_up(&filter));
            let what = format!("{}{filter:?}", if searches { LIMITED } else { "" });
            let page = |after| PageRequest { limit: 50, after, before: None };
            // The walk, and the summary of each job on the page.
            let list =
                |after| full.costs(&what, 52, |tx| Look::new(tx, DEFAULT_PREFIX).list(&filter, &page(after)));
            let first = list(None);
            list(first.next.or_else(|| first.jobs.last().map(Cursor::of)));
        }
        // Three for each queue, and one for each state and for the rest.
        full.costs(&format!("{LIMITED}the overview"), 5 * 3 + 11, |tx| {
            Look::new(tx, DEFAULT_PREFIX).overview()
        });
        full.costs("what it is", 3, |tx| Look::new(tx, DEFAULT_PREFIX).describe("here"));
        let last: JobId = format!("01990000-0000-7000-8000-{:012x}", full.jobs).parse().unwrap();
        let job =
            full.costs("a job with many children", 7, |tx| Look::new(tx, DEFAULT_PREFIX).get(last)).unwrap();
        assert_eq!((job.children.len(), job.log.len()), (100, 500));
        statistics(&full);
        steering(&full);
        full.took.take()
    }

    fn statistics(full: &Full) {
        let now =
            full.connection.query_row("SELECT max(at) FROM portfire_tally", [], |row| row.get(0)).unwrap();
        let now = Timestamp::from_micros(now);
        for (width, days) in [(Width::Minute, 1), (Width::Hour, 7), (Width::Day, 30)] {
            for by in [TallyBy::Total, TallyBy::Kind, TallyBy::Queue] {
                let from = now.before(Duration::from_secs(days * 86_400));
                let request = TallyRequest { by, ..TallyRequest::total(width, from, now) };
                let tallies = |tx: &Tx<'_>| Look::new(tx, DEFAULT_PREFIX).tallies(&request);
                assert!(!full.costs(&format!("{request:?}"), 1, tallies).is_empty());
            }
        }
        for order in [FaultOrder::Latest, FaultOrder::Most] {
            let request = FaultGroupRequest { order, ..FaultGroupRequest::default() };
            let ask = |request: FaultGroupRequest| {
                let what = format!("{LIMITED}{request:?}");
                full.costs(&what, 1, |tx| Look::new(tx, DEFAULT_PREFIX).fault_groups(&request))
            };
            let groups = ask(request.clone());
            ask(FaultGroupRequest { after: groups.last().map(FaultCursor::of), ..request.clone() });
            ask(FaultGroupRequest { only: groups.last().map(|group| group.fingerprint), ..request });
        }
    }

    fn steering(full: &Full) {
        let target = Target::Job("01990000-0000-7000-8000-0000000003e8".parse().unwrap());
        for about in [None, Some(&target)] {
            let page = |before| AuditRequest { limit: 50, before };
            let entries = full.costs("the audit", 1, |tx| steer::audit(tx, about, page(None)));
            assert_eq!(entries.len(), 50);
            let before = entries.last().map(|entry| entry.id);
            full.costs("more of the audit", 1, |tx| steer::audit(tx, about, page(before)));
        }
        // What became of each run is looked up.
        full.costs(&format!("{LIMITED}schedules"), 1 + 101, |tx| {
            schedules::list(tx, Some("schedule 00500"), 101)
        });
        full.costs(&format!("{LIMITED}a schedule"), 2, |tx| schedules::get(tx, "schedule 00500"));
        full.costs(&format!("{LIMITED}slots"), 1 + 50, |tx| schedules::slots(tx, "schedule 00500", None, 50));
    }
}
