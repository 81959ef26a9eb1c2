//! Connections to the database, of whatever kind its URL names, and transactions in which the application's
//! rows and Portfire's jobs commit together.
//!
//! sqlx has a type of its own for each kind, so that a statement is checked against what its database can
//! take; [`each!`] runs the same lines on whichever it is.

use std::str::FromStr;
use std::time::Duration;

use portfire::postgres::{PostgresOptions, Tables, in_tables};
use portfire::sqlite::prefixed;
use portfire::{Call, Job, JobHandle};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use super::DatabaseError;
use super::statements::{Dialect, POSTGRES, SQLITE};

const CONNECTIONS: u32 = 4;

/// Runs the same lines with whichever it is.
macro_rules! each {
    ($kind:ident, $these:expr, $one:ident => $lines:expr) => {
        match $these {
            $kind::Sqlite($one, _) => $lines,
            $kind::Postgres($one, _) => $lines,
        }
    };
}
pub(super) use each;

/// The application's connections, and where Portfire's tables are.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    /// A file, and the prefix of Portfire's tables in it.
    Sqlite(SqlitePool, Box<str>),
    /// A database, and Portfire's tables in it.
    Postgres(PgPool, Tables),
}

/// A transaction of the application, in which jobs can be enqueued.
#[derive(Debug)]
pub enum Tx {
    /// In a file; it holds the write lock.
    Sqlite(Transaction<'static, Sqlite>, Box<str>),
    /// On a server.
    Postgres(Transaction<'static, Postgres>, Tables),
}

impl Pool {
    /// Connects, and makes the application's tables that are missing.
    pub(super) async fn open(url: &str) -> Result<Self, DatabaseError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => open_postgres(url).await,
            _ => open_sqlite(url).await,
        }
    }

    pub(super) const fn dialect(&self) -> &'static Dialect {
        match self {
            Self::Sqlite(..) => &SQLITE,
            Self::Postgres(..) => &POSTGRES,
        }
    }

    pub(super) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        Ok(match self {
            // It waits for the write lock now or not at all.
            Self::Sqlite(pool, prefix) => {
                Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?, prefix.clone())
            }
            Self::Postgres(pool, tables) => Tx::Postgres(pool.begin().await?, tables.clone()),
        })
    }
}

impl Tx {
    pub(super) const fn dialect(&self) -> &'static Dialect {
        match self {
            Self::Sqlite(..) => &SQLITE,
            Self::Postgres(..) => &POSTGRES,
        }
    }

    /// Enqueues a job that exists if and only if this commits.
    ///
    /// # Errors
    /// What Portfire reports.
    pub async fn enqueue<J: Job>(&mut self, call: Call<J>) -> portfire::Result<JobHandle<J>> {
        match self {
            Self::Sqlite(tx, prefix) => call.enqueue_in(&mut prefixed(prefix, tx)).await,
            Self::Postgres(tx, tables) => call.enqueue_in(&mut in_tables(tables, tx)).await,
        }
    }

    /// Makes everything in it so.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        each!(Self, self, tx => tx.commit().await)
    }
}

/// Options after a `?` are Portfire's; of them, the prefix of its tables is of use here.
async fn open_sqlite(url: &str) -> Result<Pool, DatabaseError> {
    let (url, options) = url.split_once('?').unwrap_or((url, ""));
    let prefix = options.split('&').find_map(|pair| pair.strip_prefix("prefix="));
    let prefix = prefix.unwrap_or(portfire::sqlite::DEFAULT_PREFIX).into();
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(30));
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
    sqlx::raw_sql(SQLITE.schema).execute(&pool).await?;
    add_missing_column(&pool).await?;
    Ok(Pool::Sqlite(pool, prefix))
}

/// A file from before users could be deleted lacks the column.
async fn add_missing_column(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let sql = "SELECT count(*) FROM pragma_table_info('users') WHERE name = 'deleted_at'";
    if sqlx::query_scalar::<_, i64>(sql).fetch_one(pool).await? == 0 {
        sqlx::query("ALTER TABLE users ADD COLUMN deleted_at INTEGER").execute(pool).await?;
    }
    Ok(())
}

/// In the schema that Portfire's options name, too.
async fn open_postgres(url: &str) -> Result<Pool, DatabaseError> {
    let tables = PostgresOptions::new(url)?.chosen_tables().clone();
    let mut options = PgConnectOptions::from_str(url.split('?').next().unwrap_or(url))?;
    if let Some(schema) = tables.schema_name() {
        options = options.options([("search_path", schema)]);
    }
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
    if let Some(schema) = tables.schema_name() {
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {schema}")))
            .execute(&pool)
            .await?;
    }
    sqlx::raw_sql(POSTGRES.schema).execute(&pool).await?;
    Ok(Pool::Postgres(pool, tables))
}
