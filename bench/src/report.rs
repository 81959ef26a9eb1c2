//! The report: one Markdown text for the terminal and the file, the samples as JSON, charts as SVG.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::chart;
use crate::contestant::Fallible;
use crate::figures::{Results, flushes, of_fastest_peer, of_quickest_peer, ratio};
use crate::machine::Machine;
use crate::targets::verdicts;
use crate::workload::Measure;

/// What stands for a figure that is not there.
pub(crate) const NOTHING: &str = "–";

/// Everything that was measured, and where.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) command: String,
    pub(crate) results: Vec<Results>,
}

impl Report {
    /// Writes `report.md`, `report.json` and a chart of each measure that it has; answers their names.
    pub(crate) fn write(&self, dir: &Path) -> Fallible<Vec<&'static str>> {
        fs::write(dir.join("report.md"), self.markdown())?;
        fs::write(dir.join("report.json"), serde_json::to_vec_pretty(self)?)?;
        let mut written = vec!["report.md", "report.json"];
        for (name, title, groups) in chart::of(&self.results) {
            fs::write(dir.join(name), chart::draw(title, &groups))?;
            written.push(name);
        }
        Ok(written)
    }

    /// The report as text: aligned, so that it reads well in a terminal too.
    pub(crate) fn markdown(&self) -> String {
        let sections = [
            self.header(),
            self.targets(),
            self.rates(),
            self.claims(),
            self.delays(),
            self.upkeep(),
            self.promises(),
        ];
        sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// How many rounds each contestant had.
    pub(crate) fn rounds(&self) -> usize {
        self.results.iter().map(|results| results.samples.len()).max().unwrap_or_default()
    }

    fn header(&self) -> String {
        let Machine { cpu, cores, memory, kernel, disk, flush, versions } = &self.machine;
        let rounds = self.rounds();
        format!(
            "# Benchmark\n\n\
             - Command: `{}`\n\
             - Versions: {versions}\n\
             - Machine: {cores} cores of {cpu}, {memory}, Linux {kernel}\n\
             - Disk: {disk}; fdatasync of one page back to back: {flush:.0} µs (median)\n\
             - Medians of {rounds} rounds, contestants in turn, each run in a process of its own\n",
            self.command
        )
    }

    fn targets(&self) -> String {
        let rows = verdicts(&self.results).into_iter().map(|one| {
            let verdict = if one.met { "met" } else { "missed" };
            vec![one.target, one.database, one.wanted, number(one.reached, 2), verdict.into()]
        });
        table(
            "What is to be reached",
            &["target", "database", "wanted", "reached", "verdict"],
            rows.collect(),
        )
    }

    fn rates(&self) -> String {
        let titles = [
            "workload",
            "database",
            "contestant",
            "jobs/s",
            "least–most",
            "of bare",
            "of best peer",
            "of 1 producer",
        ];
        let costs = [
            "CPU ms/1,000",
            "server CPU",
            "commits/job",
            "statements/job",
            "KiB written/job",
            "log bytes/job",
            "dead rows/job",
            "peak MiB",
        ];
        let rows = self.having(Measure::Rate).map(|results| {
            let rate = results.rate();
            let mut row = first_columns(results);
            row.extend([
                number(rate.median, 0),
                format!("{}–{}", number(rate.least, 0), number(rate.most, 0)),
                optional(ratio(&self.results, results), 2),
                optional(of_fastest_peer(&self.results, results), 2),
                optional(results.of_one_producer(&self.results), 2),
                number(results.cpu_per_thousand(), 1),
                optional(results.server_cpu_per_thousand(), 1),
                optional(results.commits_per_job(), 4),
                optional(results.statements_per_job(), 4),
                optional(results.written_per_job(), 2),
                optional(results.logged_per_job(), 0),
                optional(results.dead_per_job(), 2),
                optional(results.peak_rss(), 1),
            ]);
            row
        });
        table("Jobs per second", &[&titles[..], &costs[..]].concat(), rows.collect())
    }

    fn claims(&self) -> String {
        let titles = ["workload", "database", "contestant", "p50 µs", "p99 µs", "p99 of an empty table's"];
        let rows = self.having(Measure::Claim).map(|results| {
            let mut row = first_columns(results);
            row.extend([
                number(results.delay(0.5), 0),
                number(results.delay(0.99), 0),
                optional(results.of_empty(&self.results), 2),
            ]);
            row
        });
        table("A claim of a hundred jobs beside so many", &titles, rows.collect())
    }

    fn delays(&self) -> String {
        let titles = [
            "workload",
            "database",
            "contestant",
            "jobs/s",
            "p50 µs",
            "p99 µs",
            "p99.9 µs",
            "p50 in fdatasync",
            "p50 of best peer",
            "CPU ms/1,000",
            "server CPU",
            "commits/job",
            "statements/job",
            "peak MiB",
        ];
        let rows = self.having(Measure::Delay).map(|results| {
            let mut row = first_columns(results);
            row.extend([
                optional(results.load(), 0),
                number(results.delay(0.5), 0),
                number(results.delay(0.99), 0),
                number(results.delay(0.999), 0),
                optional(flushes(&self.results, results), 2),
                optional(of_quickest_peer(&self.results, results), 2),
                number(results.cpu_per_thousand(), 1),
                optional(results.server_cpu_per_thousand(), 1),
                optional(results.commits_per_job(), 2),
                optional(results.statements_per_job(), 2),
                optional(results.peak_rss(), 1),
            ]);
            row
        });
        table("Delay to the first line of the handler", &titles, rows.collect())
    }

    fn upkeep(&self) -> String {
        let titles = [
            "workload",
            "database",
            "contestant",
            "CPU ms/min",
            "server CPU",
            "commits/min",
            "statements/min",
            "peak MiB",
        ];
        let rows = self.having(Measure::Upkeep).map(|results| {
            let mut row = first_columns(results);
            row.extend([
                number(results.cpu_per_minute(), 0),
                optional(results.server_cpu_per_minute(), 0),
                optional(results.commits_per_minute(), 1),
                optional(results.statements_per_minute(), 1),
                optional(results.peak_rss(), 1),
            ]);
            row
        });
        table("An idle server", &titles, rows.collect())
    }

    fn promises(&self) -> String {
        let mut rows: Vec<_> = self
            .results
            .iter()
            .map(|one| vec![one.contestant.clone(), one.database.clone(), one.promises.clone()])
            .collect();
        rows.sort();
        rows.dedup();
        table("What each guarantees while it is measured", &["contestant", "database", "guarantees"], rows)
    }

    fn having(&self, measure: Measure) -> impl Iterator<Item = &Results> {
        self.results.iter().filter(move |results| results.measure() == measure)
    }
}

