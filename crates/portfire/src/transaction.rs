//! Enqueue inside the application's own transaction: the job exists if and only if that commits.
//!
//! Each driver's transaction type becomes an [`EnqueueTarget`] here, over the same SQL that the backend
//! itself uses. Servers learn of the job by polling, or when the file changes.

#[cfg(feature = "mysql")]
pub(crate) mod mysql;

use std::future::Future;

use portfire_core::storage::Inserted;
use portfire_core::{NewJob, Result};

/// An open transaction that can take jobs.
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
pub trait EnqueueTarget {
    /// Stores jobs as [`Storage::insert`](crate::Storage::insert) does, as part of this transaction.
    ///
    /// # Errors
    /// As there. After an error the application should roll its transaction back.
    fn insert(&mut self, jobs: &[NewJob]) -> impl Future<Output = Result<Vec<Inserted>>>;
}

#[cfg(feature = "sqlite")]
pub use with_sqlite::{Prefixed, prefixed};

#[cfg(feature = "sqlite")]
mod with_sqlite {
    use portfire_sqlite::{DEFAULT_PREFIX, insert_in, rusqlite};

    use super::{EnqueueTarget, Inserted, NewJob, Result};

    /// A transaction in a database whose Portfire tables have a prefix of their own.
    #[derive(Debug)]
    pub struct Prefixed<'t, T> {
        prefix: &'t str,
        transaction: &'t mut T,
    }

    /// Names the prefix of the Portfire tables, for databases opened with one.
    pub fn prefixed<'t, T>(prefix: &'t str, transaction: &'t mut T) -> Prefixed<'t, T> {
        Prefixed { prefix, transaction }
    }

    impl EnqueueTarget for rusqlite::Connection {
        async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
            insert_in(self, DEFAULT_PREFIX, jobs)
        }
    }

    impl EnqueueTarget for rusqlite::Transaction<'_> {
        async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
            insert_in(self, DEFAULT_PREFIX, jobs)
        }
    }

    impl EnqueueTarget for Prefixed<'_, rusqlite::Transaction<'_>> {
        async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
            insert_in(self.transaction, self.prefix, jobs)
        }
    }

    #[cfg(feature = "sqlx-sqlite")]
    mod with_sqlx {
        use portfire_sqlite::{DEFAULT_PREFIX, insert_in_sqlx};

        use super::{EnqueueTarget, Inserted, NewJob, Prefixed, Result};

        impl EnqueueTarget for sqlx::SqliteConnection {
            async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
                insert_in_sqlx(self, DEFAULT_PREFIX, jobs).await
            }
        }

        impl EnqueueTarget for sqlx::Transaction<'_, sqlx::Sqlite> {
            async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
                insert_in_sqlx(self, DEFAULT_PREFIX, jobs).await
            }
        }

        impl EnqueueTarget for Prefixed<'_, sqlx::Transaction<'_, sqlx::Sqlite>> {
            async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
                insert_in_sqlx(self.transaction, self.prefix, jobs).await
            }
        }
    }
}

#[cfg(feature = "postgres")]
pub use with_postgres::{InTables, in_tables};

#[cfg(feature = "postgres")]
mod with_postgres {
    use std::sync::LazyLock;

    use portfire_postgres::{Tables, insert_in, tokio_postgres};

    use super::{EnqueueTarget, Inserted, NewJob, Result};

    /// The tables that a transaction means which says nothing else.
    static DEFAULT: LazyLock<Tables> = LazyLock::new(Tables::default);

    /// A transaction in a database whose Portfire tables have a schema or a prefix of their own.
    #[derive(Debug)]
    pub struct InTables<'t, T> {
        tables: &'t Tables,
        transaction: &'t mut T,
    }

    /// Names the Portfire tables, for databases opened with a schema or a prefix.
    pub fn in_tables<'t, T>(tables: &'t Tables, transaction: &'t mut T) -> InTables<'t, T> {
        InTables { tables, transaction }
    }

    impl EnqueueTarget for tokio_postgres::Transaction<'_> {
        async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
            insert_in(self, &DEFAULT, jobs).await
        }
    }

    impl EnqueueTarget for tokio_postgres::Client {
        async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
            insert_in(self, &DEFAULT, jobs).await
        }
    }

    impl EnqueueTarget for InTables<'_, tokio_postgres::Transaction<'_>> {
        async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
            insert_in(self.transaction, self.tables, jobs).await
        }
    }

    #[cfg(feature = "sqlx-postgres")]
    mod with_sqlx {
        use portfire_postgres::insert_in_sqlx;

        use super::{DEFAULT, EnqueueTarget, InTables, Inserted, NewJob, Result};

        impl EnqueueTarget for sqlx::PgConnection {
            async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
                insert_in_sqlx(self, &DEFAULT, jobs).await
            }
        }

        impl EnqueueTarget for sqlx::Transaction<'_, sqlx::Postgres> {
            async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
                insert_in_sqlx(self, &DEFAULT, jobs).await
            }
        }

        impl EnqueueTarget for InTables<'_, sqlx::Transaction<'_, sqlx::Postgres>> {
            async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
                insert_in_sqlx(self.transaction, self.tables, jobs).await
            }
        }
    }
}
