//! A PostgreSQL schema that goes with its test, in the database that `cargo xtask test` provides.

use std::sync::atomic::{AtomicU32, Ordering};

use portfire::postgres::tokio_postgres::{NoTls, connect};

/// A schema of a test's own.
pub(crate) struct Schema {
    name: String,
}

impl Schema {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("demo_{}_{number}", std::process::id()) }
    }

    pub(crate) fn url(&self) -> String {
        let url = database();
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}schema={}", self.name)
    }
}

impl Drop for Schema {
    /// On a thread of its own: a test may be dropped in or out of async code.
    fn drop(&mut self) {
        let sql = format!("SET lock_timeout = '5s'; DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        let drop_schema = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (client, connection) = connect(&database(), NoTls).await.unwrap();
                tokio::spawn(connection);
                let _ = client.batch_execute(&sql).await;
            });
        };
        let _ = std::thread::spawn(drop_schema).join();
    }
}

fn database() -> String {
    std::env::var("PORTFIRE_TEST_POSTGRES_URL").expect(
        "the tests need a PostgreSQL: run `cargo xtask test`, or `cargo xtask db postgres up` and what it \
         prints, or set PORTFIRE_TEST_POSTGRES_URL",
    )
}
