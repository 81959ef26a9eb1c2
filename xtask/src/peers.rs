//! The programs of the peers that Portfire is measured beside. Each is a workspace of its own with a lock file of its
//! own, so that nothing else ever builds them.

use std::path::Path;

use crate::{cargo_command, run};

/// What asks for them on the measuring stick's command line.
const ASKED: &str = "--peers";
/// Where the measuring stick looks for their programs.
const VARIABLE: &str = "PORTFIRE_BENCH_PEERS";
/// Where they are built, so that they share what they can.
const TARGET: &str = "target/peers";
/// The workspaces below `bench/peers`; each makes a program of its name.
const WORKSPACES: [&str; 2] = ["sqlx9", "effectum"];

/// Builds them if these arguments ask for them; answers what the measuring stick looks for in its environment.
pub(crate) fn build(root: &Path, arguments: &[String]) -> Result<Option<(String, String)>, String> {
    if !arguments.iter().any(|argument| argument == ASKED) {
        return Ok(None);
    }
    for workspace in WORKSPACES {
        let manifest = format!("bench/peers/{workspace}/Cargo.toml");
        let how = ["build", "--quiet", "--release", "--locked", "--target-dir", TARGET, "--manifest-path"];
        run("peers", cargo_command(&how).arg(manifest))?;
    }
    let program = |name| root.join(TARGET).join("release").join(format!("peers-{name}"));
    let programs = WORKSPACES.map(|name| program(name).display().to_string());
    Ok(Some((VARIABLE.into(), programs.join(":"))))
}

#[cfg(test)]
mod tests {
    use super::build;

    #[test]
    fn nobody_builds_peers_without_asking() {
        let words = ["drain", "--quick"].map(str::to_owned);
        assert_eq!(build(std::path::Path::new("nowhere"), &words), Ok(None));
    }
}
