//! `cargo xtask db`: the databases that tests run against.
//!
//! In this order: the URL in the environment; a server whose programs are on this host; the packages of
//! the distribution, unpacked into `target/db` without root; an error that says what to install. A
//! database that cannot be had is an error, never a skip.

mod engine;
pub(crate) mod find;
mod instance;
mod measured;
mod mortal;
mod server;

use std::path::Path;

use crate::variable;
pub(crate) use engine::Engine;
use engine::Programs;
use instance::{Instance, Life};
pub(crate) use instance::{free_port, pause};
pub(crate) use measured::{Measured, out};
use mortal::Mortal;
pub(crate) use server::interrupted_with_us;

/// The databases of one run of the tests. They end with it.
pub(crate) struct Databases {
    started: Vec<(Engine, Instance)>,
    /// One of each that tests may kill, which is no thing to do to a server that somebody else runs.
    mortals: Vec<Mortal>,
}

impl Databases {
    /// Starts what the environment does not name already, and those that may be killed.
    pub(crate) fn start(root: &Path) -> Result<Self, String> {
        let missing = Engine::ALL.into_iter().filter(|engine| given(*engine).is_none());
        let started = missing
            .map(|engine| {
                Ok((engine, start(engine, root, &std::env::temp_dir(), Life::Command, durable()?)?))
            })
            .collect::<Result<_, String>>()?;
        let mortals = Engine::ALL.map(|engine| Mortal::start(engine, programs(engine, root)?));
        Ok(Self { started, mortals: mortals.into_iter().collect::<Result<_, _>>()? })
    }

    /// What tests look for in their environment.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let urls =
            self.started.iter().map(|(engine, instance)| (engine.variable().into(), instance.url().into()));
        urls.chain(self.mortals.iter().flat_map(Mortal::variables))
    }
}

/// `cargo xtask db <engine> [up|down|url]`.
pub(crate) fn command(root: &Path, arguments: &[String]) -> Result<(), String> {
    let usage = "usage: cargo xtask db postgres|mariadb|mysql [up|down|url|mortal]";
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
        "mortal" => mortal(engine, root),
        _ => Err(usage.into()),
    }
}

fn up(engine: Engine, root: &Path) -> Result<(), String> {
    let url = if let Some(url) = given(engine).or_else(|| instance::standing(engine)) {
        url
    } else {
        // One that died has left its folder, in which no other can be made.
        instance::take_down(engine);
        start(engine, root, &std::env::temp_dir(), Life::UntilDown, durable()?)?.url().to_owned()
    };
    println!("export {}='{url}'", engine.variable());
    Ok(())
}

/// Starts one that keeps its data in `place`.
fn start(engine: Engine, root: &Path, place: &Path, life: Life, durable: bool) -> Result<Instance, String> {
    let programs = programs(engine, root)?;
    println!("==> {}: {}", engine.name(), programs.folder.display());
    Instance::start(engine, &programs, place, life, durable)
}

fn programs(engine: Engine, root: &Path) -> Result<Programs, String> {
    find::programs(engine, &root.join("target/db").join(engine.name()))
}

/// Serves one that may be killed, until this command is interrupted.
fn mortal(engine: Engine, root: &Path) -> Result<(), String> {
    let mortal = Mortal::start(engine, programs(engine, root)?)?;
    mortal.variables().iter().for_each(|(name, value)| println!("export {name}='{value}'"));
    mortal.watch();
    Ok(())
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
