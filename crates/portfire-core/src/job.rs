//! A job as it is handed to a storage: everything decided, everything checked.

use std::time::Duration;

use crate::limits::{NAME_BYTES_MAX, PARENTS_MAX, PAYLOAD_BYTES_MAX, TAGS_MAX};
use crate::{Dependency, Error, JobId, Json, Policy, Result, Slot, Timestamp};

/// A job to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Its name, made by the caller, so that storing it twice stores it once.
    pub id: JobId,
    /// Which handler runs it: a declared, stable name.
    pub kind: Box<str>,
    /// The line it waits in.
    pub queue: Box<str>,
    /// Smaller runs first within a queue. Default 0.
    pub priority: i16,
    /// Its arguments, by name.
    pub args: Json,
    /// How it is retried, timed out and kept.
    pub policy: Policy,
    /// When it may run.
    pub start: Start,
    /// The jobs it waits for; empty for most.
    pub after: Vec<Dependency>,
    /// Words to find it by.
    pub tags: Vec<Box<str>>,
    /// While a job with this name has not ended, storing another of the same kind with it is refused.
    pub unique: Option<Box<str>>,
    /// The slot of the schedule that made it, if one did.
    pub slot: Option<Slot>,
}

/// When a job may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Start {
    /// As soon as a slot is free.
    #[default]
    Now,
    /// This long after it is stored (or, for a job that waits for others, stored all the same), by the
    /// storage's clock.
    After(Duration),
    /// At this instant.
    At(Timestamp),
}

impl Start {
    /// The instant from which the job may run, when it is stored at `now`.
    pub fn instant(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::After(delay) => now.after(delay),
            Self::At(instant) => instant,
        }
    }
}

impl NewJob {
    /// A job with defaults for all but what it is.
    pub fn new(id: JobId, kind: impl Into<Box<str>>, args: Json) -> Self {
        Self {
            id,
            kind: kind.into(),
            queue: "default".into(),
            priority: 0,
            args,
            policy: Policy::default(),
            start: Start::Now,
            after: Vec::new(),
            tags: Vec::new(),
            unique: None,
            slot: None,
        }
    }

    /// Refuses what no storage could keep. Every way into a storage calls this once.
    ///
    /// # Errors
    /// [`Error::is_misuse`], naming the part and what to do.
    pub fn check(&self) -> Result<()> {
        let bytes = self.args.as_str().len();
        if bytes > PAYLOAD_BYTES_MAX {
            return Err(Error::misuse(format!(
                "the arguments of `{}` are {bytes} bytes of JSON; the limit is {PAYLOAD_BYTES_MAX}. Store the \
                 data and pass its id or path instead",
                self.kind
            )));
        }
        check_name("kind", &self.kind)?;
        check_name("queue", &self.queue)?;
        self.unique.iter().try_for_each(|name| check_name("unique name", name))?;
        self.tags.iter().try_for_each(|tag| check_name("tag", tag))?;
        self.slot.iter().try_for_each(|slot| check_name("schedule id", &slot.schedule))?;
        check_count("tags", self.tags.len(), TAGS_MAX)?;
        check_count("parents", self.after.len(), PARENTS_MAX)?;
        self.policy.check()
    }
}

pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    let reason = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > NAME_BYTES_MAX {
        format!("is {} bytes long; the limit is {NAME_BYTES_MAX}", name.len())
    } else if name.chars().any(char::is_control) {
        "has a control character".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::misuse(format!("a {what} {reason}")))
}

fn check_count(what: &str, count: usize, max: usize) -> Result<()> {
    if count > max {
        return Err(Error::misuse(format!("a job has {count} {what}; the limit is {max}")));
    }
    Ok(())
}
