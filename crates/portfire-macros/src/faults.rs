//! Everything that is wrong with one use of the attribute, to be shown at once.

use syn::{Error, Result};

/// Errors so far; mostly none.
#[derive(Default)]
pub(crate) struct Faults(Option<Error>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Error) {
        match &mut self.0 {
            Some(all) => all.combine(fault),
            none => *none = Some(fault),
        }
    }

    /// The value, if it is one; otherwise keeps what is wrong with it.
    pub(crate) fn of<T>(&mut self, value: Result<T>) -> Option<T> {
        value.map_err(|fault| self.add(fault)).ok()
    }

    /// The whole, if nothing was wrong with any part of it.
    pub(crate) fn or<T>(self, whole: T) -> Result<T> {
        self.0.map_or(Ok(whole), Err)
    }
}
