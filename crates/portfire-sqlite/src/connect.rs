//! A connection to the file, set up as every one of ours is.

use std::time::{Duration, Instant};

use portfire_core::Result;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use crate::{SqliteOptions, Synchronous, sqlite_error};

/// How many statements a connection keeps prepared: all of ours, and the forms that lists take.
const STATEMENTS_KEPT: usize = 128;

/// How long the write-ahead log gets before it is copied into the file: 16 MiB. A page that is written again
/// meanwhile is copied once: at SQLite's default of 1,000 pages a drain took 5 to 8 % longer.
const CHECKPOINT_PAGES: u32 = 4_000;

/// When a file that others turn to write-ahead logging is looked at again: turning it takes two flushes.
const TURN_AGAIN_AFTER: Duration = Duration::from_millis(1);

/// Opens or creates the file.
pub(crate) fn connect(options: &SqliteOptions) -> Result<Connection> {
    let failed = |e| sqlite_error(&format!("open {}", options.path.display()), e);
    let connection = Connection::open(&options.path).map_err(failed)?;
    connection.busy_timeout(options.busy_timeout).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Plans do not depend on bound values. Without this SQLite compiles a statement with `LIMIT ?` anew
    // whenever it is bound (15 % of a process's CPU time while jobs came one at a time).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    let synchronous = match options.synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    enter_wal(&connection, options.busy_timeout).map_err(failed)?;
    let pragmas =
        format!("PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};");
    connection.execute_batch(&pragmas).map_err(failed)?;
    Ok(connection)
}

/// Turns a new file to write-ahead logging. Of several that do so at once each holds what the others need; SQLite
/// refuses all but one at once, instead of waiting as it does everywhere else.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite waits for locks in this way too, on the caller's thread"
)]
fn enter_wal(connection: &Connection, busy_timeout: Duration) -> rusqlite::Result<()> {
    let gives_up_at = Instant::now() + busy_timeout;
    loop {
        let entered = connection.execute_batch("PRAGMA journal_mode = WAL");
        let is_busy = entered.as_ref().is_err_and(|e| e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy));
        if !is_busy || Instant::now() >= gives_up_at {
            return entered;
        }
        std::thread::sleep(TURN_AGAIN_AFTER);
    }
}
