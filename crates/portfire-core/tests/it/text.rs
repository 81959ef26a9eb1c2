//! Text that every database can store, and JSON that stays as it was written.

use portfire_core::limits::FAULT_BYTES_MAX;
use portfire_core::{Error, Fault, Json, clean_text};
use proptest::prelude::*;

proptest! {
    #[test]
    fn clean_text_is_short_harmless_and_stays_clean(text in any::<String>(), bytes_max in 0_usize..64) {
        let clean = clean_text(&text, bytes_max);
        prop_assert!(clean.len() <= bytes_max);
        prop_assert!(!clean.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
        let again = clean_text(&clean, bytes_max);
        prop_assert_eq!(&*again, &*clean);
    }

    #[test]
    fn harmless_text_is_only_cut(text in "[a-zé工🎉\n\t]{0,40}", bytes_max in 0_usize..200) {
        let clean = clean_text(&text, bytes_max);
        prop_assert!(text.starts_with(&*clean));
        prop_assert!(clean.len() + 4 > bytes_max.min(text.len()), "at most one character is lost to the cut");
    }
}

#[test]
fn control_characters_stay_visible() {
    assert_eq!(clean_text("a\0b\u{1B}[31m\nc\td\r", 100), "a\u{FFFD}b\u{FFFD}[31m\nc\td\u{FFFD}");
    // A replacement is longer than what it replaces, and the limit holds all the same.
    assert_eq!(clean_text("\0\0\0\0", 4), "\u{FFFD}");
}

#[test]
fn a_fault_names_its_causes_and_is_bounded() {
    let chain = Error::broken("outer").caused_by(Error::misuse("inner"));
    assert!(Fault::of(&chain).message.contains("\ncaused by: inner"));
    assert_eq!(Fault::new(&"x".repeat(FAULT_BYTES_MAX + 1)).message.len(), FAULT_BYTES_MAX);
}

#[test]
fn json_keeps_digits_and_order() {
    let text = r#"{"z":123456789012345678901234567890,"a":1.0e400,"n":-0}"#;
    assert_eq!(Json::trusted(text).as_str(), text);
    assert_eq!(Json::of(&u64::MAX).unwrap().parse::<u64>().unwrap(), u64::MAX);
    assert!(Json::trusted("{").parse::<u8>().unwrap_err().is_misuse());
}
