//! Tallies: their spans, their folding, their sums.

use std::time::Duration;

use portfire_core::storage::tally::{TallyRequest, folds};
use portfire_core::storage::{Tally, Width};
use portfire_core::{State, Timestamp};
use proptest::prelude::*;

fn widths() -> impl Strategy<Value = Width> {
    prop_oneof![Just(Width::Minute), Just(Width::Hour), Just(Width::Day)]
}

proptest! {
    #[test]
    fn an_instant_is_in_the_span_that_begins_before_it(width in widths(), micros in 0_i64..4_102_444_800_000_000) {
        let instant = Timestamp::from_micros(micros);
        let begin = width.begin(instant);
        prop_assert!(begin <= instant && instant.as_micros() - begin.as_micros() < width.micros());
        prop_assert_eq!(width.begin(begin), begin);
        if let Some(wider) = width.wider() {
            prop_assert_eq!(wider.begin(begin), wider.begin(instant), "a span is in one wider span");
        }
    }

    /// Nothing that a page may ask for is folded, and no wider span is left in two halves.
    #[test]
    fn only_old_tallies_are_folded_and_whole_spans_of_them(micros in 1_600_000_000_000_000_i64..4_102_444_800_000_000) {
        let now = Timestamp::from_micros(micros);
        for fold in folds(now) {
            prop_assert!(now.since(fold.before) >= fold.of.kept());
            let wider = fold.into.unwrap_or(fold.of);
            prop_assert_eq!(wider.begin(fold.before), fold.before);
            prop_assert_eq!(fold.into, fold.of.wider());
        }
    }

    #[test]
    fn bounds_are_whole_spans_around_what_was_asked(
        width in widths(), from in 0_i64..4_102_444_800_000_000, length in 1_i64..100_000_000_000
    ) {
        let (from, until) = (Timestamp::from_micros(from), Timestamp::from_micros(from + length));
        let (first, before) = TallyRequest::total(width, from, until).bounds();
        prop_assert_eq!((width.begin(first), width.begin(before)), (first, before));
        prop_assert!(first <= from && before >= until);
        prop_assert!(before.as_micros() - until.as_micros() < width.micros(), "no span that begins later");
    }
}

#[test]
fn bounds_of_nothing_and_of_everything_do_not_overflow() {
    let (least, most) = (Timestamp::from_micros(0), Timestamp::from_micros(i64::MAX));
    let (first, before) = TallyRequest::total(Width::Day, least, most).bounds();
    assert!(first < before);
    let (first, before) = TallyRequest::total(Width::Day, least, least).bounds();
    assert_eq!(first, before);
}

#[test]
fn means_are_of_the_attempts_that_were_timed() {
    let mut tally = Tally::new(Timestamp::default(), Width::Minute);
    assert_eq!((tally.mean_wait(), tally.mean_run(), tally.is_empty()), (None, None, true));
    let times = |waited, ran| Some((Duration::from_secs(waited), Duration::from_secs(ran)));
    tally.count_end(State::Succeeded, times(1, 10));
    tally.count_end(State::Failed, times(3, 20));
    tally.count_end(State::Cancelled, times(100, 100));
    tally.count_end(State::Cancelled, None);
    tally.count_end(State::Retrying, times(100, 100));
    assert_eq!((tally.succeeded, tally.failed, tally.cancelled, tally.is_empty()), (1, 1, 2, false));
    assert_eq!(tally.mean_wait(), Some(Duration::from_secs(2)));
    assert_eq!(tally.mean_run(), Some(Duration::from_secs(15)));
    let mut sum = tally.clone();
    sum.add(&tally);
    assert_eq!((sum.succeeded, sum.waited, sum.mean_run()), (2, Duration::from_secs(8), tally.mean_run()));
}
