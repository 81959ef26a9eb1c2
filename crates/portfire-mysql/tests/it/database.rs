//! The database: its tables, their names, its roles, several who open it, and what survives.

use std::time::Duration;

use portfire_core::storage::{AuditRequest, Beat, Heard, Inserted, ServerInfo};
use portfire_core::{NewJob, Storage};
use portfire_mysql::mysql_async::prelude::Queryable;
use portfire_mysql::mysql_async::{Conn, TxOpts};
use portfire_mysql::{MysqlOptions, MysqlStorage};

use crate::bed::{Database, Engine, beaten, job, on_both, tables};

on_both! {
    the_migrations_end_in_the_golden_schema
    a_migration_that_was_cut_short_goes_on
    what_was_stored_is_there_after_reopening
    a_newer_schema_is_refused_and_left_alone
    prefixes_keep_tables_apart
    eight_may_open_at_once
    a_role_without_rights_to_change_tables_runs_what_another_has_migrated
    a_server_that_begins_transactions_by_itself_is_left_none
    each_thing_that_is_to_be_pruned_is_found
    a_database_that_is_away_is_waited_for_until_the_deadline
    lost_connections_are_made_anew_within_the_call
    a_server_that_only_reads_is_waited_for
    another_storage_wakes_a_waiter
    another_database_wakes_nobody
    jobs_of_a_transaction_wake_a_waiter_after_its_commit
    who_does_not_listen_says_so_and_hears_itself
    connections_are_encrypted_as_asked
    slow_looks_end_and_take_no_connection_from_work
}

/// Columns and indexes, as the catalog tells them. The collations that both engines have for the same purpose have
/// different names.
async fn described(database: &Database) -> String {
    let name = &database.name;
    let columns = format!(
        "SELECT concat(table_name, '.', column_name, ' ', data_type,
             coalesce(concat('(', if(data_type LIKE '%text', NULL, character_maximum_length), ')'), ''),
             if(column_type LIKE '%unsigned%', ' UNSIGNED', ''), if(is_nullable = 'NO', ' NOT NULL', ''),
             if(extra LIKE '%auto_increment%', ' AUTO_INCREMENT', ''),
             coalesce(concat(' COLLATE ', CASE WHEN collation_name IN ('utf8mb4_0900_bin', 'utf8mb4_nopad_bin')
                 THEN 'by bytes' ELSE collation_name END), ''))
         FROM information_schema.columns WHERE table_schema = '{name}' ORDER BY table_name, ordinal_position"
    );
    let indexes = format!(
        "SELECT concat(if(max(non_unique) = 0, 'UNIQUE ', ''), table_name, '.', index_name, ' (',
             group_concat(column_name ORDER BY seq_in_index SEPARATOR ', '), ')')
         FROM information_schema.statistics WHERE table_schema = '{name}'
         GROUP BY table_name, index_name ORDER BY table_name, index_name"
    );
    let mut conn = database.connect().await;
    let mut lines: Vec<String> = conn.query(columns).await.unwrap();
    lines.push(String::new());
    lines.extend(conn.query::<String, _>(indexes).await.unwrap());
    lines.push(String::new());
    lines.join("\n")
}

/// The golden file: a change of the schema is seen in review as its diff. Both engines have the same.
async fn the_migrations_end_in_the_golden_schema(engine: Engine) {
    let database = Database::fresh(engine).await;
    database.open().await;
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
    let found = described(&database).await;
    if std::fs::read_to_string(golden).unwrap_or_default() != found {
        std::fs::write(golden, &found).unwrap();
        panic!("schema.sql was not what the migrations make; it is now, so review its diff");
    }
}

/// These databases commit each change of a table by itself, so a migration can end anywhere.
async fn a_migration_that_was_cut_short_goes_on(engine: Engine) {
    let database = Database::fresh(engine).await;
    let job = job();
    database.open().await.insert(vec![job.clone()]).await.unwrap();
    let whole = described(&database).await;
    let cut = "DROP TABLE portfire_meta; DROP TABLE portfire_tally; DROP TABLE portfire_slot";
    database.connect().await.query_drop(cut).await.unwrap();
    let again = database.open().await;
    assert!(again.get(vec![job.id]).await.unwrap()[0].is_some());
    assert_eq!(described(&database).await, whole);
}

async fn what_was_stored_is_there_after_reopening(engine: Engine) {
    let database = Database::lent(engine).await;
    let job = job();
    database.open().await.insert(vec![job.clone()]).await.unwrap();
    let again = database.open().await;
    assert!(again.get(vec![job.id]).await.unwrap()[0].is_some());
}

