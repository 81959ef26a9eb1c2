//! Bringing the tables up to date: forward only, under an advisory lock, each step once.
//!
//! 1. The version is read. If it is current, nothing is locked and no right to change tables is needed.
//! 2. Otherwise one transaction takes the lock, reads again, and takes the steps that are missing: of many
//!    programs that start at once the first migrates, and the others find it done.
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
    include_str!("../migrations/0003_exchange.sql"),
    include_str!("../migrations/0004_steering.sql"),
    include_str!("../migrations/0005_statistics.sql"),
    include_str!("../migrations/0006_enqueue.sql"),
];
/// How long tables may take to be made: a step that builds an index over ten million jobs takes minutes, and one that
/// was cut short would begin again. Another program's migration is waited for as long, and so is a database that goes away
/// meanwhile.
const PATIENCE: Duration = Duration::from_secs(600);
/// PostgreSQL 13 is the first with `gen_random_uuid` of its own.
const SERVER_MIN: i64 = 130_000;

/// Whether there is a table that says the version. Asked of the catalog itself: `to_regclass` answers from a
/// cache that has not heard of the table which another program made while we waited for the lock.
const META: &str = "SELECT EXISTS (
    SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relname = $1 AND CASE WHEN $2 IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = $2 END)";

/// The version of the tables that this program makes.
pub(crate) fn known_version() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// Brings the tables up to date, or (`may_change` is false) only sees that they are.
pub(crate) async fn migrate(work: &Lanes, names: &Names, may_change: bool) -> Result<()> {
    let look = || async {
        let lane = work.lane().await?;
        let is_current = is_current(&lane, names, may_change).await?;
        lane.hand_back();
        Ok(is_current)
    };
    if work.retry(look).await? {
        return Ok(());
    }
    let upgrade = || async {
        let lane = work.lane().await?;
        upgrade(&lane, names).await?;
        lane.hand_back();
        Ok(())
    };
    work.retry_within(PATIENCE, upgrade).await
}

/// Whether the tables are up to date. An error if they may not be brought there: they are newer than this program, the
/// server is too old, or `may_change` is false.
async fn is_current(lane: &Lane, names: &Names, may_change: bool) -> Result<bool> {
    check_server(lane).await?;
    let (found, known) = (version(lane, names).await?, i64::from(known_version()));
    if found > known {
        return Err(newer(names, found, known));
    }
    if found < known && !may_change {
        return Err(Error::broken(format!(
            "the tables `{}*` have schema version {found}, and this program needs {known}; open the database \
             once with a role that may migrate it",
            names.word()
        )));
    }
    Ok(found == known)
}

/// Brings the tables up to date, once no other program does.
async fn upgrade(lane: &Lane, names: &Names) -> Result<()> {
    lane.batch("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    migrate_locked(lane, names, i64::from(known_version())).await?;
    lane.batch("COMMIT").await
}

async fn check_server(lane: &Lane) -> Result<()> {
    let rows = lane.listed("SELECT current_setting('server_version_num')::bigint", &[]).await?;
    let number = rows.first().map_or(Ok(0), |row| row.int(0))?;
    if number >= SERVER_MIN {
        return Ok(());
    }
    Err(Error::broken(format!(
        "this PostgreSQL is version {}.{}; 13 or later is needed",
        number / 10_000,
        number % 10_000
    )))
}

/// The version of the tables; 0 if there are none.
async fn version(lane: &Lane, names: &Names) -> Result<i64> {
    let table = format!("{}meta", names.prefix).to_ascii_lowercase();
    let schema = names.schema.as_deref().map(str::to_ascii_lowercase);
    let there = lane.listed(META, &[Value::text(&table), Value::Text(schema.as_deref())]).await?;
    if !there.first().map_or(Ok(false), |row| row.is(0))? {
        return Ok(0);
    }
    let rows = lane.listed(&names.put("SELECT max(version) FROM portfire_meta"), &[]).await?;
    Ok(rows.first().map_or(Ok(None), |row| row.opt_int(0))?.unwrap_or(0))
}

/// Takes the missing steps. The schema is the path of this transaction, so that the steps need not name it.
async fn migrate_locked(lane: &Lane, names: &Names, known: i64) -> Result<()> {
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    lane.listed(lock, &[Value::text(&format!("portfire migrates {}", names.word()))]).await?;
    let found = version(lane, names).await?;
    if found > known {
        return Err(newer(names, found, known));
    }
    if let Some(schema) = &names.schema {
        lane.batch(&format!("CREATE SCHEMA IF NOT EXISTS {schema}; SET LOCAL search_path TO {schema}"))
            .await?;
    }
    let bare = Names { schema: None, prefix: names.prefix.clone() };
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        lane.batch_as("migrate the schema", &bare.put(step)).await?;
    }
    let write = format!(
        "CREATE TABLE IF NOT EXISTS portfire_meta (version bigint NOT NULL); DELETE FROM portfire_meta; \
         INSERT INTO portfire_meta (version) VALUES ({known})"
    );
    lane.batch_as("migrate the schema", &bare.put(&write)).await
}

fn newer(names: &Names, found: i64, known: i64) -> Error {
    Error::broken(format!(
        "the tables `{}*` have schema version {found}, and this program knows versions up to {known}; upgrade \
         the program",
        names.word()
    ))
}
