//! How a filtered list is read: which index is walked, what the walk passes by, and when it ends. Pure, so
//! that every backend does the same.
//!
//! 1. A [`Filter`] names a list, which has an order and an index of that order ([`Walk`]). Parts of the
//!    filter that the index knows narrow the walk; the others are looked up row by row.
//! 2. The walk ends when the page is full and one job more was found, when the list ends, or after
//!    [`WALK_MAX`] rows. Then the page says where to go on.
//!
//! Backwards it is the same: the walk goes along the index the other way, and the page is turned round at its end.
//!
//! So a page costs the same however long the list is and however rare what is looked for.

use std::ops::ControlFlow;

use super::{Cursor, Filter, JobSummary, Page, PageRequest};
use crate::limits::WALK_MAX;
use crate::{Result, State};

/// Along which index a list is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// All jobs by id, latest first. The filter's text, queue, kind and times are looked up.
    All,
    /// The jobs with the filter's tag by id, latest first. The rest is looked up.
    Tag,
    /// Jobs that wait or run, by id. All of the filter but its state is looked up.
    Place(State),
    /// Enqueued jobs in claim order; the filter's queue narrows the walk. The rest is looked up.
    Line,
    /// Scheduled or retrying jobs by due time; the filter's times narrow the walk. The rest is looked up.
    Due(State),
    /// Jobs that ended in a state, latest first; the filter's times narrow the walk. The rest is looked up.
    Ended(State),
    /// Failed jobs of the filter's group of failures, latest first; its times narrow the walk. The rest is
    /// looked up.
    Fault,
}

impl Walk {
    /// The walk for a filter; `None` if nothing can match, because only failed jobs are in a group of
    /// failures.
    pub const fn of(filter: &Filter) -> Option<Self> {
        match (filter.state, filter.fault, &filter.tag) {
            (None | Some(State::Failed), Some(_), _) => Some(Self::Fault),
            (Some(_), Some(_), _) => None,
            (None, None, Some(_)) => Some(Self::Tag),
            (None, None, None) => Some(Self::All),
            (Some(State::Enqueued), ..) => Some(Self::Line),
            (Some(state @ (State::Awaiting | State::Processing)), ..) => Some(Self::Place(state)),
            (Some(state @ (State::Scheduled | State::Retrying)), ..) => Some(Self::Due(state)),
            (Some(state), ..) => Some(Self::Ended(state)),
        }
    }

    /// Whether the filter's queue narrows the walk.
    pub const fn knows_queue(self) -> bool {
        matches!(self, Self::Line)
    }

    /// Whether the filter's times narrow the walk.
    pub const fn knows_times(self) -> bool {
        matches!(self, Self::Due(_) | Self::Ended(_) | Self::Fault)
    }

    /// Whether something of the filter has to be looked up row by row: then the walk may pass jobs by.
    pub const fn looks_up(self, filter: &Filter) -> bool {
        let tag = filter.tag.is_some() && !matches!(self, Self::Tag);
        let queue = filter.queue.is_some() && !self.knows_queue();
        let times = (filter.since.is_some() || filter.until.is_some()) && !self.knows_times();
        let without = !filter.without.is_empty();
        tag || queue || times || without || filter.kind.is_some() || filter.text.is_some()
    }
}

/// Puts a page together while a list is walked.
#[derive(Debug)]
pub struct Walker {
    limit: usize,
    page: Page,
    seen: u32,
    /// Where the last row is that may be walked.
    end: Option<Cursor>,
    done: bool,
    back: bool,
}

impl Walker {
    /// At the beginning of a page.
    pub fn new(request: &PageRequest) -> Self {
        let limit = request.bounded_limit() as usize;
        Self { limit, page: Page::default(), seen: 0, end: None, done: false, back: request.goes_back() }
    }

    /// Takes the next row of the walk: the job, if it matches, and how to say where the row is. Breaks when
    /// the page is done.
    ///
    /// # Errors
    /// What `place` reports.
    pub fn take(
        &mut self,
        job: Option<JobSummary>,
        place: impl FnOnce() -> Result<Cursor>,
    ) -> Result<ControlFlow<()>> {
        let page = &mut self.page;
        self.done = self.seen == WALK_MAX || (job.is_some() && page.jobs.len() == self.limit);
        if self.done && self.seen == WALK_MAX {
            (page.next, page.walked, page.exhausted) = (self.end.take(), self.seen, true);
        } else if self.done {
            page.next = page.jobs.last().map(Cursor::of);
        }
        if self.done {
            return Ok(ControlFlow::Break(()));
        }
        self.seen += 1;
        if let Some(job) = job {
            page.jobs.push(job);
            page.walked = self.seen;
        }
        if self.seen == WALK_MAX {
            self.end = Some(place()?);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The page, when the page is done or the list has ended.
    pub fn finish(mut self) -> Page {
        if !self.done {
            self.page.walked = self.seen;
        }
        if self.back {
            self.page.jobs.reverse();
        }
        self.page
    }
}
