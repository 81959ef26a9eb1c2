//! When the next tick is due: pure arithmetic on a monotonic clock and, for cron, on the wall clock.
//!
//! Ticks never overlap. What came due while a tick ran is made up for by one tick, at once, which is told how
//! many others it stands for.

use std::time::Duration;

use portfire_core::{Cron, Dice, Error, Result, Timestamp, Zone};

use super::plan::Moment;

/// Most slots counted one by one after a long absence: more is "very many" to whoever reads it.
const MISSED_MAX: u64 = 10_000;

/// How often a periodic service ticks.
///
/// ```
/// use portfire::DurationExt;
/// use portfire::hosting::Every;
///
/// let on_the_minute = Every::interval(1.minute()).at_once();
/// let with_a_rest_between = Every::delay(1.hour()).jitter(5.minutes());
/// let nightly = Every::cron("0 2 * * *", "Asia/Taipei")?;
/// # let _ = (on_the_minute, with_a_rest_between, nightly);
/// # Ok::<(), portfire::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Every {
    cadence: Cadence,
    at_once: bool,
    jitter: Duration,
}

#[derive(Clone, Debug)]
enum Cadence {
    Rate(Duration),
    Delay(Duration),
    Cron(Box<(Cron, Zone)>),
}

impl Every {
    /// At a fixed rate: every `interval` from the start, however long a tick takes. An interval of zero is
    /// taken as a microsecond.
    pub fn interval(interval: Duration) -> Self {
        Self::new(Cadence::Rate(interval.max(Duration::from_micros(1))))
    }

    /// With a fixed rest: `delay` from the end of a tick to the begin of the next.
    pub const fn delay(delay: Duration) -> Self {
        Self::new(Cadence::Delay(delay))
    }

    /// By a cron expression, as in `0 2 * * *`, in the time of a zone, as in `Asia/Taipei` or `UTC`.
    ///
    /// # Errors
    /// Misuse if the expression or the zone is not understood, or the expression never comes due.
    pub fn cron(expression: &str, zone: &str) -> Result<Self> {
        let (cron, zone) = (Cron::parse(expression)?, Zone::named(zone)?);
        if cron.next_after(Timestamp::from_micros(0), &zone).is_none() {
            return Err(Error::misuse(format!("the cron expression `{expression}` never comes due")));
        }
        Ok(Self::new(Cadence::Cron(Box::new((cron, zone)))))
    }

    /// Also ticks at once when the host starts.
    #[must_use]
    pub const fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Delays each tick by a random time of at most this, so that many hosts do not tick together.
    #[must_use]
    pub const fn jitter(mut self, most: Duration) -> Self {
        self.jitter = most;
        self
    }

    const fn new(cadence: Cadence) -> Self {
        Self { cadence, at_once: false, jitter: Duration::ZERO }
    }
}

/// The present, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) moment: Moment,
    pub(super) wall: Timestamp,
}

/// A tick to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: At,
    /// Ticks that came due before it and are not made up for.
    pub(super) missed: u64,
}

/// When, and by which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Moment(Moment),
    Wall(Timestamp),
}

/// The ticks of one service: from one to the next.
#[derive(Debug)]
pub(super) struct Pace {
    every: Every,
    last: Option<Due>,
}

impl Pace {
    pub(super) const fn new(every: Every) -> Self {
        Self { every, last: None }
    }

    /// How long to delay the next tick.
    pub(super) fn jitter(&self, dice: &mut Dice) -> Duration {
        let most = u64::try_from(self.every.jitter.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(dice.below(most.saturating_add(1)))
    }

    /// The next tick, decided when the one before has ended; `None` if there is none.
    pub(super) fn next(&mut self, now: Now) -> Option<Due> {
        let due = match (self.last, &self.every.cadence) {
            (None, cadence) if self.every.at_once => Some(first_at_once(cadence, now)),
            (_, Cadence::Delay(delay)) => Some(Due::on_time(At::Moment(now.moment.saturating_add(*delay)))),
            (last, Cadence::Rate(interval)) => Some(next_by_rate(last, *interval, now.moment)),
            (last, Cadence::Cron(cron)) => next_by_cron(last, &cron.0, &cron.1, now.wall),
        };
        self.last = due;
        due
    }
}

impl Due {
    const fn on_time(at: At) -> Self {
        Self { at, missed: 0 }
    }
}

fn first_at_once(cadence: &Cadence, now: Now) -> Due {
    match cadence {
        Cadence::Cron(_) => Due::on_time(At::Wall(now.wall)),
        _ => Due::on_time(At::Moment(now.moment)),
    }
}

fn next_by_rate(last: Option<Due>, interval: Duration, now: Moment) -> Due {
    let next = match last.map(|due| due.at) {
        Some(At::Moment(last)) => last.saturating_add(interval),
        _ => now.saturating_add(interval),
    };
    let late = now.saturating_sub(next);
    let missed = late.as_nanos() / interval.as_nanos();
    let (missed, skipped) =
        (u64::try_from(missed).unwrap_or(u64::MAX), late.saturating_sub(remainder(late, interval)));
    Due { at: At::Moment(next.saturating_add(skipped)), missed }
}

fn remainder(of: Duration, by: Duration) -> Duration {
    let nanos = of.as_nanos() % by.as_nanos();
    Duration::new(
        u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX),
        u32::try_from(nanos % 1_000_000_000).unwrap_or(0),
    )
}

