//! How long a unique name is held.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Action, Inserted};
use portfire_core::{Fault, NewJob, Outcome, Start, State, Trigger};

use crate::Bed;
use crate::bed::{LEASE, SUCCESS, failed, hopeless};

fn named(bed: &Bed, name: &str) -> NewJob {
    NewJob { unique: Some(name.into()), ..bed.job() }
}

async fn try_insert(bed: &Bed, job: NewJob) -> Inserted {
    bed.storage.insert(vec![job]).await.unwrap()[0]
}

pub async fn a_name_twice_in_one_set_is_one_job(bed: Arc<Bed>) {
    let (first, second) = (named(&bed, "n"), named(&bed, "n"));
    let (first_id, second_id) = (first.id, second.id);
    let answers = bed.storage.insert(vec![first, second]).await.unwrap();
    assert_eq!(answers, [Inserted::New, Inserted::Duplicate(first_id)]);
    assert_eq!(bed.storage.get(vec![second_id]).await.unwrap(), [None]);
}

pub async fn names_differ_by_every_character(bed: Arc<Bed>) {
    for name in ["a", "A", "a ", " a", "á", "a\u{301}", "%", "_", "'", "a''", "🎉"] {
        bed.insert(named(&bed, name)).await;
        assert!(matches!(try_insert(&bed, named(&bed, name)).await, Inserted::Duplicate(_)), "{name}");
    }
}

pub async fn every_end_frees_a_name(bed: Arc<Bed>) {
    let server = bed.server().await;
    for outcome in [SUCCESS, hopeless(), Outcome::Cancelled(Fault::new("enough"))] {
        bed.insert(named(&bed, "n")).await;
        bed.run(server, outcome).await;
    }
    for action in [Action::Cancel, Action::Delete] {
        let job = bed.insert(named(&bed, "n")).await;
        bed.act(job, action).await;
    }
    bed.insert(named(&bed, "n")).await;
}

pub async fn no_state_before_the_end_frees_a_name(bed: Arc<Bed>) {
    let server = bed.server().await;
    let start = Start::After(Duration::from_secs(1));
    let job = bed.insert(NewJob { start, ..named(&bed, "n") }).await;
    let held = || async { try_insert(&bed, named(&bed, "n")).await == Inserted::Duplicate(job) };
    assert!(held().await, "scheduled");
    bed.advance(Duration::from_secs(1));
    bed.storage.promote(9).await.unwrap();
    assert!(held().await, "enqueued");
    let claimed = bed.claim_one(server).await;
    assert!(held().await, "processing");
    bed.settle(server, &claimed, Outcome::Snoozed(LEASE)).await;
    assert!(held().await, "snoozed");
    bed.act(job, Action::RunNow).await;
    bed.run(server, failed()).await;
    assert!(held().await, "retrying");
}

pub async fn a_rescued_job_keeps_its_name(bed: Arc<Bed>) {
    let job = bed.insert(named(&bed, "n")).await;
    let dead = bed.server().await;
    bed.claim_one(dead).await;
    bed.advance(LEASE);
    let rescuer = bed.server().await;
    bed.rescue(rescuer).await;
    assert_eq!(try_insert(&bed, named(&bed, "n")).await, Inserted::Duplicate(job));
}

pub async fn a_child_cancelled_by_its_parent_frees_its_name(bed: Arc<Bed>) {
    let parent = bed.insert_plain().await;
    let waits = || NewJob { unique: Some("n".into()), ..bed.child_of(&[(parent, Trigger::Success)]) };
    bed.insert(waits()).await;
    bed.act(parent, Action::Cancel).await;
    // This one is impossible from the start, so it does not hold the name either.
    let impossible = bed.insert(waits()).await;
    assert_eq!(bed.state(impossible).await, State::Cancelled);
    bed.insert(named(&bed, "n")).await;
}

pub async fn a_refused_set_takes_no_name(bed: Arc<Bed>) {
    let orphan = bed.child_of(&[(bed.job().id, Trigger::End)]);
    bed.storage.insert(vec![named(&bed, "n"), orphan]).await.unwrap_err();
    bed.insert(named(&bed, "n")).await;
}

/// An old job that is deleted or pruned must not free the name of its successor.
pub async fn an_old_job_does_not_free_its_successors_name(bed: Arc<Bed>) {
    let server = bed.server().await;
    let old = bed.insert(named(&bed, "n")).await;
    bed.run(server, SUCCESS).await;
    let pruned = bed.insert(named(&bed, "n")).await;
    bed.run(server, SUCCESS).await;
    let holder = bed.insert(named(&bed, "n")).await;
    bed.act(old, Action::Delete).await;
    assert_eq!(try_insert(&bed, named(&bed, "n")).await, Inserted::Duplicate(holder));
    bed.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(bed.storage.prune(9).await.unwrap(), 1);
    assert_eq!(bed.storage.get(vec![pruned]).await.unwrap(), [None]);
    assert_eq!(try_insert(&bed, named(&bed, "n")).await, Inserted::Duplicate(holder));
}
