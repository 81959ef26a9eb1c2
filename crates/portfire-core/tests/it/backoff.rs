//! The curves against their formulas.

use std::time::Duration;

use portfire_core::{Backoff, Dice};
use proptest::prelude::*;

const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn hangfire_fills_exactly_its_range_in_steps_of_the_retry() {
    let mut dice = Dice::from_seed([7, 8]);
    for n in 1..=10_u64 {
        let fourth = (n - 1).pow(4);
        let expected: std::collections::BTreeSet<_> =
            (0..30).map(|roll| secs(fourth + 15 + n * roll)).collect();
        let retry = u32::try_from(n).unwrap();
        let seen = (0..3_000).map(|_| Backoff::Hangfire.delay(retry, &mut dice)).collect();
        assert_eq!(expected, seen, "retry {n}");
    }
}

#[test]
fn the_table_in_the_documentation_is_right() {
    let mut dice = Dice::from_seed([7, 9]);
    for (retry, low, high) in [(1, 15, 44), (2, 16, 74), (3, 31, 118), (5, 271, 416), (9, 4_111, 4_372)] {
        let delays: Vec<_> = (0..3_000).map(|_| Backoff::Hangfire.delay(retry, &mut dice)).collect();
        assert_eq!(delays.iter().min(), Some(&secs(low)), "retry {retry}");
        assert_eq!(delays.iter().max(), Some(&secs(high)), "retry {retry}");
    }
}

#[test]
fn exponential_doubles_up_to_its_cap_without_jitter() {
    let curve = Backoff::Exponential { base: secs(3), cap: secs(100), jitter_percent: 0 };
    let mut dice = Dice::from_seed([1, 1]);
    let delays: Vec<_> = (1..=8).map(|n| curve.delay(n, &mut dice).as_secs()).collect();
    assert_eq!(delays, [3, 6, 12, 24, 48, 96, 100, 100]);
    assert_eq!(curve.delay(0, &mut dice), secs(3), "retry 0 counts as 1");
}

#[test]
fn jitter_takes_off_up_to_its_share_and_never_adds() {
    let curve = Backoff::exponential(secs(100), secs(100));
    let mut dice = Dice::from_seed([1, 1]);
    let delays: Vec<_> = (0..3_000).map(|_| curve.delay(1, &mut dice)).collect();
    assert!(delays.iter().all(|delay| (secs(75)..=secs(100)).contains(delay)));
    assert!(delays.iter().any(|delay| *delay < secs(77)) && delays.iter().any(|delay| *delay > secs(98)));
}

#[test]
fn a_list_is_gone_through_and_its_last_repeats() {
    let list = Backoff::List([5, 1, 9].map(secs).into());
    let mut dice = Dice::from_seed([1, 1]);
    assert_eq!([1, 2, 3, 4, u32::MAX].map(|n| list.delay(n, &mut dice).as_secs()), [5, 1, 9, 9, 9]);
    assert_eq!(Backoff::List(Vec::new()).delay(1, &mut dice), Duration::ZERO);
}

proptest! {
    #[test]
    fn nothing_overflows(seed in any::<[u64; 2]>(), retry in any::<u32>(), base in any::<Duration>(),
                         cap in any::<Duration>(), jitter_percent in any::<u8>()) {
        let mut dice = Dice::from_seed(seed);
        for backoff in [
            Backoff::Hangfire,
            Backoff::Fixed(base),
            Backoff::Exponential { base, cap, jitter_percent },
            Backoff::Exponential { base: Duration::MAX, cap: Duration::MAX, jitter_percent },
            Backoff::List(vec![base, Duration::MAX]),
        ] {
            for retry in [retry, 0, 1, u32::MAX] {
                prop_assert!(backoff.delay(retry, &mut dice) <= YEAR);
            }
        }
    }
}