/// The first slot after the last one; if several have passed, the latest of them.
fn next_by_cron(last: Option<Due>, cron: &Cron, zone: &Zone, now: Timestamp) -> Option<Due> {
    let after = match last.map(|due| due.at) {
        Some(At::Wall(last)) => last,
        _ => now,
    };
    let mut slot = cron.next_after(after, zone)?;
    let mut missed = 0;
    while missed < MISSED_MAX
        && let Some(next) = cron.next_after(slot, zone).filter(|next| *next <= now)
    {
        (slot, missed) = (next, missed + 1);
    }
    if missed == MISSED_MAX {
        slot = now;
    }
    Some(Due { at: At::Wall(slot), missed })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Now {
        let moment = Duration::from_secs(seconds);
        Now { moment, wall: Timestamp::from_micros(0).after(moment) }
    }

    fn moment(due: Option<Due>) -> (u64, u64) {
        match due {
            Some(Due { at: At::Moment(moment), missed }) => (moment.as_secs(), missed),
            other => panic!("{other:?}"),
        }
    }

    fn wall(due: Option<Due>) -> (i64, u64) {
        match due {
            Some(Due { at: At::Wall(wall), missed }) => (wall.as_micros() / 1_000_000, missed),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_rate_keeps_its_beat_and_slow_ticks_coalesce() {
        let mut pace = Pace::new(Every::interval(MINUTE));
        assert_eq!(moment(pace.next(at(0))), (60, 0));
        assert_eq!(moment(pace.next(at(70))), (120, 0), "ten seconds of work do not shift the beat");
        assert_eq!(moment(pace.next(at(190))), (180, 0), "one is late: it comes at once");
        assert_eq!(moment(pace.next(at(500))), (480, 4), "240 to 480 are due: one tick stands for five");
        assert_eq!(moment(pace.next(at(501))), (540, 0));
    }

    #[test]
    fn a_delay_rests_after_each_tick() {
        let mut pace = Pace::new(Every::delay(MINUTE).at_once());
        assert_eq!(moment(pace.next(at(5))), (5, 0));
        assert_eq!(moment(pace.next(at(100))), (160, 0));
        assert_eq!(moment(pace.next(at(1_000))), (1_060, 0));
    }

    #[test]
    fn cron_slots_coalesce_and_never_come_twice() {
        let mut pace = Pace::new(Every::cron("*/10 * * * *", "UTC").unwrap());
        assert_eq!(wall(pace.next(at(1))), (600, 0));
        assert_eq!(wall(pace.next(at(599))), (1_200, 0), "a clock set back does not bring a slot again");
        assert_eq!(wall(pace.next(at(3_700))), (3_600, 3), "1800 to 3600 are due: one tick stands for four");
        assert_eq!(wall(pace.next(at(3_701))), (4_200, 0));
    }

    #[test]
    fn jitter_stays_within_its_bound() {
        let mut dice = Dice::from_seed([3, 4]);
        let pace = Pace::new(Every::interval(MINUTE).jitter(MINUTE));
        let delays: Vec<_> = (0..100).map(|_| pace.jitter(&mut dice)).collect();
        assert!(delays.iter().all(|delay| *delay <= MINUTE));
        assert!(delays.iter().any(|delay| *delay > MINUTE / 2));
        assert_eq!(Pace::new(Every::interval(MINUTE)).jitter(&mut dice), Duration::ZERO);
    }
}
