//! The differential runner: one random history, two storages, and every answer compared.
//!
//! 1. `History::random` makes operations from a seed: every verb of the contract, in sets, with repeats,
//!    stale tokens, unknown ids, and time that passes.
//! 2. [`compare`] applies them to both storages, one after the other, and compares each answer; now and
//!    then it compares everything that can be looked at.
//! 3. A difference is made small: operations are left out as long as the two still differ.
//!
//! An operation names jobs and claims by number, not by id, so that it means something in any history
//! from which others were left out. It deliberately runs nothing at once: concurrency is the conformance
//! suite's and the simulator's matter.

mod apply;
mod history;
mod shrink;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use portfire_core::{Storage, VirtualClock};

use history::History;

/// Most operations by which a history is tried to be made smaller: a second or two with files.
const SHRINK_RUNS_MAX: usize = 400;

/// The first thing in which two storages differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Which operation of the history showed it.
    pub at: usize,
    /// What was asked.
    pub asked: String,
    /// What the one answered.
    pub one: String,
    /// What the other answered.
    pub other: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, asked, one, other } = self;
        write!(f, "operation {at}: {asked}\n  one answered:   {one}\n  other answered: {other}")
    }
}

/// Applies the random history of each seed to two storages; ends at the first difference.
///
/// # Panics
/// If they differ, with the seed and the smallest history found that shows it.
pub async fn compare<A, B, FA, FB, GA, GB>(seeds: std::ops::Range<u64>, length: usize, one: A, other: B)
where
    A: Fn(Arc<VirtualClock>) -> FA,
    B: Fn(Arc<VirtualClock>) -> FB,
    FA: Future<Output = (Arc<dyn Storage>, GA)>,
    FB: Future<Output = (Arc<dyn Storage>, GB)>,
{
    for seed in seeds {
        let history = History::random(seed, length);
        let found = differ(&history, &one, &other).await;
        if let Some(difference) = found {
            let (small, difference) =
                shrink::shrink(history, difference, &one, &other, SHRINK_RUNS_MAX).await;
            panic!("seed {seed}: the storages differ\n{small}{difference}");
        }
    }
}

/// Applies a history to two new storages.
async fn differ<A, B, FA, FB, GA, GB>(history: &History, one: &A, other: &B) -> Option<Difference>
where
    A: Fn(Arc<VirtualClock>) -> FA,
    B: Fn(Arc<VirtualClock>) -> FB,
    FA: Future<Output = (Arc<dyn Storage>, GA)>,
    FB: Future<Output = (Arc<dyn Storage>, GB)>,
{
    let clock = Arc::new(VirtualClock::default());
    let (one, one_guard) = one(Arc::clone(&clock)).await;
    let (other, other_guard) = other(Arc::clone(&clock)).await;
    let difference = apply::Pair::new(one, other, clock).apply(history).await;
    drop((one_guard, other_guard));
    difference
}
