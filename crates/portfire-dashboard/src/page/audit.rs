//! Who did what.

use axum::response::Response;
use maud::{Markup, html};
use portfire_core::Timestamp;
use portfire_core::storage::{AuditEntry, AuditRequest, DeedOutcome, Target};

use super::frame::{Page, Section};
use super::part;
use crate::ctx::Ctx;
use crate::gate::{Permission, Scope};
use crate::refusal::{Refusal, Result};

/// Entries on a page.
const PAGE: u32 = 50;

pub(crate) async fn show(ctx: Ctx) -> Result<Response> {
    if ctx.grant.scope != Scope::Everything {
        return Err(Refusal::NoRight(Permission::Audit));
    }
    let glance = ctx.glance().await?;
    let now = ctx.now(&glance);
    let before = ctx.query.get("before").and_then(|id| id.parse().ok());
    let about = match (ctx.query.get("sort"), ctx.query.get("name")) {
        (Some(sort), Some(name)) => Some(Target::of(sort, name).map_err(|_| Refusal::NotFound)?),
        _ => None,
    };
    let entries = ctx.read().audit(about, AuditRequest { limit: PAGE, before }).await?;
    let text = ctx.text;
    let content = html! {
        h1 { (text.audit()) }
        @if entries.is_empty() { (part::empty(text.no_audit(), html! { p { (text.no_audit_hint()) } })) }
        @else {
            table .cards {
                caption .hidden { (text.audit()) }
                thead { tr {
                    th scope="col" { (text.when()) }
                    th scope="col" { (text.who()) }
                    th scope="col" { (text.what()) }
                    th scope="col" { (text.to_what()) }
                    th scope="col" { (text.change()) }
                    th scope="col" { (text.reason()) }
                } }
                tbody { @for entry in &entries { (row(&ctx, entry, now)) } }
            }
        }
        @if let Some(last) = entries.last().filter(|_| entries.len() == PAGE as usize) {
            @let query = ctx.query.without(&["before", "done", "lang"]).with("before", &last.id.to_string());
            nav .pager { a .button rel="next" href=(ctx.urls.with("/audit", &query)) { (text.next_page()) } }
        }
    };
    Ok(Page::new(text.audit(), content).section(Section::Audit).respond(&ctx))
}

fn row(ctx: &Ctx, entry: &AuditEntry, now: Timestamp) -> Markup {
    let text = ctx.text;
    html! {
        tr {
            td data-label=(text.when()) { (part::when(text, now, entry.at)) }
            td .main data-label=(text.who()) {
                strong { (entry.by.name()) } " " small { (text.via(entry.by.via())) }
            }
            td data-label=(text.what()) {
                (text.deed(&entry.action))
                @if entry.outcome == DeedOutcome::Refused { " " span .mark .bad { (text.was_refused()) } }
            }
            td data-label=(text.to_what()) { (target(ctx, &entry.target)) }
            td data-label=(text.change()) { (change(ctx, entry)) }
            td data-label=(text.reason()) {
                @if let Some(reason) = entry.by.reason() { (reason) } @else { span .none { (text.dash()) } }
            }
        }
    }
}

fn target(ctx: &Ctx, target: &Target) -> Markup {
    html! {
        @match target {
            Target::Job(job) => (part::job_link(ctx, *job)),
            Target::Schedule(id) => { a href=(ctx.urls.one("/recurring/one", "id", id)) { (id) } }
            Target::Queue(queue) => (part::queue_link(ctx, queue)),
            Target::Server(server) => { code .id { (server) } }
        }
    }
}

/// What it was before, and what it is now.
fn change(ctx: &Ctx, entry: &AuditEntry) -> Markup {
    html! {
        @match (&entry.before, &entry.after) {
            (Some(before), Some(after)) => { (ctx.text.was(before)) " → " (ctx.text.was(after)) }
            (Some(before), None) => (ctx.text.was(before)),
            (None, Some(after)) => { "→ " (ctx.text.was(after)) }
            (None, None) => { span .none { (ctx.text.dash()) } }
        }
    }
}
