//! Transactions of MariaDB and MySQL: those of `mysql_async`, and of sqlx.

use std::sync::LazyLock;

use portfire_mysql::{Tables, insert_in, mysql_async};

use super::{EnqueueTarget, Inserted, NewJob, Result};

/// The tables that a transaction means which says nothing else.
static DEFAULT: LazyLock<Tables> = LazyLock::new(Tables::default);

/// A transaction in a database whose Portfire tables have a prefix of their own.
#[derive(Debug)]
pub struct InTables<'t, T> {
    tables: &'t Tables,
    transaction: &'t mut T,
}

/// Names the Portfire tables, for databases opened with a prefix.
pub fn in_tables<'t, T>(tables: &'t Tables, transaction: &'t mut T) -> InTables<'t, T> {
    InTables { tables, transaction }
}

impl EnqueueTarget for mysql_async::Transaction<'_> {
    async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
        insert_in(self, &DEFAULT, jobs).await
    }
}

impl EnqueueTarget for mysql_async::Conn {
    async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
        insert_in(self, &DEFAULT, jobs).await
    }
}

impl EnqueueTarget for InTables<'_, mysql_async::Transaction<'_>> {
    async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
        insert_in(self.transaction, self.tables, jobs).await
    }
}

#[cfg(feature = "sqlx-mysql")]
mod with_sqlx {
    use portfire_mysql::insert_in_sqlx;

    use super::{DEFAULT, EnqueueTarget, InTables, Inserted, NewJob, Result};

    impl EnqueueTarget for sqlx::MySqlConnection {
        async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
            insert_in_sqlx(self, &DEFAULT, jobs).await
        }
    }

    impl EnqueueTarget for sqlx::Transaction<'_, sqlx::MySql> {
        async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
            insert_in_sqlx(self, &DEFAULT, jobs).await
        }
    }

    impl EnqueueTarget for InTables<'_, sqlx::Transaction<'_, sqlx::MySql>> {
        async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
            insert_in_sqlx(self.transaction, self.tables, jobs).await
        }
    }
}
