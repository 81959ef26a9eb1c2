//! Charts: SVG drawn here, complete without a script, with the same numbers as a table below.

use jiff::tz::TimeZone;
use maud::{Markup, html};
use portfire_core::storage::{Tally, Width};

use crate::ctx::Ctx;
use crate::sampler::Span;
use crate::time;

/// The height of the drawing, in its own units.
const HEIGHT: u64 = 120;
/// The width of one step.
const STEP: u64 = 10;

/// What happened: bars of what succeeded and failed, and a line of what was created.
pub(crate) fn history(ctx: &Ctx, span: Span, tallies: &[Tally]) -> Markup {
    let text = ctx.text;
    let sum = |of: fn(&Tally) -> u64| time::grouped(tallies.iter().map(of).sum());
    html! {
        section .panel .chart {
            header {
                h2 { (text.history()) }
                ul .legend {
                    li .enqueued { (text.created_jobs()) " " strong { (sum(|tally| tally.created)) } }
                    li .succeeded {
                        (text.state(portfire_core::State::Succeeded))
                        " "
                        strong { (sum(|tally| tally.succeeded)) }
                    }
                    li .failed {
                        (text.state(portfire_core::State::Failed)) " " strong { (sum(|tally| tally.failed)) }
                    }
                    li .retrying { (text.retried()) " " strong { (sum(|tally| tally.retried)) } }
                }
                nav .spans aria-label=(text.span()) {
                    @for other in Span::ALL {
                        a href=(ctx.urls.one("/", "span", other.as_str())) aria-current=[(other == span).then_some("page")] {
                            (text.span_word(other))
                        }
                    }
                }
            }
            (drawing(ctx, tallies))
            details { summary { (text.as_table()) } (table(ctx, tallies)) }
        }
    }
}

fn drawing(ctx: &Ctx, tallies: &[Tally]) -> Markup {
    let most =
        tallies.iter().map(|tally| (tally.succeeded + tally.failed).max(tally.created)).max().unwrap_or(0);
    let top = nice(most);
    let y = |count: u64| count * HEIGHT / top;
    let width = STEP * tallies.len() as u64;
    let points: Vec<_> = tallies
        .iter()
        .enumerate()
        .flat_map(|(at, tally)| {
            let (left, height) = (STEP * at as u64, HEIGHT - y(tally.created));
            [format!("{left},{height}"), format!("{},{height}", left + STEP)]
        })
        .collect();
    html! {
        div .plot {
            svg viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(ctx.text.history()) {
                line .grid x1="0" x2=(width) y1="0.5" y2="0.5" {}
                line .grid x1="0" x2=(width) y1=(HEIGHT / 2) y2=(HEIGHT / 2) {}
                @for (at, tally) in tallies.iter().enumerate() {
                    @let left = STEP * at as u64 + 1;
                    @let (good, bad) = (y(tally.succeeded), y(tally.failed).max(u64::from(tally.failed > 0) * 2));
                    g {
                        title {
                            (label(tally)) " · " (tally.created) " / " (tally.succeeded) " / " (tally.failed)
                        }
                        rect .hit x=(left - 1) y="0" width=(STEP) height=(HEIGHT) {}
                        @if good > 0 {
                            rect .succeeded x=(left) y=(HEIGHT - good) width=(STEP - 2) height=(good) {}
                        }
                        @if bad > 0 {
                            rect .failed x=(left) y=(HEIGHT.saturating_sub(good + bad)) width=(STEP - 2) height=(bad) {}
                        }
                    }
                }
                @if most > 0 { polyline .enqueued points=(points.join(" ")) {} }
            }
            span .most { (time::grouped(top)) }
            span .half { @if top.is_multiple_of(2) { (time::grouped(top / 2)) } }
        }
        p .axis aria-hidden="true" {
            @for tally in [tallies.first(), tallies.get(tallies.len() / 2), tallies.last()].into_iter().flatten() {
                time datetime=(tally.from) data-form=(form(tally.width)) { (label(tally)) }
            }
        }
    }
}

/// The next round number: 1, 2 or 5 times a power of ten.
fn nice(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let round = power.saturating_mul(factor);
            if round >= most.max(2) {
                return round;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// How the script tells the beginning of a step.
const fn form(width: Width) -> &'static str {
    match width {
        Width::Minute => "minute",
        Width::Hour => "hour",
        Width::Day => "day",
    }
}

fn label(tally: &Tally) -> String {
    let form = match tally.width {
        Width::Minute => "%H:%M",
        Width::Hour => "%m-%d %H:%M",
        Width::Day => "%Y-%m-%d",
    };
    time::in_zone(tally.from, &TimeZone::UTC, form)
}

fn table(ctx: &Ctx, tallies: &[Tally]) -> Markup {
    let text = ctx.text;
    let length = |length: Option<std::time::Duration>| {
        length.map_or_else(|| text.dash().to_owned(), |length| text.length(length))
    };
    html! {
        div .scroll tabindex="0" role="region" aria-label=(text.as_table()) { table {
            thead { tr {
                th scope="col" { "UTC" }
                th scope="col" .number { (text.created_jobs()) }
                th scope="col" .number { (text.state(portfire_core::State::Succeeded)) }
                th scope="col" .number { (text.state(portfire_core::State::Failed)) }
                th scope="col" .number { (text.retried()) }
                th scope="col" .number { (text.mean_wait()) }
                th scope="col" .number { (text.mean_run()) }
            } }
            tbody { @for tally in tallies.iter().rev().filter(|tally| !tally.is_empty()) {
                tr {
                    th scope="row" { (label(tally)) }
                    td .number { (time::grouped(tally.created)) }
                    td .number { (time::grouped(tally.succeeded)) }
                    td .number { (time::grouped(tally.failed)) }
                    td .number { (time::grouped(tally.retried)) }
                    td .number { (length(tally.mean_wait())) }
                    td .number { (length(tally.mean_run())) }
                }
            } }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::nice;

    #[test]
    fn the_top_of_a_chart_is_a_round_number() {
        assert_eq!([0, 1, 2, 3, 6, 11, 450, 98_000].map(nice), [2, 2, 2, 5, 10, 20, 500, 100_000]);
        assert_eq!(nice(u64::MAX), u64::MAX);
    }
}
