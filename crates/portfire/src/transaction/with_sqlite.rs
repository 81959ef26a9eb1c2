//! Transactions on SQLite.

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{NewJob, Result, Settlement};
use portfire_sqlite::{DEFAULT_PREFIX, insert_in, rusqlite, settle_in};
#[cfg(feature = "sqlx-sqlite")]
use portfire_sqlite::{insert_in_sqlx, settle_in_sqlx};

use super::{OpenTransaction, open_transaction};

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

open_transaction!(rusqlite::Connection, Prefixed(prefix) or DEFAULT_PREFIX => insert_in, settle_in);
open_transaction!(rusqlite::Transaction<'_>, Prefixed(prefix) or DEFAULT_PREFIX => insert_in, settle_in);

#[cfg(feature = "sqlx-sqlite")]
open_transaction!(
    sqlx::SqliteConnection, Prefixed(prefix) or DEFAULT_PREFIX => insert_in_sqlx, settle_in_sqlx, await
);
#[cfg(feature = "sqlx-sqlite")]
open_transaction!(
    sqlx::Transaction<'_, sqlx::Sqlite>,
    Prefixed(prefix) or DEFAULT_PREFIX => insert_in_sqlx, settle_in_sqlx, await
);
