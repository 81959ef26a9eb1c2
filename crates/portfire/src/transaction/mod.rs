//! The application's own transactions: a job that is enqueued in one exists if and only if it commits, and a
//! handler that settles its own job in one has succeeded if and only if it commits.
//!
//! Each driver's transaction type becomes an [`OpenTransaction`] here, over the same SQL that the backend
//! itself uses. Servers learn of the jobs soon after the commit: the backends say how.

#[cfg(feature = "mysql")]
pub(crate) mod with_mysql;
#[cfg(feature = "postgres")]
pub(crate) mod with_postgres;
#[cfg(any(feature = "sea-orm-sqlite", feature = "sea-orm-postgres", feature = "sea-orm-mysql"))]
mod with_sea_orm;
#[cfg(feature = "sqlite")]
pub(crate) mod with_sqlite;

use std::future::Future;

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{NewJob, Result, Settlement};

/// A transaction of the application that is open: jobs can enter in it
/// ([`enqueue_in`](crate::Call::enqueue_in)), and a handler can end its own in it
/// ([`complete_in`](crate::JobContext::complete_in)).
///
/// | driver | feature | a transaction |
/// |---|---|---|
/// | rusqlite | `sqlite` | `Transaction`; `Connection` in which one is open |
/// | tokio-postgres | `postgres` | `Transaction`; `Client` in which one is open |
/// | mysql_async | `mysql` | `Transaction`; `Conn` in which one is open |
/// | sqlx 0.9 | `sqlx-sqlite`, `sqlx-postgres`, `sqlx-mysql` | `Transaction`; a connection in which one is open |
/// | sea-orm 2 | `sea-orm-sqlite`, `sea-orm-postgres`, `sea-orm-mysql` | `DatabaseTransaction` |
/// | diesel 2 | `diesel-sqlite`, `diesel-postgres`, `diesel-mysql` | `sqlite::diesel(&mut connection)`, and so with `postgres` and `mysql` |
/// | diesel-async | `diesel-async-sqlite`, `diesel-async-postgres`, `diesel-async-mysql` | `sqlite::diesel_async(&mut connection)`, and so with `postgres` and `mysql` |
///
/// Tables with names of their own are named: `sqlite::prefixed("shop_", &mut transaction)`,
/// `postgres::in_tables(&tables, &mut transaction)`, `mysql::in_tables(&tables, &mut transaction)`; with diesel `.prefix("shop_")`, `.tables(&tables)`.
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// use portfire::prelude::*;
/// use portfire::sqlite::rusqlite;
///
/// #[job]
/// async fn welcome(user_id: i64) {
///     let _ = user_id;
/// }
///
/// async fn sign_up(database: &mut rusqlite::Connection) -> Result<(), Box<dyn std::error::Error>> {
///     let mut transaction = database.transaction()?;
///     transaction.execute("INSERT INTO users (id) VALUES (7)", [])?;
///     welcome(7).enqueue_in(&mut transaction).await?;
///     transaction.commit()?; // both, or neither
///     Ok(())
/// }
/// ```
pub trait OpenTransaction {
    /// Stores jobs as [`Storage::insert`](crate::Storage::insert) does, as part of this transaction.
    ///
    /// # Errors
    /// As there. After an error the application should roll its transaction back.
    fn insert(&mut self, jobs: &[NewJob]) -> impl Future<Output = Result<Vec<Inserted>>>;

    /// Settles a job as [`Storage::exchange`](crate::Storage::exchange) does, as part of this transaction.
    ///
    /// # Errors
    /// As there. After an error the application should roll its transaction back.
    fn settle(&mut self, settlement: &Settlement) -> impl Future<Output = Result<Settled>>;
}

/// What a driver calls a transaction, as an [`OpenTransaction`]: by itself for tables with the usual names,
/// and in a wrapper that names them.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
macro_rules! open_transaction {
    ($transaction:ty, $names:ident($name:ident) or $usual:expr => $insert:ident, $settle:ident $(, $wait:tt)?) => {
        impl OpenTransaction for $transaction {
            async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
                $insert(self, $usual, jobs)$(.$wait)?
            }

            async fn settle(&mut self, settlement: &Settlement) -> Result<Settled> {
                $settle(self, $usual, settlement)$(.$wait)?
            }
        }

        impl OpenTransaction for $names<'_, $transaction> {
            async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
                $insert(self.transaction, self.$name, jobs)$(.$wait)?
            }

            async fn settle(&mut self, settlement: &Settlement) -> Result<Settled> {
                $settle(self.transaction, self.$name, settlement)$(.$wait)?
            }
        }
    };
}
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
use open_transaction;

/// A wrapper for the connections of a driver that are of many types: those with this trait and this backend.
#[cfg(any(feature = "diesel-sqlite", feature = "diesel-postgres", feature = "diesel-mysql"))]
macro_rules! open_connection {
    (
        $(#[$doc:meta])*
        $wrapper:ident, $make:ident: $connection:path,
        $(#[$names_doc:meta])* $names:ident: $type:ty = $usual:expr => $insert:ident, $settle:ident
    ) => {
        $(#[$doc])*
        pub struct $wrapper<'t, C> {
            $names: $type,
            connection: &'t mut C,
        }

        $(#[$doc])*
        pub fn $make<C: $connection>(connection: &mut C) -> $wrapper<'_, C> {
            $wrapper { $names: $usual, connection }
        }

        impl<'t, C> $wrapper<'t, C> {
            $(#[$names_doc])*
            #[must_use]
            pub fn $names(self, $names: $type) -> Self {
                Self { $names, ..self }
            }
        }

        impl<C> std::fmt::Debug for $wrapper<'_, C> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($wrapper)).field(stringify!($names), &self.$names).finish_non_exhaustive()
            }
        }

        impl<C: $connection> OpenTransaction for $wrapper<'_, C> {
            async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
                $insert(self.connection, self.$names, jobs).await
            }

            async fn settle(&mut self, settlement: &Settlement) -> Result<Settled> {
                $settle(self.connection, self.$names, settlement).await
            }
        }
    };
}
#[cfg(any(feature = "diesel-sqlite", feature = "diesel-postgres", feature = "diesel-mysql"))]
use open_connection;
