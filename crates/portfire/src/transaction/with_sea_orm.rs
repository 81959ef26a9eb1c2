//! Transactions of sea-orm, which are of one type for all databases.

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{Error, NewJob, Result, Settlement};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use super::OpenTransaction;
#[cfg(feature = "sea-orm-mysql")]
use super::with_mysql;
#[cfg(feature = "sea-orm-postgres")]
use super::with_postgres;
#[cfg(feature = "sea-orm-sqlite")]
use super::with_sqlite::Prefixed;

impl OpenTransaction for DatabaseTransaction {
    async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
        match self.get_database_backend() {
            #[cfg(feature = "sea-orm-sqlite")]
            DbBackend::Sqlite => {
                portfire_sqlite::insert_in_sea_orm(self, portfire_sqlite::DEFAULT_PREFIX, jobs).await
            }
            #[cfg(feature = "sea-orm-postgres")]
            DbBackend::Postgres => {
                portfire_postgres::insert_in_sea_orm(self, &with_postgres::DEFAULT, jobs).await
            }
            #[cfg(feature = "sea-orm-mysql")]
            DbBackend::MySql => portfire_mysql::insert_in_sea_orm(self, &with_mysql::DEFAULT, jobs).await,
            other => Err(unknown(other)),
        }
    }

    async fn settle(&mut self, settlement: &Settlement) -> Result<Settled> {
        match self.get_database_backend() {
            #[cfg(feature = "sea-orm-sqlite")]
            DbBackend::Sqlite => {
                portfire_sqlite::settle_in_sea_orm(self, portfire_sqlite::DEFAULT_PREFIX, settlement).await
            }
            #[cfg(feature = "sea-orm-postgres")]
            DbBackend::Postgres => {
                portfire_postgres::settle_in_sea_orm(self, &with_postgres::DEFAULT, settlement).await
            }
            #[cfg(feature = "sea-orm-mysql")]
            DbBackend::MySql => {
                portfire_mysql::settle_in_sea_orm(self, &with_mysql::DEFAULT, settlement).await
            }
            other => Err(unknown(other)),
        }
    }
}

fn unknown(backend: DbBackend) -> Error {
    Error::misuse(format!(
        "this build of Portfire knows no transactions of sea-orm on {backend:?}; turn on its feature, as \
         `sea-orm-postgres`"
    ))
}

#[cfg(feature = "sea-orm-sqlite")]
impl OpenTransaction for Prefixed<'_, DatabaseTransaction> {
    async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
        portfire_sqlite::insert_in_sea_orm(self.transaction, self.prefix, jobs).await
    }

    async fn settle(&mut self, settlement: &Settlement) -> Result<Settled> {
        portfire_sqlite::settle_in_sea_orm(self.transaction, self.prefix, settlement).await
    }
}

#[cfg(feature = "sea-orm-postgres")]
impl OpenTransaction for with_postgres::InTables<'_, DatabaseTransaction> {
    async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
        portfire_postgres::insert_in_sea_orm(self.transaction, self.tables, jobs).await
    }

    async fn settle(&mut self, settlement: &Settlement) -> Result<Settled> {
        portfire_postgres::settle_in_sea_orm(self.transaction, self.tables, settlement).await
    }
}

#[cfg(feature = "sea-orm-mysql")]
impl OpenTransaction for with_mysql::InTables<'_, DatabaseTransaction> {
    async fn insert(&mut self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
        portfire_mysql::insert_in_sea_orm(self.transaction, self.tables, jobs).await
    }

    async fn settle(&mut self, settlement: &Settlement) -> Result<Settled> {
        portfire_mysql::settle_in_sea_orm(self.transaction, self.tables, settlement).await
    }
}
