//! The peers: other systems, each in a program of its own that `bench/peers` builds. What they share with us is the
//! ground of a heat and the crate `track`, which says how their programs are talked to.
//!
//! 1. Each program that is given in the environment says who is in it.
//! 2. For a heat it is started again, told what to do, and has the word to go once the ground has been read.
//! 3. It measures itself, as everybody does; what its database counted is read here.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;
use track::talk::{Done, GO, Said, understood};
use track::{Takes, Task};

use crate::contestant::{Contestant, Doing, Fallible, Place};
use crate::database::Database;
use crate::meter::Meter;
use crate::workload::Workload;

/// A peer on a database.
pub(crate) struct Peer<D> {
    pub(crate) takes: Takes,
    pub(crate) program: PathBuf,
    pub(crate) database: D,
}

/// Who is in these programs, with the program of each.
pub(crate) fn who(programs: &[PathBuf]) -> Fallible<Vec<(Takes, PathBuf)>> {
    let mut all = Vec::new();
    for program in programs {
        let mut started = Program::start(program, &["--who"])?;
        let takes: Vec<Takes> = started.heard()?;
        started.end()?;
        all.extend(takes.into_iter().map(|takes| (takes, program.clone())));
    }
    Ok(all)
}

impl<D: Database> Contestant for Peer<D> {
    fn name(&self) -> String {
        self.takes.name.clone()
    }

    fn database(&self) -> &dyn Database {
        &self.database
    }

    fn promises(&self) -> String {
        self.takes.promises.clone()
    }

    fn is_peer(&self) -> bool {
        true
    }

    fn takes(&self, workload: Workload) -> bool {
        self.takes.workload(workload)
    }

    fn run<'a>(&'a self, workload: Workload, place: Place<'a>, meter: &'a mut Meter) -> Doing<'a> {
        Box::pin(async move {
            let Takes { name, database, .. } = self.takes.clone();
            let task = Task { peer: name, database, url: place.ground.url(), workload };
            let mut program = Program::start(&self.program, &[])?;
            program.tell(&serde_json::to_string(&task)?)?;
            if program.heard::<Said>()? != Said::Ready {
                return Err("a peer was done before it began".into());
            }
            meter.start(place.ground).await?;
            program.tell(GO)?;
            let Said::Done(done) = program.heard()? else { return Err("a peer is ready twice".into()) };
            meter.stop(place.ground).await?;
            program.end()?;
            let Done { cost, jobs, delays } = done;
            meter.says(cost, jobs, delays);
            Ok(())
        })
    }
}

/// A peer's program. It is ended if it is given up.
struct Program {
    name: String,
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Program {
    fn start(program: &Path, arguments: &[&str]) -> Fallible<Self> {
        let name = program.display().to_string();
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{name} cannot be started: {error}"))?;
        let lines = BufReader::new(child.stdout.take().ok_or("a program has no output")?);
        Ok(Self { name, child, lines })
    }

    fn tell(&mut self, line: &str) -> Fallible<()> {
        let input = self.child.stdin.as_mut().ok_or("a program has no input")?;
        Ok(writeln!(input, "{line}")?)
    }

    /// The next thing that it says to us. Whoever waits has nothing else to do.
    fn heard<T: DeserializeOwned>(&mut self) -> Fallible<T> {
        let mut line = String::new();
        while self.lines.read_line(&mut line)? > 0 {
            if let Some(said) = understood(line.trim_end())? {
                return Ok(said);
            }
            line.clear();
        }
        Err(format!("{} ended without a word; what it said of it stands above", self.name).into())
    }

    /// Lets it end.
    fn end(mut self) -> Fallible<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", self.name).into()) }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
