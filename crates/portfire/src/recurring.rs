//! Recurring jobs as the application holds them: put one, look at it, pause it, run it now.
//!
//! The schedule lives in the storage; any server of the storage fires it, and each slot at most once. So an
//! application puts its schedules when it starts, on every host, and removes those it no longer wants.

use portfire_core::schedule::{Misfire, Order, Overlap, Schedule, ScheduleView, Template, trigger};
use portfire_core::storage::{Directed, Fired, Put, SlotView};
use portfire_core::{Error, JobId, Result, Start, Timestamp};

use crate::client::with_process_ids;
use crate::{Call, Job, Jobs};

/// How often a run that a person asks for is tried against firings that come between.
const TRIGGER_TRIES: u32 = 10;

/// A recurring job that has not been put yet. Nothing happens until [`upsert`](Self::upsert).
///
/// ```
/// use portfire::prelude::*;
/// # use portfire::ModelStorage;
///
/// #[job]
/// async fn cleanup_expired_data() {}
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let clock = std::sync::Arc::new(portfire_core::VirtualClock::default());
/// # let jobs = Jobs::new(std::sync::Arc::new(ModelStorage::new(clock)));
/// jobs.recurring("cleanup-expired-data", "0 2 * * *")
///     .time_zone("Asia/Taipei")
///     .overlap(Overlap::Skip)
///     .upsert(cleanup_expired_data())
///     .await?;
/// # Ok::<_, portfire::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a recurring job does nothing until it is put: `.upsert(your_job()).await`"]
pub struct Recurring<'j> {
    jobs: &'j Jobs,
    id: Box<str>,
    cron: Box<str>,
    zone: Box<str>,
    misfire: Misfire,
    overlap: Overlap,
}

impl Recurring<'_> {
    /// The zone in which the expression is read, by its IANA name. Default `UTC`.
    pub fn time_zone(mut self, name: impl Into<Box<str>>) -> Self {
        self.zone = name.into();
        self
    }

    /// What becomes of slots that passed while no server was there. Default: one run for all of them.
    pub fn misfire(mut self, misfire: Misfire) -> Self {
        self.misfire = misfire;
        self
    }

    /// What becomes of a slot while the run of an earlier one has not ended. Default: it runs beside it.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// Stores the schedule, or replaces the one with this id. Queue, priority, retries, timeout, retention
    /// and tags are those of the call.
    ///
    /// A known schedule keeps its next slot while its expression and zone stay the same, so putting it at
    /// every start moves nothing. One that is paused stays paused.
    ///
    /// # Errors
    /// Misuse if the expression or the zone is not understood, no slot ever comes, or the call has what
    /// only a single job can have: a time, a parent, a unique name or an id of its own.
    ///
    /// # Cancel safety
    /// If dropped, the schedule may or may not be stored; repeating the call is harmless.
    pub async fn upsert<J: Job>(self, call: impl Into<Call<J>>) -> Result<Put> {
        let job = template(&self.id, call.into())?;
        let Self { jobs, id, cron, zone, misfire, overlap } = self;
        let schedule = Schedule { id, cron, zone, misfire, overlap, job };
        let answers = jobs.storage().put_schedules(vec![schedule]).await?;
        answers.first().copied().ok_or_else(no_answer)
    }
}

/// What each run is made from.
fn template<J: Job>(id: &str, call: Call<J>) -> Result<Template> {
    // The id only stands in: each run gets one of its own.
    let own_id = call.has_id();
    let job = call.prepare(JobId::from_bytes([0; 16]))?;
    let single = [
        ("an id of its own", own_id),
        ("a time to start", job.start != Start::Now),
        ("a parent", !job.after.is_empty()),
        ("a unique name", job.unique.is_some()),
    ];
    match single.into_iter().find(|(_, said)| *said) {
        Some((what, _)) => Err(Error::misuse(format!(
            "the recurring job `{id}` is made from a call with {what}, which only a single job can have; for \
             runs that must not overlap use `.overlap(Overlap::Skip)`"
        ))),
        None => Ok(Template {
            kind: job.kind,
            queue: job.queue,
            priority: job.priority,
            args: job.args,
            policy: job.policy,
            tags: job.tags,
        }),
    }
}

