//! Mail sent by jobs. The name of a message is the id of its job, so a repeated attempt does not double it.

use lettre::message::Mailbox;
use portfire::prelude::*;

use super::ImportCounts;
use crate::database::Database;
use crate::i18n::Language;
use crate::mailer::{MailError, Mailer};

/// Welcomes a new user.
#[job(queue = "mail", attempts = 5)]
pub async fn send_welcome_email(
    #[from] mailer: &Mailer,
    #[from] database: &Database,
    ctx: &JobContext,
    user_id: i64,
    #[serde(default)] language: Language,
) -> Result<(), JobError> {
    let user = database.user(user_id).await?;
    let user = user.ok_or_else(|| JobError::cancel("the user was removed in the meantime"))?;
    let to = Mailbox::new(Some(user.display_name.clone()), user.email.parse().no_retry()?);
    let (subject, body) = match language {
        Language::Chinese => ("歡迎加入", format!("{} 您好，\n\n歡迎加入！\n", user.display_name)),
        Language::English => ("Welcome", format!("Hello {},\n\nwelcome!\n", user.display_name)),
    };
    mailer.send(ctx.job_id(), to, subject, body).await.map_err(MailError::into_job_error)
}

/// Tells the administrator what an import came to. A continuation: it runs once the import has ended,
/// however, and reads what the import produced.
#[job(queue = "mail", attempts = 5)]
pub async fn send_import_summary(
    #[from] mailer: &Mailer,
    ctx: &JobContext,
    to: String,
    original_name: String,
    #[serde(default)] language: Language,
) -> Result<(), JobError> {
    let counts = ctx.parent_result::<ImportCounts>().ok();
    let import = ctx.parents().first().map(|parent| parent.job.to_string()).unwrap_or_default();
    let (subject, body) = summary(language, &original_name, &import, counts);
    mailer.send(ctx.job_id(), to.parse().no_retry()?, &subject, body).await.map_err(MailError::into_job_error)
}

fn summary(language: Language, file: &str, import: &str, counts: Option<ImportCounts>) -> (String, String) {
    match (language, counts) {
        (Language::Chinese, Some(ImportCounts { imported, rejected })) => (
            format!("匯入完成：{file}"),
            format!("工作編號：{import}\n已匯入：{imported}\n未匯入：{rejected}\n"),
        ),
        (Language::Chinese, None) => {
            (format!("匯入失敗：{file}"), format!("工作編號：{import}\n匯入沒有完成，請查看該工作的狀態。\n"))
        }
        (Language::English, Some(ImportCounts { imported, rejected })) => (
            format!("Import finished: {file}"),
            format!("Job: {import}\nImported: {imported}\nRejected: {rejected}\n"),
        ),
        (Language::English, None) => (
            format!("Import failed: {file}"),
            format!("Job: {import}\nIt did not finish; look at its status.\n"),
        ),
    }
}
