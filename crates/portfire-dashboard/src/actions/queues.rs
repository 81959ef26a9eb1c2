//! What is done to queues.

use axum::response::Response;
use portfire_core::storage::{Directed, QueueOrder};

use super::noted;
use crate::ctx::Ctx;
use crate::page::notice::{Deed, Notice};
use crate::page::see_other;
use crate::reader::within;
use crate::refusal::{Refusal, Result};

/// Pauses or resumes the queue that a form names.
pub(crate) async fn direct(ctx: Ctx, order: QueueOrder) -> Result<Response> {
    let done = order_one(&ctx, ctx.form.get("queue").unwrap_or_default(), order).await? != Directed::Missing;
    let deed = match order {
        QueueOrder::Pause => Deed::QueuePause,
        QueueOrder::Resume => Deed::QueueResume,
    };
    let notice = Notice { deed, done: u32::from(done), not_done: u32::from(!done) };
    Ok(see_other(&ctx.urls.back(Some(&noted(&ctx, &[notice])))))
}

/// Pauses or resumes this queue, if it exists for them.
pub(crate) async fn order_one(ctx: &Ctx, queue: &str, order: QueueOrder) -> Result<Directed> {
    if !ctx.grant.scope.has_queue(queue) {
        return Err(Refusal::NotFound);
    }
    let directed = within(ctx.shared.storage.direct_queues(vec![queue.into()], order, ctx.by()?)).await?;
    ctx.shared.sampler.stale();
    Ok(directed.first().copied().unwrap_or(Directed::Missing))
}
