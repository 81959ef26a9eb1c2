//! Connections to the database, of whatever kind its URL names, and transactions in which the application's
//! rows and Portfire's jobs commit together.
//!
//! sqlx has a type of its own for each kind, so that a statement is checked against what its database can
//! take; [`each!`] runs the same lines on whichever it is.

use portfire::sqlite::prefixed;
use portfire::{Call, Job, JobHandle, mysql, postgres};
use sqlx::{MySql, MySqlPool, PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use super::DatabaseError;
use super::statements::{Dialect, MYSQL, POSTGRES, SQLITE};

/// Connections of the application itself, beside those of Portfire.
pub(super) const CONNECTIONS: u32 = 4;

/// Runs the same lines with whichever it is.
macro_rules! each {
    ($kind:ident, $these:expr, $one:ident => $lines:expr) => {
        match $these {
            $kind::Sqlite($one, _) => $lines,
            $kind::Postgres($one, _) => $lines,
            $kind::Mysql($one, _) => $lines,
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
    Postgres(PgPool, postgres::Tables),
    /// A database of MariaDB or MySQL, and Portfire's tables in it.
    Mysql(MySqlPool, mysql::Tables),
}

/// A transaction of the application, in which jobs can be enqueued.
#[derive(Debug)]
pub enum Tx {
    /// In a file; it holds the write lock.
    Sqlite(Transaction<'static, Sqlite>, Box<str>),
    /// On a server.
    Postgres(Transaction<'static, Postgres>, postgres::Tables),
    /// On a server, too.
    Mysql(Transaction<'static, MySql>, mysql::Tables),
}

impl Pool {
    /// Connects, and makes the application's tables that are missing.
    pub(super) async fn open(url: &str) -> Result<Self, DatabaseError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => super::postgres::open(url).await,
            Some("mysql" | "mariadb") => super::mysql::open(url).await,
            _ => super::sqlite::open(url).await,
        }
    }

    pub(super) const fn dialect(&self) -> &'static Dialect {
        match self {
            Self::Sqlite(..) => &SQLITE,
            Self::Postgres(..) => &POSTGRES,
            Self::Mysql(..) => &MYSQL,
        }
    }

    pub(super) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        Ok(match self {
            // It waits for the write lock now or not at all.
            Self::Sqlite(pool, prefix) => {
                Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?, prefix.clone())
            }
            Self::Postgres(pool, tables) => Tx::Postgres(pool.begin().await?, tables.clone()),
            Self::Mysql(pool, tables) => Tx::Mysql(pool.begin().await?, tables.clone()),
        })
    }
}

impl Tx {
    pub(super) const fn dialect(&self) -> &'static Dialect {
        match self {
            Self::Sqlite(..) => &SQLITE,
            Self::Postgres(..) => &POSTGRES,
            Self::Mysql(..) => &MYSQL,
        }
    }

    /// Enqueues a job that exists if and only if this commits.
    ///
    /// # Errors
    /// What Portfire reports.
    pub async fn enqueue<J: Job>(&mut self, call: Call<J>) -> portfire::Result<JobHandle<J>> {
        match self {
            Self::Sqlite(tx, prefix) => call.enqueue_in(&mut prefixed(prefix, tx)).await,
            Self::Postgres(tx, tables) => call.enqueue_in(&mut postgres::in_tables(tables, tx)).await,
            Self::Mysql(tx, tables) => call.enqueue_in(&mut mysql::in_tables(tables, tx)).await,
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
