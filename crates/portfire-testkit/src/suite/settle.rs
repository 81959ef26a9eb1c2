//! What may be written back, and by whom.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Exchange, LogLine, Note, Progress, Settled};
use portfire_core::{Backoff, Clock, Json, Keep, NewJob, Outcome, State};

use crate::Bed;
use crate::bed::{LEASE, SUCCESS, failed, hopeless};

pub async fn success_keeps_the_result(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let server = bed.server().await;
    let claimed = bed.claim_one(server).await;
    assert_eq!(bed.get(job).await.summary.server, Some(server));
    bed.advance(Duration::from_secs(2));
    let outcome = Outcome::Succeeded(Some(Json::trusted("42")));
    assert_eq!(bed.settle(server, &claimed, outcome).await, Settled::Applied(State::Succeeded));
    let details = bed.get(job).await;
    assert_eq!((details.result, details.summary.attempts), (Some(Json::trusted("42")), 1));
    assert_eq!(details.summary.finished_at, Some(bed.clock.now()));
    assert_eq!(details.summary.started_at, Some(bed.clock.now().before(Duration::from_secs(2))));
    assert_eq!(details.summary.server, Some(server));
}

pub async fn a_stale_token_changes_nothing(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let server = bed.server().await;
    let mut stale = bed.claim_one(server).await;
    stale.facts.lease.token = bed.token();
    assert_eq!(bed.settle(server, &stale, SUCCESS).await, Settled::Lost);
    assert_eq!(bed.state(job).await, State::Processing);
}

/// The case that "only while it is running" guards fail: the job runs again, with another.
pub async fn a_zombie_cannot_settle_its_successor(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let zombie = bed.server().await;
    let first = bed.claim_one(zombie).await;
    for _ in 0..2 {
        bed.advance(LEASE);
        let rescuer = bed.server().await;
        for dead in bed.storage.expired(10).await.unwrap() {
            let facts = &dead.facts;
            let crashed =
                portfire_core::settle(facts, Outcome::Crashed, &mut portfire_core::Dice::from_seed([5, 6]));
            bed.exchange(rescuer, vec![crashed], None).await;
        }
        bed.advance(Duration::from_secs(3_600));
        bed.storage.promote(10).await.unwrap();
        bed.beat(rescuer).await;
        bed.claim_one(rescuer).await;
        for outcome in [SUCCESS, failed(), Outcome::Snoozed(LEASE), Outcome::Interrupted] {
            assert_eq!(bed.settle(zombie, &first, outcome).await, Settled::Lost);
        }
        assert_eq!(bed.state(job).await, State::Processing);
    }
}

pub async fn a_repeat_is_answered_as_it_was(bed: Arc<Bed>) {
    bed.insert_plain().await;
    let server = bed.server().await;
    let claimed = bed.claim_one(server).await;
    let retrying = Settled::Applied(State::Retrying);
    assert_eq!(bed.settle(server, &claimed, failed()).await, retrying);
    assert_eq!(bed.settle(server, &claimed, failed()).await, retrying);
    bed.advance(Duration::from_secs(60));
    bed.storage.promote(10).await.unwrap();
    bed.beat(server).await;
    let again = bed.claim_one(server).await;
    assert_eq!(bed.settle(server, &claimed, failed()).await, Settled::Lost);
    let succeeded = Settled::Applied(State::Succeeded);
    assert_eq!(bed.settle(server, &again, SUCCESS).await, succeeded);
    assert_eq!(bed.settle(server, &again, SUCCESS).await, succeeded);
    assert_eq!(bed.settle(server, &claimed, failed()).await, Settled::Lost);
}

pub async fn a_failure_is_retried_when_due(bed: Arc<Bed>) {
    let mut job = bed.job();
    job.policy.backoff = Backoff::Fixed(Duration::from_secs(10));
    let job = bed.insert(job).await;
    let server = bed.server().await;
    bed.run(server, failed()).await;
    let details = bed.get(job).await;
    assert_eq!((details.summary.state, details.summary.attempts), (State::Retrying, 1));
    assert_eq!(details.summary.run_at, bed.clock.now().after(Duration::from_secs(10)));
    assert_eq!(&*details.history[0].fault.as_ref().unwrap().message, "it broke");
    bed.advance(Duration::from_secs(9));
    assert_eq!(bed.storage.promote(10).await.unwrap().count, 0);
    bed.advance(Duration::from_secs(1));
    assert_eq!(bed.storage.promote(10).await.unwrap().count, 1);
    assert_eq!(bed.claim_one(server).await.facts.attempt, 2);
}

pub async fn snoozing_and_giving_back_are_free(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let server = bed.server().await;
    let snoozed = bed.run(server, Outcome::Snoozed(Duration::from_secs(5))).await;
    assert_eq!(snoozed, Settled::Applied(State::Scheduled));
    bed.advance(Duration::from_secs(5));
    bed.storage.promote(1).await.unwrap();
    assert_eq!(bed.run(server, Outcome::Interrupted).await, Settled::Applied(State::Enqueued));
    assert_eq!(bed.get(job).await.summary.attempts, 0);
    assert_eq!(bed.claim_one(server).await.facts.attempt, 1);
}

