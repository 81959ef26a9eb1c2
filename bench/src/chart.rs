//! Charts of bars as SVG: one group for each workload and database, best first, each with a scale of its own. They read
//! well on light and on dark pages, and without colors: a bar has its name before it and its figure behind it.

use maud::{Markup, PreEscaped, html};

use crate::figures::Results;
use crate::report::number;
use crate::workload::Measure;

const WIDTH: usize = 720;
const LINE: usize = 22;
const TITLE: usize = 34;
const LABEL: usize = 210;
/// Leaves room for three figures behind the longest bar.
const BAR_MAX: f64 = 330.0;
const STYLE: &str = "text{fill:#1c1917}.t{font-weight:600}.n{fill:#57534e}.ours{fill:#c2410c}.peer{fill:#0369a1}\
    .floor{fill:#a8a29e}@media(prefers-color-scheme:dark){text{fill:#f5f5f4}.n{fill:#a8a29e}.ours{fill:#f97316}\
    .peer{fill:#38bdf8}.floor{fill:#78716c}}";

/// Bars that share a scale.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) bars: Vec<Bar>,
}

/// A contestant's figure.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) figure: f64,
    /// The figure in words.
    pub(crate) text: String,
    /// Whose it is, as the style knows it.
    pub(crate) class: &'static str,
}

/// The charts that these results have figures for: the file of each, its title and its groups.
pub(crate) fn of(results: &[Results]) -> Vec<(&'static str, &'static str, Vec<Group>)> {
    let charts = [
        ("chart.svg", "Jobs per second, more is better", groups(results, Measure::Rate, rate)),
        (
            "delays.svg",
            "Delay to the first line of the handler: p50 · p99 · p99.9, less is better",
            groups(results, Measure::Delay, delay),
        ),
        (
            "claims.svg",
            "A claim of a hundred jobs, p99, less is better",
            groups(results, Measure::Claim, claim),
        ),
    ];
    charts.into_iter().filter(|(_, _, groups)| !groups.is_empty()).collect()
}

/// Jobs per second.
pub(crate) fn rate(one: &Results) -> Bar {
    let median = one.rate().median;
    bar(one, median, number(median, 0))
}

fn delay(one: &Results) -> Bar {
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|part| millis(one.delay(part)));
    bar(one, one.delay(0.5), format!("{p50} ms · {p99} · {p999}"))
}

fn claim(one: &Results) -> Bar {
    let p99 = one.delay(0.99);
    bar(one, p99, format!("{} ms", millis(p99)))
}

/// As milliseconds, short ones more exactly.
fn millis(micros: f64) -> String {
    let millis = micros / 1_000.0;
    number(millis, if millis < 10.0 { 2 } else { 0 })
}

fn bar(one: &Results, figure: f64, text: String) -> Bar {
    let class = match (&*one.contestant, one.peer) {
        ("portfire", _) => "ours",
        (_, true) => "peer",
        _ => "floor",
    };
    Bar { label: one.contestant.clone(), figure, text, class }
}

/// What was measured so, in the order of the results.
fn groups(results: &[Results], measure: Measure, bar: fn(&Results) -> Bar) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for one in results.iter().filter(|one| one.measure() == measure) {
        let title = format!("{} on {}", one.workload.name(), one.database);
        match groups.last_mut().filter(|group| group.title == title) {
            Some(group) => group.bars.push(bar(one)),
            None => groups.push(Group { title, bars: vec![bar(one)] }),
        }
    }
    for group in &mut groups {
        sort(group, measure);
    }
    groups
}

/// Best first.
fn sort(group: &mut Group, measure: Measure) {
    group.bars.sort_by(|one, other| one.figure.total_cmp(&other.figure));
    if measure == Measure::Rate {
        group.bars.reverse();
    }
}

/// The picture.
pub(crate) fn draw(title: &str, groups: &[Group]) -> String {
    let mut top = TITLE;
    let mut drawn = Vec::new();
    for group in groups {
        drawn.push(draw_group(group, top));
        top += TITLE + group.bars.len() * LINE;
    }
    let picture = html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label=(title) font-family="system-ui, sans-serif"
            font-size="12" viewBox={ "0 0 " (WIDTH) " " (top + LINE / 2) } {
            style { (PreEscaped(STYLE)) }
            text.t x="0" y="18" font-size="15" { (title) }
            @for group in drawn { (group) }
        }
    };
    picture.into_string()
}

fn draw_group(group: &Group, top: usize) -> Markup {
    let most = group.bars.iter().map(|bar| bar.figure).fold(0.0, f64::max);
    let width = |bar: &Bar| format!("{:.1}", (bar.figure / most * BAR_MAX).max(1.0));
    let behind = |bar: &Bar| format!("{:.1}", (bar.figure / most * BAR_MAX).max(1.0) + real(LABEL) + 6.0);
    html! {
        text.t x="0" y=(top + 22) { (group.title) }
        @for (bar, y) in group.bars.iter().zip((top + TITLE..).step_by(LINE)) {
            text x=(LABEL - 8) y=(y + 12) text-anchor="end" { (bar.label) }
            rect class=(bar.class) x=(LABEL) y=(y) width=(width(bar)) height="16" rx="2" {}
            text.n x=(behind(bar)) y=(y + 12) { (bar.text) }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a coordinate has three digits")]
fn real(coordinate: usize) -> f64 {
    coordinate as f64
}

#[cfg(test)]
mod tests {
    use super::{Bar, Group, draw};

    #[test]
    fn the_best_bar_has_the_whole_width_and_none_is_invisible() {
        let bar = |label: &str, figure| Bar { label: label.into(), figure, text: "1".into(), class: "peer" };
        let group = Group { title: "drain <&> x".into(), bars: vec![bar("a", 900.0), bar("b", 0.1)] };
        let svg = draw("t", &[group]);
        assert!(svg.contains("width=\"330.0\"") && svg.contains("width=\"1.0\""), "{svg}");
        assert!(svg.contains("drain &lt;&amp;&gt; x"), "{svg}");
    }
}
