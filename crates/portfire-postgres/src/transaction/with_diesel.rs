//! The transactions of diesel 2, which block: any connection to PostgreSQL, also one that does not use libpq.

use diesel::connection::LoadConnection;
use diesel::deserialize::{self, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::result::DatabaseErrorKind as Kind;
use diesel::row::Field;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Untyped, Uuid};
use portfire_core::storage::{Inserted, Settled};
use portfire_core::{Error, NewJob, Result, Settlement};

use super::{Tables, enter};
use crate::insert::Executor;
use crate::rows::{Cell, Row, Value};
use crate::settle::settle_alone;
use crate::statements::{Op, Statements};

/// Stores jobs as part of whatever transaction is open on this connection of diesel. They exist if and only if
/// it commits. Blocks; the future is ready when it is first polled.
///
/// # Errors
/// As [`insert_in`](crate::insert_in). Diesel does not pass on the database's codes, so some errors that may be
/// tried again look broken.
pub async fn insert_in_diesel<C: LoadConnection<Backend = Pg>>(
    connection: &mut C,
    tables: &Tables,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    enter(&mut Diesel { connection, statements: &tables.statements }, tables, jobs).await
}

/// Settles a job as part of whatever transaction is open on this connection of diesel. Blocks; the future is
/// ready when it is first polled.
///
/// # Errors
/// As [`settle_in`](crate::settle_in), told apart as far as [`insert_in_diesel`] can.
pub async fn settle_in_diesel<C: LoadConnection<Backend = Pg>>(
    connection: &mut C,
    tables: &Tables,
    settlement: &Settlement,
) -> Result<Settled> {
    settle_alone(&mut Diesel { connection, statements: &tables.statements }, settlement).await
}

struct Diesel<'c, C> {
    connection: &'c mut C,
    statements: &'c Statements,
}

impl<C: LoadConnection<Backend = Pg>> Executor for Diesel<'_, C> {
    async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let query = query(self.statements.text(op), values);
        diesel::RunQueryDsl::load(query, self.connection).map_err(|e| failed(op, e))
    }
}

pub(super) fn query<'v>(sql: &str, values: &'v [Value<'v>]) -> BoxedSqlQuery<'v, Pg, SqlQuery> {
    // The text comes from our own files and checked names.
    let query = diesel::sql_query(sql).into_boxed();
    values.iter().fold(query, |query, value| match value {
        Value::Int(number) => query.bind::<Nullable<BigInt>, _>(*number),
        Value::Bool(yes) => query.bind::<Bool, _>(*yes),
        Value::Text(text) => query.bind::<Nullable<Text>, _>(*text),
        Value::Id(id) => query.bind::<Uuid, _>(*id),
        Value::Ints(numbers) => query.bind::<Array<Nullable<BigInt>>, _>(numbers),
        Value::Bools(all) => query.bind::<Array<Nullable<Bool>>, _>(all),
        Value::Texts(texts) => query.bind::<Array<Nullable<Text>>, _>(texts),
        Value::Ids(ids) => query.bind::<Array<Nullable<Uuid>>, _>(ids),
    })
}

impl FromSqlRow<Untyped, Pg> for Row {
    fn build_from_row<'a>(row: &impl diesel::row::Row<'a, Pg>) -> deserialize::Result<Self> {
        let read = |column| {
            let field = row.get(column).ok_or("a column is missing")?;
            field.value().map_or(Ok(Cell::Null), cell)
        };
        (0..row.field_count()).map(read).collect::<deserialize::Result<_>>().map(Self::Read)
    }
}

/// A value in the database's binary form, by the number of its type.
fn cell(value: PgValue<'_>) -> deserialize::Result<Cell> {
    let bytes = value.as_bytes();
    Ok(match value.get_oid().get() {
        16 => Cell::Bool(bytes == [1]),
        20 => Cell::Int(i64::from_be_bytes(bytes.try_into()?)),
        21 => Cell::Int(i16::from_be_bytes(bytes.try_into()?).into()),
        23 => Cell::Int(i32::from_be_bytes(bytes.try_into()?).into()),
        2950 => Cell::Id(uuid::Uuid::from_slice(bytes)?),
        _ => Cell::Text(std::str::from_utf8(bytes)?.into()),
    })
}

pub(super) fn failed(op: Op, error: diesel::result::Error) -> Error {
    let message = format!("PostgreSQL could not run `{op:?}` in the application's transaction");
    let is_transient = matches!(
        error,
        diesel::result::Error::DatabaseError(
            Kind::SerializationFailure
                | Kind::ReadOnlyTransaction
                | Kind::ClosedConnection
                | Kind::UniqueViolation,
            _
        )
    );
    let kind = if is_transient { Error::transient(message) } else { Error::broken(message) };
    kind.caused_by(error)
}
