//! What becomes of a job, for every outcome.

use std::time::Duration;

use portfire_core::limits::CRASHES_MAX;
use portfire_core::{Dice, Facts, Fault, JobId, Lease, Outcome, Policy, State, Target, Token, settle};
use proptest::prelude::*;

fn facts(attempt: u16, attempts_max: u16, crashes: u16) -> Facts {
    let lease = Lease { job: JobId::from_bytes([1; 16]), token: Token::from_bytes([2; 16]) };
    Facts {
        lease,
        kind: "work".into(),
        attempt,
        crashes,
        policy: Policy { attempts_max, ..Policy::default() },
    }
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let fault = || Fault::new("it broke");
    let delay = (0_u64..1_000).prop_map(Duration::from_secs);
    prop_oneof![
        Just(Outcome::Succeeded(None)),
        Just(Outcome::Failed(fault())),
        delay.clone().prop_map(move |delay| Outcome::RetryAfter(fault(), delay)),
        Just(Outcome::FailedForGood(fault())),
        Just(Outcome::TimedOut(Duration::from_secs(1))),
        Just(Outcome::Panicked(fault())),
        Just(Outcome::Undecodable(fault())),
        delay.prop_map(Outcome::Snoozed),
        Just(Outcome::Cancelled(fault())),
        Just(Outcome::Interrupted),
        Just(Outcome::Crashed),
    ]
}

proptest! {
    #[test]
    fn the_rules_hold_for_every_outcome(
        outcome in outcomes(), attempt in 1_u16..12, attempts_max in 1_u16..12, crashes in 0_u16..4, seed: [u64; 2],
    ) {
        let facts = facts(attempt, attempts_max, crashes);
        let free = matches!(outcome, Outcome::Snoozed(_) | Outcome::Interrupted);
        let crashed = outcome == Outcome::Crashed;
        let settlement = settle(&facts, outcome.clone(), &mut Dice::from_seed(seed));
        prop_assert_eq!(settlement.lease, facts.lease);
        prop_assert_eq!(settlement.only_if_expired, crashed);
        prop_assert_eq!(settlement.record.is_none(), matches!(outcome, Outcome::Succeeded(_)));
        match &settlement.to {
            Target::Again { state, after, attempts, crashes: counted } => {
                prop_assert_eq!(*state == State::Enqueued, after.is_zero());
                prop_assert!(free || attempt < attempts_max, "retried beyond its policy");
                prop_assert_eq!(*attempts, if free { attempt - 1 } else { attempt });
                prop_assert_eq!(*counted, crashes + u16::from(crashed));
                prop_assert!(*counted < CRASHES_MAX || !crashed, "given to a fourth server");
            }
            Target::Finished { state, keep, attempts, .. } => {
                prop_assert!(state.is_final() && !free);
                prop_assert_eq!(*keep, facts.policy.retention.of(*state));
                prop_assert_eq!(*attempts, attempt);
            }
        }
        let cancelled = settlement.if_cancelled.as_ref().map(Target::state);
        let already = matches!(settlement.to.state(), State::Succeeded | State::Cancelled);
        prop_assert_eq!(cancelled, (!already).then_some(State::Cancelled));
    }
}

#[test]
fn the_first_crash_is_retried_at_once_and_the_third_is_the_last() {
    let states = [0, 1, 2].map(|crashes| {
        settle(&facts(1, 10, crashes), Outcome::Crashed, &mut Dice::from_seed([1, 2])).to.state()
    });
    assert_eq!(states, [State::Enqueued, State::Retrying, State::Failed]);
}
