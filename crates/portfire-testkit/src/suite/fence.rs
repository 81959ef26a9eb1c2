//! What a server that lost its lease cannot do, and what a lost answer does not change.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Acted, Action, Exchange, Expired, Note, Progress, Settled};
use portfire_core::{Backoff, Dice, NewJob, Outcome, Settlement, State, Trigger};

use crate::Bed;
use crate::bed::{LEASE, SUCCESS, failed, hopeless};

fn crash(dead: &Expired) -> Settlement {
    portfire_core::settle(&dead.facts, Outcome::Crashed, &mut Dice::from_seed([5, 6]))
}

pub async fn a_zombie_writes_no_notes(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let zombie = bed.server().await;
    let stale = bed.claim_one(zombie).await.facts.lease;
    bed.advance(LEASE);
    let holder = bed.server().await;
    assert_eq!(bed.rescue(holder).await, [Settled::Applied(State::Enqueued)]);
    let progress = |lease, done| Note::Progress(lease, Progress { done, total: None, message: None });
    bed.notes(zombie, vec![bed.line(stale, "between"), progress(stale, 1)]).await;
    let lease = bed.claim_one(holder).await.facts.lease;
    bed.notes(holder, vec![progress(lease, 2)]).await;
    bed.notes(zombie, vec![bed.line(stale, "after"), progress(stale, 3)]).await;
    let details = bed.get(job).await;
    assert_eq!((details.log, details.progress.unwrap().done), (Vec::new(), 2));
}

/// The same server takes its own job again: only the token tells the two claims apart.
pub async fn a_server_is_fenced_from_its_own_older_claim(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let server = bed.server().await;
    let old = bed.claim_one(server).await;
    bed.settle(server, &old, Outcome::Interrupted).await;
    let new = bed.claim_one(server).await;
    assert_eq!(old.facts.attempt, new.facts.attempt);
    assert_eq!(bed.settle(server, &old, SUCCESS).await, Settled::Lost);
    assert_eq!(bed.state(job).await, State::Processing);
    assert_eq!(bed.settle(server, &new, SUCCESS).await, Settled::Applied(State::Succeeded));
}

/// Late but not yet rescued: the work is not thrown away.
pub async fn an_expired_server_may_settle_what_it_still_holds(bed: Arc<Bed>) {
    bed.insert_plain().await;
    let server = bed.server().await;
    let claimed = bed.claim_one(server).await;
    bed.advance(LEASE * 2);
    assert_eq!(bed.settle(server, &claimed, SUCCESS).await, Settled::Applied(State::Succeeded));
    assert!(bed.storage.expired(9).await.unwrap().is_empty());
}

pub async fn a_rescue_comes_too_late_for_a_settled_job(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let server = bed.server().await;
    let claimed = bed.claim_one(server).await;
    bed.advance(LEASE);
    let expired = bed.storage.expired(9).await.unwrap();
    bed.settle(server, &claimed, SUCCESS).await;
    let rescuer = bed.server().await;
    let crashed = crash(&expired[0]);
    bed.exchange(rescuer, vec![crashed], None).await;
    let details = bed.get(job).await;
    assert_eq!((details.summary.state, details.crashes, details.history.len()), (State::Succeeded, 0, 0));
}

pub async fn two_rescuers_count_one_crash(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let dead = bed.server().await;
    bed.claim_one(dead).await;
    bed.advance(LEASE);
    let (one, other) = (bed.server().await, bed.server().await);
    let expired = bed.storage.expired(9).await.unwrap();
    for rescuer in [one, other] {
        let crashed = crash(&expired[0]);
        bed.exchange(rescuer, vec![crashed], None).await;
    }
    let details = bed.get(job).await;
    assert_eq!((details.crashes, details.history.len()), (1, 1));
    assert_eq!(bed.claim(one, 9).await.len(), 1);
}

pub async fn a_mixed_set_is_answered_in_order(bed: Arc<Bed>) {
    let server = bed.server().await;
    let jobs = [bed.insert_plain().await, bed.insert_plain().await, bed.insert_plain().await];
    let claimed = bed.claim(server, 3).await;
    let mut stale = claimed[1].clone();
    stale.facts.lease.token = bed.token();
    let mut unknown = claimed[1].clone();
    unknown.facts.lease.job = bed.job().id;
    let set = [(&claimed[2], hopeless()), (&stale, SUCCESS), (&unknown, SUCCESS), (&claimed[0], SUCCESS)];
    let settlements = set.map(|(claimed, outcome)| bed.settlement(claimed, outcome)).into();
    let applied = [State::Failed, State::Succeeded].map(Settled::Applied);
    let settled = bed.exchange(server, settlements, None).await.settled;
    assert_eq!(settled, [applied[0], Settled::Lost, Settled::Lost, applied[1]]);
    assert_eq!(bed.state(jobs[1]).await, State::Processing);
}

