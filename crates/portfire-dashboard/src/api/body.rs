//! A body of the API becomes the pairs that a form would have sent, so that both are acted on alike. Pure.

use serde_json::{Map, Value};

use crate::pairs::Pairs;
use crate::refusal::{Refusal, Result};

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Text,
    Texts,
    Whole,
    Instant,
}

/// Every field there is: its name, the name it has in a form, and what it holds.
const FIELDS: [(&str, &str, Shape); 13] = [
    ("jobs", "job", Shape::Texts),
    ("expect", "expect", Shape::Text),
    ("attempts", "attempts", Shape::Whole),
    ("at", "at", Shape::Instant),
    ("delay_seconds", "delay", Shape::Whole),
    ("fault", "fault", Shape::Text),
    ("until", "until", Shape::Instant),
    ("after", "after", Shape::Text),
    ("queue", "queue", Shape::Text),
    ("priority", "priority", Shape::Whole),
    ("schedule", "schedule", Shape::Text),
    ("server", "server", Shape::Text),
    ("reason", "reason", Shape::Text),
];

/// Reads a body.
pub(crate) fn pairs(bytes: &[u8]) -> Result<Pairs> {
    let object: Map<String, Value> = serde_json::from_slice(bytes)
        .map_err(|error| Refusal::BadRequest(format!("the body is not a JSON object: {error}")))?;
    object.iter().try_fold(Pairs::default(), |pairs, (name, value)| {
        let (_, pair, shape) = FIELDS
            .iter()
            .find(|(known, ..)| known == name)
            .ok_or_else(|| Refusal::BadRequest(format!("unknown field `{name}`")))?;
        let texts = shape
            .texts(value)
            .ok_or_else(|| Refusal::BadRequest(format!("`{name}` must be {}", shape.in_words())))?;
        Ok(texts.iter().fold(pairs, |pairs, text| pairs.with(pair, text)))
    })
}

/// Refuses a body with a field that the route does not know.
pub(crate) fn allow(form: &Pairs, names: &[&str]) -> Result<()> {
    let is_known = |pair: &str| FIELDS.iter().any(|(name, known, _)| *known == pair && names.contains(name));
    match form.iter().find(|(pair, _)| !is_known(pair)) {
        Some((pair, _)) => {
            let name = FIELDS.iter().find(|(_, known, _)| *known == pair).map_or(pair, |(name, ..)| name);
            Err(Refusal::BadRequest(format!("`{name}` is not taken here; there are: {}", names.join(", "))))
        }
        None => Ok(()),
    }
}

impl Shape {
    const fn in_words(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Texts => "an array of strings",
            Self::Whole => "a whole number",
            Self::Instant => "a time with its offset from UTC, as in `2026-10-03T14:05:09Z`",
        }
    }

    /// The texts that a form would hold.
    fn texts(self, value: &Value) -> Option<Vec<String>> {
        match self {
            Self::Text => Some(vec![value.as_str()?.to_owned()]),
            Self::Texts => value.as_array()?.iter().map(|text| Some(text.as_str()?.to_owned())).collect(),
            Self::Whole => Some(vec![value.as_i64()?.to_string()]),
            Self::Instant => {
                let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
                Some(vec![format!("{at:.6}")])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{allow, pairs};
    use crate::refusal::Refusal;

    fn wrong(body: &str) -> String {
        match pairs(body.as_bytes()) {
            Err(Refusal::BadRequest(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_body_becomes_the_pairs_of_a_form() {
        let body = br#"{"jobs":["a","b"],"at":"2026-10-03T14:05:09+08:00","priority":-5,"reason":"\u6e2c"}"#;
        let read = pairs(body).unwrap();
        assert_eq!(read.all("job").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(read.get("at"), Some("2026-10-03T06:05:09.000000Z"));
        assert_eq!((read.get("priority"), read.get("reason")), (Some("-5"), Some("測")));
        assert!(allow(&read, &["jobs", "at", "priority", "reason"]).is_ok());
        let refused = allow(&read, &["at", "priority", "reason"]);
        assert!(
            matches!(refused, Err(Refusal::BadRequest(why)) if why.starts_with("`jobs` is not taken here"))
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        assert!(wrong("[]").starts_with("the body is not a JSON object"));
        assert!(wrong("").starts_with("the body is not a JSON object"));
        assert_eq!(wrong(r#"{"job":"a"}"#), "unknown field `job`");
        assert_eq!(wrong(r#"{"jobs":"a"}"#), "`jobs` must be an array of strings");
        assert_eq!(wrong(r#"{"priority":1.5}"#), "`priority` must be a whole number");
        assert!(wrong(r#"{"at":"2026-10-03T14:05:09"}"#).starts_with("`at` must be a time with its offset"));
    }
}
