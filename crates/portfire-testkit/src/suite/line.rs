//! Families in odd shapes: several parents, long lines, and operators who interfere.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Acted, Action};
use portfire_core::{Fault, JobId, Json, Keep, NewJob, Outcome, Start, State, Trigger};

use crate::Bed;
use crate::bed::{LEASE, SUCCESS, failed, hopeless};

pub async fn one_impossible_parent_is_enough(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parents = [bed.insert_plain().await, bed.insert_plain().await];
    let waits = bed.insert(bed.child_of(&parents.map(|parent| (parent, Trigger::Success)))).await;
    bed.run(server, Outcome::Cancelled(Fault::new("enough"))).await;
    assert_eq!(bed.state(waits).await, State::Cancelled);
    bed.run(server, SUCCESS).await;
    assert_eq!(bed.state(waits).await, State::Cancelled);
    let parents: Vec<_> = bed.get(waits).await.parents.iter().map(|parent| parent.state).collect();
    assert_eq!(parents, [Some(State::Cancelled), Some(State::Succeeded)]);
}

pub async fn one_parent_may_be_asked_twice(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parent = bed.insert_plain().await;
    let both = bed.insert(bed.child_of(&[(parent, Trigger::Success), (parent, Trigger::End)])).await;
    let never = bed.insert(bed.child_of(&[(parent, Trigger::Success), (parent, Trigger::Failure)])).await;
    bed.run(server, SUCCESS).await;
    assert_eq!((bed.state(both).await, bed.state(never).await), (State::Enqueued, State::Cancelled));
    assert_eq!(bed.get(parent).await.children, [both, never], "each once");
}

pub async fn a_diamond_runs_its_tip_once(bed: Arc<Bed>) {
    let server = bed.server().await;
    let top = bed.insert_plain().await;
    let left = bed.insert(bed.child_of(&[(top, Trigger::Success)])).await;
    let right = bed.insert(bed.child_of(&[(top, Trigger::End)])).await;
    let tip = bed.insert(bed.child_of(&[(left, Trigger::Success), (right, Trigger::Success)])).await;
    let mut order = Vec::new();
    for _ in 0..4 {
        let claimed = bed.claim_one(server).await;
        order.push(claimed.facts.lease.job);
        bed.settle(server, &claimed, SUCCESS).await;
    }
    assert_eq!(order, [top, left, right, tip]);
    assert!(bed.claim(server, 9).await.is_empty());
}

pub async fn a_diamond_is_cancelled_whole(bed: Arc<Bed>) {
    let top = bed.insert_plain().await;
    let left = bed.insert(bed.child_of(&[(top, Trigger::Success)])).await;
    let right = bed.insert(bed.child_of(&[(top, Trigger::Success)])).await;
    let tip = bed.insert(bed.child_of(&[(left, Trigger::Success), (right, Trigger::Success)])).await;
    let last = bed.insert(bed.child_of(&[(tip, Trigger::End), (left, Trigger::End)])).await;
    bed.act(top, Action::Cancel).await;
    for job in [top, left, right, tip] {
        assert_eq!(bed.state(job).await, State::Cancelled);
    }
    assert_eq!(bed.state(last).await, State::Enqueued);
}

pub async fn a_long_line_is_cancelled_to_its_end(bed: Arc<Bed>) {
    let mut jobs = vec![bed.job()];
    for _ in 0..200 {
        let parent = jobs[jobs.len() - 1].id;
        jobs.push(bed.child_of(&[(parent, Trigger::Success)]));
    }
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    bed.storage.insert(jobs).await.unwrap();
    bed.act(ids[0], Action::Cancel).await;
    let all = bed.storage.get(ids).await.unwrap();
    assert!(all.into_iter().all(|job| job.unwrap().summary.state == State::Cancelled));
}

pub async fn a_released_child_still_waits_for_its_time(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parent = bed.insert_plain().await;
    let start = Start::After(Duration::from_secs(20));
    let waits = bed.insert(NewJob { start, ..bed.child_of(&[(parent, Trigger::Success)]) }).await;
    let due = bed.get(waits).await.summary.run_at;
    bed.advance(Duration::from_secs(5));
    bed.run(server, SUCCESS).await;
    let summary = bed.get(waits).await.summary;
    assert_eq!((summary.state, summary.run_at), (State::Scheduled, due));
    let promoted = bed.storage.promote(9).await.unwrap();
    assert_eq!((promoted.count, promoted.next), (0, Some(Duration::from_secs(15))));
}

pub async fn a_retried_or_snoozed_parent_lets_nobody_go(bed: Arc<Bed>) {
    let server = bed.server().await;
    for outcome in [failed(), Outcome::Snoozed(LEASE), Outcome::Interrupted] {
        let parent = bed.insert(NewJob { priority: -1, ..bed.job() }).await;
        let waits = bed.insert(bed.child_of(&[(parent, Trigger::End)])).await;
        bed.run(server, outcome).await;
        assert_eq!(bed.state(waits).await, State::Awaiting);
        bed.act(parent, Action::Cancel).await;
        assert_eq!(bed.state(waits).await, State::Enqueued);
        bed.act(waits, Action::Delete).await;
    }
}

