//! Who works.

use axum::response::Response;
use maud::{Markup, html};
use portfire_core::Timestamp;
use portfire_core::storage::{ServerOrder, ServerView};

use super::frame::{Page, Section};
use super::part;
use crate::ctx::Ctx;
use crate::gate::{Permission, Scope};
use crate::refusal::Result;
use crate::sampler::Glance;

pub(crate) async fn show(ctx: Ctx) -> Result<Response> {
    let glance = ctx.glance().await?;
    let now = ctx.now(&glance);
    let text = ctx.text;
    let servers = visible(&ctx.grant.scope, &glance);
    let content = html! {
        h1 { (text.servers()) }
        @if servers.is_empty() { (part::empty(text.no_servers(), html! { p { (text.no_servers_hint()) } })) }
        @else {
            table .cards {
                caption .hidden { (text.servers()) }
                thead { tr {
                    th scope="col" { (text.name()) }
                    th scope="col" { (text.standing()) }
                    th scope="col" { (text.queues()) }
                    th scope="col" { (text.slots()) }
                    th scope="col" { (text.started()) }
                    th scope="col" { (text.process()) }
                    th scope="col" { span .hidden { (text.actions()) } }
                } }
                tbody { @for server in servers { (row(&ctx, server, now)) } }
            }
        }
    };
    Ok(Page::new(text.servers(), content).section(Section::Servers).live().respond(&ctx))
}

fn row(ctx: &Ctx, server: &ServerView, now: Timestamp) -> Markup {
    let text = ctx.text;
    let info = &server.info;
    html! {
        tr #{ "s-" (server.id) } {
            td .main data-label=(text.name()) {
                strong { (info.name) }
                @if !info.build.is_empty() { " " small { (info.build) } }
                @if !info.host.is_empty() && info.host != info.name { br; small { (info.host) } }
            }
            td data-label=(text.standing()) { (standing(ctx, server, now)) }
            td data-label=(text.queues()) {
                @for queue in info.queues.iter().filter(|queue| ctx.grant.scope.has_queue(queue)) {
                    (part::queue_link(ctx, queue)) " "
                }
            }
            td data-label=(text.slots()) { (slots(ctx, server)) }
            td data-label=(text.started()) { (part::when(text, now, server.started_at)) }
            td data-label=(text.process()) { span .id title=(server.id) { (info.pid) } }
            td .does { div .steer { (steering(ctx, server)) } }
        }
    }
}

/// Whether it lives, by its lease.
fn standing(ctx: &Ctx, server: &ServerView, now: Timestamp) -> Markup {
    let text = ctx.text;
    html! {
        @if server.lease_until > now {
            @match server.order {
                ServerOrder::Run => { span .mark .good { (text.alive()) } }
                ServerOrder::Quiet => { span .mark .warm { (text.quiet()) } }
                ServerOrder::Stop => { span .mark .warm { (text.stopping()) } }
            }
        } @else { span .mark .bad title=(text.lost_hint()) { (text.lost()) " " (part::when(text, now, server.lease_until)) } }
    }
}

/// What it may be told to do.
fn steering(ctx: &Ctx, server: &ServerView) -> Markup {
    let text = ctx.text;
    let id = server.id.to_string();
    let about = [("server", &*id)];
    let steers = ctx.grant.scope == Scope::Everything && server.order != ServerOrder::Stop;
    html! {
        @if steers && ctx.can(Permission::ServerQuiet) {
            @if server.order == ServerOrder::Quiet {
                (part::button(ctx, "/servers/resume", text.resume(), "plain", &about))
            }
            @else { (part::button(ctx, "/servers/quiet", text.make_quiet(), "plain", &about)) }
        }
        @if steers && ctx.can(Permission::ServerStop) {
            (part::button(ctx, "/servers/stop", text.stop(), "danger", &about))
        }
    }
}

fn slots(ctx: &Ctx, server: &ServerView) -> Markup {
    let (running, slots) = (server.info.running, server.info.slots.max(1));
    if !tells_running(&ctx.grant.scope, server) {
        return html! { (server.info.slots) };
    }
    html! {
        span .slots {
            progress max=(slots) value=(running.min(slots)) aria-label=(ctx.text.slots()) {}
            span { (running) " / " (server.info.slots) }
        }
    }
}

/// The panel of the overview.
pub(crate) fn brief(ctx: &Ctx, glance: &Glance, now: Timestamp) -> Markup {
    let servers = visible(&ctx.grant.scope, glance);
    html! {
        @if servers.is_empty() { p .none .warm { (ctx.text.no_servers()) } }
        @else {
            ul .rows {
                @for server in servers.into_iter().take(6) {
                    li { strong { (server.info.name) } (standing(ctx, server, now)) (slots(ctx, server)) }
                }
            }
        }
    }
}

/// Whether all that it runs exists for them: otherwise they are not told how much that is.
pub(crate) fn tells_running(scope: &Scope, server: &ServerView) -> bool {
    server.info.queues.iter().all(|queue| scope.has_queue(queue))
}

/// The servers that serve a queue that exists for them.
pub(crate) fn visible<'g>(scope: &Scope, glance: &'g Glance) -> Vec<&'g ServerView> {
    let serves = |server: &&ServerView| {
        *scope == Scope::Everything || server.info.queues.iter().any(|queue| scope.has_queue(queue))
    };
    glance.overview.servers.iter().filter(serves).collect()
}
