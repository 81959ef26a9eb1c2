//! `/api/reports`: have one made, fetch it.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;

use super::imports::Accepted;
use crate::app::{App, Refusal};
use crate::i18n::{Language, Text};
use crate::jobs::generate_report;

/// Enqueues the making of a report. While one of this number is being made, there is no second.
///
/// # Errors
/// 400 if the id is no number.
pub async fn generate(
    State(app): State<Arc<App>>,
    language: Language,
    id: Result<Path<String>, PathRejection>,
) -> Result<(StatusCode, Json<Accepted>), Refusal> {
    let id = number(id)?;
    let job = generate_report(id).unique(format!("report-{id}")).enqueue(&app.jobs).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted::new(job.id(), &Text::ReportQueued, language))))
}

/// The report as a page.
///
/// # Errors
/// 400 if the id is no number, 404 if there is no such report yet.
pub async fn page(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, Refusal> {
    let content = read(&app.data.report(number(id)?, "html")).await?;
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, policy)], content))
}

/// The report as CSV.
///
/// # Errors
/// As [`page`].
pub async fn csv(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, Refusal> {
    let id = number(id)?;
    let content = read(&app.data.report(id, "csv")).await?;
    let disposition = format!("attachment; filename=\"report-{id}.csv\"");
    Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, disposition)], content))
}

fn number(id: Result<Path<String>, PathRejection>) -> Result<i64, Refusal> {
    let digits = id.ok().filter(|Path(id)| id.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|Path(id)| id.parse().ok()).filter(|id| *id > 0);
    number.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, Text::ReportIdIsNumber))
}

async fn read(path: &FilePath) -> Result<Vec<u8>, Refusal> {
    match tokio::fs::read(path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Refusal::new(StatusCode::NOT_FOUND, Text::NoReport))
        }
        read => Ok(read?),
    }
}
