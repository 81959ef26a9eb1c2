//! The servers of the measuring stick: durable, on the disk that is measured, and only those that are asked for.

use std::path::{Path, PathBuf};

use super::instance::{Instance, Life};
use super::{Engine, start};
use crate::variable;

/// Where the measuring stick writes unless told otherwise; relative to the root.
const OUT: &str = "target/bench";
/// Its options that have no value.
const FLAGS: [&str; 4] = ["--quick", "--peers", "--packed", "--readme"];
/// What stands on its command line for a database that is none of our servers.
const OTHERS: [&str; 2] = ["sqlite", "redis"];

/// The servers of one run. They end with it.
pub(crate) struct Measured(Vec<(Engine, Instance)>);

impl Measured {
    /// Starts what these arguments of the measuring stick ask for and the environment does not name already.
    pub(crate) fn start(root: &Path, arguments: &[String]) -> Result<Self, String> {
        let place = root.join(out(arguments));
        let asked = Engine::ALL.into_iter().filter(|engine| asks_for(arguments, *engine));
        let missing: Vec<_> = asked.filter(|engine| variable(engine.measured_variable()).is_none()).collect();
        if !missing.is_empty() {
            std::fs::create_dir_all(&place)
                .map_err(|e| format!("{} cannot be made: {e}", place.display()))?;
        }
        let started =
            missing.into_iter().map(|engine| Ok((engine, start(engine, root, &place, Life::Command, true)?)));
        started.collect::<Result<_, String>>().map(Self)
    }

    /// What the measuring stick looks for in its environment.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(|(engine, instance)| (engine.measured_variable().into(), instance.url().into()))
    }
}

/// The folder behind `--out`.
pub(crate) fn out(arguments: &[String]) -> PathBuf {
    let behind = arguments.iter().skip_while(|argument| *argument != "--out").nth(1);
    let joined = arguments.iter().find_map(|argument| argument.strip_prefix("--out="));
    behind.map(String::as_str).or(joined).unwrap_or(OUT).into()
}

/// Whether a run with these arguments may need this server: without filters all are run, and a filter that
/// names no database is for all of them.
fn asks_for(arguments: &[String], engine: Engine) -> bool {
    let mut filters = filters(arguments).peekable();
    let names: Vec<_> = Engine::ALL.iter().map(|engine| engine.name()).chain(OTHERS).collect();
    let asks =
        |filter: &str| filter.contains(engine.name()) || !names.iter().any(|name| filter.contains(name));
    let only_explains = arguments.iter().any(|argument| argument == "--help" || argument == "--version");
    !only_explains && (filters.peek().is_none() || filters.any(asks))
}

/// The arguments that are no options and no values of options: those of [`FLAGS`] have none.
fn filters(arguments: &[String]) -> impl Iterator<Item = &str> {
    let takes_value =
        |option: &str| option.starts_with("--") && !FLAGS.contains(&option) && !option.contains('=');
    let before = std::iter::once("").chain(arguments.iter().map(String::as_str));
    let pairs = before.zip(arguments.iter().map(String::as_str));
    pairs.filter(move |(before, this)| !takes_value(before) && !this.starts_with("--")).map(|(_, this)| this)
}

#[cfg(test)]
mod tests {
    use super::{Engine, asks_for, out};

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_server_is_started_for_runs_that_may_need_it() {
        let asked = |line| asks_for(&words(line), Engine::Postgres);
        assert!(asked("") && asked("--quick") && asked("drain") && asked("postgres --runs 3"));
        assert!(asked("--runs 3") && asked("sqlite drain"));
        assert!(asked("--peers postgres") && !asked("--peers sqlite/full"));
        assert!(asked("--packed postgres") && !asked("--packed sqlite/full"));
        assert!(!asked("sqlite/full --runs 3") && !asked("--out x mariadb") && !asked("--help"));
    }

    #[test]
    fn its_data_is_on_the_disk_that_is_measured() {
        assert_eq!(out(&words("drain --out /mnt/x")).to_str(), Some("/mnt/x"));
        assert_eq!(out(&words("--out=y")).to_str(), Some("y"));
        assert_eq!(out(&words("--quick")).to_str(), Some("target/bench"));
    }
}
