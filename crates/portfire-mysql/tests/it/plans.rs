//! The plans of everything that is run: along an index, never through a whole table that grows, and nothing sorted
//! that has an order already. A proxy keeps what the storage asks, and the database explains it.

use portfire_core::storage::{
    Action, AuditRequest, By, Cursor, Exchange, FaultCursor, FaultGroupRequest, FaultOrder, Filter, Note,
    PageRequest, Person, Progress, QueueOrder, TallyRequest, Target, Via, Width, Without,
};
use portfire_core::{Dependency, Fault, JobId, NewJob, Start, State, Storage, Timestamp, Trigger};
use portfire_mysql::MysqlStorage;
use portfire_mysql::mysql_async::prelude::Queryable;
use portfire_mysql::mysql_async::{Conn, Row};

use crate::bed::{Database, Engine, beaten, exchange, job, on_both, succeeded, want};
use crate::proxy::through_proxy;

on_both! {
    nothing_scans_or_sorts_a_table_that_grows
    plans_do_not_change_as_tables_grow
    what_is_held_is_looked_up_in_the_smallest_tables
    a_claim_reads_no_more_than_it_takes
}

/// Tables of a few rows, which may be read whole.
const SMALL: [&str; 3] = ["server", "paused_queue", "meta"];

/// What may be sorted, because it is a handful of rows that no index has in that order.
const SORTED: [&str; 3] = ["portfire_tally WHERE width IN", "GROUP BY j.queue", "DISTINCT parent, child"];

/// 40,000 jobs in all the tables, with instants that have passed.
const FILL: &str = "
    INSERT INTO portfire_job (id, kind, queue, priority, run_at, created_at, args, has_parents)
        WITH RECURSIVE d (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM d WHERE n < 199)
        SELECT unhex(lpad(hex(a.n * 200 + b.n + 1), 32, '0')), 'work', 'default', 0, a.n * 200 + b.n + 1,
            a.n * 200 + b.n + 1, '{}', 0 FROM d AS a CROSS JOIN d AS b;
    INSERT INTO portfire_ready SELECT queue, priority, run_at, id, kind FROM portfire_job WHERE run_at <= 10000;
    INSERT INTO portfire_scheduled SELECT run_at, id, run_at % 2 FROM portfire_job WHERE run_at BETWEEN 10001 AND 20000;
    INSERT INTO portfire_running (id, token, place, server, attempt, started_at, cancel_requested)
        SELECT id, id, 1, id, 1, 1, 0 FROM portfire_job WHERE run_at BETWEEN 20001 AND 22000;
    INSERT INTO portfire_awaiting SELECT id, 1 FROM portfire_job WHERE run_at BETWEEN 22001 AND 25000;
    INSERT INTO portfire_finished (id, state, finished_at, started_at, token, server, prune_at, fingerprint)
        SELECT id, if(run_at % 2, 'succeeded', 'failed'), run_at, run_at, id, id, run_at,
            if(run_at % 2, NULL, lpad(hex(run_at % 10), 16, '0')) FROM portfire_job WHERE run_at > 25000;
    INSERT INTO portfire_dependency (child, `position`, parent, on_end)
        SELECT id, 1, id, 'end' FROM portfire_job WHERE run_at BETWEEN 22001 AND 25000;
    INSERT INTO portfire_unique_name SELECT 'work', hex(id), id FROM portfire_job WHERE run_at <= 10000;
    INSERT INTO portfire_attempt (job, seq, attempt, started_at, ended_at, server, outcome, fault)
        SELECT id, 1, 1, 1, 1, id, 'failed', 'it broke' FROM portfire_job;
    INSERT INTO portfire_tag SELECT 'red', id FROM portfire_job;
    INSERT INTO portfire_log (job, seq, attempt, at, text) SELECT id, 1, 1, 1, 'line' FROM portfire_job;
    INSERT INTO portfire_progress (job, done) SELECT id, 1 FROM portfire_job;
    INSERT INTO portfire_result SELECT id, '1' FROM portfire_job;
    INSERT INTO portfire_schedule (id, cron, zone, definition, revision, next_at, created_at)
        SELECT run_at, '* * * * *', 'UTC', '{}', 1, NULL, 1 FROM portfire_job WHERE run_at <= 5000;
    INSERT INTO portfire_slot SELECT run_at % 100, run_at, run_at, 'fired', NULL FROM portfire_job WHERE run_at <= 20000;
    INSERT INTO portfire_audit (at, sort, target, action, actor, via, outcome)
        SELECT run_at, 'queue', run_at % 500, 'pause', 'ann', 'api', 'done' FROM portfire_job WHERE run_at <= 20000;
    INSERT INTO portfire_tally (width, at, shard, kind, queue)
        SELECT 60, run_at, run_at % 2, 'work', 'default' FROM portfire_job WHERE run_at <= 20000;
    INSERT INTO portfire_fault_group (fingerprint, kind, sample, first_at, last_at, `count`, last_job)
        SELECT lpad(hex(run_at), 16, '0'), 'work', '', run_at, run_at, run_at, id FROM portfire_job WHERE run_at <= 20000;
    ANALYZE TABLE portfire_job, portfire_ready, portfire_scheduled, portfire_running, portfire_finished,
        portfire_awaiting, portfire_dependency, portfire_unique_name, portfire_attempt, portfire_tag, portfire_log,
        portfire_progress, portfire_result, portfire_schedule, portfire_slot, portfire_audit, portfire_tally,
        portfire_fault_group";

