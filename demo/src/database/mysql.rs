//! Connects to a server of MariaDB or MySQL, and does what takes several statements there, because those that
//! write return no rows.

use std::str::FromStr;

use portfire::mysql::MysqlOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{Executor, MySql, Transaction};

use super::pool::{CONNECTIONS, Pool};
use super::statements::{MYSQL, MYSQL_REVIVE_USER, MYSQL_USER_BY_KEY};
use super::{DatabaseError, User};
use crate::csv_rows::NewUser;

/// Each row is locked for itself: the default would also lock the gaps between them, in which others insert.
const READ_COMMITTED: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Both drivers read the encryption from the URL; sqlx passes over what is only Portfire's.
pub(super) async fn open(url: &str) -> Result<Pool, DatabaseError> {
    let tables = MysqlOptions::new(url)?.chosen_tables().clone();
    let options = MySqlConnectOptions::from_str(url)?;
    let pool = MySqlPoolOptions::new()
        .max_connections(CONNECTIONS)
        .after_connect(|connection, _| Box::pin(async { connection.execute(READ_COMMITTED).await.map(drop) }))
        .connect_with(options)
        .await?;
    sqlx::raw_sql(MYSQL.schema).execute(&pool).await?;
    Ok(Pool::Mysql(pool, tables))
}

/// Stores a user; `None` if the address is taken.
pub(super) async fn insert_user(
    tx: &mut Transaction<'static, MySql>,
    user: &NewUser,
) -> Result<Option<User>, sqlx::Error> {
    for sql in [MYSQL_REVIVE_USER, MYSQL.insert_user] {
        let written = sqlx::query(sql).bind(&user.name).bind(&user.email).bind(&user.key);
        match written.execute(&mut **tx).await {
            Ok(done) if done.rows_affected() == 0 => {}
            Ok(_) => {
                return sqlx::query_as(MYSQL_USER_BY_KEY).bind(&user.key).fetch_optional(&mut **tx).await;
            }
            // The transaction goes on after it.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
