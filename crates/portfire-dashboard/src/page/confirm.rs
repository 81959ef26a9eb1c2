//! Asking twice before something is lost.

use axum::response::Response;
use maud::html;
use portfire_core::JobId;

use super::frame::{Page, Section};
use super::part;
use crate::ctx::Ctx;
use crate::refusal::Result;

/// Most jobs shown one by one.
const SHOWN_MAX: usize = 20;

/// Whether these jobs are to be deleted.
pub(crate) async fn delete(ctx: &Ctx, ids: &[JobId]) -> Result<Response> {
    let text = ctx.text;
    let shown = ctx.read().jobs(ids.iter().take(SHOWN_MAX).copied().collect()).await?;
    let content = html! {
        section .confirm {
            h1 { (text.delete_question(&text.count_jobs(ids.len() as u64))) }
            p { (text.delete_hint()) }
            ul .plain {
                @for job in shown.iter().flatten() {
                    li {
                        (part::state(text, job.summary.state))
                        " "
                        (job.summary.kind)
                        " "
                        (part::job_link(ctx, job.summary.id))
                    }
                }
                @if ids.len() > SHOWN_MAX { li { (text.and_more((ids.len() - SHOWN_MAX) as u64)) } }
            }
            form method="post" action=(ctx.urls.at("/jobs/delete")) {
                @for (name, value) in ctx.form.iter().filter(|(name, _)| *name != "confirmed") {
                    input type="hidden" name=(name) value=(value);
                }
                button .danger name="confirmed" value="yes" { (text.delete()) }
                " "
                a .button href=(ctx.urls.back(ctx.form.get("back"))) { (text.keep()) }
            }
        }
    };
    Ok(Page::new(text.delete(), content).section(Section::Jobs).respond(ctx))
}

/// Whether this schedule is to be removed.
pub(crate) async fn remove(ctx: &Ctx, id: &str) -> Result<Response> {
    let text = ctx.text;
    let known = ctx.read().schedule(id).await?;
    let content = html! {
        section .confirm {
            h1 { (text.remove_question(id)) }
            p { (text.remove_hint()) }
            p { code { (known.schedule.cron) } " " (known.schedule.zone) }
            form method="post" action=(ctx.urls.at("/recurring/remove")) {
                input type="hidden" name="schedule" value=(id);
                input type="hidden" name="back" value="/recurring";
                button .danger name="confirmed" value="yes" { (text.remove()) }
                " "
                a .button href=(ctx.urls.back(ctx.form.get("back"))) { (text.keep()) }
            }
        }
    };
    Ok(Page::new(text.remove(), content).section(Section::Recurring).respond(ctx))
}
