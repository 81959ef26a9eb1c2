//! Who gets which job.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::limits::SERVERS_KEPT;
use portfire_core::storage::{Claimed, Want, WantQueue};
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
    let mut want = bed.want(2);
    let first = bed.exchange(server, Vec::new(), Some(want.clone())).await.claimed;
    want.limit = 0;
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

/// The queues are named against the alphabet, so that sorting by name would show.
pub async fn a_repeat_keeps_the_order_of_the_queues(bed: Arc<Bed>) {
    for queue in ["a", "b", "a", "b"] {
        bed.insert(NewJob { queue: queue.into(), ..bed.job() }).await;
    }
    let server = bed.server().await;
    let mut want = bed.want(10);
    want.queues = ["b", "a"].map(|name| WantQueue { name: name.into(), limit: 10 }).into();
    let first = bed.exchange(server, Vec::new(), Some(want.clone())).await.claimed;
    assert_eq!(first.iter().map(|job| &*job.queue).collect::<Vec<_>>(), ["b", "b", "a", "a"]);
    want.limit = 0;
    assert_eq!(bed.exchange(server, Vec::new(), Some(want)).await.claimed, first);
}

pub async fn zero_is_a_limit(bed: Arc<Bed>) {
    bed.insert_plain().await;
    let server = bed.server().await;
    assert!(bed.claim(server, 0).await.is_empty());
    let mut none_from_it = bed.want(10);
    none_from_it.queues[0].limit = 0;
    assert!(bed.exchange(server, Vec::new(), Some(none_from_it)).await.claimed.is_empty());
    let mut no_kind = bed.want(10);
    no_kind.kinds = [].into();
    assert!(bed.exchange(server, Vec::new(), Some(no_kind)).await.claimed.is_empty());
    assert_eq!(bed.claim(server, 1).await.len(), 1);
}

/// Kinds and queues travel into the claim as data, whatever they look like, and match exactly.
pub async fn hostile_kinds_and_queues_are_claimed(bed: Arc<Bed>) {
    let names = ["it's", "\"q\"", "back\\slash", "工作🎉", "a%", "A", "['a']", "null", "1"];
    let server = bed.server().await;
    for name in names {
        let id = bed.insert(NewJob { kind: name.into(), queue: name.into(), ..bed.job() }).await;
        let mut other = bed.want(9);
        other.queues[0].name = name.to_lowercase().replace('%', "b").into();
        other.kinds = [name.to_lowercase().into(), "a".into()].into();
        let mut exact = bed.want(9);
        exact.queues[0].name = name.into();
        exact.kinds = ["x".into(), name.into()].into();
        if name != name.to_lowercase() || name.contains('%') {
            assert!(bed.exchange(server, Vec::new(), Some(other)).await.claimed.is_empty(), "{name}");
        }
        assert_eq!(ids(&bed.exchange(server, Vec::new(), Some(exact)).await.claimed), [id], "{name}");
    }
}

/// A job keeps the place of its due time, however late it was promoted.
pub async fn a_promoted_job_stands_where_its_time_puts_it(bed: Arc<Bed>) {
    let start = portfire_core::Start::After(Duration::from_secs(1));
    let early = bed.insert(NewJob { start, ..bed.job() }).await;
    bed.advance(Duration::from_secs(2));
    let late = bed.insert_plain().await;
    bed.storage.promote(9).await.unwrap();
    let server = bed.server().await;
    assert_eq!(ids(&bed.claim(server, 9).await), [early, late]);
}

pub async fn a_claim_carries_all_that_a_handler_needs(bed: Arc<Bed>) {
    let mut job = NewJob { queue: "mail".into(), tags: vec!["z".into(), "a".into()], ..bed.job() };
    job.args = portfire_core::Json::trusted(r#"{"z":1,"a":2}"#);
    job.policy.timeout = Some(Duration::from_millis(1_500));
    job.policy.attempts_max = 7;
    let created_at = portfire_core::Clock::now(&*bed.clock);
    bed.insert(job.clone()).await;
    bed.advance(Duration::from_secs(1));
    let server = bed.server().await;
    let mut want = bed.want(1);
    want.queues[0].name = "mail".into();
    let token = want.token;
    let claimed = bed.exchange(server, Vec::new(), Some(want)).await.claimed.remove(0);
    assert_eq!((claimed.facts.lease.token, claimed.facts.attempt, claimed.facts.crashes), (token, 1, 0));
    assert_eq!((claimed.facts.policy, claimed.args, claimed.tags), (job.policy, job.args, job.tags));
    assert_eq!((&*claimed.queue, claimed.created_at, claimed.parents), ("mail", created_at, Vec::new()));
}

/// As a server asks whose claim was not answered: what it took is its own, and nothing new comes with it.
/// The claim was slow, its caller asked again, and then it arrives: nobody would hear of what it took.
pub async fn a_claim_that_was_asked_again_takes_nothing_later(bed: Arc<Bed>) {
    let (server, other) = (bed.server().await, bed.server().await);
    let (older, slow) = (bed.want(5), bed.want(5));
    let again = Want { limit: 0, ..slow.clone() };
    for _ in 0..2 {
        assert!(bed.exchange(server, Vec::new(), Some(again.clone())).await.claimed.is_empty());
    }
    bed.insert_plain().await;
    bed.insert_plain().await;
    for late in [slow.clone(), older.clone(), again] {
        assert!(bed.exchange(server, Vec::new(), Some(late)).await.claimed.is_empty());
    }
    bed.beat(server).await;
    assert!(
        bed.exchange(server, Vec::new(), Some(slow)).await.claimed.is_empty(),
        "a heartbeat opens nothing"
    );
    assert_eq!(
        bed.exchange(other, Vec::new(), Some(older)).await.claimed.len(),
        2,
        "tokens are each server's own"
    );
    bed.insert_plain().await;
    assert_eq!(bed.claim(server, 1).await.len(), 1);
}

/// Whose lease was over, so that it might be forgotten: the claim that it gave up is on its way all the same.
pub async fn a_server_that_was_deaf_for_a_while_has_given_up_its_claims_still(bed: Arc<Bed>) {
    let server = bed.server().await;
    let slow = bed.want(5);
    bed.exchange(server, Vec::new(), Some(Want { limit: 0, ..slow.clone() })).await;
    bed.insert_plain().await;
    bed.advance(LEASE + SERVERS_KEPT.saturating_sub(Duration::from_secs(1)));
    bed.storage.prune(9).await.unwrap();
    bed.beat(server).await;
    assert!(bed.exchange(server, Vec::new(), Some(slow)).await.claimed.is_empty());
    assert_eq!(bed.claim(server, 1).await.len(), 1);
}

pub async fn a_repeat_without_a_limit_left_takes_nothing_new(bed: Arc<Bed>) {
    let server = bed.server().await;
    let job = bed.insert_plain().await;
    let mut want = bed.want(5);
    let first = bed.exchange(server, Vec::new(), Some(want.clone())).await.claimed;
    bed.insert_plain().await;
    want.limit = 0;
    assert_eq!(bed.exchange(server, Vec::new(), Some(want.clone())).await.claimed, first);
    bed.advance(LEASE);
    let rescuer = bed.server().await;
    bed.rescue(rescuer).await;
    bed.beat(server).await;
    assert!(bed.exchange(server, Vec::new(), Some(want)).await.claimed.is_empty());
    assert_eq!(bed.state(job).await, State::Enqueued);
}
