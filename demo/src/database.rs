//! The application's own tables: users, and how far imports are.
//!
//! A pool of its own beside Portfire's connections, on the same file. Writes begin with the write lock
//! (`BEGIN IMMEDIATE`), so a transaction waits at its begin or not at all.

use std::str::FromStr;
use std::time::Duration;

use portfire::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{FromRow, Sqlite, SqlitePool, Transaction};

use crate::csv_rows::{Batch, NewUser, Place};

/// The application's database.
#[derive(Clone, Debug)]
pub struct Database {
    pool: SqlitePool,
    /// The prefix of Portfire's tables in the same file.
    prefix: Box<str>,
}

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
    /// Opens the file that a `sqlite://` URL names, and makes the tables that are missing. Options after
    /// a `?` are Portfire's; of them, the prefix of its tables is kept for transactions with both.
    ///
    /// # Errors
    /// If the URL is not understood or the file cannot be used.
    pub async fn open(url: &str) -> Result<Self, sqlx::Error> {
        let (url, options) = url.split_once('?').unwrap_or((url, ""));
        let prefix = options.split('&').find_map(|pair| pair.strip_prefix("prefix="));
        let prefix = prefix.unwrap_or(portfire::sqlite::DEFAULT_PREFIX).into();
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(30));
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        sqlx::raw_sql(include_str!("sql/schema.sql")).execute(&pool).await?;
        add_missing_column(&pool).await?;
        Ok(Self { pool, prefix })
    }

    /// The prefix of Portfire's tables in the same file.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A transaction that holds the write lock.
    ///
    /// # Errors
    /// If the lock does not come free in time.
    pub async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.pool.begin_with("BEGIN IMMEDIATE").await
    }

    /// One user.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn user(&self, id: i64) -> Result<Option<User>, sqlx::Error> {
        let sql = "SELECT id, display_name, email, created_at FROM users \
                   WHERE id = ?1 AND deleted_at IS NULL";
        sqlx::query_as(sql).bind(id).fetch_optional(&self.pool).await
    }

    /// How many users there are, and those with ids above `after`.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn users(&self, after: i64, limit: u32) -> Result<(i64, Vec<User>), sqlx::Error> {
        let count = "SELECT count(*) FROM users WHERE deleted_at IS NULL";
        let total = sqlx::query_scalar(count).fetch_one(&self.pool).await?;
        let sql = "SELECT id, display_name, email, created_at FROM users \
                   WHERE id > ?1 AND deleted_at IS NULL ORDER BY id LIMIT ?2";
        let users = sqlx::query_as(sql).bind(after).bind(limit).fetch_all(&self.pool).await?;
        Ok((total, users))
    }

    /// Marks a user as deleted; `false` if there is no such user. It is removed 30 days later.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn delete_user(&self, id: i64) -> Result<bool, sqlx::Error> {
        let sql = "UPDATE users SET deleted_at = CAST(unixepoch('subsec') * 1000000 AS INTEGER) \
                   WHERE id = ?1 AND deleted_at IS NULL";
        Ok(sqlx::query(sql).bind(id).execute(&self.pool).await?.rows_affected() == 1)
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
        let mut tx = self.begin().await?;
        let users = sqlx::query(include_str!("sql/expire_users.sql")).bind(cutoff.as_micros());
        let removed = users.execute(&mut *tx).await?.rows_affected();
        for sql in [include_str!("sql/expire_imports.sql"), include_str!("sql/expire_import_errors.sql")] {
            sqlx::query(sql).bind(&oldest).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(removed)
    }

    /// Up to when the administrator was told of failures.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn notified_until(&self) -> Result<Timestamp, sqlx::Error> {
        let until = sqlx::query_scalar("SELECT failures_until FROM notifications").fetch_optional(&self.pool);
        Ok(until.await?.map_or_else(Timestamp::default, Timestamp::from_micros))
    }

    /// Notes that the administrator was told of failures up to this instant.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn set_notified_until(&self, until: Timestamp) -> Result<(), sqlx::Error> {
        let sql = "INSERT INTO notifications (id, failures_until) VALUES (1, ?1) \
                   ON CONFLICT (id) DO UPDATE SET failures_until = max(failures_until, excluded.failures_until)";
        sqlx::query(sql).bind(until.as_micros()).execute(&self.pool).await.map(drop)
    }

    /// How far an import is; `None` if there is no such import.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn import(&self, job: &str) -> Result<Option<ImportProgress>, sqlx::Error> {
        let sql = "SELECT original_name, position, line, imported, rejected, is_done \
                   FROM import_progress WHERE job_id = ?1";
        sqlx::query_as(sql).bind(job).fetch_optional(&self.pool).await
    }

    /// The latest import that has not ended.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn unfinished_import(&self) -> Result<Option<String>, sqlx::Error> {
        let sql = "SELECT job_id FROM import_progress WHERE is_done = 0 ORDER BY job_id DESC LIMIT 1";
        sqlx::query_scalar(sql).fetch_optional(&self.pool).await
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
        let sql = "SELECT line, problem, text FROM import_errors \
                   WHERE job_id = ?1 AND line > ?2 ORDER BY line LIMIT ?3";
        sqlx::query_as(sql).bind(job).bind(after_line).bind(limit).fetch_all(&self.pool).await
    }

    /// Stores a batch, and where the import is after it, in one transaction: all or nothing. `false` if
    /// the import is no longer at `begin`, because another attempt has gone on: then nothing is stored.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn store_batch(&self, job: &str, begin: Place, batch: &Batch) -> Result<bool, sqlx::Error> {
        let mut tx = self.begin().await?;
        if !advance(&mut tx, job, begin, batch).await? {
            return Ok(false);
        }
        if !batch.users.is_empty() {
            let users = json(&batch.users)?;
            sqlx::query(include_str!("sql/upsert_users.sql")).bind(users).execute(&mut *tx).await?;
        }
        if !batch.rejected.is_empty() {
            let rows = json(&batch.rejected)?;
            sqlx::query(include_str!("sql/insert_errors.sql")).bind(job).bind(rows).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Users by the day they were stored, latest first.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn users_per_day(&self) -> Result<Vec<UserCount>, sqlx::Error> {
        sqlx::query_as(include_str!("sql/users_per_day.sql")).fetch_all(&self.pool).await
    }

    /// Users by mail domain, most first.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn users_per_domain(&self) -> Result<Vec<UserCount>, sqlx::Error> {
        sqlx::query_as(include_str!("sql/users_per_domain.sql")).fetch_all(&self.pool).await
    }
}

