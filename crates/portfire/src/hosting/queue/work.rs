//! The workers of a queue, and its end.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use portfire_core::{Error, Fault, NewJob};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::local::{After, LocalJob};
use super::task::TaskCell;
use super::{Entry, Shared, TaskFailure, TaskId, TaskState};
use crate::clock::monotonic_now;
use crate::contain::caught;
use crate::context::ShutdownClock;
use crate::hosting::metrics;
use crate::hosting::plan::Hook;
use crate::hosting::report::{Fate, Leftover};
use crate::hosting::service::{ServiceContext, Unit};
use crate::hosting::task::OwnTask;
use crate::hosting::vitals::ServiceState;
use crate::{AttemptScope, JobError};

/// The longest time between asking tasks to stop and dropping them: as a server gives its jobs.
const NOTICE_MAX: Duration = Duration::from_secs(5);
/// The time to stop of a queue that is stopped without a limit.
const UNLIMITED: Duration = Duration::from_secs(24 * 60 * 60);

/// What a task can ask. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TaskContext {
    id: TaskId,
    queue: Arc<str>,
    scope: AttemptScope,
    cancellation: CancellationToken,
    shutdown: ShutdownClock,
}

impl TaskContext {
    /// The task's name within its queue.
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// The queue's name.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// Cancelled when the task should stop: somebody cancelled it, or the time to shut down is nearly over.
    pub const fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }

    /// Whether the task should stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Returns early from a task that should stop: `task.check_cancelled()?`.
    ///
    /// # Errors
    /// If the task should stop.
    pub fn check_cancelled(&self) -> Result<(), JobError> {
        if self.is_cancelled() { Err(JobError::interrupted()) } else { Ok(()) }
    }

    /// How long until the queue must have stopped; `None` while it is not stopping.
    pub fn time_left(&self) -> Option<Duration> {
        self.shutdown.remaining()
    }

    /// The `T` that the queue or the host provides: the one made for this task, or the shared one.
    ///
    /// # Errors
    /// If neither provides one, or its factory failed.
    pub async fn value<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, JobError> {
        self.scope.value().await
    }

    /// A fresh `T` from its factory, owned by the caller.
    ///
    /// # Errors
    /// If there is no factory for it, or the factory failed.
    pub async fn make<T: Send + Sync + 'static>(&self) -> Result<T, JobError> {
        self.scope.make().await
    }
}

type Ran = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;
type Closure = Box<dyn FnOnce(TaskContext) -> Ran + Send>;

/// What a task does.
pub(super) enum Work {
    /// Sends its result to the handle by itself; what it returns is for the queue.
    Closure(Closure),
    Job(Box<LocalJob>),
}

impl Work {
    /// A closure, and where its result will be.
    pub(super) fn closure<T, F, R>(task: F) -> (Self, oneshot::Receiver<T>)
    where
        T: Send + 'static,
        F: FnOnce(TaskContext) -> R + Send + 'static,
        R: Future<Output = Result<T, JobError>> + Send + 'static,
    {
        let (sender, result) = oneshot::channel();
        let closure = |ctx| -> Ran {
            Box::pin(async move {
                let value = task(ctx).await?;
                // Nobody waits if the handle was dropped.
                let _ = sender.send(value);
                Ok(())
            })
        };
        (Self::Closure(Box::new(closure)), result)
    }

    /// How it can be stored, if it can.
    fn stored(&self) -> Option<NewJob> {
        match self {
            Self::Closure(_) => None,
            Self::Job(job) => Some(job.stored()),
        }
    }
}

/// A task that runs.
pub(super) struct Running {
    cell: Arc<TaskCell>,
    stored: Option<NewJob>,
}

/// A queue as the host starts and stops it.
pub(super) struct QueueUnit {
    queue: Arc<Shared>,
    workers: OwnTask,
    /// Cancelled when running tasks are dropped.
    abort: CancellationToken,
    shutdown: ShutdownClock,
}

impl QueueUnit {
    pub(super) fn new(queue: Arc<Shared>) -> Self {
        let (workers, abort) = (OwnTask::default(), CancellationToken::new());
        Self { queue, workers, abort, shutdown: ShutdownClock::default() }
    }

