//! What holds for every settlement, whatever the job and the outcome.

use std::time::Duration;

use portfire_core::limits::CRASHES_MAX;
use portfire_core::{
    Backoff, Dice, Facts, Fault, JobId, Json, Keep, Lease, Outcome, Policy, Retention, Settlement, State,
    Target, Token, settle,
};
use proptest::prelude::*;

fn durations() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0_u64..1_000_000_000_000).prop_map(Duration::from_micros)
    ]
}

fn backoffs() -> impl Strategy<Value = Backoff> {
    prop_oneof![
        Just(Backoff::Hangfire),
        durations().prop_map(Backoff::Fixed),
        (durations(), durations(), any::<u8>())
            .prop_map(|(base, cap, jitter_percent)| { Backoff::Exponential { base, cap, jitter_percent } }),
        proptest::collection::vec(durations(), 0..4).prop_map(Backoff::List),
    ]
}

fn facts() -> impl Strategy<Value = Facts> {
    let attempts = prop_oneof![1_u16..20, Just(u16::MAX)];
    let retention = Retention {
        succeeded: Keep::For(Duration::from_secs(1)),
        failed: Keep::For(Duration::from_secs(2)),
        cancelled: Keep::For(Duration::from_secs(3)),
    };
    (attempts.clone(), attempts, prop_oneof![0_u16..5, Just(u16::MAX)], backoffs()).prop_map(
        move |(attempt, attempts_max, crashes, backoff)| Facts {
            lease: Lease { job: JobId::from_bytes([1; 16]), token: Token::from_bytes([2; 16]) },
            kind: "work".into(),
            attempt,
            crashes,
            policy: Policy { attempts_max, backoff, timeout: None, retention },
        },
    )
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let fault = || Fault::new("it broke");
    prop_oneof![
        Just(Outcome::Succeeded(None)),
        Just(Outcome::Succeeded(Some(Json::trusted("42")))),
        Just(Outcome::Failed(fault())),
        durations().prop_map(move |delay| Outcome::RetryAfter(Fault::new("later"), delay)),
        Just(Outcome::FailedForGood(fault())),
        durations().prop_map(Outcome::TimedOut),
        Just(Outcome::Panicked(fault())),
        Just(Outcome::Undecodable(fault())),
        durations().prop_map(Outcome::Snoozed),
        Just(Outcome::Cancelled(fault())),
        Just(Outcome::Interrupted),
        Just(Outcome::Crashed),
    ]
}

fn decide(facts: &Facts, outcome: &Outcome) -> Settlement {
    settle(facts, outcome.clone(), &mut Dice::from_seed([1, 2]))
}

const fn attempts(target: &Target) -> u16 {
    match target {
        Target::Finished { attempts, .. } | Target::Again { attempts, .. } => *attempts,
    }
}

const fn crashes(target: &Target) -> u16 {
    match target {
        Target::Finished { crashes, .. } | Target::Again { crashes, .. } => *crashes,
    }
}

fn is_free(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Snoozed(_) | Outcome::Interrupted)
}

proptest! {
    #[test]
    fn a_charged_job_is_never_retried_beyond_its_policy(facts in facts(), outcome in outcomes()) {
        let settlement = decide(&facts, &outcome);
        if let Target::Again { attempts, .. } = &settlement.to && !is_free(&outcome) {
            prop_assert!(*attempts < facts.policy.attempts_max);
        }
    }

    #[test]
    fn an_attempt_is_charged_unless_it_is_free(facts in facts(), outcome in outcomes()) {
        let charged = if is_free(&outcome) { facts.attempt - 1 } else { facts.attempt };
        prop_assert_eq!(attempts(&decide(&facts, &outcome).to), charged);
    }

    #[test]
    fn a_cancel_request_beats_everything_but_success(facts in facts(), outcome in outcomes()) {
        let settlement = decide(&facts, &outcome);
        match &settlement.if_cancelled {
            Some(target) => prop_assert_eq!(target.state(), State::Cancelled),
            None => prop_assert!(matches!(outcome, Outcome::Succeeded(_) | Outcome::Cancelled(_))),
        }
    }

    #[test]
    fn a_crash_counts_and_nothing_else_does(facts in facts(), outcome in outcomes()) {
        let settlement = decide(&facts, &outcome);
        let crashed = outcome == Outcome::Crashed;
        let expected = facts.crashes.saturating_add(u16::from(crashed));
        prop_assert_eq!(crashes(&settlement.to), expected);
        prop_assert!(settlement.if_cancelled.iter().all(|target| crashes(target) == expected));
        prop_assert_eq!(settlement.only_if_expired, crashed);
        if crashed && expected >= CRASHES_MAX {
            prop_assert_eq!(settlement.to.state(), State::Failed);
        }
    }

    #[test]
    fn enqueued_means_no_delay_and_no_delay_means_enqueued(facts in facts(), outcome in outcomes()) {
        if let Target::Again { state, after, .. } = decide(&facts, &outcome).to {
            prop_assert_eq!(state == State::Enqueued, after.is_zero());
            prop_assert!(matches!(state, State::Enqueued | State::Retrying | State::Scheduled));
            prop_assert_eq!(state == State::Scheduled, matches!(outcome, Outcome::Snoozed(_)) && !after.is_zero());
        }
    }

    #[test]
    fn an_end_is_kept_as_its_own_state_says(facts in facts(), outcome in outcomes()) {
        let settlement = decide(&facts, &outcome);
        for target in [Some(&settlement.to), settlement.if_cancelled.as_ref()].into_iter().flatten() {
            if let Target::Finished { state, keep, result, .. } = target {
                prop_assert!(state.is_final());
                prop_assert_eq!(*keep, facts.policy.retention.of(*state));
                prop_assert!(result.is_none() || *state == State::Succeeded);
            }
        }
    }

    #[test]
    fn every_attempt_but_a_success_is_remembered(facts in facts(), outcome in outcomes()) {
        let settlement = decide(&facts, &outcome);
        prop_assert_eq!(settlement.lease, facts.lease);
        match settlement.record {
            None => prop_assert!(matches!(outcome, Outcome::Succeeded(_))),
            Some(record) => {
                prop_assert_eq!((record.attempt, record.outcome), (facts.attempt, outcome.as_str()));
                prop_assert_eq!(record.fault.is_none(), is_free(&outcome));
            }
        }
    }

    #[test]
    fn the_same_dice_decide_the_same(facts in facts(), outcome in outcomes()) {
        prop_assert_eq!(decide(&facts, &outcome), decide(&facts, &outcome));
    }
}

