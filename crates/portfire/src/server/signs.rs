//! Signs of life of a server's loops, for health checks.
//!
//! The driver notes each turn of its loop, the heartbeat each answer of the storage. What is too long ago
//! is a complaint; nothing here acts on it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The loop turns at least once per wait for a hint, which lasts 10 s; six times that is no accident.
const TURN_LIMIT: Duration = Duration::from_secs(60);

/// What is wrong with a running server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// The driver has not turned for this long: something blocks its thread.
    Stuck(Duration),
    /// The storage has not answered a heartbeat for this long, which is longer than the lease.
    Unanswered(Duration),
}

/// When each loop last showed that it is alive. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Signs(Arc<Mutex<Times>>);

#[derive(Debug)]
struct Times {
    turned: Instant,
    answered: Instant,
}

impl Signs {
    pub(super) fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Times { turned: now, answered: now })))
    }

    pub(super) fn turned(&self, now: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).turned = now;
    }

    pub(super) fn answered(&self, now: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).answered = now;
    }

    pub(super) fn complaint(&self, now: Instant, lease: Duration) -> Option<Complaint> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (turned, answered) =
            (now.saturating_duration_since(times.turned), now.saturating_duration_since(times.answered));
        if turned > TURN_LIMIT {
            Some(Complaint::Stuck(turned))
        } else {
            (answered > lease).then_some(Complaint::Unanswered(answered))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic_now;

    #[test]
    fn silence_is_a_complaint() {
        let (start, lease) = (monotonic_now(), Duration::from_secs(30));
        let signs = Signs::new(start);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(signs.complaint(after(30), lease), None);
        assert!(matches!(signs.complaint(after(31), lease), Some(Complaint::Unanswered(_))));
        signs.answered(after(61));
        assert!(matches!(signs.complaint(after(61), lease), Some(Complaint::Stuck(_))));
        signs.turned(after(61));
        assert_eq!(signs.complaint(after(61), lease), None);
    }
}
