//! The drivers on MariaDB and MySQL.

use std::sync::Arc;

use portfire::mysql::mysql_async::TxOpts;
use portfire::mysql::mysql_async::prelude::Queryable;
use portfire::mysql::{Tables, in_tables};
use portfire::prelude::*;

use super::{Application, Done, Numbers, Work, cases};
use crate::mysql::{Database, Engine, connect};

/// How our tables are named, so that it is seen that their names are heeded.
const PREFIX: &str = "Hangfire_";

/// A database with the tables of the jobs and of the application.
async fn database(engine: Engine) -> (Database, Jobs) {
    let database = Database::new(engine).await;
    let jobs = Jobs::connect(&format!("{}?prefix={PREFIX}", database.url())).await.unwrap();
    connect(&database.url()).await.query_drop("CREATE TABLE number (number BIGINT)").await.unwrap();
    (database, jobs)
}

/// Where the tables are.
struct Place {
    tables: Tables,
    url: String,
}

impl Place {
    fn of(database: &Database) -> Self {
        Self { tables: Tables::default().prefix(PREFIX).unwrap(), url: database.url() }
    }

    fn numbers(&self) -> Numbers<'_> {
        Box::pin(async { connect(&self.url).await.query("SELECT number FROM number").await.unwrap() })
    }
}

/// Our own statement, with a number that is ours as well.
fn insert(number: i64) -> String {
    format!("INSERT INTO number VALUES ({number})")
}

struct MysqlAsync(Place);

impl Application for MysqlAsync {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        Box::pin(async move {
            let mut connection = connect(&self.0.url).await;
            let mut transaction = connection.start_transaction(TxOpts::default()).await?;
            transaction.query_drop(insert(number)).await?;
            work.perform(&mut in_tables(&self.0.tables, &mut transaction)).await?;
            if commit {
                transaction.commit().await?;
            } else {
                transaction.rollback().await?;
            }
            Ok(())
        })
    }

    fn numbers(&self) -> Numbers<'_> {
        self.0.numbers()
    }
}

#[tokio::test]
async fn mysql_async() {
    for engine in Engine::ALL {
        let (database, jobs) = database(engine).await;
        cases(jobs, Arc::new(MysqlAsync(Place::of(&database)))).await;
    }
}

#[cfg(feature = "sqlx-mysql")]
struct Sqlx(Place, sqlx::MySqlPool);

#[cfg(feature = "sqlx-mysql")]
impl Application for Sqlx {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        Box::pin(async move {
            let mut transaction = self.1.begin().await?;
            let insert = sqlx::query(sqlx::AssertSqlSafe(insert(number)));
            insert.execute(&mut *transaction).await?;
            work.perform(&mut in_tables(&self.0.tables, &mut transaction)).await?;
            if commit {
                transaction.commit().await?;
            } else {
                transaction.rollback().await?;
            }
            Ok(())
        })
    }

    fn numbers(&self) -> Numbers<'_> {
        self.0.numbers()
    }
}

#[cfg(feature = "sqlx-mysql")]
#[tokio::test]
async fn sqlx() {
    for engine in Engine::ALL {
        let (database, jobs) = database(engine).await;
        let pool = sqlx::MySqlPool::connect(&database.url()).await.unwrap();
        cases(jobs, Arc::new(Sqlx(Place::of(&database), pool.clone()))).await;
        pool.close().await;
    }
}

/// Diesel's connection that needs no client library; it blocks, so it is used on a thread of its own.
#[cfg(feature = "diesel-mysql")]
struct Diesel(Place);

#[cfg(feature = "diesel-mysql")]
impl Diesel {
    fn transact_on_this_thread(&self, number: i64, work: Work<'_>, commit: bool) -> Result<(), JobError> {
        use diesel::connection::{Connection, SimpleConnection, TransactionManager};
        type Wrapped = diesel_async::async_connection_wrapper::AsyncConnectionWrapper<
            diesel_async::AsyncMysqlConnection,
        >;
        type Manager = <Wrapped as Connection>::TransactionManager;
        let mut connection = Wrapped::establish(&self.0.url)?;
        Manager::begin_transaction(&mut connection)?;
        connection.batch_execute(&insert(number))?;
        let mut transaction = portfire::mysql::diesel(&mut connection).tables(&self.0.tables);
        super::at_once(work.perform(&mut transaction))?;
        let end = if commit { Manager::commit_transaction } else { Manager::rollback_transaction };
        Ok(end(&mut connection)?)
    }
}

#[cfg(feature = "diesel-mysql")]
impl Application for Diesel {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        let done = std::thread::scope(|scope| {
            scope.spawn(move || self.transact_on_this_thread(number, work, commit)).join().unwrap()
        });
        Box::pin(std::future::ready(done))
    }

    fn numbers(&self) -> Numbers<'_> {
        self.0.numbers()
    }
}

#[cfg(feature = "diesel-mysql")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn diesel() {
    for engine in Engine::ALL {
        let (database, jobs) = database(engine).await;
        cases(jobs, Arc::new(Diesel(Place::of(&database)))).await;
    }
}

#[cfg(feature = "diesel-async-mysql")]
struct DieselAsync(Place);

#[cfg(feature = "diesel-async-mysql")]
impl Application for DieselAsync {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
        Box::pin(async move {
            let mut connection = AsyncMysqlConnection::establish(&self.0.url).await?;
            connection.batch_execute("BEGIN").await?;
            connection.batch_execute(&insert(number)).await?;
            let mut transaction = portfire::mysql::diesel_async(&mut connection).tables(&self.0.tables);
            work.perform(&mut transaction).await?;
            Ok(connection.batch_execute(if commit { "COMMIT" } else { "ROLLBACK" }).await?)
        })
    }

    fn numbers(&self) -> Numbers<'_> {
        self.0.numbers()
    }
}

#[cfg(feature = "diesel-async-mysql")]
#[tokio::test]
async fn diesel_async() {
    for engine in Engine::ALL {
        let (database, jobs) = database(engine).await;
        cases(jobs, Arc::new(DieselAsync(Place::of(&database)))).await;
    }
}

#[cfg(feature = "sea-orm-mysql")]
struct SeaOrm(Place, sea_orm::DatabaseConnection);

#[cfg(feature = "sea-orm-mysql")]
impl Application for SeaOrm {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        use sea_orm::{ConnectionTrait, TransactionTrait};
        Box::pin(async move {
            let mut transaction = self.1.begin().await?;
            transaction.execute_unprepared(&insert(number)).await?;
            work.perform(&mut in_tables(&self.0.tables, &mut transaction)).await?;
            if commit {
                transaction.commit().await?;
            } else {
                transaction.rollback().await?;
            }
            Ok(())
        })
    }

    fn numbers(&self) -> Numbers<'_> {
        self.0.numbers()
    }
}

#[cfg(feature = "sea-orm-mysql")]
#[tokio::test]
async fn sea_orm() {
    for engine in Engine::ALL {
        let (database, jobs) = database(engine).await;
        let pool = sea_orm::Database::connect(database.url()).await.unwrap();
        cases(jobs, Arc::new(SeaOrm(Place::of(&database), pool.clone()))).await;
        pool.close().await.unwrap();
    }
}
