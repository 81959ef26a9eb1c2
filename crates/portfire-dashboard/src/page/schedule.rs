//! One schedule: its next times, its history, what each run is made from.

use axum::response::Response;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use portfire_core::storage::SlotView;
use portfire_core::{Cron, Misfire, Overlap, ScheduleView, SlotFate, Timestamp, Zone};

use super::frame::{Page, Section};
use super::{job, part, recurring};
use crate::ctx::Ctx;
use crate::refusal::{Refusal, Result};
use crate::time;

/// How many times ahead are shown.
const AHEAD: usize = 20;
/// How many slots of the history are shown.
const SLOTS: u32 = 50;

pub(crate) async fn show(ctx: Ctx) -> Result<Response> {
    let id = ctx.query.get("id").ok_or(Refusal::NoSchedule)?.to_owned();
    let glance = ctx.glance().await?;
    let now = ctx.now(&glance);
    let view = ctx.read().schedule(&id).await?;
    let slots = ctx.read().slots(&id, None, SLOTS).await?;
    let text = ctx.text;
    let content = html! {
        header .head {
            div {
                h1 { (view.schedule.id) }
                p .under {
                    (recurring::in_words(&ctx, &view))
                    " · "
                    code { (view.schedule.cron) }
                    " · "
                    (view.schedule.zone)
                }
            }
            div .steer { (recurring::steering(&ctx, &view)) }
        }
        div .job {
            div {
                section .panel { h2 { (text.history()) } (history(&ctx, &slots, now)) }
                section .panel { h2 { (text.runs_as()) } (template(&ctx, &view)) }
            }
            div {
                section .panel {
                    h2 { (text.next_times()) }
                    p { (recurring::standing(&ctx, &view, now)) }
                    (ahead(&ctx, &view, now))
                }
            }
        }
    };
    Ok(Page::new(id, content).section(Section::Recurring).live().respond(&ctx))
}

/// A time ahead, and how the clock changes before it.
struct Ahead {
    at: Timestamp,
    /// How many minutes the clock goes forward (or back, if negative) between the time before and this one.
    change: i32,
}

/// The next times after `now`.
fn next_times(cron: &Cron, zone: &Zone, rules: &TimeZone, now: Timestamp) -> Vec<Ahead> {
    let times = std::iter::successors(cron.next_after(now, zone), |at| cron.next_after(*at, zone));
    let mut before = time::offset(now, rules);
    let mut found = Vec::new();
    for at in times.take(AHEAD) {
        let offset = time::offset(at, rules);
        found.push(Ahead { at, change: (offset - before) / 60 });
        before = offset;
    }
    found
}

fn ahead(ctx: &Ctx, view: &ScheduleView, now: Timestamp) -> Markup {
    let text = ctx.text;
    let one = &view.schedule;
    let read = Cron::parse(&one.cron).and_then(|cron| Ok((cron, Zone::named(&one.zone)?)));
    let (Ok((cron, zone)), Some(rules)) = (read, time::zone(&one.zone)) else { return html! {} };
    html! {
        ol .times {
            @for next in next_times(&cron, &zone, &rules, now) {
                @if next.change != 0 { li .change { (text.clock_change(next.change)) } }
                li {
                    span .exact { (time::in_zone(next.at, &rules, text.day_and_time())) }
                    " " (part::when(text, now, next.at))
                }
            }
        }
        p .none { (text.in_zone(&one.zone)) }
    }
}

fn history(ctx: &Ctx, slots: &[SlotView], now: Timestamp) -> Markup {
    let text = ctx.text;
    html! {
        @if slots.is_empty() { p .none { (text.never()) } }
        @else {
            ol .strip aria-hidden="true" { @for slot in slots.iter().take(40).rev() { li .(cell(slot)) {} } }
            table .cards {
                caption .hidden { (text.history()) }
                thead {
                    tr {
                        th scope="col" { (text.slot()) }
                        th scope="col" { (text.fate()) }
                        th scope="col" { (text.job()) }
                        th scope="col" { (text.late()) }
                    }
                }
                tbody { @for slot in slots {
                    tr {
                        td .main data-label=(text.slot()) {
                            (part::exactly(slot.at)) " " (part::when(text, now, slot.at))
                        }
                        td data-label=(text.fate()) { (text.fate_word(slot.fate)) }
                        td data-label=(text.job()) { (run(ctx, slot)) }
                        td data-label=(text.late()) { (part::length(text, slot.fired_at.since(slot.at))) }
                    }
                } }
            }
        }
    }
}

fn run(ctx: &Ctx, slot: &SlotView) -> Markup {
    html! {
        @match (slot.job, slot.state) {
            (Some(job), Some(state)) => { (part::state(ctx.text, state)) " " (part::job_link(ctx, job)) }
            (Some(_), None) => { span .none { (ctx.text.pruned()) } }
            (None, _) => { span .none { (ctx.text.dash()) } }
        }
    }
}

/// The color of a cell in the strip.
fn cell(slot: &SlotView) -> &'static str {
    match (slot.fate, slot.state) {
        (SlotFate::Missed, _) => "missed",
        (SlotFate::Overlapped, _) => "overlapped",
        (_, Some(state)) => state.as_str(),
        (_, None) => "pruned",
    }
}

fn template(ctx: &Ctx, view: &ScheduleView) -> Markup {
    let text = ctx.text;
    let made = &view.schedule.job;
    let misfire = match view.schedule.misfire {
        Misfire::Skip => text.misfire_skip().to_owned(),
        Misfire::Once => text.misfire_once().to_owned(),
        Misfire::All(most) => text.misfire_all(most),
    };
    let overlap = match view.schedule.overlap {
        Overlap::Allow => text.overlap_allow(),
        Overlap::Skip => text.overlap_skip(),
        Overlap::OneWaiting => text.overlap_one_waiting(),
    };
    html! {
        pre .code { code { span .f { (made.kind) } "(" (job::arguments(text, made.args.as_str())) ")" } }
        dl .facts {
            dt { (text.queue()) } dd { (part::queue_link(ctx, &made.queue)) }
            dt { (text.attempts()) } dd { (made.policy.attempts_max) }
            dt { (text.if_missed()) } dd { (misfire) }
            dt { (text.if_running()) } dd { (overlap) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::next_times;
    use crate::time;
    use portfire_core::{Cron, Timestamp, Zone};

    #[test]
    fn the_change_of_the_clock_stands_before_the_first_time_after_it() {
        let (cron, zone) = (Cron::parse("30 12 * * *").unwrap(), Zone::named("America/New_York").unwrap());
        let rules = time::zone("America/New_York").unwrap();
        let now = Timestamp::from_micros(1_772_600_000_000_000); // 2026-03-04; the clock goes forward on the 8th.
        let times = next_times(&cron, &zone, &rules, now);
        let changes: Vec<_> = times.iter().map(|next| next.change).filter(|change| *change != 0).collect();
        assert_eq!((times.len(), changes), (20, vec![60]));
    }
}
