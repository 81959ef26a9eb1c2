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
    bed.storage.leave(leaves, false).await.unwrap();
    assert_eq!(bed.storage.expired(10).await.unwrap().len(), 1);
    assert!(bed.storage.overview().await.unwrap().servers.is_empty());
}

pub async fn a_lease_ends_at_its_instant_and_not_before(bed: Arc<Bed>) {
    bed.insert_plain().await;
    let server = bed.server().await;
    bed.claim_one(server).await;
    bed.advance(LEASE.saturating_sub(Duration::from_micros(1)));
    assert!(bed.storage.expired(9).await.unwrap().is_empty());
    bed.advance(Duration::from_micros(1));
    assert_eq!(bed.storage.expired(9).await.unwrap().len(), 1);
}

pub async fn only_the_dead_servers_jobs_expire(bed: Arc<Bed>) {
    for _ in 0..5 {
        bed.insert_plain().await;
    }
    let (dead, alive) = (bed.server().await, bed.server().await);
    bed.claim(dead, 3).await;
    bed.claim(alive, 2).await;
    bed.advance(LEASE / 2);
    bed.beat(alive).await;
    bed.advance(LEASE / 2);
    assert_eq!(bed.storage.expired(2).await.unwrap().len(), 2, "bounded");
    let expired = bed.storage.expired(9).await.unwrap();
    assert_eq!(expired.iter().map(|job| job.server).collect::<Vec<_>>(), [dead; 3]);
}

pub async fn a_crash_on_the_last_attempt_fails_and_is_counted(bed: Arc<Bed>) {
    let mut job = bed.job();
    job.policy.attempts_max = 1;
    let job = bed.insert(job).await;
    let dead = bed.server().await;
    bed.claim_one(dead).await;
    bed.advance(LEASE);
    let rescuer = bed.server().await;
    assert_eq!(bed.rescue(rescuer).await, [Settled::Applied(State::Failed)]);
    let details = bed.get(job).await;
    assert_eq!((details.crashes, details.summary.attempts, details.history.len()), (1, 1, 1));
}

pub async fn a_flagged_job_of_a_dead_server_is_cancelled(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let dead = bed.server().await;
    bed.claim_one(dead).await;
    bed.act(job, portfire_core::storage::Action::Cancel).await;
    bed.advance(LEASE);
    let rescuer = bed.server().await;
    assert_eq!(bed.rescue(rescuer).await, [Settled::Applied(State::Cancelled)]);
    let details = bed.get(job).await;
    assert_eq!((details.crashes, details.cancel_requested), (1, false));
}

pub async fn a_beat_replaces_what_a_server_says_of_itself(bed: Arc<Bed>) {
    let server = bed.server().await;
    let started_at = portfire_core::Clock::now(&*bed.clock);
    bed.advance(LEASE / 2);
    let info = portfire_core::storage::ServerInfo {
        name: "it's \"web-1\" 🎉".into(),
        host: "web-1.example".into(),
        build: "shop 1.2.3+abc".into(),
        pid: u32::MAX,
        queues: vec!["b".into(), "a,c".into()],
        slots: 20,
        running: 3,
    };
    let beat = portfire_core::storage::Beat { server, lease: LEASE, info: info.clone() };
    bed.storage.beat(beat).await.unwrap();
    let seen = bed.storage.overview().await.unwrap().servers.remove(0);
    assert_eq!((seen.id, seen.info, seen.started_at), (server, info, started_at));
    assert_eq!(seen.lease_until, started_at.after(LEASE / 2 + LEASE));
}
