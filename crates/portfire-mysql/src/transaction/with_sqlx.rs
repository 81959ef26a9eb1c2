//! The transactions of sqlx 0.9.

use futures_util::TryStreamExt;
use portfire_core::storage::{Inserted, Settled};
use portfire_core::{Error, NewJob, Result, Settlement};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Column, Either, Row as _, TypeInfo, ValueRef};

use super::{FAILED, Tables, enter};
use crate::error::{number_of, of_code};
use crate::insert::Executor;
use crate::pool::{Answer, Packet, Step};
use crate::rows::{Cell, Row};
use crate::settle::settle_alone;
use crate::statements::Statements;

/// Stores jobs as part of whatever transaction is open on this sqlx connection (a
/// `sqlx::Transaction` dereferences to one). They exist if and only if it commits.
///
/// # Errors
/// As [`insert_in`](crate::insert_in).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn insert_in_sqlx(
    connection: &mut MySqlConnection,
    tables: &Tables,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    enter(&mut Sqlx { connection, statements: &tables.statements }, tables, jobs).await
}

/// Settles a job as part of whatever transaction is open on this sqlx connection, as
/// [`settle_in`](crate::settle_in) does.
///
/// # Errors
/// As there.
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn settle_in_sqlx(
    connection: &mut MySqlConnection,
    tables: &Tables,
    settlement: &Settlement,
) -> Result<Settled> {
    settle_alone(&mut Sqlx { connection, statements: &tables.statements }, settlement).await
}

struct Sqlx<'c> {
    connection: &'c mut MySqlConnection,
    statements: &'c Statements,
}

impl Executor for Sqlx<'_> {
    const READS_ARE_CURRENT: bool = false;

    async fn run(&mut self, steps: Vec<Step<'_>>) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(steps.len());
        for packet in Packet::cut(&[], self.statements, &steps, None) {
            packet.read(ask(self.connection, packet.sql.clone()).await?, &mut answers);
        }
        Ok(answers)
    }
}

async fn ask(connection: &mut MySqlConnection, sql: String) -> Result<Vec<Answer>> {
    let (mut answers, mut rows) = (Vec::new(), Vec::new());
    // The text comes from our own files, checked names and literals: see `rows.rs`.
    let query = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    let mut said = query.fetch_many(connection);
    while let Some(one) = said.try_next().await.map_err(failed)? {
        match one {
            Either::Left(done) => {
                let rows = std::mem::take(&mut rows);
                answers.push(Answer { rows, changed: done.rows_affected(), ..Answer::default() });
            }
            Either::Right(row) => rows.push(read(&row)?),
        }
    }
    Ok(answers)
}

pub(super) fn read(row: &MySqlRow) -> Result<Row> {
    row.columns().iter().map(|column| cell(row, column.ordinal())).collect::<Result<_>>().map(Row)
}

fn cell(row: &MySqlRow, column: usize) -> Result<Cell> {
    let failed = |e| Error::broken("a row could not be read through sqlx").caused_by(e);
    let raw = row.try_get_raw(column).map_err(failed)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let of_type = raw.type_info().name().to_owned();
    // Whatever its width, and whether or not the statement was prepared.
    if of_type.contains("INT") || of_type == "BOOLEAN" {
        return row.try_get_unchecked(column).map(Cell::Int).map_err(failed);
    }
    let bytes: &[u8] = row.try_get_unchecked(column).map_err(failed)?;
    match &*of_type {
        // All our ids are of this length. Text that is compared by its bytes is called VARBINARY.
        "BINARY" => Cell::id(bytes),
        _ => Cell::text(bytes.to_vec()),
    }
}

fn failed(error: sqlx::Error) -> Error {
    kind_of(&error).caused_by(error)
}

/// The error that its kind asks for.
pub(super) fn kind_of(error: &sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(number_of);
    of_code(FAILED.into(), code, matches!(error, sqlx::Error::Io(_)))
}
