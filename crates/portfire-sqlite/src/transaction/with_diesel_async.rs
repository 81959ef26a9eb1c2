//! The transactions of diesel-async, whose queries and rows are those of diesel.

use diesel::sqlite::Sqlite;
use diesel_async::{AsyncConnectionCore, RunQueryDsl};
use portfire_core::storage::{Inserted, Settled};
use portfire_core::{NewJob, Result, Settlement};

use super::with_diesel::{failed, query};
use super::{insert_by, settle_by, statements};
use crate::insert::Executor;
use crate::rows::{Row, Value};
use crate::statements::{Op, Statements};
use crate::tally::Tallies;

/// Stores jobs as part of whatever transaction is open on this connection of diesel-async. They exist if and
/// only if it commits.
///
/// # Errors
/// As [`insert_in`](crate::insert_in).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn insert_in_diesel_async<C: AsyncConnectionCore<Backend = Sqlite>>(
    connection: &mut C,
    prefix: &str,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    let statements = statements(prefix)?;
    let tallies = Tallies::default();
    insert_by(&mut DieselAsync { connection, statements: &statements, tallies }, jobs).await
}

/// Settles a job as part of whatever transaction is open on this connection of diesel-async.
///
/// # Errors
/// As [`settle_in`](crate::settle_in).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn settle_in_diesel_async<C: AsyncConnectionCore<Backend = Sqlite>>(
    connection: &mut C,
    prefix: &str,
    settlement: &Settlement,
) -> Result<Settled> {
    let statements = statements(prefix)?;
    let tallies = Tallies::default();
    settle_by(&mut DieselAsync { connection, statements: &statements, tallies }, settlement).await
}

struct DieselAsync<'c, C> {
    connection: &'c mut C,
    statements: &'c Statements,
    tallies: Tallies,
}

impl<C: AsyncConnectionCore<Backend = Sqlite>> Executor for DieselAsync<'_, C> {
    async fn execute(&mut self, op: Op, values: &[Value<'_>]) -> Result<u64> {
        let query = query(self.statements.text(op), values);
        let done = query.execute(self.connection).await.map_err(|e| failed(op, e))?;
        Ok(done as u64)
    }

    async fn row(&mut self, op: Op, values: &[Value<'_>]) -> Result<Option<Row>> {
        Ok(self.rows(op, values).await?.into_iter().next())
    }

    async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let query = query(self.statements.text(op), values);
        query.load(self.connection).await.map_err(|e| failed(op, e))
    }

    fn tallies(&mut self) -> &mut Tallies {
        &mut self.tallies
    }
}
