//! When to claim, how many, and from which queues first.
//!
//! The server is *hungry* after a hint, a poll that found something, or a claim that was filled to its limit; it
//! is sated when a claim came back short. A claim goes through the queues in an order: as configured, or drawn anew
//! each time by weight, so that every queue comes first in proportion to its weight and none starves.

use std::sync::Arc;

use crate::limits::CLAIM_MAX;
use crate::storage::{Want, WantQueue};
use crate::{Dice, Token};

/// One queue a server serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// Its name.
    pub name: Arc<str>,
    /// How often it comes first, against the others; only for weighted order. At least 1.
    pub weight: u32,
    /// Most of its jobs at once on this server; `None`: as many as there are slots.
    pub slots: Option<u32>,
}

/// How queues share a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueOrder {
    /// A queue is served only while those before it are empty.
    Strict,
    /// Queues come first in turn, drawn by weight.
    Weighted,
}

#[derive(Debug)]
pub(super) struct Fetch {
    queues: Vec<Lane>,
    order: QueueOrder,
    hungry: bool,
    /// The last claim was filled to its limit.
    backlog: bool,
    /// How many claims were made.
    claims: u64,
    find: Find,
}

/// What became of the jobs that a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Find {
    /// There were none, or a claim after that was made already.
    Nothing,
    /// There were some, and nothing has been claimed since.
    Seen,
    /// The last claim was the first after that.
    Asked,
}

#[derive(Debug)]
struct Lane {
    config: QueueConfig,
    /// Jobs of this queue that run or wait for a slot.
    held: u32,
}

impl Fetch {
    pub(super) fn new(queues: Vec<QueueConfig>, order: QueueOrder) -> Self {
        let queues = queues.into_iter().map(|config| Lane { config, held: 0 }).collect();
        Self { queues, order, hungry: true, backlog: false, claims: 0, find: Find::Nothing }
    }

    pub(super) fn hint_if(&mut self, there_may_be_work: bool) {
        self.hungry |= there_may_be_work;
    }

    /// A poll has found jobs in these queues.
    pub(super) const fn found(&mut self) {
        (self.hungry, self.find) = (true, Find::Seen);
    }

    pub(super) fn is_hungry(&self) -> bool {
        self.hungry
    }

    /// Whether the last claim was filled to its limit.
    pub(super) const fn has_backlog(&self) -> bool {
        self.backlog
    }

    /// A claim of up to `limit` jobs came back with `count`. Answers whether there are jobs that this server cannot
    /// claim, as far as it can tell: a poll found some, and it got none of them.
    pub(super) fn claimed(&mut self, limit: u32, count: usize) -> bool {
        self.backlog = u32::try_from(count).unwrap_or(u32::MAX) >= limit;
        self.hungry |= self.backlog;
        self.find == Find::Asked && count == 0
    }

    pub(super) fn took(&mut self, queue: &str) {
        let index = self.index_of(queue);
        if let Some(lane) = self.queues.get_mut(index) {
            lane.held += 1;
        }
    }

    pub(super) fn gave_back(&mut self, queue: &str) {
        let index = self.index_of(queue);
        self.released(index);
    }

    /// A job of this queue no longer takes part in its limit.
    pub(super) fn released(&mut self, index: usize) {
        if let Some(lane) = self.queues.get_mut(index) {
            lane.held = lane.held.saturating_sub(1);
            // A queue that was held back by its own limit may have more.
            self.hungry |= lane.config.slots.is_some();
        }
    }

    /// The queue's place; a job of a queue that is not served (it cannot come) would have none.
    pub(super) fn index_of(&self, queue: &str) -> usize {
        self.queues.iter().position(|lane| &*lane.config.name == queue).unwrap_or(usize::MAX)
    }

    /// What to claim, or nothing if all queues are at their limits. Sated until the answer says more.
    pub(super) fn want(&mut self, room: u32, kinds: &Arc<[Box<str>]>, dice: &mut Dice) -> Option<Want> {
        let limit = room.min(CLAIM_MAX);
        let queues: Vec<_> = self.in_order(dice).filter_map(|lane| lane.want(limit)).collect();
        if queues.is_empty() {
            return None;
        }
        self.hungry = false;
        self.find = if self.find == Find::Seen { Find::Asked } else { Find::Nothing };
        self.claims += 1;
        let token = fresh_token(self.claims, dice);
        Some(Want { token, limit, queues, kinds: Arc::clone(kinds) })
    }

    fn in_order(&self, dice: &mut Dice) -> impl Iterator<Item = &Lane> {
        let mut lanes: Vec<_> = self.queues.iter().collect();
        if self.order == QueueOrder::Weighted {
            // Efraimidis and Spirakis (2006): sorting by u^(1/w) draws without replacement by weight.
            let mut drawn: Vec<_> = lanes
                .into_iter()
                .map(|lane| (dice.fraction().powf(1.0 / f64::from(lane.config.weight.max(1))), lane))
                .collect();
            drawn.sort_by(|a, b| b.0.total_cmp(&a.0));
            lanes = drawn.into_iter().map(|(_, lane)| lane).collect();
        }
        lanes.into_iter()
    }
}

impl Lane {
    fn want(&self, limit: u32) -> Option<WantQueue> {
        let free = self.config.slots.map_or(limit, |slots| slots.saturating_sub(self.held).min(limit));
        (free > 0).then(|| WantQueue { name: Arc::clone(&self.config.name), limit: free })
    }
}

/// The number of the claim, so that a server's tokens grow, and 64 random bits, so that no two servers ever
/// hold one job by one fence.
fn fresh_token(number: u64, dice: &mut Dice) -> Token {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..].copy_from_slice(&dice.bits().to_be_bytes());
    Token::from_bytes(bytes)
}
