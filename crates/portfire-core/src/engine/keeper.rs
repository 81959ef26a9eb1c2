//! The part that looks for work, promotes due jobs, fires due schedules, rescues the jobs of dead servers, deletes old
//! ones, and looks for those whose kind the server does not know.
//!
//! 1. A *poll* looks once for all of it. Everything else is done only when a poll, a promotion or a hint said
//!    that there is something to do, so an idle server asks one thing, now and then.
//! 2. The first poll waits for the first claim, a second at most: the claim tells the storage where to begin. From then
//!    on polls come every second while anything happens, and at doubling distances while nothing does, up to what
//!    the server was told, and six times per lease at least, because a dead server rings no bell.
//! 3. Polls that take long, as those do that walk over what an old transaction may still see, are followed by a rest,
//!    whether they succeed or not, so that they take a twentieth of the time at most; but a lease at most, because a dead
//!    server waits for it. The first of them in a row rests for a second only: it may be a hiccup of the database.
//! 4. A poll or a promotion says when the next job and the next slot are due: the promotion then comes by
//!    itself.
//! 5. Jobs that a poll found and a claim did not get are looked at, once a minute, and with a rest as after polls: their
//!    kind may be one that nobody here knows.
//! 6. A promotion or a firing that failed is tried again by itself, after a second or after as long as it took.
//!
//! Each duty has a time of its own and at most one call in flight. Every server does all of them; that
//! two servers do the same is harmless, because every write is guarded.

use std::sync::Arc;
use std::time::Duration;

use super::{Config, Effect, Moment, NEVER};
use crate::limits::SCHEDULES_MAX;
use crate::storage::{Polled, Promoted};

/// Most jobs promoted or pruned in one call: a thousand short writes stay under some 20 ms.
const BATCH: u32 = 1_000;
/// Most jobs rescued in one call.
const SWEEP_BATCH: u32 = 200;
/// The time between two polls while something happens.
const POLL_FIRST: Duration = Duration::from_secs(1);
/// The rest after a poll, and after a look for strangers, in how long it took.
const POLL_REST: u32 = 19;
/// The longest rest after a poll that took long, if the one before it did not.
const POLL_REST_ONCE: Duration = POLL_FIRST;
/// The least time until what failed is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Promotions that hints ask for, or what others hold, are at least this far apart.
const HINTED_EVERY: Duration = Duration::from_millis(50);
/// How often strangers are looked for, if there may be some.
const STRANGERS_EVERY: Duration = Duration::from_secs(60);
/// How often old jobs are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How often, while nothing happens and none was found. What is kept for a day is not missed five minutes later.
const PRUNE_IDLE: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Keeper {
    /// The names of those that are served.
    queues: Arc<[Arc<str>]>,
    poll: Duty,
    has_claimed: bool,
    /// The last poll took long.
    polled_slowly: bool,
    /// The longest rest after a poll.
    rest_max: Duration,
    promote: Duty,
    fire: Duty,
    sweep: Duty,
    prune: Duty,
    strangers: Duty,
    pace: Pace,
    /// Rescues are this far apart: what was rescued last is settled by then.
    sweep_every: Duration,
    swept_at: Option<Moment>,
    pruned_at: Moment,
    hinted_at: Moment,
    /// The last look for due schedules found as many as it may: there are more.
    more_schedules: bool,
}

/// How far polls are apart.
#[derive(Debug)]
struct Pace {
    now: Duration,
    /// The longest, while hints are heard and while they are not.
    longest: Duration,
    longest_alone: Duration,
    listens: bool,
    /// Something has happened since the last poll, and since the last pruning.
    polled_stirred: bool,
    pruned_stirred: bool,
}

/// Something to be done now and then, one call at a time.
#[derive(Debug)]
struct Duty {
    at: Moment,
    in_flight: bool,
    began: Moment,
    /// Whatever is asked.
    not_before: Moment,
}

impl Duty {
    const fn at(at: Moment) -> Self {
        Self { at, in_flight: false, began: Duration::ZERO, not_before: Duration::ZERO }
    }

