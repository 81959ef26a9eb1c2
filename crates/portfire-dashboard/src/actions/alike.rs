//! What is done to all failures of one group, however many they are.
//!
//! 1. A form, or a body, names the group and what to do. A round takes the jobs of the group page by page, from
//!    the latest on, and ends after some pages: a request is never long.
//! 2. It says where it ended ([`Round::next`]); whoever wants the rest asks again from there. A page with a button
//!    does that, which a script presses. Nothing runs while nobody asks.
//! 3. Only jobs that failed before the first round are touched (`until`): one that is run again and fails again is
//!    not run again for ever.
//!
//! Each job is acted on as if it had been chosen by hand: guarded by its state, and written to the audit log.

use axum::response::Response;
use portfire_core::limits::PAGE_MAX;
use portfire_core::storage::{Acted, Cursor, Filter, PageRequest};
use portfire_core::{Fingerprint, State, Timestamp};

use super::{Steer, act, noted, notices};
use crate::ctx::Ctx;
use crate::gate::Permission;
use crate::page::{alike, see_other};
use crate::refusal::{Refusal, Result};

/// Most pages of jobs in one round: each takes some tens of milliseconds.
const PAGES_MAX: u32 = 3;
/// Most jobs in one round.
pub(crate) const ROUND_MAX: u32 = PAGES_MAX * PAGE_MAX;

/// What a round came to.
#[derive(Debug)]
pub(crate) struct Round {
    /// The group.
    pub(crate) fault: Fingerprint,
    /// Only jobs that failed before this.
    pub(crate) until: Timestamp,
    /// What became of each job of this round.
    pub(crate) acted: Vec<Acted>,
    /// Where the next round begins; `None` if all are done.
    pub(crate) next: Option<Cursor>,
}

/// The group that a form or an address names.
pub(crate) fn group(named: Option<&str>) -> Result<Fingerprint> {
    named.and_then(|name| name.parse().ok()).ok_or(Refusal::NotFound)
}

/// Refuses who may not do this to many jobs, or may not know why jobs failed.
pub(crate) fn check(ctx: &Ctx, steer: Steer) -> Result<()> {
    [Permission::ViewErrors, Permission::Bulk, steer.permission()]
        .into_iter()
        .try_for_each(|right| ctx.need(right))
}

/// Does one round of what a form says.
pub(crate) async fn round(ctx: &Ctx, steer: Steer) -> Result<Round> {
    check(ctx, steer)?;
    let fault = group(ctx.form.get("fault"))?;
    let bad = |name: &str| Refusal::BadRequest(ctx.text.cannot_be_read(name));
    let until = if let Some(at) = ctx.form.get("until") {
        at.parse::<jiff::Timestamp>().map_err(|_| bad("until"))?.into()
    } else {
        let glance = ctx.glance().await?;
        ctx.now(&glance)
    };
    let mut next = ctx.form.get("after").map(|after| after.parse().map_err(|_| bad("after"))).transpose()?;
    let filter = Filter { fault: Some(fault), until: Some(until), ..Filter::of(State::Failed) };
    let action = steer.action(ctx).await?;
    let mut acted = Vec::new();
    for _ in 0..PAGES_MAX {
        let page = ctx
            .read()
            .list(filter.clone(), PageRequest { limit: PAGE_MAX, after: next.take(), before: None })
            .await?;
        let jobs: Vec<_> = page.jobs.iter().map(|job| job.id).collect();
        if !jobs.is_empty() {
            acted.extend(act(ctx, jobs, action.clone()).await?);
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    Ok(Round { fault, until, acted, next })
}

/// Does one round, and shows how far it is; or goes back when all are done.
pub(crate) async fn steer(ctx: Ctx, steer: Steer) -> Result<Response> {
    let round = round(&ctx, steer).await?;
    let mut notices = notices(steer, &round.acted);
    let before = |name: &str| ctx.form.get(name).and_then(|number| number.parse().ok()).unwrap_or(0_u32);
    if let Some(sum) = notices.first_mut() {
        sum.done = sum.done.saturating_add(before("done"));
        sum.not_done = sum.not_done.saturating_add(before("not_done"));
        if round.next.is_some() {
            return Ok(alike::progress(&ctx, steer, &round, *sum));
        }
    }
    Ok(see_other(&ctx.urls.back(Some(&noted(&ctx, &notices)))))
}
