//! The database: its schema, its names, its roles, several who open it, and what survives.

use std::time::Duration;

use portfire_core::storage::{AuditRequest, Heard, Inserted};
use portfire_core::{NewJob, Storage};
use portfire_postgres::{PostgresOptions, PostgresStorage, Tables};

use crate::bed::{Schema, beaten, connect, exchange, job, succeeded, url, want};

/// Columns, indexes and functions, as the catalog tells them.
async fn described(schema: &str) -> String {
    let client = connect().await;
    let queries = [
        "SELECT format('%s.%s %s%s%s', table_name, column_name, data_type,
             CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END,
             coalesce(' COLLATE ' || collation_name, ''))
         FROM information_schema.columns WHERE table_schema = $1 ORDER BY table_name, ordinal_position",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = $1 ORDER BY indexname",
        "SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
         WHERE n.nspname = $1 ORDER BY proname",
    ];
    let mut parts = Vec::new();
    for query in queries {
        let rows = client.query(query, &[&schema]).await.unwrap();
        parts.extend(rows.iter().map(|row| row.get::<_, String>(0).replace(schema, "SCHEMA")));
        parts.push(String::new());
    }
    parts.join("\n")
}

/// The golden file: a change of the schema is seen in review as its diff.
#[tokio::test]
async fn the_migrations_end_in_the_golden_schema() {
    let schema = Schema::new();
    schema.open().await;
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
    let found = described(&schema.name).await;
    if std::fs::read_to_string(golden).unwrap_or_default() != found {
        std::fs::write(golden, &found).unwrap();
        panic!("schema.sql was not what the migrations make; it is now, so review its diff");
    }
}

