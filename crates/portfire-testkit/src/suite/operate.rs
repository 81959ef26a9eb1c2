//! What operators may do to jobs.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Acted, Action, By, Inserted, Settled};
use portfire_core::{Cause, Clock, Dependency, JobId, Json, NewJob, Outcome, Start, State, Trigger};

use crate::Bed;
use crate::bed::{SUCCESS, failed, hopeless};

const HOUR: Duration = Duration::from_secs(3_600);

/// A job in this state.
async fn job_in(bed: &Bed, state: State) -> JobId {
    let server = bed.server().await;
    let first = NewJob { priority: -100, ..bed.job() };
    match state {
        State::Scheduled => bed.insert(NewJob { start: Start::After(HOUR), ..first }).await,
        State::Awaiting => {
            let parent = bed.insert(NewJob { priority: 100, ..bed.job() }).await;
            bed.insert(NewJob { after: vec![Dependency { parent, on: Trigger::End }], ..first }).await
        }
        _ => {
            let job = bed.insert(first).await;
            match state {
                State::Processing => drop(bed.claim_one(server).await),
                State::Retrying => drop(bed.run(server, failed()).await),
                State::Succeeded => drop(bed.run(server, SUCCESS).await),
                State::Failed => drop(bed.run(server, hopeless()).await),
                State::Cancelled => drop(bed.act(job, Action::Cancel).await),
                _ => {}
            }
            job
        }
    }
}

pub async fn every_wish_obeys_the_table(bed: Arc<Bed>) {
    let later = bed.clock.now().after(HOUR * 2);
    let wishes = [
        (Action::Cancel, Cause::CancelRequested),
        (Action::RunNow, Cause::RunNow),
        (Action::Reschedule(later), Cause::Rescheduled),
        (Action::MoveTo("elsewhere".into()), Cause::Moved),
        (Action::Prioritize(7), Cause::Moved),
    ];
    for state in State::ALL {
        for (action, cause) in &wishes {
            let cause = *cause;
            let job = job_in(&bed, state).await;
            assert_eq!(bed.state(job).await, state);
            let expected = match state.after(cause) {
                Ok(State::Processing) => Acted::Flagged,
                Ok(next) => Acted::Done(next),
                Err(_) => Acted::Refused(state),
            };
            assert_eq!(bed.act(job, action.clone()).await, expected, "{action:?} of a job that is {state}");
            let now = state.after(cause).unwrap_or(state);
            assert_eq!(bed.state(job).await, now);
            // Leaves nothing that the next round could claim.
            bed.act(job, Action::Cancel).await;
        }
        let job = job_in(&bed, state).await;
        let deletable = if state.is_deletable() { Acted::Done(state) } else { Acted::Refused(state) };
        assert_eq!(bed.act(job, Action::Delete).await, deletable);
        let gone = bed.storage.get(vec![job]).await.unwrap()[0].is_none();
        assert_eq!(gone, state.is_deletable());
    }
    assert_eq!(bed.act(bed.job().id, Action::Cancel).await, Acted::Missing);
}

pub async fn cancelling_a_running_job_flags_it(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let (server, other) = (bed.server().await, bed.server().await);
    let lease = bed.claim_one(server).await.facts.lease;
    assert_eq!(bed.act(job, Action::Cancel).await, Acted::Flagged);
    assert_eq!(bed.beat(server).await, [lease]);
    assert_eq!(bed.exchange(server, Vec::new(), None).await.cancel, [lease]);
    assert!(bed.beat(other).await.is_empty());
    assert!(bed.get(job).await.cancel_requested);
}

pub async fn a_flag_beats_all_but_success(bed: Arc<Bed>) {
    let server = bed.server().await;
    let table = [
        (SUCCESS, State::Succeeded),
        (failed(), State::Cancelled),
        (hopeless(), State::Cancelled),
        (Outcome::Snoozed(HOUR), State::Cancelled),
        (Outcome::Interrupted, State::Cancelled),
        (Outcome::TimedOut(HOUR), State::Cancelled),
    ];
    for (outcome, expected) in table {
        let job = bed.insert_plain().await;
        let claimed = bed.claim_one(server).await;
        bed.act(job, Action::Cancel).await;
        assert_eq!(bed.settle(server, &claimed, outcome).await, Settled::Applied(expected));
        assert_eq!(bed.state(job).await, expected);
    }
}

