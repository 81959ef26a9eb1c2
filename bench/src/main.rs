//! The measuring stick: `cargo xtask bench [filter…] [--quick] [--runs N] [--peers] [--packed] [--readme]`.
//!
//! 1. [`workload`] says what is measured, [`contestants`] who takes part.
//! 2. [`race`] runs each workload in rounds, the contestants in turn, each run in a process of its own
//!    ([`heat`]), so that noise hits all of them and nobody inherits another's memory.
//! 3. [`figures`] makes medians and ratios of the samples, [`targets`] judges them; [`report`] writes
//!    them as a table, Markdown, JSON and charts, [`readme`] as what the README shows of them.
//!
//! A figure without its run is worth little: every report names the machine, the disk's flush time, the
//! versions, the settings and the command that repeats it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its terminal")]

mod chart;
mod contestant;
mod contestants;
mod database;
mod figures;
mod heat;
mod machine;
mod meter;
mod processes;
mod race;
mod readme;
mod report;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use contestant::Fallible;
use contestants::packed::Asked;
use contestants::{Peers, Servers};
use heat::Heat;
use track::{stopwatch, workload};
use workload::Sizes;

/// How many jobs are ready beside those that are claimed, unless told otherwise.
const READY: u32 = 1_000_000;

/// Measures Portfire beside the bare statements of the same work and its peers, as ratios within one run.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", version)]
struct Options {
    /// Only what contains one of these, in "workload database contestant": `drain`, `"drain/64 sqlite/full"`,
    /// `"256 postgres portfire"`.
    filters: Vec<String>,
    /// Small workloads and one round: whether everything works, in under a minute.
    #[arg(long)]
    quick: bool,
    /// Rounds of each workload; the figures are medians over them. Default 5, with --quick 1.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// Where the reports, and meanwhile the databases, are written: choose the disk to measure.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// How many jobs are ready where a claim is measured beside a deep backlog: a number, or several with commas.
    #[arg(long, value_delimiter = ',', default_values_t = [READY])]
    ready: Vec<u32>,
    /// For how many minutes a transaction has been pinned, amid work, when the drain beside it begins (PostgreSQL).
    #[arg(long, default_value = "0")]
    pinned_minutes: u32,
    /// Where the databases are that are servers; `cargo xtask bench` starts what is not given.
    #[command(flatten)]
    servers: Servers,
    /// Where the programs of the peers are.
    #[command(flatten)]
    peers: Peers,
    /// Whether the packed form of the tables takes part.
    #[command(flatten)]
    packed: Asked,
    /// Measure what the README shows, and write its section and its chart, too.
    #[arg(long)]
    readme: bool,
    /// One run, as the race starts it in a process of its own.
    #[arg(long, hide = true)]
    heat: Option<String>,
}

impl Options {
    fn filters(&self) -> Vec<String> {
        if self.readme && self.filters.is_empty() { readme::filters() } else { self.filters.clone() }
    }

    fn sizes(&self) -> Sizes {
        Sizes { quick: self.quick, ready: self.ready.clone(), pinned_minutes: self.pinned_minutes }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.heat {
        Some(heat) => run_heat(heat, &options),
        None => run_race(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The child's side: runs, and says its sample on standard output.
fn run_heat(heat: &str, options: &Options) -> Fallible<()> {
    let all = contestants::all(&options.servers, &options.peers, Asked::BY_NAME)?;
    let sample = serde_json::from_str::<Heat>(heat)?.run(&all)?;
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

fn run_race(options: &Options) -> Fallible<()> {
    std::fs::create_dir_all(&options.out)?;
    let plan = race::Plan {
        workloads: workload::all(&options.sizes()),
        filters: options.filters(),
        runs: options.runs.unwrap_or(if options.quick { 1 } else { 5 }),
        servers: options.servers.clone(),
        data: options.out.clone(),
    };
    let all = contestants::all(&options.servers, &options.peers, options.packed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let versions = runtime.block_on(race::versions(&plan, &all))?;
    let machine = machine::Machine::look(&options.out, &versions)?;
    let results = race::run(&plan, &all)?;
    let report = report::Report { machine, command: command(options, plan.runs), results };
    let mut written = report.write(&options.out)?;
    if options.readme {
        written.extend(readme::write(&report, &options.out)?);
    }
    println!("{}", report.markdown());
    println!("Written to {}: {}", options.out.display(), written.join(", "));
    Ok(())
}

/// The command that repeats this run.
fn command(options: &Options, runs: u32) -> String {
    let filters = options.filters.iter().fold(String::new(), |all, filter| format!("{all} {filter:?}"));
    let quick = if options.quick { " --quick" } else { "" };
    let peers = if options.peers.take_part() { " --peers" } else { "" };
    let packed = if options.packed.takes_part() { " --packed" } else { "" };
    let readme = if options.readme { " --readme" } else { "" };
    let ready: Vec<_> = options.ready.iter().map(u32::to_string).collect();
    let ready =
        if options.ready == [READY] { String::new() } else { format!(" --ready {}", ready.join(",")) };
    let pinned = match options.pinned_minutes {
        0 => String::new(),
        minutes => format!(" --pinned-minutes {minutes}"),
    };
    format!("cargo xtask bench{filters}{quick}{peers}{packed}{readme}{ready}{pinned} --runs {runs}")
}
