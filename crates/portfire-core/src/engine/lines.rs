//! Exchanges in flight: at most two, of which at most one writes and at most one claims.
//!
//! 1. What has to be written and what is to be claimed goes together, in one round trip and one commit.
//! 2. Where both are batches that are worth a commit of their own they go side by side, and so does one that
//!    became so while the other is in flight: the storage works on one while the other travels.
//! 3. An exchange whose answer is lost is sent again, on its line: settlements are repeatable by their token, and
//!    the claim by its own. The repeat asks for what that claim took and for nothing new, because what it took may
//!    have been rescued meanwhile, and no token may fence two claims of one job.
//! 4. While anything is to be repeated, nothing else is sent.
//!
//! Writes have one order, because only one exchange that writes is in flight: what an attempt said is never behind
//! its outcome. Nothing that was taken here is dropped before the storage has answered, as long as the server lives.

use std::time::Duration;

use super::{Effect, Moment, NEVER};
use crate::storage::{Note, Want};
use crate::{Lease, Settlement, Target};

/// First wait after a failed exchange; it doubles up to the longest.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// Longest wait after failed exchanges: a returning database is used again within seconds.
const RETRY_LONGEST: Duration = Duration::from_secs(2);

/// On which of two lines an exchange is in flight. A line that is free takes the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The one that is taken while nothing is in flight.
    First,
    /// Beside the first.
    Second,
}

/// What an exchange asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) notes: Vec<Note>,
    pub(super) settlements: Vec<Settlement>,
    pub(super) want: Option<Want>,
}

/// What the engine wants to find again when the answer is here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// The lapses of the lease when it was first sent.
    pub(super) lapses: u32,
    /// How many attempts had ended.
    pub(super) ended: u64,
}

/// What the answered exchange had asked.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) asked: Asked,
    /// The lease of each settlement; `None` for a rescue, which another server may have won.
    pub(super) own: Vec<Option<Lease>>,
    pub(super) claim_limit: Option<u32>,
    /// How soon the first of the attempts that are to be made again is due.
    pub(super) again_after: Option<Duration>,
}

#[derive(Debug)]
struct Sent {
    request: Request,
    asked: Asked,
    failures: u32,
    /// It failed, and is to be repeated then.
    again_at: Option<Moment>,
}

#[derive(Debug, Default)]
pub(super) struct Lines {
    first: Option<Sent>,
    second: Option<Sent>,
}

impl Lines {
    /// Whether nothing is in flight, nor to be repeated.
    pub(super) const fn are_free(&self) -> bool {
        self.first.is_none() && self.second.is_none()
    }

    /// Whether something is to be repeated.
    pub(super) fn are_repeating(&self) -> bool {
        self.taken().any(|sent| sent.again_at.is_some())
    }

    /// When the first is to be repeated.
    pub(super) fn repeat_at(&self) -> Moment {
        self.taken().filter_map(|sent| sent.again_at).min().unwrap_or(NEVER)
    }

    /// Whether one that writes is in flight.
    pub(super) fn are_writing(&self) -> bool {
        self.taken().any(|sent| !(sent.request.notes.is_empty() && sent.request.settlements.is_empty()))
    }

    /// Whether one that claims is in flight.
    pub(super) fn are_claiming(&self) -> bool {
        self.taken().any(|sent| sent.request.want.is_some())
    }

    /// How many outcomes are not known to be written.
    pub(super) fn unwritten(&self) -> usize {
        self.taken().map(|sent| sent.request.settlements.len()).sum()
    }

    /// The line for the next exchange.
    pub(super) const fn free(&self) -> Option<Line> {
        match (&self.first, &self.second) {
            (None, _) => Some(Line::First),
            (Some(_), None) => Some(Line::Second),
            (Some(_), Some(_)) => None,
        }
    }

    pub(super) fn send(&mut self, line: Line, request: Request, asked: Asked) -> Effect {
        let effect = effect(line, &request);
        *self.on(line) = Some(Sent { request, asked, failures: 0, again_at: None });
        effect
    }

    /// Sends again what is to be repeated by now.
    pub(super) fn send_again(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        for line in [Line::First, Line::Second] {
            let Some(sent) = self.on(line).as_mut() else { continue };
            if sent.again_at.take_if(|at| now >= *at).is_some() {
                effects.push(effect(line, &sent.request));
            }
        }
    }

    pub(super) fn answered(&mut self, line: Line) -> Option<Answered> {
        let Sent { request, asked, .. } = self.on(line).take()?;
        Some(Answered {
            asked,
            own: request.settlements.iter().map(own_lease).collect(),
            again_after: request.settlements.iter().filter_map(again_after).min(),
            claim_limit: request.want.map(|want| want.limit),
        })
    }

    pub(super) fn failed(&mut self, line: Line, now: Moment) {
        if let Some(sent) = self.on(line) {
            let doubled = RETRY_FIRST.saturating_mul(1 << sent.failures.min(10));
            sent.failures += 1;
            sent.again_at = Some(now + doubled.min(RETRY_LONGEST));
            sent.request.want.iter_mut().for_each(|want| want.limit = 0);
        }
    }

    const fn on(&mut self, line: Line) -> &mut Option<Sent> {
        match line {
            Line::First => &mut self.first,
            Line::Second => &mut self.second,
        }
    }

    fn taken(&self) -> impl Iterator<Item = &Sent> {
        self.first.iter().chain(&self.second)
    }
}

fn effect(line: Line, request: &Request) -> Effect {
    let Request { notes, settlements, want } = request.clone();
    Effect::Exchange { line, notes, settlements, want }
}

fn own_lease(settlement: &Settlement) -> Option<Lease> {
    (!settlement.only_if_expired).then_some(settlement.lease)
}

/// How long until the job is due again; `None` if it has ended, or may run at once.
fn again_after(settlement: &Settlement) -> Option<Duration> {
    match settlement.to {
        Target::Again { after, .. } => Some(after).filter(|after| !after.is_zero()),
        Target::Finished { .. } => None,
    }
}
