//! A task as its pusher holds it: an id, a state, a way to cancel it, and its result when awaited.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use portfire_core::Fault;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::Shared;

/// The name of a task within its queue: 1, 2, 3 … in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub(super) u64);

impl TaskId {
    /// As a number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// It waits for its turn.
    Waiting,
    /// It runs.
    Running,
    /// An attempt failed; it runs again later.
    Retrying,
    /// It ended well.
    Succeeded,
    /// It failed or panicked.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It was never run, or not to its end: it gave way in a full queue, or the host stopped.
    Dropped,
    /// The host stopped; it is stored as a durable job.
    HandedOver,
}

impl TaskState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Dropped => "dropped",
            Self::HandedOver => "handed over",
        }
    }
}

/// Why a task has no result.
#[derive(Clone, PartialEq, Eq)]
pub struct TaskFailure {
    state: TaskState,
    fault: Fault,
}

impl TaskFailure {
    pub(super) const fn new(state: TaskState, fault: Fault) -> Self {
        Self { state, fault }
    }

    /// Whether it ran and failed, or panicked.
    pub fn is_failed(&self) -> bool {
        self.state == TaskState::Failed
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.state == TaskState::Cancelled
    }

    /// Whether it was dropped: it gave way, or the host stopped first.
    pub fn is_dropped(&self) -> bool {
        self.state == TaskState::Dropped
    }

    /// Whether it is stored as a durable job and will run there.
    pub fn is_handed_over(&self) -> bool {
        self.state == TaskState::HandedOver
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task was {}: {}", self.state.as_str(), self.fault.message)
    }
}

impl fmt::Debug for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TaskFailure {}

/// What the queue and the pusher both know of a task.
#[derive(Debug)]
pub(super) struct TaskCell {
    pub(super) id: TaskId,
    pub(super) name: Box<str>,
    pub(super) cancellation: CancellationToken,
    ended: CancellationToken,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    state: TaskState,
    fault: Option<Fault>,
    is_cancel_asked: bool,
}

impl TaskCell {
    pub(super) fn new(id: TaskId, name: Option<Box<str>>) -> Arc<Self> {
        let name = name.unwrap_or_else(|| format!("task {id}").into());
        let progress = Progress { state: TaskState::Waiting, fault: None, is_cancel_asked: false };
        let (cancellation, ended) = (CancellationToken::new(), CancellationToken::new());
        Arc::new(Self { id, name, cancellation, ended, progress: Mutex::new(progress) })
    }

    pub(super) fn enter(&self, state: TaskState) {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).state = state;
    }

    /// It ended well; its result is there already.
    pub(super) fn succeed(&self) {
        self.enter(TaskState::Succeeded);
        self.ended.cancel();
    }

    /// It ended otherwise.
    pub(super) fn end(&self, failure: &TaskFailure) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        (progress.state, progress.fault) = (failure.state, Some(failure.fault.clone()));
        drop(progress);
        self.ended.cancel();
    }

    /// Returns when it has ended, however.
    pub(super) fn until_ended(&self) -> WaitForCancellationFutureOwned {
        self.ended.clone().cancelled_owned()
    }

    pub(super) fn ask_to_cancel(&self) {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).is_cancel_asked = true;
        self.cancellation.cancel();
    }

    pub(super) fn is_cancel_asked(&self) -> bool {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).is_cancel_asked
    }

    pub(super) fn state(&self) -> TaskState {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).state
    }

    fn failure(&self) -> TaskFailure {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = progress.fault.clone().unwrap_or_else(|| Fault::new("its result is gone"));
        TaskFailure { state: progress.state, fault }
    }
}

/// A task that was pushed. Await it for its result; dropping it changes nothing.
pub struct TaskHandle<T> {
    cell: Arc<TaskCell>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    result: oneshot::Receiver<T>,
    queue: Arc<Shared>,
}

impl<T> TaskHandle<T> {
    pub(super) fn new(cell: Arc<TaskCell>, result: oneshot::Receiver<T>, queue: Arc<Shared>) -> Self {
        Self { ended: Box::pin(cell.until_ended()), cell, result, queue }
    }

    /// Its name within its queue.
    pub fn id(&self) -> TaskId {
        self.cell.id
    }

    /// Where it is.
    pub fn state(&self) -> TaskState {
        self.cell.state()
    }

    /// Cancels it: at once while it waits, through its token while it runs.
    pub fn cancel(&self) {
        self.cell.ask_to_cancel();
        self.queue.take_out(self.cell.id);
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, TaskFailure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.ended.as_mut().poll(cx));
        Poll::Ready(self.result.try_recv().map_err(|_| self.cell.failure()))
    }
}

impl<T> fmt::Debug for TaskHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskHandle({}, {})", self.id(), self.state().as_str())
    }
}
