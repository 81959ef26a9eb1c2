//! What is known of one service at any moment: written by whoever runs it, read by health and reports.
//!
//! It judges nothing by itself: [`Vitals::status`] is a pure reading of what was written.

use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use portfire_core::Fault;
use serde::Serialize;
use tokio::time::Instant;

use crate::clock::monotonic_now;

/// Where a service is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServiceState {
    /// Its turn to start has not come.
    Waiting,
    /// It starts.
    Starting,
    /// It works.
    Running,
    /// It failed and will be started again.
    Restarting,
    /// It ended well before the host.
    Finished,
    /// It failed and is not started again.
    Dead,
    /// It was asked to stop.
    Stopping,
    /// It has stopped.
    Stopped,
    /// It did not stop in time and was dropped.
    Abandoned,
}

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Healthy,
    /// It works, but something went wrong and is being mended.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// What looking into a service found.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// For people: what it has, what it does.
    pub(super) detail: Option<String>,
    pub(super) wrong: Option<(Status, String)>,
    pub(super) is_stuck: bool,
}

type Probe = Box<dyn Fn() -> Look + Send + Sync>;

/// The signs of one service.
pub(super) struct Vitals {
    name: Box<str>,
    kind: &'static str,
    signs: Mutex<Signs>,
    probe: OnceLock<Probe>,
}

#[derive(Clone, Debug)]
pub(super) struct Signs {
    pub(super) state: ServiceState,
    pub(super) since: Instant,
    pub(super) restarts: u32,
    pub(super) failures: u32,
    /// The last failure; `is_over` once a good run or tick followed.
    pub(super) fault: Option<Fault>,
    pub(super) is_over: bool,
    pub(super) doing: Option<Box<str>>,
    beat: Option<Beat>,
}

#[derive(Clone, Copy, Debug)]
struct Beat {
    last: Instant,
    limit: Duration,
}

impl Vitals {
    pub(super) fn new(name: Box<str>, kind: &'static str) -> Self {
        let signs = Signs {
            state: ServiceState::Waiting,
            since: monotonic_now(),
            restarts: 0,
            failures: 0,
            fault: None,
            is_over: true,
            doing: None,
            beat: None,
        };
        Self { name, kind, signs: Mutex::new(signs), probe: OnceLock::new() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn kind(&self) -> &'static str {
        self.kind
    }

    pub(super) fn signs(&self) -> Signs {
        self.lock().clone()
    }

    pub(super) fn state(&self) -> ServiceState {
        self.lock().state
    }

    /// Enters a state; what it was doing, and its beat, belong to the one before.
    pub(super) fn enter(&self, state: ServiceState) {
        let mut signs = self.lock();
        (signs.state, signs.since, signs.beat) = (state, monotonic_now(), None);
    }

    /// The same, unless it had ended before by itself: then that is what is worth knowing.
    pub(super) fn enter_unless_over(&self, state: ServiceState) {
        if !matches!(self.state(), ServiceState::Dead | ServiceState::Finished | ServiceState::Abandoned) {
            self.enter(state);
        }
    }

    /// Something went wrong.
    pub(super) fn failed(&self, fault: &Fault) {
        let mut signs = self.lock();
        signs.failures = signs.failures.saturating_add(1);
        (signs.fault, signs.is_over) = (Some(fault.clone()), false);
    }

    /// Something went well again.
    pub(super) fn recovered(&self) {
        self.lock().is_over = true;
    }

    pub(super) fn restarts(&self) {
        let mut signs = self.lock();
        signs.restarts = signs.restarts.saturating_add(1);
    }

    pub(super) fn doing(&self, what: Option<Box<str>>) {
        self.lock().doing = what;
    }

    /// Shows a sign of life, and promises the next one within `limit`.
    pub(super) fn beat(&self, limit: Duration) {
        self.lock().beat = Some(Beat { last: monotonic_now(), limit });
    }

    /// The promise is withdrawn: nothing is due.
    pub(super) fn rest(&self) {
        self.lock().beat = None;
    }

    /// How to look into it. Only the first counts.
    pub(super) fn set_probe(&self, probe: impl Fn() -> Look + Send + Sync + 'static) {
        let _ = self.probe.set(Box::new(probe));
    }

    /// Looks at everything.
    pub(super) fn look(&self) -> Look {
        let mut look = self.probe.get().map(|probe| probe()).unwrap_or_default();
        let signs = self.signs();
        if let Some(silent) = signs.silent_for(monotonic_now()) {
            let doing =
                signs.doing.as_deref().map_or_else(String::new, |doing| format!("; it was doing: {doing}"));
            look.wrong = Some((Status::Unhealthy, format!("no sign of life for {silent:.0?}{doing}")));
            look.is_stuck = true;
        }
        look.wrong = look.wrong.or_else(|| signs.wrong());
        look
    }

    fn lock(&self) -> MutexGuard<'_, Signs> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signs {
    /// How long the promised sign of life is overdue, from the last one.
    fn silent_for(&self, now: Instant) -> Option<Duration> {
        let beat = self.beat?;
        let silent = now.saturating_duration_since(beat.last);
        (silent > beat.limit).then_some(silent)
    }

    fn wrong(&self) -> Option<(Status, String)> {
        let fault = || self.fault.as_ref().map_or_else(String::new, |fault| format!(": {}", fault.message));
        match self.state {
            ServiceState::Restarting => {
                Some((Status::Degraded, format!("it failed and restarts{}", fault())))
            }
            ServiceState::Dead => {
                Some((Status::Unhealthy, format!("it failed and is not started again{}", fault())))
            }
            ServiceState::Abandoned => Some((Status::Unhealthy, "it did not stop in time".into())),
            _ if !self.is_over => Some((Status::Degraded, format!("the last run failed{}", fault()))),
            _ => None,
        }
    }
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vitals({} `{}`, {:?})", self.kind, self.name, self.state())
    }
}
