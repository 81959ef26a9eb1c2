//! MySQL and MariaDB against the model: the same random histories, the same answers.

use std::sync::Arc;

use portfire_core::{ModelStorage, Storage, VirtualClock};
use portfire_testkit::differential;

use crate::conformance;

/// As many histories as take half a minute on either.
const SEEDS: std::ops::Range<u64> = 0..16;

async fn model(clock: Arc<VirtualClock>) -> (Arc<dyn Storage>, ()) {
    (Arc::new(ModelStorage::new(clock)), ())
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_answers_as_the_model_does() {
    differential::compare(SEEDS, 300, model, conformance::mariadb::make).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_answers_as_the_model_does() {
    differential::compare(SEEDS, 300, model, conformance::mysql::make).await;
}
