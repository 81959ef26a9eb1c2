//! What the keeper does.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::limits::SERVERS_KEPT;
use portfire_core::storage::Polled;
use portfire_core::{Keep, NewJob, Start};

use crate::Bed;
use crate::bed::{LEASE, SUCCESS, hopeless, schedule};

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

pub async fn a_promotion_takes_the_earliest_first(bed: Arc<Bed>) {
    let server = bed.server().await;
    let mut retried = bed.job();
    retried.policy.backoff = portfire_core::Backoff::Fixed(seconds(2));
    let retried = bed.insert(retried).await;
    bed.run(server, crate::bed::failed()).await;
    let later = bed.insert(NewJob { start: Start::After(seconds(3)), ..bed.job() }).await;
    let first = bed.insert(NewJob { start: Start::After(seconds(1)), ..bed.job() }).await;
    bed.advance(seconds(5));
    for job in [first, retried, later] {
        assert_eq!(bed.storage.promote(1).await.unwrap().count, 1);
        assert_eq!(bed.claim_one(server).await.facts.lease.job, job);
    }
}

pub async fn what_is_moved_or_stopped_is_not_promoted_at_its_old_time(bed: Arc<Bed>) {
    use portfire_core::{Clock, storage::Action};
    let moved = bed.insert(NewJob { start: Start::After(seconds(1)), ..bed.job() }).await;
    let stopped = bed.insert(NewJob { start: Start::After(seconds(2)), ..bed.job() }).await;
    bed.act(moved, Action::Reschedule(bed.clock.now().after(seconds(60)))).await;
    bed.act(stopped, Action::Cancel).await;
    bed.advance(seconds(10));
    let promoted = bed.storage.promote(9).await.unwrap();
    assert_eq!((promoted.count, promoted.next), (0, Some(seconds(50))));
}

pub async fn a_job_that_runs_again_is_not_pruned(bed: Arc<Bed>) {
    let server = bed.server().await;
    let job = bed.insert_plain().await;
    bed.run(server, SUCCESS).await;
    bed.act(job, portfire_core::storage::Action::RunNow).await;
    bed.advance(seconds(48 * 60 * 60));
    assert_eq!(bed.storage.prune(9).await.unwrap(), 0);
    bed.get(job).await;
}

pub async fn a_dead_server_that_holds_a_job_is_not_forgotten(bed: Arc<Bed>) {
    bed.insert_plain().await;
    let dead = bed.server().await;
    bed.claim_one(dead).await;
    bed.advance(LEASE + SERVERS_KEPT);
    bed.storage.prune(9).await.unwrap();
    assert_eq!(bed.storage.overview().await.unwrap().servers.len(), 1);
    let rescuer = bed.server().await;
    bed.rescue(rescuer).await;
    bed.storage.prune(9).await.unwrap();
    assert_eq!(bed.storage.overview().await.unwrap().servers[0].id, rescuer);
}

pub async fn a_poll_tells_what_there_is_to_do(bed: Arc<Bed>) {
    let poll_of = |queues: &[&str]| bed.storage.poll(queues.iter().map(|queue| (*queue).into()).collect());
    let poll = || async { poll_of(&["default", "other"]).await.unwrap() };
    let server = bed.server().await;
    assert_eq!(poll().await, Polled::default());
    let ready = Polled { enqueued: true, ..Polled::default() };
    bed.insert(NewJob { kind: "strange".into(), queue: "other".into(), ..bed.job() }).await;
    assert_eq!(poll().await, ready, "whoever may take it");
    assert_eq!(poll_of(&["default", "else"]).await.unwrap(), Polled::default(), "of these queues only");
    bed.insert_plain().await;
    let claimed = bed.claim_one(server).await;
    assert_eq!(poll().await, ready);
    assert_eq!(poll_of(&["default"]).await.unwrap(), Polled::default());
    bed.advance(LEASE.saturating_sub(Duration::from_micros(1)));
    assert!(!poll().await.expired);
    bed.advance(Duration::from_micros(1));
    assert!(poll().await.expired);
    bed.settle(server, &claimed, SUCCESS).await;
    assert_eq!(poll().await, ready, "a dead server that holds nothing is no reason");
    let leaves = bed.server().await;
    bed.insert_plain().await;
    bed.claim_one(leaves).await;
    bed.storage.leave(leaves, false).await.unwrap();
    assert!(poll().await.expired);
}

pub async fn a_poll_tells_when_something_will_be_due(bed: Arc<Bed>) {
    let poll = || async { bed.storage.poll(["default".into()].into()).await.unwrap() };
    for after in [50, 20] {
        bed.insert(NewJob { start: Start::After(seconds(after)), ..bed.job() }).await;
    }
    bed.storage.put_schedules(vec![schedule("one", "* * * * *")]).await.unwrap();
    let (next, next_slot) = (Some(seconds(20)), Some(seconds(60)));
    assert_eq!(poll().await, Polled { next, next_slot, ..Polled::default() });
    bed.advance(seconds(30));
    assert_eq!(poll().await.next, Some(Duration::ZERO));
    bed.storage.promote(9).await.unwrap();
    let (next, next_slot) = (Some(seconds(20)), Some(seconds(30)));
    assert_eq!(poll().await, Polled { enqueued: true, next, next_slot, expired: false });
    bed.advance(seconds(31));
    assert_eq!(poll().await.next_slot, Some(Duration::ZERO));
}
