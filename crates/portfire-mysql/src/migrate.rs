//! Bringing the tables up to date: forward only, under a named lock, each step once.
//!
//! 1. The version is read. If it is current, nothing is locked and no right to change tables is needed.
//! 2. Otherwise the lock is taken, the version read again, and the steps taken that are missing: of many programs
//!    that start at once the first migrates, and the others find it done.
//! 3. The database commits each statement of a step by itself. A step that was cut short is therefore taken again
//!    as a whole, and its statements leave alone what is there already; the version is written last.
//!
//! A schema that is newer than this program is refused and left alone.

use std::time::Duration;

use portfire_core::{Error, Result};

use crate::pool::{Lane, Lanes};
use crate::rows::Value;
use crate::statements::Names;

/// The steps, in order. Never change one that was released: add another.
const STEPS: &[&str] = &[
    include_str!("../migrations/0001_spine.sql"),
    include_str!("../migrations/0002_schedules.sql"),
    include_str!("../migrations/0003_steering.sql"),
    include_str!("../migrations/0004_statistics.sql"),
];
/// How long tables may take to be made: a step that builds an index over ten million jobs takes minutes, and one that
/// was cut short would begin again. Another program's migration is waited for as long, and so is a database that goes away
/// meanwhile.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long another program's migration is waited for, in seconds, before the call is tried again.
const LOCK_WAIT: i64 = 5;

/// What a server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Product {
    Mysql,
    Mariadb,
}

impl Product {
    /// Of the server's version, as in `8.0.36` or `10.11.6-MariaDB-1`; an error if it is too old.
    fn of(version: &str) -> Result<Self> {
        let number = version.split('-').next().unwrap_or_default();
        let number: Vec<u32> = number.split('.').map(|part| part.parse().unwrap_or(0)).collect();
        let (product, least): (_, &[u32]) = if version.to_ascii_lowercase().contains("mariadb") {
            (Self::Mariadb, &[10, 6])
        } else {
            (Self::Mysql, &[8, 0, 19])
        };
        if *number < *least {
            return Err(Error::broken(format!(
                "this database is version {version}; MySQL 8.0.19 or MariaDB 10.6, or later, is needed"
            )));
        }
        Ok(product)
    }

    /// The collation that compares text by its bytes, trailing blanks included.
    const fn collation(self) -> &'static str {
        match self {
            Self::Mysql => "utf8mb4_0900_bin",
            Self::Mariadb => "utf8mb4_nopad_bin",
        }
    }
}

/// The version of the tables that this program makes.
pub(crate) fn known_version() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// Brings the tables up to date, or (`may_change` is false) only sees that they are.
pub(crate) async fn migrate(work: &Lanes, names: &Names, may_change: bool) -> Result<()> {
    let look = || async {
        let mut lane = work.lane().await?;
        let is_current = is_current(&mut lane, names, may_change).await?;
        lane.hand_back();
        Ok(is_current)
    };
    if work.retry(look).await? {
        return Ok(());
    }
    let upgrade = || async {
        let mut lane = work.lane().await?;
        upgrade(&mut lane, names).await?;
        lane.hand_back();
        Ok(())
    };
    work.retry_within(PATIENCE, upgrade).await
}

/// Whether the tables are up to date. An error if they may not be brought there: they are newer than this program, the
/// server is too old, or `may_change` is false.
async fn is_current(lane: &mut Lane, names: &Names, may_change: bool) -> Result<bool> {
    product(lane).await?;
    let (found, known) = (version(lane, names).await?, i64::from(known_version()));
    if found > known {
        return Err(newer(names, found, known));
    }
    if found < known && !may_change {
        return Err(Error::broken(format!(
            "the tables `{}*` have schema version {found}, and this program needs {known}; open the database \
             once with a user that may migrate it",
            names.word()
        )));
    }
    Ok(found == known)
}

/// Brings the tables up to date, once no other program does.
async fn upgrade(lane: &mut Lane, names: &Names) -> Result<()> {
    let product = product(lane).await?;
    take_lock(lane, names).await?;
    migrate_locked(lane, names, product, i64::from(known_version())).await?;
    // The lock goes with the connection, if not before.
    lane.listed(&format!("SELECT RELEASE_LOCK({LOCK})"), &[Value::Text(names.word())]).await.map(drop)
}

/// What the server is; an error if it is too old.
async fn product(lane: &mut Lane) -> Result<Product> {
    let rows = lane.listed("SELECT VERSION()", &[]).await?;
    Product::of(rows.first().map_or(Ok(""), |row| row.text(0))?)
}

/// The name of the lock: names are at most 64 characters long, and one server has many databases.
const LOCK: &str = "CONCAT('portfire_', LEFT(SHA2(CONCAT(DATABASE(), '.', ?), 256), 40))";

async fn take_lock(lane: &mut Lane, names: &Names) -> Result<()> {
    let rows =
        lane.listed(&format!("SELECT GET_LOCK({LOCK}, {LOCK_WAIT})"), &[Value::Text(names.word())]).await?;
    match rows.first().map_or(Ok(None), |row| row.opt_int(0))? {
        Some(1) => Ok(()),
        _ => Err(Error::transient("another program is migrating the tables; waited for it in vain")),
    }
}

/// The version of the tables; 0 if there are none.
async fn version(lane: &mut Lane, names: &Names) -> Result<i64> {
    let table = format!("{}meta", names.prefix);
    let there = "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?";
    if lane.listed(there, &[Value::Text(&table)]).await?.is_empty() {
        return Ok(0);
    }
    let rows = lane.listed(&names.put("SELECT MAX(version) FROM portfire_meta"), &[]).await?;
    Ok(rows.first().map_or(Ok(None), |row| row.opt_int(0))?.unwrap_or(0))
}

/// Takes the missing steps.
async fn migrate_locked(lane: &mut Lane, names: &Names, product: Product, known: i64) -> Result<()> {
    let found = version(lane, names).await?;
    if found > known {
        return Err(newer(names, found, known));
    }
    let put = |sql: &str| names.put(sql).replace("{text}", product.collation());
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        lane.batch_as("migrate the schema", &put(step)).await?;
    }
    let write = format!(
        "CREATE TABLE IF NOT EXISTS portfire_meta (version BIGINT NOT NULL PRIMARY KEY) ENGINE = InnoDB; \
         REPLACE INTO portfire_meta (version) VALUES ({known}); COMMIT"
    );
    lane.batch_as("migrate the schema", &put(&write)).await
}

fn newer(names: &Names, found: i64, known: i64) -> Error {
    Error::broken(format!(
        "the tables `{}*` have schema version {found}, and this program knows versions up to {known}; upgrade \
         the program",
        names.word()
    ))
}

#[cfg(test)]
mod tests {
    use super::Product;

    #[test]
    fn servers_are_told_by_their_versions() {
        for (version, product) in [
            ("8.0.19", Product::Mysql),
            ("8.4.3-log", Product::Mysql),
            ("9.7.0", Product::Mysql),
            ("10.6.0-MariaDB", Product::Mariadb),
            ("10.11.19-MariaDB-0+deb12u1", Product::Mariadb),
            ("11.8.1-mariadb", Product::Mariadb),
        ] {
            assert_eq!(Product::of(version).unwrap(), product, "{version}");
        }
        for old in ["5.7.44", "8.0.18", "10.5.27-MariaDB", ""] {
            assert!(Product::of(old).unwrap_err().is_broken(), "{old}");
        }
    }
}
