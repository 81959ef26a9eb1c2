//! One job: what it is called with, what became of it, and what may be done.

use axum::response::Response;
use maud::{Markup, html};
use portfire_core::limits::{CHILDREN_SHOWN, LOG_SHOWN};
use portfire_core::storage::{AttemptView, AuditRequest, JobDetails, LogLine, Progress, Target};
use portfire_core::{Keep, ServerId, State, Timestamp, Trigger};

use super::frame::{Page, Section};
use super::{jobs, life, part, queues};
use crate::actions::Steer;
use crate::ctx::Ctx;
use crate::gate::Permission;
use crate::json::{members, tokens};
use crate::messages::Text;
use crate::refusal::Result;
use crate::sampler::Glance;
use crate::time;

/// Most bytes of arguments or of a result shown.
const JSON_SHOWN_MAX: usize = 64 << 10;

pub(crate) async fn show(ctx: Ctx) -> Result<Response> {
    let id = ctx.job_id()?;
    let glance = ctx.glance().await?;
    let now = ctx.now(&glance);
    let job = ctx.read().job(id).await?;
    let deeds = ctx.read().audit(Some(Target::Job(id)), AuditRequest::default()).await?;
    let text = ctx.text;
    let lost = job.summary.state == State::Processing
        && !glance
            .overview
            .servers
            .iter()
            .any(|one| Some(one.id) == job.summary.server && one.lease_until > now);
    let content = html! {
        (head(&ctx, &job))
        @if lost { p .notice .warm { (text.server_gone()) } }
        @if let Some(paused) = glance.holds(&job.summary) {
            p .notice .warm { (text.held_hint()) " " (queues::since(&ctx, paused, now)) }
        }
        @if job.cancel_requested { p .notice .warm { (text.cancel_requested()) } }
        div .job {
            div {
                @if let Some(progress) = &job.progress { (bar(text, progress)) }
                section .panel { h2 { (text.call()) } (call(&ctx, &job)) }
                @if let Some(result) = &job.result {
                    section .panel {
                        h2 { (text.result()) } pre .code { code { (shown_json(text, result.as_str())) } }
                    }
                }
                @if !job.history.is_empty() {
                    section .panel { h2 { (text.errors()) } (attempts(&ctx, &job, &glance, now)) }
                }
                @if !job.log.is_empty() { section .panel { h2 { (text.log()) } (log(&ctx, &job.log)) } }
            }
            div {
                section .panel { h2 { (text.life()) } (life::show(&ctx, &job, &deeds, now)) }
                section .panel { h2 { (text.facts()) } (facts(&ctx, &job, &glance, now)) }
                @if !job.parents.is_empty() || !job.children.is_empty() {
                    section .panel { h2 { (text.relatives()) } (relatives(&ctx, &job)) }
                }
            }
        }
    };
    Ok(Page::new(format!("{} · {}", job.summary.kind, text.state(job.summary.state)), content)
        .section(Section::Jobs)
        .live()
        .respond(&ctx))
}

fn head(ctx: &Ctx, job: &JobDetails) -> Markup {
    let one = &job.summary;
    html! {
        header .head {
            div {
                h1 { (one.kind) }
                p .under {
                    (part::state(ctx.text, one.state)) " " (part::queue_link(ctx, &one.queue)) " "
                    @for tag in &one.tags { (part::tag_link(ctx, tag)) " " }
                    code .whole-id { (one.id) }
                    button .quiet .copy type="button" data-copy=(one.id) hidden { (ctx.text.copy()) }
                }
            }
            (steering(ctx, job))
        }
    }
}

