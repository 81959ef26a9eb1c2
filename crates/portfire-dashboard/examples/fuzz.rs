//! Requests made by seeds, many of them: `cargo xtask fuzz [--seeds N] [--seed S]`.
//!
//! Each seed is a dashboard of its own and some hundred requests; what is wrong is told with its seed. Where the
//! system tells how much memory a process has (Linux), it is judged too: it may not grow as seeds go by.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]
#![allow(
    dead_code,
    clippy::pedantic,
    reason = "the dashboard that is asked is that of the tests, which use more of it"
)]

use std::process::ExitCode;

#[path = "../tests/it/fixture.rs"]
mod fixture;
#[allow(unreachable_pub)]
#[path = "../tests/it/fuzz.rs"]
mod fuzz;
#[allow(unreachable_pub)]
#[path = "../tests/it/markup.rs"]
mod markup;
#[allow(unreachable_pub)]
#[path = "../tests/it/site.rs"]
mod site;

const USAGE: &str = "usage: cargo xtask fuzz [--seeds N] [--seed S]

  --seeds N   play seeds 0 to N-1 (default 2000)
  --seed S    play this one";

/// Seeds after which a process has what it needs.
const WARM: u64 = 100;
/// How much more it may come to need, in kB.
const GROWTH_KB_MAX: u64 = 20 << 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    let (from, until) = match (words.first().map(String::as_str), number(1)) {
        (None, _) => (0, 2_000),
        (Some("--seeds"), Some(seeds)) => (0, seeds),
        (Some("--seed"), Some(seed)) => (seed, seed + 1),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let (mut understood, mut warm) = (0, None);
    for seed in from..until {
        understood += fuzz::play(seed, fuzz::REQUESTS).await;
        if seed - from == WARM {
            warm = peak();
        }
    }
    let requests = (until - from) * fuzz::REQUESTS;
    println!("{requests} requests of {} seeds, {understood} of them understood", until - from);
    let grown = warm.zip(peak()).map(|(warm, peak)| peak - warm);
    if let Some(grown) = grown {
        println!("memory grew by {grown} kB");
    }
    if grown.is_some_and(|grown| grown > GROWTH_KB_MAX) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The most memory that this process ever had, in kB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().trim_end_matches(" kB").parse().ok()
}
