//! The transactions of diesel 2, which block.

use diesel::connection::LoadConnection;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::row::Field;
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Untyped};
use diesel::sqlite::{Sqlite, SqliteType, SqliteValue};
use portfire_core::storage::{Inserted, Settled};
use portfire_core::{Error, NewJob, Result, Settlement};

use super::{insert_by, settle_by, statements};
use crate::insert::Executor;
use crate::rows::{Cell, Row, Value};
use crate::statements::{Op, Statements};
use crate::tally::Tallies;

/// Stores jobs as part of whatever transaction is open on this connection of diesel. They exist if and only if
/// it commits. Blocks; the future is ready when it is first polled.
///
/// # Errors
/// As [`insert_in`](crate::insert_in).
pub async fn insert_in_diesel<C: LoadConnection<Backend = Sqlite>>(
    connection: &mut C,
    prefix: &str,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    let statements = statements(prefix)?;
    let tallies = Tallies::default();
    insert_by(&mut Diesel { connection, statements: &statements, tallies }, jobs).await
}

/// Settles a job as part of whatever transaction is open on this connection of diesel. Blocks; the future is
/// ready when it is first polled.
///
/// # Errors
/// As [`settle_in`](crate::settle_in).
pub async fn settle_in_diesel<C: LoadConnection<Backend = Sqlite>>(
    connection: &mut C,
    prefix: &str,
    settlement: &Settlement,
) -> Result<Settled> {
    let statements = statements(prefix)?;
    let tallies = Tallies::default();
    settle_by(&mut Diesel { connection, statements: &statements, tallies }, settlement).await
}

struct Diesel<'c, C> {
    connection: &'c mut C,
    statements: &'c Statements,
    tallies: Tallies,
}

impl<C: LoadConnection<Backend = Sqlite>> Executor for Diesel<'_, C> {
    async fn execute(&mut self, op: Op, values: &[Value<'_>]) -> Result<u64> {
        let query = query(self.statements.text(op), values);
        let done = diesel::RunQueryDsl::execute(query, self.connection).map_err(|e| failed(op, e))?;
        Ok(done as u64)
    }

    async fn row(&mut self, op: Op, values: &[Value<'_>]) -> Result<Option<Row>> {
        Ok(self.rows(op, values).await?.into_iter().next())
    }

    async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let query = query(self.statements.text(op), values);
        diesel::RunQueryDsl::load(query, self.connection).map_err(|e| failed(op, e))
    }

    fn tallies(&mut self) -> &mut Tallies {
        &mut self.tallies
    }
}

pub(super) fn query<'v>(sql: &str, values: &'v [Value<'v>]) -> BoxedSqlQuery<'v, Sqlite, SqlQuery> {
    // The text comes from our own files and a checked prefix.
    let query = diesel::sql_query(sql).into_boxed();
    values.iter().fold(query, |query, value| match value {
        Value::Null => query.bind::<Nullable<BigInt>, _>(None::<i64>),
        Value::Int(number) => query.bind::<BigInt, _>(*number),
        Value::Text(text) => query.bind::<Text, _>(*text),
        Value::Blob(bytes) => query.bind::<Binary, _>(*bytes),
    })
}

impl FromSqlRow<Untyped, Sqlite> for Row {
    fn build_from_row<'a>(row: &impl diesel::row::Row<'a, Sqlite>) -> deserialize::Result<Self> {
        let read = |column| {
            let field = row.get(column).ok_or("a column is missing")?;
            field.value().map_or(Ok(Cell::Null), cell)
        };
        (0..row.field_count()).map(read).collect::<deserialize::Result<_>>().map(Self)
    }
}

fn cell(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Cell> {
    Ok(match value.value_type() {
        Some(SqliteType::Text) => Cell::Text(<String as FromSql<Text, Sqlite>>::from_sql(value)?.into()),
        Some(SqliteType::Binary) => Cell::id(&<Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value)?)?,
        Some(_) => Cell::Int(<i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?),
        None => Cell::Null,
    })
}

pub(super) fn failed(op: Op, error: diesel::result::Error) -> Error {
    let message = format!("SQLite could not run `{op:?}` in the application's transaction");
    // Diesel passes no codes on, but SQLite's own words: those of SQLITE_BUSY and SQLITE_LOCKED.
    let is_locked = |words: &str| words.contains("is locked");
    match &error {
        diesel::result::Error::DatabaseError(_, said) if is_locked(said.message()) => {
            Error::transient(message)
        }
        _ => Error::broken(message),
    }
    .caused_by(error)
}