fn plain(attempt: u16, attempts_max: u16, crashes: u16) -> Facts {
    Facts {
        lease: Lease { job: JobId::from_bytes([1; 16]), token: Token::from_bytes([2; 16]) },
        kind: "work".into(),
        attempt,
        crashes,
        policy: Policy { attempts_max, backoff: Backoff::Fixed(Duration::from_secs(9)), ..Policy::default() },
    }
}

#[test]
fn the_last_attempt_that_crashes_still_counts_as_a_crash() {
    let settlement = decide(&plain(1, 1, 0), &Outcome::Crashed);
    assert_eq!((settlement.to.state(), crashes(&settlement.to)), (State::Failed, 1));
}

#[test]
fn the_first_crash_is_retried_at_once_the_second_is_not() {
    assert_eq!(decide(&plain(1, 9, 0), &Outcome::Crashed).to.state(), State::Enqueued);
    assert_eq!(decide(&plain(2, 9, 1), &Outcome::Crashed).to.state(), State::Retrying);
    assert_eq!(decide(&plain(3, 9, 2), &Outcome::Crashed).to.state(), State::Failed);
}

#[test]
fn retry_number_is_the_number_of_the_attempt_that_failed() {
    let delays = [1, 2, 3].map(Duration::from_secs);
    for attempt in 1..=3 {
        let mut facts = plain(attempt, 9, 0);
        facts.policy.backoff = Backoff::List(delays.into());
        let Target::Again { after, .. } = decide(&facts, &Outcome::Failed(Fault::new("x"))).to else {
            panic!("attempt {attempt} of 9 is retried")
        };
        assert_eq!(after, delays[usize::from(attempt - 1)]);
    }
}

#[test]
fn attempts_that_were_never_charged_do_not_underflow() {
    for outcome in [Outcome::Snoozed(Duration::from_secs(1)), Outcome::Interrupted] {
        assert_eq!(attempts(&decide(&plain(0, 1, 0), &outcome).to), 0);
    }
}

#[test]
fn each_outcome_of_a_job_with_attempts_left_leads_where_it_should() {
    let (fault, delay) = (|| Fault::new("x"), Duration::from_secs(77));
    let policy = Duration::from_secs(9);
    let expected = [
        (Outcome::Succeeded(None), State::Succeeded, None),
        (Outcome::Failed(fault()), State::Retrying, Some(policy)),
        (Outcome::TimedOut(delay), State::Retrying, Some(policy)),
        (Outcome::Panicked(fault()), State::Retrying, Some(policy)),
        (Outcome::Undecodable(fault()), State::Retrying, Some(policy)),
        (Outcome::RetryAfter(fault(), delay), State::Retrying, Some(delay)),
        (Outcome::FailedForGood(fault()), State::Failed, None),
        (Outcome::Snoozed(delay), State::Scheduled, Some(delay)),
        (Outcome::Cancelled(fault()), State::Cancelled, None),
        (Outcome::Interrupted, State::Enqueued, Some(Duration::ZERO)),
    ];
    for (outcome, state, wait) in expected {
        let to = decide(&plain(1, 9, 0), &outcome).to;
        let after = if let Target::Again { after, .. } = to { Some(after) } else { None };
        assert_eq!((to.state(), after), (state, wait), "{outcome:?}");
    }
}
