//! The databases that several processes can share: a file of SQLite, a schema of PostgreSQL.

use std::any::Any;
use std::future::Future;
#[cfg(feature = "postgres")]
use std::path::Path;
use std::path::PathBuf;

#[cfg(feature = "postgres")]
const MORTAL: &str = "run `cargo xtask test`, or `cargo xtask db postgres mortal` and what it prints";

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

    /// The default schema of a server that may be killed: its only tenant.
    #[cfg(feature = "postgres")]
    pub(super) fn mortal_postgres() -> Self {
        let [url, pid_file] = ["PORTFIRE_TEST_POSTGRES_MORTAL_URL", "PORTFIRE_TEST_POSTGRES_MORTAL_PID"]
            .map(|name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: {MORTAL}")));
        Self { url, pid_file: Some(pid_file.into()), _place: Box::new(()) }
    }

    #[cfg(feature = "postgres")]
    pub(super) fn pid_file(&self) -> &Path {
        self.pid_file.as_deref().expect("only some may be killed")
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL of the application beside the jobs.
    pub(super) async fn execute(&self, sql: &str) {
        match self.url.strip_prefix("sqlite://") {
            Some(path) => rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap(),
            #[cfg(feature = "postgres")]
            None => self.client().await.batch_execute(sql).await.unwrap(),
            #[cfg(not(feature = "postgres"))]
            None => unreachable!("SQLite is the only one"),
        }
    }

    /// The numbers that a query of the application finds: the first and the last of a row without gaps.
    pub(super) async fn numbers(&self, sql: &str) -> std::ops::RangeInclusive<u32> {
        let all: Vec<i32> = match self.url.strip_prefix("sqlite://") {
            Some(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                let mut query = connection.prepare(sql).unwrap();
                query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
            }
            #[cfg(feature = "postgres")]
            None => self.client().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect(),
            #[cfg(not(feature = "postgres"))]
            None => unreachable!("SQLite is the only one"),
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
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(case(database));
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

            #[test]
            fn a_database_killed_five_times_under_load_loses_nothing() {
                super::database::run(super::outages::outages, super::Database::mortal_postgres());
            }
        }
    };
}
pub(super) use with_each_database;
