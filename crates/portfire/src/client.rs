//! The client: stores jobs, looks at them, and acts on them. It needs no server and starts nothing.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::de::DeserializeOwned;

use portfire_core::storage::{
    Acted, Action, By, FaultGroup, FaultGroupRequest, Filter, JobDetails, Overview, Page, PageRequest,
    StorageView, Tally, TallyRequest,
};
use portfire_core::{Clock, Error, IdSequence, JobId, Result, Storage, Timestamp};

use crate::call::handle_of;
use crate::clock::{SystemClock, system_dice};
use crate::connect::{User, open};
use crate::{Call, Job, JobHandle};

/// One sequence for the whole process, so that ids sort in the order of the calls that made them,
/// whichever client made them.
static IDS: LazyLock<Mutex<IdSequence>> = LazyLock::new(|| Mutex::new(IdSequence::new(system_dice())));

/// Lends the sequence.
pub(crate) fn with_process_ids<T>(make: impl FnOnce(&mut IdSequence) -> T) -> T {
    make(&mut IDS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A fresh job id.
pub(crate) fn process_id() -> JobId {
    with_process_ids(|ids| ids.job(SystemClock.now()))
}

/// A fresh server id.
pub(crate) fn process_server_id() -> portfire_core::ServerId {
    with_process_ids(|ids| ids.server(SystemClock.now()))
}

/// A fresh token, for an attempt that no storage handed out.
pub(crate) fn process_token() -> portfire_core::Token {
    with_process_ids(|ids| ids.token(SystemClock.now()))
}

/// A handle on the jobs of one storage. Cheap to clone; share it freely.
#[derive(Clone, Debug)]
pub struct Jobs {
    storage: Arc<dyn Storage>,
    /// Whose acts this client's are.
    by: By,
}

impl Jobs {
    /// Opens the storage that the URL names, bringing its schema up to date.
    ///
    /// `sqlite://path/to/file.db` opens or creates a file; `sqlite:///absolute/path`. Options follow as in
    /// a web address: `?synchronous=normal` (faster, may lose the last moments at a power cut; default
    /// `full`), `?prefix=jobs_` (names of the tables; default `portfire_`).
    ///
    /// `postgres://user:password@host/database` with the feature `postgres`; options as libpq has them, and
    /// `schema`, `prefix`, `connections`, `migrate=off`, `listen=off` (see `portfire::postgres::PostgresOptions`).
    ///
    /// `mysql://user:password@host/database` with the feature `mysql`, or `mariadb://`, which is the same; options
    /// are `prefix`, `connections`, `migrate=off`, `listen=off`, `ssl-mode` (see `portfire::mysql::MysqlOptions`).
    ///
    /// # Errors
    /// Misuse if the URL or an option is not understood; broken if the database is not usable.
    pub async fn connect(url: &str) -> Result<Self> {
        open(url, User::Jobs).await.map(Self::new)
    }

    /// Opens the same once more for a dashboard: a storage of its own with few connections, where what takes
    /// longer than three seconds is ended. So a slow page never keeps those waiting who enqueue and work.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn storage_for_dashboard(url: &str) -> Result<Arc<dyn Storage>> {
        open(url, User::Dashboard).await
    }

    /// A client of this storage.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, by: By::Program }
    }

    /// The storage behind it.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Whose acts this client's are.
    pub(crate) const fn by(&self) -> &By {
        &self.by
    }

    /// The same client, whose acts are somebody else's.
    pub(crate) fn with_by(&self, by: By) -> Self {
        Self { by, ..self.clone() }
    }

    /// A fresh job id. With [`Call::id`] it makes an enqueue repeatable.
    pub fn new_id(&self) -> JobId {
        process_id()
    }

    /// Stores many jobs of one kind, all or none, in one transaction.
    ///
    /// # Errors
    /// As [`Call::enqueue`].
    pub async fn enqueue_many<J: Job, C: Into<Call<J>>>(
        &self,
        calls: impl IntoIterator<Item = C>,
    ) -> Result<Vec<JobHandle<J>>> {
        let jobs =
            calls.into_iter().map(|call| call.into().prepare(process_id())).collect::<Result<Vec<_>>>()?;
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        let answers = self.storage.insert(jobs).await?;
        Ok(ids.into_iter().zip(answers).map(|(id, answer)| handle_of(id, Some(answer))).collect())
    }

    /// Everything known of a job; `None` if there is no such job.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn get(&self, job: impl Into<JobId>) -> Result<Option<JobDetails>> {
        Ok(self.storage.get(vec![job.into()]).await?.pop().flatten())
    }

    /// One page of jobs. A page looks at 20,000 jobs at most, however rare what is looked for; then it is
    /// [`exhausted`](Page::exhausted), and its [`next`](Page::next) goes on searching.
    ///
    /// ```
    /// # use portfire::{Filter, Jobs, ModelStorage, PageRequest, State};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let storage = ModelStorage::new(std::sync::Arc::new(portfire_core::VirtualClock::default()));
    /// # let jobs = Jobs::new(std::sync::Arc::new(storage));
    /// let since = Some(jobs.storage().now().await?.before(std::time::Duration::from_secs(3_600)));
    /// let timed_out = Filter { since, text: Some("timeout".into()), ..Filter::of(State::Failed) };
    /// let page = jobs.list(timed_out, PageRequest::default()).await?;
    /// assert!(page.jobs.is_empty() && page.next.is_none());
    /// # Ok::<_, portfire::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn list(&self, filter: Filter, page: PageRequest) -> Result<Page> {
        self.storage.list(filter, page).await
    }

    /// Jobs by queue and state, and the servers. Counts stop at
    /// [`COUNT_MAX`](portfire_core::limits::COUNT_MAX), so it is cheap however many jobs there are.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn overview(&self) -> Result<Overview> {
        self.storage.overview().await
    }

    /// What happened: jobs stored, succeeded, failed and so on in minutes, hours or days, in all or by kind
    /// or queue, and how long they waited and ran. Minutes are kept for 26 hours, hours for 32 days, days for
    /// 400 days. The numbers are written with what they count, so they are always right.
    ///
    /// ```
    /// # use portfire::{Jobs, ModelStorage, TallyBy, TallyRequest, Width};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let storage = ModelStorage::new(std::sync::Arc::new(portfire_core::VirtualClock::default()));
    /// # let jobs = Jobs::new(std::sync::Arc::new(storage));
    /// let now = jobs.storage().now().await?;
    /// let day = TallyRequest::total(Width::Hour, now.before(std::time::Duration::from_secs(86_400)), now);
    /// for hour in jobs.tallies(TallyRequest { by: TallyBy::Kind, ..day }).await? {
    ///     println!("{} {:?}: {} of {} failed", hour.from, hour.kind, hour.failed, hour.created);
    /// }
    /// # Ok::<_, portfire::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn tallies(&self, request: TallyRequest) -> Result<Vec<Tally>> {
        self.storage.tallies(request).await
    }

    /// Failures by what they have in common: jobs of one kind that failed for good with the same message, but
    /// for numbers, ids and quoted text. [`Filter::fault`] lists the jobs of a group.
    ///
    /// ```
    /// # use portfire::{FaultGroupRequest, FaultOrder, Jobs, ModelStorage};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let storage = ModelStorage::new(std::sync::Arc::new(portfire_core::VirtualClock::default()));
    /// # let jobs = Jobs::new(std::sync::Arc::new(storage));
    /// let request = FaultGroupRequest { order: FaultOrder::Most, ..FaultGroupRequest::default() };
    /// for group in jobs.fault_groups(request).await? {
    ///     println!("{} times since {}: {}", group.count, group.first_at, group.sample);
    /// }
    /// # Ok::<_, portfire::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn fault_groups(&self, request: FaultGroupRequest) -> Result<Vec<FaultGroup>> {
        self.storage.fault_groups(request).await
    }

    /// What the storage is: the database and its version, where it is, how much room it takes.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn describe(&self) -> Result<StorageView> {
        self.storage.describe().await
    }

    /// What a job produced; `None` if it has not succeeded, produced nothing, or is gone.
    ///
    /// # Errors
    /// Misuse if the stored result does not fit the type; otherwise what the storage reports.
    pub async fn result<J: Job>(&self, job: &JobHandle<J>) -> Result<Option<J::Output>> {
        self.result_as(job.id()).await
    }

    /// What a job produced, read as a `T`.
    ///
    /// # Errors
    /// As [`result`](Self::result).
    pub async fn result_as<T: DeserializeOwned>(&self, job: impl Into<JobId>) -> Result<Option<T>> {
        let details = self.get(job).await?;
        details.and_then(|job| job.result).map(|json| json.parse()).transpose()
    }

    /// Stops a job: at once while it waits, through its cancellation token while it runs.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn cancel(&self, job: impl Into<JobId>) -> Result<Acted> {
        self.act(job.into(), Action::Cancel).await
    }

    /// Runs a job as soon as a slot is free: one that waits, or once more one that has ended.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn retry(&self, job: impl Into<JobId>) -> Result<Acted> {
        self.act(job.into(), Action::RunNow).await
    }

    /// Runs a job at another time.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn reschedule(&self, job: impl Into<JobId>, at: impl Into<Timestamp>) -> Result<Acted> {
        self.act(job.into(), Action::Reschedule(at.into())).await
    }

    /// Lets a job that waits do so in another queue. Its state and its time stay.
    ///
    /// # Errors
    /// Misuse if no queue can have this name; otherwise what the storage reports.
    pub async fn move_to(&self, job: impl Into<JobId>, queue: impl Into<Box<str>>) -> Result<Acted> {
        self.act(job.into(), Action::MoveTo(queue.into())).await
    }

    /// Gives a job that waits another priority: smaller runs first. Its state and its time stay.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn prioritize(&self, job: impl Into<JobId>, priority: i16) -> Result<Acted> {
        self.act(job.into(), Action::Prioritize(priority)).await
    }

    /// Removes a job that is not running, and all that belongs to it.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn delete(&self, job: impl Into<JobId>) -> Result<Acted> {
        self.act(job.into(), Action::Delete).await
    }

    async fn act(&self, job: JobId, action: Action) -> Result<Acted> {
        let answers = self.storage.act(vec![job], action, self.by.clone()).await?;
        answers.first().copied().ok_or_else(|| Error::broken("the storage gave no answer for the job"))
    }
}
