//! The application's own tables: users, and how far imports are.
//!
//! A pool of its own beside Portfire's connections, in the same database: a file of SQLite or a server of
//! PostgreSQL, MariaDB or MySQL, as the URL says.

mod mysql;
mod pool;
mod postgres;
mod sqlite;
mod statements;

use portfire::Timestamp;
use sqlx::FromRow;

use crate::csv_rows::{Batch, NewUser, Place};
pub use pool::Tx;
use pool::{Pool, each};

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// What the database reports.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// What Portfire does not understand of its URL.
    #[error(transparent)]
    Url(#[from] portfire::Error),
}

/// The application's database.
#[derive(Clone, Debug)]
pub struct Database(Pool);

/// A stored user.
#[derive(Clone, Debug, FromRow)]
pub struct User {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub display_name: String,
    /// Its address.
    pub email: String,
    /// When it was stored, in microseconds since 1970.
    pub created_at: i64,
}

impl User {
    /// When it was stored.
    pub fn created(&self) -> Timestamp {
        Timestamp::from_micros(self.created_at)
    }
}

/// How far an import is.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ImportProgress {
    /// The name the file had where it came from.
    pub original_name: String,
    position: i64,
    line: i64,
    /// Rows that became users.
    pub imported: i64,
    /// Rows that did not.
    pub rejected: i64,
    /// Whether all rows were read.
    pub is_done: bool,
}

impl ImportProgress {
    /// Where to go on.
    pub fn place(&self) -> Place {
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        Place { position: unsigned(self.position), line: unsigned(self.line) }
    }
}

/// A rejected line as it is stored.
#[derive(Clone, Debug, FromRow)]
pub struct ImportError {
    /// Its number in the file.
    pub line: i64,
    /// The code of its problem.
    pub problem: String,
    /// Its beginning.
    pub text: String,
}

/// A label and how many users it counts.
#[derive(Clone, Debug, FromRow)]
pub struct UserCount {
    /// A day, or a domain.
    pub label: String,
    /// How many.
    pub users: i64,
}

impl Database {
    /// Opens the database that a URL names, and makes the tables that are missing.
    ///
    /// # Errors
    /// If the URL is not understood or the database cannot be used.
    pub async fn open(url: &str) -> Result<Self, DatabaseError> {
        Pool::open(url).await.map(Self)
    }

