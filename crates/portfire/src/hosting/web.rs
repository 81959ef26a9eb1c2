//! A web server as a service, and the health of the host over HTTP.
//!
//! 1. The address is taken before any service starts, so that a second process fails at once.
//! 2. Connections are served once every service has started; until then they wait in the system's queue.
//! 3. At stop no connection is taken any more, requests that run are finished, and after its time the handlers
//!    that still run are dropped. A body that is being streamed, or a connection that a handler took over, is
//!    the handler's own to end: [`Lifetime::stopping`](super::Lifetime::stopping) says when.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::health::{Health, HealthReport};
use super::host::Part;
use super::plan::Hook;
use super::service::{ServiceContext, Unit};
use super::task::OwnTask;
use super::vitals::{Look, Status};
use crate::JobError;

/// An axum router as a service.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use portfire::hosting::Host;
///
/// # async fn example() -> portfire::Result<()> {
/// let host = Host::new();
/// let router = Router::new().route("/", get(|| async { "hello" })).merge(host.health().router());
/// host.web("127.0.0.1:8080", router).run().await
/// # }
/// ```
#[must_use = "it does nothing until it is added to a host"]
pub struct Web {
    name: Box<str>,
    place: Place,
    router: Router,
}

enum Place {
    Address(String),
    Taken(TcpListener),
}

impl Web {
    /// Serves at this address, as in `127.0.0.1:8080`.
    pub fn new(address: impl Into<String>, router: Router) -> Self {
        Self { name: "web".into(), place: Place::Address(address.into()), router }
    }

    /// Serves where this listener listens already.
    pub fn on(listener: TcpListener, router: Router) -> Self {
        Self { name: "web".into(), place: Place::Taken(listener), router }
    }

    /// Another name than `web`, for a host with two of them.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = name.into();
        self
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Web({})", self.name)
    }
}

impl From<Web> for Part {
    fn from(web: Web) -> Self {
        let Web { name, place, router } = web;
        let unit = WebUnit {
            place: Mutex::new(Some(place)),
            bound: Mutex::new(None),
            router,
            close: CancellationToken::new(),
            drop: CancellationToken::new(),
            task: OwnTask::default(),
        };
        Self::new(name, "web", unit)
    }
}

struct WebUnit {
    place: Mutex<Option<Place>>,
    bound: Mutex<Option<TcpListener>>,
    router: Router,
    close: CancellationToken,
    /// Cancelled when requests that still run are dropped: each connection is a task of its own, which the
    /// server's task does not take along.
    drop: CancellationToken,
    task: OwnTask,
}

impl WebUnit {
    async fn bind(&self, ctx: &ServiceContext) -> Result<(), JobError> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        let listener = match place {
            None => return Ok(()),
            Some(Place::Taken(listener)) => listener,
            Some(Place::Address(address)) => TcpListener::bind(&address).await.map_err(|error| {
                JobError::message(format!("cannot listen on {address}: {error}{}", hint(&error)))
            })?,
        };
        let address = listener.local_addr()?;
        ctx.vitals().set_probe(move || Look { detail: Some(format!("http://{address}")), ..Look::default() });
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
        Ok(())
    }

    /// The router, whose handlers are dropped when the token says so.
    fn droppable(&self) -> Router {
        let dropped = self.drop.clone();
        self.router.clone().layer(middleware::from_fn(move |request: Request, next: Next| {
            let dropped = dropped.clone();
            async move {
                tokio::select! {
                    answer = next.run(request) => answer,
                    () = dropped.cancelled() => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                }
            }
        }))
    }

    fn serve(&self, ctx: &ServiceContext) {
        let Some(listener) = self.bound.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let address = listener.local_addr().ok();
        let (service, closed) =
            (self.droppable().into_make_service_with_connect_info::<SocketAddr>(), self.close.clone());
        let server = axum::serve(listener, service).with_graceful_shutdown(closed.cancelled_owned());
        let (lifetime, name) = (ctx.lifetime().clone(), ctx.name().to_owned());
        self.task.begin(async move {
            if let Some(address) = address {
                tracing::info!("listening on http://{address}");
            }
            if let Err(error) = server.await {
                lifetime.fail(name, error);
            }
            Ok(())
        });
    }
}

fn hint(error: &std::io::Error) -> &'static str {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        ". Another program uses this port; choose another one, or port 0 for any that is free"
    } else {
        ""
    }
}

impl Unit for WebUnit {
    fn call<'a>(
        &'a self,
        hook: Hook,
        ctx: &'a ServiceContext,
    ) -> Pin<Box<dyn Future<Output = Result<(), JobError>> + Send + 'a>> {
        Box::pin(async move {
            match hook {
                Hook::Starting => self.bind(ctx).await?,
                Hook::Started => self.serve(ctx),
                Hook::Stop => {
                    self.close.cancel();
                    self.task.end().await?;
                }
                _ => {}
            }
            Ok(())
        })
    }

    fn abandon(&self) {
        self.close.cancel();
        self.drop.cancel();
        self.task.abandon();
    }
}

impl Health {
    /// `/livez`, `/readyz` and `/healthz`: 200 if it is so and 503 if not, as JSON.
    ///
    /// `/livez` names what is stuck, and asks no storage and none of the application's checks: a database or
    /// a partner that is down is no reason to restart the process. The others answer with the whole report,
    /// within a second.
    ///
    /// Point a liveness probe at `/livez`, a readiness probe at `/readyz`, and look at `/healthz` yourself. The
    /// report names services and what went wrong with them: keep it away from strangers.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let answer = |health: Self, is_so: fn(&HealthReport) -> bool| {
            move || async move {
                let report = health.report().await;
                respond(is_so(&report), serde_json::to_string(&report).unwrap_or_default())
            }
        };
        let health = self.clone();
        Router::new()
            .route("/livez", get(move || async move { liveness(&health) }))
            .route("/readyz", get(answer(self.clone(), |report| report.is_ready)))
            .route("/healthz", get(answer(self.clone(), |report| report.status < Status::Unhealthy)))
    }
}

fn liveness(health: &Health) -> Response {
    let stuck = health.stuck();
    let is_live = stuck.is_empty();
    respond(is_live, serde_json::json!({ "is_live": is_live, "stuck": stuck }).to_string())
}

fn respond(is_so: bool, json: String) -> Response {
    let status = if is_so { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, json).into_response()
}
