//! The transactions of sqlx 0.9.

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{Error, NewJob, Result, Settlement};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Column, Row as _, TypeInfo, ValueRef};

use super::{insert_by, settle_by, statements};
use crate::insert::Executor;
use crate::rows::{Cell, Row, Value};
use crate::statements::{Op, Statements};
use crate::tally::Tallies;

/// Stores jobs as part of whatever transaction is open on this sqlx connection (a
/// `sqlx::Transaction` dereferences to one). They exist if and only if it commits.
///
/// # Errors
/// As [`insert_in`](crate::insert_in).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn insert_in_sqlx(
    connection: &mut SqliteConnection,
    prefix: &str,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    insert_by(&mut Sqlx::new(connection, &statements(prefix)?), jobs).await
}

/// Settles a job as part of whatever transaction is open on this sqlx connection.
///
/// # Errors
/// As [`settle_in`](crate::settle_in).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn settle_in_sqlx(
    connection: &mut SqliteConnection,
    prefix: &str,
    settlement: &Settlement,
) -> Result<Settled> {
    settle_by(&mut Sqlx::new(connection, &statements(prefix)?), settlement).await
}

struct Sqlx<'c> {
    connection: &'c mut SqliteConnection,
    statements: &'c Statements,
    tallies: Tallies,
}

impl<'c> Sqlx<'c> {
    fn new(connection: &'c mut SqliteConnection, statements: &'c Statements) -> Self {
        Self { connection, statements, tallies: Tallies::default() }
    }
}

impl Executor for Sqlx<'_> {
    async fn execute(&mut self, op: Op, values: &[Value<'_>]) -> Result<u64> {
        let query = query(self.statements.text(op), values);
        let done = query.execute(&mut *self.connection).await.map_err(|e| failed(op, e))?;
        Ok(done.rows_affected())
    }

    async fn row(&mut self, op: Op, values: &[Value<'_>]) -> Result<Option<Row>> {
        let query = query(self.statements.text(op), values);
        let row = query.fetch_optional(&mut *self.connection).await.map_err(|e| failed(op, e))?;
        row.as_ref().map(read).transpose()
    }

    async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let query = query(self.statements.text(op), values);
        let rows = query.fetch_all(&mut *self.connection).await.map_err(|e| failed(op, e))?;
        rows.iter().map(read).collect()
    }

    fn tallies(&mut self) -> &mut Tallies {
        &mut self.tallies
    }
}

fn query<'q>(sql: &str, values: &[Value<'_>]) -> sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments> {
    // The text comes from our own files and a checked prefix.
    let query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
    values.iter().fold(query, |query, value| match value {
        Value::Null => query.bind(None::<i64>),
        Value::Int(number) => query.bind(*number),
        Value::Text(text) => query.bind((*text).to_owned()),
        Value::Blob(bytes) => query.bind(bytes.to_vec()),
    })
}

pub(super) fn read(row: &SqliteRow) -> Result<Row> {
    row.columns().iter().map(|column| cell(row, column.ordinal())).collect::<Result<_>>().map(Row)
}

fn cell(row: &SqliteRow, column: usize) -> Result<Cell> {
    let failed = |e| Error::broken("a row could not be read through sqlx").caused_by(e);
    let raw = row.try_get_raw(column).map_err(failed)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    Ok(match raw.type_info().name() {
        "INTEGER" => Cell::Int(row.try_get(column).map_err(failed)?),
        "BLOB" => Cell::id(&row.try_get::<Vec<u8>, _>(column).map_err(failed)?)?,
        _ => Cell::Text(row.try_get::<String, _>(column).map_err(failed)?.into()),
    })
}

fn failed(op: Op, error: sqlx::Error) -> Error {
    let message = format!("SQLite could not run `{op:?}` in the application's transaction");
    kind_of(message, &error).caused_by(error)
}

/// The error with this message that its kind asks for.
pub(super) fn kind_of(message: String, error: &sqlx::Error) -> Error {
    // 5 and 6 are SQLITE_BUSY and SQLITE_LOCKED; extended codes have them in the low byte.
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .and_then(|code| code.parse::<i32>().ok());
    match code.map(|code| code & 0xFF) {
        Some(5 | 6) => Error::transient(message),
        _ => Error::broken(message),
    }
}