    fn start(&self, ctx: &ServiceContext) {
        let values = Arc::new(self.queue.own_values.within(ctx.values()));
        let values = Arc::clone(self.queue.values.get_or_init(|| values));
        let _ = self.queue.clock.set(Arc::clone(ctx.clock()));
        let worker = Worker {
            queue: Arc::clone(&self.queue),
            name: Arc::from(&*self.queue.name),
            values,
            shutdown: self.shutdown.clone(),
        };
        ctx.vitals().enter(ServiceState::Running);
        let (count, abort) = (self.queue.workers, self.abort.clone());
        self.workers.begin(async move {
            let work = (0..count).map(|_| worker.clone().run().in_current_span());
            let mut workers: JoinSet<()> = work.collect();
            tokio::select! {
                () = async { while workers.join_next().await.is_some() {} } => {}
                () = abort.cancelled() => {}
            }
            workers.shutdown().await;
            Ok(())
        });
    }

    /// Drains, interrupts, drops, and finds a place for what is left.
    async fn stop(&self, ctx: &ServiceContext) {
        let allowance = ctx.time_left().unwrap_or(UNLIMITED);
        let notice = NOTICE_MAX.min(allowance / 5);
        let deadline = monotonic_now() + allowance;
        self.shutdown.set(deadline - notice / 4);
        self.queue.close(if self.queue.storage.is_some() {
            Duration::ZERO
        } else {
            allowance.saturating_sub(notice)
        });
        if tokio::time::timeout_at(deadline - notice, self.workers.end()).await.is_err() {
            self.queue.interrupt();
            if tokio::time::timeout_at(deadline - notice / 4, self.workers.end()).await.is_err() {
                self.abort.cancel();
                let _ = tokio::time::timeout_at(deadline - notice / 8, self.workers.end()).await;
            }
        }
        self.queue.settle_left().await;
    }
}

impl Unit for QueueUnit {
    fn call<'a>(
        &'a self,
        hook: Hook,
        ctx: &'a ServiceContext,
    ) -> Pin<Box<dyn Future<Output = Result<(), JobError>> + Send + 'a>> {
        Box::pin(async move {
            match hook {
                Hook::Start => self.start(ctx),
                Hook::Stop => self.stop(ctx).await,
                _ => {}
            }
            Ok(())
        })
    }

    fn abandon(&self) {
        self.workers.abandon();
        self.queue.close(Duration::ZERO);
        self.queue.interrupt();
        self.queue.drop_left();
    }

    fn left(&self) -> Vec<Leftover> {
        self.queue.lock().left.clone()
    }

    fn claim(&self) -> Result<(), Error> {
        if self.queue.has_host.swap(true, Ordering::Relaxed) {
            return Err(Error::misuse(format!(
                "the queue `{}` was given to another host before, with which it ends; make a queue for each host",
                self.queue.name
            )));
        }
        Ok(())
    }
}

impl Shared {
    /// Takes in nothing more, and waits this long for what is due later.
    fn close(&self, patience: Duration) {
        self.places.close();
        let until = self.now().saturating_add(patience);
        self.lock().line.close(until);
        self.arrived.notify_waiters();
    }

    /// Asks running tasks to stop; those that wait are not begun any more.
    fn interrupt(&self) {
        let mut inner = self.lock();
        let waiting = inner.line.clear();
        for (id, entry) in waiting {
            let stored = entry.work.stored();
            // The same as running, and never to end by itself.
            inner.running.insert(id, Running { cell: entry.cell, stored });
        }
        for running in inner.running.values() {
            running.cell.cancellation.cancel();
        }
    }

    /// Stores what is left where that is possible, and reports the rest as dropped.
    async fn settle_left(&self) {
        self.interrupt();
        let storable: Vec<_> = {
            let inner = self.lock();
            let jobs = inner.running.values().filter_map(|running| running.stored.clone());
            jobs.collect()
        };
        if let Some(jobs) = &self.storage
            && !storable.is_empty()
        {
            match jobs.storage().insert(storable).await {
                Ok(_) => self.handed_over(),
                Err(error) => tracing::error!(queue = &*self.name, %error, "tasks could not be handed over"),
            }
        }
        self.drop_left();
    }

    fn handed_over(&self) {
        let mut inner = self.lock();
        let ids: Vec<_> =
            inner.running.iter().filter(|(_, running)| running.stored.is_some()).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(running) = inner.running.remove(&id) else { continue };
            let fault = Fault::new("the host stopped; it is stored as a durable job");
            self.ended(&running.cell, &TaskFailure::new(TaskState::HandedOver, fault));
            tracing::info!(queue = &*self.name, task = %id, name = &*running.cell.name, "task handed over");
            inner.left.push(Leftover { what: running.cell.name.clone(), fate: Fate::HandedOver });
        }
    }

    fn drop_left(&self) {
        let mut left: Vec<_> = self.lock().running.drain().collect();
        left.sort_by_key(|(id, _)| *id);
        for (_, running) in left {
            self.dropped(&running.cell, "the host stopped before it was done");
            self.lock().left.push(Leftover { what: running.cell.name.clone(), fate: Fate::Dropped });
        }
    }
}