fn first_columns(results: &Results) -> Vec<String> {
    vec![results.workload.name(), results.database.clone(), results.contestant.clone()]
}

/// A section with a table whose columns are aligned; nothing without rows.
fn table(title: &str, titles: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let titles: Vec<_> = titles.iter().map(|title| (*title).to_owned()).collect();
    let (titles, rows) = without_empty_columns(titles, rows);
    let width = |column: usize| {
        let cells = rows.iter().chain([&titles]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..titles.len()).map(width).collect();
    let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = format!("## {title}\n\n");
    for row in [&titles, &rule].into_iter().chain(&rows) {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
    }
    text
}

/// Without the columns that say nothing of anybody.
fn without_empty_columns(titles: Vec<String>, rows: Vec<Vec<String>>) -> (Vec<String>, Vec<Vec<String>>) {
    let says = |column: usize| rows.iter().any(|row| row[column] != NOTHING);
    let says: Vec<_> = (0..titles.len()).map(says).collect();
    let keep = |row: Vec<String>| {
        row.into_iter().zip(&says).filter(|(_, says)| **says).map(|(cell, _)| cell).collect()
    };
    (keep(titles), rows.into_iter().map(keep).collect())
}

/// The figure, if there is one.
pub(crate) fn optional(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| NOTHING.into(), |figure| number(figure, digits))
}

/// With thousands set apart.
pub(crate) fn number(figure: f64, digits: usize) -> String {
    let plain = format!("{figure:.digits$}");
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut set_apart = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            set_apart.push(',');
        }
        set_apart.push(digit);
    }
    set_apart + rest
}

#[cfg(test)]
mod tests {
    use super::{number, table};

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(number(1_234_567.8, 1), "1,234,567.8");
        assert_eq!(number(999.4, 0), "999");
        assert_eq!(number(0.0123, 3), "0.012");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = table("T", &["a", "b"], vec![vec!["wide".into(), "µ".into()]]);
        assert_eq!(text, "## T\n\n| a    | b |\n| ---- | - |\n| wide | µ |\n");
        assert_eq!(table("T", &["a"], Vec::new()), "");
        let text = table("T", &["a", "b"], vec![vec!["–".into(), "1".into()], vec!["–".into(), "–".into()]]);
        assert_eq!(text, "## T\n\n| b |\n| - |\n| 1 |\n| – |\n", "a column without a figure is left out");
    }
}
