//! A stored job as its enqueuer holds it: its name, and the type of its result.

use std::fmt;
use std::marker::PhantomData;

use portfire_core::JobId;

use crate::Job;

/// A job that is stored.
///
/// ```no_run
/// use portfire::prelude::*;
///
/// #[job]
/// async fn double(number: u64) -> Result<u64, JobError> {
///     Ok(number * 2)
/// }
///
/// # async fn example() -> portfire::Result<()> {
/// let jobs = Jobs::connect("sqlite://jobs.db").await?;
/// let handle = double(21).enqueue(&jobs).await?;
/// let answer: Option<u64> = jobs.result(&handle).await?; // `Some(42)` once a server has run it
/// let again = JobHandle::<double>::of(handle.id()); // by its id, as after a restart
/// # let _ = (answer, again);
/// # Ok(())
/// # }
/// ```
pub struct JobHandle<J> {
    id: JobId,
    is_new: bool,
    job: PhantomData<fn() -> J>,
}

impl<J: Job> JobHandle<J> {
    /// A handle for a job that is known by its id, as after a restart.
    pub const fn of(id: JobId) -> Self {
        Self::stored(id, true)
    }

    pub(crate) const fn stored(id: JobId, is_new: bool) -> Self {
        Self { id, is_new, job: PhantomData }
    }

    /// The job's name.
    pub const fn id(&self) -> JobId {
        self.id
    }

    /// Whether this call stored it. `false`: a job with the same unique name had not ended, and this is
    /// that job; or the same id was stored before.
    pub const fn is_new(&self) -> bool {
        self.is_new
    }
}

impl<J> fmt::Debug for JobHandle<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobHandle({})", self.id)
    }
}

impl<J> Clone for JobHandle<J> {
    fn clone(&self) -> Self {
        Self { id: self.id, is_new: self.is_new, job: PhantomData }
    }
}

impl<J> From<JobHandle<J>> for JobId {
    fn from(handle: JobHandle<J>) -> Self {
        handle.id
    }
}

impl<J> From<&JobHandle<J>> for JobId {
    fn from(handle: &JobHandle<J>) -> Self {
        handle.id
    }
}
