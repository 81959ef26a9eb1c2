//! Bugs that job systems have really had, put back: the simulator has to go red, soon, and say why.

use portfire_testkit::sim::buggy::{Bug, Buggy};
use portfire_testkit::sim::{self, Profile};

/// Plays until an invariant breaks; it has to be one of these.
fn goes_red<const N: usize>(bug: Bug, within: u64, invariants: [u8; N]) {
    let broken = (0..within)
        .find_map(|seed| sim::run_on(seed, Profile::Storm, &|model| Box::new(Buggy::new(model, bug))).broken);
    let broken = broken.unwrap_or_else(|| panic!("{bug} was not seen in {within} seeds"));
    assert!(invariants.contains(&broken.invariant), "{bug}: {broken}");
}

#[test]
fn settling_by_id_only_is_seen() {
    goes_red(Bug::SettleByIdOnly, 5, [4]);
}

#[test]
fn rescuing_by_remembered_ids_is_seen() {
    goes_red(Bug::RescueByRememberedIds, 5, [4]);
}

#[test]
fn a_crash_that_is_not_counted_is_seen() {
    goes_red(Bug::CrashNotCounted, 5, [5]);
}

#[test]
fn a_token_used_again_is_seen() {
    goes_red(Bug::TokenReused, 5, [4]);
}

#[test]
fn a_slot_without_a_key_is_seen() {
    goes_red(Bug::SlotKeyMissing, 5, [7]);
}

#[test]
fn a_claim_that_comes_too_late_is_seen() {
    // A claim seldom finds something at the moment at which it comes too late. Nobody runs what it took: it does not
    // end, or its server stops and leaves it.
    goes_red(Bug::ClaimNotClosed, 200, [6, 8]);
}