/// Stores a user; `None` if the address is taken.
///
/// # Errors
/// What the database reports.
pub async fn insert_user(
    tx: &mut Transaction<'_, Sqlite>,
    user: &NewUser,
) -> Result<Option<User>, sqlx::Error> {
    let sql = include_str!("sql/insert_user.sql");
    sqlx::query_as(sql).bind(&user.name).bind(&user.email).bind(&user.key).fetch_optional(&mut **tx).await
}

/// A file from before users could be deleted lacks the column.
async fn add_missing_column(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let sql = "SELECT count(*) FROM pragma_table_info('users') WHERE name = 'deleted_at'";
    if sqlx::query_scalar::<_, i64>(sql).fetch_one(pool).await? == 0 {
        sqlx::query("ALTER TABLE users ADD COLUMN deleted_at INTEGER").execute(pool).await?;
    }
    Ok(())
}

/// Notes that an import begins.
///
/// # Errors
/// What the database reports.
pub async fn insert_import(
    tx: &mut Transaction<'_, Sqlite>,
    job: &str,
    original_name: &str,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO import_progress (job_id, original_name) VALUES (?1, ?2)";
    sqlx::query(sql).bind(job).bind(original_name).execute(&mut **tx).await.map(|_| ())
}

async fn advance(
    tx: &mut Transaction<'_, Sqlite>,
    job: &str,
    begin: Place,
    batch: &Batch,
) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query(include_str!("sql/advance_import.sql"))
        .bind(signed(batch.end.position))
        .bind(signed(batch.end.line))
        .bind(i64::try_from(batch.users.len()).unwrap_or(i64::MAX))
        .bind(i64::try_from(batch.rejected.len()).unwrap_or(i64::MAX))
        .bind(batch.is_last)
        .bind(job)
        .bind(signed(begin.position))
        .bind(signed(begin.line))
        .execute(&mut **tx)
        .await?;
    Ok(moved.rows_affected() == 1)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn json<T: serde::Serialize>(rows: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))
}
