//! Transactions on MariaDB and MySQL.

use std::sync::LazyLock;

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{NewJob, Result, Settlement};
use portfire_mysql::{Tables, insert_in, mysql_async, settle_in};
#[cfg(feature = "sqlx-mysql")]
use portfire_mysql::{insert_in_sqlx, settle_in_sqlx};

use super::{OpenTransaction, open_transaction};

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

open_transaction!(mysql_async::Conn, InTables(tables) or &DEFAULT => insert_in, settle_in, await);
open_transaction!(mysql_async::Transaction<'_>, InTables(tables) or &DEFAULT => insert_in, settle_in, await);

#[cfg(feature = "sqlx-mysql")]
open_transaction!(
    sqlx::MySqlConnection, InTables(tables) or &DEFAULT => insert_in_sqlx, settle_in_sqlx, await
);
#[cfg(feature = "sqlx-mysql")]
open_transaction!(
    sqlx::Transaction<'_, sqlx::MySql>,
    InTables(tables) or &DEFAULT => insert_in_sqlx, settle_in_sqlx, await
);
