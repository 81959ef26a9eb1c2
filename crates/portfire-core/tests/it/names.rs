//! Ids, cursors, texts and limits.

use portfire_core::limits::{NAME_BYTES_MAX, TAGS_MAX};
use portfire_core::storage::Cursor;
use portfire_core::{Dice, IdSequence, JobId, Json, NewJob, Policy, Timestamp, clean_text};
use proptest::prelude::*;

fn ids() -> IdSequence {
    IdSequence::new(Dice::from_seed([1, 2]))
}

#[test]
fn ids_sort_in_the_order_in_which_they_were_made() {
    let mut ids = ids();
    let now = Timestamp::from_micros(1_800_000_000_123_456);
    let made: Vec<_> = (0..100_000).map(|_| ids.job(now)).collect();
    assert!(made.is_sorted_by(|a, b| a < b));
    let text = made[0].to_string();
    assert_eq!((text.as_bytes()[14], text.parse::<JobId>().unwrap()), (b'7', made[0]));
    assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "the variant of RFC 9562");
    // A clock that goes back does not make ids go back.
    assert!(ids.job(Timestamp::from_micros(0)) > made[99_999]);
}

proptest! {
    #[test]
    fn cursors_are_read_back(queue in "\\PC{0,20}", priority: i16, at: i64, id: [u8; 16]) {
        let at = Timestamp::from_micros(at);
        let cursor = Cursor { queue: queue.into(), priority, at, id: JobId::from_bytes(id) };
        prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
    }

    #[test]
    fn cursors_survive_any_text(text in "\\PC{0,80}") {
        let _ = text.parse::<Cursor>();
    }

    #[test]
    fn cleaned_text_is_safe_and_short(text in any::<String>(), limit in 0_usize..100) {
        let cleaned = clean_text(&text, limit);
        prop_assert!(cleaned.len() <= limit);
        prop_assert!(!cleaned.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
    }
}

#[test]
fn what_cannot_be_kept_is_refused_by_name() {
    let fresh = || NewJob::new(ids().job(Timestamp::from_micros(0)), "work", Json::trusted("{}"));
    let too_long: Box<str> = "x".repeat(NAME_BYTES_MAX + 1).into();
    let cases = [
        (NewJob { kind: "".into(), ..fresh() }, "a kind is empty"),
        (NewJob { queue: too_long.clone(), ..fresh() }, "a queue is 129 bytes"),
        (NewJob { unique: Some("a\nb".into()), ..fresh() }, "a unique name has a control character"),
        (NewJob { tags: vec!["t".into(); TAGS_MAX + 1], ..fresh() }, "33 tags"),
        (NewJob { policy: Policy { attempts_max: 0, ..Policy::default() }, ..fresh() }, "`attempts` is 0"),
    ];
    for (job, says) in cases {
        let refused = job.check().unwrap_err();
        assert!(refused.is_misuse() && refused.to_string().contains(says), "{refused}");
    }
    fresh().check().unwrap();
}

#[test]
fn policies_are_read_back_and_the_default_is_not_stored() {
    assert_eq!(Policy::default().to_json(), None);
    let policy = Policy {
        attempts_max: 3,
        timeout: Some(std::time::Duration::from_millis(1_500)),
        ..Policy::default()
    };
    let stored = policy.to_json().unwrap();
    assert_eq!(Policy::from_json(Some(stored.as_str())), policy);
    // A field that an older version did not write has its default.
    assert_eq!(Policy::from_json(Some("{}")), Policy::default());
}
