//! Bringing the tables up to date: forward only, under SQLite's own write lock, each step once.
//!
//! Several processes may open the file at the same time; the first to get the lock migrates, the others
//! find it done. A schema that is newer than this program is refused and left alone.

use portfire_core::{Error, Result};
use rusqlite::{Connection, OptionalExtension};

use crate::sqlite_error;
use crate::statements::put_prefix;

/// The steps, in order. Never change one that was released: add another.
const STEPS: &[&str] = &[
    include_str!("../migrations/0001_spine.sql"),
    include_str!("../migrations/0002_schedules.sql"),
    include_str!("../migrations/0003_steering.sql"),
    include_str!("../migrations/0004_statistics.sql"),
];

/// Versions of SQLite below these can corrupt a file in WAL mode (the WAL-reset race of 3.7.0 to 3.51.2,
/// fixed in 3.51.3 and in two older lines).
const FIXED: &[(i32, i32)] = &[(3_044_006, 3_045_000), (3_050_007, 3_051_000), (3_051_003, i32::MAX)];

/// Refuses a SQLite that can corrupt the file.
pub(crate) fn check_version(number: i32) -> Result<()> {
    if FIXED.iter().any(|(from, below)| (*from..*below).contains(&number)) {
        return Ok(());
    }
    let (major, minor, patch) = (number / 1_000_000, number / 1_000 % 1_000, number % 1_000);
    Err(Error::broken(format!(
        "this program is linked with SQLite {major}.{minor}.{patch}, which can corrupt a database in WAL mode \
         (the WAL-reset bug); use 3.51.3 or later, as the `bundled` feature of portfire-sqlite does"
    )))
}

/// The version of the tables that this program makes.
pub(crate) fn version() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// Brings the tables with this prefix up to date.
pub(crate) fn migrate(connection: &Connection, prefix: &str) -> Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|e| sqlite_error("begin the migration", e))?;
    let done = migrate_locked(connection, prefix);
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = connection.execute_batch(end).map_err(|e| sqlite_error("end the migration", e));
    done.and(ended)
}

fn migrate_locked(connection: &Connection, prefix: &str) -> Result<()> {
    let failed = |e| sqlite_error("migrate the schema", e);
    let meta = format!("CREATE TABLE IF NOT EXISTS {prefix}meta (version INTEGER NOT NULL) STRICT");
    connection.execute_batch(&meta).map_err(failed)?;
    let read = format!("SELECT version FROM {prefix}meta");
    let version: Option<i64> =
        connection.query_row(&read, [], |row| row.get(0)).optional().map_err(failed)?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let version = version.unwrap_or(0);
    if version > known {
        return Err(Error::broken(format!(
            "the tables `{prefix}*` have schema version {version}, and this program knows versions up to {known}; \
             upgrade the program"
        )));
    }
    for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        connection.execute_batch(&put_prefix(step, prefix)).map_err(failed)?;
    }
    if version < known {
        let write = format!("DELETE FROM {prefix}meta; INSERT INTO {prefix}meta (version) VALUES ({known})");
        connection.execute_batch(&write).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_version;

    #[test]
    fn versions_that_can_corrupt_a_file_are_refused() {
        for bad in [3_040_001, 3_044_005, 3_045_000, 3_050_006, 3_051_000, 3_051_002] {
            assert!(check_version(bad).unwrap_err().is_broken(), "{bad}");
        }
        for good in [3_044_006, 3_050_007, 3_051_003, 3_053_000] {
            check_version(good).unwrap();
        }
        check_version(rusqlite::version_number()).unwrap();
    }
}
