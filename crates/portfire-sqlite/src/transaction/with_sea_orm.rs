//! The transactions of sea-orm 2, whose rows are those of sqlx.

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{Error, NewJob, Result, Settlement};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, RuntimeErr, Statement};

use super::with_sqlx::{kind_of, read};
use super::{insert_by, settle_by, statements};
use crate::insert::Executor;
use crate::rows::{Row, Value};
use crate::statements::{Op, Statements};
use crate::tally::Tallies;

/// Stores jobs as part of this transaction of sea-orm. They exist if and only if it commits.
///
/// # Errors
/// As [`insert_in`](crate::insert_in).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn insert_in_sea_orm<C: ConnectionTrait>(
    connection: &C,
    prefix: &str,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    let statements = statements(prefix)?;
    let tallies = Tallies::default();
    insert_by(&mut SeaOrm { connection, statements: &statements, tallies }, jobs).await
}

/// Settles a job as part of this transaction of sea-orm.
///
/// # Errors
/// As [`settle_in`](crate::settle_in).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn settle_in_sea_orm<C: ConnectionTrait>(
    connection: &C,
    prefix: &str,
    settlement: &Settlement,
) -> Result<Settled> {
    let statements = statements(prefix)?;
    let tallies = Tallies::default();
    settle_by(&mut SeaOrm { connection, statements: &statements, tallies }, settlement).await
}

struct SeaOrm<'c, C> {
    connection: &'c C,
    statements: &'c Statements,
    tallies: Tallies,
}

impl<C> SeaOrm<'_, C> {
    fn statement(&self, op: Op, values: &[Value<'_>]) -> Statement {
        let values = values.iter().map(as_their_value);
        Statement::from_sql_and_values(DbBackend::Sqlite, self.statements.text(op), values)
    }
}

impl<C: ConnectionTrait> Executor for SeaOrm<'_, C> {
    async fn execute(&mut self, op: Op, values: &[Value<'_>]) -> Result<u64> {
        let done = self.connection.execute_raw(self.statement(op, values)).await;
        done.map(|done| done.rows_affected()).map_err(|e| failed(op, e))
    }

    async fn row(&mut self, op: Op, values: &[Value<'_>]) -> Result<Option<Row>> {
        Ok(self.rows(op, values).await?.into_iter().next())
    }

    async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let rows = self.connection.query_all_raw(self.statement(op, values)).await;
        let foreign = || Error::misuse("the transaction of sea-orm is not one on SQLite");
        let rows = rows.map_err(|e| failed(op, e))?;
        rows.iter().map(|row| read(row.try_as_sqlite_row().ok_or_else(foreign)?)).collect()
    }

    fn tallies(&mut self) -> &mut Tallies {
        &mut self.tallies
    }
}

fn as_their_value(value: &Value<'_>) -> sea_orm::Value {
    match value {
        Value::Null => None::<i64>.into(),
        Value::Int(number) => (*number).into(),
        Value::Text(text) => (*text).into(),
        Value::Blob(bytes) => bytes.to_vec().into(),
    }
}

fn failed(op: Op, error: DbErr) -> Error {
    let message = format!("SQLite could not run `{op:?}` in the application's transaction");
    let kind = match &error {
        DbErr::Conn(RuntimeErr::SqlxError(e))
        | DbErr::Exec(RuntimeErr::SqlxError(e))
        | DbErr::Query(RuntimeErr::SqlxError(e)) => kind_of(message, e),
        _ => Error::broken(message),
    };
    kind.caused_by(error)
}
