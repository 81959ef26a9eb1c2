//! What is prepared in the sessions: once in each that is ours, nothing behind a pooler, and no call fails where a
//! session did not keep it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portfire_core::storage::Inserted;
use portfire_core::{Keep, NewJob, Policy, Retention, Storage, VirtualClock};
use portfire_postgres::{PostgresOptions, PostgresStorage};

use crate::bed::{Schema, beaten, connect, exchange, job, succeeded, want};
use crate::proxy::{self, Seen};

/// A storage with one session for its work, which listens if told so, and thereby says that no pooler is there.
async fn open(schema: &Schema, seen: &Arc<Seen>, listen: bool) -> PostgresStorage {
    let url = proxy::start(Arc::clone(seen)).await;
    let options = PostgresOptions::new(&url).unwrap().tables(schema.tables()).listen(listen);
    PostgresStorage::open(options).await.unwrap()
}

/// Some of all that is prepared.
async fn live(storage: &PostgresStorage) {
    let server = beaten(storage).await;
    let mut settlements = Vec::new();
    for _ in 0..8 {
        assert_eq!(storage.insert(vec![job()]).await.unwrap(), [Inserted::New]);
        storage.insert((0..3).map(|_| job()).collect()).await.unwrap();
        let exchanged = exchange(storage, server, settlements, Some(want(4))).await;
        assert_eq!(exchanged.claimed.len(), 4);
        settlements = exchanged.claimed.iter().map(succeeded).collect();
        storage.poll(["default".into()].into()).await.unwrap();
        storage.promote(9).await.unwrap();
    }
}

/// Has each job that is stored do something in its session.
async fn when_stored(schema: &Schema, body: &str) {
    let name = &schema.name;
    let trigger = format!(
        "CREATE TABLE {name}.looked (process integer, statement text);
         CREATE FUNCTION {name}.look() RETURNS trigger LANGUAGE plpgsql AS $$
         DECLARE last bigint;
         BEGIN {body}; RETURN NULL; END $$;
         CREATE TRIGGER look AFTER INSERT ON {name}.portfire_job EXECUTE FUNCTION {name}.look()"
    );
    connect().await.batch_execute(&trigger).await.unwrap();
}

#[tokio::test]
async fn what_runs_all_day_is_prepared_once_in_each_session() {
    let schema = Schema::new();
    let storage = open(&schema, &Arc::default(), true).await;
    let name = &schema.name;
    let look = format!(
        "DELETE FROM {name}.looked WHERE process = pg_backend_pid();
         INSERT INTO {name}.looked SELECT pg_backend_pid(), statement FROM pg_prepared_statements"
    );
    when_stored(&schema, &look).await;
    live(&storage).await;
    let client = connect().await;
    let end = format!("SELECT pg_terminate_backend(process) FROM {name}.looked LIMIT 1");
    client.batch_execute(&end).await.unwrap();
    live(&storage).await;
    let all = format!(
        "SELECT count(*), count(DISTINCT (process, statement)), count(DISTINCT process), count(DISTINCT statement)
         FROM {name}.looked WHERE statement LIKE '%{name}.%' AND statement NOT LIKE '%portfire_insert(%'"
    );
    // The function is for what is repeated, as a call may be that loses its session.
    let counts = client.query_one(&all, &[]).await.unwrap();
    let [all, different, processes, statements] = [0, 1, 2, 3].map(|column| counts.get::<_, i64>(column));
    assert_eq!((processes, all), (2, different), "none is prepared twice in a session");
    assert_eq!(all, 2 * statements, "a new session has them all");
    let others =
        format!("SELECT statement FROM {name}.looked WHERE statement ~ 'portfire_(server|scheduled)'");
    assert!(
        client.query(&others, &[]).await.unwrap().is_empty(),
        "what is planned each time is not prepared"
    );
}

#[tokio::test]
async fn nothing_is_prepared_where_sessions_may_be_shared() {
    for (listen, poses_as_pooler) in [(false, false), (true, true), (true, false)] {
        let (schema, seen) = (Schema::new(), Arc::new(Seen::default()));
        seen.poses_as_pooler.store(poses_as_pooler, Ordering::Relaxed);
        live(&open(&schema, &seen, listen).await).await;
        let (named, is_ours) = (seen.named.load(Ordering::Relaxed), listen && !poses_as_pooler);
        assert_eq!(named > 0, is_ours, "{named} named; listens {listen}, a pooler {poses_as_pooler}");
    }
}

