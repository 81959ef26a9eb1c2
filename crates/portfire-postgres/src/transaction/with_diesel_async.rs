//! The transactions of diesel-async, whose queries and rows are those of diesel.

use diesel::pg::Pg;
use diesel_async::{AsyncConnectionCore, RunQueryDsl};
use portfire_core::storage::{Inserted, Settled};
use portfire_core::{NewJob, Result, Settlement};

use super::with_diesel::{failed, query};
use super::{Tables, enter};
use crate::insert::Executor;
use crate::rows::{Row, Value};
use crate::settle::settle_alone;
use crate::statements::{Op, Statements};

/// Stores jobs as part of whatever transaction is open on this connection of diesel-async. They exist if and
/// only if it commits.
///
/// # Errors
/// As [`insert_in_diesel`](crate::insert_in_diesel).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn insert_in_diesel_async<C: AsyncConnectionCore<Backend = Pg>>(
    connection: &mut C,
    tables: &Tables,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    enter(&mut DieselAsync { connection, statements: &tables.statements }, tables, jobs).await
}

/// Settles a job as part of whatever transaction is open on this connection of diesel-async.
///
/// # Errors
/// As [`settle_in_diesel`](crate::settle_in_diesel).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn settle_in_diesel_async<C: AsyncConnectionCore<Backend = Pg>>(
    connection: &mut C,
    tables: &Tables,
    settlement: &Settlement,
) -> Result<Settled> {
    settle_alone(&mut DieselAsync { connection, statements: &tables.statements }, settlement).await
}

struct DieselAsync<'c, C> {
    connection: &'c mut C,
    statements: &'c Statements,
}

impl<C: AsyncConnectionCore<Backend = Pg>> Executor for DieselAsync<'_, C> {
    async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let query = query(self.statements.text(op), values);
        query.load(self.connection).await.map_err(|e| failed(op, e))
    }
}
