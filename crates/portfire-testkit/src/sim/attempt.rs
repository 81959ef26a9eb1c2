//! What handlers do: succeed, fail in every way, take their time, ignore that they should stop, or take
//! their server down.

use std::time::Duration;

use portfire_core::engine::Moment;
use portfire_core::storage::{Claimed, LogLine, Note, Progress};
use portfire_core::{Facts, Fault, Json, Outcome, Timestamp};

use super::world::Play;
use crate::luck::Luck;

/// How long a handler may go on after it was asked to stop, before the server drops it.
const GRACE: Duration = Duration::from_secs(10);

/// An attempt that runs.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) facts: Facts,
    /// It was asked to stop.
    pub(super) is_interrupted: bool,
    /// When it ends by itself, or is dropped.
    pub(super) ends_at: Moment,
    /// How many lines it has logged.
    lines: u32,
    /// Stops soon after it is asked to.
    obeys: bool,
    ending: Ending,
}

/// How an attempt ends.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// In an outcome.
    Outcome(Outcome),
    /// With the end of its process.
    Kills,
}

impl Attempt {
    /// Decides what the handler will do, and how long it takes.
    pub(super) fn begin(claimed: &Claimed, now: Moment, luck: &mut Luck, play: Play) -> Self {
        let (mut takes, mut ending) = plan(&claimed.facts.kind, luck, play);
        if let Some(limit) = claimed.facts.policy.timeout.filter(|limit| *limit < takes) {
            (takes, ending) = (limit, Ending::Outcome(Outcome::TimedOut(limit)));
        }
        let facts = claimed.facts.clone();
        let obeys = luck.chance(700);
        Self { facts, is_interrupted: false, ends_at: now + takes, lines: 0, obeys, ending }
    }

    /// Asks it to stop. Says whether that changes when it ends.
    pub(super) fn interrupt(&mut self, now: Moment, luck: &mut Luck) -> bool {
        if std::mem::replace(&mut self.is_interrupted, true) {
            return false;
        }
        let stops_at = now + if self.obeys { luck.millis(0, 1_000) } else { GRACE };
        if self.ends_at <= stops_at {
            return false;
        }
        self.ends_at = stops_at;
        self.ending = Ending::Outcome(match luck.number(0, 9) {
            0 if self.obeys => Outcome::Succeeded(None),
            1 if self.obeys => Outcome::Cancelled(Fault::new("was asked to stop")),
            _ => Outcome::Interrupted,
        });
        true
    }

    /// Is dropped where it stands.
    pub(super) fn abort(&mut self, now: Moment) {
        (self.ends_at, self.ending) = (now, Ending::Outcome(Outcome::Interrupted));
    }

    /// How it ends. A failure after it was asked to stop is taken as the stopping.
    pub(super) fn end(self) -> Ending {
        match self.ending {
            Ending::Outcome(Outcome::Failed(_)) if self.is_interrupted => {
                Ending::Outcome(Outcome::Interrupted)
            }
            ending => ending,
        }
    }

    /// What it says: how far it is, and a line that names its claim.
    pub(super) fn notes(&mut self, now: Timestamp) -> Vec<Note> {
        self.lines += 1;
        let lease = self.facts.lease;
        let progress = Progress { done: u64::from(self.lines), total: None, message: None };
        let line = LogLine { at: now, attempt: self.facts.attempt, text: line_text(&self.facts, self.lines) };
        vec![Note::Progress(lease, progress), Note::Log(lease, line)]
    }
}

fn line_text(facts: &Facts, number: u32) -> Box<str> {
    format!("{} says {number}", facts.lease.token).into()
}

fn plan(kind: &str, luck: &mut Luck, play: Play) -> (Duration, Ending) {
    let fault = || Fault::new("it broke");
    let success = |luck: &mut Luck| Outcome::Succeeded(luck.chance(300).then(|| Json::trusted("[1]")));
    let outcome = match (kind, luck.number(0, 9)) {
        ("poison", _) => return (luck.millis(0, 2_000), Ending::Kills),
        ("flaky", 0..=2) => Outcome::Failed(fault()),
        ("flaky", 3) => Outcome::RetryAfter(fault(), luck.millis(0, 5_000)),
        ("flaky", 4) => Outcome::Panicked(fault()),
        ("flaky", 5) => Outcome::FailedForGood(fault()),
        ("flaky", 6) => Outcome::Undecodable(fault()),
        ("flaky", 7) => Outcome::Cancelled(fault()),
        ("snooze", 0..=5) if play == Play::Storm => Outcome::Snoozed(luck.millis(0, 8_000)),
        _ => success(luck),
    };
    let takes = if kind == "slow" { luck.millis(5_000, 60_000) } else { luck.millis(0, 3_000) };
    (takes, Ending::Outcome(outcome))
}
