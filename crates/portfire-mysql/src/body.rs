//! What has to be known of jobs to end their attempts, kept from when they were claimed: it was read then, along with
//! what a handler needs, and reading it again is a statement for each batch: 5 % of the server's work on a drained job
//! (MariaDB 43.3 µs in place of 41.1, MySQL 67.3 in place of 62.8; medians of eight pairs).
//!
//! 1. A claim that is committed keeps the [`Body`] of each job, by its lease.
//! 2. Whoever settles looks here first, and reads of the database what is not here.
//! 3. With its settlement a body is let go.
//!
//! Nothing in it changes while the lease holds: a job that runs is neither moved nor given another priority or time, and
//! its kind and name are never changed. Whether the lease holds is asked of the database each time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use portfire_core::{Lease, Result, Timestamp};

use crate::rows::Row;

/// Most bodies, some 10 MB: far more than one process runs at once. Beyond it all are let go, and read again.
const BODIES_MAX: usize = 1 << 16;

/// What has to be known of a job to end its attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) kind: Box<str>,
    pub(crate) queue: Box<str>,
    pub(crate) priority: i64,
    pub(crate) run_at: Timestamp,
    /// Whether it has a unique name, which its end makes free.
    pub(crate) is_named: bool,
}

impl Body {
    /// Of its columns in a row, in the order of the fields.
    pub(crate) fn read(row: &Row, columns: [usize; 5]) -> Result<Self> {
        let [kind, queue, priority, run_at, unique_name] = columns;
        Ok(Self {
            kind: row.text(kind)?.into(),
            queue: row.text(queue)?.into(),
            priority: row.int(priority)?,
            run_at: row.time(run_at)?,
            is_named: !row.is_null(unique_name),
        })
    }
}

/// The bodies of what this storage has claimed.
#[derive(Debug, Default)]
pub(crate) struct Bodies(Mutex<HashMap<Lease, Body>>);

impl Bodies {
    /// Keeps what a claim has read.
    pub(crate) fn keep(&self, claimed: impl IntoIterator<Item = (Lease, Body)>) {
        let mut bodies = self.bodies();
        if bodies.len() >= BODIES_MAX {
            bodies.clear();
        }
        bodies.extend(claimed);
    }

    pub(crate) fn of(&self, lease: Lease) -> Option<Body> {
        self.bodies().get(&lease).cloned()
    }

    /// Lets go of what is settled.
    pub(crate) fn let_go(&self, leases: impl IntoIterator<Item = Lease>) {
        let mut bodies = self.bodies();
        leases.into_iter().for_each(|lease| drop(bodies.remove(&lease)));
    }

    fn bodies(&self) -> MutexGuard<'_, HashMap<Lease, Body>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use portfire_core::{JobId, Lease, Timestamp, Token};

    use super::{BODIES_MAX, Bodies, Body};

    fn lease(number: u32) -> Lease {
        let bytes = u128::from(number).to_be_bytes();
        Lease { job: JobId::from_bytes(bytes), token: Token::from_bytes([1; 16]) }
    }

    fn body(priority: i64) -> Body {
        let (kind, queue) = ("work".into(), "default".into());
        Body { kind, queue, priority, run_at: Timestamp::default(), is_named: false }
    }

    #[test]
    fn a_body_is_kept_for_its_lease_until_that_is_settled() {
        let bodies = Bodies::default();
        bodies.keep([(lease(1), body(1)), (lease(2), body(2))]);
        bodies.let_go([lease(1), lease(3)]);
        assert_eq!((bodies.of(lease(1)), bodies.of(lease(2))), (None, Some(body(2))));
        let later = Lease { token: Token::from_bytes([2; 16]), ..lease(2) };
        assert_eq!(bodies.of(later), None, "another claim of the job reads for itself");
    }

    #[test]
    fn what_is_never_settled_does_not_fill_the_memory() {
        let bodies = Bodies::default();
        let most = u32::try_from(BODIES_MAX).unwrap();
        bodies.keep((0..most).map(|number| (lease(number), body(0))));
        bodies.keep([(lease(most), body(7))]);
        assert_eq!((bodies.of(lease(0)), bodies.of(lease(most))), (None, Some(body(7))));
    }
}
