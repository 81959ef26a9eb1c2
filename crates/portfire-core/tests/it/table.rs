//! The state table against a list written independently of it.

use portfire_core::{Cause, State};

const CAUSES: [Cause; 14] = [
    Cause::Released,
    Cause::ReleasedForLater,
    Cause::Due,
    Cause::Claimed,
    Cause::AttemptSucceeded,
    Cause::AttemptFailed,
    Cause::GaveUp,
    Cause::Snoozed,
    Cause::GivenBack,
    Cause::Cancelled,
    Cause::CancelRequested,
    Cause::RunNow,
    Cause::Rescheduled,
    Cause::Moved,
];

/// From, cause, to: every legal move.
fn legal() -> Vec<(State, Cause, State)> {
    use Cause as C;
    use State as S;
    let mut all = vec![
        (S::Awaiting, C::Released, S::Enqueued),
        (S::Awaiting, C::ReleasedForLater, S::Scheduled),
        (S::Scheduled, C::Due, S::Enqueued),
        (S::Retrying, C::Due, S::Enqueued),
        (S::Enqueued, C::Claimed, S::Processing),
        (S::Processing, C::AttemptSucceeded, S::Succeeded),
        (S::Processing, C::AttemptFailed, S::Retrying),
        (S::Processing, C::GaveUp, S::Failed),
        (S::Processing, C::Snoozed, S::Scheduled),
        (S::Processing, C::GivenBack, S::Enqueued),
        (S::Processing, C::CancelRequested, S::Processing),
        (S::Processing, C::Cancelled, S::Cancelled),
        (S::Retrying, C::Rescheduled, S::Retrying),
    ];
    for waiting in [S::Awaiting, S::Scheduled, S::Enqueued, S::Retrying] {
        all.push((waiting, C::CancelRequested, S::Cancelled));
        all.push((waiting, C::Cancelled, S::Cancelled));
        all.push((waiting, C::Moved, waiting));
    }
    for state in [S::Awaiting, S::Scheduled, S::Retrying, S::Succeeded, S::Failed, S::Cancelled] {
        all.push((state, C::RunNow, S::Enqueued));
    }
    for state in [S::Scheduled, S::Enqueued, S::Succeeded, S::Failed, S::Cancelled] {
        all.push((state, C::Rescheduled, S::Scheduled));
    }
    all
}

#[test]
fn every_pair_is_as_listed() {
    let legal = legal();
    for from in State::ALL {
        for cause in CAUSES {
            let listed = legal.iter().find(|(f, c, _)| (*f, *c) == (from, cause)).map(|(_, _, to)| *to);
            assert_eq!(from.after(cause).ok(), listed, "{from} by {cause:?}");
        }
    }
}

#[test]
fn words_are_read_back() {
    for state in State::ALL {
        assert_eq!(state.as_str().parse::<State>().unwrap(), state);
    }
    assert!("running".parse::<State>().unwrap_err().to_string().contains("processing"));
}

#[test]
fn everything_but_a_running_job_can_be_deleted_and_only_an_end_is_final() {
    let all = |is: fn(State) -> bool| State::ALL.into_iter().filter(|state| is(*state)).collect::<Vec<_>>();
    assert_eq!(all(|state| !state.is_deletable()), [State::Processing]);
    assert_eq!(all(State::is_final), [State::Succeeded, State::Failed, State::Cancelled]);
}
