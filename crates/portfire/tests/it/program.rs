//! Programs that were built with the tests, to be run as processes.

use std::path::PathBuf;
use std::process::Command;

/// An example program of this crate.
pub(crate) fn example(name: &str) -> Command {
    let tests = std::env::current_exe().unwrap();
    let built: PathBuf = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(built.exists(), "{} is missing: `cargo test -p portfire` builds it", built.display());
    Command::new(built)
}
