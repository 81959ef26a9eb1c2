//! One run of one contestant, in a process of its own: its memory, its threads and its CPU time are
//! nobody else's.
//!
//! 1. The race writes the heat as JSON and starts this program again with it.
//! 2. The child runs it and prints its sample as JSON.
//! 3. The race reads the sample. The database is gone with its heat.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::contestant::{Contestant, Fallible, Place};
use crate::contestants::Servers;
use crate::meter::{Meter, Sample};
use crate::workload::Workload;

/// Who does what, and where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Heat {
    contestant: String,
    database: String,
    workload: Workload,
    dir: PathBuf,
    /// Whether it is one of a peer.
    peer: bool,
}

impl Heat {
    /// A run of `contestant` with its files in `dir`.
    pub(crate) fn new(contestant: &dyn Contestant, workload: Workload, dir: &Path) -> Self {
        let (name, database) = (contestant.name(), contestant.database().name().to_owned());
        Self { contestant: name, database, workload, dir: dir.to_owned(), peer: contestant.is_peer() }
    }

    /// The race's side: runs it in a child, which hears of the servers by its environment: a password has no place in
    /// a list of processes.
    pub(crate) fn start(&self, servers: &Servers) -> Fallible<Sample> {
        let heat = serde_json::to_string(self)?;
        let program = std::env::current_exe()?;
        let mut child = Command::new(program);
        child.args(["--heat", &heat]).envs(servers.variables()).stderr(Stdio::inherit());
        if self.peer {
            child.arg("--peers");
        }
        let child = child.output()?;
        if !child.status.success() {
            return Err(format!("{} did not finish `{}`", self.contestant, self.workload.name()).into());
        }
        Ok(serde_json::from_slice(&child.stdout)?)
    }

    /// The child's side: runs it here.
    pub(crate) fn run(&self, all: &[Box<dyn Contestant>]) -> Fallible<Sample> {
        let is_it =
            |one: &&dyn Contestant| one.name() == self.contestant && one.database().name() == self.database;
        let contestant = all.iter().map(AsRef::as_ref).find(is_it).ok_or("nobody has that name")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(self.run_with(contestant))
    }

    async fn run_with(&self, contestant: &dyn Contestant) -> Fallible<Sample> {
        let mut meter = Meter::default();
        let ground = contestant.database().open(&self.dir).await?;
        let place = Place { ground: &*ground, dir: &self.dir };
        let done = async {
            contestant.run(self.workload, place, &mut meter).await?;
            ground.alone().await?;
            // Where all is counted at once, what a server does at its end would be counted, too.
            if !ground.lag().is_zero() {
                meter.finish(ground.counts().await?);
            }
            Ok(meter.into_sample())
        };
        let sample = done.await;
        ground.clear().await?;
        sample
    }
}