/// Each is judged by what the one before it left, as if they had come apart.
pub async fn one_lease_twice_in_a_set_is_judged_in_order(bed: Arc<Bed>) {
    let server = bed.server().await;
    let job = bed.insert_plain().await;
    let claimed = bed.claim_one(server).await;
    let early = Expired { facts: claimed.facts.clone(), server };
    let set = vec![crash(&early), bed.settlement(&claimed, SUCCESS), bed.settlement(&claimed, hopeless())];
    let settled = bed.exchange(server, set, None).await.settled;
    let succeeded = Settled::Applied(State::Succeeded);
    assert_eq!(settled, [Settled::Lost, succeeded, succeeded]);
    let details = bed.get(job).await;
    assert_eq!((details.summary.state, details.crashes, details.history.len()), (State::Succeeded, 0, 0));
}

pub async fn a_repeat_leaves_no_second_trace(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parent = bed.insert_plain().await;
    let child = bed.insert(bed.child_of(&[(parent, Trigger::End)])).await;
    let claimed = bed.claim_one(server).await;
    for _ in 0..3 {
        assert_eq!(bed.settle(server, &claimed, hopeless()).await, Settled::Applied(State::Failed));
    }
    assert_eq!(bed.get(parent).await.history.len(), 1);
    assert_eq!(bed.claim_one(server).await.facts.lease.job, child);
    assert_eq!(bed.settle(server, &claimed, hopeless()).await, Settled::Applied(State::Failed));
    assert_eq!(bed.state(child).await, State::Processing);
}

/// The answer was lost, and an operator acted before it was asked for again.
pub async fn a_repeat_is_answered_even_after_an_operator_acted(bed: Arc<Bed>) {
    let server = bed.server().await;
    let table = [(Action::RunNow, State::Enqueued), (Action::Cancel, State::Cancelled)];
    for (action, now) in table {
        let job = bed.insert(NewJob { priority: -1, ..bed.job() }).await;
        let claimed = bed.claim_one(server).await;
        let answer = bed.settle(server, &claimed, failed()).await;
        assert_eq!(bed.act(job, action.clone()).await, Acted::Done(now));
        assert_eq!(bed.settle(server, &claimed, failed()).await, answer, "after {action:?}");
        assert_eq!((bed.state(job).await, bed.get(job).await.history.len()), (now, 1));
        bed.act(job, Action::Delete).await; // So that the next round claims its own.
    }
}

pub async fn a_deleted_job_cannot_be_settled(bed: Arc<Bed>) {
    let server = bed.server().await;
    let job = bed.insert_plain().await;
    let claimed = bed.claim_one(server).await;
    assert_eq!(bed.act(job, Action::Delete).await, Acted::Refused(State::Processing));
    bed.settle(server, &claimed, SUCCESS).await;
    bed.act(job, Action::Delete).await;
    assert_eq!(bed.settle(server, &claimed, SUCCESS).await, Settled::Lost);
    assert_eq!(bed.storage.get(vec![job]).await.unwrap(), [None]);
}

/// Notes first, then settlements, then the claim: one round trip sees its own effects.
pub async fn an_exchange_goes_in_its_order(bed: Arc<Bed>) {
    let server = bed.server().await;
    let mut parent = NewJob { priority: 5, ..bed.job() };
    parent.policy.backoff = Backoff::Fixed(Duration::ZERO);
    let parent = bed.insert(parent).await;
    let child = bed.insert(bed.child_of(&[(parent, Trigger::Success)])).await;
    let claimed = bed.claim_one(server).await;
    let again = Exchange {
        server,
        notes: vec![bed.line(claimed.facts.lease, "last words")],
        settlements: vec![bed.settlement(&claimed, failed())],
        want: Some(bed.want(1)),
    };
    let exchanged = bed.storage.exchange(again).await.unwrap();
    assert_eq!(exchanged.settled, [Settled::Applied(State::Enqueued)]);
    assert_eq!((exchanged.claimed[0].facts.lease.job, exchanged.claimed[0].facts.attempt), (parent, 2));
    assert_eq!(&*bed.get(parent).await.log[0].text, "last words");
    let done = vec![bed.settlement(&exchanged.claimed[0], SUCCESS)];
    let exchanged = bed.exchange(server, done, Some(bed.want(1))).await;
    assert_eq!(exchanged.claimed[0].facts.lease.job, child);
    assert_eq!(bed.get(parent).await.summary.attempts, 2);
}
