//! The one error of this crate and of every storage.
//!
//! Callers branch on predicates, never on text. What a backend can report is exactly four kinds (R10
//! of the storage contract): try again, closed, misuse, broken.

use std::error::Error as StdError;
use std::fmt;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused or could not be done.
///
/// One may rely on the predicates and on [`source`](StdError::source); the text is for people.
pub struct Error {
    kind: Kind,
    message: Box<str>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Transient,
    Closed,
    Misuse,
    Broken,
}

impl Error {
    /// The call may succeed when repeated: a lock timeout, a lost connection.
    pub fn transient(message: impl Into<Box<str>>) -> Self {
        Self::new(Kind::Transient, message)
    }

    /// The storage was closed.
    pub fn closed(message: impl Into<Box<str>>) -> Self {
        Self::new(Kind::Closed, message)
    }

    /// The caller asked for something that cannot be done as asked; repeating it will not help.
    pub fn misuse(message: impl Into<Box<str>>) -> Self {
        Self::new(Kind::Misuse, message)
    }

    /// The database is not what it should be: wrong version, missing table, damaged file, full disk.
    pub fn broken(message: impl Into<Box<str>>) -> Self {
        Self::new(Kind::Broken, message)
    }

    /// Adds the error that led to this one.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Whether repeating the call may succeed.
    pub fn is_transient(&self) -> bool {
        self.kind == Kind::Transient
    }

    /// Whether the storage was closed.
    pub fn is_closed(&self) -> bool {
        self.kind == Kind::Closed
    }

    /// Whether the caller has to change something before repeating the call.
    pub fn is_misuse(&self) -> bool {
        self.kind == Kind::Misuse
    }

    /// Whether an operator has to look at the database.
    pub fn is_broken(&self) -> bool {
        self.kind == Kind::Broken
    }

    fn new(kind: Kind, message: impl Into<Box<str>>) -> Self {
        Self { kind, message: message.into(), cause: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as &(dyn StdError + 'static))
    }
}
