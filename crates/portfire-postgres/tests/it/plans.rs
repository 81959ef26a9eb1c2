//! The plans of the statements that run all day: never a sequential scan of a table that grows.

use portfire_core::Storage;
use portfire_postgres::tokio_postgres::Client;

use crate::bed::{Schema, beaten, connect, job};

/// Values as they stand in the statements, in SQL.
const ID: &str = "'018f0000-0000-7000-8000-000000000000'::uuid";
/// A hundred jobs, kept in a table of their own by `fill`.
const IDS: &str = "((SELECT array_agg(id) FROM few)::uuid[])";

/// A statement that is planned whenever it is run.
struct Statement {
    name: &'static str,
    sql: &'static str,
    values: &'static [&'static str],
}

const STATEMENTS: &[Statement] = &[
    Statement {
        name: "promote",
        sql: include_str!("../../sql/promote.sql"),
        values: &["NULL::bigint", "100"],
    },
    Statement {
        name: "schedules_due",
        sql: include_str!("../../sql/schedules_due.sql"),
        values: &["1::bigint", "100"],
    },
    Statement {
        name: "slots_list",
        sql: include_str!("../../sql/slots_list.sql"),
        values: &["'1'", "9::bigint", "100"],
    },
    Statement {
        name: "tallies_fold",
        sql: include_str!("../../sql/tallies_fold.sql"),
        values: &["60", "1", "3600::bigint", "100"],
    },
    Statement {
        name: "tallies_merge",
        sql: include_str!("../../sql/tallies_merge.sql"),
        values: &["1", "100"],
    },
    Statement { name: "faults_forget", sql: include_str!("../../sql/faults_forget.sql"), values: &["1"] },
    Statement { name: "prune", sql: include_str!("../../sql/prune.sql"), values: &["NULL::bigint", "100"] },
    Statement {
        name: "audit_prune",
        sql: include_str!("../../sql/audit_prune.sql"),
        values: &["10::bigint", "1::bigint", "100"],
    },
    Statement {
        name: "audit_list",
        sql: include_str!("../../sql/audit_list.sql"),
        values: &["9000::bigint", "50"],
    },
    Statement {
        name: "audit_about",
        sql: include_str!("../../sql/audit_about.sql"),
        values: &["'queue'", "'7'", "9000::bigint", "50"],
    },
    Statement { name: "cancel_flags", sql: include_str!("../../sql/cancel_flags.sql"), values: &[ID] },
    Statement { name: "place", sql: include_str!("../../sql/place.sql"), values: &["NULL::bigint", ID] },
    Statement { name: "known", sql: include_str!("../../sql/known.sql"), values: &[IDS] },
    Statement { name: "parents_lock", sql: include_str!("../../sql/parents_lock.sql"), values: &[IDS] },
    Statement { name: "unique_free", sql: include_str!("../../sql/unique_free.sql"), values: &[IDS] },
    Statement { name: "job_delete", sql: include_str!("../../sql/job_delete.sql"), values: &[IDS] },
];

impl Statement {
    /// The statement with its values in it; the last parameter first, for `$1` is the start of `$10`.
    fn text(&self) -> String {
        let values = self.values.iter().enumerate().rev();
        values.fold(self.sql.to_owned(), |sql, (index, value)| sql.replace(&format!("${}", index + 1), value))
    }
}

const TABLES: &str = "portfire_job, portfire_ready, portfire_scheduled, portfire_running, portfire_finished, \
    portfire_awaiting, portfire_dependency, portfire_unique_name, portfire_attempt, portfire_tag, portfire_log, \
    portfire_progress, portfire_result, portfire_schedule, portfire_slot, portfire_audit, portfire_tally, \
    portfire_fault_group";

