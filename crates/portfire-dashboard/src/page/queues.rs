//! The lines that jobs wait in.

use axum::response::Response;
use maud::{Markup, html};
use portfire_core::State;

use super::frame::{Page, Section};
use super::part;
use crate::ctx::Ctx;
use crate::filter::term;
use crate::refusal::Result;
use crate::sampler::Glance;

const STATES: [State; 6] =
    [State::Enqueued, State::Processing, State::Scheduled, State::Retrying, State::Succeeded, State::Failed];

pub(crate) async fn show(ctx: Ctx) -> Result<Response> {
    let glance = ctx.glance().await?;
    let text = ctx.text;
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
                    th scope="col" .number { (text.slots()) }
                } }
                tbody { @for queue in queues { (row(&ctx, &glance, queue)) } }
            }
        }
    };
    Ok(Page::new(text.queues(), content).section(Section::Queues).live().respond(&ctx))
}

fn row(ctx: &Ctx, glance: &Glance, queue: &str) -> Markup {
    let text = ctx.text;
    let count = |state| glance.overview.counts.iter().find(|one| *one.queue == *queue && one.state == state).map_or(0, |one| one.jobs);
    let serving = glance.overview.servers.iter().filter(|server| server.info.queues.iter().any(|name| **name == *queue));
    let slots: u32 = serving.map(|server| server.info.slots).sum();
    html! {
        tr {
            td .main data-label=(text.name()) {
                strong { (part::queue_link(ctx, queue)) }
                @if slots == 0 && count(State::Enqueued) > 0 { " " span .mark .bad { (text.nobody_serves()) } }
            }
            @for state in STATES {
                @let jobs = count(state);
                td .number .zero[jobs == 0] data-label=(text.state(state)) {
                    a href=(ctx.urls.jobs(&format!("{} {}", term("state", state.as_str()), term("queue", queue)))) { (part::count(jobs)) }
                }
            }
            td .number data-label=(text.slots()) { (slots) }
        }
    }
}
