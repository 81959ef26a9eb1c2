//! The drivers on SQLite.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portfire::prelude::*;
use portfire::sqlite::rusqlite::Connection;

use super::{Application, Done, Numbers, Work, cases};

/// A file with the tables of the jobs and of the application.
async fn file() -> (tempfile::TempDir, PathBuf, Jobs) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let jobs = Jobs::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE number (number INTEGER)").unwrap();
    (dir, path, jobs)
}

fn numbers(path: &Path) -> Numbers<'_> {
    Box::pin(async move {
        let connection = Connection::open(path).unwrap();
        let mut all = connection.prepare("SELECT number FROM number").unwrap();
        all.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    })
}

/// A connection of rusqlite may be sent where its transactions may not: its `BEGIN` is spelled out.
struct Rusqlite(PathBuf);

impl Application for Rusqlite {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        Box::pin(async move {
            let mut connection = Connection::open(&self.0)?;
            connection.execute_batch("BEGIN IMMEDIATE")?;
            connection.execute("INSERT INTO number VALUES (?1)", [number])?;
            work.perform(&mut connection).await?;
            Ok(connection.execute_batch(if commit { "COMMIT" } else { "ROLLBACK" })?)
        })
    }

    fn numbers(&self) -> Numbers<'_> {
        numbers(&self.0)
    }
}

#[tokio::test]
async fn rusqlite() {
    let (_dir, path, jobs) = file().await;
    cases(jobs, Arc::new(Rusqlite(path))).await;
}

#[cfg(feature = "sqlx-sqlite")]
struct Sqlx(sqlx::SqlitePool, PathBuf);

#[cfg(feature = "sqlx-sqlite")]
impl Application for Sqlx {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        Box::pin(async move {
            let mut transaction = self.0.begin_with("BEGIN IMMEDIATE").await?;
            let insert = sqlx::query("INSERT INTO number VALUES (?1)").bind(number);
            insert.execute(&mut *transaction).await?;
            work.perform(&mut transaction).await?;
            if commit {
                transaction.commit().await?;
            } else {
                transaction.rollback().await?;
            }
            Ok(())
        })
    }

    fn numbers(&self) -> Numbers<'_> {
        numbers(&self.1)
    }
}

#[cfg(feature = "sqlx-sqlite")]
#[tokio::test]
async fn sqlx() {
    let (_dir, path, jobs) = file().await;
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    cases(jobs, Arc::new(Sqlx(pool.clone(), path))).await;
    pool.close().await;
}

#[cfg(feature = "diesel-sqlite")]
struct Diesel(PathBuf);

#[cfg(feature = "diesel-sqlite")]
impl Application for Diesel {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        use diesel::connection::{SimpleConnection, TransactionManager};
        use diesel::{Connection, SqliteConnection};
        type Manager = <SqliteConnection as Connection>::TransactionManager;
        Box::pin(async move {
            let mut connection = SqliteConnection::establish(&self.0.display().to_string())?;
            connection.batch_execute("PRAGMA busy_timeout = 5000")?;
            Manager::begin_transaction(&mut connection)?;
            connection.batch_execute(&format!("INSERT INTO number VALUES ({number})"))?;
            work.perform(&mut portfire::sqlite::diesel(&mut connection)).await?;
            let end = if commit { Manager::commit_transaction } else { Manager::rollback_transaction };
            Ok(end(&mut connection)?)
        })
    }

    fn numbers(&self) -> Numbers<'_> {
        numbers(&self.0)
    }
}

#[cfg(feature = "diesel-sqlite")]
#[tokio::test]
async fn diesel() {
    let (_dir, path, jobs) = file().await;
    cases(jobs, Arc::new(Diesel(path))).await;
}

#[cfg(feature = "diesel-async-sqlite")]
struct DieselAsync(PathBuf);

#[cfg(feature = "diesel-async-sqlite")]
impl Application for DieselAsync {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
        use diesel_async::{AsyncConnection, SimpleAsyncConnection};
        Box::pin(async move {
            let path = self.0.display().to_string();
            let mut connection = SyncConnectionWrapper::<diesel::SqliteConnection>::establish(&path).await?;
            connection.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").await?;
            connection.batch_execute(&format!("INSERT INTO number VALUES ({number})")).await?;
            work.perform(&mut portfire::sqlite::diesel_async(&mut connection)).await?;
            Ok(connection.batch_execute(if commit { "COMMIT" } else { "ROLLBACK" }).await?)
        })
    }

    fn numbers(&self) -> Numbers<'_> {
        numbers(&self.0)
    }
}

#[cfg(feature = "diesel-async-sqlite")]
#[tokio::test]
async fn diesel_async() {
    let (_dir, path, jobs) = file().await;
    cases(jobs, Arc::new(DieselAsync(path))).await;
}

#[cfg(feature = "sea-orm-sqlite")]
struct SeaOrm(sea_orm::DatabaseConnection, PathBuf);

#[cfg(feature = "sea-orm-sqlite")]
impl Application for SeaOrm {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        use sea_orm::{ConnectionTrait, TransactionTrait};
        Box::pin(async move {
            let mut transaction = self.0.begin().await?;
            transaction.execute_unprepared(&format!("INSERT INTO number VALUES ({number})")).await?;
            work.perform(&mut transaction).await?;
            if commit {
                transaction.commit().await?;
            } else {
                transaction.rollback().await?;
            }
            Ok(())
        })
    }

    fn numbers(&self) -> Numbers<'_> {
        numbers(&self.1)
    }
}

#[cfg(feature = "sea-orm-sqlite")]
#[tokio::test]
async fn sea_orm() {
    let (_dir, path, jobs) = file().await;
    let database = sea_orm::Database::connect(format!("sqlite://{}", path.display())).await.unwrap();
    cases(jobs, Arc::new(SeaOrm(database.clone(), path))).await;
    database.close().await.unwrap();
}