    /// Not before it is asked for.
    const fn on_demand() -> Self {
        Self::at(NEVER)
    }

    fn take(&mut self, now: Moment) -> bool {
        let due = now >= self.next();
        if due {
            *self = Self { at: NEVER, in_flight: true, began: now, ..*self };
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

    /// The call failed: what made it fail is left alone for a while, whoever asks.
    fn failed(&mut self, now: Moment) {
        self.not_before = now + self.took(now).max(AGAIN_AFTER);
        self.done(self.not_before);
    }

    /// How long the call took that is done now.
    const fn took(&self, now: Moment) -> Duration {
        now.saturating_sub(self.began)
    }

    /// Leaves it alone for so many times as long as the call took that is done.
    fn rest(&mut self, now: Moment, times: u32, at_most: Duration) {
        self.not_before = now + self.took(now).saturating_mul(times).min(at_most);
    }

    fn next(&self) -> Moment {
        if self.in_flight { NEVER } else { self.at.max(self.not_before) }
    }
}

impl Pace {
    const fn longest(&self) -> Duration {
        if self.listens { self.longest } else { self.longest_alone }
    }

    fn first(&self) -> Duration {
        POLL_FIRST.min(self.longest())
    }

    /// The pause after a poll.
    fn next(&mut self) -> Duration {
        let doubled = if self.polled_stirred { POLL_FIRST } else { self.now * 2 };
        self.polled_stirred = false;
        self.now = doubled.min(self.longest());
        self.now
    }
}

impl Keeper {
    /// Polls and, where that finds reason to, sweeps six times per lease: every 5 s for 30 s.
    pub(super) fn new(config: &Config) -> Self {
        let sweep_every = config.lease / 6;
        Self {
            queues: config.queues.iter().map(|queue| Arc::clone(&queue.name)).collect(),
            poll: Duty::at(POLL_FIRST),
            has_claimed: false,
            polled_slowly: false,
            rest_max: config.lease,
            promote: Duty::on_demand(),
            fire: Duty::on_demand(),
            sweep: Duty::on_demand(),
            prune: Duty::at(Duration::ZERO),
            strangers: Duty::on_demand(),
            pace: Pace {
                now: POLL_FIRST,
                longest: config.poll.min(sweep_every),
                longest_alone: config.poll_alone.min(sweep_every),
                listens: false,
                polled_stirred: true,
                pruned_stirred: true,
            },
            sweep_every,
            swept_at: None,
            pruned_at: Duration::ZERO,
            hinted_at: Duration::ZERO,
            more_schedules: false,
        }
    }

    /// Something happened, so more may happen: it is worth looking again soon.
    pub(super) fn stir(&mut self, now: Moment) {
        (self.pace.polled_stirred, self.pace.pruned_stirred) = (true, true);
        self.poll.ask(now + self.pace.first());
        self.prune.ask(now.max(self.pruned_at + PRUNE_EVERY));
    }

    /// A claim was answered.
    pub(super) fn claimed(&mut self, now: Moment) {
        if !std::mem::replace(&mut self.has_claimed, true) {
            self.poll.ask(now);
        }
    }

    /// Whether hints would be heard.
    pub(super) fn listens(&mut self, now: Moment, listens: bool) {
        if self.pace.listens && !listens {
            self.poll.ask(now + self.pace.longest_alone);
        }
        self.pace.listens = listens;
    }

    pub(super) const fn is_alone(&self) -> bool {
        !self.pace.listens
    }

    /// Something changed: a job may be due earlier than was known.
    pub(super) fn hint(&mut self, now: Moment) {
        self.stir(now);
        self.promote.ask(now.max(self.hinted_at + HINTED_EVERY));
    }

    /// A job of this server's own becomes due then.
    pub(super) fn expect(&mut self, at: Moment) {
        self.promote.ask(at);
    }

    pub(super) fn step(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.poll.take(now) {
            effects.push(Effect::Poll(Arc::clone(&self.queues)));
        }
        if self.promote.take(now) {
            self.hinted_at = now;
            effects.push(Effect::Promote(BATCH));
        }
        if self.fire.take(now) {
            effects.push(Effect::LookForSchedules(SCHEDULES_MAX));
        }
        if self.sweep.take(now) {
            self.swept_at = Some(now);
            effects.push(Effect::Sweep(SWEEP_BATCH));
        }
        if self.prune.take(now) {
            (self.pruned_at, self.pace.pruned_stirred) = (now, false);
            effects.push(Effect::Prune(BATCH));
        }
        if self.strangers.take(now) {
            effects.push(Effect::LookForStrangers);
        }
    }

    pub(super) fn next(&self) -> Moment {
        let duties = [&self.poll, &self.promote, &self.fire, &self.sweep, &self.prune, &self.strangers];
        duties.into_iter().map(Duty::next).min().unwrap_or(NEVER)
    }

    pub(super) fn polled(&mut self, now: Moment, answer: Option<Polled>) {
        self.rest_after_poll(now);
        // One that failed has seen nothing, so it is not waited for longer.
        self.pace.polled_stirred |= answer.is_none();
        self.poll.done(now + self.pace.next());
        let Some(found) = answer else { return };
        self.due(now, found.next, found.next_slot);
        if found.expired {
            self.sweep.ask(self.swept_at.map_or(now, |at| now.max(at + self.sweep_every)));
        }
    }

    fn rest_after_poll(&mut self, now: Moment) {
        let at_most = if self.polled_slowly { self.rest_max } else { POLL_REST_ONCE };
        self.polled_slowly = self.poll.took(now).saturating_mul(POLL_REST) > POLL_REST_ONCE;
        self.poll.rest(now, POLL_REST, at_most);
    }

    pub(super) fn promoted(&mut self, now: Moment, answer: Option<Promoted>) {
        let Some(answer) = answer else { return self.promote.failed(now) };
        self.promote.done(NEVER);
        let is_held = answer.count < BATCH && answer.next == Some(Duration::ZERO);
        self.due(now, answer.next.map(|next| if is_held { HINTED_EVERY } else { next }), answer.next_slot);
    }

    /// When the next job and the next slot are due.
    fn due(&mut self, now: Moment, next: Option<Duration>, next_slot: Option<Duration>) {
        // A slot that is due is not waited for here: firing asks for the next promotion when it is done.
        let later_slot = next_slot.filter(|wait| !wait.is_zero());
        if let Some(next) = [next, later_slot].into_iter().flatten().min() {
            self.promote.ask(now + next);
        }
        if next_slot == Some(Duration::ZERO) {
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

    /// The look or the firing failed.
    pub(super) fn firing_failed(&mut self, now: Moment) {
        self.fire.failed(now);
    }

    pub(super) fn swept(&mut self, now: Moment, count: Option<usize>) {
        let full = count.is_some_and(|count| count >= SWEEP_BATCH as usize);
        // A full batch means there are more; they are looked for once these have been settled.
        self.sweep.done(if full { now + self.sweep_every / 10 } else { NEVER });
    }

    pub(super) fn pruned(&mut self, now: Moment, answer: Option<u32>) {
        let pause = match answer {
            Some(count) if count >= BATCH => Duration::ZERO,
            Some(0) if !self.pace.pruned_stirred => PRUNE_IDLE,
            Some(_) | None => PRUNE_EVERY,
        };
        self.prune.done(now + pause);
    }

    /// There may be jobs of kinds that the server does not know.
    pub(super) fn suspect(&mut self, now: Moment) {
        self.strangers.ask(now);
    }

    pub(super) fn strangers_seen(&mut self, now: Moment) {
        self.strangers.rest(now, POLL_REST, self.rest_max);
        self.strangers.not_before = self.strangers.not_before.max(self.strangers.began + STRANGERS_EVERY);
        self.strangers.done(NEVER);
    }
}