pub async fn attempts_end(bed: Arc<Bed>) {
    let mut job = bed.job();
    job.policy.attempts_max = 2;
    job.policy.backoff = Backoff::Fixed(Duration::ZERO);
    let job = bed.insert(job).await;
    let server = bed.server().await;
    assert_eq!(bed.run(server, failed()).await, Settled::Applied(State::Enqueued));
    assert_eq!(bed.run(server, failed()).await, Settled::Applied(State::Failed));
    let details = bed.get(job).await;
    assert_eq!((details.history.len(), details.summary.attempts), (2, 2));
}

pub async fn notes_need_the_lease(bed: Arc<Bed>) {
    let job = bed.insert(NewJob { tags: vec!["t".into()], ..bed.job() }).await;
    let server = bed.server().await;
    let lease = bed.claim_one(server).await.facts.lease;
    let stale = portfire_core::Lease { token: bed.token(), ..lease };
    let line = |text: &str| LogLine { at: bed.clock.now(), attempt: 1, text: text.into() };
    let far = |done| Progress { done, total: Some(9), message: None };
    let notes = vec![
        Note::Log(lease, line("one")),
        Note::Progress(lease, far(1)),
        Note::Log(stale, line("forged")),
        Note::Progress(stale, far(9)),
        Note::Progress(lease, far(2)),
        Note::Log(lease, line("two")),
    ];
    let exchange = Exchange { server, notes, settlements: Vec::new(), want: None };
    bed.storage.exchange(exchange).await.unwrap();
    let details = bed.get(job).await;
    assert_eq!(details.progress, Some(far(2)));
    assert_eq!(details.log, [line("one"), line("two")]);
}

/// Storages write large sets in other ways than small ones: in a set of 37 each job ends as it would alone.
pub async fn in_a_large_set_each_job_ends_as_it_would_alone(bed: Arc<Bed>) {
    let server = bed.server().await;
    bed.storage.insert((0..37).map(|_| bed.job()).collect()).await.unwrap();
    let started_at = bed.clock.now();
    let claimed = bed.claim(server, 37).await;
    assert_eq!(claimed.len(), 37);
    for job in &claimed {
        let summary = bed.get(job.facts.lease.job).await.summary;
        assert_eq!(
            (summary.state, summary.server, summary.started_at.is_some()),
            (State::Processing, Some(server), true)
        );
    }
    bed.advance(Duration::from_secs(2));
    let outcome = |number| if number % 5 == 0 { hopeless() } else { SUCCESS };
    // Not in the order in which they were claimed.
    let set = || {
        claimed.iter().enumerate().rev().map(|(number, job)| bed.settlement(job, outcome(number))).collect()
    };
    let first = bed.exchange(server, set(), None).await.settled;
    let ended = |number| if number % 5 == 0 { State::Failed } else { State::Succeeded };
    assert_eq!(first, (0..37).rev().map(|number| Settled::Applied(ended(number))).collect::<Vec<_>>());
    for (number, job) in claimed.iter().enumerate() {
        let summary = bed.get(job.facts.lease.job).await.summary;
        assert_eq!((summary.state, summary.server), (ended(number), Some(server)));
        let times = (summary.started_at, summary.finished_at);
        assert_eq!(times, (Some(started_at), Some(started_at.after(Duration::from_secs(2)))));
    }
    assert_eq!(bed.exchange(server, set(), None).await.settled, first, "a repeat knows each claim");
}

/// Jobs of one claim that lie beside each other may be written as one: not those between them, nor what is theirs alone.
pub async fn in_a_set_of_several_claims_each_job_keeps_what_is_its_own(bed: Arc<Bed>) {
    let server = bed.server().await;
    let is_brief = |number: usize| number / 3 % 2 == 1;
    let job = |number| {
        let mut job = bed.job();
        job.policy.retention.succeeded = if is_brief(number) { Keep::For(LEASE) } else { Keep::Forever };
        job
    };
    bed.storage.insert((0..24).map(job).collect()).await.unwrap();
    let mut claimed = Vec::new();
    for _ in 0..5 {
        claimed.extend(bed.claim(server, 5).await);
    }
    let ids: Vec<_> = claimed.iter().map(|job| job.facts.lease.job).collect();
    let is_lost = |number: usize| number == 7 || number == 13;
    for number in (0..24).filter(|number| is_lost(*number)) {
        claimed[number].facts.lease.token = bed.token();
    }
    let result = |number: usize| number.is_multiple_of(4).then(|| Json::trusted(number.to_string()));
    let ends = claimed.iter().enumerate();
    let set =
        ends.map(|(number, job)| bed.settlement(job, Outcome::Succeeded(result(number)))).rev().collect();
    let expected = |number| if is_lost(number) { Settled::Lost } else { Settled::Applied(State::Succeeded) };
    let settled = bed.exchange(server, set, None).await.settled;
    assert_eq!(settled, (0..24).rev().map(expected).collect::<Vec<_>>());
    for (number, id) in ids.iter().enumerate().filter(|(number, _)| !is_lost(*number)) {
        assert_eq!(bed.get(*id).await.result, result(number), "job {number}");
    }
    bed.advance(LEASE);
    bed.storage.prune(100).await.unwrap();
    for (number, kept) in bed.storage.get(ids.clone()).await.unwrap().iter().enumerate() {
        assert_eq!(kept.is_none(), is_brief(number) && !is_lost(number), "job {number}");
    }
    for number in [7, 13] {
        assert_eq!(bed.state(ids[number]).await, State::Processing);
    }
}
