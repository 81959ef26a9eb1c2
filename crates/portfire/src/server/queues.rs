//! Which queues a server serves, and how they share its slots.

use std::collections::{BTreeMap, BTreeSet};

use portfire_core::engine::{QueueConfig, QueueOrder};
use portfire_core::{Error, Result};

/// The queues of a server.
///
/// ```
/// use portfire::Queues;
///
/// // `reports` only when there is nothing to do for `mail`:
/// let strict = Queues::ordered(["mail", "reports"]);
/// // `mail` first three times of four:
/// let shared = Queues::weighted([("mail", 3), ("reports", 1)]);
/// # assert_ne!(strict, shared);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues {
    order: QueueOrder,
    /// Names and weights, in order.
    queues: Vec<(Box<str>, u32)>,
}

impl Queues {
    /// A queue is served only while those before it have nothing that can run.
    pub fn ordered<N: Into<Box<str>>>(names: impl IntoIterator<Item = N>) -> Self {
        let queues = names.into_iter().map(|name| (name.into(), 1)).collect();
        Self { order: QueueOrder::Strict, queues }
    }

    /// Queues come first in turn, in proportion to their weights: none starves.
    pub fn weighted<N: Into<Box<str>>>(weights: impl IntoIterator<Item = (N, u32)>) -> Self {
        let queues = weights.into_iter().map(|(name, weight)| (name.into(), weight)).collect();
        Self { order: QueueOrder::Weighted, queues }
    }

    pub(super) const fn order(&self) -> QueueOrder {
        self.order
    }

    pub(super) fn names(&self) -> Vec<Box<str>> {
        self.queues.iter().map(|(name, _)| name.clone()).collect()
    }

    /// A queue that is named again. Its jobs would be counted at its first name, and its limit be exceeded by the other.
    fn twice(&self) -> Option<&str> {
        let mut seen = BTreeSet::new();
        self.queues.iter().map(|(name, _)| &**name).find(|name| !seen.insert(*name))
    }

    /// What the engine is told; refuses what cannot be meant.
    pub(super) fn configs(&self, slots: &BTreeMap<Box<str>, u32>) -> Result<Vec<QueueConfig>> {
        if self.queues.is_empty() {
            return Err(Error::misuse("a server that serves no queue could never run a job"));
        }
        if let Some(name) = self.twice() {
            return Err(Error::misuse(format!(
                "queue `{name}` is named twice; a server serves each queue once"
            )));
        }
        if let Some((name, _)) = self.queues.iter().find(|(_, weight)| *weight == 0) {
            return Err(Error::misuse(format!("queue `{name}` has weight 0 and would never be served")));
        }
        if let Some(name) = slots.keys().find(|name| !self.queues.iter().any(|(queue, _)| queue == *name)) {
            return Err(Error::misuse(format!(
                "there is a slot limit for queue `{name}`, which this server does not serve"
            )));
        }
        let config = |(name, weight): &(Box<str>, u32)| QueueConfig {
            name: (**name).into(),
            weight: *weight,
            slots: slots.get(name).copied(),
        };
        Ok(self.queues.iter().map(config).collect())
    }
}
