//! The simulator on the model: nothing is found, nothing is random, and everything has happened.

use portfire_testkit::sim::{self, Profile, Tally};

/// In each check; `cargo xtask sim` plays more.
const SEEDS: u64 = 200;

/// Plays seeds; a failing one says how to play it again.
fn play(seeds: std::ops::Range<u64>, profile: Profile) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let report = sim::run(seed, profile);
        assert!(report.broken.is_none(), "{report}");
        tally += report.tally;
    }
    tally
}

#[test]
fn every_invariant_holds_in_two_hundred_storms() {
    let tally = play(0..SEEDS, Profile::Storm);
    for (what, count) in tally.counts() {
        println!("{count:>10} {what}");
        assert!(count > 0, "no seed of {SEEDS} has seen any {what}");
    }
}

#[test]
fn every_invariant_holds_while_the_storages_clock_steps() {
    play(0..SEEDS / 5, Profile::Clocks);
}

#[test]
fn nothing_is_rescued_or_refused_when_nothing_goes_wrong() {
    let tally = play(0..SEEDS / 20, Profile::Calm);
    assert!(tally.attempts > 0);
    assert_eq!((tally.zombies, tally.repeated_claims, tally.repeated_sets), (0, 0, 0));
}

/// Three servers, their starts and stops included; heartbeats are six of these calls.
#[test]
fn idle_servers_make_at_most_thirty_calls_a_minute() {
    for seed in 0..5 {
        let report = sim::idle(seed);
        assert!(report.broken.is_none(), "{report}");
        let minutes = report.took.as_secs() / 60;
        assert!(minutes >= 30 && report.tally.calls > 0);
        assert!(report.tally.calls <= 3 * minutes * 30, "{} in {minutes} minutes", report.tally.calls);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for profile in Profile::ALL {
        for seed in 0..3 {
            let (one, other) = (sim::replay(seed, profile), sim::replay(seed, profile));
            assert_eq!(one.trace, other.trace);
            assert_eq!(one.hash, sim::run(seed, profile).hash, "keeping the trace changes nothing");
            assert_ne!(one.hash, sim::run(seed + 1, profile).hash);
        }
    }
}
