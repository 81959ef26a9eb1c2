//! `/api/import`: upload a file, ask how it goes, fetch what was rejected.
//!
//! 1. The file is streamed to disk under the id of the job to be; nothing of the client's name is used.
//! 2. The import, its summary mail and its progress row are stored in one transaction.
//! 3. If that fails the file is removed; if the process dies in between, the next start removes it.
//! 4. A preview is made in this process, by the way: if there is no time for it, there is none.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Multipart, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::{BoxError, Json};
use futures_util::Stream;
use portfire::{Job, JobDetails, JobId, State as JobState};
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

use crate::app::{App, Refusal};
use crate::csv_rows::{Problem, harmless_cell};
use crate::database::{Database, ImportError};
use crate::files::{create_locked, remove_if_there};
use crate::i18n::{Language, Text};
use crate::jobs::{import_users, send_import_summary};
use crate::preview;

/// The longest rest between two batches, in milliseconds.
const PAUSE_MAX: u64 = 1_000;
/// How much more of a refused upload is read, so that the client gets to read the answer.
const DRAIN_MAX: usize = 8 << 20;
/// Rejected lines that are read from the database at once: some megabytes at the longest lines.
const ERRORS_PAGE: u32 = 1_000;

/// A job was accepted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    job_id: String,
    status: &'static str,
    message: String,
}

impl Accepted {
    /// The answer for this job.
    pub fn new(job: JobId, message: &Text, language: Language) -> Self {
        Self { job_id: job.to_string(), status: "Queued", message: message.say(language) }
    }
}

/// How an import goes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportStatus {
    job_id: String,
    state: &'static str,
    created_at: String,
    /// Percent of the file's bytes.
    progress: u64,
    imported: i64,
    rejected: i64,
    error: Option<String>,
}

/// Options of an upload.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadOptions {
    /// Milliseconds to rest after each batch: for watching, and for killing at leisure.
    #[serde(default)]
    pause_ms: u64,
}

/// Takes a CSV file and enqueues its import.
///
/// # Errors
/// 400 without a file, for a file of another kind or a broken body; 413 for one that is too large.
pub async fn upload(
    State(app): State<Arc<App>>,
    language: Language,
    options: Result<Query<UploadOptions>, QueryRejection>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<(StatusCode, Json<Accepted>), Refusal> {
    let pause_ms = options.map_or(0, |Query(options)| options.pause_ms.min(PAUSE_MAX));
    let mut form = form.map_err(|_| refuse_upload(Text::ChooseFile))?;
    let id = app.jobs.new_id();
    // `held` is let go at the end: until the job is stored, no other process may take the file for a leftover.
    let (name, held) = match receive(&app, &mut form, id).await {
        Ok(received) => received,
        Err(refusal) => {
            remove_if_there(&app.data.arriving(id)).await?;
            drain(&mut form).await;
            return Err(refusal);
        }
    };
    // Open before the import may remove it.
    let file = File::open(app.data.upload(id)).await?.into_std().await;
    if let Err(refusal) = enqueue(&app, id, name, pause_ms, language).await {
        remove_if_there(&app.data.upload(id)).await?;
        return Err(refusal);
    }
    drop(held);
    preview::push(&app.previews, id, file, language);
    Ok((StatusCode::ACCEPTED, Json(Accepted::new(id, &Text::Queued, language))))
}

/// Says how an import goes.
///
/// # Errors
/// 404 if there is no such import.
pub async fn status(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<ImportStatus>, Refusal> {
    let id = import_id(id)?;
    let details = app.jobs.get(id).await?.filter(|job| *job.summary.kind == *import_users::KIND);
    let (Some(job), Some(rows)) = (details, app.database.import(&id.to_string()).await?) else {
        return Err(no_job());
    };
    Ok(Json(ImportStatus {
        job_id: id.to_string(),
        state: job.summary.state.as_str(),
        created_at: job.summary.created_at.to_string(),
        progress: percent(&job),
        imported: rows.imported,
        rejected: rows.rejected,
        error: error_of(&job),
    }))
}

/// The rejected lines as CSV.
///
/// # Errors
/// 404 if there is no such import.
pub async fn errors(
    State(app): State<Arc<App>>,
    language: Language,
    id: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, Refusal> {
    let id = import_id(id)?.to_string();
    if app.database.import(&id).await?.is_none() {
        return Err(no_job());
    }
    let disposition = format!("attachment; filename=\"errors-{id}.csv\"");
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, disposition)];
    Ok((headers, Body::from_stream(errors_csv(app.database.clone(), id, language))))
}

/// The first rows of an upload as a page.
///
/// # Errors
/// 404 if there is no such import, or no preview of it yet.
pub async fn preview(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, Refusal> {
    let content = match tokio::fs::read(app.data.preview(import_id(id)?)).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Refusal::new(StatusCode::NOT_FOUND, Text::NoPreview));
        }
        read => read?,
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, policy)], content))
}

