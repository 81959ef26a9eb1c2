//! The programs of the peers that Portfire is measured beside. Each is a workspace of its own with a lock file of its
//! own, so that nothing else ever builds them.
//!
//! Peers are guests: those that need something which is not to be had here are left out, with a line that says why.

mod node;
mod redis;

use std::path::{Path, PathBuf};

use crate::{cargo_command, run};
use redis::Redis;

/// What asks for them on the measuring stick's command line.
const ASKED: &str = "--peers";
/// Where the measuring stick looks for their programs.
const VARIABLE: &str = "PORTFIRE_BENCH_PEERS";
/// Where they are built, so that they share what they can.
const TARGET: &str = "target/peers";
/// The workspaces below `bench/peers`; each makes a program of its name.
const WORKSPACES: [&str; 3] = ["sqlx9", "sqlx8", "effectum"];

/// The peers of one run, and the server that some of them need. It ends with it.
#[derive(Default)]
pub(crate) struct Peers {
    programs: Vec<PathBuf>,
    redis: Option<Redis>,
}

impl Peers {
    /// Builds them if these arguments ask for them; what they write goes into `place`.
    pub(crate) fn prepare(root: &Path, place: &Path, arguments: &[String]) -> Result<Self, String> {
        if !arguments.iter().any(|argument| argument == ASKED) {
            return Ok(Self::default());
        }
        let mut programs =
            WORKSPACES.map(|name| build(root, name)).into_iter().collect::<Result<Vec<_>, _>>()?;
        let of_node = or_without(node::install(root, &root.join(TARGET)), "those written for Node");
        let redis = of_node.as_ref().and_then(|_| or_without(Redis::start(root, place), "those on Redis"));
        programs.extend(of_node);
        Ok(Self { programs, redis })
    }

    /// What the measuring stick looks for in its environment.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let programs: Vec<_> = self.programs.iter().map(|program| program.display().to_string()).collect();
        let programs = (!programs.is_empty()).then(|| (VARIABLE.into(), programs.join(":")));
        programs.into_iter().chain(self.redis.iter().map(Redis::variable))
    }
}

/// The program of this workspace.
fn build(root: &Path, workspace: &str) -> Result<PathBuf, String> {
    let manifest = format!("bench/peers/{workspace}/Cargo.toml");
    let how = ["build", "--quiet", "--release", "--locked", "--target-dir", TARGET, "--manifest-path"];
    run("peers", cargo_command(&how).arg(manifest))?;
    Ok(root.join(TARGET).join("release").join(format!("peers-{workspace}")))
}

/// What there is, or one line about who is left out.
fn or_without<T>(what: Result<T, String>, who: &str) -> Option<T> {
    what.map_err(|why| println!("==> peers: without {who}: {}", why.lines().next().unwrap_or_default())).ok()
}

#[cfg(test)]
mod tests {
    use super::{Peers, or_without};
    use std::path::Path;

    #[test]
    fn nobody_builds_peers_without_asking() {
        let words = ["drain", "--quick"].map(str::to_owned);
        let peers = Peers::prepare(Path::new("nowhere"), Path::new("nowhere"), &words).unwrap();
        assert_eq!(peers.variables().count(), 0);
    }

    #[test]
    fn what_is_missing_costs_only_those_who_need_it() {
        assert_eq!(or_without::<u8>(Err("no npm".into()), "those"), None);
        assert_eq!(or_without(Ok(7), "those"), Some(7));
    }
}
