//! The lines that jobs wait in.

use axum::response::Response;
use maud::{Markup, html};
use portfire_core::storage::{PausedQueue, Tally, Width};
use portfire_core::{State, Timestamp};

use super::frame::{Page, Section};
use super::part;
use crate::ctx::Ctx;
use crate::filter::term;
use crate::gate::Permission;
use crate::refusal::Result;
use crate::sampler::{Glance, Span};
use crate::time;

const STATES: [State; 4] = [State::Enqueued, State::Processing, State::Scheduled, State::Retrying];

pub(crate) async fn show(ctx: Ctx) -> Result<Response> {
    let glance = ctx.glance().await?;
    let text = ctx.text;
    let (from, until) = Span::Hour.bounds(glance.now);
    let tallies = ctx.read().by_queue(Width::Minute, from, until).await?;
    let now = ctx.now(&glance);
    let queues: Vec<_> = glance.queues(&ctx.grant.scope).collect();
    let content = html! {
        h1 { (text.queues()) }
        @if queues.is_empty() { (part::empty(text.no_queues(), html! { p { (text.no_queues_hint()) } })) }
        @else {
            table .cards {
                caption .hidden { (text.queues()) }
                thead { tr {
                    th scope="col" { (text.name()) }
                    @for state in STATES { th scope="col" .number { (text.state(state)) } }
                    th scope="col" { (text.oldest_wait()) }
                    th scope="col" .number { (text.done_lately()) }
                    th scope="col" .number { (text.failed_lately()) }
                    th scope="col" .number { (text.slots()) }
                    th scope="col" { span .hidden { (text.actions()) } }
                } }
                tbody { @for queue in queues { (row(&ctx, &glance, &tallies, queue, now)) } }
            }
        }
    };
    Ok(Page::new(text.queues(), content).section(Section::Queues).live().respond(&ctx))
}

fn row(ctx: &Ctx, glance: &Glance, tallies: &[Tally], queue: &str, now: Timestamp) -> Markup {
    let text = ctx.text;
    let oldest = glance.overview.counts.iter().filter(|one| *one.queue == *queue).find_map(|one| one.oldest);
    let paused = glance.overview.paused.iter().find(|paused| *paused.queue == *queue);
    let lately = |of: fn(&Tally) -> u64| {
        tallies.iter().filter(|tally| tally.queue.as_deref() == Some(queue)).map(of).sum::<u64>()
    };
    let count = |state| {
        glance
            .overview
            .counts
            .iter()
            .find(|one| *one.queue == *queue && one.state == state)
            .map_or(0, |one| one.jobs)
    };
    let serving = glance
        .overview
        .servers
        .iter()
        .filter(|server| server.info.queues.iter().any(|name| **name == *queue));
    let slots: u32 = serving.map(|server| server.info.slots).sum();
    html! {
        tr {
            td .main data-label=(text.name()) {
                strong { (part::queue_link(ctx, queue)) }
                @if let Some(paused) = paused { " " (paused_mark(ctx, paused, now)) }
                @if slots == 0 && count(State::Enqueued) > 0 {
                    " " span .mark .bad { (text.nobody_serves()) }
                }
            }
            @for state in STATES {
                @let jobs = count(state);
                td .number .zero[jobs == 0] data-label=(text.state(state)) {
                    a href=(ctx.urls.jobs(&format!("{} {}", term("state", state.as_str()), term("queue", queue)))) {
                        (part::count(jobs))
                    }
                }
            }
            td data-label=(text.oldest_wait()) {
                @if let Some(oldest) = oldest {
                    (part::length(text, now.since(oldest)))
                } @else { span .none { (text.dash()) } }
            }
            td .number data-label=(text.done_lately()) { (time::grouped(lately(|tally| tally.succeeded))) }
            td .number data-label=(text.failed_lately()) { (time::grouped(lately(|tally| tally.failed))) }
            td .number data-label=(text.slots()) { (slots) }
            td .does { div .steer { (steering(ctx, queue, paused.is_some())) } }
        }
    }
}

/// That it is paused, and why.
fn paused_mark(ctx: &Ctx, paused: &PausedQueue, now: Timestamp) -> Markup {
    html! {
        span .mark .warm { (ctx.text.paused()) } " "
        (since(ctx, paused, now))
    }
}

/// Since when, by whom and why a queue is paused.
pub(crate) fn since(ctx: &Ctx, paused: &PausedQueue, now: Timestamp) -> Markup {
    html! {
        small {
            (part::when(ctx.text, now, paused.since))
            @if let Some(by) = &paused.by { " · " (by) }
            @if let Some(reason) = &paused.reason { " · " (reason) }
        }
    }
}

fn steering(ctx: &Ctx, queue: &str, is_paused: bool) -> Markup {
    let text = ctx.text;
    html! {
        @if ctx.can(Permission::PauseQueue) {
            @if is_paused {
                (part::button(ctx, "/queues/resume", text.resume(), "plain", &[("queue", queue)]))
            } @else {
                details .more {
                    summary .button { (text.pause_because()) }
                    form method="post" action=(ctx.urls.at("/queues/pause")) {
                        input type="hidden" name="back" value=(ctx.here());
                        input type="hidden" name="queue" value=(queue);
                        p {
                            input name="reason" maxlength="300" placeholder=(text.reason())
                                aria-label=(text.reason_hint());
                            button { (text.pause()) }
                        }
                    }
                }
            }
        }
    }
}
