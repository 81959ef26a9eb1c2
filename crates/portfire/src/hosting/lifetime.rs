//! The life of a host as anyone can await it: started, stopping, stopped. And the way to end it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use portfire_core::Fault;

/// Why a host stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopCause {
    /// Somebody called `stop()`, or a service that was to end the host ended well.
    Asked,
    /// The process was told to: `SIGTERM`, `SIGINT`, Ctrl-C.
    Signal(&'static str),
    /// A service failed and could not go on without help.
    Failed {
        /// Its name.
        service: Box<str>,
        /// What went wrong.
        fault: Fault,
    },
}

impl fmt::Display for StopCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("it was asked to stop"),
            Self::Signal(name) => write!(f, "it received {name}"),
            Self::Failed { service, fault } => write!(f, "service `{service}` failed: {}", fault.message),
        }
    }
}

/// A handle on the life of a host. Cheap to clone; give it to whoever must know or decide.
///
/// ```
/// use portfire::hosting::Host;
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let host = Host::new();
/// let lifetime = host.lifetime();
/// let running = host.start().await?;
/// lifetime.started().await;
/// lifetime.stop();
/// assert!(running.wait().await.is_clean());
/// # Ok::<(), portfire::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Lifetime(Arc<Signals>);

#[derive(Debug, Default)]
struct Signals {
    asked: CancellationToken,
    started: CancellationToken,
    stopping: CancellationToken,
    stopped: CancellationToken,
    cause: Mutex<Option<StopCause>>,
}

impl Lifetime {
    /// Returns when every service has started. Never, if one fails to.
    ///
    /// # Cancel safety
    /// Safe: nothing is lost.
    pub async fn started(&self) {
        self.0.started.cancelled().await;
    }

    /// Returns when the host begins to stop.
    ///
    /// # Cancel safety
    /// Safe: nothing is lost.
    pub async fn stopping(&self) {
        self.0.stopping.cancelled().await;
    }

    /// Returns when every service has stopped or was given up.
    ///
    /// # Cancel safety
    /// Safe: nothing is lost.
    pub async fn stopped(&self) {
        self.0.stopped.cancelled().await;
    }

    /// Whether every service has started.
    pub fn is_started(&self) -> bool {
        self.0.started.is_cancelled()
    }

    /// Whether the host is stopping, or was asked to.
    pub fn is_stopping(&self) -> bool {
        self.0.asked.is_cancelled() || self.0.stopping.is_cancelled()
    }

    /// Asks the host to stop. Asking again changes nothing.
    pub fn stop(&self) {
        self.stop_because(StopCause::Asked);
    }

    /// Asks the host to stop because something failed; its exit code will say so.
    pub fn fail(&self, service: impl Into<Box<str>>, error: impl fmt::Display) {
        self.stop_because(StopCause::Failed {
            service: service.into(),
            fault: Fault::new(&error.to_string()),
        });
    }

    /// The first cause counts, except that a failure is never hidden behind a request.
    pub(super) fn stop_because(&self, cause: StopCause) {
        let mut known = self.0.cause.lock().unwrap_or_else(PoisonError::into_inner);
        let is_failure = matches!(cause, StopCause::Failed { .. });
        if known.is_none() || is_failure && !matches!(*known, Some(StopCause::Failed { .. })) {
            *known = Some(cause);
        }
        drop(known);
        self.0.asked.cancel();
    }

    /// Why the host stops, once it was asked to.
    pub(super) fn cause(&self) -> StopCause {
        self.0.cause.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or(StopCause::Asked)
    }

    pub(super) fn was_asked(&self) -> bool {
        self.0.asked.is_cancelled()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.0.stopped.is_cancelled()
    }

    pub(super) async fn asked(&self) {
        self.0.asked.cancelled().await;
    }

    pub(super) fn say_started(&self) {
        self.0.started.cancel();
    }

    pub(super) fn say_stopping(&self) {
        self.0.asked.cancel();
        self.0.stopping.cancel();
    }

    pub(super) fn say_stopped(&self) {
        self.0.stopped.cancel();
    }
}
