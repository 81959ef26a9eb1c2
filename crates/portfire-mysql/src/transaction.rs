//! The application's own transactions: jobs enter in them, and a handler may settle its own job in one, over the
//! same statements as the storage itself.
//!
//! The application's database needs the tables, that is: somebody opened it with
//! [`MysqlStorage`](crate::MysqlStorage) before. Waiting servers find the jobs by polling.
//!
//! A job that waits for others holds those where they are until the transaction ends, and so does one that ends
//! with the jobs that wait for it. Heartbeats, claims and rescues pass such rows by; what else concerns those jobs
//! waits. Keep it short, and settle last.
//!
//! Any isolation level will do: what has to be current is read by statements that hold it. Above READ COMMITTED
//! these hold the places beside it, too, so that more of what others do may wait.

use std::sync::Arc;

use mysql_async::prelude::Queryable;
use portfire_core::storage::{Inserted, Settled};
use portfire_core::{NewJob, Result, Settlement};

use crate::DEFAULT_PREFIX;
use crate::insert::{Executor, insert};
use crate::pool::{Answer, Step, send};
use crate::settle::settle_alone;
use crate::statements::{Names, Statements, check_prefix};

/// Which tables: those with the prefix `portfire_` in the connection's database, unless another is chosen. Cheap
/// to clone; make it once.
///
/// ```
/// let tables = portfire_mysql::Tables::default().prefix("Hangfire_")?;
/// # Ok::<_, portfire_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tables {
    names: Names,
    statements: Arc<Statements>,
}

impl Tables {
    /// Tables whose names begin so.
    ///
    /// # Errors
    /// Misuse unless it is a letter or `_`, then up to 39 letters, digits or `_`.
    pub fn prefix(self, prefix: &str) -> Result<Self> {
        check_prefix(prefix)?;
        Ok(Self::named(Names { prefix: prefix.into() }))
    }

    fn named(names: Names) -> Self {
        let statements = Arc::new(Statements::with_names(&names));
        Self { names, statements }
    }

    pub(crate) const fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) const fn statements(&self) -> &Arc<Statements> {
        &self.statements
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self::named(Names { prefix: DEFAULT_PREFIX.into() })
    }
}

/// Stores jobs as part of this `mysql_async` transaction (or whatever is open on this connection). They exist
/// if and only if it commits.
///
/// # Errors
/// Misuse if a job is refused or a parent is unknown; transient if the database asks to try the whole
/// transaction again; broken if the tables are missing. After an error roll the transaction back.
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn insert_in<C: Queryable>(
    connection: &mut C,
    tables: &Tables,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    insert(&mut Foreign { connection, statements: &tables.statements }, None, jobs).await
}

/// Settles a job as part of this `mysql_async` transaction (or of what is open on this connection): by the same
/// fence and with the same consequences as [`Storage::exchange`](portfire_core::Storage::exchange), if and only if
/// it commits.
///
/// # Errors
/// Misuse if no transaction is open; transient if the database asks to try the whole transaction again; broken if
/// the tables are missing. After an error roll the transaction back.
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn settle_in<C: Queryable>(
    connection: &mut C,
    tables: &Tables,
    settlement: &Settlement,
) -> Result<Settled> {
    settle_alone(&mut Foreign { connection, statements: &tables.statements }, settlement).await
}

struct Foreign<'c, C> {
    connection: &'c mut C,
    statements: &'c Statements,
}

impl<C: Queryable> Executor for Foreign<'_, C> {
    const READS_ARE_CURRENT: bool = false;

    async fn run(&mut self, steps: Vec<Step<'_>>) -> Result<Vec<Answer>> {
        send(self.connection, self.statements, &steps).await
    }
}

#[cfg(feature = "sqlx")]
pub use with_sqlx::{insert_in_sqlx, settle_in_sqlx};

#[cfg(feature = "sqlx")]
mod with_sqlx {
    use futures_util::TryStreamExt;
    use portfire_core::storage::{Inserted, Settled};
    use portfire_core::{Error, NewJob, Result, Settlement};
    use sqlx::mysql::{MySqlConnection, MySqlRow};
    use sqlx::{Column, Either, Row as _, TypeInfo, ValueRef};

    use super::Tables;
    use crate::error::{number_of, of_code};
    use crate::insert::{Executor, insert};
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
        insert(&mut Sqlx { connection, statements: &tables.statements }, None, jobs).await
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
                    answers.push(Answer { rows: std::mem::take(&mut rows), changed: done.rows_affected() });
                }
                Either::Right(row) => rows.push(read(&row)?),
            }
        }
        Ok(answers)
    }

    fn read(row: &MySqlRow) -> Result<Row> {
        row.columns().iter().map(|column| cell(row, column.ordinal())).collect::<Result<_>>().map(Row)
    }

    fn cell(row: &MySqlRow, column: usize) -> Result<Cell> {
        let failed = |e| Error::broken("a row could not be read through sqlx").caused_by(e);
        let raw = row.try_get_raw(column).map_err(failed)?;
        if raw.is_null() {
            return Ok(Cell::Null);
        }
        let of_type = raw.type_info().name().to_owned();
        let bytes: &[u8] = row.try_get_unchecked(column).map_err(failed)?;
        Ok(match &*of_type {
            // All our ids are of this length. Text that is compared by its bytes is called VARBINARY.
            "BINARY" => Cell::id(bytes)?,
            number if number.contains("INT") || number == "BOOLEAN" => Cell::int(bytes)?,
            _ => Cell::text(bytes.to_vec())?,
        })
    }

    fn failed(error: sqlx::Error) -> Error {
        let message = "the database could not do this in the application's transaction".to_owned();
        let code = error.as_database_error().and_then(number_of);
        let lost = matches!(error, sqlx::Error::Io(_));
        of_code(message, code, lost).caused_by(error)
    }
}
