//! The drivers on PostgreSQL.

use std::pin::Pin;
use std::sync::Arc;

use portfire::postgres::{Tables, in_tables};
use portfire::prelude::*;

use super::{Application, Done, Work, cases};
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

    fn numbers(&self) -> Pin<Box<dyn Future<Output = Vec<i64>> + Send + '_>> {
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
            Ok(if commit { transaction.commit().await? } else { transaction.rollback().await? })
        })
    }

    fn numbers<'a>(&'a self) -> Pin<Box<dyn Future<Output = Vec<i64>> + Send + 'a>> {
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
            Ok(if commit { transaction.commit().await? } else { transaction.rollback().await? })
        })
    }

    fn numbers<'a>(&'a self) -> Pin<Box<dyn Future<Output = Vec<i64>> + Send + 'a>> {
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