#[tokio::test]
async fn what_was_stored_is_there_after_reopening() {
    let schema = Schema::new();
    let job = job();
    schema.open().await.insert(vec![job.clone()]).await.unwrap();
    let again = schema.open().await;
    assert!(again.get(vec![job.id]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let schema = Schema::new();
    schema.open().await;
    let meta = format!("UPDATE {}.portfire_meta SET version = 999", schema.name);
    connect().await.batch_execute(&meta).await.unwrap();
    let refused = PostgresStorage::open(schema.options()).await.unwrap_err();
    assert!(refused.is_broken() && refused.to_string().contains("upgrade the program"), "{refused}");
}

#[tokio::test]
async fn prefixes_keep_tables_apart() {
    let schema = Schema::new();
    let open = |prefix| {
        let tables = schema.tables().prefix(prefix).unwrap();
        PostgresStorage::open(schema.options().tables(tables))
    };
    let (hangfire, ours) = (open("Hangfire_").await.unwrap(), open("portfire_").await.unwrap());
    let parent = job();
    hangfire.insert(vec![parent.clone()]).await.unwrap();
    assert!(hangfire.get(vec![parent.id]).await.unwrap()[0].is_some());
    assert!(ours.get(vec![parent.id]).await.unwrap()[0].is_none());
    let sql = format!("SELECT {}.Hangfire_enqueue('work')", schema.name);
    connect().await.batch_execute(&sql).await.unwrap();
    assert_eq!(hangfire.overview().await.unwrap().counts[0].jobs, 2);
    assert!(ours.overview().await.unwrap().counts.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_may_open_at_once() {
    let schema = std::sync::Arc::new(Schema::new());
    let opened: Vec<_> = (0..8)
        .map(|_| {
            let schema = std::sync::Arc::clone(&schema);
            tokio::spawn(async move { schema.open().await.insert(vec![job()]).await.unwrap() })
        })
        .collect();
    for task in opened {
        assert_eq!(task.await.unwrap(), [Inserted::New]);
    }
    assert_eq!(schema.open().await.overview().await.unwrap().counts[0].jobs, 8);
}

/// The role that runs may neither make nor change tables, and need not.
#[tokio::test]
async fn a_role_without_rights_to_change_tables_runs_what_another_has_migrated() {
    let schema = Schema::new();
    let (name, role) = (&schema.name, format!("{}_role", schema.name));
    let client = connect().await;
    client.batch_execute(&format!("CREATE SCHEMA {name}; CREATE ROLE {role} LOGIN")).await.unwrap();
    let grants = format!("GRANT USAGE ON SCHEMA {name} TO {role}");
    client.batch_execute(&grants).await.unwrap();
    let options = || {
        let url = url().replacen("://postgres@", &format!("://{role}@"), 1);
        PostgresOptions::new(&url).unwrap().tables(schema.tables())
    };
    let refused = PostgresStorage::open(options().migrate(false)).await.unwrap_err();
    assert!(refused.is_broken() && refused.to_string().contains("may migrate"), "{refused}");
    schema.open().await;
    let grants = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {role}");
    client.batch_execute(&grants).await.unwrap();
    for migrate in [true, false] {
        let storage = PostgresStorage::open(options().migrate(migrate)).await.unwrap();
        assert_eq!(storage.insert(vec![job()]).await.unwrap(), [Inserted::New]);
    }
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
}

#[tokio::test]
async fn text_that_the_database_cannot_store_is_a_misuse() {
    let storage_schema = Schema::new();
    let storage = storage_schema.open().await;
    let args = portfire_core::Json::trusted("\"\0\"");
    let refused = storage.insert(vec![NewJob { args, ..job() }]).await.unwrap_err();
    assert!(refused.is_misuse(), "{refused}");
}

#[tokio::test]
async fn a_database_that_is_away_is_waited_for_until_the_deadline() {
    let options = PostgresOptions::new("postgres://postgres@127.0.0.1:1/none").unwrap();
    let options = options.deadline(Duration::from_millis(100)).tables(Tables::default());
    let error = PostgresStorage::open(options).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

/// A failover, a restart, an administrator: every connection goes at once, those of heartbeats too.
#[tokio::test]
async fn lost_connections_are_made_anew_within_the_call() {
    let schema = Schema::new();
    let name = &schema.name;
    let separator = if url().contains('?') { '&' } else { '?' };
    let options = PostgresOptions::new(&format!("{}{separator}application_name={name}", url())).unwrap();
    let storage = PostgresStorage::open(options.tables(schema.tables())).await.unwrap();
    let client = connect().await;
    let terminate = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '{name}'"
    );
    for round in 0..3 {
        storage.insert(vec![job()]).await.unwrap();
        let server = beaten(&storage).await;
        let ended: i64 = client.query_one(&terminate, &[]).await.unwrap().get(0);
        assert!(ended >= 2, "round {round}: one for work and one for heartbeats");
        assert_eq!(storage.insert(vec![job()]).await.unwrap(), [Inserted::New]);
        storage.leave(server, true).await.unwrap();
    }
    assert_eq!(storage.overview().await.unwrap().counts[0].jobs, 6);
}

/// By hand, by an old version: who takes out a server's row does not take its jobs with it.
#[tokio::test]
async fn jobs_of_a_server_whose_row_is_gone_are_found() {
    let schema = Schema::new();
    let storage = schema.open().await;
    let client = connect().await;
    let left = format!("SELECT count(*) FROM {}.portfire_left", schema.name);
    let left = async || client.query_one(&left, &[]).await.unwrap().get::<_, i64>(0);
    let poll = || storage.poll(["default".into()].into());
    let server = beaten(&*storage).await;
    storage.insert(vec![job()]).await.unwrap();
    let claimed = exchange(&*storage, server, Vec::new(), Some(want(1))).await.claimed;
    client.batch_execute(&format!("DELETE FROM {}.portfire_server", schema.name)).await.unwrap();
    storage.prune(9).await.unwrap();
    assert!(poll().await.unwrap().expired && left().await == 1);

    exchange(&*storage, server, vec![succeeded(&claimed[0])], None).await;
    assert!(!poll().await.unwrap().expired);
    storage.prune(9).await.unwrap();
    assert_eq!(left().await, 0, "it holds nothing any more");
    storage.leave(beaten(&*storage).await, true).await.unwrap();
    assert_eq!(left().await, 0, "as it has said");
}

/// Longer than any ring takes.
const LONG: Duration = Duration::from_secs(30);
/// As long as who rings again would need.
const QUIET: Duration = Duration::from_millis(300);

/// Waits until it listens, and has heard of all that was before.
async fn listening(storage: &dyn Storage) {
    let mut heard = Heard::default();
    while heard.rung || !heard.listens {
        heard = storage.wait(QUIET).await.unwrap();
    }
}

#[tokio::test]
async fn another_storage_wakes_a_waiter() {
    let schema = Schema::new();
    let (waits, stores) = (schema.open().await, schema.open().await);
    listening(&*waits).await;
    let (stored, heard) = tokio::join!(stores.insert(vec![job()]), waits.wait(LONG));
    assert_eq!(stored.unwrap(), [Inserted::New]);
    assert!(heard.unwrap().rung, "it did not only wait");
}

/// Nobody is told when the application commits.
#[tokio::test]
async fn jobs_of_a_transaction_wake_a_waiter_after_its_commit() {
    let schema = Schema::new();
    let storage = schema.open().await;
    listening(&*storage).await;
    let (mut application, job) = (connect().await, job());
    let tx = application.transaction().await.unwrap();
    portfire_postgres::insert_in(&tx, &schema.tables(), std::slice::from_ref(&job)).await.unwrap();
    let heard = storage.wait(LONG).await.unwrap();
    assert!(heard.rung && storage.get(vec![job.id]).await.unwrap()[0].is_none(), "too early, this time");
    tx.commit().await.unwrap();
    assert!(storage.wait(LONG).await.unwrap().rung, "it rings again");
    assert!(storage.get(vec![job.id]).await.unwrap()[0].is_some());
}

/// Its own bell was heard at once: a server that heard it again from the database would look twice.
#[tokio::test]
async fn a_storage_does_not_hear_its_own_notifications() {
    let schema = Schema::new();
    let (rings, hears) = (schema.open().await, schema.open().await);
    listening(&*rings).await;
    listening(&*hears).await;
    rings.insert(vec![job()]).await.unwrap();
    assert!(rings.wait(LONG).await.unwrap().rung, "its own bell");
    assert!(hears.wait(LONG).await.unwrap().rung, "the database has told everybody");
    assert!(!rings.wait(QUIET).await.unwrap().rung, "and itself");
}

/// Who is free here has a head start; the others hear of it all the same.
#[tokio::test]
async fn others_hear_of_what_was_heard_here_first() {
    let schema = Schema::new();
    let (rings, hears) = (schema.open().await, schema.open().await);
    listening(&*rings).await;
    listening(&*hears).await;
    let (here, stored) = tokio::join!(rings.wait(LONG), rings.insert(vec![job()]));
    assert_eq!(stored.unwrap(), [Inserted::New]);
    assert!(here.unwrap().rung && hears.wait(LONG).await.unwrap().rung);
}

#[tokio::test]
async fn who_does_not_listen_says_so_and_hears_itself() {
    let schema = Schema::new();
    let storage = PostgresStorage::open(schema.options().listen(false)).await.unwrap();
    let (stored, heard) = tokio::join!(storage.insert(vec![job()]), storage.wait(LONG));
    stored.unwrap();
    assert_eq!(heard.unwrap(), Heard { rung: true, listens: false });
}

/// Looks that wait behind a lock end by themselves, in the database, and take nothing from those who work.
#[tokio::test]
async fn slow_looks_end_and_take_no_connection_from_work() {
    let schema = Schema::new();
    let storage = schema.open().await;
    let limit = Duration::from_millis(100);
    let options = schema.options().for_dashboard().statement_timeout(limit).deadline(Duration::from_secs(2));
    let looking = PostgresStorage::open(options).await.unwrap();
    let client = connect().await;
    let held = format!("BEGIN; LOCK TABLE {}.portfire_audit", schema.name);
    client.batch_execute(&held).await.unwrap();
    let looks = async {
        let audits = (0..9).map(|_| looking.audit(None, AuditRequest::default()));
        futures_util::future::join_all(audits).await
    };
    let (looks, stored) = tokio::join!(looks, storage.insert(vec![job()]));
    stored.unwrap();
    for late in looks {
        let late = late.unwrap_err();
        let causes = std::iter::successors(Some(&late as &dyn std::error::Error), |error| error.source());
        let said: Vec<_> = causes.map(ToString::to_string).collect();
        assert!(late.is_transient() && said.join(" ").contains("within 2s"), "{said:?}");
    }
    client.batch_execute("ROLLBACK").await.unwrap();
    assert!(looking.audit(None, AuditRequest::default()).await.unwrap().is_empty());
}