pub async fn running_again_starts_afresh(bed: Arc<Bed>) {
    let server = bed.server().await;
    let job = bed.insert_plain().await;
    bed.run(server, hopeless()).await;
    assert_eq!(bed.act(job, Action::RunNow).await, Acted::Done(State::Enqueued));
    let claimed = bed.claim_one(server).await;
    assert_eq!(claimed.facts.attempt, 1);
    bed.settle(server, &claimed, Outcome::Succeeded(Some(Json::trusted("1")))).await;
    bed.act(job, Action::RunNow).await;
    let details = bed.get(job).await;
    assert_eq!((details.result, details.history.len(), details.summary.attempts), (None, 1, 0));
}

pub async fn a_taken_name_refuses_running_again(bed: Arc<Bed>) {
    let named = || NewJob { unique: Some("the one".into()), ..bed.job() };
    let server = bed.server().await;
    let first = bed.insert(named()).await;
    bed.run(server, SUCCESS).await;
    let second = bed.insert(named()).await;
    assert_eq!(bed.act(first, Action::RunNow).await, Acted::Refused(State::Succeeded));
    bed.act(second, Action::Delete).await;
    assert_eq!(bed.act(first, Action::RunNow).await, Acted::Done(State::Enqueued));
    assert_eq!(bed.storage.insert(vec![named()]).await.unwrap(), [Inserted::Duplicate(first)]);
}

pub async fn a_set_of_wishes_is_answered_in_order(bed: Arc<Bed>) {
    let (waits, runs) = (job_in(&bed, State::Scheduled).await, job_in(&bed, State::Processing).await);
    let (over, unknown) = (job_in(&bed, State::Succeeded).await, bed.job().id);
    let acted =
        bed.storage.act(vec![runs, unknown, over, waits, waits], Action::Cancel, By::Program).await.unwrap();
    let refused = [State::Succeeded, State::Cancelled].map(Acted::Refused);
    assert_eq!(
        acted,
        [Acted::Flagged, Acted::Missing, refused[0], Acted::Done(State::Cancelled), refused[1]]
    );
}

pub async fn a_time_that_has_passed_means_at_once(bed: Arc<Bed>) {
    let past = Action::Reschedule(bed.clock.now().before(HOUR));
    for state in [State::Scheduled, State::Retrying, State::Enqueued, State::Failed] {
        let job = job_in(&bed, state).await;
        assert_eq!(bed.act(job, past.clone()).await, Acted::Done(State::Enqueued), "{state}");
        let summary = bed.get(job).await.summary;
        assert_eq!((summary.state, summary.run_at), (State::Enqueued, bed.clock.now()));
        bed.act(job, Action::Delete).await;
    }
}

pub async fn hurrying_a_retry_keeps_its_count(bed: Arc<Bed>) {
    let job = job_in(&bed, State::Retrying).await;
    assert_eq!(bed.act(job, Action::RunNow).await, Acted::Done(State::Enqueued));
    let server = bed.server().await;
    assert_eq!(bed.claim_one(server).await.facts.attempt, 2);
}

pub async fn a_flag_ends_with_its_attempt(bed: Arc<Bed>) {
    let server = bed.server().await;
    let job = bed.insert_plain().await;
    let claimed = bed.claim_one(server).await;
    assert_eq!(bed.act(job, Action::Cancel).await, Acted::Flagged);
    assert_eq!(bed.act(job, Action::Cancel).await, Acted::Flagged);
    bed.settle(server, &claimed, SUCCESS).await;
    assert!(bed.beat(server).await.is_empty());
    bed.act(job, Action::RunNow).await;
    bed.claim_one(server).await;
    assert!(bed.beat(server).await.is_empty() && !bed.get(job).await.cancel_requested);
}

pub async fn a_rescheduled_end_begins_afresh(bed: Arc<Bed>) {
    let job = job_in(&bed, State::Failed).await;
    let later = bed.clock.now().after(HOUR);
    assert_eq!(bed.act(job, Action::Reschedule(later)).await, Acted::Done(State::Scheduled));
    let details = bed.get(job).await;
    assert_eq!((details.summary.attempts, details.history.len()), (0, 1));
    assert_eq!((details.summary.run_at, details.summary.finished_at), (later, None));
}