fn steering(ctx: &Ctx, job: &JobDetails) -> Markup {
    let one = &job.summary;
    let fits = |steer: &Steer| ctx.can(steer.permission()) && steer.fits(one.state);
    let back = |steer: Steer| if steer == Steer::Delete { "/jobs".to_owned() } else { ctx.visit.here() };
    let about = |steer: Steer| {
        html! {
            input type="hidden" name="job" value=(one.id);
            input type="hidden" name="expect" value=(one.state);
            input type="hidden" name="attempts" value=(one.attempts);
            input type="hidden" name="back" value=(back(steer));
        }
    };
    html! {
        div .steer {
            @for steer in Steer::ALL.into_iter().filter(|steer| fits(steer) && !jobs::needs_more(*steer)) {
                form method="post" action=(ctx.urls.at(steer.path())) {
                    (about(steer))
                    button .danger[steer == Steer::Delete] .primary[steer == Steer::Run] {
                        (jobs::steer_word(ctx.text, steer))
                    }
                }
            }
            @let more: Vec<_> = Steer::ALL.into_iter().filter(|steer| fits(steer) && jobs::needs_more(*steer)).collect();
            @if !more.is_empty() {
                details .more {
                    summary .button { (ctx.text.more()) }
                    form method="post" {
                        (about(Steer::Reschedule))
                        @for steer in more {
                            p {
                                (jobs::more_input(ctx, steer))
                                button formaction=(ctx.urls.at(steer.path())) {
                                    (jobs::steer_word(ctx.text, steer))
                                }
                            }
                        }
                        (jobs::reason_input(ctx.text))
                    }
                }
            }
        }
    }
}

/// The job as the call that made it.
fn call(ctx: &Ctx, job: &JobDetails) -> Markup {
    let one = &job.summary;
    let args = job.args.as_str();
    html! {
        @if !ctx.can(Permission::ViewArgs) { p .none { (ctx.text.args_hidden()) } }
        pre .code { code {
            span .f { (one.kind) } "("
            (arguments(ctx.text, args))
            ")\n    ." span .f { "queue" } "(" span .s { "\"" (one.queue) "\"" } ")"
            @if one.priority != 0 { "\n    ." span .f { "priority" } "(" span .n { (one.priority) } ")" }
            @for tag in &one.tags { "\n    ." span .f { "tag" } "(" span .s { "\"" (tag) "\"" } ")" }
            @if let Some(unique) = &job.unique {
                "\n    ." span .f { "unique" } "(" span .s { "\"" (unique) "\"" } ")"
            }
        } }
        @if args.len() <= JSON_SHOWN_MAX && ctx.can(Permission::ViewArgs) {
            button .quiet .copy type="button" data-copy=(args) hidden { (ctx.text.copy_json()) }
        }
    }
}

/// Arguments as they stand in a call: by name, one a line.
pub(crate) fn arguments(text: Text, args: &str) -> Markup {
    let members = (args.len() <= JSON_SHOWN_MAX).then(|| members(args)).flatten();
    html! {
        @match &members {
            Some(members) => {
                @for (name, value) in members {
                    "\n    " span .k { (name) } ": " (part::json(value, 1)) ","
                }
                @if !members.is_empty() { "\n" }
            }
            None => (shown_json(text, args)),
        }
    }
}

fn shown_json(text: Text, json: &str) -> Markup {
    let cut = &json[..json.floor_char_boundary(JSON_SHOWN_MAX)];
    html! {
        (part::json(&tokens(cut), 0))
        @if cut.len() < json.len() { "\n… " (text.cut(json.len() as u64)) }
    }
}

fn bar(text: Text, progress: &Progress) -> Markup {
    html! {
        section .panel .progress {
            h2 { (text.progress()) }
            @let total = progress.total.filter(|total| *total > 0);
            @if let Some(total) = total {
                progress max=(total) value=(progress.done.min(total)) aria-label=(text.progress()) {}
            }
            p {
                (time::grouped(progress.done))
                @if let Some(total) = total { " / " (time::grouped(total)) }
                @if let Some(message) = &progress.message { " · " (message) }
            }
        }
    }
}

/// What went wrong, the latest first and open.
fn attempts(ctx: &Ctx, job: &JobDetails, glance: &Glance, now: Timestamp) -> Markup {
    html! {
        @for (at, attempt) in job.history.iter().rev().enumerate() {
            (failed_attempt(ctx, attempt, glance, at == 0, now))
        }
    }
}

