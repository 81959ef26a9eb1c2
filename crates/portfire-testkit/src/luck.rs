//! Dice with the questions that simulations and random histories ask.

use std::time::Duration;

use portfire_core::Dice;

/// A seeded source of decisions: the same seed decides the same.
#[derive(Debug)]
pub(crate) struct Luck(Dice);

impl Luck {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(Dice::from_seed([seed, 0x005E_ED0F_F14E]))
    }

    /// True this many times in a thousand.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.0.below(1_000) < per_mille
    }

    /// A whole number from `from` to `to`, both included.
    pub(crate) fn number(&mut self, from: u64, to: u64) -> u64 {
        from + self.0.below(to - from + 1)
    }

    /// A duration from `from` to `to` milliseconds, in whole microseconds.
    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_micros(self.number(from * 1_000, to * 1_000))
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = usize::try_from(self.0.below(from.len() as u64)).expect("an index of a slice fits usize");
        &from[index]
    }

    /// A source of its own for somebody else.
    pub(crate) fn dice(&mut self) -> Dice {
        Dice::from_seed([self.0.bits(), self.0.bits()])
    }

    /// One of these names.
    pub(crate) fn name(&mut self, names: &[&'static str]) -> &'static str {
        names[usize::try_from(self.0.below(names.len() as u64)).expect("an index of a slice fits usize")]
    }
}
