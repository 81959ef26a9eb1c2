//! Places in a list travel through a URL.

use portfire_core::storage::{Cursor, PageRequest};
use portfire_core::{JobId, Timestamp};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_cursor_reads_back(queue in any::<String>(), priority in any::<i16>(), at in any::<i64>(),
                           id in any::<[u8; 16]>()) {
        let at = Timestamp::from_micros(at);
        let cursor = Cursor { queue: queue.into(), priority, at, id: JobId::from_bytes(id) };
        prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
    }

    #[test]
    fn any_other_text_is_refused_politely(text in any::<String>()) {
        if let Err(refused) = text.parse::<Cursor>() {
            prop_assert!(refused.is_misuse());
        }
    }
}

#[test]
fn half_a_cursor_is_none() {
    let id = JobId::from_bytes([7; 16]);
    for text in [String::new(), id.to_string(), format!("{id}.5"), format!("{id}.5.0"), format!("{id}.x.0.q")]
    {
        assert!(text.parse::<Cursor>().unwrap_err().is_misuse(), "{text}");
    }
    assert!(format!("{id}.5.40000.q").parse::<Cursor>().is_err(), "a priority beyond its type");
    assert_eq!(&*format!("{id}.5.0.a.b").parse::<Cursor>().unwrap().queue, "a.b");
}

#[test]
fn a_page_is_never_empty_by_request_nor_endless() {
    let bounded = |limit| PageRequest { limit, after: None, before: None }.bounded_limit();
    assert_eq!([0, 1, 200, 201, u32::MAX].map(bounded), [1, 1, 200, 200, 200]);
}
