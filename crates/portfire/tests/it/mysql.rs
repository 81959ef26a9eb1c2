//! A database of MariaDB or MySQL that goes with its test, on the servers that `cargo xtask test` provides; and
//! what only the façade on them does: the application's own transactions.

use std::sync::atomic::{AtomicU32, Ordering};

use portfire::mysql::mysql_async::prelude::Queryable;
use portfire::mysql::mysql_async::{Conn, Opts, TxOpts};
use portfire::mysql::{Tables, in_tables};
use portfire::prelude::*;

/// The servers that tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Mariadb,
    Mysql,
}

impl Engine {
    pub(crate) const ALL: [Self; 2] = [Self::Mariadb, Self::Mysql];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
        }
    }

    /// Where the server is, by the environment.
    fn url(self) -> String {
        let variable = format!("PORTFIRE_TEST_{}_URL", self.name().to_uppercase());
        std::env::var(&variable).unwrap_or_else(|_| {
            panic!(
                "the tests need a server: run `cargo xtask test`, or `cargo xtask db {} up` and what it prints, \
                 or set {variable}",
                self.name()
            )
        })
    }
}

/// A database of its own.
pub(crate) struct Database {
    engine: Engine,
    name: String,
}

impl Database {
    pub(crate) async fn new(engine: Engine) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("facade_{}_{number}", std::process::id());
        connect(&engine.url()).await.query_drop(format!("CREATE DATABASE {name}")).await.unwrap();
        Self { engine, name }
    }

    /// The URL by which a client finds its jobs here.
    pub(crate) fn url(&self) -> String {
        let url = self.engine.url();
        let (place, options) = url.split_once('?').unwrap_or((&url, ""));
        let (server, _) = place.rsplit_once('/').expect("the URL names a database");
        let separator = if options.is_empty() { "" } else { "?" };
        format!("{server}/{}{separator}{options}", self.name)
    }
}

impl Drop for Database {
    /// On a thread of its own: a test may be dropped in or out of async code.
    fn drop(&mut self) {
        let sql = format!("SET lock_wait_timeout = 5; DROP DATABASE IF EXISTS {}", self.name);
        let url = self.engine.url();
        let drop_database = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let _ = connect(&url).await.query_drop(&sql).await;
            });
        };
        let _ = std::thread::spawn(drop_database).join();
    }
}

pub(crate) async fn connect(url: &str) -> Conn {
    Conn::new(Opts::from_url(url).unwrap()).await.unwrap()
}

#[job]
async fn welcome(_user: u32) -> Result<(), JobError> {
    Ok(())
}

#[tokio::test]
async fn a_job_exists_if_and_only_if_the_applications_transaction_commits() {
    for engine in Engine::ALL {
        let database = Database::new(engine).await;
        let jobs = Jobs::connect(&format!("{}?prefix=Hangfire_", database.url())).await.unwrap();
        let tables = Tables::default().prefix("Hangfire_").unwrap();
        let mut application = connect(&database.url()).await;
        for commit in [true, false] {
            let mut tx = application.start_transaction(TxOpts::default()).await.unwrap();
            let job = welcome(1).enqueue_in(&mut in_tables(&tables, &mut tx)).await.unwrap();
            if commit {
                tx.commit().await.unwrap();
            } else {
                tx.rollback().await.unwrap();
            }
            assert_eq!(jobs.get(job.id()).await.unwrap().is_some(), commit, "{engine:?}");
        }
    }
}

#[cfg(feature = "sqlx-mysql")]
#[tokio::test]
async fn a_transaction_of_sqlx_decides_as_well() {
    for engine in Engine::ALL {
        let database = Database::new(engine).await;
        let jobs = Jobs::connect(&database.url()).await.unwrap();
        let pool = sqlx::MySqlPool::connect(&database.url()).await.unwrap();
        for commit in [true, false] {
            let mut tx = pool.begin().await.unwrap();
            let job = welcome(1).enqueue_in(&mut tx).await.unwrap();
            if commit {
                tx.commit().await.unwrap();
            } else {
                tx.rollback().await.unwrap();
            }
            assert_eq!(jobs.get(job.id()).await.unwrap().is_some(), commit, "{engine:?}");
        }
    }
}

#[tokio::test]
async fn mariadb_is_a_scheme_too() {
    let database = Database::new(Engine::Mariadb).await;
    let url = database.url().replacen("mysql://", "MariaDB://", 1);
    let job = welcome(1).enqueue(&Jobs::connect(&url).await.unwrap()).await.unwrap();
    assert!(Jobs::connect(&database.url()).await.unwrap().get(job.id()).await.unwrap().is_some());
}

#[tokio::test]
async fn what_a_url_cannot_mean_is_refused_without_its_password() {
    for url in ["mysql://u:secret@h/d?prefix=a-b", "mariadb://u:secret@h/d?nothing=1", "maria://u:secret@h/d"]
    {
        let refused = Jobs::connect(url).await.unwrap_err();
        assert!(refused.is_misuse() && !refused.to_string().contains("secret"), "{refused}");
    }
}
