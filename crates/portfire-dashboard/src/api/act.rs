//! What programs do: the same actions as the pages, answered as JSON.

use axum::response::Response;
use portfire_core::Order;
use portfire_core::storage::{Acted, Directed, QueueOrder, ServerOrder};

use super::answer;
use super::body::allow;
use super::write::{Object, Value};
use crate::actions::{self, Steer, schedules};
use crate::ctx::Ctx;
use crate::refusal::{Refusal, Result};

/// Does this to jobs; each of them gets an answer, in the order asked.
pub(crate) async fn jobs(ctx: Ctx, steer: Steer) -> Result<Response> {
    let more: &[&str] = match steer {
        Steer::Reschedule => &["at", "delay_seconds"],
        Steer::Move => &["queue"],
        Steer::Prioritize => &["priority"],
        Steer::Run | Steer::Cancel | Steer::Delete => &[],
    };
    allow(&ctx.form, &[&["jobs", "expect", "attempts", "reason"], more].concat())?;
    let ids = actions::chosen(&ctx).await?;
    let action = steer.action(&ctx).await?;
    let acted = actions::act(&ctx, ids.clone(), action).await?;
    let items = Value::each(ids.iter().zip(acted), |(id, acted)| {
        let (outcome, state) = match acted {
            Acted::Done(state) => ("done", Some(state)),
            Acted::Flagged => ("flagged", None),
            Acted::Refused(state) => ("refused", Some(state)),
            Acted::Missing => ("missing", None),
        };
        let item = Object::new().with("id", Value::of(id)).with("outcome", outcome);
        item.with("state", state.map(portfire_core::State::as_str)).into()
    });
    Ok(answer(Object::new().with("items", items)))
}

/// Does one round of this to all failures of a group; `next` is null when all are done.
pub(crate) async fn alike(ctx: Ctx, steer: Steer) -> Result<Response> {
    allow(&ctx.form, &["fault", "until", "after", "reason"])?;
    let round = actions::alike::round(&ctx, steer).await?;
    let done = round.acted.iter().filter(|one| matches!(one, Acted::Done(_))).count();
    let object = Object::new()
        .with("done", done)
        .with("refused", round.acted.len() - done)
        .with("until", round.until)
        .with("next", round.next.map(Value::of));
    Ok(answer(object))
}

/// Runs a schedule now.
pub(crate) async fn run_schedule(ctx: Ctx) -> Result<Response> {
    let id = schedule(&ctx)?;
    let job = schedules::run_now(&ctx, &id).await?;
    Ok(answer(Object::new().with("job", job.map(Value::of))))
}

/// Pauses, resumes or removes a schedule.
pub(crate) async fn direct_schedule(ctx: Ctx, order: Order) -> Result<Response> {
    let id = schedule(&ctx)?;
    Ok(directed(schedules::direct(&ctx, &id, order).await?))
}

/// Pauses or resumes a queue.
pub(crate) async fn direct_queue(ctx: Ctx, order: QueueOrder) -> Result<Response> {
    allow(&ctx.form, &["queue", "reason"])?;
    let queue = ctx.form.get("queue").ok_or_else(|| missing("queue"))?;
    Ok(directed(actions::queues::order_one(&ctx, queue, order).await?))
}

/// Tells a server what to do.
pub(crate) async fn direct_server(ctx: Ctx, order: ServerOrder) -> Result<Response> {
    allow(&ctx.form, &["server", "reason"])?;
    let server = ctx.form.get("server").ok_or_else(|| missing("server"))?.parse()?;
    Ok(directed(actions::servers::order_one(&ctx, server, order).await?))
}

fn schedule(ctx: &Ctx) -> Result<String> {
    allow(&ctx.form, &["schedule", "reason"])?;
    ctx.form.get("schedule").map(str::to_owned).ok_or_else(|| missing("schedule"))
}

fn missing(name: &str) -> Refusal {
    Refusal::BadRequest(format!("`{name}` is missing"))
}

fn directed(directed: Directed) -> Response {
    let outcome = match directed {
        Directed::Done => "done",
        Directed::Unchanged => "unchanged",
        Directed::Refused => "refused",
        Directed::Missing => "missing",
    };
    answer(Object::new().with("outcome", outcome))
}
