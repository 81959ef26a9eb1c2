//! Gathers what has to be written. At most one exchange is in flight, so batches form by themselves
//! under load, and an idle system pays no delay.
//!
//! An exchange whose answer is lost is sent again: settlements are repeatable by their token, and the
//! claim by its own. The repeat asks for what that claim took and for nothing new, because what it took may
//! have been rescued meanwhile, and no token may fence two claims of one job. Nothing that was gathered is
//! dropped before the storage has answered.

use std::time::Duration;

use super::{Effect, Moment, NEVER};
use crate::storage::{Note, Want};
use crate::{Lease, Settlement, Target};

/// How often running attempts are asked what they said: twice a second is what an eye can follow.
const NOTES_EVERY: Duration = Duration::from_millis(500);
/// First wait after a failed exchange; it doubles up to the longest.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// Longest wait after failed exchanges: a returning database is used again within seconds.
const RETRY_LONGEST: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Flush {
    notes: Vec<Note>,
    settlements: Vec<Settlement>,
    in_flight: Option<Sent>,
    /// The request to be repeated after a failure, not before this moment.
    repeat: Option<(Request, Moment)>,
    failures: u32,
    /// Somebody wants an exchange even if there is nothing to write (to learn of cancel requests).
    asked: bool,
    ended_in_flight: u32,
    ended_last: u32,
    notes_at: Moment,
}

#[derive(Debug)]
struct Sent {
    request: Request,
}

#[derive(Clone, Debug)]
struct Request {
    notes: Vec<Note>,
    settlements: Vec<Settlement>,
    want: Option<Want>,
}

/// What the answered exchange had asked.
#[derive(Debug, Default)]
pub(super) struct Answered {
    pub(super) leases: Vec<Lease>,
    pub(super) claim_limit: Option<u32>,
    /// How soon the first of the attempts that are to be made again is due.
    pub(super) again_after: Option<Duration>,
}

impl Default for Flush {
    fn default() -> Self {
        Self {
            notes: Vec::new(),
            settlements: Vec::new(),
            in_flight: None,
            repeat: None,
            failures: 0,
            asked: false,
            ended_in_flight: 0,
            ended_last: 0,
            notes_at: Duration::ZERO,
        }
    }
}

impl Flush {
    pub(super) fn note(&mut self, mut notes: Vec<Note>) {
        self.notes.append(&mut notes);
    }

    pub(super) fn settle(&mut self, settlement: Settlement) {
        self.settlements.push(settlement);
        self.ended_in_flight = self.ended_in_flight.saturating_add(1);
    }

    pub(super) fn ask(&mut self) {
        self.asked = true;
    }

    /// How many attempts ended during the last round trip.
    pub(super) const fn ended_last(&self) -> u32 {
        self.ended_last
    }

    pub(super) fn has_something(&self) -> bool {
        self.asked || !self.settlements.is_empty() || !self.notes.is_empty() || self.repeat.is_some()
    }

    pub(super) fn is_idle(&self) -> bool {
        let nothing = self.settlements.is_empty() && self.notes.is_empty() && self.repeat.is_none();
        nothing && self.in_flight.is_none()
    }

    pub(super) fn may_send(&self, now: Moment) -> bool {
        self.in_flight.is_none() && self.repeat.as_ref().is_none_or(|(_, at)| now >= *at)
    }

    /// Whether the next exchange is a repetition.
    pub(super) const fn repeats(&self) -> bool {
        self.repeat.is_some()
    }

    /// When a failed exchange is to be repeated.
    pub(super) fn retry_at(&self) -> Moment {
        self.repeat.as_ref().map_or(NEVER, |(_, at)| *at)
    }

    pub(super) fn notes_due(&mut self, now: Moment) -> bool {
        let due = now >= self.notes_at;
        if due {
            self.notes_at = now + NOTES_EVERY;
        }
        due
    }

    pub(super) const fn notes_at(&self) -> Moment {
        self.notes_at
    }

    /// Sends what there is: first a repetition, on its own; then everything gathered.
    pub(super) fn send(&mut self, want: Option<Want>) -> Effect {
        let request = match self.repeat.take() {
            Some((request, _)) => request,
            None => Request {
                notes: std::mem::take(&mut self.notes),
                settlements: std::mem::take(&mut self.settlements),
                want,
            },
        };
        self.asked = false;
        self.ended_last = self.ended_in_flight;
        self.ended_in_flight = 0;
        let Request { notes, settlements, want } = request.clone();
        self.in_flight = Some(Sent { request });
        Effect::Exchange { notes, settlements, want }
    }

    pub(super) fn answered(&mut self) -> Answered {
        self.failures = 0;
        let Some(Sent { request }) = self.in_flight.take() else { return Answered::default() };
        Answered {
            leases: request.settlements.iter().map(|settlement| settlement.lease).collect(),
            again_after: request.settlements.iter().filter_map(again_after).min(),
            claim_limit: request.want.map(|want| want.limit),
        }
    }

    pub(super) fn failed(&mut self, now: Moment) {
        let doubled = RETRY_FIRST.saturating_mul(1 << self.failures.min(10));
        self.failures += 1;
        if let Some(Sent { mut request }) = self.in_flight.take() {
            request.want.iter_mut().for_each(|want| want.limit = 0);
            self.repeat = Some((request, now + doubled.min(RETRY_LONGEST)));
        }
    }
}

/// How long until the job is due again; `None` if it has ended, or may run at once.
fn again_after(settlement: &Settlement) -> Option<Duration> {
    match settlement.to {
        Target::Again { after, .. } => Some(after).filter(|after| !after.is_zero()),
        Target::Finished { .. } => None,
    }
}