/// One of a queue's workers.
#[derive(Clone)]
struct Worker {
    queue: Arc<Shared>,
    name: Arc<str>,
    values: Arc<crate::values::Values>,
    shutdown: ShutdownClock,
}

impl Worker {
    async fn run(self) {
        while let Some(entry) = self.next().await {
            self.work(entry).await;
        }
        // The others have nothing more to wait for either.
        self.queue.arrived.notify_waiters();
    }

    /// The next task; `None` when there will be none.
    async fn next(&self) -> Option<Entry> {
        loop {
            let arrived = self.queue.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let due = {
                let mut inner = self.queue.inner.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((id, mut entry)) = inner.line.take(self.queue.now()) {
                    let stored = entry.work.stored();
                    inner.running.insert(id, Running { cell: Arc::clone(&entry.cell), stored });
                    entry.cell.enter(TaskState::Running);
                    metrics::waiting(&self.name, inner.line.waiting());
                    drop(entry.place.take());
                    return Some(entry);
                }
                if inner.line.is_drained() {
                    return None;
                }
                inner.line.next_due()
            };
            match due {
                None => arrived.await,
                Some(due) => {
                    let _ = tokio::time::timeout_at(self.queue.began + due, arrived).await;
                }
            }
        }
    }

    async fn work(&self, entry: Entry) {
        let Entry { cell, work, .. } = entry;
        let (began, scope) = (monotonic_now(), AttemptScope::new(Arc::clone(&self.values)));
        let span = tracing::info_span!("task", queue = &*self.name, id = %cell.id, name = &*cell.name);
        match work {
            Work::Closure(closure) => {
                let ctx = self.context(&cell, &scope);
                let result = caught(async { closure(ctx).await }).instrument(span).await;
                scope.release();
                self.closure_ended(&cell, result);
            }
            Work::Job(job) => {
                let jobs = self.queue.storage.clone();
                let after = job.run(&cell, jobs, scope, self.shutdown.clone()).instrument(span).await;
                self.job_ended(&cell, after);
            }
        }
        metrics::task_ran(&self.name, began.elapsed());
    }

    fn context(&self, cell: &TaskCell, scope: &AttemptScope) -> TaskContext {
        TaskContext {
            id: cell.id,
            queue: Arc::clone(&self.name),
            scope: scope.clone(),
            cancellation: cell.cancellation.clone(),
            shutdown: self.shutdown.clone(),
        }
    }

    fn closure_ended(&self, cell: &TaskCell, result: Result<(), JobError>) {
        match result {
            Ok(()) => self.succeeded(cell),
            // It stays among the running, as undone.
            Err(_) if cell.cancellation.is_cancelled() && !cell.is_cancel_asked() => {}
            Err(error) => self.failed(cell, error.fault()),
        }
    }

    fn job_ended(&self, cell: &TaskCell, after: After) {
        match after {
            After::Succeeded => self.succeeded(cell),
            After::Failed(fault) => self.failed(cell, fault),
            After::Undone => {}
            After::Again(mut job, wait) => {
                job.postpone(self.queue.wall_now().after(wait));
                cell.enter(TaskState::Retrying);
                let mut inner = self.queue.lock();
                if let Some(running) = inner.running.remove(&cell.id) {
                    let entry = Entry { cell: running.cell, work: Work::Job(job), place: None };
                    inner.line.come_back(cell.id, entry, self.queue.now().saturating_add(wait));
                    drop(inner);
                    self.queue.arrived.notify_one();
                }
            }
        }
    }

    fn succeeded(&self, cell: &TaskCell) {
        if self.queue.lock().running.remove(&cell.id).is_some() {
            cell.succeed();
            metrics::task_ended(&self.name, TaskState::Succeeded.as_str());
        }
    }

    fn failed(&self, cell: &TaskCell, fault: Fault) {
        let state = if cell.is_cancel_asked() { TaskState::Cancelled } else { TaskState::Failed };
        if self.queue.lock().running.remove(&cell.id).is_none() {
            return;
        }
        if state == TaskState::Failed {
            tracing::error!(queue = &*self.name, task = %cell.id, name = &*cell.name, error = %fault.message, "task failed");
        }
        self.queue.ended(cell, &TaskFailure::new(state, fault));
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closure(_) => "Closure",
            Self::Job(_) => "Job",
        })
    }
}
