//! The cleanup: what has been marked as deleted, or lain about, for 30 days goes.
//!
//! - Users go by one rule, [`remove_expired`], which is applied from two sides: every hour by a service of
//!   each process, as a `BackgroundService` does it, and every night by a recurring job, once however many
//!   processes there are. Whoever comes second finds nothing left to do.
//! - Files go by a service of each process: it cleans the process's own directory.

use std::time::Duration;

use portfire::hosting::Tick;
use portfire::{JobError, Timestamp};

use crate::database::Database;
use crate::files::DataDir;

/// How long users and imports stay after they were marked as deleted or ended, and files after they were
/// written.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Removes users that were marked as deleted 30 days ago, and what is left of imports as old; says how many
/// users went. Doing it again, or from two processes at once, changes nothing more.
///
/// # Errors
/// What the database reports.
pub async fn remove_expired(database: &Database, now: Timestamp) -> Result<u64, sqlx::Error> {
    database.expire(now.before(KEPT)).await
}

/// The same, every hour.
///
/// # Errors
/// What the database reports.
pub async fn remove_expired_hourly(tick: Tick) -> Result<(), JobError> {
    let database = tick.value::<Database>().await?;
    let removed = remove_expired(&database, tick.now()).await?;
    if removed > 0 {
        tracing::info!(removed, "deleted users removed");
    }
    Ok(())
}

/// Removes mail, reports and previews that are older than 30 days.
///
/// # Errors
/// What the file system reports.
pub async fn remove_old_files(tick: Tick) -> Result<(), JobError> {
    let data = tick.value::<DataDir>().await?;
    let removed = data.remove_older_than(tick.now().before(KEPT)).await?;
    if removed > 0 {
        tracing::info!(removed, "old files removed");
    }
    Ok(())
}
