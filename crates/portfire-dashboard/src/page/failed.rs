//! Failures by what they have in common.

use axum::response::Response;
use maud::{Markup, html};
use portfire_core::storage::{FaultCursor, FaultGroup, FaultGroupRequest, FaultOrder};
use portfire_core::{State, Timestamp};

use super::frame::{Page, Section};
use super::{part, see_other};
use crate::ctx::Ctx;
use crate::filter::term;
use crate::gate::Scope;
use crate::refusal::Result;
use crate::time;

/// Groups on a page.
const PAGE: u32 = 50;

pub(crate) async fn show(ctx: Ctx) -> Result<Response> {
    let failed = ctx.urls.jobs(&term("state", State::Failed.as_str()));
    if ctx.grant.scope != Scope::Everything {
        // Groups are not kept by queue; a list is.
        return Ok(see_other(&failed));
    }
    let glance = ctx.glance().await?;
    let now = ctx.now(&glance);
    let order = if ctx.query.get("order") == Some("most") { FaultOrder::Most } else { FaultOrder::Latest };
    let after = ctx.query.get("after").and_then(|cursor| cursor.parse().ok());
    let groups = ctx.read().fault_groups(FaultGroupRequest { limit: PAGE, after, order, only: None }).await?;
    let text = ctx.text;
    let content = html! {
        h1 { (text.failed_jobs()) }
        (tabs(&ctx, order, &failed))
        @if groups.is_empty() { (part::empty(text.no_failures(), html! { p { (text.no_groups_hint()) } })) }
        @else { (table(&ctx, &groups, now)) }
        @if let Some(last) = groups.last().filter(|_| groups.len() == PAGE as usize) {
            @let after = FaultCursor::of(last).to_string();
            @let query = ctx.query.without(&["after", "done", "lang"]).with("after", &after);
            nav .pager { a .button rel="next" href=(ctx.urls.with("/failed", &query)) { (text.next_page()) } }
        }
    };
    Ok(Page::new(text.failed_jobs(), content).section(Section::Failed).live().respond(&ctx))
}

fn tabs(ctx: &Ctx, order: FaultOrder, failed: &str) -> Markup {
    let text = ctx.text;
    let here = |known| (order == known).then_some("page");
    html! {
        nav .tabs aria-label=(text.paging()) { ul {
            li {
                a href=(ctx.urls.at("/failed")) aria-current=[here(FaultOrder::Latest)] {
                    (text.latest_first())
                }
            }
            li {
                a href=(ctx.urls.one("/failed", "order", "most")) aria-current=[here(FaultOrder::Most)] {
                    (text.most_first())
                }
            }
            li { a href=(failed) { (text.all_failed()) } }
        } }
    }
}

fn table(ctx: &Ctx, groups: &[FaultGroup], now: Timestamp) -> Markup {
    let text = ctx.text;
    html! {
        table .cards {
            caption .hidden { (text.failed_jobs()) }
            thead { tr {
                th scope="col" { (text.error()) }
                th scope="col" .number { (text.times()) }
                th scope="col" .number { (text.failed_now()) }
                th scope="col" { (text.last_seen()) }
                th scope="col" { (text.first_seen()) }
            } }
            tbody { @for group in groups {
                @let jobs = ctx.urls.failed_alike(group.fingerprint);
                tr #{ "f-" (group.fingerprint) } {
                    td .main data-label=(text.error()) {
                        a .sample href=(jobs) { (group.sample) } br; span .kind { (group.kind) }
                    }
                    td .number data-label=(text.times()) { (time::grouped(group.count)) }
                    td .number .zero[group.kept == 0] data-label=(text.failed_now()) {
                        a href=(jobs) { (part::alike(group.kept)) }
                    }
                    td data-label=(text.last_seen()) {
                        (part::when(text, now, group.last_at)) " " (part::job_link(ctx, group.last_job))
                    }
                    td data-label=(text.first_seen()) { (part::when(text, now, group.first_at)) }
                }
            } }
        }
    }
}

/// The panel of the overview.
pub(crate) fn brief(ctx: &Ctx, groups: &[FaultGroup], now: Timestamp) -> Markup {
    let text = ctx.text;
    html! {
        @if groups.is_empty() { p .none { (text.no_failures()) } }
        @else {
            ul .rows {
                @for group in groups {
                    li {
                        (part::shape(State::Failed))
                        a .sample href=(ctx.urls.failed_alike(group.fingerprint)) title=(group.kind) {
                            (group.sample)
                        }
                        span .count { "×" (time::grouped(group.count)) }
                        (part::when(text, now, group.last_at))
                    }
                }
            }
        }
    }
}
