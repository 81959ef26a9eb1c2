//! JSON as it is written: text that grows. Nothing is parsed, so what was stored as JSON passes unchanged.

use std::fmt::Display;
use std::time::Duration;

use portfire_core::{Json, Timestamp};

/// A value, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value(String);

impl Value {
    /// What has a form of its own, such as an id, as a string.
    pub(crate) fn of(value: impl Display) -> Self {
        Self::from(&*value.to_string())
    }

    /// Each of these.
    pub(crate) fn each<T>(items: impl IntoIterator<Item = T>, form: impl Fn(T) -> Self) -> Vec<Self> {
        items.into_iter().map(form).collect()
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(Json::of(text).expect("text has a JSON form").to_string())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self(value.to_string())
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl From<$number> for Value {
            fn from(value: $number) -> Self {
                Self(value.to_string())
            }
        })*
    };
}
numbers!(i16, u16, u32, u64, usize);

/// Whole milliseconds.
impl From<Duration> for Value {
    fn from(length: Duration) -> Self {
        Self(length.as_millis().to_string())
    }
}

/// RFC 3339, in UTC; `null` for an instant that no calendar has.
impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        match jiff::Timestamp::from_microsecond(at.as_micros()) {
            Ok(instant) => Self(format!("\"{instant:.6}\"")),
            Err(_) => Self("null".to_owned()),
        }
    }
}

/// As it was stored, digit for digit.
impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        Self(json.to_string())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or_else(|| Self("null".to_owned()), Into::into)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        let items: Vec<_> = items.into_iter().map(Self::into_text).collect();
        Self(format!("[{}]", items.join(",")))
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self(format!("{{{}}}", object.0))
    }
}

/// The members of an object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// And this one.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(&Value::from(name).0);
        self.0.push(':');
        self.0.push_str(&value.into().0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Object, Value};
    use portfire_core::{Json, Timestamp};
    use std::time::Duration;

    #[test]
    fn values_have_the_form_that_is_promised() {
        let object = Object::new()
            .with("a\"", "</script>\n")
            .with("at", Timestamp::from_micros(1_790_000_000_000_001))
            .with("none", None::<bool>)
            .with("took", Duration::from_micros(1_999))
            .with("args", &Json::trusted("{\"n\":9007199254740993}"))
            .with("list", vec![Value::of(1), Value::from(2_u16)]);
        let expected = r#"{"a\"":"</script>\n","at":"2026-09-21T14:13:20.000001Z","none":null,"took":1,"args":{"n":9007199254740993},"list":["1",2]}"#;
        assert_eq!(Value::from(object).into_text(), expected);
        assert_eq!(Value::from(Timestamp::from_micros(0)).into_text(), "\"1970-01-01T00:00:00.000000Z\"");
        assert_eq!(Value::from(Timestamp::from_micros(i64::MAX)).into_text(), "null");
    }
}
