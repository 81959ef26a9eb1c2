//! The drivers on PostgreSQL.

use std::sync::Arc;

use portfire::postgres::{Tables, in_tables};
use portfire::prelude::*;

use super::{Application, Done, Numbers, Work, cases};
use crate::schema::{Schema, connect};

/// A schema with the tables of the jobs and of the application.
async fn schema() -> (Schema, Jobs) {
    let schema = Schema::new();
    let jobs = Jobs::connect(&schema.url()).await.unwrap();
    let table = format!("CREATE TABLE {}.number (number bigint)", schema.name());
    connect().await.batch_execute(&table).await.unwrap();
    (schema, jobs)
}

/// Where the tables are.
struct Place {
    tables: Tables,
    schema: String,
}

impl Place {
    fn of(schema: &Schema) -> Self {
        Self { tables: schema.tables(), schema: schema.name().to_owned() }
    }

    /// Our own statement, with a number that is ours as well.
    fn insert(&self, number: i64) -> String {
        format!("INSERT INTO {}.number VALUES ({number})", self.schema)
    }

    fn numbers(&self) -> Numbers<'_> {
        Box::pin(async {
            let all = format!("SELECT number FROM {}.number", self.schema);
            let rows = connect().await.query(&all, &[]).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        })
    }
}

struct TokioPostgres(Place);

impl Application for TokioPostgres {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        Box::pin(async move {
            let mut client = connect().await;
            let mut transaction = client.transaction().await?;
            transaction.batch_execute(&self.0.insert(number)).await?;
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
async fn tokio_postgres() {
    let (schema, jobs) = schema().await;
    cases(jobs, Arc::new(TokioPostgres(Place::of(&schema)))).await;
}

#[cfg(feature = "sqlx-postgres")]
struct Sqlx(Place, sqlx::PgPool);

#[cfg(feature = "sqlx-postgres")]
impl Application for Sqlx {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        Box::pin(async move {
            let mut transaction = self.1.begin().await?;
            let insert = sqlx::query(sqlx::AssertSqlSafe(self.0.insert(number)));
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

#[cfg(feature = "sqlx-postgres")]
#[tokio::test]
async fn sqlx() {
    let (schema, jobs) = schema().await;
    let pool = sqlx::PgPool::connect(&crate::schema::database()).await.unwrap();
    cases(jobs, Arc::new(Sqlx(Place::of(&schema), pool.clone()))).await;
    pool.close().await;
}

/// Diesel's connection that needs no libpq; it blocks, so it is used on a thread of its own.
#[cfg(feature = "diesel-postgres")]
struct Diesel(Place);

#[cfg(feature = "diesel-postgres")]
impl Diesel {
    fn transact_on_this_thread(&self, number: i64, work: Work<'_>, commit: bool) -> Result<(), JobError> {
        use diesel::connection::{Connection, SimpleConnection, TransactionManager};
        type Wrapped =
            diesel_async::async_connection_wrapper::AsyncConnectionWrapper<diesel_async::AsyncPgConnection>;
        type Manager = <Wrapped as Connection>::TransactionManager;
        let mut connection = Wrapped::establish(&crate::schema::database())?;
        Manager::begin_transaction(&mut connection)?;
        connection.batch_execute(&self.0.insert(number))?;
        let mut transaction = portfire::postgres::diesel(&mut connection).tables(&self.0.tables);
        super::at_once(work.perform(&mut transaction))?;
        let end = if commit { Manager::commit_transaction } else { Manager::rollback_transaction };
        Ok(end(&mut connection)?)
    }
}

#[cfg(feature = "diesel-postgres")]
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

#[cfg(feature = "diesel-postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn diesel() {
    let (schema, jobs) = schema().await;
    cases(jobs, Arc::new(Diesel(Place::of(&schema)))).await;
}

#[cfg(feature = "diesel-async-postgres")]
struct DieselAsync(Place);

#[cfg(feature = "diesel-async-postgres")]
impl Application for DieselAsync {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
        Box::pin(async move {
            let mut connection = AsyncPgConnection::establish(&crate::schema::database()).await?;
            connection.batch_execute("BEGIN").await?;
            connection.batch_execute(&self.0.insert(number)).await?;
            let mut transaction = portfire::postgres::diesel_async(&mut connection).tables(&self.0.tables);
            work.perform(&mut transaction).await?;
            Ok(connection.batch_execute(if commit { "COMMIT" } else { "ROLLBACK" }).await?)
        })
    }

    fn numbers(&self) -> Numbers<'_> {
        self.0.numbers()
    }
}

#[cfg(feature = "diesel-async-postgres")]
#[tokio::test]
async fn diesel_async() {
    let (schema, jobs) = schema().await;
    cases(jobs, Arc::new(DieselAsync(Place::of(&schema)))).await;
}

#[cfg(feature = "sea-orm-postgres")]
struct SeaOrm(Place, sea_orm::DatabaseConnection);

#[cfg(feature = "sea-orm-postgres")]
impl Application for SeaOrm {
    fn transact<'a>(&'a self, number: i64, work: Work<'a>, commit: bool) -> Done<'a> {
        use sea_orm::{ConnectionTrait, TransactionTrait};
        Box::pin(async move {
            let mut transaction = self.1.begin().await?;
            transaction.execute_unprepared(&self.0.insert(number)).await?;
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

#[cfg(feature = "sea-orm-postgres")]
#[tokio::test]
async fn sea_orm() {
    let (schema, jobs) = schema().await;
    let database = sea_orm::Database::connect(crate::schema::database()).await.unwrap();
    cases(jobs, Arc::new(SeaOrm(Place::of(&schema), database.clone()))).await;
    database.close().await.unwrap();
}
