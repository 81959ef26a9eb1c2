//! What is done to jobs: the one place that pages and the API come through to change something.
//!
//! 1. A form, or a body, says which jobs and what to do; more than one takes a right of its own.
//! 2. If it says how the job looked, the job is looked at again, and refused if it has changed.
//! 3. What deletes is asked twice.
//! 4. The storage does it, guarded by the table of states ([`act`]); the answers are counted and told.

pub(crate) mod alike;
pub(crate) mod queues;
pub(crate) mod schedules;
pub(crate) mod servers;

use std::time::Duration;

use axum::response::Response;
use portfire_core::limits::PAGE_MAX;
use portfire_core::storage::{Acted, Action};
use portfire_core::{Cause, JobId, State, Timestamp};

use crate::ctx::Ctx;
use crate::gate::{Permission, Scope};
use crate::page::notice::{Deed, Notice};
use crate::page::{confirm, see_other};
use crate::pairs::Pairs;
use crate::reader::within;
use crate::refusal::{Refusal, Result};
use crate::time;

/// The longest that a job may be put off: ten years.
const DELAY_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);

/// What may be done to jobs from a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steer {
    Run,
    Cancel,
    Reschedule,
    Move,
    Prioritize,
    Delete,
}

impl Steer {
    /// All of it, the most wanted first.
    pub(crate) const ALL: [Self; 6] =
        [Self::Run, Self::Cancel, Self::Delete, Self::Reschedule, Self::Move, Self::Prioritize];

    /// The right it takes.
    pub(crate) const fn permission(self) -> Permission {
        match self {
            Self::Run => Permission::Run,
            Self::Cancel => Permission::Cancel,
            Self::Reschedule => Permission::Reschedule,
            Self::Move => Permission::MoveQueue,
            Self::Prioritize => Permission::SetPriority,
            Self::Delete => Permission::Delete,
        }
    }

    /// Where its form goes.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Run => "/jobs/run",
            Self::Cancel => "/jobs/cancel",
            Self::Reschedule => "/jobs/reschedule",
            Self::Move => "/jobs/move",
            Self::Prioritize => "/jobs/prioritize",
            Self::Delete => "/jobs/delete",
        }
    }

    /// Whether a job in this state would be refused anyway.
    pub(crate) const fn fits(self, state: State) -> bool {
        match self {
            Self::Run => state.after(Cause::RunNow).is_ok(),
            Self::Cancel => state.after(Cause::CancelRequested).is_ok(),
            Self::Reschedule => state.after(Cause::Rescheduled).is_ok(),
            Self::Move | Self::Prioritize => state.after(Cause::Moved).is_ok(),
            Self::Delete => state.is_deletable(),
        }
    }

    const fn deed(self) -> Deed {
        match self {
            Self::Run => Deed::Run,
            Self::Cancel => Deed::Cancel,
            Self::Reschedule => Deed::Reschedule,
            Self::Move => Deed::Move,
            Self::Prioritize => Deed::Prioritize,
            Self::Delete => Deed::Delete,
        }
    }

    /// What the storage is asked for.
    pub(crate) async fn action(self, ctx: &Ctx) -> Result<Action> {
        Ok(match self {
            Self::Run => Action::RunNow,
            Self::Cancel => Action::Cancel,
            Self::Delete => Action::Delete,
            Self::Move => {
                let queue = ctx
                    .form
                    .get("queue")
                    .ok_or_else(|| Refusal::BadRequest(ctx.text.no_queue_named().to_owned()))?;
                // What does not exist for them can be no place to hide a job in.
                if !ctx.grant.scope.has_queue(queue) {
                    return Err(Refusal::NoRight(Permission::MoveQueue));
                }
                Action::MoveTo(queue.into())
            }
            Self::Prioritize => {
                let priority = ctx.form.get("priority").and_then(|number| number.parse().ok());
                Action::Prioritize(
                    priority.ok_or_else(|| Refusal::BadRequest(ctx.text.no_priority().to_owned()))?,
                )
            }
            Self::Reschedule => {
                let glance = ctx.glance().await?;
                let text = ctx.text;
                let at = instant(&ctx.form, ctx.now(&glance));
                Action::Reschedule(at.ok_or_else(|| Refusal::BadRequest(text.no_time().to_owned()))?)
            }
        })
    }
}

