//! The only way to read jobs and schedules: within what exists for the visitor, without what they may not see,
//! and not longer than a few seconds.

use std::cmp::Ordering;
use std::time::Duration;

use portfire_core::limits::WALK_MAX;
use portfire_core::storage::{
    Answer, AuditEntry, AuditRequest, Cursor, FaultGroup, FaultGroupRequest, Filter, JobDetails, JobSummary,
    Page, PageRequest, SlotView, StorageView, Tally, TallyBy, TallyRequest, Target, Width,
};
use portfire_core::{Fault, JobId, Json, ScheduleView, State, Storage, Timestamp};

use crate::gate::{Grant, Permission, Scope};
use crate::json;
use crate::refusal::{Refusal, Result};

/// Longest that a page waits for one query.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most parents, and most children, that are looked up for who may not see all of them.
const RELATIVES_MAX: usize = 20;
/// Most schedules on a page.
pub(crate) const SCHEDULES_PAGE: u32 = 100;

/// Waits for an answer, but not for long.
pub(crate) async fn within<T>(answer: Answer<'_, T>) -> Result<T> {
    patiently(answer).await?.map_err(Refusal::from)
}

/// Waits for anything that waits for the storage, but not for long.
pub(crate) async fn patiently<T>(answer: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(PATIENCE, answer).await.map_err(|_| Refusal::Slow)
}

/// Hides the values of fields by their names.
#[derive(Debug, Default)]
pub(crate) struct Redactor(Vec<Box<str>>);

impl Redactor {
    pub(crate) fn new(fields: Vec<Box<str>>) -> Self {
        Self(fields)
    }

    fn redact(&self, value: &Json) -> Json {
        if self.0.is_empty() { value.clone() } else { Json::trusted(json::redact(value.as_str(), &self.0)) }
    }
}

/// Reads for one visitor.
#[derive(Debug)]
pub(crate) struct Reader<'r> {
    storage: &'r dyn Storage,
    grant: &'r Grant,
    redactor: &'r Redactor,
}

impl<'r> Reader<'r> {
    pub(crate) fn new(storage: &'r dyn Storage, grant: &'r Grant, redactor: &'r Redactor) -> Self {
        Self { storage, grant, redactor }
    }

    /// One page of jobs. To look for a text in errors takes the right to see them.
    pub(crate) async fn list(&self, filter: Filter, page: PageRequest) -> Result<Page> {
        let sees_errors = self.grant.can.has(Permission::ViewErrors);
        if !sees_errors && (filter.text.is_some() || filter.fault.is_some()) {
            return Err(Refusal::NoRight(Permission::ViewErrors));
        }
        let mut found = self.list_all(filter, page).await?;
        if !sees_errors {
            found.jobs.iter_mut().for_each(|job| job.fault = None);
        }
        Ok(found)
    }

    async fn list_all(&self, filter: Filter, page: PageRequest) -> Result<Page> {
        let queues = match (&self.grant.scope, &filter.queue) {
            (Scope::Everything, _) => return within(self.storage.list(filter, page)).await,
            (scope, Some(queue)) if scope.has_queue(queue) => vec![queue.clone()],
            (_, Some(_)) => return Ok(Page::default()),
            (Scope::Queues(queues), None) => queues.clone(),
        };
        let mut jobs = Vec::new();
        let (mut more, mut walked, mut stopped) = (false, 0, None);
        for queue in queues {
            let filter = Filter { queue: Some(queue), ..filter.clone() };
            let found = within(self.storage.list(filter, page.clone())).await?;
            more |= found.next.is_some();
            walked += found.walked;
            if found.exhausted {
                stopped = stopped.or(found.next);
            }
            jobs.extend(found.jobs);
        }
        jobs.sort_by(|a, b| order(filter.state, a, b));
        let limit = page.bounded_limit() as usize;
        more |= jobs.len() > limit;
        if page.goes_back() {
            jobs.drain(..jobs.len().saturating_sub(limit));
        } else {
            jobs.truncate(limit);
        }
        let exhausted = stopped.is_some();
        // How many jobs of others were passed by is not theirs to know.
        let walked = if exhausted { WALK_MAX } else { jobs.len().try_into().unwrap_or(walked) };
        let edge = if page.goes_back() { jobs.first() } else { jobs.last() };
        let next = edge.filter(|_| more && !exhausted).map(Cursor::of).or(stopped);
        Ok(Page { jobs, next, walked, exhausted })
    }

    /// Everything that may be seen of a job.
    pub(crate) async fn job(&self, id: JobId) -> Result<JobDetails> {
        let mut job = self.jobs(vec![id]).await?.pop().flatten().ok_or(Refusal::NoJob)?;
        if self.grant.scope != Scope::Everything {
            self.keep_relatives(&mut job).await?;
        }
        Ok(job)
    }

    /// Leaves only those parents and children that exist for them, of the first few.
    async fn keep_relatives(&self, job: &mut JobDetails) -> Result<()> {
        job.parents.truncate(RELATIVES_MAX);
        job.children.truncate(RELATIVES_MAX);
        let parents = job.parents.iter().map(|parent| parent.job);
        let known = self.jobs(parents.chain(job.children.iter().copied()).collect()).await?;
        let theirs: Vec<_> = known.iter().flatten().map(|one| one.summary.id).collect();
        job.parents.retain(|parent| theirs.contains(&parent.job));
        job.children.retain(|child| theirs.contains(child));
        Ok(())
    }

