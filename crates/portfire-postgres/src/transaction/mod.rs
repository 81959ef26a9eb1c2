//! The application's own transactions: jobs enter in them, and a handler may settle its own job in one, over
//! the same statements as the storage itself. One file for each driver.
//!
//! The application's database needs the tables, that is: somebody opened it with
//! [`PostgresStorage`](crate::PostgresStorage) before. Where such a storage is open in this process, its bell rings
//! some times after jobs have entered, so that waiting servers find them when the transaction has probably committed;
//! else they find them by polling. The transaction itself notifies nobody: that would make the application's commit
//! wait for everybody else's, and forbid it to be prepared for two phases.
//!
//! A job that waits for others holds those where they are until the transaction ends, and so does one that
//! ends with the jobs that wait for it. Heartbeats, claims and rescues pass such rows by; what else concerns
//! those jobs waits. Keep it short, and settle last.

#[cfg(feature = "diesel")]
mod with_diesel;
#[cfg(feature = "diesel-async")]
mod with_diesel_async;
#[cfg(feature = "sea-orm")]
mod with_sea_orm;
#[cfg(feature = "sqlx")]
mod with_sqlx;

use std::sync::Arc;

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{NewJob, Result, Settlement};
use tokio_postgres::GenericClient;

use crate::DEFAULT_PREFIX;
use crate::error::postgres_error;
use crate::insert::{Executor, Ids, insert};
use crate::rows::{Row, Value};
use crate::settle::settle_alone;
use crate::statements::{Names, Op, Statements, check_name};
use crate::wake;

#[cfg(feature = "diesel")]
pub use with_diesel::{insert_in_diesel, settle_in_diesel};
#[cfg(feature = "diesel-async")]
pub use with_diesel_async::{insert_in_diesel_async, settle_in_diesel_async};
#[cfg(feature = "sea-orm")]
pub use with_sea_orm::{insert_in_sea_orm, settle_in_sea_orm};
#[cfg(feature = "sqlx")]
pub use with_sqlx::{insert_in_sqlx, settle_in_sqlx};

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
    enter(&mut Foreign { client, statements: &tables.statements }, tables, jobs).await
}

/// Settles a job as part of this tokio-postgres transaction (or of whatever is open on this client): by the
/// same fence and with the same consequences as [`Storage::exchange`](portfire_core::Storage::exchange), if
/// and only if it commits. One statement, whole by itself where no transaction is open.
///
/// # Errors
/// Misuse if the transaction's isolation is higher than READ COMMITTED: it would not see a job that was
/// attached to this one meanwhile, and leave it waiting for ever. Transient if the database asks to try the
/// whole transaction again; broken if the tables are missing. After an error roll the transaction back.
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn settle_in<C: GenericClient + Sync>(
    client: &C,
    tables: &Tables,
    settlement: &Settlement,
) -> Result<Settled> {
    settle_alone(&mut Foreign { client, statements: &tables.statements }, settlement).await
}

/// Stores jobs by whatever runs our statements; those who wait for jobs hear of it later.
async fn enter<E: Executor>(db: &mut E, tables: &Tables, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
    let answers = insert(db, None, jobs, Ids::MayRepeat).await?;
    if answers.contains(&Inserted::New) {
        wake::echo(&tables.names.word());
    }
    Ok(answers)
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
        Ok(rows.into_iter().map(Row::Sent).collect())
    }
}
