//! The part that promotes due jobs, fires due schedules, rescues the jobs of dead servers, and deletes old
//! ones.
//!
//! A promotion says when the next job and the next slot are due, so the keeper sleeps until then; it looks
//! for due schedules only when a promotion said that there are some.
//!
//! Each duty has a time of its own and at most one call in flight. Every server does all of them; that
//! two servers do the same is harmless, because every write is guarded.

use std::time::Duration;

use super::{Effect, Moment, NEVER};
use crate::limits::SCHEDULES_MAX;
use crate::storage::Promoted;

/// Most jobs promoted or pruned in one call: a thousand short writes stay under some 20 ms.
const BATCH: u32 = 1_000;
/// Most jobs rescued in one call.
const SWEEP_BATCH: u32 = 200;
/// Promotions that hints ask for are at least this far apart.
const HINTED_EVERY: Duration = Duration::from_millis(50);
/// How often old jobs are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Keeper {
    promote: Duty,
    fire: Duty,
    sweep: Duty,
    prune: Duty,
    promote_every: Duration,
    sweep_every: Duration,
    hinted_at: Moment,
    /// The last look for due schedules found as many as it may: there are more.
    more_schedules: bool,
}

/// Something to be done now and then, one call at a time.
#[derive(Debug)]
struct Duty {
    at: Moment,
    in_flight: bool,
}

impl Duty {
    const fn soon() -> Self {
        Self { at: Duration::ZERO, in_flight: false }
    }

    /// Not before it is asked for.
    const fn on_demand() -> Self {
        Self { at: NEVER, in_flight: false }
    }

    fn take(&mut self, now: Moment) -> bool {
        let due = !self.in_flight && now >= self.at;
        if due {
            *self = Self { at: NEVER, in_flight: true };
        }
        due
    }

    /// Asks for it at this moment, if not before. What is asked while a call is in flight comes after it,
    /// because that call may have looked too early.
    fn ask(&mut self, at: Moment) {
        self.at = self.at.min(at);
    }

    fn done(&mut self, next: Moment) {
        self.in_flight = false;
        self.ask(next);
    }

    const fn next(&self) -> Moment {
        if self.in_flight { NEVER } else { self.at }
    }
}

impl Keeper {
    /// Sweeps six times per lease: every 5 s for 30 s.
    pub(super) fn new(lease: Duration, poll: Duration) -> Self {
        Self {
            promote: Duty::soon(),
            fire: Duty::on_demand(),
            sweep: Duty::soon(),
            prune: Duty::soon(),
            promote_every: poll,
            sweep_every: lease / 6,
            hinted_at: Duration::ZERO,
            more_schedules: false,
        }
    }

    /// Something changed: a job may be due earlier than was known.
    pub(super) fn hint(&mut self, now: Moment) {
        self.promote.ask(now.max(self.hinted_at + HINTED_EVERY));
    }

    pub(super) fn step(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.promote.take(now) {
            self.hinted_at = now;
            effects.push(Effect::Promote(BATCH));
        }
        if self.fire.take(now) {
            effects.push(Effect::LookForSchedules(SCHEDULES_MAX));
        }
        if self.sweep.take(now) {
            effects.push(Effect::Sweep(SWEEP_BATCH));
        }
        if self.prune.take(now) {
            effects.push(Effect::Prune(BATCH));
        }
    }

    pub(super) fn next(&self) -> Moment {
        let (promote, fire) = (self.promote.next(), self.fire.next());
        promote.min(fire).min(self.sweep.next()).min(self.prune.next())
    }

    pub(super) fn promoted(&mut self, now: Moment, answer: Option<Promoted>) {
        let answer = answer.unwrap_or_default();
        // A slot that is due is not waited for here: firing asks for the next promotion when it is done.
        let next_slot = answer.next_slot.filter(|wait| !wait.is_zero());
        let next = [answer.next, next_slot].into_iter().flatten().min().unwrap_or(self.promote_every);
        self.promote.done(now + next.min(self.promote_every));
        if answer.next_slot == Some(Duration::ZERO) {
            self.fire.ask(now);
        }
    }

    /// This many schedules are due.
    pub(super) fn schedules_seen(&mut self, count: usize) {
        self.more_schedules = count >= SCHEDULES_MAX as usize;
    }

    /// Due schedules were fired, or there were none: the next promotion tells what is left, unless it is
    /// known that there are more.
    pub(super) fn fired(&mut self, now: Moment) {
        self.fire.done(if std::mem::take(&mut self.more_schedules) { now } else { NEVER });
        self.hint(now);
    }

    /// The look or the firing failed: what made it fail is not asked again and again.
    pub(super) fn firing_failed(&mut self, now: Moment) {
        self.fire.done(NEVER);
        self.promote.ask(now + self.promote_every);
    }

    pub(super) fn swept(&mut self, now: Moment, count: Option<usize>) {
        let full = count.is_some_and(|count| count >= SWEEP_BATCH as usize);
        // A full batch means there are more; they are looked for once these have been settled.
        self.sweep.done(now + if full { self.sweep_every / 10 } else { self.sweep_every });
    }

    pub(super) fn pruned(&mut self, now: Moment, answer: Option<u32>) {
        let full = answer.is_some_and(|count| count >= BATCH);
        self.prune.done(now + if full { Duration::ZERO } else { PRUNE_EVERY });
    }
}
