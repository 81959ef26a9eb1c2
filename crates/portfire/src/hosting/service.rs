//! A service: something that is started, and later stopped.
//!
//! 1. *starting*, *start*, *started* are called on the way up, *stopping*, *stop*, *stopped* on the way down;
//!    each round visits all services before the next begins.
//! 2. What returns an error, panics or takes too long on the way up ends the start of the host.
//! 3. The way down visits exactly the services whose `start` succeeded.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use portfire_core::{Clock, Timestamp};

use super::lifetime::Lifetime;
use super::plan::Hook;
use super::vitals::Vitals;
use crate::clock::{SystemClock, monotonic_now};
use crate::context::ShutdownClock;
use crate::values::Values;
use crate::{AttemptScope, JobError};

/// Something that is started with the host and stopped with it. All methods have a body that does nothing.
///
/// Any `async fn(ServiceContext) -> Result<(), JobError>` is a service too, which does its work at start;
/// [`on_start`] and [`on_stop`] make one from closures.
///
/// ```
/// use portfire::JobError;
/// use portfire::hosting::{Host, Service, ServiceContext, on_start};
///
/// struct Cache;
///
/// impl Service for Cache {
///     async fn start(&self, ctx: &ServiceContext) -> Result<(), JobError> {
///         ctx.doing("warming up");
///         Ok(())
///     }
///
///     async fn stop(&self, _ctx: &ServiceContext) -> Result<(), JobError> {
///         Ok(())
///     }
/// }
///
/// async fn migrate(_ctx: ServiceContext) -> Result<(), JobError> {
///     Ok(())
/// }
///
/// let host = Host::new()
///     .service("migrations", migrate)
///     .service("cache", Cache)
///     .service("hello", on_start(|_| async { Ok(()) }).on_stop(|_| async { Ok(()) }));
/// # let _ = host;
/// ```
///
/// # Cancel safety
/// A call that takes too long is dropped at an await. What `start` has begun by then must end with it; its
/// `stop` is not called.
pub trait Service: Send + Sync + 'static {
    /// Before any service is started.
    fn starting(&self, ctx: &ServiceContext) -> impl Future<Output = Result<(), JobError>> + Send {
        let _ = ctx;
        ready(Ok(()))
    }

    /// Starts. The next service waits until this returns: keep it short, and use
    /// [`background`](super::Host::background) for work that goes on.
    fn start(&self, ctx: &ServiceContext) -> impl Future<Output = Result<(), JobError>> + Send {
        let _ = ctx;
        ready(Ok(()))
    }

    /// After all services have started.
    fn started(&self, ctx: &ServiceContext) -> impl Future<Output = Result<(), JobError>> + Send {
        let _ = ctx;
        ready(Ok(()))
    }

    /// Before any service is stopped.
    fn stopping(&self, ctx: &ServiceContext) -> impl Future<Output = Result<(), JobError>> + Send {
        let _ = ctx;
        ready(Ok(()))
    }

    /// Stops. [`ServiceContext::time_left`] says how long it may take.
    fn stop(&self, ctx: &ServiceContext) -> impl Future<Output = Result<(), JobError>> + Send {
        let _ = ctx;
        ready(Ok(()))
    }

    /// After all services have stopped.
    fn stopped(&self, ctx: &ServiceContext) -> impl Future<Output = Result<(), JobError>> + Send {
        let _ = ctx;
        ready(Ok(()))
    }
}

impl<F, R> Service for F
where
    F: Fn(ServiceContext) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), JobError>> + Send + 'static,
{
    fn start(&self, ctx: &ServiceContext) -> impl Future<Output = Result<(), JobError>> + Send {
        self(ctx.clone())
    }
}

type Called = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;
type Call = Box<dyn Fn(ServiceContext) -> Called + Send + Sync>;

/// A service made of closures: see [`on_start`] and [`on_stop`].
#[derive(Default)]
#[must_use = "hooks do nothing until they are added to a host"]
pub struct Hooks {
    start: Option<Call>,
    stop: Option<Call>,
}

/// A service that does this when it is started.
pub fn on_start<F, R>(start: F) -> Hooks
where
    F: Fn(ServiceContext) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), JobError>> + Send + 'static,
{
    Hooks { start: Some(boxed(start)), stop: None }
}

/// A service that does this when it is stopped.
pub fn on_stop<F, R>(stop: F) -> Hooks
where
    F: Fn(ServiceContext) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), JobError>> + Send + 'static,
{
    Hooks { start: None, stop: Some(boxed(stop)) }
}

impl Hooks {
    /// Also does this when it is stopped.
    pub fn on_stop<F, R>(mut self, stop: F) -> Self
    where
        F: Fn(ServiceContext) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        self.stop = Some(boxed(stop));
        self
    }
}

fn boxed<F, R>(call: F) -> Call
where
    F: Fn(ServiceContext) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), JobError>> + Send + 'static,
{
    Box::new(move |ctx| Box::pin(call(ctx)))
}

impl Service for Hooks {
    async fn start(&self, ctx: &ServiceContext) -> Result<(), JobError> {
        call(self.start.as_ref(), ctx).await
    }

    async fn stop(&self, ctx: &ServiceContext) -> Result<(), JobError> {
        call(self.stop.as_ref(), ctx).await
    }
}

async fn call(hook: Option<&Call>, ctx: &ServiceContext) -> Result<(), JobError> {
    match hook {
        Some(hook) => hook(ctx.clone()).await,
        None => Ok(()),
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hooks(start: {}, stop: {})", self.start.is_some(), self.stop.is_some())
    }
}

