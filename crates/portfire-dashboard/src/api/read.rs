//! What programs read: the same as the pages, through the same reader.

use axum::response::Response;
use portfire_core::storage::{AuditRequest, FaultCursor, FaultGroupRequest, FaultOrder, PageRequest, Target};
use portfire_core::{Cron, Timestamp, Zone};

use super::write::{Object, Value};
use super::{answer, asked, known, list, shape};
use crate::ctx::Ctx;
use crate::filter::{Query, parse};
use crate::gate::{Permission, Scope};
use crate::page::jobs::explain;
use crate::page::servers::visible;
use crate::refusal::{Refusal, Result};
use crate::sampler::Span;

/// Items on a page, unless asked otherwise.
const PAGE: u32 = 50;
/// Slots of a schedule's history.
const SLOTS: u32 = 50;
/// Times ahead of a schedule.
const AHEAD: usize = 20;

/// Who is asking, and what they may do.
pub(crate) fn me(ctx: &Ctx) -> Result<Response> {
    known(ctx, &[])?;
    let can = Permission::ALL.iter().filter(|right| ctx.can(**right));
    let queues = match &ctx.grant.scope {
        Scope::Everything => None,
        Scope::Queues(queues) => Some(Value::each(queues, |queue| (&**queue).into())),
    };
    let me = Object::new()
        .with("actor", &*ctx.grant.actor)
        .with("permissions", Value::each(can, |right| right.as_str().into()))
        .with("queues", queues);
    Ok(answer(me))
}

/// Every count at a glance.
pub(crate) async fn overview(ctx: Ctx) -> Result<Response> {
    known(&ctx, &[])?;
    let glance = ctx.glance().await?;
    Ok(answer(shape::overview(&glance, &ctx.grant.scope)))
}

/// What happened in a span, without gaps.
pub(crate) async fn history(ctx: Ctx) -> Result<Response> {
    known(&ctx, &["span"])?;
    whole(&ctx)?;
    let word = ctx.query.get("span").unwrap_or(Span::Hour.as_str());
    let span = Span::ALL.into_iter().find(|span| span.as_str() == word);
    let span =
        span.ok_or_else(|| Refusal::BadRequest("`span` is `hour`, `day`, `week` or `month`".to_owned()))?;
    let glance = ctx.glance().await?;
    let tallies = ctx.shared.sampler.history(span, &glance).await?;
    Ok(answer(list(Value::each(&*tallies, shape::tally), None)))
}

/// A page of jobs.
pub(crate) async fn jobs(ctx: Ctx) -> Result<Response> {
    known(&ctx, &["q", "after", "before", "limit"])?;
    let query = parse(ctx.query.get("q").unwrap_or_default());
    let query = query.map_err(|misread| Refusal::BadRequest(explain(ctx.text, &misread.wrong)))?;
    if let Query { id: Some(id), .. } = query {
        let found = ctx.read().jobs(vec![id]).await?;
        let items = Value::each(found.iter().flatten(), |job| shape::summary(&job.summary).into());
        return Ok(answer(list(items, None).with("walked", 1_u32).with("exhausted", false)));
    }
    let limit = asked(&ctx, "limit")?.unwrap_or(PAGE);
    let page = PageRequest { limit, after: asked(&ctx, "after")?, before: asked(&ctx, "before")? };
    let glance = ctx.glance().await?;
    let found = ctx.read().list(query.at(ctx.now(&glance)), page).await?;
    let items = Value::each(&found.jobs, |job| shape::summary(job).into());
    let next = found.next.map(|cursor| cursor.to_string());
    Ok(answer(list(items, next).with("walked", found.walked).with("exhausted", found.exhausted)))
}

/// Everything known of a job.
pub(crate) async fn job(ctx: Ctx) -> Result<Response> {
    known(&ctx, &[])?;
    Ok(answer(shape::job(&ctx.read().job(ctx.job_id()?).await?)))
}

