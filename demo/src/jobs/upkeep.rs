//! What recurs: the nightly cleanup, and a look for failures every five minutes.

use lettre::message::Mailbox;
use portfire::prelude::*;
use portfire::{Filter, JobSummary, PageRequest, Timestamp};

use crate::cleanup::remove_expired;
use crate::database::Database;
use crate::i18n::Language;
use crate::mailer::{MailError, Mailer};

/// Most failures listed in one message; all are counted.
const LINES_MAX: usize = 50;

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

/// Removes users that were marked as deleted 30 days ago, and what is left of imports as old. The same is
/// done every hour by a service of the host: see [`cleanup`](crate::cleanup).
#[job(queue = "upkeep", attempts = 5)]
pub async fn cleanup_expired_data(#[from] database: &Database, ctx: &JobContext) -> Result<u64, JobError> {
    let removed = remove_expired(database, ctx.created_at()).await?;
    ctx.log(format_args!("removed {removed} users"));
    Ok(removed)
}

/// Tells the administrator of jobs that have failed for good since the last check. The message is sent before
/// the check is noted: one that dies between the two sends the same message again, named by its job.
#[job(queue = "upkeep", attempts = 5)]
pub async fn check_notifications(
    #[from] database: &Database,
    #[from] mailer: &Mailer,
    #[from] administrator: &Administrator,
    ctx: &JobContext,
) -> Result<usize, JobError> {
    let failed = failed_since(ctx.jobs(), database.notified_until().await?).await?;
    let Some(latest) = failed.iter().filter_map(|job| job.finished_at).max() else { return Ok(0) };
    let Administrator(to, language) = administrator;
    let (subject, body) = message(*language, &failed);
    mailer.send(ctx.job_id(), to.clone(), &subject, body).await.map_err(MailError::into_job_error)?;
    database.set_notified_until(latest).await?;
    Ok(failed.len())
}

/// Jobs that failed after this instant, latest first: that is the order in which they are listed.
async fn failed_since(jobs: &Jobs, since: Timestamp) -> Result<Vec<JobSummary>, JobError> {
    let (mut new, mut after) = (Vec::new(), None);
    loop {
        let failed = Filter { state: Some(State::Failed), ..Filter::default() };
        let page = jobs.list(failed, PageRequest { after, ..PageRequest::default() }).await?;
        for job in page.jobs {
            if job.finished_at.is_none_or(|at| at <= since) {
                return Ok(new);
            }
            new.push(job);
        }
        after = page.next;
        if after.is_none() {
            return Ok(new);
        }
    }
}

fn message(language: Language, jobs: &[JobSummary]) -> (String, String) {
    let line = |job: &JobSummary| {
        let at = job.finished_at.map(|at| at.to_string()).unwrap_or_default();
        format!("{at}  {}  {}\n", job.kind, job.id)
    };
    let lines: Vec<_> = jobs.iter().take(LINES_MAX).map(line).collect();
    let (count, lines) = (jobs.len(), lines.concat());
    match language {
        Language::Chinese => (
            format!("失敗的工作：{count} 個"),
            format!("以下工作已最終失敗（最多列出 {LINES_MAX} 個）；排除原因之後可以重試：\n\n{lines}"),
        ),
        Language::English => (
            format!("Failed jobs: {count}"),
            format!(
                "These jobs have failed for good (at most {LINES_MAX} are listed). Mend the cause, then retry them.\n\n{lines}"
            ),
        ),
    }
}
