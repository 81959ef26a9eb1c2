//! JSON as text: arguments, results and options travel and are stored exactly as they were written.
//!
//! Text and not a parsed tree, because a tree would lose big integers and key order, and because a
//! server only parses what its own handler needs.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// One JSON value, as text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Box<str>);

impl Json {
    /// Writes `value` as JSON.
    ///
    /// # Errors
    /// [`Error::is_misuse`] if the value has no JSON form (a map with keys that are not text, for one).
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        serde_json::to_string(value)
            .map(|text| Self(text.into()))
            .map_err(|e| Error::misuse("a value has no JSON form").caused_by(e))
    }

    /// Takes text that is already JSON, as a storage reads it back. The text is not checked.
    pub fn trusted(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Reads the value as a `T`.
    ///
    /// # Errors
    /// [`Error::is_misuse`] if the text is not a `T`; the cause names the field.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.0)
            .map_err(|e| Error::misuse("stored JSON does not fit the type that reads it").caused_by(e))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
