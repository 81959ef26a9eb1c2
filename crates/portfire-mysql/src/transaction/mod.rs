//! The application's own transactions: jobs enter in them, and a handler may settle its own job in one, over the
//! same statements as the storage itself. One file for each driver.
//!
//! The application's database needs the tables, that is: somebody opened it with
//! [`MysqlStorage`](crate::MysqlStorage) before. Where such a storage is open in this process, its bell rings some
//! times after jobs have entered, so that waiting servers find them when the transaction has probably committed; else
//! they find them by polling.
//!
//! A job that waits for others holds those where they are until the transaction ends, and so does one that ends
//! with the jobs that wait for it. Heartbeats, claims and rescues pass such rows by; what else concerns those jobs
//! waits. Keep it short, and settle last.
//!
//! Both are several statements, so there must be a transaction: without one nothing is done.
//!
//! Any isolation level will do: what has to be current is read by statements that hold it. Above READ COMMITTED
//! these hold the places beside it, too, so that more of what others do may wait.

#[cfg(feature = "diesel")]
mod with_diesel;
#[cfg(feature = "diesel-async")]
mod with_diesel_async;
#[cfg(feature = "sea-orm")]
mod with_sea_orm;
#[cfg(feature = "sqlx")]
mod with_sqlx;

use std::sync::Arc;

use mysql_async::prelude::Queryable;
use portfire_core::storage::{Inserted, Settled};
use portfire_core::{NewJob, Result, Settlement};

use crate::DEFAULT_PREFIX;
use crate::insert::{Executor, in_transaction, insert_after};
use crate::pool::{Answer, Step, send};
use crate::settle::settle_alone;
use crate::statements::{Names, Statements, check_prefix};
use crate::wake;

#[cfg(feature = "diesel")]
pub use with_diesel::{insert_in_diesel, settle_in_diesel};
#[cfg(feature = "diesel-async")]
pub use with_diesel_async::{insert_in_diesel_async, settle_in_diesel_async};
#[cfg(feature = "sea-orm")]
pub use with_sea_orm::{insert_in_sea_orm, settle_in_sea_orm};
#[cfg(feature = "sqlx")]
pub use with_sqlx::{insert_in_sqlx, settle_in_sqlx};

/// What an error says that came through a driver of the application.
#[cfg(any(feature = "sqlx", feature = "diesel"))]
const FAILED: &str = "the database could not do this in the application's transaction";

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

/// Stores jobs as part of this `mysql_async` transaction (or of what is open on this connection). They exist if and
/// only if it commits.
///
/// # Errors
/// Misuse if no transaction is open, a job is refused or a parent is unknown; transient if the database asks to try the whole
/// transaction again; broken if the tables are missing. After an error roll the transaction back.
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn insert_in<C: Queryable>(
    connection: &mut C,
    tables: &Tables,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    enter(&mut Foreign { connection, statements: &tables.statements }, tables, jobs).await
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

/// Stores jobs by whatever runs our statements; those who wait for jobs hear of it later.
async fn enter<E: Executor>(db: &mut E, tables: &Tables, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
    let answers = insert_after(db, in_transaction(), None, jobs).await?;
    if answers.contains(&Inserted::New) {
        wake::echo(&tables.names.prefix);
    }
    Ok(answers)
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
