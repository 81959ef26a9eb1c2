//! The bounded queue: tasks that run in this process, a few at a time, and are not stored.
//!
//! 1. A push gives the task an id and a place in the line ([`line`]), or does what [`WhenFull`] says.
//! 2. Workers take tasks in order of arrival and run them ([`work`]); a job call runs as it would on a server,
//!    with its timeout, its attempts and its values ([`local`]).
//! 3. At stop the line closes, workers go on until it is empty or time is nearly over; then tokens are
//!    cancelled, and what is left is stored as durable jobs where that is possible, or reported as dropped.
//!
//! Invariants: a task ends in exactly one state; whoever awaits its handle hears of it; nothing is lost
//! without a line in the log, a count in the metrics and a call of `on_drop`.

mod line;
mod local;
mod task;
mod work;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use portfire_core::{Clock, Error, Fault, Result, Timestamp};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::host::Part;
use super::metrics;
use super::plan::Moment;
use super::report::Leftover;
use super::vitals::Look;
use crate::clock::{SystemClock, monotonic_now};
use crate::contain::contain_call;
use crate::values::Values;
use crate::{AttemptScope, JobError, Jobs};
use line::{Line, Offer};
use task::TaskCell;
use work::Work;

pub use line::WhenFull;
pub use local::Inline;
pub use task::{TaskFailure, TaskHandle, TaskId, TaskState};
pub use work::TaskContext;

/// Most tasks that wait: the capacity of the sample in .NET's documentation, and enough for a burst of
/// uploads while memory stays small.
const CAPACITY: usize = 100;

type OnDrop = Arc<dyn Fn(&DroppedTask) + Send + Sync>;

/// A task that was accepted and did not run to its end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DroppedTask {
    /// Its name within its queue.
    pub id: TaskId,
    /// What it was.
    pub name: Box<str>,
    /// Why it was dropped.
    pub reason: &'static str,
}

/// A bounded queue of tasks in this process. Cheap to clone; all clones are one queue.
///
/// Tasks wait until the queue is added to a host ([`Host::queue`](super::Host::queue)) and the host starts.
/// It ends with that host: another host needs a queue of its own.
///
/// ```
/// use portfire::hosting::{Host, TaskQueue};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let queue = TaskQueue::builder("sums").capacity(10).workers(2).build();
/// let host = Host::new().queue(&queue).start().await?;
/// let sum = queue.push(|_task| async { Ok(20 + 22) }).await?;
/// assert_eq!(sum.await.unwrap(), 42);
/// assert!(host.stop().await.is_clean());
/// # Ok::<(), portfire::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct TaskQueue(Arc<Shared>);

/// What is decided about a queue before it exists.
#[must_use = "`.build()` makes the queue"]
pub struct TaskQueueBuilder {
    name: Box<str>,
    capacity: usize,
    workers: usize,
    when_full: WhenFull,
    values: Values,
    on_drop: Option<OnDrop>,
    hand_over_to: Option<Jobs>,
}

impl TaskQueueBuilder {
    /// Most tasks that wait. Default 100; 0 counts as 1.
    pub const fn capacity(mut self, tasks: usize) -> Self {
        self.capacity = tasks;
        self
    }

    /// Most tasks that run at once. Default 1, so that tasks run strictly one after the other; 0 counts as 1.
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// What happens to a push when the queue is full. Default: it waits.
    pub const fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Provides a value to its tasks, besides those of the host.
    pub fn provide<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.values.provide(value);
        self
    }

    /// Provides a value that is made anew for each task that asks for it, and dropped at its end.
    pub fn provide_with<T, F, R>(mut self, make: F) -> Self
    where
        T: Send + Sync + 'static,
        F: Fn(AttemptScope) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, JobError>> + Send + 'static,
    {
        self.values.provide_with(make);
        self
    }

    /// Called with each task that is dropped. A panic in it is logged, and goes no further.
    pub fn on_drop(mut self, report: impl Fn(&DroppedTask) + Send + Sync + 'static) -> Self {
        self.on_drop = Some(Arc::new(report));
        self
    }

    /// Where job calls that are left at the end of a shutdown are stored, so that they run durably: not
    /// earlier than they would have here, and with all their attempts before them again. They can also
    /// enqueue there while they run here.
    pub fn hand_over_to(mut self, jobs: &Jobs) -> Self {
        self.hand_over_to = Some(jobs.clone());
        self
    }

    /// The queue.
    pub fn build(self) -> TaskQueue {
        let capacity = self.capacity.clamp(1, Semaphore::MAX_PERMITS);
        TaskQueue(Arc::new(Shared {
            inner: Mutex::new(Inner {
                line: Line::new(capacity, self.when_full),
                last_id: 0,
                running: HashMap::new(),
                left: Vec::new(),
            }),
            name: self.name,
            capacity,
            workers: self.workers.max(1),
            when_full: self.when_full,
            own_values: self.values,
            values: OnceLock::new(),
            clock: OnceLock::new(),
            on_drop: self.on_drop,
            storage: self.hand_over_to,
            arrived: Notify::new(),
            places: Arc::new(Semaphore::new(capacity)),
            began: monotonic_now(),
            has_host: AtomicBool::new(false),
        }))
    }
}