/// One step of a plan.
#[derive(Debug)]
pub(crate) struct Step {
    /// The table, by the name that the statement gives it.
    table: String,
    select: String,
    access: String,
    key: String,
    extra: String,
}

pub(crate) async fn explain(conn: &mut Conn, engine: Engine, sql: &str) -> Vec<Step> {
    let format = if engine == Engine::Mysql { "FORMAT = TRADITIONAL " } else { "" };
    let rows: Vec<Row> = conn.query(format!("EXPLAIN {format}{sql}")).await.unwrap();
    let text = |row: &Row, column: &str| row.get::<Option<String>, _>(column).flatten().unwrap_or_default();
    let step = |row: &Row| Step {
        table: text(row, "table"),
        select: text(row, "select_type"),
        access: text(row, "type"),
        key: text(row, "key"),
        extra: text(row, "Extra"),
    };
    // The rows of a set that is written as a table are no step.
    rows.iter().map(step).filter(|step| step.extra != "No tables used").collect()
}

/// The table that a statement calls by this name.
fn table_of(sql: &str, name: &str) -> String {
    let words: Vec<_> = sql.split_whitespace().map(|word| word.trim_matches(['(', ')', ',', ';'])).collect();
    let named = words.windows(3).find(|three| three[1] == "AS" && three[2] == name);
    let table = named.map_or(name, |three| three[0]);
    table.strip_prefix("portfire_").unwrap_or(table).to_owned()
}

/// The indexes that a statement forces, by the name of the table.
fn forced(sql: &str) -> Vec<(String, String)> {
    let parts = sql.split(" FORCE INDEX (").collect::<Vec<_>>();
    let pairs = parts.windows(2).map(|two| {
        let table = two[0].split_whitespace().last().unwrap().to_owned();
        (table, two[1].split(')').next().unwrap().to_owned())
    });
    pairs.collect()
}

