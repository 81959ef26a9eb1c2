//! The transactions of diesel 2, which block: any connection to MySQL or MariaDB, also one without a client library.
//!
//! It answers the rows of one statement only; so what reads travels alone. Its connections are asked for by diesel's
//! own description of the database, which links nothing.

use diesel::connection::LoadConnection;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::mysql::{Mysql, MysqlType, MysqlValue};
use diesel::result::DatabaseErrorKind as Kind;
use diesel::row::Field;
use diesel::sql_types::{BigInt, Untyped};
use portfire_core::storage::{Inserted, Settled};
use portfire_core::{Error, NewJob, Result, Settlement};

use super::{FAILED, Tables, enter};
use crate::error::{number_of_diesel, of_code};
use crate::insert::Executor;
use crate::pool::{Answer, Packet, Step};
use crate::rows::{Cell, Row};
use crate::settle::settle_alone;
use crate::statements::Statements;

/// Stores jobs as part of whatever transaction is open on this connection of diesel. They exist if and only if
/// it commits. Blocks; the future is ready when it is first polled.
///
/// # Errors
/// As [`insert_in`](crate::insert_in). Diesel does not pass on the database's codes, so some errors that may be
/// tried again look broken.
pub async fn insert_in_diesel<C: LoadConnection<Backend = Mysql>>(
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
pub async fn settle_in_diesel<C: LoadConnection<Backend = Mysql>>(
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

impl<C: LoadConnection<Backend = Mysql>> Executor for Diesel<'_, C> {
    const READS_ARE_CURRENT: bool = false;

    async fn run(&mut self, steps: Vec<Step<'_>>) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(steps.len());
        for packet in Packet::apart(self.statements, &steps) {
            // The text comes from our own files, checked names and literals: see `rows.rs`.
            let rows = if packet.reads() {
                let query = diesel::sql_query(&*packet.sql);
                diesel::RunQueryDsl::load(query, self.connection).map_err(failed)?
            } else {
                self.connection.batch_execute(&packet.sql).map_err(failed)?;
                Vec::new()
            };
            packet.read_rows(rows, &mut answers);
        }
        Ok(answers)
    }
}

impl FromSqlRow<Untyped, Mysql> for Row {
    fn build_from_row<'a>(row: &impl diesel::row::Row<'a, Mysql>) -> deserialize::Result<Self> {
        let read = |column| {
            let field = row.get(column).ok_or("a column is missing")?;
            field.value().map_or(Ok(Cell::Null), cell)
        };
        (0..row.field_count()).map(read).collect::<deserialize::Result<_>>().map(Self)
    }
}

fn cell(value: MysqlValue<'_>) -> deserialize::Result<Cell> {
    let bytes = value.as_bytes();
    Ok(match value.value_type() {
        MysqlType::String => Cell::text(bytes.to_vec())?,
        // It does not tell an id from a text that is compared by its bytes: see `Cell::Id`.
        MysqlType::Blob => Cell::id(bytes).or_else(|_| Cell::text(bytes.to_vec()))?,
        _ => Cell::Int(<i64 as FromSql<BigInt, Mysql>>::from_sql(value)?),
    })
}

pub(super) fn failed(error: diesel::result::Error) -> Error {
    let lost = matches!(error, diesel::result::Error::DatabaseError(Kind::ClosedConnection, _));
    of_code(FAILED.into(), number_of_diesel(&error), lost).caused_by(error)
}
