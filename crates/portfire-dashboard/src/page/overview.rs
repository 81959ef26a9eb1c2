//! The whole at a glance.

use axum::response::Response;
use maud::{Markup, html};
use portfire_core::storage::FaultGroupRequest;
use portfire_core::{ScheduleView, Standing, State, Timestamp};

use super::frame::{Page, Section};
use super::{chart, failed, part, servers};
use crate::ctx::Ctx;
use crate::filter::term;
use crate::gate::Scope;
use crate::refusal::Result;
use crate::sampler::{Glance, Span};

/// How many rows a panel has.
const ROWS: u32 = 6;

pub(crate) async fn show(ctx: Ctx) -> Result<Response> {
    let glance = ctx.glance().await?;
    let now = ctx.now(&glance);
    let groups = FaultGroupRequest { limit: ROWS, ..FaultGroupRequest::default() };
    let groups = ctx.read().fault_groups(groups).await?;
    let span = Span::of(ctx.query.get("span").unwrap_or_default());
    let everything = ctx.grant.scope == Scope::Everything;
    let history = if everything { Some(ctx.shared.sampler.history(span, &glance).await?) } else { None };
    let (mut schedules, _) = ctx.read().schedules(None).await?;
    schedules.sort_by_key(next);
    schedules.truncate(ROWS as usize);
    let text = ctx.text;
    let is_new = glance.overview.ended.is_empty() && glance.overview.counts.is_empty();
    let content = html! {
        h1 .hidden { (text.overview()) }
        (tiles(&ctx, &glance, now))
        @if let Some(tallies) = history.filter(|_| !is_new) { (chart::history(&ctx, span, &tallies)) }
        @if is_new { (first_steps(&ctx, &glance)) }
        div .panels {
            section .panel {
                h2 { a href=(ctx.urls.at("/servers")) { (text.servers()) } }
                (servers::brief(&ctx, &glance, now))
            }
            section .panel {
                h2 { a href=(ctx.urls.at("/failed")) { (text.latest_failures()) } }
                (failed::brief(&ctx, &groups, now))
            }
            section .panel {
                h2 { a href=(ctx.urls.at("/recurring")) { (text.next_runs()) } }
                (next_runs(&ctx, &schedules, now))
            }
        }
    };
    Ok(Page::new(text.overview(), content).section(Section::Overview).live().respond(&ctx))
}

fn tiles(ctx: &Ctx, glance: &Glance, now: Timestamp) -> Markup {
    let theirs = glance.overview.counts.iter().filter(|count| ctx.grant.scope.has_queue(&count.queue));
    let oldest = theirs.filter_map(|count| count.oldest).min();
    let order = [
        State::Enqueued,
        State::Processing,
        State::Scheduled,
        State::Retrying,
        State::Awaiting,
        State::Succeeded,
        State::Failed,
        State::Cancelled,
    ];
    html! {
        ul .tiles {
            @for state in order {
                @let count = glance.count(state, &ctx.grant.scope);
                li .zero[count == 0] {
                    a href=(ctx.urls.jobs(&term("state", state.as_str()))) {
                        (part::state(ctx.text, state))
                        strong { (part::count(count)) }
                        @if state == State::Enqueued && let Some(oldest) = oldest {
                            small { (ctx.text.oldest(&ctx.text.rough(now.since(oldest)))) }
                        }
                    }
                }
            }
        }
    }
}

fn next_runs(ctx: &Ctx, schedules: &[ScheduleView], now: Timestamp) -> Markup {
    let text = ctx.text;
    html! {
        @if schedules.is_empty() { p .none { (text.no_schedules()) } }
        @else {
            ul .rows {
                @for view in schedules {
                    li {
                        a .kind href=(ctx.urls.one("/recurring/one", "id", &view.schedule.id)) {
                            (view.schedule.id)
                        }
                        @match &view.standing {
                            Standing::Active { next } => (part::when(text, now, *next)),
                            Standing::Paused => { span .mark .warm { (text.paused()) } }
                            Standing::Flagged { .. } => { span .mark .bad { (text.flagged()) } }
                        }
                    }
                }
            }
        }
    }
}

/// The order of what comes next: flagged ones first, because somebody has to look; paused ones last.
fn next(view: &ScheduleView) -> (u8, Timestamp) {
    match &view.standing {
        Standing::Flagged { .. } => (0, Timestamp::default()),
        Standing::Active { next } => (1, *next),
        Standing::Paused => (2, Timestamp::default()),
    }
}

fn first_steps(ctx: &Ctx, glance: &Glance) -> Markup {
    let text = ctx.text;
    let has_server = !glance.overview.servers.is_empty();
    html! {
        section .panel .first {
            h2 { (text.first_steps()) }
            ol {
                li .done[has_server] { (text.first_server()) }
                li {
                    (text.first_job())
                    pre { code { "#[job]\nasync fn send_mail(to: String) -> Result<(), JobError> { … }" } }
                }
                li {
                    (text.first_enqueue())
                    pre { code { "send_mail(\"ming@example.com\").enqueue(&jobs).await?;" } }
                }
            }
        }
    }
}
