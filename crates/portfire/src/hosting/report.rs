//! How a host ended: why, and service by service what it took and what was left. It tells the truth, and so
//! does the exit code made of it.

use std::fmt;
use std::time::Duration;

use portfire_core::{Error, Fault, Result};

use super::lifetime::StopCause;

/// How a host ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Why it stopped.
    pub cause: StopCause,
    /// How long the way down took.
    pub took: Duration,
    /// Its services, in the order they were added.
    pub services: Vec<ServiceReport>,
}

/// How a service ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceReport {
    /// Its name.
    pub name: Box<str>,
    /// What sort of service it is.
    pub kind: &'static str,
    /// How it ended.
    pub end: ServiceEnd,
    /// How long its hooks of the way down took together.
    pub took: Duration,
    /// What it said last that it was doing.
    pub doing: Option<Box<str>>,
    /// What it had accepted and not done.
    pub left: Vec<Leftover>,
}

/// How a service ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceEnd {
    /// The host stopped before its start succeeded.
    NotStarted,
    /// It stopped.
    Stopped,
    /// It stopped, and said that something went wrong.
    Failed(Fault),
    /// It did not stop in time and was dropped.
    Abandoned,
}

/// Work that a service had accepted and did not do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leftover {
    /// What it was.
    pub what: Box<str>,
    /// What became of it.
    pub fate: Fate,
}

/// What became of work that was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It is lost.
    Dropped,
    /// It is stored as a durable job.
    HandedOver,
}

impl Report {
    /// Whether everything ended as it should: no failure, nobody abandoned, nothing lost.
    pub fn is_clean(&self) -> bool {
        !self.is_failure() && self.services.iter().all(ServiceReport::is_clean)
    }

    /// Whether it stopped because something failed.
    pub(super) const fn is_failure(&self) -> bool {
        matches!(self.cause, StopCause::Failed { .. })
    }

    /// The report of this service.
    pub fn service(&self, name: &str) -> Option<&ServiceReport> {
        self.services.iter().find(|service| &*service.name == name)
    }

    /// What is worth saying of its services.
    pub(super) fn remarks(&self) -> String {
        let of = |service: &ServiceReport| {
            let (kind, name) = (service.kind, service.name.clone());
            service.remarks().into_iter().map(move |remark| format!("{kind} `{name}`: {remark}"))
        };
        self.services.iter().flat_map(of).collect::<Vec<_>>().join("; ")
    }

    /// `Ok` for a clean end, so that `main` can return it and the exit code tells the truth.
    ///
    /// # Errors
    /// Broken, with all that went wrong, if the end was not clean.
    pub fn into_result(self) -> Result<()> {
        if self.is_clean() { Ok(()) } else { Err(Error::broken(self.to_string())) }
    }
}

impl ServiceReport {
    fn is_clean(&self) -> bool {
        matches!(self.end, ServiceEnd::Stopped | ServiceEnd::NotStarted)
            && self.left.iter().all(|left| left.fate == Fate::HandedOver)
    }

    /// What is worth saying beyond "it stopped".
    fn remarks(&self) -> Vec<String> {
        let doing =
            self.doing.as_deref().map_or_else(String::new, |doing| format!(" while it was doing: {doing}"));
        let mut remarks = Vec::new();
        match &self.end {
            ServiceEnd::Stopped | ServiceEnd::NotStarted => {}
            ServiceEnd::Failed(fault) => remarks.push(format!("its stop failed: {}", fault.message)),
            ServiceEnd::Abandoned => {
                remarks.push(format!("it did not stop within {:.1?} and was dropped{doing}", self.took));
            }
        }
        let count = |fate| self.left.iter().filter(|left| left.fate == fate).count();
        let (lost, stored) = (count(Fate::Dropped), count(Fate::HandedOver));
        if lost > 0 {
            let names: Vec<_> =
                self.left.iter().filter(|left| left.fate == Fate::Dropped).map(|left| &*left.what).collect();
            remarks.push(format!("{lost} left undone ({})", names.join(", ")));
        }
        if stored > 0 {
            remarks.push(format!("{stored} stored as durable jobs"));
        }
        remarks
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the host stopped in {:.1?} because {}", self.took, self.cause)?;
        let remarks = self.remarks();
        if remarks.is_empty() { Ok(()) } else { write!(f, "; {remarks}") }
    }
}
