//! Connects to a server of PostgreSQL.

use std::str::FromStr;

use portfire::postgres::PostgresOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::DatabaseError;
use super::pool::{CONNECTIONS, Pool};
use super::statements::POSTGRES;

/// In the schema that Portfire's options name, too.
pub(super) async fn open(url: &str) -> Result<Pool, DatabaseError> {
    let tables = PostgresOptions::new(url)?.chosen_tables().clone();
    let mut options = PgConnectOptions::from_str(url.split('?').next().unwrap_or(url))?;
    if let Some(schema) = tables.schema_name() {
        options = options.options([("search_path", schema)]);
    }
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
    if let Some(schema) = tables.schema_name() {
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {schema}")))
            .execute(&pool)
            .await?;
    }
    sqlx::raw_sql(POSTGRES.schema).execute(&pool).await?;
    Ok(Pool::Postgres(pool, tables))
}
