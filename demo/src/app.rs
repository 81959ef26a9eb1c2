//! The HTTP service: addresses, shared parts, and how a refusal becomes an answer.
//!
//! Handlers return a [`Refusal`] in no language; one layer around all of them says it in the client's.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use lettre::message::Mailbox;
use portfire::hosting::{Host, TaskQueue};
use portfire::{Jobs, Storage};
use serde_json::json;

use crate::database::Database;
use crate::files::DataDir;
use crate::i18n::{Language, Text};
use crate::login::{self, Login};
use crate::routes::{imports, reports, users};

/// What handlers work with.
#[derive(Clone, Debug)]
pub struct App {
    /// The client of Portfire.
    pub jobs: Jobs,
    /// The application's tables.
    pub database: Database,
    /// Where files live.
    pub data: DataDir,
    /// Where previews of uploads are made.
    pub previews: TaskQueue,
    /// Largest upload, in bytes.
    pub upload_max: u64,
    /// Who gets the summaries.
    pub admin: Mailbox,
}

/// An answer that says no.
#[derive(Clone, Debug)]
pub struct Refusal {
    status: StatusCode,
    text: Text,
}

impl Refusal {
    /// A refusal with this status and text.
    pub const fn new(status: StatusCode, text: Text) -> Self {
        Self { status, text }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self.text);
        response
    }
}

/// Any other error is ours: it is logged, and the client hears only that there was one.
impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        tracing::error!(error = %error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Text::Internal)
    }
}

/// All addresses of the service, those that say how the host is, and the dashboard at `/jobs` and `/hangfire`,
/// which looks through a storage of its own.
pub fn router(app: App, host: &Host, login: &Arc<Login>, looking: Arc<dyn Storage>) -> Router {
    let (gate, lifetime) = (Arc::clone(login), host.lifetime());
    let dashboard = portfire_dashboard::dashboard(looking)
        .name("demo")
        .gate_fn(move |parts| gate.access(parts))
        .until(async move { lifetime.stopping().await })
        .build();
    Router::new()
        .merge(host.health().router())
        .merge(login::router(login))
        .nest_service("/jobs", dashboard.clone())
        .nest_service("/hangfire", dashboard)
        .route("/api/import/users", post(imports::upload).layer(DefaultBodyLimit::disable()))
        .route("/api/import/status/{job}", get(imports::status))
        .route("/api/import/errors/{job}", get(imports::errors))
        .route("/api/import/preview/{job}", get(imports::preview))
        .route("/api/users", get(users::list).post(users::create))
        .route("/api/users/{id}", delete(users::delete))
        .route("/api/reports/{id}", get(reports::page).post(reports::generate))
        .route("/api/reports/{id}/csv", get(reports::csv))
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, Text::NoRoute))
        .method_not_allowed_fallback(async || Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Text::NoMethod))
        .layer(DefaultBodyLimit::max(64 << 10))
        .layer(axum::middleware::from_fn(speak))
        .with_state(Arc::new(app))
}

/// Says refusals in the language of the client.
async fn speak(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(language) = Language::from_request_parts(&mut parts, &()).await;
    let mut response = next.run(Request::from_parts(parts, body)).await;
    match response.extensions_mut().remove::<Text>() {
        Some(text) => (response.status(), Json(json!({ "error": text.say(language) }))).into_response(),
        None => response,
    }
}
