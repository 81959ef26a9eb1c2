//! The one task of a service that works by itself: begun at start, awaited at stop, never left behind.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument;

use super::plan::Hook;
use super::service::{ServiceContext, Unit};
use super::vitals::ServiceState;
use crate::JobError;

type Ended = Result<(), JobError>;
type Work = Box<dyn FnOnce(ServiceContext) -> Pin<Box<dyn Future<Output = Ended> + Send>> + Send>;

/// A service that is one task. What the task ends with after the request to stop is how its stop ends.
pub(super) struct TaskUnit {
    /// Taken by the task when it begins.
    work: Mutex<Option<Work>>,
    task: OwnTask,
}

impl TaskUnit {
    pub(super) fn new<R>(work: impl FnOnce(ServiceContext) -> R + Send + 'static) -> Self
    where
        R: Future<Output = Ended> + Send + 'static,
    {
        let work: Work = Box::new(|ctx| Box::pin(work(ctx)));
        Self { work: Mutex::new(Some(work)), task: OwnTask::default() }
    }

    fn start(&self, ctx: &ServiceContext) {
        let taken = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(work) = taken {
            ctx.vitals().enter(ServiceState::Running);
            self.task.begin(work(ctx.clone()));
        }
    }
}

impl Unit for TaskUnit {
    fn call<'a>(
        &'a self,
        hook: Hook,
        ctx: &'a ServiceContext,
    ) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        Box::pin(async move {
            match hook {
                Hook::Start => self.start(ctx),
                Hook::Stop => self.task.end().await?,
                _ => {}
            }
            Ok(())
        })
    }

    fn abandon(&self) {
        self.task.abandon();
    }
}

/// A slot for a task. Dropping it ends the task.
#[derive(Debug, Default)]
pub(super) struct OwnTask(Mutex<Option<JoinHandle<Ended>>>);

impl OwnTask {
    /// Begins, in the span of the caller.
    #[expect(clippy::disallowed_methods, reason = "this is where the task of a service begins")]
    pub(super) fn begin(&self, work: impl Future<Output = Ended> + Send + 'static) {
        let task = tokio::spawn(work.in_current_span());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Waits for its end, and says what it ended with; one that was abandoned ended well enough. If dropped,
    /// the task goes on until [`abandon`](Self::abandon).
    pub(super) async fn end(&self) -> Ended {
        std::future::poll_fn(|cx| {
            let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(task) = slot.as_mut() else { return std::task::Poll::Ready(Ok(())) };
            let ended = Pin::new(task).poll(cx).map(|joined| joined.unwrap_or_else(without_result));
            if ended.is_ready() {
                *slot = None;
            }
            ended
        })
        .await
    }

    /// Ends it at its next await.
    pub(super) fn abandon(&self) {
        if let Some(task) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            task.abort();
        }
    }
}

impl Drop for OwnTask {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Panics of the application are contained within the task, so one that gets here is a bug of ours.
fn without_result(error: JoinError) -> Ended {
    if error.is_panic() { Err(JobError::message(format!("its task panicked: {error}"))) } else { Ok(()) }
}
