//! A PostgreSQL server as the contestants share it: each heat has a database of its own, which is dropped after.
//!
//! A server counts a connection's transactions when they are some seconds old, or when it ends. So what is
//! counted is read once nobody is connected.

pub(super) mod bare;
pub(super) mod packed;

use std::any::Any;
use std::path::Path;
use std::time::Duration;

use portfire_postgres::tokio_postgres::{Client, Config, NoTls};
use tokio::runtime::Handle;

use crate::contestant::{Doing, Fallible};
use crate::database::{Answer, Counts, Database, Ground};
use crate::processes::family_cpu;
use crate::stopwatch;
use crate::workload::Workload;

/// `PGSTAT_IDLE_INTERVAL` of PostgreSQL, and a second more.
const LAG: Duration = Duration::from_secs(11);
/// How often, and how many times, it is looked whether everybody is gone: 10 s in all.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOKS_MAX: u32 = 1_000;
/// What is said of the server in a report.
const SETTINGS: [&str; 3] = ["fsync", "synchronous_commit", "shared_buffers"];

/// Where a server counts statements, if it was started so.
const STATEMENTS: &str = "pg_stat_statements";

/// A server with the settings that it has.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    pub(crate) url: Option<String>,
}

impl Postgres {
    /// How to reach a database of the server.
    fn config(&self, database: Option<&str>) -> Fallible<Config> {
        let missing = "no PostgreSQL server is given; `cargo xtask bench` starts one, or set \
                       PORTFIRE_BENCH_POSTGRES_URL";
        let mut config: Config = self.url.as_deref().ok_or(missing)?.parse()?;
        if let Some(database) = database {
            config.dbname(database);
        }
        Ok(config)
    }
}

impl Database for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn promise(&self) -> &'static str {
        "commits survive what the server's settings say"
    }

    fn takes(&self, _: Workload) -> bool {
        true
    }

    fn version(&self) -> Answer<'_, String> {
        Box::pin(async {
            let client = connect(&self.config(None)?).await?;
            let mut said = format!("PostgreSQL {}", text(&client, "SHOW server_version").await?);
            for setting in SETTINGS {
                let value = text(&client, &format!("SHOW {setting}")).await?;
                said.extend([", ", setting, " ", &value]);
            }
            Ok(said)
        })
    }

    fn open<'a>(&'a self, _: &'a Path) -> Answer<'a, Box<dyn Ground>> {
        Box::pin(async {
            let name = format!("bench_{}", std::process::id());
            let server = connect(&self.config(None)?).await?;
            server.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
            server.batch_execute(&format!("CREATE DATABASE {name}")).await?;
            // What the heat before has left to be written is not this one's.
            server.batch_execute("CHECKPOINT").await?;
            let process = postmaster(&server).await;
            let counts_statements = counts_statements(&server).await?;
            let (config, url) = (self.config(Some(&name))?, self.url.clone());
            Ok(Box::new(Own { server, process, counts_statements, config, name, url }) as Box<dyn Ground>)
        })
    }
}

/// The database of one heat.
struct Own {
    /// Connected to another database, so that looking does not count.
    server: Client,
    /// The server's first process, if it can be seen.
    process: Option<u32>,
    counts_statements: bool,
    config: Config,
    name: String,
    url: Option<String>,
}

impl Ground for Own {
    fn url(&self) -> String {
        let url = self.url.as_deref().unwrap_or_default();
        let (address, options) = url.split_once('?').map_or((url, None), |(url, rest)| (url, Some(rest)));
        let server = address.rsplit_once('/').map_or(address, |(server, _)| server);
        let options = options.map_or_else(String::new, |options| format!("?{options}"));
        format!("{server}/{}{options}", self.name)
    }

    fn lag(&self) -> Duration {
        LAG
    }

    fn cpu(&self) -> Option<u64> {
        family_cpu(self.process?, &["postgres"])
    }

    /// Transactions first: looking at the rows is one more.
    fn counts(&self) -> Answer<'_, Counts> {
        Box::pin(async {
            let sql = "SELECT xact_commit + xact_rollback, (pg_current_wal_insert_lsn() - '0/0')::bigint \
                       FROM pg_stat_database WHERE datname = $1";
            let row = self.server.query_one(sql, &[&self.name]).await?;
            let (commits, logged) = (count(row.get(0)), count(row.get(1)));
            let statements = self.statements().await?;
            let sql = "SELECT coalesce(sum(n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables";
            let inside = connect(&self.config).await?;
            let dead = count(inside.query_one(sql, &[]).await?.get(0));
            Ok(Counts { commits, statements, logged, dead })
        })
    }

    fn alone(&self) -> Doing<'_> {
        Box::pin(async {
            let sql = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = $1 AND backend_type = 'client backend'";
            for _ in 0..LOOKS_MAX {
                if self.server.query_one(sql, &[&self.name]).await?.get::<_, i64>(0) == 0 {
                    return Ok(());
                }
                stopwatch::idle(LOOK_EVERY).await;
            }
            Err("somebody is still connected to the database of the heat".into())
        })
    }

    /// It has written, too, so that it is old by its id as well.
    fn pin(&self) -> Answer<'_, Box<dyn Any>> {
        Box::pin(async {
            let client = connect(&self.config).await?;
            let sql = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()";
            client.batch_execute(sql).await?;
            Ok(Box::new(client) as Box<dyn Any>)
        })
    }

    fn clear(&self) -> Doing<'_> {
        Box::pin(async {
            Ok(self.server.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await?)
        })
    }
}

impl Own {
    /// Those in this database so far, but for our own. They are counted at once.
    async fn statements(&self) -> Fallible<Option<u64>> {
        if !self.counts_statements {
            return Ok(None);
        }
        // Deferred foreign keys are looked up by the server itself.
        let sql = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements AS s \
                   JOIN pg_database AS d ON d.oid = s.dbid WHERE d.datname = $1 \
                   AND s.query NOT LIKE '%pg_stat_user_tables%' AND s.query NOT LIKE 'SELECT % FOR KEY SHARE OF x'";
        Ok(count(self.server.query_one(sql, &[&self.name]).await?.get(0)))
    }
}

/// Whether statements are counted; the view belongs to the database that we look from.
async fn counts_statements(server: &Client) -> Fallible<bool> {
    let loaded = text(server, "SHOW shared_preload_libraries").await?.contains(STATEMENTS);
    if loaded {
        server.batch_execute(&format!("CREATE EXTENSION IF NOT EXISTS {STATEMENTS}")).await?;
    }
    Ok(loaded)
}

/// A connection that ends when its client is dropped.
async fn connect(config: &Config) -> Fallible<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    // An error reaches the client as that of its call.
    Handle::current().spawn(connection);
    Ok(client)
}

async fn text(client: &Client, sql: &str) -> Fallible<String> {
    Ok(client.query_one(sql, &[]).await?.get(0))
}

/// The server's own word for it, which only some roles may hear.
async fn postmaster(server: &Client) -> Option<u32> {
    let file = text(server, "SELECT pg_read_file('postmaster.pid')").await.ok()?;
    file.lines().next()?.trim().parse().ok()
}

fn count(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}
