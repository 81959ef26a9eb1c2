//! The transactions of diesel-async, whose rows are those of diesel.

use diesel::mysql::Mysql;
use diesel_async::{AsyncConnectionCore, RunQueryDsl};
use portfire_core::storage::{Inserted, Settled};
use portfire_core::{NewJob, Result, Settlement};

use super::with_diesel::failed;
use super::{Tables, enter};
use crate::insert::Executor;
use crate::pool::{Answer, Packet, Step};
use crate::settle::settle_alone;
use crate::statements::Statements;

/// Stores jobs as part of whatever transaction is open on this connection of diesel-async. They exist if and
/// only if it commits.
///
/// # Errors
/// As [`insert_in_diesel`](crate::insert_in_diesel).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn insert_in_diesel_async<C: AsyncConnectionCore<Backend = Mysql>>(
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
pub async fn settle_in_diesel_async<C: AsyncConnectionCore<Backend = Mysql>>(
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

impl<C: AsyncConnectionCore<Backend = Mysql>> Executor for DieselAsync<'_, C> {
    const READS_ARE_CURRENT: bool = false;

    async fn run(&mut self, steps: Vec<Step<'_>>) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(steps.len());
        for packet in Packet::apart(self.statements, &steps) {
            // The text comes from our own files, checked names and literals: see `rows.rs`.
            let rows = if packet.reads() {
                diesel::sql_query(&*packet.sql).load(self.connection).await.map_err(failed)?
            } else {
                self.connection.batch_execute(&packet.sql).await.map_err(failed)?;
                Vec::new()
            };
            packet.read_rows(rows, &mut answers);
        }
        Ok(answers)
    }
}