/// A stored schedule, by its id.
#[derive(Clone, Debug)]
pub struct ScheduleHandle<'j> {
    jobs: &'j Jobs,
    id: Box<str>,
}

impl ScheduleHandle<'_> {
    /// Everything known of it; `None` if there is no such schedule.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn get(&self) -> Result<Option<ScheduleView>> {
        Ok(self.jobs.storage().get_schedules(vec![self.id.clone()]).await?.pop().flatten())
    }

    /// Runs no slots until it is resumed. Once this returns, no further slot gets a job.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn pause(&self) -> Result<Directed> {
        self.direct(Order::Pause).await
    }

    /// Runs again, from the next slot on. Slots that passed while it was paused are not made up for.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn resume(&self) -> Result<Directed> {
        self.direct(Order::Resume).await
    }

    /// Forgets it and its history. Jobs that it made stay. Once this returns, no further slot gets a job.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn remove(&self) -> Result<Directed> {
        self.direct(Order::Remove).await
    }

    /// Runs it once now, whether or not it is paused or a run is under way. Its next slot stays.
    ///
    /// # Errors
    /// Misuse if there is no such schedule; transient if firings came between too often; otherwise what
    /// the storage reports.
    ///
    /// # Cancel safety
    /// If dropped, the run may or may not be stored.
    pub async fn trigger(&self) -> Result<JobId> {
        let missing = || Error::misuse(format!("there is no schedule `{}` to run", self.id));
        for _ in 0..TRIGGER_TRIES {
            let known = self.get().await?.ok_or_else(missing)?;
            let now = self.jobs.storage().now().await?;
            let firing = with_process_ids(|ids| trigger(&known, now, ids));
            let answers = self.jobs.storage().fire(vec![firing], self.jobs.by().clone()).await?;
            if let Some(Fired::Applied(stored)) = answers.into_iter().next()
                && let Some(job) = stored.first()
            {
                return Ok(*job);
            }
        }
        Err(Error::transient(format!("the schedule `{}` changed at every try to run it; try again", self.id)))
    }

    /// Up to `limit` slots that had their turn, latest first, from the first one before `before` on. The
    /// latest 100 are kept.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn history(&self, before: Option<Timestamp>, limit: u32) -> Result<Vec<SlotView>> {
        self.jobs.storage().slots(self.id.clone(), before, limit).await
    }

    async fn direct(&self, order: Order) -> Result<Directed> {
        let (schedules, by) = (vec![self.id.clone()], self.jobs.by().clone());
        let answers = self.jobs.storage().direct_schedules(schedules, order, by).await?;
        answers.first().copied().ok_or_else(no_answer)
    }
}

impl Jobs {
    /// A recurring job: its id, and when it runs, as a cron expression of five fields (or six, with seconds
    /// first). See [`Recurring`].
    pub fn recurring(&self, id: impl Into<Box<str>>, cron: impl Into<Box<str>>) -> Recurring<'_> {
        Recurring {
            jobs: self,
            id: id.into(),
            cron: cron.into(),
            zone: "UTC".into(),
            misfire: Misfire::default(),
            overlap: Overlap::default(),
        }
    }

    /// The schedule with this id, to look at or to direct.
    pub fn schedule(&self, id: impl Into<Box<str>>) -> ScheduleHandle<'_> {
        ScheduleHandle { jobs: self, id: id.into() }
    }

    /// Up to `limit` schedules by id, from the first one after `after` on.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn schedules(&self, after: Option<&str>, limit: u32) -> Result<Vec<ScheduleView>> {
        self.storage().list_schedules(after.map(Into::into), limit).await
    }
}

fn no_answer() -> Error {
    Error::broken("the storage gave no answer for the schedule")
}
