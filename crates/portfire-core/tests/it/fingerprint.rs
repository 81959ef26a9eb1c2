//! Which failures are one and the same.

use std::collections::BTreeSet;

use portfire_core::limits::FAULT_LINE_BYTES_MAX;
use portfire_core::{
    Dice, Facts, Fault, Fingerprint, JobId, Lease, Outcome, Policy, Settlement, State, Token, first_line,
    settle,
};
use proptest::prelude::*;

fn fingerprint(kind: &str, message: &str) -> String {
    Fault::new(message).fingerprint(kind).to_string()
}

/// Groups outlive programs: a change of this would part every group from its past.
#[test]
fn a_fingerprint_never_changes() {
    assert_eq!(fingerprint("send_mail", "user 17 has no address"), "52abaf6f6afda0f9");
    assert_eq!(fingerprint("", ""), "af63bd4c8601b7df");
}

#[test]
fn what_differs_by_occurrence_is_one_failure_and_the_rest_is_not() {
    let same = [
        "order 1: no file 'a.csv' in 018f0000-0000-7000-8000-000000000000",
        "order 22: no file 'b c.csv' in 018f0000-0000-7000-8000-00000000000f\ncaused by: another",
    ];
    let others =
        ["order 1: no file in 018f0000-0000-7000-8000-000000000000", "order: no file", "Order: no file"];
    let prints =
        |messages: &[&str]| messages.iter().map(|one| fingerprint("import", one)).collect::<BTreeSet<_>>();
    assert_eq!(prints(&same).len(), 1);
    assert_eq!(prints(&[&same[..], &others].concat()).len(), 4);
    assert_ne!(fingerprint("import", same[0]), fingerprint("export", same[0]), "kinds are apart");
}

proptest! {
    #[test]
    fn any_text_has_a_fingerprint_that_reads_back(kind in ".{0,9}", message in any::<String>()) {
        let print = Fault::new(&message).fingerprint(&kind);
        prop_assert_eq!(print.to_string().parse::<Fingerprint>().unwrap(), print);
    }

    #[test]
    fn numbers_never_matter(first in any::<u64>(), second in any::<u64>()) {
        let says = |number: u64| fingerprint("work", &format!("row {number} of \"{number}\" is wrong"));
        prop_assert_eq!(says(first), says(second));
    }

    #[test]
    fn a_first_line_is_one_line_that_a_list_can_show(message in any::<String>()) {
        let line = first_line(&message);
        prop_assert!(message.starts_with(line) && line.len() <= FAULT_LINE_BYTES_MAX && !line.contains('\n'));
    }
}

#[test]
fn other_text_names_no_group() {
    for text in ["", "ea8ce374ea1f58a", "ea8ce374ea1f58a2f", "ea8ce374ea1f58ag", "+a8ce374ea1f58a2"] {
        assert!(text.parse::<Fingerprint>().unwrap_err().is_misuse(), "{text}");
    }
}

fn settled(attempts_max: u16, crashes: u16, outcome: Outcome) -> Settlement {
    let lease = Lease { job: JobId::from_bytes([1; 16]), token: Token::from_bytes([2; 16]) };
    let policy = Policy { attempts_max, ..Policy::default() };
    let facts = Facts { lease, kind: "work".into(), attempt: 1, crashes, policy };
    settle(&facts, outcome, &mut Dice::from_seed([1, 2]))
}

#[test]
fn exactly_jobs_that_fail_for_good_join_a_group() {
    let fault = || Fault::new("it broke");
    let outcomes = [
        Outcome::Succeeded(None),
        Outcome::Failed(fault()),
        Outcome::FailedForGood(fault()),
        Outcome::Cancelled(fault()),
        Outcome::Snoozed(std::time::Duration::ZERO),
        Outcome::Interrupted,
        Outcome::Crashed,
    ];
    for (attempts_max, crashes) in [(1, 0), (9, 0), (9, 2)] {
        for outcome in outcomes.clone() {
            let said = outcome.fault();
            let settlement = settled(attempts_max, crashes, outcome);
            let failed = settlement.to.state() == State::Failed;
            let expected = said.filter(|_| failed).map(|fault| fault.fingerprint("work"));
            assert_eq!(settlement.fingerprint, expected, "{settlement:?}");
            assert_eq!(failed, settlement.fingerprint.is_some());
        }
    }
}

#[test]
fn only_attempts_that_were_charged_count_as_retried() {
    let fault = || Fault::new("it broke");
    let retry = |outcome| settled(9, 0, outcome).is_retry();
    let zero = std::time::Duration::ZERO;
    assert!(
        retry(Outcome::Failed(fault()))
            && retry(Outcome::RetryAfter(fault(), zero))
            && retry(Outcome::Crashed)
    );
    assert!(
        !retry(Outcome::Snoozed(zero)) && !retry(Outcome::Interrupted) && !retry(Outcome::Succeeded(None))
    );
    assert!(!retry(Outcome::FailedForGood(fault())) && !retry(Outcome::Cancelled(fault())));
}
