//! How much a user takes along with `portfire`: the crates of a build with its default features.

use std::collections::BTreeSet;
use std::process::Command;

/// Most crates, `portfire` and its own included: what a hello world on SQLite builds.
const CRATES_MAX: usize = 90;

/// Counts the crates; an error if there are more than the limit.
pub(crate) fn check() -> Result<(), String> {
    let tree = ["tree", "-p", "portfire", "-e", "normal,build", "--prefix", "none", "--format", "{p}"];
    let output = Command::new("cargo").args(tree).current_dir(crate::root()).output();
    let output = output.map_err(|error| format!("weight: cargo tree did not run: {error}"))?;
    if !output.status.success() {
        return Err(format!("weight: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let crates = count(&String::from_utf8_lossy(&output.stdout));
    println!("==> weight: portfire builds {crates} crates; {CRATES_MAX} are the limit");
    if (1..=CRATES_MAX).contains(&crates) { Ok(()) } else { Err("weight".into()) }
}

/// Each crate stands in the tree as often as it is used.
fn count(tree: &str) -> usize {
    let crates = tree.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty());
    crates.collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn a_crate_counts_once_and_two_versions_count_twice() {
        assert_eq!(count("a v1.0.0\nb v1.0.0\na v1.0.0 (*)\nb v2.0.0\n\n"), 3);
    }
}
