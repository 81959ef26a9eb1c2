//! Ids: unique, in order, and what their standard says.

use std::collections::HashSet;
use std::time::Duration;

use portfire_core::{Dice, IdSequence, JobId, Timestamp};

const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_123_456);

#[test]
fn a_hundred_thousand_ids_are_unique_and_in_order() {
    let mut ids = IdSequence::new(Dice::from_seed([1, 2]));
    let mut now = NOW;
    let mut made = Vec::with_capacity(100_000);
    for number in 0..100_000_u32 {
        // Standing still, moving, and going back: a clock may do all three.
        match number % 1_000 {
            500 => now = now.after(Duration::from_millis(3)),
            900 => now = now.before(Duration::from_millis(1)),
            _ => {}
        }
        made.push(ids.job(now));
    }
    assert!(made.is_sorted_by(|a, b| a < b));
    assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
}

#[test]
fn ids_are_version_7_and_begin_with_their_time() {
    let mut ids = IdSequence::new(Dice::from_seed([1, 2]));
    for _ in 0..1_000 {
        let id = ids.job(NOW);
        let uuid = uuid::Uuid::from_bytes(*id.as_bytes());
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(
            u64::from_be_bytes([&[0, 0], &id.as_bytes()[..6]].concat().try_into().unwrap()),
            NOW.as_millis()
        );
    }
}

#[test]
fn sequences_with_other_dice_do_not_meet() {
    let mut left = IdSequence::new(Dice::from_seed([1, 2]));
    let mut right = IdSequence::new(Dice::from_seed([1, 3]));
    let all: HashSet<_> = (0..10_000).flat_map(|_| [left.job(NOW), right.job(NOW)]).collect();
    assert_eq!(all.len(), 20_000);
}

#[test]
fn ids_order_as_their_bytes_and_their_text_do() {
    let mut ids = IdSequence::new(Dice::from_seed([1, 2]));
    let (first, second) = (ids.job(NOW), ids.job(NOW));
    assert!(first < second && first.as_bytes() < second.as_bytes() && first.to_string() < second.to_string());
    assert_eq!(first.to_string().parse::<JobId>().unwrap(), first);
    assert!("not an id".parse::<JobId>().unwrap_err().is_misuse());
}

#[test]
fn a_clock_before_the_epoch_still_makes_ids() {
    let mut ids = IdSequence::new(Dice::from_seed([0, 0]));
    assert!(ids.job(Timestamp::from_micros(-5)) < ids.job(Timestamp::from_micros(i64::MIN)));
}
