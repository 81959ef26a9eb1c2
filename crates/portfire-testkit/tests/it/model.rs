//! The model passes the suite it specifies.

use std::sync::Arc;

use portfire_core::{ModelStorage, Storage, VirtualClock};

pub(crate) async fn make(clock: Arc<VirtualClock>) -> (Arc<dyn Storage>, ()) {
    (Arc::new(ModelStorage::new(clock)), ())
}

portfire_testkit::conformance!(crate::model::make);
