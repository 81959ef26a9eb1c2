//! The databases that several processes can share: a file of SQLite, a schema of PostgreSQL, a database of
//! MariaDB or MySQL.

use std::any::Any;
use std::future::Future;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use std::path::Path;
use std::path::PathBuf;

#[cfg(feature = "mysql")]
use portfire::mysql::mysql_async::prelude::Queryable;

#[cfg(feature = "mysql")]
pub(super) use crate::mysql::Engine;

/// A database of a test's own, by its URL; it goes with the test.
pub(super) struct Database {
    url: String,
    /// The file that names the server's process, if that may be killed.
    pid_file: Option<PathBuf>,
    _place: Box<dyn Any>,
}

impl Database {
    pub(super) fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("jobs.db").display());
        Self { url, pid_file: None, _place: Box::new(dir) }
    }

    #[cfg(feature = "postgres")]
    pub(super) fn postgres() -> Self {
        let schema = crate::schema::Schema::new();
        Self { url: schema.url(), pid_file: None, _place: Box::new(schema) }
    }

    #[cfg(feature = "mysql")]
    pub(super) fn mysql(engine: Engine) -> Self {
        let database = runtime().block_on(crate::mysql::Database::new(engine));
        Self { url: database.url(), pid_file: None, _place: Box::new(database) }
    }

    /// The default place on a server that may be killed: its only tenant.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(super) fn mortal(engine: &str) -> Self {
        let [url, pid_file] = ["URL", "PID"].map(|what| {
            let variable = format!("PORTFIRE_TEST_{}_MORTAL_{what}", engine.to_uppercase());
            std::env::var(&variable).unwrap_or_else(|_| {
                panic!(
                    "{variable} is not set: run `cargo xtask test`, or `cargo xtask db {engine} mortal` and what \
                     it prints"
                )
            })
        });
        Self { url, pid_file: Some(pid_file.into()), _place: Box::new(()) }
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(super) fn pid_file(&self) -> &Path {
        self.pid_file.as_deref().expect("only some may be killed")
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL of the application beside the jobs.
    pub(super) async fn execute(&self, sql: &str) {
        match self.url.split_once("://").unwrap() {
            ("sqlite", path) => rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap(),
            #[cfg(feature = "postgres")]
            ("postgres", _) => self.client().await.batch_execute(sql).await.unwrap(),
            #[cfg(feature = "mysql")]
            ("mysql", _) => crate::mysql::connect(&self.url).await.query_drop(sql).await.unwrap(),
            (scheme, _) => unreachable!("{scheme} is none of ours"),
        }
    }

    /// The numbers that a query of the application finds: the first and the last of a row without gaps.
    pub(super) async fn numbers(&self, sql: &str) -> std::ops::RangeInclusive<u32> {
        let all: Vec<i32> = match self.url.split_once("://").unwrap() {
            ("sqlite", path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                let mut query = connection.prepare(sql).unwrap();
                query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
            }
            #[cfg(feature = "postgres")]
            ("postgres", _) => {
                self.client().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
            }
            #[cfg(feature = "mysql")]
            ("mysql", _) => crate::mysql::connect(&self.url).await.query(sql).await.unwrap(),
            (scheme, _) => unreachable!("{scheme} is none of ours"),
        };
        let all: Vec<u32> = all.into_iter().map(|number| number.try_into().unwrap()).collect();
        let range = all[0]..=*all.last().unwrap();
        assert!(range.clone().eq(all.iter().copied()), "{all:?}");
        range
    }

    /// A client whose tables are where those of the jobs are.
    #[cfg(feature = "postgres")]
    async fn client(&self) -> portfire::postgres::tokio_postgres::Client {
        let (_, schema) = self.url.split_once("schema=").unwrap();
        let client = crate::schema::connect().await;
        client.batch_execute(&format!("SET search_path = {schema}")).await.unwrap();
        client
    }
}

/// Runs a case to its end.
pub(super) fn run<F: Future<Output = ()>>(case: impl FnOnce(Database) -> F, database: Database) {
    runtime().block_on(case(database));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A test of each case on each database, named after both.
macro_rules! with_each_database {
    ($($name:ident => $case:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $name() { super::database::run(super::$case, super::Database::sqlite()); })+
        }
        #[cfg(feature = "postgres")]
        mod on_postgres {
            $(#[test] fn $name() { super::database::run(super::$case, super::Database::postgres()); })+

            super::database::when_it_is_killed!("postgres");
        }
        #[cfg(feature = "mysql")]
        mod on_mariadb {
            use super::database::Engine::Mariadb;
            $(#[test] fn $name() { super::database::run(super::$case, super::Database::mysql(Mariadb)); })+

            super::database::when_it_is_killed!("mariadb");
        }
        #[cfg(feature = "mysql")]
        mod on_mysql {
            use super::database::Engine::Mysql;
            $(#[test] fn $name() { super::database::run(super::$case, super::Database::mysql(Mysql)); })+

            super::database::when_it_is_killed!("mysql");
        }
    };
}
pub(super) use with_each_database;

/// What only a server can go through.
#[cfg(any(feature = "postgres", feature = "mysql"))]
macro_rules! when_it_is_killed {
    ($engine:literal) => {
        #[test]
        fn a_database_killed_five_times_under_load_loses_nothing() {
            super::database::run(super::outages::outages, super::Database::mortal($engine));
        }
    };
}
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) use when_it_is_killed;