    /// Everything that may be seen of each job; `None` where there is none for them.
    pub(crate) async fn jobs(&self, ids: Vec<JobId>) -> Result<Vec<Option<JobDetails>>> {
        let jobs = within(self.storage.get(ids)).await?;
        let exists = |job: &JobDetails| self.grant.scope.has_queue(&job.summary.queue);
        Ok(jobs.into_iter().map(|job| job.filter(exists).map(|job| self.seen(job))).collect())
    }

    /// Up to [`SCHEDULES_PAGE`] schedules after this one, and whether there are more.
    pub(crate) async fn schedules(&self, after: Option<&str>) -> Result<(Vec<ScheduleView>, bool)> {
        let mut after: Option<Box<str>> = after.map(Into::into);
        loop {
            let mut found = within(self.storage.list_schedules(after, SCHEDULES_PAGE + 1)).await?;
            let more = found.len() > SCHEDULES_PAGE as usize;
            found.truncate(SCHEDULES_PAGE as usize);
            after = found.last().map(|view| view.schedule.id.clone());
            found.retain(|view| self.grant.scope.has_queue(&view.schedule.job.queue));
            // A page of which nothing exists for them is none: theirs may come after it.
            if !found.is_empty() || !more {
                return Ok((found.into_iter().map(|view| self.seen_schedule(view)).collect(), more));
            }
        }
    }

    /// One schedule.
    pub(crate) async fn schedule(&self, id: &str) -> Result<ScheduleView> {
        let found = within(self.storage.get_schedules(vec![id.into()])).await?.pop().flatten();
        let exists = |view: &ScheduleView| self.grant.scope.has_queue(&view.schedule.job.queue);
        found.filter(exists).map(|view| self.seen_schedule(view)).ok_or(Refusal::NoSchedule)
    }

    /// A page of the groups of failures. They are not kept by queue, so who may not see every queue sees none.
    pub(crate) async fn fault_groups(&self, request: FaultGroupRequest) -> Result<Vec<FaultGroup>> {
        if !self.grant.can.has(Permission::ViewErrors) || self.grant.scope != Scope::Everything {
            return Ok(Vec::new());
        }
        within(self.storage.fault_groups(request)).await
    }

    /// A page of what persons did; nothing to who may not see it, or not everything.
    pub(crate) async fn audit(&self, about: Option<Target>, page: AuditRequest) -> Result<Vec<AuditEntry>> {
        if !self.grant.can.has(Permission::Audit)
            || (about.is_none() && self.grant.scope != Scope::Everything)
        {
            return Ok(Vec::new());
        }
        within(self.storage.audit(about, page)).await
    }

    /// What happened in each queue since this instant.
    pub(crate) async fn by_queue(
        &self,
        width: Width,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Tally>> {
        let request = TallyRequest { by: TallyBy::Queue, ..TallyRequest::total(width, from, until) };
        let found = within(self.storage.tallies(request)).await?;
        let exists =
            |tally: &Tally| tally.queue.as_deref().is_some_and(|queue| self.grant.scope.has_queue(queue));
        Ok(found.into_iter().filter(exists).collect())
    }

    /// What the storage is.
    pub(crate) async fn storage(&self) -> Result<StorageView> {
        within(self.storage.describe()).await
    }

    /// The latest slots of a schedule that exists for them.
    pub(crate) async fn slots(
        &self,
        id: &str,
        before: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<SlotView>> {
        within(self.storage.slots(id.into(), before, limit)).await
    }

    /// A job without what they may not see.
    fn seen(&self, mut job: JobDetails) -> JobDetails {
        let can = |permission| self.grant.can.has(permission);
        if !can(Permission::ViewErrors) {
            job.summary.fault = None;
            job.fingerprint = None;
        }
        job.args = if can(Permission::ViewArgs) { self.redactor.redact(&job.args) } else { hidden() };
        job.result =
            job.result.filter(|_| can(Permission::ViewArgs)).map(|result| self.redactor.redact(&result));
        if !can(Permission::ViewErrors) {
            job.history.iter_mut().for_each(|attempt| {
                attempt.fault = attempt.fault.take().map(|_| Fault::new("‹hidden›"));
            });
        }
        if !can(Permission::ViewLogs) {
            job.log.clear();
            job.progress =
                job.progress.map(|progress| portfire_core::storage::Progress { message: None, ..progress });
        }
        job
    }

    fn seen_schedule(&self, mut view: ScheduleView) -> ScheduleView {
        let args = &view.schedule.job.args;
        view.schedule.job.args =
            if self.grant.can.has(Permission::ViewArgs) { self.redactor.redact(args) } else { hidden() };
        view
    }
}

fn hidden() -> Json {
    Json::trusted("\"‹hidden›\"")
}

/// The order in which a storage lists jobs.
fn order(state: Option<State>, a: &JobSummary, b: &JobSummary) -> Ordering {
    let ended = |job: &JobSummary| (job.finished_at.unwrap_or(job.run_at), job.id);
    match state {
        None => b.id.cmp(&a.id),
        Some(State::Enqueued) => {
            (&a.queue, a.priority, a.run_at, a.id).cmp(&(&b.queue, b.priority, b.run_at, b.id))
        }
        Some(State::Scheduled | State::Retrying) => (a.run_at, a.id).cmp(&(b.run_at, b.id)),
        Some(State::Awaiting | State::Processing) => a.id.cmp(&b.id),
        Some(State::Succeeded | State::Failed | State::Cancelled) => ended(b).cmp(&ended(a)),
    }
}
