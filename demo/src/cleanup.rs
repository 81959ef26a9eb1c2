//! The hourly cleanup: files that nobody fetched for 30 days.
//!
//! Beside the nightly cleanup of the database, which is a recurring job and happens once however many
//! processes there are, this one is a service of each process: it cleans the process's own directory.

use portfire::hosting::Tick;
use portfire::{DurationExt, JobError};

use crate::files::DataDir;

/// Removes mail, reports and previews that are older than 30 days.
///
/// # Errors
/// What the file system reports.
pub async fn remove_old_files(tick: Tick) -> Result<(), JobError> {
    let data = tick.value::<DataDir>().await?;
    let removed = data.remove_older_than(tick.now().before(30.days())).await?;
    if removed > 0 {
        tracing::info!(removed, "old files removed");
    }
    Ok(())
}