/// What a service can ask and say. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServiceContext {
    vitals: Arc<Vitals>,
    lifetime: Lifetime,
    values: Arc<Values>,
    scope: AttemptScope,
    cancellation: CancellationToken,
    shutdown: ShutdownClock,
    clock: Arc<dyn Clock>,
}

impl ServiceContext {
    pub(super) fn new(
        vitals: Arc<Vitals>,
        lifetime: Lifetime,
        values: Arc<Values>,
        shutdown: ShutdownClock,
    ) -> Self {
        let (scope, cancellation) = (AttemptScope::new(Arc::clone(&values)), CancellationToken::new());
        let clock = Arc::new(SystemClock);
        Self { vitals, lifetime, values, scope, cancellation, shutdown, clock }
    }

    pub(super) fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The time by the host's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The same for one run or tick: with values and a cancellation token of its own, which also ends with
    /// this one's.
    pub(super) fn for_run(&self) -> Self {
        Self { scope: self.scope(), cancellation: self.cancellation.child_token(), ..self.clone() }
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        self.vitals.name()
    }

    /// The life of the host: to await its stages, and to stop it.
    pub const fn lifetime(&self) -> &Lifetime {
        &self.lifetime
    }

    /// Cancelled when the service should stop.
    pub const fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }

    /// Whether the service should stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Returns when the service should stop.
    ///
    /// # Cancel safety
    /// Safe: nothing is lost.
    pub async fn cancelled(&self) {
        self.cancellation.cancelled().await;
    }

    /// Waits this long; `false` as soon as the service should stop.
    ///
    /// ```
    /// # use portfire::{DurationExt, JobError, hosting::ServiceContext};
    /// async fn poll(ctx: ServiceContext) -> Result<(), JobError> {
    ///     while ctx.sleep(1.minute()).await {
    ///         // look for work
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = poll;
    /// ```
    ///
    /// # Cancel safety
    /// Safe: nothing is lost.
    pub async fn sleep(&self, duration: Duration) -> bool {
        let far = Duration::from_secs(365 * 24 * 60 * 60);
        tokio::select! {
            biased;
            () = self.cancellation.cancelled() => false,
            () = tokio::time::sleep_until(monotonic_now() + duration.min(far)) => true,
        }
    }

    /// How long until the service must have stopped; `None` while the host is not stopping.
    pub fn time_left(&self) -> Option<Duration> {
        self.shutdown.remaining()
    }

    /// Says what the service is doing, for the health report and the report of the shutdown.
    pub fn doing(&self, what: impl fmt::Display) {
        self.vitals.doing(Some(what.to_string().into()));
    }

    /// Shows a sign of life and promises the next one within `limit`. If it does not come, the host is no
    /// longer live, and its health report names this service.
    pub fn beat(&self, limit: Duration) {
        self.vitals.beat(limit);
    }

    /// The `T` that the host provides: the one made for this run, or the shared one.
    ///
    /// # Errors
    /// If the host provides none, or its factory failed.
    pub async fn value<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, JobError> {
        self.scope.value().await
    }

    /// A fresh `T` from the host's factory, owned by the caller.
    ///
    /// # Errors
    /// If the host has no factory for it, or the factory failed.
    pub async fn make<T: Send + Sync + 'static>(&self) -> Result<T, JobError> {
        self.scope.make().await
    }

    /// Fresh scoped values, for one unit of work of a service that loops by itself. Dropping it drops them.
    pub fn scope(&self) -> AttemptScope {
        AttemptScope::new(Arc::clone(&self.values))
    }

    pub(super) const fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    pub(super) const fn values(&self) -> &Arc<Values> {
        &self.values
    }

    pub(super) fn release_values(&self) {
        self.scope.release();
    }

    pub(super) fn must_stop_by(&self, deadline: Instant) {
        self.shutdown.set(deadline);
    }
}

/// What a host calls: any service, and the sorts of services it brings itself.
pub(super) trait Unit: Send + Sync {
    fn call<'a>(
        &'a self,
        hook: Hook,
        ctx: &'a ServiceContext,
    ) -> Pin<Box<dyn Future<Output = Result<(), JobError>> + Send + 'a>>;

    /// Makes it the host's own, before anything starts; refused if it is another's.
    fn claim(&self) -> portfire_core::Result<()> {
        Ok(())
    }

    /// Ends at once whatever it still does.
    fn abandon(&self) {}

    /// What it has not done and what became of that, once it has stopped.
    fn left(&self) -> Vec<super::report::Leftover> {
        Vec::new()
    }
}

/// An application's own service as a [`Unit`].
pub(super) struct Custom<S>(pub(super) S);

impl<S: Service> Unit for Custom<S> {
    fn call<'a>(
        &'a self,
        hook: Hook,
        ctx: &'a ServiceContext,
    ) -> Pin<Box<dyn Future<Output = Result<(), JobError>> + Send + 'a>> {
        match hook {
            Hook::Starting => Box::pin(self.0.starting(ctx)),
            Hook::Start => Box::pin(self.0.start(ctx)),
            Hook::Started => Box::pin(self.0.started(ctx)),
            Hook::Stopping => Box::pin(self.0.stopping(ctx)),
            Hook::Stop => Box::pin(self.0.stop(ctx)),
            Hook::Stopped => Box::pin(self.0.stopped(ctx)),
        }
    }
}
