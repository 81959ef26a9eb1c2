//! What the compiler says to somebody who writes a job that cannot be one: each message says what is wrong,
//! where, and what to do. After changing one, `TRYBUILD=overwrite` writes the new text beside the program.
//!
//! In `fail` the words are ours. In `compiler` they are the compiler's, at the user's own code; they change
//! from version to version, so they are compared on the one they were recorded with.

use std::process::Command;

/// The compiler whose words are recorded: the oldest that builds this crate.
const RECORDED_WITH: &str = concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"), ".");

#[test]
fn mistakes_are_explained_by_the_compiler() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    if compiler().starts_with(RECORDED_WITH) {
        cases.compile_fail("tests/ui/compiler/*.rs");
    }
}

fn compiler() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("the compiler built this test");
    String::from_utf8(output.stdout).expect("a version is text")
}
