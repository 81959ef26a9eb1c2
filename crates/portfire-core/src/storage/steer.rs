//! Who steers, and the orders that queues and servers get.
//!
//! 1. A person or a program gives an order; the storage writes it down, and if it was a person, who it was
//!    ([`audit`](super::audit)), in one transaction.
//! 2. A paused queue is a row of its own, so a claim passes it by. An order to a server is a word in its row,
//!    which it hears at its next heartbeat.
//!
//! What an order changes is decided here ([`QueueOrder`], [`ServerOrder::after`]); a storage guards and writes.

use std::fmt;
use std::str::FromStr;

use crate::job::check_name;
use crate::limits::REASON_BYTES_MAX;
use crate::{Error, Result, Timestamp, clean_text};

/// Who wants something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// The application itself: nothing is written down.
    #[default]
    Program,
    /// A person: what they did is written down with it.
    Person(Person),
}

impl By {
    /// The person, if it is one.
    pub const fn person(&self) -> Option<&Person> {
        match self {
            Self::Program => None,
            Self::Person(person) => Some(person),
        }
    }
}

/// A person who steers, as the audit names them.
///
/// ```
/// use portfire_core::storage::{Person, Via};
///
/// let ann = Person::new("ann", Via::Dashboard)?.because("the mail provider is down");
/// assert_eq!((ann.name(), ann.reason()), ("ann", Some("the mail provider is down")));
/// # Ok::<_, portfire_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    name: Box<str>,
    via: Via,
    reason: Option<Box<str>>,
}

impl Person {
    /// A person by their name, and the way they come.
    ///
    /// # Errors
    /// Misuse if the name is empty, longer than [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX), or has
    /// control characters. It is not cut: what is left could be the name of somebody else.
    pub fn new(name: impl Into<Box<str>>, via: Via) -> Result<Self> {
        let name = name.into();
        check_name("person's name", &name)?;
        Ok(Self { name, via, reason: None })
    }

    /// With the reason they give: cleaned, and cut to
    /// [`REASON_BYTES_MAX`](crate::limits::REASON_BYTES_MAX). A blank one is none.
    #[must_use]
    pub fn because(self, reason: &str) -> Self {
        let reason = clean_text(reason.trim(), REASON_BYTES_MAX);
        Self { reason: (!reason.is_empty()).then(|| reason.into()), ..self }
    }

    /// Their name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The way they came.
    pub const fn via(&self) -> Via {
        self.via
    }

    /// The reason they gave.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// The way a person comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// Through the pages of the dashboard.
    Dashboard,
    /// Through its interface for programs, or code of the application that acts for a person.
    Api,
    /// Through the command line.
    CommandLine,
}

impl Via {
    /// All ways.
    pub const ALL: [Self; 3] = [Self::Dashboard, Self::Api, Self::CommandLine];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dashboard => "dashboard",
            Self::Api => "api",
            Self::CommandLine => "command line",
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Via {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|via| via.as_str() == word);
        known.ok_or_else(|| Error::broken(format!("`{word}` is not a way in which a person comes")))
    }
}

/// What an operator wants of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueOrder {
    /// No server takes jobs from it until it is resumed. Jobs that run go on, and new ones are stored.
    Pause,
    /// Servers take jobs from it again.
    Resume,
}

impl QueueOrder {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }

    /// Refuses names that no queue can have. Every way into a storage calls this once.
    ///
    /// # Errors
    /// Misuse, naming what is wrong.
    pub fn check(queues: &[Box<str>]) -> Result<()> {
        queues.iter().try_for_each(|queue| check_name("queue", queue))
    }
}

/// A queue that is paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PausedQueue {
    /// Its name.
    pub queue: Box<str>,
    /// Since when.
    pub since: Timestamp,
    /// Who paused it, if it was a person.
    pub by: Option<Box<str>>,
    /// The reason they gave.
    pub reason: Option<Box<str>>,
}

/// What a server is to do. It hears of it at its next heartbeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ServerOrder {
    /// Take jobs and run them.
    #[default]
    Run,
    /// Take no more jobs, but finish those it has, and stay.
    Quiet,
    /// Stop as at a shutdown: drain, interrupt, give back, end. This cannot be taken back.
    Stop,
}

impl ServerOrder {
    /// All orders.
    pub const ALL: [Self; 3] = [Self::Run, Self::Quiet, Self::Stop];

    /// What becomes of `order` for a server that is under this one.
    pub const fn then(self, order: Self) -> super::Directed {
        use super::Directed;
        match (self, order) {
            (Self::Run, Self::Run) | (Self::Quiet, Self::Quiet) | (Self::Stop, Self::Stop) => {
                Directed::Unchanged
            }
            (Self::Stop, Self::Run | Self::Quiet) => Directed::Refused,
            (Self::Run, Self::Quiet | Self::Stop) | (Self::Quiet, Self::Run | Self::Stop) => Directed::Done,
        }
    }

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Quiet => "quiet",
            Self::Stop => "stop",
        }
    }
}

impl fmt::Display for ServerOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ServerOrder {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|order| order.as_str() == word);
        known.ok_or_else(|| Error::broken(format!("`{word}` is not an order to a server")))
    }
}
