//! What it costs to look at a database that is full: how many statements, and by which plans.
//!
//! The database explains what it has really done (`auto_explain`), with the numbers of rows, and tells it as
//! notices, which the proxy keeps. So what is judged is not a copy of the statements but they themselves.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use portfire_core::limits::{COUNT_MAX, WALK_MAX};
use portfire_core::storage::{
    AuditRequest, Cursor, FaultGroupRequest, FaultOrder, Filter, PageRequest, TallyBy, TallyRequest, Target,
    Width,
};
use portfire_core::{Fingerprint, JobId, Result, State, Storage, Timestamp};
use portfire_postgres::{PostgresOptions, PostgresStorage};

use crate::bed::{Schema, connect};
use crate::proxy::{self, Seen};

/// Enough for the planner to see that the tables are big; `cargo xtask scale` looks at millions.
const JOBS: u32 = 200_000;
/// Most rows that a step of a plan may give or throw away: a walk to its end, or three counts.
const ROWS_MAX: u64 = if WALK_MAX as u64 > 3 * COUNT_MAX { WALK_MAX as u64 } else { 3 * COUNT_MAX };
/// Most rows of tallies that are summed up for one answer: all that are kept. They do not depend on how many jobs
/// there are.
const TALLIES_MAX: u64 = 100_000;
/// Tables that may be read whole: they do not grow with the jobs.
const SMALL: [&str; 3] = ["portfire_server", "portfire_paused_queue", "portfire_tally"];

/// A database that is full, and what is seen of it.
struct Full {
    storage: PostgresStorage,
    seen: Arc<Seen>,
    _schema: Schema,
}

impl Full {
    async fn new() -> Self {
        let schema = Schema::new();
        schema.open().await;
        let client = connect().await;
        client.batch_execute(&format!("SET search_path TO {}; SET jit = off", schema.name)).await.unwrap();
        let fill = include_str!("fill.sql").replace("$jobs", &JOBS.to_string());
        client.batch_execute(&fill).await.unwrap();
        let seen = Arc::new(Seen::default());
        let explain = [
            "log_min_duration=0",
            "log_analyze=on",
            "log_timing=off",
            "log_level=notice",
            "log_nested_statements=on",
        ];
        let explain: String =
            explain.iter().map(|setting| format!("%20-c%20auto_explain.{setting}")).collect();
        let url = proxy::start(Arc::clone(&seen)).await;
        let url = format!(
            "{url}&options=-c%20session_preload_libraries%3Dauto_explain{}",
            explain.replace('=', "%3D")
        );
        let options = PostgresOptions::new(&url).unwrap().tables(schema.tables());
        Self { storage: PostgresStorage::open(options).await.unwrap(), seen, _schema: schema }
    }

    /// Asks, and judges what the database did for it.
    async fn costs<T>(
        &self,
        what: &str,
        statements: usize,
        rows: u64,
        answer: impl Future<Output = Result<T>>,
    ) -> T {
        self.seen.notices.lock().unwrap().clear();
        let before = self.seen.statements.load(Ordering::Relaxed);
        let answer = answer.await.unwrap();
        let asked = self.seen.statements.load(Ordering::Relaxed) - before;
        assert!(asked <= statements, "{what} takes {asked} statements");
        let plans = std::mem::take(&mut *self.seen.notices.lock().unwrap());
        assert!(!plans.is_empty(), "{what}: the database tells no plan");
        for plan in plans {
            let wrong: Vec<_> = plan.lines().filter(|line| is_wrong(line, rows)).collect();
            assert!(wrong.is_empty(), "{what}: {wrong:#?}\n{plan}");
        }
        answer
    }
}

/// Whether a step reads a whole table that grows, or handles more rows than it may.
fn is_wrong(step: &str, rows_max: u64) -> bool {
    let scanned = step.split("Seq Scan on ").nth(1).and_then(|rest| rest.split(' ').next());
    let scans = scanned.is_some_and(|table| table.starts_with("portfire_") && !SMALL.contains(&table));
    let number = |name: &str| {
        let rest = step.split(name).nth(1)?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
    };
    let rows = number("actual rows=").unwrap_or(0) * number("loops=").unwrap_or(1);
    scans || rows > rows_max || number("Rows Removed by Filter: ").unwrap_or(0) > rows_max
}

