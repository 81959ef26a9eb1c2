//! Transactions on PostgreSQL.

use std::sync::LazyLock;

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{NewJob, Result, Settlement};
use portfire_postgres::{Tables, insert_in, settle_in, tokio_postgres};
#[cfg(feature = "sqlx-postgres")]
use portfire_postgres::{insert_in_sqlx, settle_in_sqlx};

use super::{OpenTransaction, open_transaction};

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

open_transaction!(tokio_postgres::Client, InTables(tables) or &DEFAULT => insert_in, settle_in, await);
open_transaction!(
    tokio_postgres::Transaction<'_>, InTables(tables) or &DEFAULT => insert_in, settle_in, await
);

#[cfg(feature = "sqlx-postgres")]
open_transaction!(
    sqlx::PgConnection, InTables(tables) or &DEFAULT => insert_in_sqlx, settle_in_sqlx, await
);
#[cfg(feature = "sqlx-postgres")]
open_transaction!(
    sqlx::Transaction<'_, sqlx::Postgres>,
    InTables(tables) or &DEFAULT => insert_in_sqlx, settle_in_sqlx, await
);
