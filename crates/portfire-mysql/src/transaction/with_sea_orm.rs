//! The transactions of sea-orm 2, whose rows are those of sqlx.
//!
//! It answers the rows of one statement only, which it prepares; so what reads travels alone, and takes a place
//! among the statements that its connection keeps prepared.

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{Error, NewJob, Result, Settlement};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, RuntimeErr, Statement};

use super::with_sqlx::{kind_of, read};
use super::{FAILED, Tables, enter};
use crate::insert::Executor;
use crate::pool::{Answer, Packet, Step};
use crate::rows::Row;
use crate::settle::settle_alone;
use crate::statements::Statements;

/// Stores jobs as part of this transaction of sea-orm. They exist if and only if it commits.
///
/// # Errors
/// As [`insert_in`](crate::insert_in).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn insert_in_sea_orm<C: ConnectionTrait>(
    connection: &C,
    tables: &Tables,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    enter(&mut SeaOrm { connection, statements: &tables.statements }, tables, jobs).await
}

/// Settles a job as part of this transaction of sea-orm, as [`settle_in`](crate::settle_in) does.
///
/// # Errors
/// As there.
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn settle_in_sea_orm<C: ConnectionTrait>(
    connection: &C,
    tables: &Tables,
    settlement: &Settlement,
) -> Result<Settled> {
    settle_alone(&mut SeaOrm { connection, statements: &tables.statements }, settlement).await
}

struct SeaOrm<'c, C> {
    connection: &'c C,
    statements: &'c Statements,
}

impl<C: ConnectionTrait> Executor for SeaOrm<'_, C> {
    const READS_ARE_CURRENT: bool = false;

    async fn run(&mut self, steps: Vec<Step<'_>>) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(steps.len());
        for packet in Packet::apart(self.statements, &steps) {
            let rows = if packet.reads() {
                rows(self.connection, &packet.sql).await?
            } else {
                self.connection.execute_unprepared(&packet.sql).await.map_err(failed)?;
                Vec::new()
            };
            packet.read_rows(rows, &mut answers);
        }
        Ok(answers)
    }
}

async fn rows<C: ConnectionTrait>(connection: &C, sql: &str) -> Result<Vec<Row>> {
    let statement = Statement::from_string(DbBackend::MySql, sql);
    let rows = connection.query_all_raw(statement).await.map_err(failed)?;
    let foreign = || Error::misuse("the transaction of sea-orm is not one on MySQL or MariaDB");
    rows.iter().map(|row| read(row.try_as_mysql_row().ok_or_else(foreign)?)).collect()
}

fn failed(error: DbErr) -> Error {
    let kind = match &error {
        DbErr::Conn(RuntimeErr::SqlxError(e))
        | DbErr::Exec(RuntimeErr::SqlxError(e))
        | DbErr::Query(RuntimeErr::SqlxError(e)) => kind_of(e),
        _ => Error::broken(FAILED),
    };
    kind.caused_by(error)
}
