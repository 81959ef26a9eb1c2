//! What went wrong in an attempt, as text that every database can store and every page can show.

use std::borrow::Cow;
use std::error::Error as StdError;

use crate::Fingerprint;
use crate::limits::{FAULT_BYTES_MAX, FAULT_LINE_BYTES_MAX};

/// An error as it is kept with the attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The error and its causes, one per line, cleaned and at most 64 KiB.
    pub message: Box<str>,
}

impl Fault {
    /// A fault with this text.
    pub fn new(text: &str) -> Self {
        Self { message: clean_text(text, FAULT_BYTES_MAX).into() }
    }

    /// A fault from an error and its chain of causes.
    pub fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text.push_str("\ncaused by: ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self::new(&text)
    }

    /// The group of failures it belongs to, when it ends a job of this kind.
    pub fn fingerprint(&self, kind: &str) -> Fingerprint {
        Fingerprint::of(kind, &self.message)
    }
}

/// The first line of a message, cut to [`FAULT_LINE_BYTES_MAX`] at a character boundary: what a list shows.
pub fn first_line(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    &line[..line.floor_char_boundary(FAULT_LINE_BYTES_MAX)]
}

/// Text without NUL (PostgreSQL cannot store it) and other control characters except line breaks and
/// tabs, cut to `bytes_max` at a character boundary.
///
/// Control characters become U+FFFD, so that what was there stays visible and terminals stay safe.
pub fn clean_text(text: &str, bytes_max: usize) -> Cow<'_, str> {
    let cut = &text[..text.floor_char_boundary(bytes_max)];
    let harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    if cut.contains(harmful) {
        let cleaned = cut.replace(harmful, "\u{FFFD}");
        let end = cleaned.floor_char_boundary(bytes_max);
        Cow::Owned(cleaned[..end].to_owned())
    } else {
        Cow::Borrowed(cut)
    }
}
