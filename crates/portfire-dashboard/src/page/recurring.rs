//! The schedules, in words.

use axum::response::Response;
use maud::{Markup, html};
use portfire_core::{Cron, ScheduleView, Standing, Timestamp};

use super::frame::{Page, Section};
use super::part;
use crate::ctx::Ctx;
use crate::gate::Permission;
use crate::refusal::Result;

pub(crate) async fn show(ctx: Ctx) -> Result<Response> {
    let glance = ctx.glance().await?;
    let now = ctx.now(&glance);
    let (schedules, more) = ctx.read().schedules(ctx.query.get("after")).await?;
    let text = ctx.text;
    let content = html! {
        h1 { (text.recurring()) }
        @if schedules.is_empty() {
            (part::empty(text.no_schedules(), html! { p { (text.no_schedules_hint()) } }))
        }
        @else {
            table .cards {
                caption .hidden { (text.recurring()) }
                thead { tr {
                    th scope="col" { (text.name()) }
                    th scope="col" { (text.when_it_runs()) }
                    th scope="col" { (text.next_run()) }
                    th scope="col" { (text.last_run()) }
                    th scope="col" { span .hidden { (text.actions()) } }
                } }
                tbody { @for view in &schedules { (row(&ctx, view, now)) } }
            }
        }
        @if let Some(last) = schedules.last().filter(|_| more) {
            nav .pager {
                a .button href=(ctx.urls.one("/recurring", "after", &last.schedule.id)) { (text.next_page()) }
            }
        }
    };
    Ok(Page::new(text.recurring(), content).section(Section::Recurring).live().respond(&ctx))
}

fn row(ctx: &Ctx, view: &ScheduleView, now: Timestamp) -> Markup {
    let text = ctx.text;
    let one = &view.schedule;
    html! {
        tr {
            td .main data-label=(text.name()) {
                a .kind href=(ctx.urls.one("/recurring/one", "id", &one.id)) { (one.id) }
                @if *one.job.kind != *one.id { " " small { (one.job.kind) } }
            }
            td data-label=(text.when_it_runs()) {
                (in_words(ctx, view)) br; code { (one.cron) } " " small { (one.zone) }
            }
            td data-label=(text.next_run()) { (standing(ctx, view, now)) }
            td data-label=(text.last_run()) { (last_run(ctx, view, now)) }
            td .does { div .steer { (steering(ctx, view)) } }
        }
    }
}

/// The expression in the reader's language.
pub(crate) fn in_words(ctx: &Ctx, view: &ScheduleView) -> Markup {
    html! {
        @match Cron::parse(&view.schedule.cron) {
            Ok(cron) => (cron.describe(ctx.text.0)),
            Err(error) => { span .mark .bad { (error) } }
        }
    }
}

/// Whether it runs, and when next.
pub(crate) fn standing(ctx: &Ctx, view: &ScheduleView, now: Timestamp) -> Markup {
    html! {
        @match &view.standing {
            Standing::Active { next } => (part::when(ctx.text, now, *next)),
            Standing::Paused => { span .mark .warm { (ctx.text.paused()) } }
            Standing::Flagged { problem }
            => { span .mark .bad { (ctx.text.flagged()) } " " small { (problem) } }
        }
    }
}

fn last_run(ctx: &Ctx, view: &ScheduleView, now: Timestamp) -> Markup {
    html! {
        @match view.last_run {
            Some(run) => {
                @if let Some(state) = run.state {
                    (part::state(ctx.text, state)) " " (part::job_link(ctx, run.job)) " "
                }
                @if let Some(at) = view.last_slot { (part::when(ctx.text, now, at)) }
            }
            None => { span .none { (ctx.text.never()) } }
        }
    }
}

/// What may be done to it.
pub(crate) fn steering(ctx: &Ctx, view: &ScheduleView) -> Markup {
    let text = ctx.text;
    let about = [("schedule", &*view.schedule.id)];
    let is_paused = view.standing == Standing::Paused;
    html! {
        @if ctx.can(Permission::ScheduleRun) {
            (part::button(ctx, "/recurring/run", text.run_now(), "primary", &about))
        }
        @if ctx.can(Permission::SchedulePause) {
            @if is_paused { (part::button(ctx, "/recurring/resume", text.resume(), "plain", &about)) }
            @else { (part::button(ctx, "/recurring/pause", text.pause(), "plain", &about)) }
        }
        @if ctx.can(Permission::ScheduleRemove) {
            (part::button(ctx, "/recurring/remove", text.remove(), "danger", &about))
        }
    }
}
