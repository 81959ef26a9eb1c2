//! Plays the simulator from a command line: many seeds, or one with its whole trace.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its terminal")]

use std::process::ExitCode;

use portfire_core::Misfire;
use portfire_testkit::sim::{self, Profile, Recurring, Tally};

const USAGE: &str =
    "usage: cargo xtask sim [--seeds N] [--seed S] [--profile storm|clocks|breeze|calm] [--days D]

  --seeds N     play seeds 0 to N-1 (default 10000); stops at the first that fails
  --seed S      play one seed and print its whole trace
  --profile P   only this kind of trouble (default: all)
  --days D      instead, five servers and a schedule of each minute for D days, in a breeze";

/// What was asked for.
struct Asked {
    seeds: u64,
    seed: Option<u64>,
    profiles: Vec<Profile>,
    days: Option<u64>,
}

fn main() -> ExitCode {
    let asked = match parse(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let all_hold = match (asked.days, asked.seed) {
        (Some(days), seed) => play_days(seed.unwrap_or(0), days),
        (None, Some(seed)) => asked.profiles.iter().all(|profile| replay(seed, *profile)),
        (None, None) => asked.profiles.iter().all(|profile| play(asked.seeds, *profile)),
    };
    if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked { seeds: 10_000, seed: None, profiles: Profile::ALL.into(), days: None };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
        let number = || value.parse().map_err(|_| format!("`{value}` is not a number"));
        match word.as_str() {
            "--seeds" => asked.seeds = number()?,
            "--seed" => asked.seed = Some(number()?),
            "--days" => asked.days = Some(number()?),
            "--profile" => asked.profiles = vec![value.parse()?],
            _ => return Err(format!("`{word}` is not known here")),
        }
    }
    Ok(asked)
}

fn replay(seed: u64, profile: Profile) -> bool {
    let report = sim::replay(seed, profile);
    report.trace.iter().for_each(|line| println!("{line}"));
    println!("{report}");
    report.broken.is_none()
}

fn play(seeds: u64, profile: Profile) -> bool {
    let mut tally = Tally::default();
    for seed in 0..seeds {
        let report = sim::run(seed, profile);
        tally += report.tally;
        if report.broken.is_some() {
            eprintln!("{report}");
            return false;
        }
    }
    println!("{seeds} seeds ({profile}): all held");
    tally.counts().for_each(|(what, count)| println!("  {count:>12} {what}"));
    true
}

/// A schedule of each minute: every slot has to fire once.
fn play_days(seed: u64, days: u64) -> bool {
    let report = sim::recur(seed, Profile::Breeze, Recurring::minutely(Misfire::All(1_000), days * 24 * 60));
    println!("{report}");
    report.tally.counts().for_each(|(what, count)| println!("  {count:>12} {what}"));
    let once =
        report.slots.iter().zip(1_u64..).all(|(tick, minute)| {
            tick.fate == "fired" && tick.at.since(sim::begin()).as_secs() == minute * 60
        });
    let enough = report.slots.len() as u64 >= days * 24 * 60;
    println!("{} slots in {days} days, each once: {}", report.slots.len(), once && enough);
    report.broken.is_none() && once && enough
}
