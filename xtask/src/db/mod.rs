//! `cargo xtask db`: the databases that tests run against.
//!
//! In this order: the URL in the environment; a server whose programs are on this host; the packages of
//! the distribution, unpacked into `target/db` without root; an error that says what to install. A
//! database that cannot be had is an error, never a skip.

mod engine;
pub(crate) mod find;
mod instance;
mod server;

use std::path::Path;

use crate::variable;
pub(crate) use engine::Engine;
use instance::{Instance, Life};

/// The engines whose backend is here, and is tested by `cargo xtask test`.
const TESTED: [Engine; 1] = [Engine::Postgres];

/// The databases of one run of the tests. They end with it.
pub(crate) struct Databases(Vec<(Engine, Instance)>);

impl Databases {
    /// Starts what the environment does not name already.
    pub(crate) fn start(root: &Path) -> Result<Self, String> {
        let missing = TESTED.into_iter().filter(|engine| given(*engine).is_none());
        missing
            .map(|engine| Ok((engine, start(engine, root, Life::Command, durable()?)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// What tests look for in their environment.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(engine, instance)| (engine.variable(), instance.url()))
    }
}

/// `cargo xtask db <engine> [up|down|url]`.
pub(crate) fn command(root: &Path, arguments: &[String]) -> Result<(), String> {
    let usage = "usage: cargo xtask db postgres|mariadb|mysql [up|down|url]";
    let [name, rest @ ..] = arguments else { return Err(usage.into()) };
    let engine = Engine::of(name).ok_or(usage)?;
    match rest.first().map_or("up", String::as_str) {
        "up" => up(engine, root),
        "down" => {
            instance::take_down(engine);
            Ok(())
        }
        "url" => {
            let none = || format!("no {name} is up; `cargo xtask db {name} up` starts one");
            println!("{}", given(engine).or_else(|| instance::standing(engine)).ok_or_else(none)?);
            Ok(())
        }
        _ => Err(usage.into()),
    }
}

fn up(engine: Engine, root: &Path) -> Result<(), String> {
    let url = match given(engine).or_else(|| instance::standing(engine)) {
        Some(url) => url,
        None => start(engine, root, Life::UntilDown, durable()?)?.url().to_owned(),
    };
    println!("export {}='{url}'", engine.variable());
    Ok(())
}

fn start(engine: Engine, root: &Path, life: Life, durable: bool) -> Result<Instance, String> {
    let programs = find::programs(engine, &root.join("target/db").join(engine.name()))?;
    println!("==> {}: {}", engine.name(), programs.folder.display());
    Instance::start(engine, &programs, life, durable)
}

/// The URL of a server that somebody else runs.
fn given(engine: Engine) -> Option<String> {
    variable(engine.variable())
}

/// Whether commits wait for the disk: yes, unless speed was asked for.
fn durable() -> Result<bool, String> {
    match variable("PORTFIRE_TEST_FSYNC").as_deref() {
        None | Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(other) => Err(format!("PORTFIRE_TEST_FSYNC is `on` or `off`, not `{other}`")),
    }
}
