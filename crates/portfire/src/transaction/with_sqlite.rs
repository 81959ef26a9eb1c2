//! Transactions on SQLite.

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{NewJob, Result, Settlement};
use portfire_sqlite::{DEFAULT_PREFIX, insert_in, rusqlite, settle_in};
#[cfg(feature = "sqlx-sqlite")]
use portfire_sqlite::{insert_in_sqlx, settle_in_sqlx};

#[cfg(feature = "diesel-sqlite")]
use portfire_sqlite::{insert_in_diesel, settle_in_diesel};
#[cfg(feature = "diesel-async-sqlite")]
use portfire_sqlite::{insert_in_diesel_async, settle_in_diesel_async};

#[cfg(feature = "diesel-sqlite")]
use super::open_connection;
use super::{OpenTransaction, open_transaction};

/// A transaction in a database whose Portfire tables have a prefix of their own.
#[derive(Debug)]
pub struct Prefixed<'t, T> {
    pub(super) prefix: &'t str,
    pub(super) transaction: &'t mut T,
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

#[cfg(feature = "diesel-sqlite")]
open_connection!(
    /// The transaction that is open on a connection of diesel. It blocks: use it in
    /// [`blocking`](crate::JobContext::blocking).
    Diesel, diesel: ::diesel::connection::LoadConnection<Backend = ::diesel::sqlite::Sqlite>,
    /// Names the prefix of the Portfire tables.
    prefix: &'t str = DEFAULT_PREFIX => insert_in_diesel, settle_in_diesel
);

#[cfg(feature = "diesel-async-sqlite")]
open_connection!(
    /// The transaction that is open on a connection of diesel-async.
    DieselAsync, diesel_async: ::diesel_async::AsyncConnectionCore<Backend = ::diesel::sqlite::Sqlite>,
    /// Names the prefix of the Portfire tables.
    prefix: &'t str = DEFAULT_PREFIX => insert_in_diesel_async, settle_in_diesel_async
);
