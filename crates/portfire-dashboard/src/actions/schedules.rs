//! What is done to schedules.

use axum::response::Response;
use portfire_core::schedule::trigger;
use portfire_core::storage::{Directed, Fired};
use portfire_core::{JobId, Order};

use super::noted;
use crate::ctx::Ctx;
use crate::page::notice::{Deed, Notice};
use crate::page::{confirm, see_other};
use crate::reader::within;
use crate::refusal::{Refusal, Result};

/// How often a run is planned anew because a slot came in between.
const TRIES_MAX: usize = 5;

/// Runs a schedule now, whatever its standing.
pub(crate) async fn run(ctx: Ctx) -> Result<Response> {
    let done = run_now(&ctx, &named(&ctx)).await?.is_some();
    Ok(told(&ctx, Deed::ScheduleRun, done))
}

/// Runs no slots until it is resumed.
pub(crate) async fn pause(ctx: Ctx) -> Result<Response> {
    direct(&ctx, &named(&ctx), Order::Pause).await?;
    Ok(told(&ctx, Deed::SchedulePause, true))
}

/// Runs again, from the next slot on.
pub(crate) async fn resume(ctx: Ctx) -> Result<Response> {
    direct(&ctx, &named(&ctx), Order::Resume).await?;
    Ok(told(&ctx, Deed::ScheduleResume, true))
}

/// Forgets it, once that is confirmed.
pub(crate) async fn remove(ctx: Ctx) -> Result<Response> {
    let id = named(&ctx);
    if ctx.form.get("confirmed").is_none() {
        return confirm::remove(&ctx, &id).await;
    }
    direct(&ctx, &id, Order::Remove).await?;
    Ok(told(&ctx, Deed::ScheduleRemove, true))
}

/// A run of this schedule now; the job, unless slots kept coming in between.
pub(crate) async fn run_now(ctx: &Ctx, id: &str) -> Result<Option<JobId>> {
    ctx.read().schedule(id).await?;
    for _ in 0..TRIES_MAX {
        // As it is stored, not as it may be seen: hidden arguments are not what it runs with.
        let known = within(ctx.shared.storage.get_schedules(vec![id.into()])).await?.pop().flatten();
        let known = known.ok_or(Refusal::NoSchedule)?;
        let now = within(ctx.shared.storage.now()).await?;
        let firing = {
            let mut ids = ctx.shared.ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            trigger(&known, now, &mut ids)
        };
        if let Some(Fired::Applied(jobs)) =
            within(ctx.shared.storage.fire(vec![firing], ctx.by()?)).await?.pop()
        {
            ctx.shared.sampler.stale();
            return Ok(jobs.first().copied());
        }
    }
    Ok(None)
}

/// Pauses, resumes or removes this schedule, if it exists for them.
pub(crate) async fn direct(ctx: &Ctx, id: &str, order: Order) -> Result<Directed> {
    ctx.read().schedule(id).await?;
    let directed = within(ctx.shared.storage.direct_schedules(vec![id.into()], order, ctx.by()?)).await?;
    Ok(directed.first().copied().unwrap_or(Directed::Missing))
}

fn named(ctx: &Ctx) -> String {
    ctx.form.get("schedule").unwrap_or_default().to_owned()
}

fn told(ctx: &Ctx, deed: Deed, done: bool) -> Response {
    let notice = Notice { deed, done: u32::from(done), not_done: u32::from(!done) };
    see_other(&ctx.urls.back(Some(&noted(ctx, &[notice]))))
}
