//! The application's own transactions: jobs enter in them, and a handler may settle its own job in one, over
//! the same statements as the storage itself. One file for each driver.
//!
//! The application's connection needs the tables, that is: somebody opened the file with
//! [`SqliteStorage`](crate::SqliteStorage) before. Waiting servers notice the commit by the file.
//!
//! SQLite has one writer: from its first write to its end, such a transaction holds up all others, the
//! heartbeats of servers among them. Keep it short.

#[cfg(feature = "diesel")]
mod with_diesel;
#[cfg(feature = "diesel-async")]
mod with_diesel_async;
#[cfg(feature = "sea-orm")]
mod with_sea_orm;
#[cfg(feature = "sqlx")]
mod with_sqlx;

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{Clock, NewJob, Result, Settlement};

use crate::clock::HostClock;
use crate::insert::{Executor, at_once, insert};
use crate::settle::settle;
use crate::statements::{Op, Statements, check_prefix};
use crate::tally;
use crate::threads::Tx;

#[cfg(feature = "diesel")]
pub use with_diesel::{insert_in_diesel, settle_in_diesel};
#[cfg(feature = "diesel-async")]
pub use with_diesel_async::{insert_in_diesel_async, settle_in_diesel_async};
#[cfg(feature = "sea-orm")]
pub use with_sea_orm::{insert_in_sea_orm, settle_in_sea_orm};
#[cfg(feature = "sqlx")]
pub use with_sqlx::{insert_in_sqlx, settle_in_sqlx};

/// Stores jobs as part of whatever transaction is open on this rusqlite connection (a
/// `rusqlite::Transaction` is one). They exist if and only if it commits.
///
/// # Errors
/// Misuse if a job or the prefix is refused or a parent is unknown; transient if another writer holds the
/// file; broken if the tables are missing. After an error roll the transaction back.
pub fn insert_in(connection: &rusqlite::Connection, prefix: &str, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
    let statements = statements(prefix)?;
    at_once(insert_by(&mut Tx::new(connection, &statements, HostClock::system().now()), jobs))
}

/// Settles a job as part of whatever transaction is open on this rusqlite connection: by the same fence and
/// with the same consequences as [`Storage::exchange`](portfire_core::Storage::exchange), if and only if it
/// commits. If none is open, it is a transaction of its own.
///
/// # Errors
/// Misuse if the prefix is refused; transient if another writer holds the file; broken if the tables are
/// missing. After an error roll the transaction back.
pub fn settle_in(
    connection: &rusqlite::Connection,
    prefix: &str,
    settlement: &Settlement,
) -> Result<Settled> {
    let statements = statements(prefix)?;
    at_once(settle_by(&mut Tx::new(connection, &statements, HostClock::system().now()), settlement))
}

fn statements(prefix: &str) -> Result<Statements> {
    check_prefix(prefix)?;
    Ok(Statements::with_prefix(prefix))
}

async fn insert_by<E: Executor>(db: &mut E, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
    let now = HostClock::system().now();
    let answers = insert(db, now, jobs).await?;
    tally::write(db, now).await?;
    Ok(answers)
}

/// All of it or nothing, also where no transaction is open: half a settlement would lose the job.
async fn settle_by<E: Executor>(db: &mut E, settlement: &Settlement) -> Result<Settled> {
    db.execute(Op::Savepoint, &[]).await?;
    let settled = settle_and_count(db, settlement).await;
    if settled.is_err() {
        // What went wrong is the error to tell; after some of them SQLite has rolled back by itself.
        let _ = db.execute(Op::SavepointUndo, &[]).await;
    }
    let released = db.execute(Op::SavepointRelease, &[]).await;
    let settled = settled?;
    released?;
    Ok(settled)
}

async fn settle_and_count<E: Executor>(db: &mut E, settlement: &Settlement) -> Result<Settled> {
    let now = HostClock::system().now();
    let settled = settle(db, now, settlement).await?;
    db.write_ends().await?;
    tally::write(db, now).await?;
    Ok(settled)
}
