//! PostgreSQL against the model: the same random histories, the same answers.

use std::sync::Arc;

use portfire_core::{ModelStorage, Storage, VirtualClock};
use portfire_testkit::differential;

async fn model(clock: Arc<VirtualClock>) -> (Arc<dyn Storage>, ()) {
    (Arc::new(ModelStorage::new(clock)), ())
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_answers_as_the_model_does() {
    differential::compare(0..6, 300, model, crate::conformance::make).await;
}
