//! Transactions on MariaDB and MySQL.

use std::sync::LazyLock;

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{NewJob, Result, Settlement};
use portfire_mysql::{Tables, insert_in, mysql_async, settle_in};
#[cfg(feature = "sqlx-mysql")]
use portfire_mysql::{insert_in_sqlx, settle_in_sqlx};

#[cfg(feature = "diesel-mysql")]
use portfire_mysql::{insert_in_diesel, settle_in_diesel};
#[cfg(feature = "diesel-async-mysql")]
use portfire_mysql::{insert_in_diesel_async, settle_in_diesel_async};

#[cfg(feature = "diesel-mysql")]
use super::open_connection;
use super::{OpenTransaction, open_transaction};

/// The tables that a transaction means which says nothing else.
pub(super) static DEFAULT: LazyLock<Tables> = LazyLock::new(Tables::default);

/// A transaction in a database whose Portfire tables have a prefix of their own.
#[derive(Debug)]
pub struct InTables<'t, T> {
    pub(super) tables: &'t Tables,
    pub(super) transaction: &'t mut T,
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

#[cfg(feature = "diesel-mysql")]
open_connection!(
    /// The transaction that is open on a connection of diesel. It blocks: use it in
    /// [`blocking`](crate::JobContext::blocking).
    Diesel, diesel: ::diesel::connection::LoadConnection<Backend = ::diesel::mysql::Mysql>,
    /// Names the Portfire tables.
    tables: &'t Tables = &DEFAULT => insert_in_diesel, settle_in_diesel
);

#[cfg(feature = "diesel-async-mysql")]
open_connection!(
    /// The transaction that is open on a connection of diesel-async.
    DieselAsync, diesel_async: ::diesel_async::AsyncConnectionCore<Backend = ::diesel::mysql::Mysql>,
    /// Names the Portfire tables.
    tables: &'t Tables = &DEFAULT => insert_in_diesel_async, settle_in_diesel_async
);
