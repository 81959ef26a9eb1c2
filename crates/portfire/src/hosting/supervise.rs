//! What becomes of a service that ended by itself: pure arithmetic over its failures.
//!
//! [`Supervision::ended`] is the only decision. A run that lasted long enough forgives the failures before
//! it, so that a service that fails once a day never gives up.

use std::time::Duration;

use portfire_core::{Backoff, Dice};

use crate::JobError;
use crate::job_error::Treatment;

/// What to do when a service fails.
#[derive(Clone, Debug)]
pub enum OnFailure {
    /// Start it again after a while, and give up after too many failures in a row.
    Restart(Restart),
    /// Stop the host; its exit code says that it failed.
    StopHost,
    /// Leave it dead. The host goes on and reports itself unhealthy.
    LeaveDead,
}

impl Default for OnFailure {
    fn default() -> Self {
        Self::Restart(Restart::default())
    }
}

impl From<Restart> for OnFailure {
    fn from(restart: Restart) -> Self {
        Self::Restart(restart)
    }
}

/// How a failed service is started again.
///
/// ```
/// use portfire::hosting::Restart;
/// use portfire::{Backoff, DurationExt};
///
/// let patient = Restart::new().limit(100).backoff(Backoff::Fixed(5.seconds()));
/// let stubborn = Restart::new().for_ever();
/// # let _ = (patient, stubborn);
/// ```
#[derive(Clone, Debug)]
pub struct Restart {
    limit: Option<u32>,
    backoff: Backoff,
    forgiven_after: Duration,
    then: GiveUp,
}

/// What follows when restarting did not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum GiveUp {
    /// Stop the host; its exit code says that it failed. The default: a supervisor above can then help.
    #[default]
    StopHost,
    /// Leave the service dead and the host unhealthy.
    LeaveDead,
}

impl Default for Restart {
    fn default() -> Self {
        let (base, cap) = (Duration::from_secs(1), Duration::from_secs(60));
        Self {
            limit: Some(10),
            backoff: Backoff::exponential(base, cap),
            forgiven_after: Duration::from_secs(5 * 60),
            then: GiveUp::StopHost,
        }
    }
}

impl Restart {
    /// At most 10 restarts in a row, after 1 s, 2 s, 4 s … 60 s (a quarter of it random, about five minutes
    /// in all); a run of 5 minutes forgives what was before; then the host stops.
    pub fn new() -> Self {
        Self::default()
    }

    /// Most restarts in a row. Default 10.
    #[must_use]
    pub const fn limit(mut self, restarts: u32) -> Self {
        self.limit = Some(restarts);
        self
    }

    /// Never gives up.
    #[must_use]
    pub const fn for_ever(mut self) -> Self {
        self.limit = None;
        self
    }

    /// How long to wait before each restart.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How long a run must last for earlier failures to be forgiven. Default 5 minutes.
    #[must_use]
    pub const fn forgiven_after(mut self, run: Duration) -> Self {
        self.forgiven_after = run;
        self
    }

    /// What follows when the limit is reached. Default: the host stops.
    #[must_use]
    pub const fn then(mut self, give_up: GiveUp) -> Self {
        self.then = give_up;
        self
    }
}

/// What to do when a service ends well before it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnEnd {
    /// Nothing; the health report shows it as *finished*. The default.
    #[default]
    Nothing,
    /// Stop the host, with exit code 0: for programs that do one thing and end.
    StopHost,
    /// It should not end: treat it as a failure.
    Fail,
}

/// The failures of one service so far.
#[derive(Debug)]
pub(super) struct Supervision {
    on_failure: OnFailure,
    in_a_row: u32,
}

/// What becomes of a service that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    RestartAfter(Duration),
    StopHost,
    LeaveDead,
}

impl Supervision {
    pub(super) const fn new(on_failure: OnFailure) -> Self {
        Self { on_failure, in_a_row: 0 }
    }

    /// Restarts since the last good run.
    pub(super) const fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// How long a run must last to make up for the failures before it; `None` if no run follows a failure.
    pub(super) const fn forgiven_after(&self) -> Option<Duration> {
        match &self.on_failure {
            OnFailure::Restart(restart) => Some(restart.forgiven_after),
            OnFailure::StopHost | OnFailure::LeaveDead => None,
        }
    }

