//! The model passes the suite it specifies.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]

use std::sync::Arc;

use portfire_core::{ModelStorage, Storage, VirtualClock};

async fn make(clock: Arc<VirtualClock>) -> (Arc<dyn Storage>, ()) {
    (Arc::new(ModelStorage::new(clock)), ())
}

portfire_testkit::conformance!(crate::make);