impl fmt::Debug for TaskQueueBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskQueueBuilder({}, capacity {})", self.name, self.capacity)
    }
}

impl TaskQueue {
    /// A queue for 100 waiting tasks that run one after the other; a push waits when it is full.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self::builder(name).build()
    }

    /// A queue with options.
    pub fn builder(name: impl Into<Box<str>>) -> TaskQueueBuilder {
        TaskQueueBuilder {
            name: name.into(),
            capacity: CAPACITY,
            workers: 1,
            when_full: WhenFull::Wait,
            values: Values::default(),
            on_drop: None,
            hand_over_to: None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How many tasks wait.
    pub fn waiting(&self) -> usize {
        self.0.lock().line.waiting()
    }

    /// How many tasks run.
    pub fn running(&self) -> usize {
        self.0.lock().running.len()
    }

    /// Pushes a task. When the queue is full it does what [`WhenFull`] says; by default it waits for a place.
    ///
    /// A task that waits for a place in its own queue may wait for ever: use [`try_push`](Self::try_push) there.
    ///
    /// # Errors
    /// Transient if the queue is full and refuses; closed if it is stopping.
    ///
    /// # Cancel safety
    /// If dropped, the task is not pushed.
    pub async fn push<T, F, R>(&self, task: F) -> Result<TaskHandle<T>>
    where
        T: Send + 'static,
        F: FnOnce(TaskContext) -> R + Send + 'static,
        R: Future<Output = Result<T, JobError>> + Send + 'static,
    {
        let place = self.0.place().await?;
        self.0.enter(Draft::of(task), place)
    }

    /// The same for a task with a name, by which logs and reports call it.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Cancel safety
    /// As [`push`](Self::push).
    pub async fn push_named<T, F, R>(&self, name: impl Into<Box<str>>, task: F) -> Result<TaskHandle<T>>
    where
        T: Send + 'static,
        F: FnOnce(TaskContext) -> R + Send + 'static,
        R: Future<Output = Result<T, JobError>> + Send + 'static,
    {
        let place = self.0.place().await?;
        self.0.enter(Draft { name: Some(name.into()), ..Draft::of(task) }, place)
    }

    /// Pushes a task without waiting: in a queue that would wait, a full queue is an error.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn try_push<T, F, R>(&self, task: F) -> Result<TaskHandle<T>>
    where
        T: Send + 'static,
        F: FnOnce(TaskContext) -> R + Send + 'static,
        R: Future<Output = Result<T, JobError>> + Send + 'static,
    {
        let place = self.0.place_now()?;
        self.0.enter(Draft::of(task), place)
    }

    pub(super) fn part(&self) -> Part {
        let part = Part::new(self.name(), "queue", work::QueueUnit::new(Arc::clone(&self.0)));
        let queue = Arc::downgrade(&self.0);
        part.vitals.set_probe(move || queue.upgrade().map(|queue| queue.look()).unwrap_or_default());
        part
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl fmt::Debug for TaskQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskQueue({}, {} waiting, {} running)", self.name(), self.waiting(), self.running())
    }
}

/// A task that is about to enter.
struct Draft<T> {
    name: Option<Box<str>>,
    work: Work,
    delay: Duration,
    result: oneshot::Receiver<T>,
}

impl<T: Send + 'static> Draft<T> {
    fn of<F, R>(task: F) -> Self
    where
        F: FnOnce(TaskContext) -> R + Send + 'static,
        R: Future<Output = Result<T, JobError>> + Send + 'static,
    {
        let (work, result) = Work::closure(task);
        Self { name: None, work, delay: Duration::ZERO, result }
    }
}

/// A place in a line whose pushes wait; held while the task waits.
type Place = Option<OwnedSemaphorePermit>;

/// A task in the line.
struct Entry {
    cell: Arc<TaskCell>,
    work: Work,
    place: Place,
}

