//! Hosts, on a paused clock, and as real processes.

mod ailing;
mod background;
mod counted;
mod defaults;
mod durable;
#[cfg(unix)]
mod examples;
#[cfg(feature = "web")]
mod health;
mod lifecycle;
mod local;
mod periodic;
#[cfg(unix)]
mod process;
mod queue;
mod table;
#[cfg(feature = "web")]
mod troubles;

use std::sync::{Arc, Mutex};

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, entry: impl Into<String>) {
        self.0.lock().unwrap().push(entry.into());
    }

    pub(crate) fn entries(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, entry: &str) -> usize {
        self.entries().iter().filter(|other| *other == entry).count()
    }
}

/// Says in a diary when it is dropped.
pub(crate) struct Guard(pub(crate) Diary, pub(crate) &'static str);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}
