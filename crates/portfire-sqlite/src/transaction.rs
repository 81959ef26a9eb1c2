//! Enqueue inside the application's own transaction, over the same statements as the storage itself.
//!
//! The application's connection needs the tables, that is: somebody opened the file with
//! [`SqliteStorage`](crate::SqliteStorage) before. Waiting servers notice the commit by the file.

use portfire_core::storage::Inserted;
use portfire_core::{Clock, NewJob, Result};

use crate::clock::HostClock;
use crate::insert::{at_once, insert};
use crate::statements::{Statements, check_prefix};
use crate::tally;
use crate::threads::Tx;

/// Stores jobs as part of whatever transaction is open on this rusqlite connection (a
/// `rusqlite::Transaction` is one). They exist if and only if it commits.
///
/// # Errors
/// Misuse if a job or the prefix is refused or a parent is unknown; transient if another writer holds the
/// file; broken if the tables are missing. After an error roll the transaction back.
pub fn insert_in(connection: &rusqlite::Connection, prefix: &str, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
    check_prefix(prefix)?;
    let statements = Statements::with_prefix(prefix);
    let now = HostClock::system().now();
    let mut tx = Tx::new(connection, &statements, now);
    let answers = at_once(insert(&mut tx, now, jobs))?;
    at_once(tally::write(&mut tx, now))?;
    Ok(answers)
}

#[cfg(feature = "sqlx")]
pub use with_sqlx::insert_in_sqlx;

#[cfg(feature = "sqlx")]
mod with_sqlx {
    use portfire_core::storage::Inserted;
    use portfire_core::{Clock, Error, NewJob, Result};
    use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
    use sqlx::{Column, Row as _, TypeInfo, ValueRef};

    use crate::clock::HostClock;
    use crate::insert::{Executor, insert};
    use crate::rows::{Cell, Row, Value};
    use crate::statements::{Op, Statements, check_prefix};
    use crate::tally::{self, Tallies};

    /// Stores jobs as part of whatever transaction is open on this sqlx connection (a
    /// `sqlx::Transaction` dereferences to one). They exist if and only if it commits.
    ///
    /// # Errors
    /// As [`insert_in`](crate::insert_in).
    ///
    /// # Cancel safety
    /// If dropped, roll the transaction back.
    pub async fn insert_in_sqlx(
        connection: &mut SqliteConnection,
        prefix: &str,
        jobs: &[NewJob],
    ) -> Result<Vec<Inserted>> {
        check_prefix(prefix)?;
        let statements = Statements::with_prefix(prefix);
        let now = HostClock::system().now();
        let mut db = Sqlx { connection, statements: &statements, tallies: Tallies::default() };
        let answers = insert(&mut db, now, jobs).await?;
        tally::write(&mut db, now).await?;
        Ok(answers)
    }

    struct Sqlx<'c> {
        connection: &'c mut SqliteConnection,
        statements: &'c Statements,
        tallies: Tallies,
    }

    impl Executor for Sqlx<'_> {
        async fn execute(&mut self, op: Op, values: &[Value<'_>]) -> Result<u64> {
            let query = query(self.statements.text(op), values);
            let done = query.execute(&mut *self.connection).await.map_err(|e| failed(op, e))?;
            Ok(done.rows_affected())
        }

        async fn row(&mut self, op: Op, values: &[Value<'_>]) -> Result<Option<Row>> {
            let query = query(self.statements.text(op), values);
            let row = query.fetch_optional(&mut *self.connection).await.map_err(|e| failed(op, e))?;
            row.as_ref().map(read).transpose()
        }

        fn tallies(&mut self) -> &mut Tallies {
            &mut self.tallies
        }
    }

    fn query<'q>(sql: &str, values: &[Value<'_>]) -> sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments> {
        // The text comes from our own files and a checked prefix.
        let query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
        values.iter().fold(query, |query, value| match value {
            Value::Null => query.bind(None::<i64>),
            Value::Int(number) => query.bind(*number),
            Value::Text(text) => query.bind((*text).to_owned()),
            Value::Blob(bytes) => query.bind(bytes.to_vec()),
        })
    }

    fn read(row: &SqliteRow) -> Result<Row> {
        row.columns().iter().map(|column| cell(row, column.ordinal())).collect::<Result<_>>().map(Row)
    }

    fn cell(row: &SqliteRow, column: usize) -> Result<Cell> {
        let failed = |e| Error::broken("a row could not be read through sqlx").caused_by(e);
        let raw = row.try_get_raw(column).map_err(failed)?;
        if raw.is_null() {
            return Ok(Cell::Null);
        }
        Ok(match raw.type_info().name() {
            "INTEGER" => Cell::Int(row.try_get(column).map_err(failed)?),
            "BLOB" => Cell::id(&row.try_get::<Vec<u8>, _>(column).map_err(failed)?)?,
            _ => Cell::Text(row.try_get::<String, _>(column).map_err(failed)?.into()),
        })
    }

    fn failed(op: Op, error: sqlx::Error) -> Error {
        let message = format!("SQLite could not run `{op:?}` in the application's transaction");
        // 5 and 6 are SQLITE_BUSY and SQLITE_LOCKED; extended codes have them in the low byte.
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|code| code.parse::<i32>().ok());
        match code.map(|code| code & 0xFF) {
            Some(5 | 6) => Error::transient(message).caused_by(error),
            _ => Error::broken(message).caused_by(error),
        }
    }
}