/// What all clones of a queue, its workers and its handles share.
struct Shared {
    name: Box<str>,
    capacity: usize,
    workers: usize,
    when_full: WhenFull,
    own_values: Values,
    /// Its own values and the host's, once the host has started.
    values: OnceLock<Arc<Values>>,
    /// The host's, once it has started; until then the system's.
    clock: OnceLock<Arc<dyn Clock>>,
    on_drop: Option<OnDrop>,
    storage: Option<Jobs>,
    inner: Mutex<Inner>,
    /// Something arrived, or the line was closed.
    arrived: Notify,
    places: Arc<Semaphore>,
    began: Instant,
    /// Whether a host has started it: it ends with that host, and no other can have it.
    has_host: AtomicBool,
}

struct Inner {
    line: Line<Entry>,
    last_id: u64,
    running: HashMap<TaskId, work::Running>,
    /// What is known to be left at the end.
    left: Vec<Leftover>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    fn wall_now(&self) -> Timestamp {
        self.clock.get().map_or_else(|| SystemClock.now(), |clock| clock.now())
    }

    async fn place(&self) -> Result<Place> {
        if self.when_full != WhenFull::Wait {
            return Ok(None);
        }
        Arc::clone(&self.places).acquire_owned().await.map(Some).map_err(|_| self.closed())
    }

    fn place_now(&self) -> Result<Place> {
        if self.when_full != WhenFull::Wait {
            return Ok(None);
        }
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => Ok(Some(place)),
            Err(tokio::sync::TryAcquireError::NoPermits) => Err(self.full()),
            Err(tokio::sync::TryAcquireError::Closed) => Err(self.closed()),
        }
    }

    fn enter<T>(self: &Arc<Self>, draft: Draft<T>, place: Place) -> Result<TaskHandle<T>> {
        let Draft { name, work, delay, result } = draft;
        let mut inner = self.lock();
        inner.last_id += 1;
        let id = TaskId(inner.last_id);
        let cell = TaskCell::new(id, name);
        let entry = Entry { cell: Arc::clone(&cell), work, place };
        let offer = inner.line.offer(id, entry);
        if !delay.is_zero() {
            inner.line.postpone(id, self.now().saturating_add(delay));
        }
        metrics::waiting(&self.name, inner.line.waiting());
        drop(inner);
        match offer {
            Offer::Taken => {}
            Offer::Displaced(_, gone) => self.dropped(&gone.cell, "it gave way to another in a full queue"),
            Offer::Full(_) => return Err(self.full()),
            Offer::Closed(_) => return Err(self.closed()),
        }
        self.arrived.notify_one();
        Ok(TaskHandle::new(cell, result, Arc::clone(self)))
    }

    /// Takes a cancelled task out, if it still waits.
    fn take_out(&self, id: TaskId) {
        let mut inner = self.lock();
        let entry = inner.line.remove(id);
        metrics::waiting(&self.name, inner.line.waiting());
        drop(inner);
        if let Some(entry) = entry {
            // It may have been the last that a closed line waited for.
            self.arrived.notify_waiters();
            let failure =
                TaskFailure::new(TaskState::Cancelled, Fault::new("it was cancelled before it ran"));
            self.ended(&entry.cell, &failure);
        }
    }

    fn ended(&self, cell: &TaskCell, failure: &TaskFailure) {
        cell.end(failure);
        metrics::task_ended(&self.name, cell.state().as_str());
    }

    fn dropped(&self, cell: &TaskCell, reason: &'static str) {
        self.ended(cell, &TaskFailure::new(TaskState::Dropped, Fault::new(reason)));
        tracing::warn!(queue = &*self.name, task = %cell.id, name = &*cell.name, reason, "task dropped");
        let Some(report) = &self.on_drop else { return };
        let task = DroppedTask { id: cell.id, name: cell.name.clone(), reason };
        if let Err(panic) = contain_call(|| report(&task)) {
            tracing::error!(queue = &*self.name, task = %task.id, panic = %panic.message, "`on_drop` panicked");
        }
    }

    fn full(&self) -> Error {
        Error::transient(format!(
            "the queue `{}` is full: {} tasks wait; try again later, or give it more capacity or workers",
            self.name, self.capacity
        ))
    }

    fn closed(&self) -> Error {
        Error::closed(format!("the queue `{}` takes in no more tasks: its host stops", self.name))
    }

    fn look(&self) -> Look {
        let inner = self.lock();
        let (waiting, running) = (inner.line.waiting(), inner.running.len());
        let detail = format!("{waiting} of {} waiting, {running} of {} running", self.capacity, self.workers);
        Look { detail: Some(detail), ..Look::default() }
    }
}