async fn a_newer_schema_is_refused_and_left_alone(engine: Engine) {
    let database = Database::fresh(engine).await;
    database.open().await;
    let newer = "UPDATE portfire_meta SET version = 999";
    database.connect().await.query_drop(newer).await.unwrap();
    let refused = MysqlStorage::open(database.options()).await.unwrap_err();
    assert!(refused.is_broken() && refused.to_string().contains("upgrade the program"), "{refused}");
}

async fn prefixes_keep_tables_apart(engine: Engine) {
    let database = Database::fresh(engine).await;
    let open = |prefix| MysqlStorage::open(database.options().tables(tables().prefix(prefix).unwrap()));
    let (hangfire, ours) = (open("Hangfire_").await.unwrap(), open("portfire_").await.unwrap());
    let parent = job();
    hangfire.insert(vec![parent.clone()]).await.unwrap();
    assert!(hangfire.get(vec![parent.id]).await.unwrap()[0].is_some());
    assert!(ours.get(vec![parent.id]).await.unwrap()[0].is_none());
    assert_eq!(hangfire.overview().await.unwrap().counts[0].jobs, 1);
    assert!(ours.overview().await.unwrap().counts.is_empty());
    let view = hangfire.describe().await.unwrap();
    assert!(view.place.ends_with("Hangfire_*") && view.size_bytes.is_some(), "{view:?}");
}

async fn eight_may_open_at_once(engine: Engine) {
    let database = std::sync::Arc::new(Database::fresh(engine).await);
    let opened: Vec<_> = (0..8)
        .map(|_| {
            let database = std::sync::Arc::clone(&database);
            tokio::spawn(async move { database.open().await.insert(vec![job()]).await.unwrap() })
        })
        .collect();
    for task in opened {
        assert_eq!(task.await.unwrap(), [Inserted::New]);
    }
    assert_eq!(database.open().await.overview().await.unwrap().counts[0].jobs, 8);
}

/// The user that runs may neither make nor change tables, and need not.
async fn a_role_without_rights_to_change_tables_runs_what_another_has_migrated(engine: Engine) {
    let database = Database::fresh(engine).await;
    let (name, user) = (&database.name, format!("runs_{}", std::process::id()));
    let mut root = database.connect().await;
    let grant = |rights: &str| format!("GRANT {rights} ON {name}.* TO '{user}'@'%'");
    let make = format!("CREATE USER IF NOT EXISTS '{user}'@'%' IDENTIFIED BY 'secret'; {}", grant("SELECT"));
    root.query_drop(make).await.unwrap();
    let options = || {
        let (_, place) = database.url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        MysqlOptions::new(&format!("mysql://{user}:secret@{place}")).unwrap()
    };
    let refused = MysqlStorage::open(options().migrate(false)).await.unwrap_err();
    assert!(refused.is_broken() && refused.to_string().contains("may migrate"), "{refused}");
    let refused = MysqlStorage::open(options()).await.unwrap_err();
    assert!(refused.is_broken(), "{refused}");
    database.open().await;
    root.query_drop(grant("INSERT, UPDATE, DELETE")).await.unwrap();
    for migrate in [true, false] {
        let storage = MysqlStorage::open(options().migrate(migrate)).await.unwrap();
        assert_eq!(storage.insert(vec![job()]).await.unwrap(), [Inserted::New]);
        beaten(&storage).await;
        storage.prune(10).await.unwrap();
        storage.overview().await.unwrap();
    }
    root.query_drop(format!("DROP USER '{user}'@'%'")).await.unwrap();
}

/// A server may be configured so that any statement begins a transaction; here it is for one user only.
async fn a_server_that_begins_transactions_by_itself_is_left_none(engine: Engine) {
    let database = Database::lent(engine).await;
    database.open().await;
    let (name, user) = (&database.name, format!("hasty_{}", std::process::id()));
    let mut root = database.connect().await;
    let begin = "SET GLOBAL init_connect = 'SET autocommit = IF(CURRENT_USER() LIKE \"hasty%\", 0, 1)'";
    root.query_drop(begin).await.unwrap();
    let make = format!(
        "CREATE USER '{user}'@'%' IDENTIFIED BY 'secret'; GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO '{user}'@'%'"
    );
    root.query_drop(make).await.unwrap();
    let url = database.url().replace("//root@", &format!("//{user}:secret@"));
    let mut plain = Conn::from_url(&url).await.unwrap();
    assert_eq!(plain.query_first::<u8, _>("SELECT @@autocommit").await.unwrap(), Some(0));
    let storage = MysqlStorage::open(MysqlOptions::new(&url).unwrap()).await.unwrap();
    let server = beaten(&storage).await;
    let beat = Beat { server, lease: Duration::from_secs(60), info: ServerInfo::default() };
    storage.beat(beat).await.unwrap();
    storage.poll(["default".into()].into()).await.unwrap();
    let open = format!(
        "SELECT COUNT(*) FROM information_schema.innodb_trx AS t
         JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id WHERE p.user = '{user}'"
    );
    assert_eq!(root.query_first::<u64, _>(open).await.unwrap(), Some(0));
    drop(storage);
    root.query_drop(format!("DROP USER '{user}'@'%'")).await.unwrap();
}

