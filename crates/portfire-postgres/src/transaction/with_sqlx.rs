//! The transactions of sqlx 0.9.

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{Error, NewJob, Result, Settlement};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Column, Postgres, Row as _, TypeInfo, ValueRef};
use tokio_postgres::error::SqlState;

use super::{Tables, enter};
use crate::error::of_code;
use crate::insert::Executor;
use crate::rows::{Cell, Row, Value};
use crate::settle::settle_alone;
use crate::statements::{Op, Statements};

/// Stores jobs as part of whatever transaction is open on this sqlx connection (a
/// `sqlx::Transaction` dereferences to one). They exist if and only if it commits.
///
/// # Errors
/// As [`insert_in`](crate::insert_in).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn insert_in_sqlx(
    connection: &mut PgConnection,
    tables: &Tables,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    enter(&mut Sqlx { connection, statements: &tables.statements }, tables, jobs).await
}

/// Settles a job as part of whatever transaction is open on this sqlx connection.
///
/// # Errors
/// As [`settle_in`](crate::settle_in).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn settle_in_sqlx(
    connection: &mut PgConnection,
    tables: &Tables,
    settlement: &Settlement,
) -> Result<Settled> {
    settle_alone(&mut Sqlx { connection, statements: &tables.statements }, settlement).await
}

struct Sqlx<'c> {
    connection: &'c mut PgConnection,
    statements: &'c Statements,
}

impl Executor for Sqlx<'_> {
    async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let query = query(self.statements.text(op), values);
        let rows = query.fetch_all(&mut *self.connection).await.map_err(|e| failed(op, e))?;
        rows.iter().map(read).collect()
    }
}

fn query<'q>(sql: &str, values: &[Value<'_>]) -> sqlx::query::Query<'q, Postgres, PgArguments> {
    // The text comes from our own files and checked names. Not kept prepared: see `pool.rs`.
    let query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).persistent(false);
    values.iter().fold(query, |query, value| match value {
        Value::Int(number) => query.bind(*number),
        Value::Bool(yes) => query.bind(*yes),
        Value::Text(text) => query.bind(text.map(str::to_owned)),
        Value::Id(id) => query.bind(*id),
        Value::Ints(numbers) => query.bind(numbers.clone()),
        Value::Bools(all) => query.bind(all.clone()),
        Value::Texts(texts) => query.bind(owned(texts)),
        Value::Ids(ids) => query.bind(ids.clone()),
    })
}

fn owned(texts: &[Option<&str>]) -> Vec<Option<String>> {
    texts.iter().map(|text| text.map(str::to_owned)).collect()
}

pub(super) fn read(row: &PgRow) -> Result<Row> {
    row.columns().iter().map(|column| cell(row, column.ordinal())).collect::<Result<_>>().map(Row::Read)
}

fn cell(row: &PgRow, column: usize) -> Result<Cell> {
    let failed = |e| Error::broken("a row could not be read through sqlx").caused_by(e);
    let raw = row.try_get_raw(column).map_err(failed)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    Ok(match raw.type_info().name() {
        "INT8" => Cell::Int(row.try_get(column).map_err(failed)?),
        "BOOL" => Cell::Bool(row.try_get(column).map_err(failed)?),
        "UUID" => Cell::Id(row.try_get(column).map_err(failed)?),
        _ => Cell::Text(row.try_get::<String, _>(column).map_err(failed)?.into()),
    })
}

fn failed(op: Op, error: sqlx::Error) -> Error {
    let message = format!("PostgreSQL could not run `{op:?}` in the application's transaction");
    kind_of(message, &error).caused_by(error)
}

/// The error with this message that its kind asks for.
pub(super) fn kind_of(message: String, error: &sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let code = code.map(|code| SqlState::from_code(&code));
    let lost = matches!(error, sqlx::Error::Io(_));
    of_code(message, code.as_ref(), lost)
}
