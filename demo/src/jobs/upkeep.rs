//! What recurs: the nightly cleanup, and a look for failures every five minutes.

use std::time::Duration;

use lettre::message::Mailbox;
use portfire::prelude::*;
use portfire::{Filter, JobSummary, PageRequest};

use crate::database::Database;
use crate::i18n::Language;
use crate::mailer::{MailError, Mailer};

/// How long a user stays after it was marked as deleted.
const KEPT_AFTER_DELETION: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Most failures in one message; the next check tells of the others.
const FAILURES_MAX: u32 = 50;

/// Who hears of failures.
#[derive(Clone, Debug)]
pub struct Administrator(pub Mailbox, pub Language);

/// Puts both schedules. A start moves nothing that has not changed.
///
/// # Errors
/// Misuse if the zone is not known; otherwise what the storage reports.
///
/// # Cancel safety
/// If dropped, repeat it.
pub async fn put_schedules(jobs: &Jobs, zone: &str) -> portfire::Result<()> {
    let cleanup = jobs.recurring("cleanup-expired-data", "0 2 * * *").time_zone(zone);
    cleanup.overlap(Overlap::Skip).upsert(cleanup_expired_data()).await?;
    let check = jobs.recurring("check-notifications", "*/5 * * * *").time_zone(zone);
    check.misfire(Misfire::Once).overlap(Overlap::Skip).upsert(check_notifications()).await?;
    Ok(())
}

/// Removes users that were marked as deleted 30 days ago, and what is left of imports as old.
#[job(queue = "upkeep", attempts = 5)]
pub async fn cleanup_expired_data(#[from] database: &Database, ctx: &JobContext) -> Result<u64, JobError> {
    let removed = database.expire(ctx.created_at().before(KEPT_AFTER_DELETION)).await?;
    ctx.log(format_args!("removed {removed} users"));
    Ok(removed)
}

/// Tells the administrator of jobs that have failed for good since the last check. A message is sent before
/// its jobs are noted: a check that dies between the two sends the same message again, named by its job.
#[job(queue = "upkeep", attempts = 5)]
pub async fn check_notifications(
    #[from] database: &Database,
    #[from] mailer: &Mailer,
    #[from] administrator: &Administrator,
    ctx: &JobContext,
) -> Result<usize, JobError> {
    let failed = Filter { state: Some(State::Failed), ..Filter::default() };
    let page = ctx.jobs().list(failed, PageRequest { limit: FAILURES_MAX, after: None }).await?;
    let ids: Vec<_> = page.jobs.iter().map(|job| job.id.to_string()).collect();
    let new = database.not_notified(&ids).await?;
    if new.is_empty() {
        return Ok(0);
    }
    let Administrator(to, language) = administrator;
    let listed = page.jobs.iter().filter(|job| new.contains(&job.id.to_string()));
    let (subject, body) = failures(*language, &listed.collect::<Vec<_>>());
    mailer.send(ctx.job_id(), to.clone(), &subject, body).await.map_err(MailError::into_job_error)?;
    database.notified(&new).await?;
    Ok(new.len())
}

fn failures(language: Language, jobs: &[&JobSummary]) -> (String, String) {
    let lines: Vec<_> = jobs.iter().map(|job| format!("{} {}", job.kind, job.id)).collect();
    let lines = lines.join("\n");
    match language {
        Language::Chinese => (format!("{} 個工作失敗", jobs.len()), format!("失敗的工作：\n{lines}\n")),
        Language::English => (format!("{} jobs failed", jobs.len()), format!("Failed jobs:\n{lines}\n")),
    }
}
