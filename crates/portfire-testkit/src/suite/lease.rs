//! What becomes of the jobs of dead servers.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Expired, Settled};
use portfire_core::{Backoff, Dice, Outcome, ServerId, Settlement, State, settle};

use crate::Bed;
use crate::bed::LEASE;

fn rescue(dead: &Expired) -> Settlement {
    settle(&dead.facts, Outcome::Crashed, &mut Dice::from_seed([7, 8]))
}

pub async fn a_dead_servers_job_is_rescued(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let dead = bed.server().await;
    bed.claim_one(dead).await;
    assert!(bed.storage.expired(10).await.unwrap().is_empty());
    bed.advance(LEASE);
    let expired = bed.storage.expired(10).await.unwrap();
    assert_eq!((expired.len(), expired[0].server), (1, dead));
    let rescuer = bed.server().await;
    let settled = bed.exchange(rescuer, vec![rescue(&expired[0])], None).await.settled;
    assert_eq!(settled, [Settled::Applied(State::Enqueued)]);
    let details = bed.get(job).await;
    assert_eq!((details.crashes, details.summary.attempts), (1, 1));
    assert_eq!(&*details.history[0].outcome, "crashed");
}

pub async fn a_renewed_lease_refuses_rescue(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let paused = bed.server().await;
    bed.claim_one(paused).await;
    bed.advance(LEASE);
    let expired = bed.storage.expired(10).await.unwrap();
    bed.beat(paused).await;
    let rescuer = bed.server().await;
    let settled = bed.exchange(rescuer, vec![rescue(&expired[0])], None).await.settled;
    assert_eq!(settled, [Settled::Lost]);
    assert_eq!(bed.state(job).await, State::Processing);
}

pub async fn three_crashes_quarantine(bed: Arc<Bed>) {
    let mut job = bed.job();
    job.policy.backoff = Backoff::Fixed(Duration::ZERO);
    let job = bed.insert(job).await;
    for crash in 1..=3 {
        let dies: ServerId = bed.server().await;
        bed.claim_one(dies).await;
        bed.advance(LEASE);
        let rescuer = bed.server().await;
        let expired = bed.storage.expired(10).await.unwrap();
        bed.exchange(rescuer, vec![rescue(&expired[0])], None).await;
        assert_eq!(bed.get(job).await.crashes, crash);
    }
    assert_eq!(bed.state(job).await, State::Failed);
}

pub async fn leaving_expires_what_is_held(bed: Arc<Bed>) {
    bed.insert_plain().await;
    let leaves = bed.server().await;
    bed.claim_one(leaves).await;
    bed.storage.leave(leaves).await.unwrap();
    assert_eq!(bed.storage.expired(10).await.unwrap().len(), 1);
    assert!(bed.storage.overview().await.unwrap().servers.is_empty());
}
