//! The packed form, as its contestants on every database share it: one row for each claim and one for each batch of
//! jobs that finished, in place of one for each job.
//!
//! It was weighed against the four tables, and lost (see "The packed form" in `RESULTS.md`). It is kept so that the
//! decision can be looked at again, and takes part only if it is asked for.
//!
//! 1. A claim takes jobs out of `ready`, as ever, and keeps them in one row of `packed_claim`.
//! 2. Its end moves that row to `packed_finished`.
//! 3. Somebody makes rows of `portfire_finished` of it, which is what jobs are looked up in. Without that a contestant
//!    shows what the form would win if nobody ever looked.

use clap::Args;

use crate::workload::{SLOTS, Workload};

/// How many jobs are expanded at once.
pub(super) const EXPANDED: u32 = 1_000;

/// Whether the packed form takes part.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Asked {
    /// Measure the bare statements in a packed form of the tables, too.
    #[arg(long)]
    packed: bool,
}

impl Asked {
    /// One run is that of a name: everybody is there to be found.
    pub(crate) const BY_NAME: Self = Self { packed: true };

    /// Whether it does.
    pub(crate) const fn takes_part(self) -> bool {
        self.packed
    }

    /// In which ways it does.
    pub(super) fn forms(self) -> impl Iterator<Item = Form> {
        let ways = [false, true]
            .into_iter()
            .flat_map(|is_expanded| super::BATCHES.into_iter().map(move |batch| Form { batch, is_expanded }));
        ways.filter(move |_| self.packed)
    }
}

/// One way to do it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// So many jobs per claim.
    pub(super) batch: u32,
    /// Whether the work is done only when every job has a row of its own again.
    pub(super) is_expanded: bool,
}

impl Form {
    pub(super) fn name(self) -> String {
        let expanded = if self.is_expanded { "+expanded" } else { "" };
        format!("packed{expanded}/{}", self.batch)
    }

    pub(super) fn promises(self, database: &str) -> String {
        let seen = if self.is_expanded { "until it is expanded" } else { "ever: none is expanded" };
        format!(
            "no look-up of a finished job {seen}; one row per claim: a handler that ends its job in its own \
             transaction locks the whole batch; {database}"
        )
    }

    pub(super) const fn takes(workload: Workload) -> bool {
        matches!(workload, Workload::Drain { servers: 1, slots: SLOTS, .. } | Workload::Lifecycle { .. })
    }

    /// How many rows are expanded at once.
    pub(super) const fn rows(self) -> u32 {
        EXPANDED.div_ceil(self.batch)
    }
}