async fn fill(client: &Client) {
    let fill = "
        INSERT INTO portfire_job (id, kind, queue, priority, run_at, created_at, args, has_parents)
            SELECT gen_random_uuid(), 'work', 'default', 0, n, n, '{}', false FROM generate_series(1, 40000) AS n;
        INSERT INTO portfire_ready SELECT queue, priority, run_at, id, kind FROM portfire_job WHERE run_at <= 10000;
        INSERT INTO portfire_scheduled SELECT run_at, id, false FROM portfire_job WHERE run_at BETWEEN 10001 AND 20000;
        INSERT INTO portfire_running
            SELECT id, gen_random_uuid(), 1, gen_random_uuid(), 1, 1, false, 'work', 'default', 1, false FROM portfire_job WHERE run_at BETWEEN 20001 AND 22000;
        INSERT INTO portfire_finished
            SELECT id, 'succeeded', run_at, run_at, id, id, run_at FROM portfire_job WHERE run_at > 25000;
        INSERT INTO portfire_awaiting SELECT id, 1 FROM portfire_job WHERE run_at BETWEEN 22001 AND 25000;
        INSERT INTO portfire_dependency SELECT id, 1, id, 'end' FROM portfire_job WHERE run_at BETWEEN 22001 AND 25000;
        INSERT INTO portfire_unique_name SELECT 'work', id::text, id FROM portfire_job WHERE run_at <= 10000;
        INSERT INTO portfire_attempt SELECT id, 1, 1, 1, 1, id, 'failed' FROM portfire_job;
        INSERT INTO portfire_tag SELECT 'tag', id FROM portfire_job;
        INSERT INTO portfire_log SELECT id, 1, 1, 1, 'line' FROM portfire_job;
        INSERT INTO portfire_progress SELECT id, 1 FROM portfire_job;
        INSERT INTO portfire_result SELECT id, '1' FROM portfire_job;
        INSERT INTO portfire_schedule (id, cron, zone, definition, revision, next_at, created_at)
            SELECT n::text, '* * * * *', 'UTC', '{}', 1, n, 1 FROM generate_series(1, 5000) AS n;
        INSERT INTO portfire_slot SELECT (n % 100)::text, n, n, 'fired', NULL FROM generate_series(1, 20000) AS n;
        INSERT INTO portfire_audit (at, sort, target, action, actor, via, outcome)
            SELECT n, 'queue', (n % 500)::text, 'pause', 'ann', 'api', 'done' FROM generate_series(1, 20000) AS n;
        INSERT INTO portfire_tally (width, at, shard, kind, queue)
            SELECT 60, n, n % 2, 'work', 'default' FROM generate_series(1, 20000) AS n;
        INSERT INTO portfire_fault_group
            SELECT n::text, 'work', '', n, n, n, gen_random_uuid() FROM generate_series(1, 20000) AS n;
        DROP TABLE IF EXISTS few;
        CREATE TEMP TABLE few AS SELECT id FROM portfire_job LIMIT 100;
        ANALYZE few";
    client.batch_execute(fill).await.unwrap();
    client.batch_execute(&format!("ANALYZE {TABLES}")).await.unwrap();
}

/// What a vacuum says of tables from which everything is gone, while somebody may still see it: that nothing is there.
async fn empty(client: &Client) {
    let old = connect().await;
    old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.unwrap();
    for table in TABLES.split(", ") {
        client.batch_execute(&format!("DELETE FROM {table}")).await.unwrap();
    }
    client.batch_execute(&format!("VACUUM ANALYZE {TABLES}")).await.unwrap();
}

async fn explain(client: &Client, sql: &str) -> String {
    let rows = client.query(&format!("EXPLAIN (COSTS OFF, SUMMARY OFF) {sql}"), &[]).await.unwrap();
    rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
}