/// What there is alone of all that may be pruned, and what says that it is there still.
const OLD: [(&str, &str); 8] = [
    (
        "portfire_finished (id, state, finished_at, prune_at) VALUES (REPEAT('1', 16), 'succeeded', 1, 1)",
        "TRUE",
    ),
    ("portfire_server (id, started_at, lease_until, info) VALUES (REPEAT('1', 16), 1, 1, '{}')", "TRUE"),
    (
        "portfire_audit (at, sort, target, action, actor, via, outcome) VALUES (1, 'job', '1', 'x', 'x', 'api', 'x')",
        "TRUE",
    ),
    (
        "portfire_tally (width, at, shard, kind, queue)
         VALUES (60, UNIX_TIMESTAMP(UTC_TIMESTAMP() - INTERVAL 5 MINUTE) DIV 60 * 60000000, 7, 'a', 'b')",
        "shard > 0",
    ),
    ("portfire_tally (width, at, shard, kind, queue) VALUES (60, 0, 0, 'a', 'b')", "width = 60"),
    ("portfire_tally (width, at, shard, kind, queue) VALUES (3600, 0, 0, 'a', 'b')", "width = 3600"),
    ("portfire_tally (width, at, shard, kind, queue) VALUES (86400, 0, 0, 'a', 'b')", "TRUE"),
    (
        "portfire_fault_group (fingerprint, kind, sample, first_at, last_at, `count`, last_job)
         VALUES ('1', 'a', 'b', 1, 1, 1, REPEAT('1', 16))",
        "TRUE",
    ),
];

/// One look tells whether there is anything.
async fn each_thing_that_is_to_be_pruned_is_found(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let mut root = database.connect().await;
    root.query_drop("SET time_zone = '+00:00'").await.unwrap();
    for (old, is_there) in OLD {
        root.query_drop(format!("INSERT INTO {old}")).await.unwrap();
        storage.prune(10).await.unwrap();
        let (table, _) = old.split_once(' ').unwrap();
        let left = format!("SELECT COUNT(*) FROM {table} WHERE {is_there}");
        assert_eq!(root.query_first::<u64, _>(left).await.unwrap(), Some(0), "{old}");
        root.query_drop(format!("DELETE FROM {table}")).await.unwrap();
    }
}

