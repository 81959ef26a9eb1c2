//! Panics as failures: a future that ends in a [`Fault`] instead of unwinding.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use portfire_core::Fault;

use crate::JobError;

/// What `future` comes to, or what it panicked with.
pub(crate) fn contain<F: Future>(future: F) -> Contained<F> {
    Contained(Box::pin(future))
}

/// What `future` comes to; a panic is an error like any other.
pub(crate) async fn caught<T>(future: impl Future<Output = Result<T, JobError>>) -> Result<T, JobError> {
    match contain(future).await {
        Ok(result) => result,
        Err(panic) => Err(JobError::message(format!("it panicked: {}", panic.message))),
    }
}

/// The same for a call that does not wait.
pub(crate) fn contain_call<T>(call: impl FnOnce() -> T) -> Result<T, Fault> {
    // Unwind safe: what the call leaves half done is the caller's own, and it is not called again.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| Fault::new(panic_text(&*panic)))
}

/// See [`contain`].
pub(crate) struct Contained<F>(Pin<Box<F>>);

impl<F: Future> Future for Contained<F> {
    type Output = Result<F::Output, Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Unwind safe: after a panic the future is never polled again, and only dropped.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(Fault::new(panic_text(&*panic)))),
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the handler panicked with something that is not text")
}