/// An operator ran the child first. Its parent's end must not run it a second time.
pub async fn a_child_run_by_hand_is_not_run_twice(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parent = bed.insert(NewJob { priority: 5, ..bed.job() }).await;
    let child = bed.insert(bed.child_of(&[(parent, Trigger::Success)])).await;
    assert_eq!(bed.act(child, Action::RunNow).await, Acted::Done(State::Enqueued));
    let by_hand = bed.claim_one(server).await;
    assert_eq!((by_hand.facts.lease.job, by_hand.parents[0].state), (child, None));
    bed.run(server, SUCCESS).await;
    assert_eq!(bed.state(child).await, State::Processing);
    bed.settle(server, &by_hand, SUCCESS).await;
    assert!(bed.claim(server, 9).await.is_empty());
    assert_eq!(bed.state(child).await, State::Succeeded);
}

/// The same with a parent that makes it impossible: what was run by hand stays as it is.
pub async fn a_child_run_by_hand_is_not_cancelled_later(bed: Arc<Bed>) {
    let parent = bed.insert_plain().await;
    let child = bed.insert(bed.child_of(&[(parent, Trigger::Success)])).await;
    bed.act(child, Action::RunNow).await;
    bed.act(parent, Action::Cancel).await;
    assert_eq!(bed.state(child).await, State::Enqueued);
}

pub async fn a_cancelled_child_stays_so_when_its_parent_succeeds(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parent = bed.insert_plain().await;
    let child = bed.insert(bed.child_of(&[(parent, Trigger::Success)])).await;
    bed.act(child, Action::Cancel).await;
    bed.run(server, SUCCESS).await;
    assert_eq!(bed.state(child).await, State::Cancelled);
}

pub async fn a_deleted_child_is_forgotten_by_its_parent(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parent = bed.insert_plain().await;
    let child = bed.insert(bed.child_of(&[(parent, Trigger::Success)])).await;
    bed.act(child, Action::Delete).await;
    assert!(bed.get(parent).await.children.is_empty());
    bed.run(server, SUCCESS).await;
    assert!(bed.claim(server, 9).await.is_empty());
}

pub async fn deleting_an_ended_parent_leaves_released_children(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parent = bed.insert_plain().await;
    let released = bed.insert(bed.child_of(&[(parent, Trigger::End)])).await;
    let waits = bed.insert(bed.child_of(&[(parent, Trigger::Success)])).await;
    let after_that = bed.insert(bed.child_of(&[(waits, Trigger::End)])).await;
    bed.run(server, hopeless()).await;
    bed.act(parent, Action::Delete).await;
    assert_eq!(bed.state(released).await, State::Enqueued);
    assert_eq!(bed.state(waits).await, State::Cancelled);
    assert_eq!(bed.state(after_that).await, State::Enqueued);
    assert_eq!(bed.get(released).await.parents[0].state, Some(State::Failed));
}

pub async fn pruning_a_failed_parent_cancels_who_still_waits(bed: Arc<Bed>) {
    let server = bed.server().await;
    let mut parent = bed.job();
    parent.policy.retention.failed = Keep::For(LEASE);
    let parent = bed.insert(parent).await;
    let waits = bed.insert(bed.child_of(&[(parent, Trigger::Success)])).await;
    bed.run(server, hopeless()).await;
    bed.advance(LEASE);
    assert_eq!(bed.storage.prune(9).await.unwrap(), 1);
    assert_eq!(bed.state(waits).await, State::Cancelled);
}

pub async fn a_failure_child_runs_once_though_its_parent_is_retried(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parent = bed.insert(NewJob { priority: -1, ..bed.job() }).await;
    let on_failure = bed.insert(bed.child_of(&[(parent, Trigger::Failure)])).await;
    bed.run(server, hopeless()).await;
    assert_eq!(bed.state(on_failure).await, State::Enqueued);
    bed.act(parent, Action::RunNow).await;
    bed.run(server, SUCCESS).await;
    assert_eq!(bed.state(on_failure).await, State::Enqueued);
    assert_eq!(bed.get(on_failure).await.parents[0].state, Some(State::Failed));
    bed.run(server, SUCCESS).await;
    assert!(bed.claim(server, 9).await.is_empty());
}

pub async fn results_come_in_the_order_the_parents_were_named(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parents = [bed.insert_plain().await, bed.insert_plain().await, bed.insert_plain().await];
    let named = [parents[2], parents[0], parents[1]];
    bed.insert(bed.child_of(&named.map(|parent| (parent, Trigger::Success)))).await;
    for number in ["0", "1", "2"] {
        bed.run(server, Outcome::Succeeded(Some(Json::trusted(number)))).await;
    }
    let claimed = bed.claim_one(server).await;
    let seen: Vec<_> = claimed.parents.iter().map(|p| (p.job, p.result.clone().unwrap())).collect();
    let expected = [(parents[2], "2"), (parents[0], "0"), (parents[1], "1")];
    assert_eq!(seen, expected.map(|(job, result)| (job, Json::trusted(result))));
}

pub async fn a_parent_may_stand_earlier_in_the_set_but_not_later(bed: Arc<Bed>) {
    let parent = bed.job();
    let child = bed.child_of(&[(parent.id, Trigger::Success)]);
    let (parent_id, child_id) = (parent.id, child.id);
    let backwards = bed.storage.insert(vec![child.clone(), parent.clone()]).await;
    assert!(backwards.unwrap_err().is_misuse());
    bed.storage.insert(vec![parent, child]).await.unwrap();
    assert_eq!((bed.state(parent_id).await, bed.state(child_id).await), (State::Enqueued, State::Awaiting));
}
