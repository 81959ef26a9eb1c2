//! The filter box: what was typed becomes a question to the storage. Pure.
//!
//! ```text
//! filter = term*                terms are AND-ed
//! term   = ["-"] (key ":" value | word | "quoted words")
//! key    = state | queue | kind | tag | id | fault | error | since | until
//! since and until take `-2h` (minutes, hours, days, weeks ago), or `2026-10-01` or `2026-10-01T14:05` in UTC;
//! they are about the time that the list is sorted by.
//! ```
//!
//! A `-` leaves out: jobs of that queue, of that kind, with that tag; as many of them as one likes.
//!
//! Quotes protect every character; inside them `\"` and `\\` stand for themselves. A word without a key is an id
//! if it looks like one, otherwise a kind. What is not understood is an error under the box and finds nothing:
//! never a list that was silently not filtered. It says where it stands.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use portfire_core::storage::Filter;
use portfire_core::{JobId, State, Timestamp};

use crate::time;

/// Longest filter, in bytes.
const BYTES_MAX: usize = 1_000;

/// A filter that was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// What a list is asked for.
    pub(crate) filter: Filter,
    /// The one job that is looked for.
    pub(crate) id: Option<JobId>,
    /// From when on, as it was typed and as it was understood.
    since: Option<(String, Moment)>,
    /// Until when.
    until: Option<(String, Moment)>,
}

/// A time, which may be told from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    fn parse(text: &str) -> Option<Self> {
        if let Some(ago) = text.strip_prefix('-') {
            let unit = ago.chars().next_back()?;
            let number: u32 = ago[..ago.len() - unit.len_utf8()].parse().ok()?;
            let seconds = match unit {
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400,
                'w' => 604_800,
                _ => return None,
            };
            return Some(Self::Ago(Duration::from_secs(u64::from(number) * seconds)));
        }
        time::typed(text).map(Self::At)
    }

    fn instant(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.before(ago),
        }
    }
}

/// Why a filter was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is longer than anybody types.
    TooLong,
    /// A quote is never closed.
    Unclosed,
    /// There is no such key.
    Key(String),
    /// There is no such state.
    State(String),
    /// Not the name of a group of failures.
    Fault(String),
    /// Not a time.
    Time(String),
    /// Not an id.
    Id(String),
    /// A key has no value.
    Empty(String),
    /// A key is there twice; a job has one of it.
    Twice(&'static str),
    /// Jobs cannot be left out by this.
    Without(String),
}

/// A filter that was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misread {
    /// Why not.
    pub(crate) wrong: Wrong,
    /// Which part of it, in bytes.
    pub(crate) at: Range<usize>,
}

/// Reads a filter.
pub(crate) fn parse(text: &str) -> Result<Query, Misread> {
    if text.len() > BYTES_MAX {
        return Err(Misread { wrong: Wrong::TooLong, at: text.floor_char_boundary(BYTES_MAX)..text.len() });
    }
    let mut query = Query::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let begin = text.len() - rest.len();
        let misread = |wrong, after: &str| Misread { wrong, at: begin..text.len() - after.len() };
        let (without, term) = rest.strip_prefix('-').map_or((false, rest), |term| (true, term));
        let (key, after) = key(term);
        let (value, after) = value(after).map_err(|wrong| misread(wrong, ""))?;
        let taken = if without { query.leave_out(key, value) } else { query.take(key, value) };
        taken.map_err(|wrong| misread(wrong, after))?;
        rest = after.trim_start();
    }
    Ok(query)
}

/// The key at the beginning, if a term begins with one.
fn key(text: &str) -> (Option<&str>, &str) {
    let end = text.find(|c: char| c == ':' || c == '"' || c.is_whitespace());
    match end.map(|end| text.split_at(end)) {
        Some((key, after)) if after.starts_with(':') => (Some(key), &after[1..]),
        _ => (None, text),
    }
}

/// The value at the beginning, and what comes after.
fn value(text: &str) -> Result<(String, &str), Wrong> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next().ok_or(Wrong::Unclosed)?.1),
            other => value.push(other),
        }
    }
    Err(Wrong::Unclosed)
}

