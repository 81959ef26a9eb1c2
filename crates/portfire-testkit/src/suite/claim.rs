//! Who gets which job.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Claimed, WantQueue};
use portfire_core::{JobId, NewJob, State};

use crate::Bed;
use crate::bed::LEASE;

fn ids(claimed: &[Claimed]) -> Vec<JobId> {
    claimed.iter().map(|job| job.facts.lease.job).collect()
}

pub async fn order_is_priority_then_due_then_id(bed: Arc<Bed>) {
    let second = bed.insert_plain().await;
    let third = bed.insert_plain().await;
    bed.advance(Duration::from_secs(1));
    let fourth = bed.insert_plain().await;
    let first = bed.insert(NewJob { priority: -1, ..bed.job() }).await;
    let last = bed.insert(NewJob { priority: 1, ..bed.job() }).await;
    let server = bed.server().await;
    assert_eq!(ids(&bed.claim(server, 10).await), [first, second, third, fourth, last]);
}

pub async fn limits_hold_per_queue_and_in_all(bed: Arc<Bed>) {
    for queue in ["default", "mail"] {
        for _ in 0..5 {
            bed.insert(NewJob { queue: queue.into(), ..bed.job() }).await;
        }
    }
    let server = bed.server().await;
    let mut want = bed.want(4);
    want.queues =
        vec![WantQueue { name: "mail".into(), limit: 3 }, WantQueue { name: "default".into(), limit: 3 }];
    let claimed = bed.exchange(server, Vec::new(), Some(want)).await.claimed;
    let queues: Vec<_> = claimed.iter().map(|job| &*job.queue).collect();
    assert_eq!(queues, ["mail", "mail", "mail", "default"]);
}

pub async fn queues_are_taken_in_the_order_asked(bed: Arc<Bed>) {
    let a = bed.insert(NewJob { queue: "a".into(), ..bed.job() }).await;
    let b = bed.insert(NewJob { queue: "b".into(), priority: -5, ..bed.job() }).await;
    let server = bed.server().await;
    let mut want = bed.want(10);
    want.queues = ["a", "b"].map(|name| WantQueue { name: name.into(), limit: 10 }).into();
    assert_eq!(ids(&bed.exchange(server, Vec::new(), Some(want)).await.claimed), [a, b]);
}

pub async fn unknown_kinds_wait(bed: Arc<Bed>) {
    let unknown = bed.insert(NewJob { kind: "mystery".into(), ..bed.job() }).await;
    let known = bed.insert_plain().await;
    let server = bed.server().await;
    assert_eq!(ids(&bed.claim(server, 10).await), [known]);
    let details = bed.get(unknown).await;
    assert_eq!((details.summary.state, details.summary.attempts), (State::Enqueued, 0));
}

pub async fn a_repeat_answers_the_same(bed: Arc<Bed>) {
    for _ in 0..3 {
        bed.insert_plain().await;
    }
    let server = bed.server().await;
    let want = bed.want(2);
    let first = bed.exchange(server, Vec::new(), Some(want.clone())).await.claimed;
    let repeat = bed.exchange(server, Vec::new(), Some(want)).await.claimed;
    assert_eq!((first.len(), first), (2, repeat));
    assert_eq!(bed.claim(server, 10).await.len(), 1);
}

pub async fn an_unknown_or_expired_server_gets_nothing(bed: Arc<Bed>) {
    bed.insert_plain().await;
    let server = bed.server().await;
    bed.advance(LEASE);
    assert!(bed.claim(server, 1).await.is_empty());
    bed.beat(server).await;
    assert_eq!(bed.claim(server, 1).await.len(), 1);
    bed.insert_plain().await;
    let nobody = portfire_core::ServerId::from_bytes([9; 16]);
    assert!(bed.claim(nobody, 1).await.is_empty());
}

pub async fn concurrent_claims_take_each_job_once(bed: Arc<Bed>) {
    let inserted: BTreeSet<_> = {
        let jobs: Vec<_> = (0..400).map(|_| bed.job()).collect();
        let ids = jobs.iter().map(|job| job.id).collect();
        bed.storage.insert(jobs).await.unwrap();
        ids
    };
    let claims = (0..4).map(|_| {
        let bed = Arc::clone(&bed);
        let claim_all = async move {
            let (server, mut all) = (bed.server().await, Vec::new());
            loop {
                let claimed = bed.claim(server, 7).await;
                if claimed.is_empty() {
                    return all;
                }
                all.extend(ids(&claimed));
            }
        };
        #[expect(clippy::disallowed_methods, reason = "the case is about concurrency")]
        tokio::spawn(claim_all)
    });
    let mut all = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        all.extend(claim.await.unwrap());
    }
    assert_eq!(all.len(), 400);
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), inserted);
}
