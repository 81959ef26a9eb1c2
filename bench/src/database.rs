//! Where a heat is run: a database that is empty at its start and gone at its end, and what it counts itself.
//!
//! 1. A [`Database`] opens a [`Ground`] for each heat.
//! 2. The contestant works there; the ground is read before and after.
//! 3. The ground is cleared, whatever came of the heat.

use std::any::Any;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contestant::{Doing, Fallible};
use crate::workload::Workload;

/// Something that a database answers.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Fallible<T>> + 'a>>;

/// A kind of database with its settings. A further one is one folder in `contestants/`.
pub(crate) trait Database {
    /// Its name in filters and reports. Contestants on the same one are compared.
    fn name(&self) -> &'static str;

    /// What a commit survives.
    fn promise(&self) -> &'static str;

    /// Whether this work makes a difference on it.
    fn takes(&self, workload: Workload) -> bool;

    /// Its version and settings, from itself; an error if it cannot be reached.
    fn version(&self) -> Answer<'_, String>;

    /// An empty one; its files, if it has any of its own, go into `dir`.
    fn open<'a>(&'a self, dir: &'a Path) -> Answer<'a, Box<dyn Ground>>;
}

/// An empty database for one heat.
pub(crate) trait Ground {
    /// What Portfire opens.
    fn url(&self) -> String;

    /// How late a server counts what a connection did that is still open; zero if it counts at once.
    fn lag(&self) -> Duration;

    /// CPU microseconds of all processes of the server so far; `None` if it has none or is out of sight.
    fn cpu(&self) -> Option<u64>;

    /// What was counted so far.
    fn counts(&self) -> Answer<'_, Counts>;

    /// Waits until nobody is connected any more: then all is counted.
    fn alone(&self) -> Doing<'_>;

    /// A transaction that goes on seeing the database as it is now, until it is dropped.
    fn pin(&self) -> Answer<'_, Box<dyn Any>>;

    /// Removes it.
    fn clear(&self) -> Doing<'_>;
}

/// What a database has counted; `None` where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Transactions: of SQLite those that wrote, of a server all.
    pub(crate) commits: Option<u64>,
    /// Statements that a server was sent.
    pub(crate) statements: Option<u64>,
    /// Bytes of its log of changes.
    pub(crate) logged: Option<u64>,
    /// Rows that were deleted or replaced, each of which leaves a dead one behind.
    pub(crate) dead: Option<u64>,
}

impl Counts {
    /// These, and the others where these are missing.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            commits: self.commits.or(others.commits),
            statements: self.statements.or(others.statements),
            logged: self.logged.or(others.logged),
            dead: self.dead.or(others.dead),
        }
    }

    /// What was added since.
    pub(crate) fn since(self, before: Self) -> Self {
        let delta = |to: Option<u64>, from: Option<u64>| Some(to?.saturating_sub(from?));
        Self {
            commits: delta(self.commits, before.commits),
            statements: delta(self.statements, before.statements),
            logged: delta(self.logged, before.logged),
            dead: delta(self.dead, before.dead),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn only_what_is_counted_at_both_ends_has_a_difference() {
        let before = Counts { commits: Some(5), dead: Some(9), ..Counts::default() };
        let after = Counts { commits: Some(8), logged: Some(7), ..Counts::default() };
        assert_eq!(after.since(before), Counts { commits: Some(3), ..Counts::default() });
        assert_eq!(after.or(before).dead, Some(9));
    }
}
