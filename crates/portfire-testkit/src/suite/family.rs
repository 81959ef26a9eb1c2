//! Jobs that wait for others.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::Action;
use portfire_core::{Dependency, JobId, Json, NewJob, Outcome, ServerId, State, Trigger};

use crate::Bed;
use crate::bed::{SUCCESS, hopeless};

async fn child(bed: &Bed, parent: JobId, on: Trigger) -> JobId {
    bed.insert(NewJob { after: vec![Dependency { parent, on }], ..bed.job() }).await
}

async fn children(bed: &Bed, parent: JobId) -> [JobId; 3] {
    let [success, failure, end] = Trigger::ALL;
    [child(bed, parent, success).await, child(bed, parent, failure).await, child(bed, parent, end).await]
}

async fn states(bed: &Bed, jobs: [JobId; 3]) -> [State; 3] {
    [bed.state(jobs[0]).await, bed.state(jobs[1]).await, bed.state(jobs[2]).await]
}

pub async fn children_follow_every_end(bed: Arc<Bed>) {
    let server: ServerId = bed.server().await;
    let table = [
        (SUCCESS, [State::Enqueued, State::Cancelled, State::Enqueued]),
        (hopeless(), [State::Awaiting, State::Enqueued, State::Enqueued]),
        (
            Outcome::Cancelled(portfire_core::Fault::new("enough")),
            [State::Cancelled, State::Cancelled, State::Enqueued],
        ),
    ];
    for (outcome, expected) in table {
        let parent = bed.insert(NewJob { priority: -1, ..bed.job() }).await;
        let jobs = children(&bed, parent).await;
        assert_eq!(states(&bed, jobs).await, [State::Awaiting; 3]);
        assert_eq!(bed.get(parent).await.children, jobs);
        bed.run(server, outcome).await;
        assert_eq!(states(&bed, jobs).await, expected);
    }
}

pub async fn a_failed_parent_may_still_succeed(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parent = bed.insert_plain().await;
    let waits = child(&bed, parent, Trigger::Success).await;
    bed.run(server, hopeless()).await;
    assert_eq!(bed.state(waits).await, State::Awaiting);
    bed.act(parent, Action::RunNow).await;
    bed.run(server, SUCCESS).await;
    assert_eq!(bed.state(waits).await, State::Enqueued);
}

pub async fn several_parents_are_all_waited_for(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parents = [bed.insert_plain().await, bed.insert_plain().await];
    let after = parents.map(|parent| Dependency { parent, on: Trigger::Success }).to_vec();
    let waits = bed.insert(NewJob { after, ..bed.job() }).await;
    bed.run(server, Outcome::Succeeded(Some(Json::trusted("1")))).await;
    assert_eq!(bed.state(waits).await, State::Awaiting);
    bed.run(server, Outcome::Succeeded(Some(Json::trusted("2")))).await;
    let claimed = bed.claim_one(server).await;
    assert_eq!(claimed.facts.lease.job, waits);
    let results: Vec<_> = claimed.parents.iter().map(|parent| parent.result.clone().unwrap()).collect();
    assert_eq!(results, [Json::trusted("1"), Json::trusted("2")]);
}

pub async fn cancelling_goes_down_the_line(bed: Arc<Bed>) {
    let first = bed.insert_plain().await;
    let second = child(&bed, first, Trigger::Success).await;
    let third = child(&bed, second, Trigger::Success).await;
    let after_all = child(&bed, third, Trigger::End).await;
    bed.act(first, Action::Cancel).await;
    assert_eq!(bed.state(second).await, State::Cancelled);
    assert_eq!(bed.state(third).await, State::Cancelled);
    assert_eq!(bed.state(after_all).await, State::Enqueued);
}

pub async fn a_parent_that_has_ended_counts_at_once(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parent = bed.insert_plain().await;
    bed.run(server, SUCCESS).await;
    let jobs = children(&bed, parent).await;
    assert_eq!(states(&bed, jobs).await, [State::Enqueued, State::Cancelled, State::Enqueued]);
}

pub async fn deleting_a_parent_cancels(bed: Arc<Bed>) {
    let parent = bed.insert_plain().await;
    let jobs = children(&bed, parent).await;
    bed.act(parent, Action::Delete).await;
    assert_eq!(states(&bed, jobs).await, [State::Cancelled; 3]);
}

pub async fn results_outlive_the_parent(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parent = bed.insert_plain().await;
    let waits = child(&bed, parent, Trigger::Success).await;
    bed.run(server, Outcome::Succeeded(Some(Json::trusted(r#""kept""#)))).await;
    bed.advance(Duration::from_secs(2 * 24 * 60 * 60));
    assert_eq!(bed.storage.prune(10).await.unwrap(), 1);
    bed.beat(server).await;
    let claimed = bed.claim_one(server).await;
    assert_eq!(claimed.facts.lease.job, waits);
    assert_eq!(claimed.parents[0].result, Some(Json::trusted(r#""kept""#)));
    assert_eq!(claimed.parents[0].state, Some(State::Succeeded));
}
