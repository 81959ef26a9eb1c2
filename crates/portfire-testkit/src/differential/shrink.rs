//! Makes a history that shows a difference smaller, by leaving operations out.

use std::future::Future;
use std::sync::Arc;

use portfire_core::{Storage, VirtualClock};

use super::history::History;
use super::{Difference, differ};

/// The smallest history found within `runs`, and its difference.
///
/// Halves are tried first, then quarters, down to single operations (delta debugging, Zeller 1999).
pub(super) async fn shrink<A, B, FA, FB, GA, GB>(
    history: History,
    found: Difference,
    one: &A,
    other: &B,
    mut runs: usize,
) -> (History, Difference)
where
    A: Fn(Arc<VirtualClock>) -> FA,
    B: Fn(Arc<VirtualClock>) -> FB,
    FA: Future<Output = (Arc<dyn Storage>, GA)>,
    FB: Future<Output = (Arc<dyn Storage>, GB)>,
{
    let (mut small, mut difference) = (up_to(history, &found), found);
    let mut size = small.operations.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < small.operations.len() && runs > 0 {
            runs -= 1;
            let tried = without(&small, start, size);
            match differ(&tried, one, other).await {
                Some(found) => (small, difference) = (up_to(tried, &found), found),
                None => start += size,
            }
        }
        size /= 2;
    }
    (small, difference)
}

/// Nothing after the operation that showed it matters.
fn up_to(mut history: History, found: &Difference) -> History {
    history.operations.truncate(found.at + 1);
    history
}

fn without(history: &History, start: usize, size: usize) -> History {
    let kept = history.operations.iter().enumerate().filter(|(at, _)| !(start..start + size).contains(at));
    History { operations: kept.map(|(_, operation)| operation.clone()).collect() }
}