/// The functions of an exchange and of an enqueue, whose plans the database keeps.
const FUNCTIONS: &str = concat!(
    include_str!("../../migrations/0001_spine.sql"),
    include_str!("../../migrations/0003_exchange.sql"),
    include_str!("../../migrations/0004_steering.sql"),
    include_str!("../../migrations/0006_enqueue.sql")
);
/// What stands for their parameters.
const ARGUMENTS: &[(&str, &str)] = &[
    ("handed_in", "NULL::bigint"),
    ("may_repeat", "(SELECT true)"),
    ("instant", "1::bigint"),
    ("now_at", "1::bigint"),
    ("ended", IDS),
    ("states", "ARRAY['failed']"),
    ("satisfied", IDS),
    ("impossible", IDS),
    ("this_token", ID),
    ("this_server", ID),
    ("may_claim", "true"),
    ("wanted_queues", "ARRAY['default']"),
    ("wanted_limits", "ARRAY[100]"),
    ("from_numbers", "ARRAY[1]"),
    ("from_priorities", "ARRAY[0]"),
    ("from_times", "ARRAY[0]"),
    ("from_ids", IDS),
    ("until_priorities", "ARRAY[1]"),
    ("look_before", "ARRAY[true]"),
    ("due_times", "ARRAY[0]"),
    ("wanted_kinds", "ARRAY['work']"),
    // Not a constant, which the plan would be simplified by.
    ("wanted", "(SELECT 100)"),
    ("these_jobs", IDS),
    ("these_tokens", IDS),
    ("these_firsts", "ARRAY[1]"),
    ("these_lasts", "ARRAY[100]"),
    ("these_rescues", "ARRAY[false]"),
    ("these_states", "ARRAY['retrying']"),
    ("these_finals", "ARRAY[false]"),
    ("these_c_states", "ARRAY['cancelled']"),
    ("these_c_finals", "ARRAY[true]"),
    ("these_results", "NULL::text[]"),
    ("these_c_results", "NULL::text[]"),
    ("these_outcomes", "ARRAY['failed']"),
    ("these_faults", "NULL::text[]"),
    ("these_delays", "(ARRAY[1])"),
    ("these_attempts", "ARRAY[1]"),
    ("these_crashes", "ARRAY[1]"),
    ("these_c_delays", "ARRAY[1]"),
    ("these_c_attempts", "ARRAY[1]"),
    ("these_c_crashes", "ARRAY[1]"),
    ("these_numbers", "ARRAY[1]"),
    ("these_turns", "ARRAY[1]"),
    ("these_retries", "ARRAY[false]"),
    ("these_fingerprints", "ARRAY['0']"),
    ("these_samples", "ARRAY['']"),
    ("table_on", "ARRAY['end']"),
    ("table_state", "ARRAY['failed']"),
    ("table_verdict", "ARRAY['satisfied']"),
    ("final_states", "ARRAY['failed']"),
    ("stored", IDS),
    ("these_ids", IDS),
    ("these_owners", IDS),
    ("these_kinds", "(ARRAY['work'])"),
    ("these_queues", "(ARRAY['default'])"),
    ("these_priorities", "(ARRAY[0])"),
    ("these_times", "NULL::bigint[]"),
    ("these_args", "ARRAY['{}']"),
    ("these_policies", "NULL::text[]"),
    ("these_names", "NULL::text[]"),
    ("these_tags", "NULL::text[]"),
    ("these_keeps", "(NULL::bigint[])"),
    ("these_children", IDS),
    ("these_waits", "NULL::bigint[]"),
    ("these_words", "ARRAY['tag']"),
    ("these_schedules", "NULL::text[]"),
    ("these_slots", "NULL::bigint[]"),
];

/// The queries inside a function, with values for its parameters.
fn queries_of(function: &str) -> Vec<String> {
    let after = FUNCTIONS.split(&format!("FUNCTION portfire_{function}(")).nth(1).unwrap();
    let body = after.split("BEGIN\n").nth(1).unwrap().split("\nEND\n$$").next().unwrap();
    let code: Vec<_> = body.lines().map(|line| line.split("--").next().unwrap().trim()).collect();
    let parts = code.join("\n").replace(" THEN\n", ";").replace("LOOP\n", ";");
    parts.split(';').filter_map(query_in).collect()
}

/// The query in a part of a function, if there is one: it may be what is assigned, returned or asked.
fn query_in(part: &str) -> Option<String> {
    const ASSIGNED: [&str; 7] = [
        "INTO satisfied, impossible",
        "INTO stored, some_wait",
        "INTO ended",
        "INTO level_enqueued",
        "INTO places_above",
        "INTO places_before",
        "INTO enqueued, expired, next, next_slot",
    ];
    let part = part.trim().trim_start_matches("RETURN QUERY").trim_start();
    let query = match part.split_once("NOT EXISTS (") {
        Some((condition, asked)) if condition.starts_with("IF") => asked.strip_suffix(')')?,
        _ => part,
    };
    let is_query = ["WITH", "SELECT", "INSERT", "UPDATE"].iter().any(|word| query.starts_with(word));
    is_query.then(|| with_values(&ASSIGNED.iter().fold(query.to_owned(), |query, is| query.replace(is, ""))))
}

