//! Gathers what has to be written. At most one exchange that writes is in flight, so batches form by themselves
//! under load, and an idle system pays no delay.

use std::time::Duration;

use super::Moment;
use super::lines::Request;
use crate::Settlement;
use crate::storage::Note;

/// How often running attempts are asked what they said: twice a second is what an eye can follow.
const NOTES_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(super) struct Flush {
    notes: Vec<Note>,
    settlements: Vec<Settlement>,
    /// Somebody wants an exchange even if there is nothing to write (to learn of cancel requests).
    asked: bool,
    notes_at: Moment,
}

impl Flush {
    pub(super) fn note(&mut self, mut notes: Vec<Note>) {
        self.notes.append(&mut notes);
    }

    pub(super) fn settle(&mut self, settlement: Settlement) {
        self.settlements.push(settlement);
    }

    pub(super) const fn ask(&mut self) {
        self.asked = true;
    }

    /// How many outcomes wait to be sent.
    pub(super) const fn outcomes(&self) -> usize {
        self.settlements.len()
    }

    pub(super) const fn has_something(&self) -> bool {
        self.asked || !self.is_empty()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.settlements.is_empty() && self.notes.is_empty()
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

    /// Hands over what was gathered. Whatever exchange comes next will tell of cancel requests.
    pub(super) fn take(&mut self) -> Request {
        self.asked = false;
        Request {
            notes: std::mem::take(&mut self.notes),
            settlements: std::mem::take(&mut self.settlements),
            want: None,
        }
    }
}