/// They have statements of their own where sessions keep them, and leave the same behind.
#[tokio::test]
async fn plain_jobs_are_stored_as_by_the_function() {
    const COLUMNS: &str =
        "kind, queue, priority, run_at, created_at, args, policy, unique_name, tags, has_parents,
        cancelled_keep, attempts, crashes, schedule, slot_at";
    let instant = Arc::new(VirtualClock::default());
    let mut stored = Vec::new();
    for listen in [true, false] {
        let schema = Schema::new();
        let options = schema.options().listen(listen).clock(Arc::<VirtualClock>::clone(&instant));
        let storage = PostgresStorage::open(options).await.unwrap();
        for numbers in [1..2, 2..3, 1..4] {
            let jobs: Vec<_> = numbers.map(various).collect();
            let stored = vec![Inserted::New; jobs.len()];
            assert_eq!(storage.insert(jobs).await.unwrap(), stored);
        }
        let name = &schema.name;
        let rows = format!(
            "SELECT format('%s', (SELECT array_agg(j ORDER BY j) FROM (SELECT {COLUMNS} FROM {name}.portfire_job) AS j))
             UNION ALL SELECT format('%s', (SELECT array_agg(r ORDER BY r) FROM
                (SELECT queue, priority, run_at, kind FROM {name}.portfire_ready) AS r))
             UNION ALL SELECT format('%s', (SELECT array_agg(t ORDER BY t) FROM
                (SELECT width, at, kind, queue, sum(created) FROM {name}.portfire_tally GROUP BY 1, 2, 3, 4) AS t))"
        );
        let rows = connect().await.query(&rows, &[]).await.unwrap();
        stored.push(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>());
    }
    assert_eq!(stored[0], stored[1]);
}

/// Jobs that differ in all that a plain one may say.
fn various(number: i16) -> NewJob {
    let retention = Retention {
        cancelled: [Keep::Forever, Keep::For(Duration::from_secs(9))][usize::from(number == 1)],
        ..Retention::default()
    };
    let policy = Policy { retention, attempts_max: 3 + number.unsigned_abs(), ..Policy::default() };
    let queue = if number == 2 { "bulk" } else { "default" };
    NewJob { queue: queue.into(), priority: number, policy, ..job() }
}

/// A session in which a claim has been `prepared` or not; what is done in it while a job is stored, and what is done
/// to the database then.
struct Trouble<'a> {
    prepared: bool,
    inside: &'a str,
    outside: &'a str,
}

/// The job is claimed by the next call all the same, and nothing is prepared any more.
async fn survive(trouble: Trouble<'_>) {
    let (schema, seen) = (Schema::new(), Arc::new(Seen::default()));
    let storage = open(&schema, &seen, true).await;
    let server = beaten(&storage).await;
    if trouble.prepared {
        assert!(exchange(&storage, server, Vec::new(), Some(want(1))).await.claimed.is_empty());
    }
    when_stored(&schema, trouble.inside).await;
    storage.insert(vec![job()]).await.unwrap();
    let outside =
        format!("SET search_path TO {}; DROP TRIGGER look ON portfire_job; {}", schema.name, trouble.outside);
    connect().await.batch_execute(&outside).await.unwrap();
    let before = seen.named.load(Ordering::Relaxed);
    let exchanged = exchange(&storage, server, Vec::new(), Some(want(1))).await;
    assert_eq!(exchanged.claimed.len(), 1, "in the same call");
    let tried = usize::from(!trouble.prepared);
    assert_eq!(storage.insert(vec![job()]).await.unwrap(), [Inserted::New]);
    let settlements = exchanged.claimed.iter().map(succeeded).collect();
    assert_eq!(exchange(&storage, server, settlements, Some(want(1))).await.claimed.len(), 1);
    live(&storage).await;
    assert_eq!(seen.named.load(Ordering::Relaxed), before + tried, "it gave up preparing");
}

/// 26000.
#[tokio::test]
async fn what_a_session_has_forgotten_travels_unnamed() {
    survive(Trouble { prepared: true, inside: "DEALLOCATE ALL", outside: "" }).await;
}

/// 42P05: the driver counts its names, and another program has used the next ones in this session.
#[tokio::test]
async fn what_has_a_name_that_is_taken_travels_unnamed() {
    let inside =
        "SELECT max(substr(name, 2)::bigint) INTO last FROM pg_prepared_statements WHERE name ~ '^s[0-9]+$';
        FOR n IN last + 1 .. last + 2000 LOOP EXECUTE format('PREPARE s%s AS SELECT 1', n); END LOOP";
    survive(Trouble { prepared: false, inside, outside: "" }).await;
}

/// 08P01: another program has prepared something else under the same name in this session.
#[tokio::test]
async fn what_is_another_statement_travels_unnamed() {
    let inside =
        "SELECT min(substr(name, 2)::bigint) INTO last FROM pg_prepared_statements WHERE name ~ '^s[0-9]+$';
        EXECUTE 'DEALLOCATE ALL'; EXECUTE format('PREPARE s%s AS SELECT 1', last)";
    survive(Trouble { prepared: true, inside, outside: "" }).await;
}

/// 0A000: another version of this program has migrated the tables.
#[tokio::test]
async fn what_answers_otherwise_after_a_migration_travels_unnamed() {
    let outside = "ALTER FUNCTION portfire_claim RENAME TO old_claim;
        DO $do$ BEGIN EXECUTE (
            SELECT format('CREATE FUNCTION portfire_claim(%s) RETURNS %s LANGUAGE sql SET search_path FROM CURRENT
                AS $$ SELECT * FROM old_claim(%s) $$', pg_get_function_identity_arguments(oid),
                replace(pg_get_function_result(oid), 'kind text', 'kind varchar'),
                (SELECT string_agg('$' || n, ', ') FROM generate_series(1, pronargs) AS n))
            FROM pg_proc WHERE oid = 'old_claim'::regproc);
        END $do$";
    survive(Trouble { prepared: true, inside: "NULL", outside }).await;
}
