//! Says that jobs wait for a server that knows their kind: to find a forgotten `.job::<…>()` in the log and not
//! by wondering.
//!
//! 1. Where a poll found jobs and a claim got none of them it looks at the head of each queue that is served, once a
//!    minute at most. A kind that nobody here knows gathers there, because nothing takes its jobs away.
//! 2. Each such kind is named once in the life of a server.
//!
//! It changes nothing: such jobs wait, uncharged, and another server may know them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use portfire_core::storage::{Filter, JobSummary, PageRequest};
use portfire_core::{Result, State, Storage};

/// The kinds a server knows, and those it has spoken of.
#[derive(Debug)]
pub(super) struct Strangers {
    known: Arc<[Box<str>]>,
    queues: Vec<Box<str>>,
    named: Mutex<BTreeSet<Box<str>>>,
}

impl Strangers {
    pub(super) fn new(known: Arc<[Box<str>]>, queues: Vec<Box<str>>) -> Self {
        Self { known, queues, named: Mutex::default() }
    }

    /// Looks once. A look that fails is not repeated: the next one comes by itself.
    pub(super) async fn look(&self, storage: &dyn Storage) -> Result<()> {
        for queue in &self.queues {
            let waiting =
                Filter { state: Some(State::Enqueued), queue: Some(queue.clone()), ..Filter::default() };
            let page = storage.list(waiting, PageRequest::default()).await?;
            for kind in self.unnamed(&page.jobs) {
                tracing::warn!(
                    kind = &*kind,
                    queue = &**queue,
                    "jobs wait for a server that knows their kind; if this one should, add `.job::<…>()`"
                );
            }
        }
        Ok(())
    }

    /// The kinds among these jobs that are not known here and have not been named before.
    fn unnamed(&self, jobs: &[JobSummary]) -> Vec<Box<str>> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = jobs.iter().map(|job| &job.kind).filter(|kind| !self.known.contains(kind));
        unknown.filter(|kind| named.insert((*kind).clone())).cloned().collect()
    }
}
