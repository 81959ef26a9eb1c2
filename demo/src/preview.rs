//! The first rows of an upload as a page, made in this process.
//!
//! A preview may be lost: it is worth no row in a database. When many are wanted at once, the oldest wish
//! gives way.

use std::fs::File;

use maud::{DOCTYPE, Markup, html};
use portfire::hosting::{TaskContext, TaskQueue, WhenFull};
use portfire::{JobError, JobId};

use crate::csv_rows::{Batch, Place, Problem, RowReader};
use crate::files::{DataDir, write_atomically};
use crate::i18n::{Language, Text};

/// Rows that are shown: a screen.
const ROWS: usize = 20;

/// Where previews are made: two at once, so that they take no more than two cores from the imports.
pub fn queue() -> TaskQueue {
    TaskQueue::builder("previews").capacity(50).workers(2).when_full(WhenFull::DropOldest).build()
}

/// Has a preview made of the upload of this import.
pub fn push(queue: &TaskQueue, import: JobId, file: File, language: Language) {
    match queue.try_push(move |task| make(task, import, file, language)) {
        Ok(task) => tracing::debug!(%import, task = %task.id(), "preview queued"),
        Err(error) => tracing::info!(%import, %error, "no preview"),
    }
}

async fn make(task: TaskContext, import: JobId, file: File, language: Language) -> Result<(), JobError> {
    let data = task.value::<DataDir>().await?;
    let read = move || RowReader::of(file, Place::START)?.next_batch(ROWS);
    let batch = tokio::task::spawn_blocking(read).await??;
    write_atomically(&data.preview(import), page(&batch, language).into_string().as_bytes()).await?;
    Ok(())
}

fn page(batch: &Batch, language: Language) -> Markup {
    let (title, lang) = match language {
        Language::Chinese => ("預覽", "zh-Hant-TW"),
        Language::English => ("Preview", "en"),
    };
    html! {
        (DOCTYPE)
        html lang=(lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { "body{font:16px system-ui;margin:2rem auto;max-width:44rem;padding:0 1rem}td{padding:.2rem 1rem .2rem 0}.bad{color:#c2410c}" }
            }
            body {
                h1 { (title) }
                table {
                    @for user in &batch.users {
                        tr { td { (user.name) } td { (user.email) } }
                    }
                    @for row in &batch.rejected {
                        tr.bad { td { (row.text) } td { (reason(row.problem, language)) } }
                    }
                }
            }
        }
    }
}

fn reason(code: &str, language: Language) -> String {
    Problem::from_code(code).map_or_else(|| code.to_owned(), |problem| Text::BadUser(problem).say(language))
}