/// Streams the first field named `file` to its place; returns the name it had where it came from, and the
/// file, locked.
async fn receive(app: &App, form: &mut Multipart, id: JobId) -> Result<(String, File), Refusal> {
    while let Some(mut field) = form.next_field().await.map_err(|why| bad_form(&why))? {
        if field.name() != Some("file") {
            continue;
        }
        let name = shown_name(field.file_name().unwrap_or(""));
        let Some(first) = field.chunk().await.map_err(|why| bad_form(&why))?.filter(|part| !part.is_empty())
        else {
            return Err(refuse_upload(Text::ChooseFile));
        };
        if name.is_empty() {
            return Err(refuse_upload(Text::ChooseFile));
        }
        if !FilePath::new(&name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            return Err(refuse_upload(Text::OnlyCsv));
        }
        let arriving = app.data.arriving(id);
        let held = store(&arriving, app.upload_max, &first, field).await?;
        tokio::fs::rename(&arriving, app.data.upload(id)).await?;
        return Ok((name, held));
    }
    Err(refuse_upload(Text::ChooseFile))
}

/// Writes a field to disk, durably: the job must not outlive its file.
async fn store(path: &FilePath, limit: u64, first: &[u8], mut field: Field<'_>) -> Result<File, Refusal> {
    let mut file = BufWriter::with_capacity(1 << 20, create_locked(path).await?);
    let mut size = u64::try_from(first.len()).unwrap_or(u64::MAX);
    file.write_all(first).await?;
    while let Some(part) = field.chunk().await.map_err(|why| bad_form(&why))? {
        size = size.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        if size > limit {
            break;
        }
        file.write_all(&part).await?;
    }
    if size > limit {
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Text::TooLarge(limit)));
    }
    file.flush().await?;
    let file = file.into_inner();
    file.sync_all().await?;
    Ok(file)
}

/// Stores the import, its continuation and its progress row: all or none.
async fn enqueue(
    app: &App,
    id: JobId,
    name: String,
    pause_ms: u64,
    language: Language,
) -> Result<(), Refusal> {
    let mut tx = app.database.begin().await?;
    tx.insert_import(&id.to_string(), &name).await?;
    let import = tx.enqueue(import_users(name.clone(), pause_ms).id(id)).await?;
    let summary = send_import_summary(app.admin.to_string(), name, language);
    tx.enqueue(summary.after_end_of(import)).await?;
    tx.commit().await?;
    Ok(())
}

async fn drain(form: &mut Multipart) {
    let mut left = DRAIN_MAX;
    while let Ok(Some(mut field)) = form.next_field().await {
        while let Ok(Some(part)) = field.chunk().await {
            left = left.saturating_sub(part.len());
            if left == 0 {
                return;
            }
        }
    }
}

/// The last part of a client's file name, for people to read; it never becomes part of a path.
fn shown_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or("");
    let skipped = last.chars().count().saturating_sub(100);
    last.chars().filter(|c| !c.is_control()).skip(skipped).collect()
}

/// The rejected lines page by page, however many there are.
fn errors_csv(
    database: Database,
    import: String,
    language: Language,
) -> impl Stream<Item = Result<Vec<u8>, BoxError>> {
    futures_util::stream::try_unfold(Some(0), move |after: Option<i64>| {
        let (database, import) = (database.clone(), import.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            let rows = database.import_errors(&import, after, ERRORS_PAGE).await?;
            let page = errors_page(&rows, after == 0, language)?;
            Ok(Some((page, rows.last().map(|row| row.line))))
        }
    })
}

fn errors_page(rows: &[ImportError], is_first: bool, language: Language) -> Result<Vec<u8>, BoxError> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    if is_first {
        csv.write_record(["line", "problem", "text"])?;
    }
    for row in rows {
        let problem = Problem::from_code(&row.problem);
        let problem = problem.map_or(row.problem.clone(), |problem| Text::BadUser(problem).say(language));
        csv.write_record([&*row.line.to_string(), &problem, &harmless_cell(&row.text)])?;
    }
    Ok(csv.into_inner()?)
}

fn percent(job: &JobDetails) -> u64 {
    if job.summary.state == JobState::Succeeded {
        return 100;
    }
    let progress = job.progress.as_ref();
    let share =
        progress.and_then(|at| Some(at.done.saturating_mul(100) / at.total.filter(|total| *total > 0)?));
    share.unwrap_or(0).min(100)
}

/// What went wrong last, unless it has been overcome.
fn error_of(job: &JobDetails) -> Option<String> {
    let is_unwell = matches!(job.summary.state, JobState::Failed | JobState::Retrying | JobState::Cancelled);
    let last = job.history.last().filter(|_| is_unwell)?;
    Some(last.fault.as_ref().map_or_else(|| last.outcome.to_string(), |fault| fault.message.to_string()))
}

fn import_id(id: Result<Path<String>, PathRejection>) -> Result<JobId, Refusal> {
    id.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(no_job)
}

fn no_job() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, Text::NoJob)
}

fn refuse_upload(text: Text) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, text)
}

fn bad_form(why: &MultipartError) -> Refusal {
    Refusal::new(why.status(), Text::BadBody(why.body_text()))
}
