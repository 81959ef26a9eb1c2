//! A peer, as its program describes it, and the program's main function.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::payload::Mail;
use crate::talk::{Task, heard, say};
use crate::workload::{BEST_SLOTS, SLOTS, Workload};
use crate::{Fallible, course};

/// A server that works jobs. It ends with its process.
pub type Server = Box<dyn Send>;

/// Another system, driven as its documentation recommends. Its handlers do nothing but to tell
/// [`ARRIVED`](crate::arrivals::ARRIVED).
pub trait Peer: Clone + Send + Sync + 'static {
    /// Its name.
    const NAME: &'static str;
    /// Its package, whose version is read from the program's lock file.
    const PACKAGE: &'static str;
    /// What it works on, as the measuring stick calls it.
    const DATABASE: &'static str;
    /// What it guarantees while it is measured, and how it is configured.
    const PROMISES: &'static str;
    /// Whether it stores many jobs at once.
    const BULK: bool;
    /// Most jobs that it is given, where all of them would take minutes.
    const JOBS_MAX: u32 = u32::MAX;

    /// Opens the database, which is empty, and makes its tables.
    fn open(url: &str) -> impl Future<Output = Fallible<Self>> + Send;

    /// Stores one job, durably.
    fn store(&self, mail: Mail) -> impl Future<Output = Fallible<()>> + Send;

    /// Stores many jobs at once, durably. Called only if it can.
    fn store_all(&self, mails: Vec<Mail>) -> impl Future<Output = Fallible<()>> + Send;

    /// Starts a server: for much work, or for little that is to start at once.
    fn serve(&self, much: bool) -> impl Future<Output = Fallible<Server>> + Send;

    /// How many jobs are not finished, as its own tables say.
    fn left(&self) -> impl Future<Output = Fallible<u64>> + Send;
}

/// What a program says of a peer in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takes {
    /// Its name and its version.
    pub name: String,
    /// What it works on.
    pub database: String,
    /// What it guarantees.
    pub promises: String,
    /// Whether it stores many jobs at once.
    pub bulk: bool,
}

impl Takes {
    /// Whether it takes part in this.
    pub const fn workload(&self, workload: Workload) -> bool {
        match workload {
            Workload::Enqueue { .. }
            | Workload::Latency { .. }
            | Workload::Load { .. }
            | Workload::Lifecycle { .. } => true,
            Workload::Bulk { .. } => self.bulk,
            // Each has as many slots as suit it best: it is compared where ours has as many as suit ours.
            Workload::Drain { servers: 1, slots, .. } => slots == BEST_SLOTS,
            Workload::Pinned { slots, minutes: 0, .. } => slots == SLOTS,
            _ => false,
        }
    }
}

/// A run under way.
type Running = Pin<Box<dyn Future<Output = Fallible<()>> + Send>>;

/// A peer in the list of its program.
#[derive(Clone, Copy)]
pub struct Entry {
    takes: fn(&str) -> Takes,
    run: fn(Task) -> Running,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").finish_non_exhaustive()
    }
}

/// This peer, for the list.
pub fn entry<P: Peer>() -> Entry {
    Entry { takes: takes::<P>, run: |task| Box::pin(course::run::<P>(task)) }
}

fn takes<P: Peer>(lock: &str) -> Takes {
    let version = version(lock, P::PACKAGE).unwrap_or("?");
    Takes {
        name: format!("{} {version}", P::NAME),
        database: P::DATABASE.into(),
        promises: P::PROMISES.into(),
        bulk: P::BULK,
    }
}

/// The main function of a program with these peers; `lock` is its lock file.
pub fn take_part(peers: &[Entry], lock: &str) -> ExitCode {
    let asks_who = std::env::args().any(|argument| argument == "--who");
    let done = if asks_who { who(peers, lock) } else { run(peers, lock) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn who(peers: &[Entry], lock: &str) -> Fallible<()> {
    say(&peers.iter().map(|peer| (peer.takes)(lock)).collect::<Vec<_>>())
}

fn run(peers: &[Entry], lock: &str) -> Fallible<()> {
    let task: Task = serde_json::from_str(&heard()?)?;
    let is_it = |peer: &&Entry| {
        let takes = (peer.takes)(lock);
        takes.name == task.peer && takes.database == task.database
    };
    let peer = peers.iter().find(is_it).ok_or("no peer of that name is in this program")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on((peer.run)(task));
    // A server that goes on looking for work is not waited for.
    runtime.shutdown_background();
    done
}

/// The newest version of a package that a lock file names.
fn version<'l>(lock: &'l str, package: &str) -> Option<&'l str> {
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::{Takes, version};
    use crate::workload::Workload;

    #[test]
    fn a_version_is_that_of_the_lock_file() {
        let lock = "[[package]]\nname = \"apalis-core\"\nversion = \"2.0.0\"\n\n[[package]]\nname = \"apalis\"\nversion = \"1.0.0\"\n";
        assert_eq!(version(lock, "apalis"), Some("1.0.0"));
        assert_eq!(version(lock, "fang"), None);
    }

    #[test]
    fn a_peer_drains_where_everybody_has_the_slots_that_suit_him() {
        let (name, database, promises) = (String::new(), String::new(), String::new());
        let takes = Takes { name, database, promises, bulk: false };
        let drain = |servers, slots| Workload::Drain { servers, slots, jobs: 1 };
        assert!(takes.workload(drain(1, 1_024)) && !takes.workload(drain(1, 256)));
        assert!(!takes.workload(drain(4, 1_024)) && !takes.workload(Workload::Bulk { batch: 9, jobs: 9 }));
    }
}
