//! The differential runner: it agrees with itself, and it sees a difference.

use std::sync::Arc;

use portfire_core::{Clock, ModelStorage, Storage, VirtualClock};
use portfire_testkit::differential;
use portfire_testkit::sim::buggy::{Bug, Buggy};

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
}

async fn buggy(clock: Arc<VirtualClock>) -> (Arc<dyn Storage>, ()) {
    let clock: Arc<dyn Clock> = clock;
    (Arc::new(Buggy::new(ModelStorage::new(clock), Bug::SettleByIdOnly)), ())
}

#[test]
fn the_model_agrees_with_itself() {
    block_on(differential::compare(0..5, 300, crate::model::make, crate::model::make));
}

#[test]
#[should_panic = "the storages differ"]
fn a_storage_that_ignores_the_fence_differs() {
    block_on(differential::compare(0..5, 300, crate::model::make, buggy));
}
