//! The one task of a service that works by itself: begun at start, awaited at stop, never left behind.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::task::JoinHandle;
use tracing::Instrument;

/// A slot for a task. Dropping it ends the task.
#[derive(Debug, Default)]
pub(super) struct OwnTask(Mutex<Option<JoinHandle<()>>>);

impl OwnTask {
    /// Begins, in the span of the caller.
    #[expect(clippy::disallowed_methods, reason = "this is where the task of a service begins")]
    pub(super) fn begin(&self, work: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(work.in_current_span());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Waits for its end. If dropped, the task goes on until [`abandon`](Self::abandon).
    pub(super) async fn end(&self) {
        std::future::poll_fn(|cx| {
            let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(task) = slot.as_mut() else { return std::task::Poll::Ready(()) };
            let ended = std::pin::Pin::new(task).poll(cx).map(drop);
            if ended.is_ready() {
                *slot = None;
            }
            ended
        })
        .await;
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
