//! Which failures are one and the same: the kind of a job and what its error says, without what differs
//! from one occurrence to the next. Pure.
//!
//! 1. Of the message only what a list shows counts, its first line: causes below it often name the occurrence.
//! 2. Quoted text, UUIDs, hexadecimal words and numbers are replaced by a mark for each.
//! 3. What is left is hashed together with the kind, so that two kinds never share a group.
//!
//! The hash is FNV-1a, because it must never change: groups outlive programs. Two groups meet by chance once
//! in some billions, which would join two lines on a page and nothing else.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::{Error, Result, first_line};

/// The name of a group of failures: 16 hexadecimal digits.
///
/// ```
/// use portfire_core::{Fault, Fingerprint};
///
/// let fault = |text| Fault::new(text).fingerprint("send_mail");
/// assert_eq!(fault("user 17 has no address"), fault("user 4711 has no address"));
/// assert_ne!(fault("user 17 has no address"), fault("the server hung up"));
/// let text = fault("the server hung up").to_string();
/// assert_eq!(text.parse::<Fingerprint>()?, fault("the server hung up"));
/// # Ok::<_, portfire_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The group of failures of this kind of job with this message.
    pub(crate) fn of(kind: &str, message: &str) -> Self {
        let line = first_line(message);
        let mut hash = Fnv::new();
        hash.add(kind.as_bytes());
        hash.add(&[0]); // No kind contains it, so no kind and line run into each other.
        hash.add(without_particulars(line).as_bytes());
        Self(hash.0)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::misuse("not a group of failures: 16 hexadecimal digits are expected");
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| wrong())
    }
}

/// FNV-1a with 64 bits.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// The shortest run of hexadecimal digits that is taken for an address, a hash or an id, and not for a word.
const HEX_WORD_MIN: usize = 8;
/// How long a UUID is in its usual form.
const UUID_BYTES: usize = 36;

/// A line with a mark instead of each part that names one occurrence.
fn without_particulars(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let before = plain.chars().next_back();
        let length = if let Some((mark, length)) = particular(rest, before) {
            plain.push_str(mark);
            length
        } else {
            plain.push(first);
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    plain
}

/// What `text` begins with, if that names one occurrence: its mark, and its length in bytes.
fn particular(text: &str, before: Option<char>) -> Option<(&'static str, usize)> {
    let inside_word = before.is_some_and(char::is_alphanumeric);
    if let Some(length) = quoted(text).filter(|_| !inside_word) {
        return Some(("\"\"", length));
    }
    if text.get(..UUID_BYTES).is_some_and(|start| !inside_word && Uuid::try_parse(start).is_ok()) {
        return Some(("<id>", UUID_BYTES));
    }
    let word = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    if !inside_word && is_hex_word(&text[..word]) {
        return Some(("<hex>", word));
    }
    match number(text) {
        0 => None,
        length => Some(("<n>", length)),
    }
}

/// How long the quoted text is with which this begins. An apostrophe within a word quotes nothing.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let inside = &text[1..];
    let ends_word = |at: &usize| !inside[at + 1..].starts_with(char::is_alphanumeric);
    let end = inside.match_indices(quote).map(|(at, _)| at).find(ends_word)?;
    Some(end + 2)
}

/// `0x` with digits, or digits and letters up to `f` together, long enough to be no word.
fn is_hex_word(word: &str) -> bool {
    let hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(digits) = word.strip_prefix("0x") {
        return !digits.is_empty() && hex(digits);
    }
    let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
    word.len() >= HEX_WORD_MIN && hex(word) && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

/// How long the number is with which this begins: digits, and single points, colons, commas and dashes
/// between them, so that a time, a date, an address and a fraction are one number each.
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let joins = |at: usize| bytes.get(at).is_some_and(|byte| b".:,-".contains(byte)) && digit(at + 1);
    let mut length = 0;
    while digit(length) || (length > 0 && joins(length)) {
        length += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::without_particulars;

    #[test]
    fn what_names_one_occurrence_is_left_out() {
        for (line, plain) in [
            ("user 17 has no address", "user <n> has no address"),
            ("connect to 10.0.0.7:5432: refused", "connect to <n>: refused"),
            ("at 2026-11-24T10:30:01.5Z it broke", "at <n>T<n>Z it broke"),
            ("no file 'a b.csv' or \"c\"", "no file \"\" or \"\""),
            ("`import` can't be run, isn't it", "\"\" can't be run, isn't it"),
            ("job 018f0000-0000-7000-8000-000000000000!", "job <id>!"),
            ("at 0x7ffd and deadbeef01", "at <hex> and <hex>"),
            ("a defaced facade", "a defaced facade"),
            ("took longer than its timeout of 5.5s", "took longer than its timeout of <n>s"),
            ("worker12 said 404", "worker<n> said <n>"),
            ("檔案 3 不存在", "檔案 <n> 不存在"),
            ("unclosed \"quote 7", "unclosed \"quote <n>"),
            ("", ""),
        ] {
            assert_eq!(without_particulars(line), plain, "{line}");
        }
    }
}