/// Lists by what is walked and what is looked up, with what is rare and so is searched for to the end.
fn filters() -> Vec<Filter> {
    let text = |text: &str| Some(text.into());
    let all = Filter::default();
    let mut filters = vec![all.clone()];
    filters.extend(State::ALL.map(Filter::of));
    filters.push(Filter { tag: text("common"), ..all.clone() });
    filters.push(Filter { tag: text("rare"), ..all.clone() });
    filters.push(Filter { fault: Some("0000000000000000".parse::<Fingerprint>().unwrap()), ..all.clone() });
    for state in std::iter::once(None).chain(State::ALL.map(Some)) {
        let of = Filter { state, ..all.clone() };
        filters.push(Filter { kind: text("rare"), ..of.clone() });
        filters.push(Filter { queue: text("queue_1"), ..of.clone() });
        filters.push(Filter { queue: text("nothing"), ..of.clone() });
        filters.push(Filter { text: text("needle"), ..of.clone() });
        filters.push(Filter { tag: text("rare"), ..of.clone() });
        filters.push(Filter { since: Some(Timestamp::default()), until: Some(Timestamp::default()), ..of });
    }
    filters
}

#[tokio::test]
async fn looking_at_a_full_database_costs_few_statements_and_goes_along_indexes() {
    let full = Full::new().await;
    for filter in filters() {
        let what = format!("{filter:?}");
        let ask = |after| full.storage.list(filter.clone(), PageRequest { limit: 50, after, before: None });
        let first = full.costs(&what, 4, ROWS_MAX, ask(None)).await;
        let next = first.next.or_else(|| first.jobs.last().map(Cursor::of));
        full.costs(&format!("the next page of {what}"), 4, ROWS_MAX, ask(next)).await;
    }
    full.costs("the overview", 9, ROWS_MAX, full.storage.overview()).await;
    full.costs("the clock", 1, ROWS_MAX, full.storage.now()).await;
    full.costs("what it is", 1, ROWS_MAX, full.storage.describe()).await;
    let last: JobId = format!("01990000-0000-7000-8000-{JOBS:012x}").parse().unwrap();
    full.costs("a job with many children", 8, ROWS_MAX, full.storage.get(vec![last])).await;
}

#[tokio::test]
async fn statistics_of_a_full_database_cost_one_statement_each() {
    let full = Full::new().await;
    let now = full.storage.now().await.unwrap();
    for (width, days) in [(Width::Minute, 1), (Width::Hour, 7), (Width::Day, 30)] {
        for by in [TallyBy::Total, TallyBy::Kind, TallyBy::Queue] {
            let from = now.before(std::time::Duration::from_secs(days * 86_400));
            let request = TallyRequest { by, ..TallyRequest::total(width, from, now) };
            let what = format!("{request:?}");
            full.costs(&what, 1, TALLIES_MAX, full.storage.tallies(request)).await;
        }
    }
    for order in [FaultOrder::Latest, FaultOrder::Most] {
        let request = FaultGroupRequest { order, ..FaultGroupRequest::default() };
        let groups = full.costs("failures", 1, ROWS_MAX, full.storage.fault_groups(request.clone())).await;
        let after = groups.last().map(portfire_core::storage::FaultCursor::of);
        full.costs(
            "more failures",
            1,
            ROWS_MAX,
            full.storage.fault_groups(FaultGroupRequest { after, ..request.clone() }),
        )
        .await;
        let only = groups.first().map(|group| group.fingerprint);
        full.costs(
            "one group",
            1,
            ROWS_MAX,
            full.storage.fault_groups(FaultGroupRequest { only, ..request }),
        )
        .await;
    }
    let target = Target::Job("01990000-0000-7000-8000-0000000003e8".parse().unwrap());
    for about in [None, Some(target)] {
        let entries = full
            .costs("the audit", 1, ROWS_MAX, full.storage.audit(about.clone(), AuditRequest::default()))
            .await;
        assert_eq!(entries.len(), 50);
        let before = entries.last().map(|entry| entry.id);
        full.costs(
            "more of the audit",
            1,
            ROWS_MAX,
            full.storage.audit(about, AuditRequest { limit: 50, before }),
        )
        .await;
    }
    let schedule: Box<str> = "schedule 00500".into();
    full.costs("schedules", 1, ROWS_MAX, full.storage.list_schedules(Some(schedule.clone()), 101)).await;
    full.costs("a schedule", 1, ROWS_MAX, full.storage.get_schedules(vec![schedule.clone()])).await;
    full.costs("slots", 1, ROWS_MAX, full.storage.slots(schedule, None, 50)).await;
}
