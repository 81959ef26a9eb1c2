//! The seed's `DataCleanupService`: every hour, the users that were deleted more than 30 days ago are removed,
//! over a connection that is made for this tick and closed at its end.
//!
//! `cargo run -p portfire --example background_service -- users.db`, then Ctrl-C.
#![allow(clippy::print_stdout, reason = "an example talks to its terminal")]

use std::path::PathBuf;

use portfire::hosting::{Every, Host, Tick};
use portfire::{DurationExt, JobError};
use rusqlite::Connection;
use tokio::sync::Mutex;

/// The counterpart of a scoped `DbContext`.
struct Database(Mutex<Connection>);

impl Database {
    fn open(path: &std::path::Path) -> Result<Self, JobError> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS users (
                 id INTEGER PRIMARY KEY, name TEXT NOT NULL, created_at INTEGER NOT NULL, is_deleted INTEGER NOT NULL)",
        )?;
        Ok(Self(Mutex::new(connection)))
    }

    async fn remove_deleted_before(&self, cutoff: i64) -> Result<usize, JobError> {
        let sql = "DELETE FROM users WHERE is_deleted AND created_at < ?1";
        Ok(self.0.lock().await.execute(sql, [cutoff])?)
    }
}

async fn clean_up(tick: Tick) -> Result<(), JobError> {
    println!("Data Cleanup Service is working.");
    let database = tick.value::<Database>().await?;
    let cutoff = tick.now().before(30.days()).as_micros() / 1_000_000;
    println!("Cleaned up {} expired records.", database.remove_deleted_before(cutoff).await?);
    Ok(())
}

#[tokio::main]
async fn main() -> portfire::Result<()> {
    let path = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "users.db".into()));
    Host::new()
        .provide_with(move |_scope| {
            let path = path.clone();
            async move { Database::open(&path) }
        })
        .periodic("cleanup", Every::delay(1.hour()).at_once(), clean_up)
        .run()
        .await
}
