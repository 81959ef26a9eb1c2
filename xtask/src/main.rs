//! The commands of this workspace: `cargo xtask check | test | sim | fuzz | bench | scale | db | browser | screenshots`.
//!
//! Every step says what it runs; the first that fails ends the command with exit code 1.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its terminal")]

mod browser;
mod db;
mod peers;
mod tidy;
mod unpack;
mod weight;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask <command>

  check   format, clippy, docs, the rules of this code base, how many crates a user builds, cargo-deny where it is installed
  test    every test and every example in the documentation, on every database
  sim     the simulator, optimized: [--seeds N] [--seed S] [--profile P] [--days D]; --seed shows the trace
  fuzz    requests made by seeds, thrown at the dashboard, optimized: [--seeds N] [--seed S]
  bench   Portfire beside the bare statements of the same work: [filter…] [--quick] [--runs N] [--ready N] [--peers]
          [--packed] [--pinned-minutes N]; with --readme what the README shows, as its section and its chart
  scale   every page on a database of a million jobs beside an empty one: [--jobs N] [sqlite] [postgres] [mariadb]
          [mysql]; with --assert the tests of what each question reads, with so many jobs
  db      a database to work with: db postgres|mariadb|mysql [up|down|url]; `mortal` serves one to be killed
  browser the Chromium that the tests of the dashboard run in
  screenshots   the pages of the dashboard as pictures: all into target/screenshots, the documentation's into docs/images";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let done = match arguments.first().map_or("", String::as_str) {
        "check" => check(),
        "test" => test(),
        "db" => db::command(&root(), &arguments[1..]),
        "browser" => browser::command(&root()),
        "screenshots" => screenshots(),
        "bench" => bench(&arguments[1..]),
        "scale" => scale(&arguments[1..]),
        "fuzz" => optimized("fuzz", &["-p", "portfire-dashboard", "--example", "fuzz"], Vec::new()),
        "sim" => optimized("simulator", &["-p", "portfire-testkit", "--bin", "sim"], Vec::new()),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(step) => {
            eprintln!("==> {step}: FAILED");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<(), String> {
    cargo("format", &["fmt", "--all", "--check"])?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    cargo("clippy", &clippy)?;
    cargo("documentation", &["doc", "--workspace", "--no-deps", "--all-features"])?;
    tidy()?;
    weight::check()?;
    deny()
}

fn test() -> Result<(), String> {
    let databases = db::Databases::start(&root())?;
    let browser = browser::find(&root())?;
    let tests = ["test", "--workspace", "--all-features"];
    run("tests", cargo_command(&tests).envs(databases.variables()).env(browser::VARIABLE, browser))?;
    cargo("without features", &["check", "-p", "portfire", "--no-default-features"])
}

/// The pages of the dashboard as pictures.
fn screenshots() -> Result<(), String> {
    let browser = browser::find(&root())?;
    let program = ["run", "--quiet", "-p", "portfire-dashboard", "--example", "screenshots"];
    run("screenshots", cargo_command(&program).env(browser::VARIABLE, browser))
}

/// What pages cost when there are many jobs, on every database.
fn scale(arguments: &[String]) -> Result<(), String> {
    let databases = db::Databases::start(&root())?;
    if arguments.iter().any(|word| word == "--assert") {
        return scale_asserted(arguments, &databases);
    }
    let program = ["-p", "portfire-dashboard", "--example", "scale"];
    optimized("scale", &program, databases.variables().collect())
}

/// The tests that look at full databases, with as many jobs as are asked for, and what they have seen.
fn scale_asserted(arguments: &[String], databases: &db::Databases) -> Result<(), String> {
    let tests = [
        ("sqlite", "looking_at_a_full_file"),
        ("postgres", "scale::looking_at_a_full_database"),
        ("mariadb", "scale::mariadb::"),
        ("mysql", "scale::mysql::"),
    ];
    let all = !tests.iter().any(|(name, _)| arguments.iter().any(|word| word == name));
    let wanted = tests.iter().filter(|(name, _)| all || arguments.iter().any(|word| word == name));
    let packages = ["test", "-p", "portfire-sqlite", "-p", "portfire-postgres", "-p", "portfire-mysql", "--"];
    let mut words: Vec<&str> = packages.to_vec();
    words.extend(wanted.map(|(_, test)| *test));
    words.extend(["--nocapture", "--test-threads", "1"]);
    let mut command = cargo_command(&words);
    if let Some(jobs) = arguments.iter().skip_while(|word| *word != "--jobs").nth(1) {
        command.env("PORTFIRE_SCALE_JOBS", jobs);
    }
    run("scale", command.envs(databases.variables()))
}

/// The measuring stick, with the peers if they are asked for, and a server of each database that its filters ask for.
fn bench(arguments: &[String]) -> Result<(), String> {
    let peers = peers::Peers::prepare(&root(), &root().join(db::out(arguments)), arguments)?;
    let servers = db::Measured::start(&root(), arguments)?;
    optimized("benchmark", &["-p", "bench"], servers.variables().chain(peers.variables()).collect())
}

/// An optimized program of the workspace; whatever follows on the command line is for it.
fn optimized(step: &str, program: &[&str], variables: Vec<(String, String)>) -> Result<(), String> {
    let rest: Vec<_> = std::env::args().skip(2).collect();
    let command = ["run", "--quiet", "--release"].into_iter().chain(program.iter().copied()).chain(["--"]);
    let arguments: Vec<_> = command.chain(rest.iter().map(String::as_str)).collect();
    run(step, cargo_command(&arguments).envs(variables))
}

fn tidy() -> Result<(), String> {
    println!("==> tidy");
    let broken = tidy::check(&root());
    for rule in &broken {
        eprintln!("{rule}");
    }
    if broken.is_empty() { Ok(()) } else { Err("tidy".into()) }
}

fn deny() -> Result<(), String> {
    let installed = Command::new("cargo").args(["deny", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        println!(
            "==> cargo-deny is not installed here; `cargo install cargo-deny` adds the check of licenses"
        );
        return Ok(());
    }
    cargo("cargo-deny", &["deny", "check", "licenses", "bans", "sources"])
}

fn cargo(step: &str, arguments: &[&str]) -> Result<(), String> {
    run(step, &mut cargo_command(arguments))
}

fn cargo_command(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    // What `cargo run` tells us of ourselves: the build script of `ring` looks at it, so that all that depends on it would
    // be compiled again whenever cargo is called in the other way.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_us(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.args(arguments).env("RUSTDOCFLAGS", "-D warnings").current_dir(root());
    command
}

/// Whether cargo has set this variable for the package that it runs.
fn is_of_us(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn run(step: &str, command: &mut Command) -> Result<(), String> {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    println!("==> {step}: cargo {}", words.join(" "));
    if command.status().is_ok_and(|status| status.success()) { Ok(()) } else { Err(step.into()) }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// What the environment says, unless it says nothing.
#[expect(clippy::disallowed_methods, reason = "this is the edge of a binary")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