impl Query {
    fn take(&mut self, key: Option<&str>, value: String) -> Result<(), Wrong> {
        if value.is_empty() {
            return Err(Wrong::Empty(key.unwrap_or("\"\"").to_owned()));
        }
        let filter = &mut self.filter;
        match key {
            Some("state") => {
                let state = value.parse().map_err(|_| Wrong::State(value))?;
                once("state", &mut filter.state, state)
            }
            Some("queue") => once("queue", &mut filter.queue, value.into()),
            Some("kind") => once("kind", &mut filter.kind, value.into()),
            Some("tag") => once("tag", &mut filter.tag, value.into()),
            Some("id") => {
                let id = value.parse().map_err(|_| Wrong::Id(value))?;
                once("id", &mut self.id, id)
            }
            Some("fault") => {
                let fault = value.parse().map_err(|_| Wrong::Fault(value))?;
                once("fault", &mut filter.fault, fault)
            }
            Some("error") => once("error", &mut filter.text, value.into()),
            Some("since") => once("since", &mut self.since, moment(value)?),
            Some("until") => once("until", &mut self.until, moment(value)?),
            Some(other) => Err(Wrong::Key(other.to_owned())),
            None => match value.parse() {
                Ok(id) => once("id", &mut self.id, id),
                Err(_) => once("kind", &mut filter.kind, value.into()),
            },
        }
    }

    fn leave_out(&mut self, key: Option<&str>, value: String) -> Result<(), Wrong> {
        if value.is_empty() {
            return Err(Wrong::Empty(format!("-{}", key.unwrap_or_default())));
        }
        let without = &mut self.filter.without;
        let names = match key {
            Some("queue") => &mut without.queues,
            Some("kind") | None => &mut without.kinds,
            Some("tag") => &mut without.tags,
            Some(known @ ("state" | "id" | "fault" | "error" | "since" | "until")) => {
                return Err(Wrong::Without(known.to_owned()));
            }
            Some(other) => return Err(Wrong::Key(other.to_owned())),
        };
        let name = value.into_boxed_str();
        if !names.contains(&name) {
            names.push(name);
        }
        Ok(())
    }

    /// The same in another state, or in all.
    pub(crate) fn in_state(&self, state: Option<State>) -> Self {
        Self { filter: Filter { state, ..self.filter.clone() }, id: None, ..self.clone() }
    }

    /// What the storage is asked for, at `now`.
    pub(crate) fn at(&self, now: Timestamp) -> Filter {
        let instant =
            |moment: &Option<(String, Moment)>| moment.as_ref().map(|(_, moment)| moment.instant(now));
        Filter { since: instant(&self.since), until: instant(&self.until), ..self.filter.clone() }
    }
}

fn once<T>(key: &'static str, place: &mut Option<T>, value: T) -> Result<(), Wrong> {
    if place.replace(value).is_some() { Err(Wrong::Twice(key)) } else { Ok(()) }
}

fn moment(typed: String) -> Result<(String, Moment), Wrong> {
    match Moment::parse(&typed) {
        Some(moment) => Ok((typed, moment)),
        None => Err(Wrong::Time(typed)),
    }
}