/// The query with values for the parameters: words of it, but not where they are text.
fn with_values(query: &str) -> String {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut text = String::new();
    for piece in query.split_inclusive(|letter| !is_word(letter)) {
        let (word, end) = piece.split_at(piece.trim_end_matches(|letter| !is_word(letter)).len());
        let value = ARGUMENTS.iter().find(|(name, _)| *name == word && !text.ends_with('\''));
        text.extend([value.map_or(word, |(_, value)| value), end]);
    }
    text
}

/// Scans of whole tables; the servers are few, and so are those that left, and are read so.
fn scans(plan: &str) -> Vec<&str> {
    let scans = plan.lines().filter(|line| line.contains("Seq Scan on portfire_"));
    scans.filter(|line| !line.contains("portfire_server") && !line.contains("portfire_left")).collect()
}

/// Scans of whole indexes: what a plan comes to that was told that nothing is in a table. The paused queues are few.
fn whole_indexes(plan: &str) -> Vec<&str> {
    let lines: Vec<_> = plan.lines().chain([""]).collect();
    let pairs =
        lines.windows(2).filter(|pair| pair[0].contains("Index") && pair[0].contains(" on portfire_"));
    let whole = pairs.filter(|pair| !pair[1].contains("Index Cond")).map(|pair| pair[0].trim());
    whole.filter(|scan| !scan.contains("portfire_paused_queue")).collect()
}

/// What is prepared in each session.
const KEPT: &[&str] = &[
    include_str!("../../sql/insert.sql"),
    include_str!("../../sql/insert_alike.sql"),
    include_str!("../../sql/insert_one.sql"),
    include_str!("../../sql/insert_plain.sql"),
    include_str!("../../sql/claim.sql"),
    include_str!("../../sql/poll.sql"),
    include_str!("../../sql/succeed.sql"),
    include_str!("../../sql/settle.sql"),
    include_str!("../../sql/settled.sql"),
];

/// The plan of a statement that is prepared under this name, for whatever values.
async fn kept_plan(client: &Client, name: &str, sql: &str) -> String {
    let parameters = (1..).take_while(|number| sql.contains(&format!("${number}"))).count();
    explain(client, &format!("EXECUTE {name}({})", vec!["NULL"; parameters].join(", "))).await
}

async fn client(schema: &Schema) -> Client {
    let client = connect().await;
    let settings = format!("SET search_path TO {}; SET jit = off", schema.name);
    client.batch_execute(&settings).await.unwrap();
    client
}

#[tokio::test]
async fn no_statement_of_every_day_scans_a_table_that_grows() {
    let schema = Schema::new();
    let storage = schema.open().await;
    storage.insert(vec![job()]).await.unwrap();
    beaten(&*storage).await;
    let client = client(&schema).await;
    fill(&client).await;
    for statement in STATEMENTS {
        let plan = explain(&client, &statement.text()).await;
        assert!(scans(&plan).is_empty(), "{}: {:?}\n{plan}", statement.name, scans(&plan));
    }
}

