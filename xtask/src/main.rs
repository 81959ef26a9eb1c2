//! The commands of this workspace: `cargo xtask check | test | bench`.
//!
//! Every step says what it runs; the first that fails ends the command with exit code 1.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its terminal")]

mod tidy;
mod weight;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask <command>

  check   format, clippy, docs, the rules of this code base, how many crates a user builds, cargo-deny where it is installed
  test    every test and every example in the documentation
  bench   Portfire beside the bare statements of the same work: [filter…] [--quick] [--runs N]";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let done = match command.as_str() {
        "check" => check(),
        "test" => test(),
        "bench" => bench(),
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
    cargo("tests", &["test", "--workspace", "--all-features"])?;
    cargo("without features", &["check", "-p", "portfire", "--no-default-features"])
}

/// Whatever follows is for the benchmark's own command line.
fn bench() -> Result<(), String> {
    let mut arguments = ["run", "--quiet", "--release", "-p", "bench", "--"].map(String::from).to_vec();
    arguments.extend(std::env::args().skip(2));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    cargo("benchmark", &arguments)
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
    println!("==> {step}: cargo {}", arguments.join(" "));
    let cargo =
        Command::new("cargo").args(arguments).env("RUSTDOCFLAGS", "-D warnings").current_dir(root()).status();
    if cargo.is_ok_and(|status| status.success()) { Ok(()) } else { Err(step.into()) }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}
