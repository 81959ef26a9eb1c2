//! The suite that every backend passes, on PostgreSQL.

use std::sync::Arc;

use portfire_core::{Storage, VirtualClock};
use portfire_postgres::PostgresStorage;

use crate::bed::Schema;

pub(crate) async fn make(clock: Arc<VirtualClock>) -> (Arc<dyn Storage>, Schema) {
    let schema = Schema::new();
    let storage = PostgresStorage::open(schema.options().clock(clock)).await.unwrap();
    (Arc::new(storage), schema)
}

portfire_testkit::conformance!(crate::conformance::make);