/// One term, quoted where that is needed.
pub(crate) fn term(key: &str, value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./@".contains(c);
    if value.chars().all(plain) && !value.is_empty() {
        return format!("{key}:{value}");
    }
    format!("{key}:\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

impl fmt::Display for Query {
    /// The filter as it would be typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Filter { state, queue, kind, tag, text, .. } = &self.filter;
        let fault = self.filter.fault.map(|fault| fault.to_string());
        let typed = |moment: &Option<(String, Moment)>| moment.as_ref().map(|(typed, _)| typed.clone());
        let (since, until) = (typed(&self.since), typed(&self.until));
        let id = self.id.map(|id| id.to_string());
        let terms = [
            ("state", state.map(State::as_str)),
            ("queue", queue.as_deref()),
            ("kind", kind.as_deref()),
            ("tag", tag.as_deref()),
            ("id", id.as_deref()),
            ("fault", fault.as_deref()),
            ("error", text.as_deref()),
            ("since", since.as_deref()),
            ("until", until.as_deref()),
        ];
        let terms = terms.into_iter().filter_map(|(key, value)| Some(term(key, value?)));
        let without = &self.filter.without;
        let names = [("-queue", &without.queues), ("-kind", &without.kinds), ("-tag", &without.tags)];
        let names = names.into_iter().flat_map(|(key, names)| names.iter().map(move |name| term(key, name)));
        f.write_str(&terms.chain(names).collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::{Wrong, parse};

    #[test]
    fn a_filter_is_understood_and_written_back() {
        for (typed, written) in [
            ("", ""),
            ("  state:failed ", "state:failed"),
            ("state:failed kind:send_mail queue:mail tag:a", "state:failed queue:mail kind:send_mail tag:a"),
            ("tag:\"a b:/,()\" send", "kind:send tag:\"a b:/,()\""),
            (r#"tag:"a \" \\""#, r#"tag:"a \" \\""#),
            ("\"two words\"", "kind:\"two words\""),
            ("測試 queue:信件", "queue:信件 kind:測試"),
            ("019a0000-0000-7000-8000-000000000001", "id:019a0000-0000-7000-8000-000000000001"),
            (
                "state:failed error:\"timed out\" since:-2h until:2026-10-01T14:05 fault:0123456789abcdef",
                "state:failed fault:0123456789abcdef error:\"timed out\" since:-2h until:\"2026-10-01T14:05\"",
            ),
            ("state:\"failed\"kind:a", "state:failed kind:a"),
            ("-tag:b -queue:\"a b\" -測試 -tag:b --x", "-queue:\"a b\" -kind:測試 -kind:-x -tag:b"),
        ] {
            let query = parse(typed).unwrap();
            assert_eq!(query.to_string(), written, "{typed}");
            assert_eq!(parse(written).unwrap(), query, "{typed}");
        }
    }

    /// Whatever is typed, it is refused or understood; and what was understood means the same when written back.
    #[test]
    fn no_text_breaks_the_filter() {
        const PIECES: [&str; 24] = [
            "state:",
            "queue:",
            "kind:",
            "tag:",
            "id:",
            "fault:",
            "error:",
            "since:",
            "until:",
            ":",
            "\"",
            "\\",
            " ",
            "failed",
            "-2h",
            "2026-10-01",
            "0123456789abcdef",
            "測試",
            "\u{0}",
            "\u{202e}",
            "a",
            "-",
            "99999999999w",
            "\n",
        ];
        let (mut state, mut understood) = (1_u64, 0);
        for _ in 0..300_000 {
            let mut text = String::new();
            loop {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let dice = (state >> 33) as usize;
                text += PIECES[dice % PIECES.len()];
                if (dice / PIECES.len()).is_multiple_of(5) {
                    break;
                }
            }
            let Ok(query) = parse(&text) else { continue };
            assert_eq!(parse(&query.to_string()), Ok(query), "{text:?}");
            understood += 1;
        }
        assert!(understood > 10_000, "{understood}");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (typed, wrong) in [
            ("state:broken", Wrong::State("broken".into())),
            ("color:red", Wrong::Key("color".into())),
            ("-color:red", Wrong::Key("color".into())),
            ("-state:failed", Wrong::Without("state".into())),
            ("-", Wrong::Empty("-".into())),
            ("-tag:", Wrong::Empty("-tag".into())),
            ("queue:", Wrong::Empty("queue".into())),
            ("queue: a", Wrong::Empty("queue".into())),
            ("\"a", Wrong::Unclosed),
            ("\"a\\", Wrong::Unclosed),
            ("a b", Wrong::Twice("kind")),
            ("queue:a queue:b", Wrong::Twice("queue")),
            ("since:-2x", Wrong::Time("-2x".into())),
            ("since:-時", Wrong::Time("-時".into())),
            ("until:tomorrow", Wrong::Time("tomorrow".into())),
            ("fault:1", Wrong::Fault("1".into())),
            ("id:1", Wrong::Id("1".into())),
            (&"x".repeat(1_001), Wrong::TooLong),
        ] {
            assert_eq!(parse(typed).unwrap_err().wrong, wrong, "{typed}");
        }
    }

    #[test]
    fn it_is_said_which_part_is_not_understood() {
        for (typed, part) in [
            ("kind:a  color:red tag:b", "color:red"),
            ("測試 -state:failed", "-state:failed"),
            ("tag:a \"b c", "\"b c"),
            ("queue:a queue:\"b c\" d", "queue:\"b c\""),
            ("since:-2x", "since:-2x"),
        ] {
            assert_eq!(&typed[parse(typed).unwrap_err().at], part, "{typed}");
        }
    }
}
