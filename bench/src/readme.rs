//! The README's section on speed: one table and one chart of everybody who was measured, those that lost included, and
//! the command that makes them. `--readme` asks for the workloads that it shows, and for these files:
//!
//! 1. `readme.md` and `readme.zh-TW.md`, each a whole section with its heading;
//! 2. `speed.svg`, which stands in `docs/images`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::chart::{self, Group};
use crate::contestant::Fallible;
use crate::figures::Results;
use crate::report::{NOTHING, Report, number, optional};

/// What a section shows of each contestant, a column each; of the drain also what it costs.
const WORKLOADS: [&str; 5] = ["enqueue/1", "enqueue/16", "bulk/1000", "drain/1024", "latency"];
/// What of it the chart shows.
const CHARTED: [&str; 2] = ["enqueue/16", "drain/1024"];
/// Where, by name and as people call it.
const DATABASES: [(&str, &str); 6] = [
    ("postgres", "PostgreSQL"),
    ("sqlite/full", "SQLite"),
    ("mariadb", "MariaDB"),
    ("mysql", "MySQL"),
    ("redis/everysec", "Redis, everysec"),
    ("redis/always", "Redis, always"),
];
/// The bare statements that stand for the floor.
const FLOOR: &str = "bare/100";
/// Whose rows are no system.
const LEFT_OUT: [&str; 2] = ["bare/1000", "fdatasync"];

/// The filters of a run that has all that the section shows.
pub(crate) fn filters() -> Vec<String> {
    let of = |workload| DATABASES.map(|(database, _)| format!("{workload} {database}"));
    WORKLOADS.into_iter().flat_map(of).collect()
}

/// Writes the section in both languages and its chart; answers their names.
pub(crate) fn write(report: &Report, dir: &Path) -> Fallible<Vec<&'static str>> {
    fs::write(dir.join("readme.md"), section(report, &ENGLISH))?;
    fs::write(dir.join("readme.zh-TW.md"), section(report, &CHINESE))?;
    fs::write(
        dir.join("speed.svg"),
        chart::draw("Jobs per second, more is better", &groups(&report.results)),
    )?;
    Ok(vec!["readme.md", "readme.zh-TW.md", "speed.svg"])
}

/// The words of a language.
struct Words {
    heading: &'static str,
    picture: &'static str,
    columns: [&'static str; 8],
    floor: &'static str,
    /// What is to be said, with the machine and the command in its places.
    text: fn(&Report) -> String,
}

const ENGLISH: Words = Words {
    heading: "## Speed",
    picture: "![Jobs per second of Portfire and its peers](docs/images/speed.svg)",
    columns: [
        "",
        "enqueue, 1 producer",
        "enqueue, 16 producers",
        "enqueue in batches",
        "drain",
        "drain: CPU ms per 1,000 jobs",
        "peak MiB",
        "idle to start, p50 / p99 ms",
    ],
    floor: "*bare statements*",
    text: english,
};

const CHINESE: Words = Words {
    heading: "## 速度",
    picture: "![Portfire 與其他系統每秒處理的工作數](docs/images/speed.svg)",
    columns: [
        "",
        "入列，1 個生產者",
        "入列，16 個生產者",
        "批次入列",
        "消化積存",
        "消化積存：每千件 CPU 毫秒",
        "記憶體峰值 MiB",
        "閒置時到開始執行，p50 / p99 毫秒",
    ],
    floor: "*裸 SQL*",
    text: chinese,
};

fn english(report: &Report) -> String {
    let machine = &report.machine;
    format!(
        "Everybody does the same work in one run on one machine ({} cores of {}, {}; a flush of the disk takes {:.0} µs), in \
         turn, and each figure is the median of {} rounds. Jobs have 100 bytes of arguments, handlers do nothing, commits \
         are durable unless a row says otherwise. *Bare statements* are the floor: the same work in Portfire's tables, written by hand, a hundred jobs at a \
         time, without a server around it. Figures are jobs per second; the best of each database is bold. Your machine has other rates: read \
         the ratios, or measure there, with `{}`. [The whole of it](bench/RESULTS.md) says what each guarantees meanwhile.",
        machine.cores,
        machine.cpu,
        machine.disk,
        machine.flush,
        report.rounds(),
        report.command
    )
}

fn chinese(report: &Report) -> String {
    let machine = &report.machine;
    format!(
        "所有系統都在同一次測量、同一台機器上輪流做同樣的事（{} 核 {}，{}；磁碟一次 flush 為 {:.0} 微秒），每個數字是 {} 輪的中位數。\
         每件工作有 100 位元組的參數，處理函式什麼也不做；除非該列另有說明，每次提交都會落盤。*裸 SQL* 是底線：在 Portfire 的資料表上用手寫的敘述做同樣的工作，\
         一次一百件，外面沒有伺服器。數字是每秒工作數，每種資料庫的最佳者為粗體。您的機器速度會不同：請看比例，或用 `{}` 自行測量。\
         [完整結果](bench/RESULTS.md)說明各系統在測量時保證什麼。",
        machine.cores,
        machine.cpu,
        machine.disk,
        machine.flush,
        report.rounds(),
        report.command
    )
}

/// The section with its heading.
fn section(report: &Report, words: &Words) -> String {
    let mut text = format!("{}\n\n{}\n\n{}\n\n", words.heading, (words.text)(report), words.picture);
    let _ = writeln!(text, "| {} |\n|{}", words.columns.join(" | "), "---|".repeat(words.columns.len()));
    for (database, called) in DATABASES {
        let rows: Vec<_> = contestants(&report.results, database)
            .into_iter()
            .map(|name| Row::of(&report.results, database, name))
            .collect();
        for row in &rows {
            let name = match row.name {
                "portfire" => "Portfire",
                FLOOR => words.floor,
                peer => peer,
            };
            let _ = writeln!(text, "| {name}, {called} | {} |", row.cells(&rows).join(" | "));
        }
    }
    text
}

/// Who was measured there, in the order of the report.
fn contestants<'r>(results: &'r [Results], database: &str) -> Vec<&'r str> {
    let mut names: Vec<&str> = Vec::new();
    for one in
        results.iter().filter(|one| one.database == database && WORKLOADS.contains(&&*one.workload.name()))
    {
        if !names.contains(&&*one.contestant) && !LEFT_OUT.contains(&&*one.contestant) {
            names.push(&one.contestant);
        }
    }
    names
}