/// The plans that are kept are made once, perhaps for empty tables: they have to be right for big ones.
#[tokio::test]
async fn the_plans_that_are_kept_are_the_same_for_empty_and_for_big_tables() {
    let schema = Schema::new();
    schema.open().await;
    let client = client(&schema).await;
    let pins = FUNCTIONS.lines().find(|line| line.starts_with("SET enable_seqscan")).unwrap();
    let pins = pins.trim_end_matches(" AS $$").replace(" SET ", "; SET ");
    client.batch_execute("CREATE TEMP TABLE few AS SELECT id FROM portfire_job").await.unwrap();
    client.batch_execute(&pins).await.unwrap();
    for state in ["new", "full", "emptied"] {
        match state {
            "full" => fill(&client).await,
            "emptied" => empty(&client).await,
            _ => {}
        }
        for function in ["succeed", "settle", "settled", "tell_children"] {
            for query in queries_of(function) {
                let plan = explain(&client, &query).await;
                assert!(scans(&plan).is_empty(), "{function}, {state}: {:?}\n{plan}", scans(&plan));
                assert_eq!(whole_indexes(&plan), [""; 0], "{function}, {state}\n{plan}");
            }
        }
        for query in queries_of("poll") {
            let plan = explain(&client, &query).await;
            // Of servers that are gone, of which there is hardly ever one.
            let whole = scans(&plan).into_iter().filter(|scan| !scan.contains("portfire_running"));
            assert_eq!(whole.count(), 0, "poll, {state}\n{plan}");
        }
        let plan = explain(&client, queries_of("claim").last().unwrap()).await;
        let head = plan.split("CTE picked").nth(1).unwrap().split("CTE gone").next().unwrap();
        assert!(head.contains("Index Scan using portfire_ready_pkey"), "{plan}");
        assert!(!head.contains("Sort"), "the queues are read in order, not sorted\n{plan}");
        assert!(scans(&plan).is_empty() && whole_indexes(&plan).is_empty(), "claim, {state}\n{plan}");
        for query in queries_of("claim_again") {
            let plan = explain(&client, &query).await;
            // Who repeats a claim reads all that runs, once.
            let others = scans(&plan).into_iter().filter(|scan| !scan.contains("portfire_running"));
            assert_eq!(others.count(), 0, "claim_again, {state}\n{plan}");
        }
    }
}

/// A set may have thousands of jobs, and the plan that is kept expects a handful.
#[tokio::test]
async fn the_plan_of_an_enqueue_that_is_kept_has_no_loop_over_the_set() {
    let schema = Schema::new();
    schema.open().await;
    let client = client(&schema).await;
    let pins = FUNCTIONS.lines().find(|line| line.contains("SET enable_nestloop")).unwrap();
    let pins = pins.trim_end_matches(" AS $$").replace(" SET ", "; SET ");
    client.batch_execute("CREATE TEMP TABLE few AS SELECT id FROM portfire_job").await.unwrap();
    client.batch_execute(&pins).await.unwrap();
    for full in [false, true] {
        if full {
            fill(&client).await;
        }
        for function in ["insert", "place"] {
            let plan = explain(&client, &queries_of(function)[0]).await;
            let hashed = plan.contains("Hash Left Join") || plan.contains("Hash Right Join");
            assert!(hashed && !plan.contains("Nested Loop"), "{function}, full {full}\n{plan}");
            assert!(scans(&plan).is_empty(), "{function}, full {full}\n{plan}");
        }
    }
}

/// A session keeps them for days, while tables fill and empty: there must be nothing in them to choose.
#[tokio::test]
async fn what_is_prepared_has_one_plan_for_empty_and_for_big_tables() {
    let schema = Schema::new();
    schema.open().await;
    let client = client(&schema).await;
    client.batch_execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
    // A vacuum is what tells the planner that a table is empty.
    client.batch_execute("VACUUM ANALYZE portfire_job, portfire_ready, portfire_tally").await.unwrap();
    let mut empty = Vec::new();
    for (number, sql) in KEPT.iter().enumerate() {
        let name = format!("kept_{number}");
        client.batch_execute(&format!("PREPARE {name} AS {sql}")).await.unwrap();
        empty.push(kept_plan(&client, &name, sql).await);
    }
    fill(&client).await;
    for (number, (sql, empty)) in KEPT.iter().zip(&empty).enumerate() {
        assert!(!empty.contains("Seq Scan") && !empty.contains("Index Scan"), "it reads a table\n{empty}");
        assert_eq!(&kept_plan(&client, &format!("kept_{number}"), sql).await, empty, "as it was prepared");
        let anew = format!("anew_{number}");
        client.batch_execute(&format!("PREPARE {anew} AS {sql}")).await.unwrap();
        assert_eq!(&kept_plan(&client, &anew, sql).await, empty, "prepared now");
    }
}
