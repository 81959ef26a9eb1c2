//! All failures of one group: asking before something is done to them, and how far it is.

use axum::response::Response;
use maud::{Markup, html};
use portfire_core::Fingerprint;
use portfire_core::storage::{FaultGroup, FaultGroupRequest};

use super::frame::{Page, Section};
use super::notice::Notice;
use super::{jobs, part};
use crate::actions::Steer;
use crate::actions::alike::{ROUND_MAX, Round, check, group};
use crate::ctx::Ctx;
use crate::filter::term;
use crate::refusal::{Refusal, Result};

/// What may be done to a whole group.
const STEERS: [Steer; 2] = [Steer::Run, Steer::Delete];

/// Where its form goes.
const fn path(steer: Steer) -> &'static str {
    if matches!(steer, Steer::Delete) { "/faults/delete" } else { "/faults/run" }
}

const fn word(steer: Steer) -> &'static str {
    if matches!(steer, Steer::Delete) { "delete" } else { "run" }
}

/// Whether this is to be done to all of them.
pub(crate) async fn ask(ctx: Ctx) -> Result<Response> {
    let steer = STEERS.into_iter().find(|steer| ctx.query.get("do") == Some(word(*steer)));
    let steer = steer.ok_or(Refusal::NotFound)?;
    check(&ctx, steer)?;
    let fault = group(ctx.query.get("fault"))?;
    let request = FaultGroupRequest { limit: 1, only: Some(fault), ..FaultGroupRequest::default() };
    let known = ctx.read().fault_groups(request).await?.pop();
    let text = ctx.text;
    let title = if steer == Steer::Delete { text.delete_all() } else { text.run_all() };
    let content = html! {
        section .confirm {
            h1 { (title) }
            @if let Some(known) = &known { (summary(&ctx, known)) }
            p { (text.rounds_hint(ROUND_MAX.into())) }
            @if steer == Steer::Delete { p { (text.delete_hint()) } }
            form method="post" action=(ctx.urls.at(path(steer))) {
                input type="hidden" name="fault" value=(fault);
                input type="hidden" name="back" value=(back(fault));
                (jobs::reason_input(text))
                button .danger[steer == Steer::Delete] { (title) }
                " "
                a .button href=(ctx.urls.failed_alike(fault)) { (text.keep()) }
            }
        }
    };
    Ok(Page::new(title, content).section(Section::Failed).respond(&ctx))
}

fn summary(ctx: &Ctx, known: &FaultGroup) -> Markup {
    html! {
        p { span .kind { (known.kind) } " " span .sample { (known.sample) } }
        p { strong { (part::alike(known.kept)) } " " (ctx.text.failed_now()) }
    }
}

/// How far it is, and the button for the next round, which a script presses.
pub(crate) fn progress(ctx: &Ctx, steer: Steer, round: &Round, sum: Notice) -> Response {
    let text = ctx.text;
    let title = if steer == Steer::Delete { text.delete_all() } else { text.run_all() };
    let next = round.next.as_ref().map(ToString::to_string).unwrap_or_default();
    let fields = [
        ("fault", round.fault.to_string()),
        ("until", round.until.to_string()),
        ("after", next),
        ("done", sum.done.to_string()),
        ("not_done", sum.not_done.to_string()),
        ("back", ctx.form.get("back").unwrap_or("/failed").to_owned()),
        ("reason", ctx.form.get("reason").unwrap_or_default().to_owned()),
    ];
    let content = html! {
        section .confirm {
            h1 { (title) }
            p role="status" { (text.done_so_far(sum.done.into())) }
            @if sum.not_done > 0 { p .warm { (text.not_done(sum.not_done)) } }
            form method="post" action=(ctx.urls.at(path(steer))) data-next {
                @for (name, value) in &fields { input type="hidden" name=(name) value=(value); }
                button { (text.go_on()) }
                " "
                a .button href=(ctx.urls.failed_alike(round.fault)) { (text.stop_here()) }
            }
        }
    };
    Page::new(title, content).section(Section::Failed).respond(ctx)
}

/// The ways to do something to the whole group that a list shows.
pub(crate) fn links(ctx: &Ctx, fault: Fingerprint) -> Markup {
    let may: Vec<_> = STEERS.into_iter().filter(|steer| check(ctx, *steer).is_ok()).collect();
    let text = ctx.text;
    html! {
        @if !may.is_empty() {
            p .whole {
                @for steer in may {
                    @let query = crate::pairs::Pairs::default().with("fault", &fault.to_string()).with("do", word(steer));
                    a .button href=(ctx.urls.with("/failed/all", &query)) {
                        (if steer == Steer::Delete { text.delete_all() } else { text.run_all() }) "…"
                    }
                    " "
                }
            }
        }
    }
}

/// The list of the group, to come back to.
fn back(fault: Fingerprint) -> String {
    let filter = format!("state:failed {}", term("fault", &fault.to_string()));
    let query = crate::pairs::Pairs::default().with("q", &filter);
    format!("/jobs{}", query.to_query())
}
