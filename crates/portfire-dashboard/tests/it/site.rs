//! A dashboard that is asked without a network.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::header::{CONTENT_TYPE, HOST, LOCATION};
use axum::http::{HeaderMap, Request, StatusCode};
use portfire_core::{ModelStorage, Storage, VirtualClock};
use portfire_dashboard::{Builder, Grant, Permissions, Scope, dashboard};
use portfire_sqlite::{SqliteOptions, SqliteStorage};
use tower::ServiceExt;

use crate::fixture;

/// A dashboard, its storage and its clock.
pub struct Site {
    pub router: Router,
    pub storage: Arc<dyn Storage>,
    pub clock: Arc<VirtualClock>,
    /// The folder of its file, if it is in one.
    _folder: Option<tempfile::TempDir>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Site {
    /// The dashboard over the fixture, for an administrator.
    pub async fn full() -> Self {
        Self::with(|builder| admit(builder, Permissions::admin())).await
    }

    /// The dashboard over the fixture, set up so.
    pub async fn with(set_up: impl FnOnce(Builder) -> Builder) -> Self {
        let site = Self::empty(set_up);
        fixture::fill(&*site.storage, &site.clock).await;
        site
    }

    /// The same over a SQLite file, for an administrator.
    pub async fn on_sqlite() -> Self {
        let site = Self::empty_on_sqlite().await;
        fixture::fill(&*site.storage, &site.clock).await;
        site
    }

    /// The dashboard over an empty SQLite file, for an administrator.
    pub async fn empty_on_sqlite() -> Self {
        let clock = Arc::new(VirtualClock::at(fixture::noon()));
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(folder.path().join("jobs.db")).clock(clock.clone()).for_dashboard();
        let storage = Arc::new(SqliteStorage::open(options).await.unwrap());
        let site = Self::over(storage, clock, |builder| admit(builder, Permissions::admin()));
        Self { _folder: Some(folder), ..site }
    }

    /// The dashboard over the fixture in a storage that is empty and has this clock, for an administrator.
    pub async fn on(storage: Arc<dyn Storage>, clock: Arc<VirtualClock>) -> Self {
        let site = Self::over(storage, clock, |builder| admit(builder, Permissions::admin()));
        fixture::fill(&*site.storage, &site.clock).await;
        site
    }

    /// The dashboard over nothing.
    pub fn empty(set_up: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Arc::new(VirtualClock::at(fixture::noon()));
        let storage = Arc::new(ModelStorage::new(clock.clone()));
        Self::over(storage, clock, set_up)
    }

    /// The dashboard over this storage.
    pub fn over(
        storage: Arc<dyn Storage>,
        clock: Arc<VirtualClock>,
        set_up: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let router = set_up(dashboard(storage.clone()).clock(clock.clone())).build();
        Self { router, storage, clock, _folder: None }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(request("GET", path, &[], "")).await
    }

    pub async fn get_as(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask(request("GET", path, headers, "")).await
    }

    /// Posts a form as the page itself does.
    pub async fn post(&self, path: &str, form: &str) -> Answer {
        self.ask(request("POST", path, &[("sec-fetch-site", "same-origin")], form)).await
    }

    pub async fn ask(&self, request: Request<Body>) -> Answer {
        answer(self.router.clone(), request).await
    }

    /// The ids of the jobs in a state.
    pub async fn jobs(&self, state: portfire_core::State) -> Vec<portfire_core::JobId> {
        let list =
            self.storage.list(portfire_core::storage::Filter::of(state), Default::default()).await.unwrap();
        list.jobs.into_iter().map(|job| job.id).collect()
    }
}

/// Lets everybody in with these rights.
pub fn admit(builder: Builder, can: Permissions) -> Builder {
    admit_to(builder, can, Scope::Everything)
}

/// Lets everybody in with these rights, to these queues.
pub fn admit_to(builder: Builder, can: Permissions, scope: Scope) -> Builder {
    let grant = Grant { scope, ..Grant::new("ming", can) };
    builder.gate_fn(move |_| portfire_dashboard::Access::Granted(grant.clone()))
}

pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header(HOST, "localhost:3000");
    }
    if method == "POST" && !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000)));
    request.extension(peer).body(Body::from(body.to_owned())).unwrap()
}

pub async fn answer(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 16 << 20).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }
}
