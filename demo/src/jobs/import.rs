//! Imports a file of users, and survives being killed at any moment.
//!
//! 1. The place to go on from is read from `import_progress`: the beginning, or where an earlier attempt
//!    had come to.
//! 2. Batch by batch, rows are read and stored. The new place is stored in the same transaction, guarded
//!    by the old one; so a row is stored once, whoever is killed, and an attempt that has lost the job
//!    without noticing stores nothing.
//! 3. After the last batch the file is removed. An attempt that finds everything done only does this.

use std::path::PathBuf;
use std::time::Duration;

use portfire::prelude::*;
use serde::{Deserialize, Serialize};

use crate::csv_rows::{Batch, Place, RowReader};
use crate::database::{Database, ImportProgress};
use crate::files::{DataDir, remove_if_there};

/// Rows per transaction: enough to make the commit cheap, few enough not to keep other writers waiting.
const BATCH_ROWS: usize = 500;

/// What an import came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCounts {
    /// Rows that became users.
    pub imported: i64,
    /// Rows that did not.
    pub rejected: i64,
}

/// Imports the uploaded file that is named by this job. `pause_ms` rests after each batch, so that there
/// is something to watch.
#[job(queue = "imports", attempts = 5)]
pub async fn import_users(
    #[from] database: &Database,
    #[from] data: &DataDir,
    ctx: &JobContext,
    original_name: String,
    #[serde(default)] pause_ms: u64,
) -> Result<ImportCounts, JobError> {
    let import = Import { ctx, database, id: ctx.job_id().to_string(), path: data.upload(ctx.job_id()) };
    let begun = import.progress().await?;
    if !begun.is_done {
        ctx.log(format_args!("importing {original_name} from line {}", begun.place().line));
        import.rows(begun.place(), Duration::from_millis(pause_ms)).await?;
    }
    remove_if_there(&import.path).await?;
    let ended = import.progress().await?;
    Ok(ImportCounts { imported: ended.imported, rejected: ended.rejected })
}

struct Import<'a> {
    ctx: &'a JobContext,
    database: &'a Database,
    id: String,
    path: PathBuf,
}

impl Import<'_> {
    async fn progress(&self) -> Result<ImportProgress, JobError> {
        let progress = self.database.import(&self.id).await?;
        progress.ok_or_else(|| JobError::message("the database does not know this import").no_retry())
    }

    async fn rows(&self, from: Place, pause: Duration) -> Result<(), JobError> {
        let (mut reader, mut place) = (self.open(from).await?, from);
        loop {
            self.ctx.check_cancelled()?;
            let (back, batch) = self.read(reader).await?;
            reader = back;
            if !self.database.store_batch(&self.id, place, &batch).await? {
                return Err(JobError::message("another attempt has gone on with this import"));
            }
            place = batch.end;
            self.ctx.progress(place.position, reader.size());
            if batch.is_last {
                return Ok(());
            }
            // A rest that ends early if the attempt should stop.
            let _ = tokio::time::timeout(pause, self.ctx.cancellation().cancelled()).await;
        }
    }

    async fn open(&self, at: Place) -> Result<RowReader, JobError> {
        let path = self.path.clone();
        // A file that is gone does not come back by itself: no retry.
        self.ctx.blocking(move |_| RowReader::open(&path, at).no_retry()).await
    }

    /// Files have no asynchronous reads: each batch is read on a blocking thread.
    async fn read(&self, mut reader: RowReader) -> Result<(RowReader, Batch), JobError> {
        let read = move |_: &JobContext| {
            let batch = reader.next_batch(BATCH_ROWS)?;
            Ok((reader, batch))
        };
        self.ctx.blocking(read).await
    }
}
