//! What it costs to look at a database that is full: how many statements, by which plans, and how many rows are read.
//!
//! A proxy keeps what the storage asks. Each statement is then run once more, as it was, in a session of ours, whose
//! counters tell what the server reads for it; and the server explains it. So what is judged is not a copy of the
//! statements but they themselves.

use std::sync::Arc;

use portfire_mysql::MysqlStorage;
use portfire_mysql::mysql_async::Conn;
use portfire_mysql::mysql_async::prelude::Queryable;
use portfire_testkit::scale::{self, Meter, Spent, Statements};

use crate::bed::{Database, Engine, on_both};
use crate::plans::{explain, wrong};
use crate::proxy::{Seen, through_proxy};

on_both! {
    looking_at_a_full_database_costs_few_statements_and_goes_along_indexes
}

/// More than any walk or count reads. A million take half a minute to fill on a machine that does nothing else;
/// `cargo xtask scale --assert` looks at them.
const JOBS: u32 = 200_000;

/// Three of them begin and end the transaction.
const STATEMENTS: Statements = Statements {
    list: 3 + 1,
    // The bound, the page, and how far the walk came.
    search: 3 + 3,
    // For each of five queues its head, and the oldest of each of three priorities; one for each state and for the
    // rest; and to see that there are no more.
    overview: 3 + 5 * (1 + 4) + 1 + 4 + 3,
    job: 3 + 7,
    other: 3 + 1,
};

/// A database that is full, and what is seen of it.
struct Full {
    engine: Engine,
    seen: Arc<Seen>,
    conn: Conn,
}

impl Full {
    async fn fill(database: &Database, jobs: u32) -> (MysqlStorage, Self) {
        database.open().await;
        let mut conn = database.connect().await;
        let fill = include_str!("fill.sql").replace("$jobs", &jobs.to_string());
        conn.query_drop(fill).await.unwrap();
        let (storage, seen) = through_proxy(database).await;
        (storage, Self { engine: database.engine, seen, conn })
    }

    /// How many rows the server reads for a statement.
    async fn rows(&mut self, sql: &str) -> u64 {
        self.conn.query_drop("FLUSH STATUS").await.unwrap();
        self.conn.query_drop(sql).await.unwrap();
        let counters = "SHOW SESSION STATUS LIKE 'Handler\\_read\\_%'";
        let counters: Vec<(String, u64)> = self.conn.query(counters).await.unwrap();
        counters.iter().filter(|(name, _)| name != "Handler_read_retry").map(|(_, rows)| rows).sum()
    }
}

impl Meter for Full {
    fn start(&mut self) {
        self.seen.take();
    }

    async fn spent(&mut self) -> Spent {
        let asked: Vec<_> = self.seen.take().into_iter().flatten().collect();
        let mut spent = Spent { statements: asked.len(), ..Spent::default() };
        for sql in asked.iter().filter(|sql| sql.contains("portfire_") && sql.starts_with("SELECT")) {
            let rows = self.rows(sql).await;
            let plan = explain(&mut self.conn, self.engine, sql).await;
            spent.rows += rows;
            spent.wrong.extend(wrong(sql, &plan));
            spent.plans.push(format!("{rows} rows: {sql}\n{plan:#?}"));
        }
        spent
    }
}

async fn looking_at_a_full_database_costs_few_statements_and_goes_along_indexes(engine: Engine) {
    let (all, mut looked) = (scale::jobs(JOBS), Vec::new());
    for jobs in [all / 10, all] {
        let database = Database::fresh(engine).await;
        let (storage, mut full) = Full::fill(&database, jobs).await;
        looked.push(scale::look(&storage, jobs, &mut full, STATEMENTS).await);
    }
    scale::judge(&looked[0], &looked[1]);
}