/// The instant that a form names: `delay` in seconds from now, or `at` in UTC as browsers write it.
pub(crate) fn instant(form: &Pairs, now: Timestamp) -> Option<Timestamp> {
    if let Some(at) = form.get("at") {
        return time::typed(at);
    }
    let delay = Duration::from_secs(form.get("delay")?.parse().ok()?);
    (delay <= DELAY_MAX).then(|| now.after(delay))
}

/// Does to the jobs of a form what it says, and goes back.
pub(crate) async fn jobs(ctx: Ctx, steer: Steer) -> Result<Response> {
    let ids = chosen(&ctx).await?;
    if steer == Steer::Delete && ctx.form.get("confirmed").is_none() {
        return confirm::delete(&ctx, &ids).await;
    }
    let action = steer.action(&ctx).await?;
    let acted = act(&ctx, ids, action).await?;
    Ok(see_other(&ctx.urls.back(Some(&noted(&ctx, &notices(steer, &acted))))))
}

/// The jobs that are named, if this may be done to so many, and if a single one still is as it was seen.
pub(crate) async fn chosen(ctx: &Ctx) -> Result<Vec<JobId>> {
    let ids = named(ctx)?;
    if ids.len() > 1 {
        ctx.need(Permission::Bulk)?;
    }
    if let [id] = ids[..] {
        expect(ctx, id).await?;
    }
    Ok(ids)
}

/// The jobs that a form names, each once.
fn named(ctx: &Ctx) -> Result<Vec<JobId>> {
    let bad = |why: &str| Refusal::BadRequest(why.to_owned());
    let mut ids = Vec::new();
    for id in ctx.form.all("job") {
        let id = id.parse()?;
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() > PAGE_MAX as usize {
            return Err(bad(ctx.text.too_many_chosen()));
        }
    }
    if ids.is_empty() { Err(bad(ctx.text.none_chosen())) } else { Ok(ids) }
}

/// Refuses if the job is no longer as the form says that it was (`expect`, `attempts`).
async fn expect(ctx: &Ctx, id: JobId) -> Result<()> {
    let Some(expected) = ctx.form.get("expect") else { return Ok(()) };
    let job = ctx.read().job(id).await?.summary;
    let same_state = job.state.as_str() == expected;
    let same_attempt = ctx.form.get("attempts").is_none_or(|attempts| attempts == job.attempts.to_string());
    if same_state && same_attempt {
        return Ok(());
    }
    Err(Refusal::Changed { job: id, state: job.state, same_state })
}

/// Does this to each job that exists for them.
pub(crate) async fn act(ctx: &Ctx, jobs: Vec<JobId>, action: Action) -> Result<Vec<Acted>> {
    let exists = match &ctx.grant.scope {
        Scope::Everything => vec![true; jobs.len()],
        Scope::Queues(_) => ctx.read().jobs(jobs.clone()).await?.iter().map(Option::is_some).collect(),
    };
    let theirs = jobs.iter().zip(&exists).filter(|(_, exists)| **exists).map(|(job, _)| *job).collect();
    let mut acted = within(ctx.shared.storage.act(theirs, action, ctx.by()?)).await?.into_iter();
    ctx.shared.sampler.stale();
    let answers =
        exists.iter().map(|exists| exists.then(|| acted.next()).flatten().unwrap_or(Acted::Missing));
    Ok(answers.collect())
}

/// What to tell: what was done, and what only was asked for.
fn notices(steer: Steer, acted: &[Acted]) -> Vec<Notice> {
    let count = |wanted: fn(&Acted) -> bool| {
        u32::try_from(acted.iter().filter(|one| wanted(one)).count()).unwrap_or(0)
    };
    let done = count(|one| matches!(one, Acted::Done(_)));
    let flagged = count(|one| matches!(one, Acted::Flagged));
    let not_done = count(|one| matches!(one, Acted::Refused(_) | Acted::Missing));
    let mut notices = vec![Notice { deed: steer.deed(), done, not_done }];
    if flagged > 0 {
        notices.push(Notice { deed: Deed::Flag, done: flagged, not_done: 0 });
    }
    notices
}

/// Where the form wants to go back to, with what there is to tell.
pub(crate) fn noted(ctx: &Ctx, notices: &[Notice]) -> String {
    let back = ctx.form.get("back").unwrap_or("/");
    let (path, query) = back.split_once('?').unwrap_or((back, ""));
    let query = Pairs::parse(query.as_bytes()).without(&["done"]);
    let query = notices.iter().fold(query, |query, notice| query.with("done", &notice.to_string()));
    format!("{path}{}", query.to_query())
}
