//! What is done to servers.

use axum::response::Response;
use portfire_core::ServerId;
use portfire_core::storage::{Directed, ServerOrder};

use super::noted;
use crate::ctx::Ctx;
use crate::gate::{Permission, Scope};
use crate::page::notice::{Deed, Notice};
use crate::page::see_other;
use crate::reader::within;
use crate::refusal::{Refusal, Result};

/// Tells the server that a form names what to do.
pub(crate) async fn direct(ctx: Ctx, order: ServerOrder) -> Result<Response> {
    let server = ctx.form.get("server").and_then(|id| id.parse().ok()).ok_or(Refusal::NotFound)?;
    let directed = order_one(&ctx, server, order).await?;
    let deed = match order {
        ServerOrder::Run => Deed::ServerResume,
        ServerOrder::Quiet => Deed::ServerQuiet,
        ServerOrder::Stop => Deed::ServerStop,
    };
    let done = matches!(directed, Directed::Done | Directed::Unchanged);
    let notice = Notice { deed, done: u32::from(done), not_done: u32::from(!done) };
    Ok(see_other(&ctx.urls.back(Some(&noted(&ctx, &[notice])))))
}

/// Tells this server what to do. A server works for every queue it serves, so this takes that every queue
/// exists for who does it.
pub(crate) async fn order_one(ctx: &Ctx, server: ServerId, order: ServerOrder) -> Result<Directed> {
    if ctx.grant.scope != Scope::Everything {
        return Err(Refusal::NoRight(Permission::ServerQuiet));
    }
    let directed = within(ctx.shared.storage.direct_servers(vec![server], order, ctx.by()?)).await?;
    ctx.shared.sampler.stale();
    Ok(directed.first().copied().unwrap_or(Directed::Missing))
}
