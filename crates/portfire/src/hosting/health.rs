//! How the host is: three questions, and one answer with every detail.
//!
//! - **live**: does every loop still turn? If not, only a restart of the process helps.
//! - **ready**: is everything started, nothing stopping, nothing dead, every check good? Then it may get work.
//! - **healthy**: the same in detail, service by service, check by check.
//!
//! Readiness goes false the moment the host is asked to stop, before anything is stopped.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portfire_core::Storage;
use serde::Serialize;

use super::lifetime::Lifetime;
use super::vitals::{ServiceState, Status, Vitals};
use crate::JobError;
use crate::clock::monotonic_now;
use crate::contain::caught;

/// Longest wait for one check: a probe of Kubernetes gives up after 1 s by default, and must hear the answer.
const CHECK_LIMIT: Duration = Duration::from_millis(800);

type Checking = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;
type Check = Arc<dyn Fn() -> Checking + Send + Sync>;

/// A handle on the health of a host. Cheap to clone.
///
/// ```
/// use portfire::hosting::{Host, Status};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let host = Host::new().check("disk", || async { Ok(()) });
/// let health = host.health();
/// assert!(!health.report().await.is_ready, "nothing is started");
/// let running = host.start().await?;
/// assert_eq!(health.report().await.status, Status::Healthy);
/// running.stop().await;
/// # Ok::<(), portfire::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Health(Arc<Known>);

#[derive(Default)]
struct Known {
    lifetime: Lifetime,
    services: Mutex<Vec<Arc<Vitals>>>,
    checks: Mutex<Vec<(Box<str>, Check)>>,
}

/// How a host is, in every detail.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct HealthReport {
    /// The worst of all that follows.
    pub status: Status,
    /// Whether every loop turns.
    pub is_live: bool,
    /// Whether it may get work.
    pub is_ready: bool,
    /// What does not turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<Box<str>>,
    /// Its services, in the order they were added.
    pub services: Vec<ServiceHealth>,
    /// The storages, and the application's own checks.
    pub checks: Vec<CheckHealth>,
}

/// How a service is.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServiceHealth {
    /// Its name.
    pub name: Box<str>,
    /// What sort of service it is: `service`, `background`, `periodic`, `queue`, `server`, `web`.
    pub kind: &'static str,
    /// Where it is in its life.
    pub state: ServiceState,
    /// How well it is.
    pub status: Status,
    /// How long it has been in this state, in seconds.
    pub seconds: u64,
    /// How often it was started again.
    pub restarts: u32,
    /// How often it, or one of its ticks, failed.
    pub failures: u32,
    /// What it says it is doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doing: Option<Box<str>>,
    /// What it has: places in a queue, running jobs, an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How a check ended.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CheckHealth {
    /// Its name.
    pub name: Box<str>,
    /// How well it is.
    pub status: Status,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Health {
    pub(super) fn new(lifetime: Lifetime) -> Self {
        Self(Arc::new(Known { lifetime, ..Known::default() }))
    }

    /// Everything. The storages and the application's checks are asked together, each for at most 0.8 s.
    ///
    /// # Cancel safety
    /// Safe: checks that still run are dropped.
    pub async fn report(&self) -> HealthReport {
        let checks = self.run_checks().await;
        let looks: Vec<_> = self.services().iter().map(|vitals| look(vitals)).collect();
        let stuck: BTreeSet<_> =
            looks.iter().filter(|(_, is_stuck)| *is_stuck).map(|(health, _)| health.name.clone()).collect();
        let services: Vec<_> = looks.into_iter().map(|(health, _)| health).collect();
        let all =
            services.iter().map(|service| service.status).chain(checks.iter().map(|check| check.status));
        let status = all.max().unwrap_or(Status::Healthy);
        let lifetime = &self.0.lifetime;
        HealthReport {
            status,
            is_live: stuck.is_empty(),
            is_ready: lifetime.is_started() && !lifetime.is_stopping() && status < Status::Unhealthy,
            stuck: stuck.into_iter().collect(),
            services,
            checks,
        }
    }

    /// The services whose loops do not turn; none if the host is live. Asks no storage, and none of the
    /// application's checks.
    pub fn stuck(&self) -> Vec<Box<str>> {
        let services = self.services();
        services.iter().filter(|vitals| vitals.look().is_stuck).map(|vitals| vitals.name().into()).collect()
    }

    pub(super) fn watch(&self, vitals: Arc<Vitals>) {
        self.0.services.lock().unwrap_or_else(PoisonError::into_inner).push(vitals);
    }

    pub(super) fn add_check<F, R>(&self, name: Box<str>, check: F)
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        let check: Check = Arc::new(move || Box::pin(check()));
        self.0.checks.lock().unwrap_or_else(PoisonError::into_inner).push((name, check));
    }

    /// Adds a storage to the checks. It is asked for something that every backend has to read: a clock may be
    /// at hand where the database is not.
    pub(super) fn add_storage(&self, name: impl Into<Box<str>>, storage: Arc<dyn Storage>) {
        self.add_check(name.into(), move || {
            let storage = Arc::clone(&storage);
            async move {
                storage.list_schedules(None, 1).await?;
                Ok(())
            }
        });
    }

    pub(super) fn services(&self) -> Vec<Arc<Vitals>> {
        self.0.services.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn run_checks(&self) -> Vec<CheckHealth> {
        let checks = self.0.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut running = tokio::task::JoinSet::new();
        for (index, (name, check)) in checks.into_iter().enumerate() {
            running.spawn(async move { (index, run_check(name, check).await) });
        }
        let mut ended = running.join_all().await;
        ended.sort_by_key(|(index, _)| *index);
        ended.into_iter().map(|(_, health)| health).collect()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.services()).finish()
    }
}

async fn run_check(name: Box<str>, check: Check) -> CheckHealth {
    let problem = match tokio::time::timeout(CHECK_LIMIT, caught(async { check().await })).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.fault().message.into()),
        Err(_) => Some(format!("no answer within {CHECK_LIMIT:?}")),
    };
    let status = if problem.is_some() { Status::Unhealthy } else { Status::Healthy };
    CheckHealth { name, status, problem }
}

fn look(vitals: &Vitals) -> (ServiceHealth, bool) {
    let (signs, look) = (vitals.signs(), vitals.look());
    let (status, problem) = look.wrong.map_or((Status::Healthy, None), |(status, text)| (status, Some(text)));
    let health = ServiceHealth {
        name: vitals.name().into(),
        kind: vitals.kind(),
        state: signs.state,
        status,
        seconds: monotonic_now().saturating_duration_since(signs.since).as_secs(),
        restarts: signs.restarts,
        failures: signs.failures,
        doing: signs.doing,
        detail: look.detail,
        problem,
    };
    (health, look.is_stuck)
}