    /// Decides about a run that lasted this long and failed. The error may know better than the policy: when
    /// to come back, or that it is no use.
    pub(super) fn ended(&mut self, ran_for: Duration, error: &JobError, dice: &mut Dice) -> Verdict {
        let OnFailure::Restart(restart) = &self.on_failure else {
            return if matches!(self.on_failure, OnFailure::StopHost) {
                Verdict::StopHost
            } else {
                Verdict::LeaveDead
            };
        };
        if ran_for >= restart.forgiven_after {
            self.in_a_row = 0;
        }
        let give_up = match restart.then {
            GiveUp::StopHost => Verdict::StopHost,
            GiveUp::LeaveDead => Verdict::LeaveDead,
        };
        if let Treatment::Snooze(after) = error.treatment() {
            return Verdict::RestartAfter(after);
        }
        if error.treatment() == Treatment::NoRetry
            || restart.limit.is_some_and(|limit| self.in_a_row >= limit)
        {
            return give_up;
        }
        self.in_a_row += 1;
        let after = match error.treatment() {
            Treatment::RetryAfter(after) => after,
            _ => restart.backoff.delay(self.in_a_row, dice),
        };
        Verdict::RestartAfter(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn fail(supervision: &mut Supervision, ran_for: Duration) -> Verdict {
        let mut dice = Dice::from_seed([1, 2]);
        supervision.ended(ran_for, &JobError::message("boom"), &mut dice)
    }

    fn restarting(restart: Restart) -> Supervision {
        Supervision::new(restart.into())
    }

    #[test]
    fn it_gives_up_after_its_limit() {
        let fixed = Restart::new().backoff(Backoff::Fixed(SECOND)).limit(2);
        let mut supervision = restarting(fixed.clone());
        assert_eq!(fail(&mut supervision, SECOND), Verdict::RestartAfter(SECOND));
        assert_eq!(fail(&mut supervision, SECOND), Verdict::RestartAfter(SECOND));
        assert_eq!(fail(&mut supervision, SECOND), Verdict::StopHost);
        let mut supervision = restarting(fixed.limit(0).then(GiveUp::LeaveDead));
        assert_eq!(fail(&mut supervision, SECOND), Verdict::LeaveDead);
    }

    #[test]
    fn a_long_run_forgives() {
        let mut supervision = restarting(Restart::new().limit(1).forgiven_after(60 * SECOND));
        for _ in 0..100 {
            assert!(matches!(fail(&mut supervision, 60 * SECOND), Verdict::RestartAfter(_)));
        }
        assert_eq!(fail(&mut supervision, 59 * SECOND), Verdict::StopHost);
    }

    #[test]
    fn an_error_that_knows_better_is_obeyed() {
        let mut dice = Dice::from_seed([1, 2]);
        let mut supervision = restarting(Restart::new().limit(1));
        let later = JobError::message("busy").retry_after(7 * SECOND);
        assert_eq!(supervision.ended(SECOND, &later, &mut dice), Verdict::RestartAfter(7 * SECOND));
        let snooze = JobError::snooze(3 * SECOND);
        assert_eq!(supervision.ended(SECOND, &snooze, &mut dice), Verdict::RestartAfter(3 * SECOND));
        let mut supervision = restarting(Restart::new().for_ever());
        let useless = JobError::message("a typo").no_retry();
        assert_eq!(supervision.ended(SECOND, &useless, &mut dice), Verdict::StopHost);
    }

    #[test]
    fn the_waits_grow_to_their_cap() {
        let mut supervision = restarting(Restart::new().for_ever());
        let mut last = Duration::ZERO;
        for _ in 0..20 {
            let Verdict::RestartAfter(after) = fail(&mut supervision, SECOND) else { panic!("it gave up") };
            assert!(after >= SECOND * 3 / 4 && after <= 60 * SECOND, "{after:?}");
            last = after;
        }
        assert!(last >= 45 * SECOND, "{last:?}");
    }
}
