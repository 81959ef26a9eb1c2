//! The end of a server: running → quiet → draining → interrupting → aborting → stopped.
//!
//! Two may want it quiet: its owner, for good, and an operator, until they order it to run again. An operator's
//! order to stop is a stop like any other.
//!
//! Draining lets running jobs finish. When a fifth of the time (at most 5 s) is left they are asked to
//! stop through their tokens; at the deadline they are dropped. Whatever did not finish goes back to
//! its queue, uncharged. What is still not written, or has still not ended, some seconds after that is left to the lease:
//! neither a database that is away nor a handler that blocks its thread keeps a process from ending.

use std::time::Duration;

use super::{Moment, NEVER};
use crate::storage::ServerOrder;

/// The longest time between asking a job to stop and dropping it.
const NOTICE_MAX: Duration = Duration::from_secs(5);

/// How long a server waits, once running jobs were dropped, for their ends and for what is to be written. A database that
/// fails over, or whose disk is busy, answers within that; one that does not may be away for hours.
const FAREWELL: Duration = Duration::from_secs(5);

/// Where a server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Takes and runs jobs.
    Running,
    /// Takes no more, finishes what it has, and stays.
    Quiet,
    /// Stops: lets running jobs finish.
    Draining,
    /// Has asked running jobs to stop.
    Interrupting,
    /// Has dropped running jobs.
    Aborting,
    /// Does nothing more.
    Stopped,
}

#[derive(Debug)]
pub(super) struct Shutdown {
    phase: Phase,
    /// An operator wants it quiet.
    ordered_quiet: bool,
    budget: Duration,
    interrupt_at: Moment,
    abort_at: Moment,
    give_up_at: Moment,
}

impl Shutdown {
    pub(super) const fn new(budget: Duration) -> Self {
        Self {
            phase: Phase::Running,
            ordered_quiet: false,
            budget,
            interrupt_at: NEVER,
            abort_at: NEVER,
            give_up_at: NEVER,
        }
    }

    pub(super) const fn phase(&self) -> Phase {
        match self.phase {
            Phase::Running if self.ordered_quiet => Phase::Quiet,
            phase => phase,
        }
    }

    pub(super) fn may_claim(&self) -> bool {
        self.phase() == Phase::Running
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.phase >= Phase::Draining
    }

    pub(super) fn quiet(&mut self) {
        self.phase = self.phase.max(Phase::Quiet);
    }

    /// What an operator wants, as every heartbeat says it anew.
    pub(super) fn ordered(&mut self, now: Moment, order: ServerOrder) {
        match order {
            ServerOrder::Run => self.ordered_quiet = false,
            ServerOrder::Quiet => self.ordered_quiet = true,
            ServerOrder::Stop => self.stop(now, Duration::MAX),
        }
    }

    /// Stops within the budget or `limit`, whichever is shorter. Asking again can only shorten it.
    pub(super) fn stop(&mut self, now: Moment, limit: Duration) {
        let budget = self.budget.min(limit);
        // A budget of `Duration::MAX` is a way to say that there is none.
        let abort_at = now.saturating_add(budget);
        if self.is_stopping() && abort_at >= self.abort_at {
            return;
        }
        self.phase = self.phase.max(Phase::Draining);
        self.abort_at = abort_at;
        self.interrupt_at = self.abort_at.saturating_sub(NOTICE_MAX.min(budget / 5));
    }

    pub(super) const fn stopped(&mut self) {
        self.phase = Phase::Stopped;
    }

    /// Moves on if its time has come; says where to.
    pub(super) fn advance(&mut self, now: Moment) -> Option<Phase> {
        let next = match self.phase {
            Phase::Draining if now >= self.interrupt_at => Phase::Interrupting,
            Phase::Interrupting if now >= self.abort_at => Phase::Aborting,
            _ => return None,
        };
        if next == Phase::Aborting {
            // From now, and not from when it should have been: a process that stood still has not waited for anything.
            self.give_up_at = now.saturating_add(FAREWELL);
        }
        self.phase = next;
        Some(next)
    }

    /// Whether nothing is waited for any more.
    pub(super) fn gives_up(&self, now: Moment) -> bool {
        self.phase == Phase::Aborting && now >= self.give_up_at
    }

    pub(super) const fn next(&self) -> Moment {
        match self.phase {
            Phase::Draining => self.interrupt_at,
            Phase::Interrupting => self.abort_at,
            Phase::Aborting => self.give_up_at,
            _ => NEVER,
        }
    }
}
