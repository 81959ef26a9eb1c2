//! What it costs to look at a database that is full: how many statements, by which plans, and how many rows are read.
//!
//! The database explains what it has really done (`auto_explain`), with the numbers of rows, and tells it as
//! notices, which the proxy keeps. So what is judged is not a copy of the statements but they themselves.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use portfire_postgres::{PostgresOptions, PostgresStorage};
use portfire_testkit::scale::{self, Meter, Spent, Statements};

use crate::bed::{Schema, connect};
use crate::proxy::{self, Seen};

/// So many that whatever reads a table whole reads more than anything may.
const JOBS: u32 = 1_000_000;

/// Two of them begin and end the transaction.
const STATEMENTS: Statements = Statements {
    list: 2 + 1,
    // The page, how far the walk came, and what stands there.
    search: 2 + 3,
    overview: 9,
    job: 8,
    // What is told how to read, as groups of failures are, is in a transaction.
    other: 2 + 1,
};

/// Tables that may be read whole: they do not grow with the jobs.
const SMALL: [&str; 3] = ["portfire_server", "portfire_paused_queue", "portfire_tally"];

/// What is seen of a database.
struct Full {
    seen: Arc<Seen>,
}

impl Full {
    async fn fill(schema: &Schema, jobs: u32) -> (PostgresStorage, Self) {
        schema.open().await;
        let client = connect().await;
        client.batch_execute(&format!("SET search_path TO {}; SET jit = off", schema.name)).await.unwrap();
        let fill = include_str!("fill.sql").replace("$jobs", &jobs.to_string());
        client.batch_execute(&fill).await.unwrap();
        let seen = Arc::new(Seen::default());
        let url = format!("{}{}", proxy::start(Arc::clone(&seen)).await, explained());
        let options = PostgresOptions::new(&url).unwrap().tables(schema.tables());
        (PostgresStorage::open(options).await.unwrap(), Self { seen })
    }
}

/// What lets the sessions of a URL explain themselves.
fn explained() -> String {
    let settings = [
        "log_min_duration=0",
        "log_analyze=on",
        "log_timing=off",
        "log_level=notice",
        "log_nested_statements=on",
    ];
    let settings: String = settings.iter().map(|setting| format!("%20-c%20auto_explain.{setting}")).collect();
    format!("&options=-c%20session_preload_libraries%3Dauto_explain{}", settings.replace('=', "%3D"))
}

impl Meter for Full {
    fn start(&mut self) {
        self.seen.notices.lock().unwrap().clear();
        self.seen.statements.store(0, Ordering::Relaxed);
    }

    async fn spent(&mut self) -> Spent {
        let plans = std::mem::take(&mut *self.seen.notices.lock().unwrap());
        let mut spent =
            Spent { statements: self.seen.statements.load(Ordering::Relaxed), ..Spent::default() };
        if plans.is_empty() {
            spent.wrong.push("the database tells no plan".into());
        }
        for plan in plans {
            spent.rows += rows(&plan);
            spent.wrong.extend(plan.lines().filter(|step| scans(step)).map(|step| step.trim().to_owned()));
            spent.plans.push(plan);
        }
        spent
    }
}

/// Whether a step reads a whole table that grows.
fn scans(step: &str) -> bool {
    let scanned = step.split("Seq Scan on ").nth(1).and_then(|rest| rest.split(' ').next());
    scanned.is_some_and(|table| table.starts_with("portfire_") && !SMALL.contains(&table))
}

/// Rows that the scans of a plan have found or thrown away. A look that finds nothing counts as one, as a row does:
/// the numbers are means of all loops, without fractions.
fn rows(plan: &str) -> u64 {
    let (mut rows, mut loops, mut reads) = (0, 0, false);
    for line in plan.lines() {
        if line.contains("(actual rows=") {
            reads = line.contains("Scan")
                && (line.contains(" using portfire_") || line.contains(" on portfire_"));
            loops = number(line, "loops=");
            rows += if reads { number(line, "actual rows=").max(1) * loops } else { 0 };
        } else if reads && line.contains("Rows Removed by Filter: ") {
            rows += number(line, "Rows Removed by Filter: ") * loops;
        }
    }
    rows
}

/// The number behind these words.
fn number(line: &str, words: &str) -> u64 {
    let digits = line.split(words).nth(1).and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn looking_at_a_full_database_costs_few_statements_and_goes_along_indexes() {
    let (all, mut looked) = (scale::jobs(JOBS), Vec::new());
    for jobs in [all / 10, all] {
        let schema = Schema::new();
        let (storage, mut full) = Full::fill(&schema, jobs).await;
        looked.push(scale::look(&storage, jobs, &mut full, STATEMENTS).await);
    }
    scale::judge(&looked[0], &looked[1]);
}

#[test]
fn what_scans_have_read_is_counted() {
    let plan = "Limit  (cost=0.42..8.44 rows=1 width=16) (actual rows=1 loops=1)
  ->  Index Scan Backward using portfire_job_pkey on portfire_job j  (cost=0.42..8.44 rows=1 width=16) (actual rows=0 loops=30)
        Rows Removed by Filter: 2
  ->  Subquery Scan on w  (cost=0.4..8.4 rows=1 width=1) (actual rows=9 loops=9)
        Rows Removed by Filter: 7
  ->  Seq Scan on portfire_server  (cost=0.00..1.00 rows=1 width=16) (never executed)";
    assert_eq!(rows(plan), 30 + 60);
    assert!(!plan.lines().any(scans) && scans("->  Seq Scan on portfire_job j (actual rows=1 loops=1)"));
}