/// Failures by what they have in common.
pub(crate) async fn faults(ctx: Ctx) -> Result<Response> {
    known(&ctx, &["order", "after", "limit"])?;
    whole(&ctx)?;
    let order = match ctx.query.get("order") {
        None | Some("latest") => FaultOrder::Latest,
        Some("most") => FaultOrder::Most,
        Some(_) => return Err(Refusal::BadRequest("`order` is `latest` or `most`".to_owned())),
    };
    let limit = asked(&ctx, "limit")?.unwrap_or(PAGE);
    let request = FaultGroupRequest { limit, after: asked(&ctx, "after")?, order, only: None };
    let full = request.bounded_limit() as usize;
    let groups = ctx.read().fault_groups(request).await?;
    let next = groups.last().filter(|_| groups.len() == full).map(|last| FaultCursor::of(last).to_string());
    Ok(answer(list(Value::each(&groups, shape::fault), next)))
}

/// A page of schedules.
pub(crate) async fn schedules(ctx: Ctx) -> Result<Response> {
    known(&ctx, &["after"])?;
    let (found, more) = ctx.read().schedules(ctx.query.get("after")).await?;
    let next = found.last().filter(|_| more).map(|last| last.schedule.id.to_string());
    Ok(answer(list(Value::each(&found, |view| shape::schedule(view).into()), next)))
}

/// A schedule, with its times ahead and its latest slots.
pub(crate) async fn schedule(ctx: Ctx) -> Result<Response> {
    known(&ctx, &["id"])?;
    let id = ctx.query.get("id").ok_or(Refusal::NoSchedule)?;
    let view = ctx.read().schedule(id).await?;
    let slots = ctx.read().slots(id, None, SLOTS).await?;
    let glance = ctx.glance().await?;
    let ahead = ahead(&view.schedule.cron, &view.schedule.zone, ctx.now(&glance));
    let object = shape::schedule(&view)
        .with("ahead", Value::each(ahead, Value::from))
        .with("slots", Value::each(&slots, shape::slot));
    Ok(answer(object))
}

fn ahead(cron: &str, zone: &str, now: Timestamp) -> Vec<Timestamp> {
    let (Ok(cron), Ok(zone)) = (Cron::parse(cron), Zone::named(zone)) else { return Vec::new() };
    std::iter::successors(cron.next_after(now, &zone), |at| cron.next_after(*at, &zone)).take(AHEAD).collect()
}

/// The queues that exist for them.
pub(crate) async fn queues(ctx: Ctx) -> Result<Response> {
    known(&ctx, &[])?;
    let glance = ctx.glance().await?;
    let items = Value::each(glance.queues(&ctx.grant.scope), |queue| shape::queue(&glance.overview, queue));
    Ok(answer(list(items, None)))
}

/// The servers.
pub(crate) async fn servers(ctx: Ctx) -> Result<Response> {
    known(&ctx, &[])?;
    let glance = ctx.glance().await?;
    let items =
        Value::each(visible(&ctx.grant.scope, &glance), |server| shape::server(server, &ctx.grant.scope));
    Ok(answer(list(items, None)))
}

/// Who did what, latest first.
pub(crate) async fn audit(ctx: Ctx) -> Result<Response> {
    known(&ctx, &["sort", "name", "before", "limit"])?;
    whole(&ctx)?;
    let about = match (ctx.query.get("sort"), ctx.query.get("name")) {
        (None, None) => None,
        (Some(sort), Some(name)) => Some(Target::of(sort, name).map_err(|_| Refusal::NotFound)?),
        _ => return Err(Refusal::BadRequest("`sort` and `name` go together".to_owned())),
    };
    let request =
        AuditRequest { limit: asked(&ctx, "limit")?.unwrap_or(PAGE), before: asked(&ctx, "before")? };
    let entries = ctx.read().audit(about, request).await?;
    let full = entries.len() == request.bounded_limit() as usize;
    let next = entries.last().filter(|_| full).map(|last| last.id.to_string());
    Ok(answer(list(Value::each(&entries, shape::entry), next)))
}

/// What the storage is, and what its clock says.
pub(crate) async fn about(ctx: Ctx) -> Result<Response> {
    known(&ctx, &[])?;
    let glance = ctx.glance().await?;
    let storage = ctx.read().storage().await?;
    Ok(answer(shape::storage(&storage, ctx.now(&glance))))
}

/// What is not kept by queue is for those who may see every queue.
fn whole(ctx: &Ctx) -> Result<()> {
    if ctx.grant.scope == Scope::Everything { Ok(()) } else { Err(Refusal::NotFound) }
}
