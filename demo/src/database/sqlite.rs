//! Opens a file of SQLite.

use std::str::FromStr;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use super::DatabaseError;
use super::pool::{CONNECTIONS, Pool};
use super::statements::SQLITE;

/// Options after a `?` are Portfire's; of them, the prefix of its tables is of use here.
pub(super) async fn open(url: &str) -> Result<Pool, DatabaseError> {
    let (url, options) = url.split_once('?').unwrap_or((url, ""));
    let prefix = options.split('&').find_map(|pair| pair.strip_prefix("prefix="));
    let prefix = prefix.unwrap_or(portfire::sqlite::DEFAULT_PREFIX).into();
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(30));
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
    sqlx::raw_sql(SQLITE.schema).execute(&pool).await?;
    add_missing_column(&pool).await?;
    Ok(Pool::Sqlite(pool, prefix))
}

/// A file from before users could be deleted lacks the column.
async fn add_missing_column(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let sql = "SELECT count(*) FROM pragma_table_info('users') WHERE name = 'deleted_at'";
    if sqlx::query_scalar::<_, i64>(sql).fetch_one(pool).await? == 0 {
        sqlx::query("ALTER TABLE users ADD COLUMN deleted_at INTEGER").execute(pool).await?;
    }
    Ok(())
}