async fn a_database_that_is_away_is_waited_for_until_the_deadline(_: Engine) {
    let options = MysqlOptions::new("mysql://root@127.0.0.1:1/none").unwrap();
    let error = MysqlStorage::open(options.deadline(Duration::from_millis(100))).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

/// Ends every other connection to the database; answers how many there were.
async fn end_all(conn: &mut Conn, database: &Database) -> usize {
    let others = format!(
        "SELECT id FROM information_schema.processlist WHERE db = '{}' AND id <> connection_id()",
        database.name
    );
    let others: Vec<u64> = conn.query(others).await.unwrap();
    for other in &others {
        // One that ended by itself just now is no less gone.
        let _ = conn.query_drop(format!("KILL {other}")).await;
    }
    others.len()
}

/// A failover, a restart, an administrator: every connection goes at once, those of heartbeats too.
async fn lost_connections_are_made_anew_within_the_call(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let mut root = database.connect().await;
    for round in 0..3 {
        storage.insert(vec![job()]).await.unwrap();
        let server = beaten(&*storage).await;
        let ended = end_all(&mut root, &database).await;
        assert!(ended >= 2, "round {round}: one for work and one for heartbeats");
        assert_eq!(storage.insert(vec![job()]).await.unwrap(), [Inserted::New]);
        storage.leave(server, true).await.unwrap();
    }
    assert_eq!(storage.overview().await.unwrap().counts[0].jobs, 6);
}

/// After a failover the old primary answers, and refuses to write: that is waited out. A transaction of the
/// application that only reads gets the same refusal.
async fn a_server_that_only_reads_is_waited_for(engine: Engine) {
    let database = Database::lent(engine).await;
    database.open().await;
    let mut application = database.connect().await;
    application.query_drop("START TRANSACTION READ ONLY").await.unwrap();
    let refused = portfire_mysql::insert_in(&mut application, &tables(), &[job()]).await.unwrap_err();
    assert!(refused.is_transient(), "{refused}");
}

/// Longer than any ring takes.
const LONG: Duration = Duration::from_secs(30);

/// Waits until it listens, and has heard of all that was before.
async fn listening(storage: &dyn Storage) {
    let mut heard = Heard::default();
    while heard.rung || !heard.listens {
        heard = storage.wait(Duration::from_millis(300)).await.unwrap();
    }
}

async fn another_storage_wakes_a_waiter(engine: Engine) {
    let database = Database::lent(engine).await;
    let (waits, stores) = (database.open().await, database.open().await);
    listening(&*waits).await;
    for _ in 0..5 {
        let (stored, heard) = tokio::join!(stores.insert(vec![job()]), waits.wait(LONG));
        assert_eq!(stored.unwrap(), [Inserted::New]);
        assert!(heard.unwrap().rung, "it did not only wait");
        listening(&*waits).await;
    }
}

/// Two databases of one server, and two sets of tables in one, have bells of their own.
async fn another_database_wakes_nobody(engine: Engine) {
    let (here, there) = (Database::lent(engine).await, Database::lent(engine).await);
    let (waits, stores) = (here.open().await, there.open().await);
    listening(&*waits).await;
    stores.insert(vec![job()]).await.unwrap();
    listening(&*stores).await;
    assert!(!waits.wait(Duration::from_millis(300)).await.unwrap().rung);
}

/// Nobody is told when the application commits.
async fn jobs_of_a_transaction_wake_a_waiter_after_its_commit(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    listening(&*storage).await;
    let (mut application, job) = (database.connect().await, job());
    let mut tx = application.start_transaction(TxOpts::default()).await.unwrap();
    portfire_mysql::insert_in(&mut tx, &tables(), std::slice::from_ref(&job)).await.unwrap();
    let heard = storage.wait(LONG).await.unwrap();
    assert!(heard.rung && storage.get(vec![job.id]).await.unwrap()[0].is_none(), "too early, this time");
    tx.commit().await.unwrap();
    assert!(storage.wait(LONG).await.unwrap().rung, "it rings again");
    assert!(storage.get(vec![job.id]).await.unwrap()[0].is_some());
}

async fn who_does_not_listen_says_so_and_hears_itself(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = MysqlStorage::open(database.options().listen(false)).await.unwrap();
    let (stored, heard) = tokio::join!(storage.insert(vec![job()]), storage.wait(LONG));
    stored.unwrap();
    assert_eq!(heard.unwrap(), Heard { rung: true, listens: false });
}

/// MySQL makes itself a certificate; MariaDB has none unless it is given one.
async fn connections_are_encrypted_as_asked(engine: Engine) {
    let database = Database::lent(engine).await;
    let open = |mode: &str| {
        let options = MysqlOptions::new(&format!("{}?ssl-mode={mode}", database.url())).unwrap();
        MysqlStorage::open(options.deadline(Duration::from_secs(5)))
    };
    for mode in ["DISABLED", "PREFERRED"] {
        open(mode).await.unwrap().insert(vec![job()]).await.unwrap();
    }
    match engine {
        Engine::Mysql => {
            let storage = open("REQUIRED").await.unwrap();
            assert_eq!(storage.insert(vec![job()]).await.unwrap(), [Inserted::New]);
            let encrypted = format!(
                "SELECT count(*) FROM performance_schema.threads
                 WHERE processlist_db = '{}' AND connection_type = 'SSL/TLS'",
                database.name
            );
            let encrypted = database.connect().await.query_first::<u64, _>(encrypted).await.unwrap();
            assert!(encrypted.unwrap() > 0);
            let untrusted = open("VERIFY_IDENTITY").await.unwrap_err();
            assert!(!untrusted.is_misuse(), "{untrusted}");
        }
        Engine::Mariadb => {
            let refused = open("REQUIRED").await.unwrap_err();
            assert!(refused.to_string().contains("encrypt") || !refused.is_misuse(), "{refused}");
        }
    }
}

#[test]
fn a_job_may_hold_any_text() {
    let args = portfire_core::Json::trusted("\"\0'\\\"");
    assert!(NewJob { args, ..job() }.check().is_ok());
}

/// Looks that wait behind a lock end by themselves, in the database, and take nothing from those who work.
async fn slow_looks_end_and_take_no_connection_from_work(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let limit = Duration::from_millis(100);
    let options = database.options().for_dashboard().look_timeout(limit).deadline(Duration::from_secs(2));
    let looking = MysqlStorage::open(options).await.unwrap();
    assert!(looking.audit(None, AuditRequest::default()).await.unwrap().is_empty());
    looking.overview().await.unwrap();
    let mut conn = database.connect().await;
    conn.query_drop("LOCK TABLES portfire_audit WRITE").await.unwrap();
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
    let asked = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%portfire_audit%'
        AND info NOT LIKE '%processlist%' AND db = database()";
    // The database ends them, though nobody has unlocked the table.
    while conn.query_first::<i64, _>(asked).await.unwrap() != Some(0) {}
    conn.query_drop("UNLOCK TABLES").await.unwrap();
    assert!(looking.audit(None, AuditRequest::default()).await.unwrap().is_empty());
}
