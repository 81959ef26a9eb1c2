//! The limits of names that the attribute checks while the program is compiled.
//!
//! They are those of `portfire_core::limits`, which a macro's crate does not link; a test holds the two equal.

/// Longest kind, queue or tag, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 128;
/// Most tags on one job.
pub(crate) const TAGS_MAX: usize = 32;

/// Why no storage could keep this name, if so.
pub(crate) fn fault_of_name(name: &str) -> Option<String> {
    if name.is_empty() {
        Some("is empty".to_owned())
    } else if name.len() > NAME_BYTES_MAX {
        Some(format!("is {} bytes long; the limit is {NAME_BYTES_MAX}", name.len()))
    } else if name.chars().any(char::is_control) {
        Some("has a control character".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{NAME_BYTES_MAX, TAGS_MAX, fault_of_name};
    use portfire_core::{JobId, Json, NewJob, limits};

    #[test]
    fn the_limits_are_those_of_the_core() {
        assert_eq!((NAME_BYTES_MAX, TAGS_MAX), (limits::NAME_BYTES_MAX, limits::TAGS_MAX));
    }

    #[test]
    fn a_name_is_refused_exactly_if_the_core_refuses_it() {
        let long = "é".repeat(NAME_BYTES_MAX / 2);
        let names = ["", "mail", "a\0b", "a\nb", "\u{85}", "工作", &long, &format!("{long}x")];
        for name in names {
            let job = NewJob::new(JobId::from_bytes([1; 16]), name, Json::trusted("{}"));
            assert_eq!(fault_of_name(name).is_none(), job.check().is_ok(), "{name:?}");
        }
    }
}
