//! Enqueue inside the application's own transaction, over the same statements as the storage itself.
//!
//! The application's database needs the tables, that is: somebody opened it with
//! [`PostgresStorage`](crate::PostgresStorage) before. Waiting servers find the jobs by polling: a
//! notification would make the application's commit wait for everybody else's.
//!
//! A job that waits for others holds those where they are until the transaction ends; keep it short.

use std::sync::Arc;

use portfire_core::storage::Inserted;
use portfire_core::{NewJob, Result};
use tokio_postgres::GenericClient;

use crate::DEFAULT_PREFIX;
use crate::error::postgres_error;
use crate::insert::{Executor, insert};
use crate::rows::{Row, Value};
use crate::statements::{Names, Op, Statements, check_name};

/// Which tables: those with the prefix `portfire_` that the connection's search path finds, unless others
/// are chosen. Cheap to clone; make it once.
///
/// ```
/// let tables = portfire_postgres::Tables::default().schema("jobs")?.prefix("Hangfire_")?;
/// # Ok::<_, portfire_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tables {
    names: Names,
    statements: Arc<Statements>,
}

impl Tables {
    /// Tables in this schema.
    ///
    /// # Errors
    /// Misuse unless it is a letter or `_`, then up to 39 letters, digits or `_`.
    pub fn schema(self, schema: &str) -> Result<Self> {
        check_name("schema", schema)?;
        Ok(Self::named(Names { schema: Some(schema.into()), ..self.names }))
    }

    /// Tables whose names begin so. PostgreSQL reads names in lower case.
    ///
    /// # Errors
    /// Misuse unless it is a letter or `_`, then up to 39 letters, digits or `_`.
    pub fn prefix(self, prefix: &str) -> Result<Self> {
        check_name("prefix", prefix)?;
        Ok(Self::named(Names { prefix: prefix.into(), ..self.names }))
    }

    /// The schema they are in; `None` if the search path says so.
    pub fn schema_name(&self) -> Option<&str> {
        self.names.schema.as_deref()
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
        Self::named(Names { schema: None, prefix: DEFAULT_PREFIX.into() })
    }
}

/// Stores jobs as part of this tokio-postgres transaction (or whatever is open on this client). They exist
/// if and only if it commits.
///
/// # Errors
/// Misuse if a job is refused or a parent is unknown; transient if the database asks to try the whole
/// transaction again; broken if the tables are missing. After an error roll the transaction back.
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn insert_in<C: GenericClient + Sync>(
    client: &C,
    tables: &Tables,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    insert(&mut Foreign { client, statements: &tables.statements }, None, jobs).await
}

struct Foreign<'c, C> {
    client: &'c C,
    statements: &'c Statements,
}

impl<C: GenericClient + Sync> Executor for Foreign<'_, C> {
    async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let doing = |e| postgres_error(&format!("run `{op:?}` in the application's transaction"), e);
        let typed: Vec<_> = values.iter().map(|value| (value.as_sql(), value.of_type())).collect();
        let rows = self.client.query_typed(self.statements.text(op), &typed).await.map_err(doing)?;
        rows.iter().map(Row::read).collect()
    }
}

#[cfg(feature = "sqlx")]
pub use with_sqlx::insert_in_sqlx;

#[cfg(feature = "sqlx")]
mod with_sqlx {
    use portfire_core::storage::Inserted;
    use portfire_core::{Error, NewJob, Result};
    use sqlx::postgres::{PgArguments, PgConnection, PgRow};
    use sqlx::{Column, Postgres, Row as _, TypeInfo, ValueRef};
    use tokio_postgres::error::SqlState;

    use super::Tables;
    use crate::error::of_code;
    use crate::insert::{Executor, insert};
    use crate::rows::{Cell, Row, Value};
    use crate::statements::{Op, Statements};

    /// Stores jobs as part of whatever transaction is open on this sqlx connection (a
    /// `sqlx::Transaction` dereferences to one). They exist if and only if it commits.
    ///
    /// # Errors
    /// As [`insert_in`](crate::insert_in).
    ///
    /// # Cancel safety
    /// If dropped, roll the transaction back.
    pub async fn insert_in_sqlx(
        connection: &mut PgConnection,
        tables: &Tables,
        jobs: &[NewJob],
    ) -> Result<Vec<Inserted>> {
        insert(&mut Sqlx { connection, statements: &tables.statements }, None, jobs).await
    }

    struct Sqlx<'c> {
        connection: &'c mut PgConnection,
        statements: &'c Statements,
    }

    impl Executor for Sqlx<'_> {
        async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
            let query = query(self.statements.text(op), values);
            let rows = query.fetch_all(&mut *self.connection).await.map_err(|e| failed(op, e))?;
            rows.iter().map(read).collect()
        }
    }

    fn query<'q>(sql: &str, values: &[Value<'_>]) -> sqlx::query::Query<'q, Postgres, PgArguments> {
        // The text comes from our own files and checked names. Not kept prepared: see `pool.rs`.
        let query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).persistent(false);
        values.iter().fold(query, |query, value| match value {
            Value::Int(number) => query.bind(*number),
            Value::Bool(yes) => query.bind(*yes),
            Value::Text(text) => query.bind(text.map(str::to_owned)),
            Value::Id(id) => query.bind(*id),
            Value::Ints(numbers) => query.bind(numbers.clone()),
            Value::Bools(all) => query.bind(all.clone()),
            Value::Texts(texts) => query.bind(owned(texts)),
            Value::Ids(ids) => query.bind(ids.clone()),
        })
    }

    fn owned(texts: &[Option<&str>]) -> Vec<Option<String>> {
        texts.iter().map(|text| text.map(str::to_owned)).collect()
    }

    fn read(row: &PgRow) -> Result<Row> {
        row.columns().iter().map(|column| cell(row, column.ordinal())).collect::<Result<_>>().map(Row)
    }

    fn cell(row: &PgRow, column: usize) -> Result<Cell> {
        let failed = |e| Error::broken("a row could not be read through sqlx").caused_by(e);
        let raw = row.try_get_raw(column).map_err(failed)?;
        if raw.is_null() {
            return Ok(Cell::Null);
        }
        Ok(match raw.type_info().name() {
            "INT8" => Cell::Int(row.try_get(column).map_err(failed)?),
            "BOOL" => Cell::Bool(row.try_get(column).map_err(failed)?),
            "UUID" => Cell::Id(row.try_get(column).map_err(failed)?),
            _ => Cell::Text(row.try_get::<String, _>(column).map_err(failed)?.into()),
        })
    }

    fn failed(op: Op, error: sqlx::Error) -> Error {
        let message = format!("PostgreSQL could not run `{op:?}` in the application's transaction");
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        let code = code.map(|code| SqlState::from_code(&code));
        let lost = matches!(error, sqlx::Error::Io(_));
        of_code(message, code.as_ref(), lost).caused_by(error)
    }
}
