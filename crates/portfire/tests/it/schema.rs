//! A PostgreSQL schema that goes with its test, in the database that `cargo xtask test` provides.

use std::sync::atomic::{AtomicU32, Ordering};

use portfire::postgres::{Tables, tokio_postgres};
use portfire::prelude::*;

/// A schema of its own.
pub(crate) struct Schema {
    name: String,
}

impl Schema {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("facade_{}_{number}", std::process::id()) }
    }

    /// The URL by which a client finds its jobs here.
    pub(crate) fn url(&self) -> String {
        let url = database();
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}schema={}", self.name)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn tables(&self) -> Tables {
        Tables::default().schema(&self.name).unwrap()
    }
}

impl Drop for Schema {
    /// On a thread of its own: a test may be dropped in or out of async code.
    fn drop(&mut self) {
        let sql = format!("SET lock_timeout = '5s'; DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        let drop_schema = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let _ = connect().await.batch_execute(&sql).await;
            });
        };
        let _ = std::thread::spawn(drop_schema).join();
    }
}

pub(crate) fn database() -> String {
    std::env::var("PORTFIRE_TEST_POSTGRES_URL").expect(
        "the tests need a PostgreSQL: run `cargo xtask test`, or `cargo xtask db postgres up` and what it \
         prints, or set PORTFIRE_TEST_POSTGRES_URL",
    )
}

pub(crate) async fn connect() -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&database(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn what_a_url_cannot_mean_is_refused_without_its_password() {
    for url in
        ["postgres://u:secret@h/d?prefix=a-b", "postgresql://u:secret@h/d?nothing=1", "pg://u:secret@h/d"]
    {
        let refused = Jobs::connect(url).await.unwrap_err();
        assert!(refused.is_misuse() && !refused.to_string().contains("secret"), "{refused}");
    }
}