    /// A transaction for rows and jobs.
    ///
    /// # Errors
    /// If the database does not answer, or its write lock does not come free in time.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        self.0.begin().await
    }

    /// One user.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn user(&self, id: i64) -> Result<Option<User>, sqlx::Error> {
        let sql = self.0.dialect().user;
        each!(Pool, &self.0, pool => sqlx::query_as(sql).bind(id).fetch_optional(pool).await)
    }

    /// How many users there are, and those with ids above `after`.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn users(&self, after: i64, limit: u32) -> Result<(i64, Vec<User>), sqlx::Error> {
        let dialect = self.0.dialect();
        each!(Pool, &self.0, pool => {
            let total = sqlx::query_scalar(dialect.users_count).fetch_one(pool).await?;
            let users = sqlx::query_as(dialect.users).bind(after).bind(i64::from(limit));
            Ok((total, users.fetch_all(pool).await?))
        })
    }

    /// Marks a user as deleted; `false` if there is no such user. It is removed 30 days later.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn delete_user(&self, id: i64) -> Result<bool, sqlx::Error> {
        let sql = self.0.dialect().delete_user;
        each!(Pool, &self.0, pool => Ok(sqlx::query(sql).bind(id).execute(pool).await?.rows_affected() == 1))
    }

    /// Removes what was marked as deleted, and what is left of imports, before `cutoff`; says how many users
    /// went.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn expire(&self, cutoff: Timestamp) -> Result<u64, sqlx::Error> {
        // The first 48 bits of a job's id are its time in milliseconds.
        let hex = format!("{:012x}", cutoff.as_millis());
        let oldest = format!("{}-{}", &hex[..8], &hex[8..]);
        let dialect = self.0.dialect();
        each!(Tx, self.begin().await?, tx => {
            let mut tx = tx;
            let users = sqlx::query(dialect.expire_users).bind(cutoff.as_micros());
            let removed = users.execute(&mut *tx).await?.rows_affected();
            for sql in [dialect.expire_imports, dialect.expire_import_errors] {
                sqlx::query(sql).bind(&oldest).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            Ok(removed)
        })
    }

    /// Up to when the administrator was told of failures.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn notified_until(&self) -> Result<Timestamp, sqlx::Error> {
        let sql = self.0.dialect().notified_until;
        let until: Option<i64> = each!(Pool, &self.0, pool => {
            sqlx::query_scalar(sql).fetch_optional(pool).await?
        });
        Ok(until.map_or_else(Timestamp::default, Timestamp::from_micros))
    }

    /// Notes that the administrator was told of failures up to this instant.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn set_notified_until(&self, until: Timestamp) -> Result<(), sqlx::Error> {
        let (sql, until) = (self.0.dialect().notified, until.as_micros());
        each!(Pool, &self.0, pool => sqlx::query(sql).bind(until).execute(pool).await.map(drop))
    }

    /// How far an import is; `None` if there is no such import.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn import(&self, job: &str) -> Result<Option<ImportProgress>, sqlx::Error> {
        let sql = self.0.dialect().import;
        each!(Pool, &self.0, pool => sqlx::query_as(sql).bind(job).fetch_optional(pool).await)
    }

    /// The latest import that has not ended.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn unfinished_import(&self) -> Result<Option<String>, sqlx::Error> {
        let sql = self.0.dialect().unfinished_import;
        each!(Pool, &self.0, pool => sqlx::query_scalar(sql).fetch_optional(pool).await)
    }

    /// Up to `limit` rejected lines after this line, in the order of the file.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn import_errors(
        &self,
        job: &str,
        after_line: i64,
        limit: u32,
    ) -> Result<Vec<ImportError>, sqlx::Error> {
        let sql = self.0.dialect().import_errors;
        each!(Pool, &self.0, pool => {
            let lines = sqlx::query_as(sql).bind(job).bind(after_line);
            lines.bind(i64::from(limit)).fetch_all(pool).await
        })
    }

    /// Stores a batch, and where the import is after it, in one transaction: all or nothing. `false` if
    /// the import is no longer at `begin`, because another attempt has gone on: then nothing is stored.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn store_batch(&self, job: &str, begin: Place, batch: &Batch) -> Result<bool, sqlx::Error> {
        let dialect = self.0.dialect();
        let (users, rejected) = (json(&batch.users)?, json(&batch.rejected)?);
        each!(Tx, self.begin().await?, tx => {
            let mut tx = tx;
            if sqlx::query(dialect.advance_import)
                .bind(signed(batch.end.position))
                .bind(signed(batch.end.line))
                .bind(count(batch.users.len()))
                .bind(count(batch.rejected.len()))
                .bind(batch.is_last)
                .bind(job)
                .bind(signed(begin.position))
                .bind(signed(begin.line))
                .execute(&mut *tx)
                .await?
                .rows_affected()
                != 1 {
                return Ok(false);
            }
            if !batch.users.is_empty() {
                sqlx::query(dialect.upsert_users).bind(users).execute(&mut *tx).await?;
            }
            if !batch.rejected.is_empty() {
                sqlx::query(dialect.insert_errors).bind(job).bind(rejected).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Users by the day they were stored, latest first.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn users_per_day(&self) -> Result<Vec<UserCount>, sqlx::Error> {
        let sql = self.0.dialect().users_per_day;
        each!(Pool, &self.0, pool => sqlx::query_as(sql).fetch_all(pool).await)
    }

    /// Users by mail domain, most first.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn users_per_domain(&self) -> Result<Vec<UserCount>, sqlx::Error> {
        let sql = self.0.dialect().users_per_domain;
        each!(Pool, &self.0, pool => sqlx::query_as(sql).fetch_all(pool).await)
    }
}

impl Tx {
    /// Stores a user; `None` if the address is taken.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn insert_user(&mut self, user: &NewUser) -> Result<Option<User>, sqlx::Error> {
        if let Self::Mysql(tx, _) = self {
            return mysql::insert_user(tx, user).await;
        }
        let sql = self.dialect().insert_user;
        each!(Self, self, tx => {
            let values = sqlx::query_as(sql).bind(&user.name).bind(&user.email).bind(&user.key);
            values.fetch_optional(&mut **tx).await
        })
    }

    /// Notes that an import begins.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn insert_import(&mut self, job: &str, original_name: &str) -> Result<(), sqlx::Error> {
        let sql = self.dialect().insert_import;
        each!(Self, self, tx => {
            let values = sqlx::query(sql).bind(job).bind(original_name);
            values.execute(&mut **tx).await.map(drop)
        })
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn json<T: serde::Serialize>(rows: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))
}