/// What is wrong with a plan.
pub(crate) fn wrong(sql: &str, plan: &[Step]) -> Vec<String> {
    // What is known before anything is read, because a key is asked for in vain, has no plan.
    if plan.iter().any(|step| step.table.is_empty()) {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for step in plan.iter().filter(|step| !step.table.starts_with('<')) {
        let written =
            step.select == "INSERT" || sql.starts_with("INSERT") && step.access == "ALL" && plan.len() == 1;
        if written || SMALL.contains(&&*table_of(sql, &step.table)) {
            continue;
        }
        if step.access == "ALL" || step.access == "index" && !sql.contains(" LIMIT ") {
            wrong.push(format!("`{}` is read whole ({})", step.table, step.access));
        }
    }
    // The few rows that an inner select has found may be sorted.
    let sorts = plan.iter().filter(|step| step.extra.contains("filesort") && !step.table.starts_with('<'));
    if !SORTED.iter().any(|known| sql.contains(known)) {
        wrong.extend(sorts.map(|step| format!("`{}` is sorted", step.table)));
    }
    for (table, key) in forced(sql) {
        if !plan.iter().any(|step| step.table == table && step.key == key) {
            wrong.push(format!("`{table}` is not read along `{key}`"));
        }
    }
    wrong
}

/// Everything that a storage can be asked; it does not matter what it answers.
async fn ask_everything(storage: &MysqlStorage) {
    steer_and_write(storage).await;
    let ann = Person::new("ann", Via::Api).unwrap();
    storage.direct_queues(vec!["slow".into()], QueueOrder::Pause, By::Person(ann.clone())).await.unwrap();
    storage.direct_queues(vec!["slow".into()], QueueOrder::Resume, By::Person(ann)).await.unwrap();
    storage.poll(["default".into()].into()).await.unwrap();
    storage.promote(100).await.unwrap();
    storage.expired(100).await.unwrap();
    storage.prune(100).await.unwrap();
    storage.due_schedules(100).await.unwrap();
    storage.list_schedules(Some("1".into()), 100).await.unwrap();
    storage.get_schedules(vec!["1".into()]).await.unwrap();
    storage.slots("1".into(), None, 100).await.unwrap();
    storage.audit(None, AuditRequest::default()).await.unwrap();
    storage.audit(Some(Target::Queue("7".into())), AuditRequest::default()).await.unwrap();
    storage.overview().await.unwrap();
    for order in [FaultOrder::Latest, FaultOrder::Most] {
        let groups = FaultGroupRequest { order, ..FaultGroupRequest::default() };
        let after = storage.fault_groups(groups.clone()).await.unwrap();
        let after = after.last().map(FaultCursor::of);
        storage.fault_groups(FaultGroupRequest { after, ..groups }).await.unwrap();
    }
    let until = storage.now().await.unwrap();
    storage.tallies(TallyRequest::total(Width::Hour, Timestamp::default(), until)).await.unwrap();
    list_everything(storage).await;
}

async fn steer_and_write(storage: &MysqlStorage) {
    let server = beaten(storage).await;
    let after = |parent: JobId| Dependency { parent, on: Trigger::End };
    let parent = NewJob { unique: Some("one".into()), priority: -9, ..job() };
    let child = NewJob { after: vec![after(parent.id)], ..job() };
    let ids = [parent.id, child.id];
    storage.insert(vec![parent, child]).await.unwrap();
    let claimed = exchange(storage, server, Vec::new(), Some(want(100))).await.claimed;
    let lease = claimed[0].facts.lease;
    let progress = Progress { done: 1, total: None, message: None };
    let notes = vec![Note::Progress(lease, progress)];
    let settlements: Vec<_> = claimed.iter().map(succeeded).collect();
    let asked = Exchange { server, notes, settlements: settlements.clone(), want: Some(want(100)) };
    storage.exchange(asked).await.unwrap();
    exchange(storage, server, settlements, None).await;
    storage.get(ids.to_vec()).await.unwrap();
    for action in [Action::Prioritize(1), Action::Cancel, Action::RunNow, Action::Cancel, Action::Delete] {
        storage.act(ids.to_vec(), action, By::Program).await.unwrap();
    }
}

async fn list_everything(storage: &MysqlStorage) {
    let (id, at) = (JobId::from_bytes([1; 16]), Timestamp::from_micros(30_000));
    let cursor = Cursor { queue: "default".into(), priority: 0, at, id };
    let fault = Some(Fault::new("it broke").fingerprint("work"));
    let whole = Filter {
        kind: Some("work".into()),
        queue: Some("default".into()),
        since: Some(Timestamp::from_micros(1)),
        until: Some(at),
        text: Some("broke".into()),
        without: Without { tags: vec!["blue".into()], ..Without::default() },
        ..Filter::default()
    };
    let tagged = Filter { tag: Some("red".into()), ..whole.clone() };
    let mut filters = vec![Filter::default(), Filter { fault, ..tagged.clone() }, tagged.clone(), whole];
    filters.extend(State::ALL.map(Filter::of));
    filters.extend(State::ALL.map(|state| Filter { state: Some(state), ..tagged.clone() }));
    for filter in filters {
        for (after, before) in [(None, None), (Some(cursor.clone()), None), (None, Some(cursor.clone()))] {
            storage.list(filter.clone(), PageRequest { limit: 50, after, before }).await.unwrap();
        }
    }
}

/// What a storage asks a database, in full or empty tables, each statement once.
async fn asked(database: &Database, full: bool) -> Vec<String> {
    database.open().await;
    if full {
        database.connect().await.query_drop(FILL).await.unwrap();
    }
    let (storage, seen) = through_proxy(database).await;
    ask_everything(&storage).await;
    let mut asked: Vec<_> = seen.take().into_iter().flatten().collect();
    let verbs = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    asked.retain(|sql| verbs.iter().any(|verb| sql.starts_with(verb)));
    asked
}

async fn nothing_scans_or_sorts_a_table_that_grows(engine: Engine) {
    let database = Database::lent(engine).await;
    let asked = asked(&database, true).await;
    assert!(asked.len() > 100, "{} statements", asked.len());
    let mut conn = database.connect().await;
    let mut faults = Vec::new();
    for sql in &asked {
        let plan = explain(&mut conn, engine, sql).await;
        let wrong = wrong(sql, &plan);
        if !wrong.is_empty() {
            faults.push(format!("{wrong:?}\n{sql}\n{plan:#?}"));
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), asked.len(), faults.join("\n\n"));
}

/// What the database knows of its tables may be old: the same plans must be chosen while they seem empty.
async fn plans_do_not_change_as_tables_grow(engine: Engine) {
    let database = Database::lent(engine).await;
    let asked = asked(&database, false).await;
    let mut conn = database.connect().await;
    let (mut before, mut faults) = (Vec::new(), Vec::new());
    for sql in &asked {
        before.push(shape(&explain(&mut conn, engine, sql).await));
    }
    conn.query_drop(FILL).await.unwrap();
    let is_planned = |shape: &[(String, String)]| shape.iter().all(|(table, _)| !table.is_empty());
    for (sql, before) in asked.iter().zip(before) {
        let after = shape(&explain(&mut conn, engine, sql).await);
        if before != after && is_planned(&before) && is_planned(&after) && !sql.starts_with("INSERT") {
            faults.push(format!("{sql}\nempty: {before:?}\nfull: {after:?}"));
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), asked.len(), faults.join("\n\n"));
}

/// Which tables are read in which order, and along which indexes.
fn shape(plan: &[Step]) -> Vec<(String, String)> {
    plan.iter().map(|step| (step.table.clone(), step.key.clone())).collect()
}

/// What has ended is to be pruned, and there are tallies to be merged and groups to be forgotten.
const GROW_OLD: &str = "
    UPDATE portfire_finished SET prune_at = 1;
    REPLACE INTO portfire_tally (width, at, shard, kind, queue)
        VALUES (60, 1, 1, 'work', 'default'), (60, 2, 1, 'work', 'default'), (60, 3, 2, 'work', 'slow'),
            (60, 4, 2, 'work', 'slow'), (60, 5, 3, 'other', 'slow'), (60, 6, 3, 'other', 'slow');
    REPLACE INTO portfire_fault_group (fingerprint, kind, sample, first_at, last_at, `count`, last_job)
        VALUES ('a', 'work', '', 1, 1, 1, ''), ('b', 'work', '', 1, 2, 1, ''), ('c', 'work', '', 1, 3, 1, ''),
            ('d', 'work', '', 1, 4, 1, '');
    ANALYZE TABLE portfire_running, portfire_ready, portfire_awaiting, portfire_dependency, portfire_finished,
        portfire_job, portfire_tally, portfire_fault_group, portfire_unique_name, portfire_tag";

/// Eight jobs at a time in tables of ten: a scan is cheap for one, but it waits for what all others hold.
async fn what_is_held_is_looked_up_in_the_smallest_tables(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let (storage_seen, seen) = through_proxy(&database).await;
    let server = beaten(&storage_seen).await;
    let parents: Vec<_> = (0..10).map(|_| NewJob { start: Start::Now, ..job() }).collect();
    let on_end = |parent: &NewJob| Dependency { parent: parent.id, on: Trigger::End };
    let child = |parent: &NewJob| NewJob { after: vec![on_end(parent)], ..job() };
    let children: Vec<_> = parents.iter().map(child).collect();
    storage.insert([parents, children].concat()).await.unwrap();
    let claimed = exchange(&storage_seen, server, Vec::new(), Some(want(8))).await.claimed;
    let progress = Progress { done: 1, total: None, message: None };
    let notes = claimed.iter().map(|one| Note::Progress(one.facts.lease, progress.clone())).collect();
    let settlements = claimed.iter().map(succeeded).collect();
    storage_seen.exchange(Exchange { server, notes, settlements, want: Some(want(8)) }).await.unwrap();
    let mut conn = database.connect().await;
    conn.query_drop(GROW_OLD).await.unwrap();
    assert_eq!(storage_seen.prune(4).await.unwrap(), 4);
    conn.query_drop(GROW_OLD).await.unwrap();
    let asked: Vec<_> = seen.take().into_iter().flatten().collect();
    let holds = |sql: &&String| {
        let reads = ["FOR UPDATE", "LOCK IN SHARE MODE"].iter().any(|lock| sql.contains(lock));
        reads || sql.starts_with("DELETE") || sql.starts_with("UPDATE")
    };
    let held: Vec<_> = asked.iter().filter(holds).collect();
    let tidied = ["DELETE t FROM", "DELETE g FROM"].map(|kind| held.iter().any(|sql| sql.starts_with(kind)));
    assert!(held.len() >= 20 && tidied == [true; 2], "{held:#?}");
    let mut faults = Vec::new();
    for sql in held {
        let plan = explain(&mut conn, engine, sql).await;
        let wrong = wrong(sql, &plan);
        if !wrong.is_empty() {
            faults.push(format!("{wrong:?}\n{sql}\n{plan:#?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// The index is the order of claims: its head is read, or what follows a place, and nothing is sorted.
async fn a_claim_reads_no_more_than_it_takes(engine: Engine) {
    let database = Database::lent(engine).await;
    database.open().await;
    let mut conn = database.connect().await;
    conn.query_drop(FILL).await.unwrap();
    let (storage, seen) = through_proxy(&database).await;
    let server = beaten(&storage).await;
    for _ in 0..2 {
        assert_eq!(exchange(&storage, server, Vec::new(), Some(want(100))).await.claimed.len(), 100);
    }
    let asked: Vec<_> = seen.take().into_iter().flatten().collect();
    let claims: Vec<_> = asked.iter().filter(|sql| sql.contains("FROM portfire_ready AS r")).collect();
    let [from_the_head, behind] = *claims else { panic!("{claims:#?}") };
    reads_what_it_takes(&mut conn, engine, from_the_head, 101).await;
    // Behind a place it reads on to the end of that moment first, and sees there that it is over.
    reads_what_it_takes(&mut conn, engine, behind, 103).await;
}

async fn reads_what_it_takes(conn: &mut Conn, engine: Engine, claim: &str, most: u64) {
    let plan = explain(conn, engine, claim).await;
    assert!(plan.len() == 1 && plan[0].key == "PRIMARY", "{plan:#?}");
    assert!(!["filesort", "temporary"].iter().any(|more| plan[0].extra.contains(more)), "{plan:#?}");

    conn.query_drop("FLUSH STATUS; START TRANSACTION").await.unwrap();
    assert_eq!(conn.query::<Row, _>(claim).await.unwrap().len(), 100);
    let work =
        "SHOW SESSION STATUS WHERE Variable_name LIKE 'Handler_read%' OR Variable_name LIKE 'Sort_rows'";
    let work: Vec<(String, u64)> = conn.query(work).await.unwrap();
    let read: u64 = work.iter().map(|(_, count)| count).sum();
    assert!((100..=most).contains(&read), "{work:?}");
    conn.query_drop("ROLLBACK").await.unwrap();
}
