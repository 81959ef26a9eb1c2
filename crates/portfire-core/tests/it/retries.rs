//! Retry curves.

use std::time::Duration;

use portfire_core::{Backoff, Dice};
use proptest::prelude::*;

#[test]
fn hangfires_curve_is_hangfires() {
    let mut dice = Dice::from_seed([1, 2]);
    for n in 1..=10_u64 {
        let base = (n - 1).pow(4) + 15;
        let (mut low, mut high) = (u64::MAX, 0);
        for _ in 0..2_000 {
            let seconds = Backoff::Hangfire.delay(u32::try_from(n).unwrap(), &mut dice).as_secs();
            assert_eq!((seconds - base) % n, 0);
            (low, high) = (low.min(seconds), high.max(seconds));
        }
        // Both ends of rand(0..30) are reached in 2,000 throws but for one chance in 10^29.
        assert_eq!((low, high), (base, base + n * 29));
    }
}

#[test]
fn lists_repeat_their_last_and_exponentials_stop_at_their_cap() {
    let mut dice = Dice::from_seed([1, 2]);
    let second = Duration::from_secs;
    let list = Backoff::List(vec![second(1), second(5)]);
    assert_eq!([1, 2, 3].map(|n| list.delay(n, &mut dice)), [second(1), second(5), second(5)]);
    assert_eq!(Backoff::List(Vec::new()).delay(1, &mut dice), Duration::ZERO);
    let doubling = Backoff::Exponential { base: second(1), cap: second(10), jitter_percent: 0 };
    assert_eq!([1, 2, 4, 5, 99].map(|n| doubling.delay(n, &mut dice)), [1, 2, 8, 10, 10].map(second));
}

proptest! {
    #[test]
    fn no_curve_overflows(retry: u32, base: u64, cap: u64, jitter_percent: u8, seed: [u64; 2]) {
        let mut dice = Dice::from_seed(seed);
        let (base, cap) = (Duration::from_millis(base), Duration::from_millis(cap));
        let year = Duration::from_secs(366 * 24 * 60 * 60);
        for curve in [Backoff::Hangfire, Backoff::Fixed(base), Backoff::Exponential { base, cap, jitter_percent }] {
            prop_assert!(curve.delay(retry, &mut dice) <= year);
        }
    }
}