/// The figures of a contestant on a database.
struct Row<'r> {
    name: &'r str,
    /// Enqueued by one, by sixteen, in batches; drained.
    rates: [Option<f64>; 4],
    /// Of the process and the server together, per 1,000 jobs of the drain.
    cpu: Option<f64>,
    peak: Option<f64>,
    /// The median and the 99th percentile, in milliseconds.
    delays: Option<[f64; 2]>,
}

impl<'r> Row<'r> {
    fn of(results: &[Results], database: &str, name: &'r str) -> Self {
        let of = |workload: &str| {
            let is = |one: &&Results| one.database == database && one.contestant == name;
            results.iter().filter(is).find(|one| one.workload.name() == workload)
        };
        let drain = of("drain/1024");
        let cpu = |one: &Results| one.cpu_per_thousand() + one.server_cpu_per_thousand().unwrap_or_default();
        Self {
            name,
            rates: ["enqueue/1", "enqueue/16", "bulk/1000", "drain/1024"]
                .map(|work| Some(of(work)?.rate().median)),
            cpu: drain.map(cpu),
            peak: drain.and_then(Results::peak_rss),
            delays: of("latency").map(|one| [0.5, 0.99].map(|part| one.delay(part) / 1_000.0)),
        }
    }

    /// As text; what is the best of these rows is bold.
    fn cells(&self, rows: &[Self]) -> Vec<String> {
        let systems = || rows.iter().filter(|row| row.name != FLOOR);
        let alone = systems().count() < 2;
        let bold = |text: String, is_best: bool| if is_best && !alone { format!("**{text}**") } else { text };
        let most = |column: usize| systems().filter_map(|row| row.rates[column]).fold(0.0, f64::max);
        let mut cells: Vec<_> = (0..self.rates.len())
            .map(|column| {
                bold(
                    optional(self.rates[column], 0),
                    self.name != FLOOR && self.rates[column] == Some(most(column)),
                )
            })
            .collect();
        let least =
            |figure: fn(&Self) -> Option<f64>| systems().filter_map(figure).fold(f64::INFINITY, f64::min);
        let is_least =
            |figure: fn(&Self) -> Option<f64>| self.name != FLOOR && figure(self) == Some(least(figure));
        cells.push(bold(optional(self.cpu, 1), is_least(|row| row.cpu)));
        cells.push(bold(optional(self.peak, 0), is_least(|row| row.peak)));
        let delays = self.delays.map(|[p50, p99]| format!("{} / {}", number(p50, 1), number(p99, 1)));
        cells.push(bold(
            delays.unwrap_or_else(|| NOTHING.into()),
            is_least(|row| row.delays.map(|delays| delays[0])),
        ));
        cells
    }
}

/// What the chart shows.
fn groups(results: &[Results]) -> Vec<Group> {
    let mut groups = Vec::new();
    for (database, called) in DATABASES {
        for workload in CHARTED {
            let of = |one: &&Results| one.database == database && one.workload.name() == workload;
            let mut bars: Vec<_> = results
                .iter()
                .filter(of)
                .filter(|one| !LEFT_OUT.contains(&&*one.contestant))
                .map(chart::rate)
                .collect();
            bars.sort_by(|one, other| other.figure.total_cmp(&one.figure));
            // Where there is nobody to be compared with, there is nothing to be seen.
            if bars.len() > 1 {
                groups.push(Group { title: format!("{workload} on {called}"), bars });
            }
        }
    }
    groups
}
