//! What the keeper does.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::{Keep, NewJob, Start};

use crate::Bed;
use crate::bed::{SUCCESS, hopeless};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub async fn promotion_is_in_order_and_names_the_next(bed: Arc<Bed>) {
    for delay in [30, 10, 20] {
        bed.insert(NewJob { start: Start::After(seconds(delay)), ..bed.job() }).await;
    }
    let promoted = bed.storage.promote(10).await.unwrap();
    assert_eq!((promoted.count, promoted.next), (0, Some(seconds(10))));
    bed.advance(seconds(20));
    let promoted = bed.storage.promote(1).await.unwrap();
    assert_eq!((promoted.count, promoted.next), (1, Some(Duration::ZERO)));
    let promoted = bed.storage.promote(10).await.unwrap();
    assert_eq!((promoted.count, promoted.next), (1, Some(seconds(10))));
    bed.advance(seconds(10));
    assert_eq!(bed.storage.promote(10).await.unwrap().next, None);
    let server = bed.server().await;
    let due: Vec<_> = bed.claim(server, 10).await.iter().map(|job| job.created_at).collect();
    assert_eq!(due.len(), 3);
}

pub async fn pruning_is_by_state_and_bounded(bed: Arc<Bed>) {
    let server = bed.server().await;
    let mut kept = bed.job();
    kept.policy.retention.succeeded = Keep::Forever;
    for job in [bed.job(), bed.job(), bed.job(), kept.clone()] {
        bed.insert(job).await;
        bed.run(server, SUCCESS).await;
    }
    let failed = bed.insert_plain().await;
    bed.run(server, hopeless()).await;
    assert_eq!(bed.storage.prune(10).await.unwrap(), 0);
    bed.advance(seconds(24 * 60 * 60));
    assert_eq!(bed.storage.prune(2).await.unwrap(), 2);
    assert_eq!(bed.storage.prune(2).await.unwrap(), 1);
    assert_eq!(bed.storage.prune(2).await.unwrap(), 0);
    bed.get(failed).await;
    bed.get(kept.id).await;
    assert!(bed.storage.overview().await.unwrap().servers.is_empty(), "the dead server is forgotten");
}