fn failed_attempt(
    ctx: &Ctx,
    attempt: &AttemptView,
    glance: &Glance,
    is_latest: bool,
    now: Timestamp,
) -> Markup {
    let text = ctx.text;
    let message = attempt.fault.as_ref().map_or("", |fault| &*fault.message);
    let (first, rest) = message.split_once('\n').unwrap_or((message, ""));
    html! {
        details .attempt open[is_latest] {
            summary {
                strong { (text.attempt(attempt.attempt)) }
                " "
                span .outcome { (text.outcome(&attempt.outcome)) }
                " "
                (part::when(text, now, attempt.ended_at)) " "
                small { (text.took(&text.length(attempt.ended_at.since(attempt.started_at)))) }
            }
            @if !message.is_empty() { pre .fault { strong { (first) } @if !rest.is_empty() { "\n" (rest) } } }
            p .under { (text.on_server()) " " (server_name(glance, attempt.server)) }
        }
    }
}

fn log(ctx: &Ctx, lines: &[LogLine]) -> Markup {
    html! {
        @if lines.len() >= LOG_SHOWN as usize { p .none { (ctx.text.last_lines(LOG_SHOWN.into())) } }
        ol .log tabindex="0" aria-label=(ctx.text.log()) {
            @for line in lines {
                li {
                    time datetime=(line.at) { (time::utc(line.at)) }
                    " "
                    span .try { "#" (line.attempt) }
                    " "
                    (line.text)
                }
            }
        }
    }
}

fn facts(ctx: &Ctx, job: &JobDetails, glance: &Glance, now: Timestamp) -> Markup {
    let text = ctx.text;
    let (one, policy) = (&job.summary, &job.policy);
    html! {
        dl .facts {
            dt { (text.attempts()) } dd { (one.attempts) " / " (policy.attempts_max) }
            @if let Some(fault) = job.fingerprint {
                dt { (text.same_error()) }
                dd {
                    a href=(ctx.urls.failed_alike(fault)) {
                        (text.see_jobs())
                    }
                }
            }
            @if job.crashes > 0 { dt { (text.crashes()) } dd { (job.crashes) } }
            dt { (text.priority()) } dd { (one.priority) }
            dt { (text.timeout()) }
            dd {
                @if let Some(limit) = policy.timeout { (part::length(text, limit)) } @else { (text.none()) }
            }
            dt { (text.kept()) } dd { (kept(text, one.state, job)) }
            @if let Some(unique) = &job.unique { dt { (text.unique()) } dd { code { (unique) } } }
            @if let Some(slot) = &job.slot {
                dt { (text.made_by()) }
                dd {
                    a href=(ctx.urls.one("/recurring/one", "id", &slot.schedule)) { (slot.schedule) }
                    " "
                    (part::when(text, now, slot.at))
                }
            }
            @if let Some(server) = one.server { dt { (text.server()) } dd { (server_name(glance, server)) } }
        }
    }
}

fn kept(text: Text, state: State, job: &JobDetails) -> Markup {
    let how = |state| match job.policy.retention.of(state) {
        Keep::For(length) => text.length(length),
        Keep::Forever => text.forever().to_owned(),
    };
    html! {
        @if state.is_final() {
            (how(state))
        } @else { (text.kept_if(&how(State::Succeeded), &how(State::Failed))) }
    }
}

fn relatives(ctx: &Ctx, job: &JobDetails) -> Markup {
    let text = ctx.text;
    let on = |trigger| match trigger {
        Trigger::Success => text.on_success(),
        Trigger::Failure => text.on_failure(),
        Trigger::End => text.on_end(),
    };
    html! {
        @if !job.parents.is_empty() {
            h3 { (text.parents()) }
            ul .plain { @for parent in &job.parents {
                li {
                    @if let Some(state) = parent.state {
                        (part::state(text, state))
                    } @else { span .mark { (text.waited_for()) } }
                    " " (part::job_link(ctx, parent.job)) " " small { (on(parent.on)) }
                }
            } }
        }
        @if !job.children.is_empty() {
            h3 { (text.children()) }
            ul .plain { @for child in &job.children { li { (part::job_link(ctx, *child)) } } }
            @if job.children.len() >= CHILDREN_SHOWN as usize {
                p .none { (text.first_ones(CHILDREN_SHOWN.into())) }
            }
        }
    }
}

/// A server by its name while it is known, and by its id.
fn server_name(glance: &Glance, id: ServerId) -> Markup {
    let known = glance.overview.servers.iter().find(|server| server.id == id);
    html! {
        @if let Some(server) = known { span title=(id) { (server.info.name) } } @else { code .id { (id) } }
    }
}
