//! A place that goes with its test, on a server that `cargo xtask test` provides: a schema of PostgreSQL, a
//! database of MariaDB or MySQL.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};

use portfire::postgres::tokio_postgres::{NoTls, connect};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection};

/// The servers that tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    Mariadb,
    Mysql,
}

/// A place of a test's own.
pub(crate) struct Schema {
    engine: Engine,
    name: String,
}

impl Schema {
    pub(crate) fn new(engine: Engine) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("demo_{}_{number}", std::process::id());
        if engine != Engine::Postgres {
            aside(on_mysql(engine, format!("CREATE DATABASE {name}")));
        }
        Self { engine, name }
    }

    pub(crate) fn url(&self) -> String {
        let url = self.engine.url();
        if self.engine == Engine::Postgres {
            let separator = if url.contains('?') { '&' } else { '?' };
            return format!("{url}{separator}schema={}", self.name);
        }
        let (place, options) = url.split_once('?').unwrap_or((&url, ""));
        let (server, _) = place.rsplit_once('/').expect("the URL names a database");
        let separator = if options.is_empty() { "" } else { "?" };
        format!("{server}/{}{separator}{options}", self.name)
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let name = &self.name;
        match self.engine {
            Engine::Postgres => {
                aside(on_postgres(format!("SET lock_timeout = '5s'; DROP SCHEMA IF EXISTS {name} CASCADE")))
            }
            engine => {
                aside(on_mysql(engine, format!("SET lock_wait_timeout = 5; DROP DATABASE IF EXISTS {name}")))
            }
        }
    }
}

impl Engine {
    const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "PORTFIRE_TEST_POSTGRES_URL",
            Self::Mariadb => "PORTFIRE_TEST_MARIADB_URL",
            Self::Mysql => "PORTFIRE_TEST_MYSQL_URL",
        }
    }

    fn url(self) -> String {
        let variable = self.variable();
        std::env::var(variable).unwrap_or_else(|_| {
            let name = format!("{self:?}").to_lowercase();
            panic!(
                "the tests need a server: run `cargo xtask test`, or `cargo xtask db {name} up` and what it prints, \
                 or set {variable}"
            )
        })
    }
}

async fn on_postgres(sql: String) {
    let (client, connection) = connect(&Engine::Postgres.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let _ = client.batch_execute(&sql).await;
}

async fn on_mysql(engine: Engine, sql: String) {
    let mut connection = MySqlConnection::connect(&engine.url()).await.unwrap();
    let _ = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
}

/// Runs this on a thread of its own: a test may begin and end in or out of async code.
fn aside(work: impl Future<Output = ()> + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _ = std::thread::spawn(move || runtime.block_on(work)).join();
}
