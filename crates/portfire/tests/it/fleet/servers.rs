//! Servers as processes, and what can be done to them.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::ledger::Ledger;
use crate::program::example;

/// One server.
pub(super) struct ServerProcess {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl ServerProcess {
    /// Starts one, and waits until it serves.
    pub(super) fn start(database: &str, ledger: &Ledger, lease: Duration) -> Self {
        let mut server = Self::begin(database, ledger, lease);
        server.hear("ready");
        server
    }

    /// Starts one that may have to wait for its database.
    pub(super) fn begin(database: &str, ledger: &Ledger, lease: Duration) -> Self {
        let mut command = example("server_under_test");
        command.args([database, &ledger.address.to_string(), &lease.as_millis().to_string()]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.id().to_string()]).status().unwrap().success());
    }

    /// Reads what it says until this is said; everything said meanwhile.
    pub(super) fn hear(&mut self, words: &str) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "ended without `{words}`: {heard:?}");
            let is_it = line.contains(words);
            heard.push(line);
            if is_it {
                return heard;
            }
        }
    }

    /// Ends it well, and with code 0.
    pub(super) fn stop(mut self) {
        self.signal("TERM");
        self.hear("stopped");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Several servers on one database.
pub(super) struct Fleet<'f> {
    database: &'f str,
    ledger: &'f Ledger,
    lease: Duration,
    servers: Vec<ServerProcess>,
    /// The processes that were killed.
    pub(super) killed: BTreeSet<u32>,
}

impl<'f> Fleet<'f> {
    pub(super) fn start(count: u32, database: &'f str, ledger: &'f Ledger, lease: Duration) -> Self {
        let servers = (0..count).map(|_| ServerProcess::start(database, ledger, lease)).collect();
        Self { database, ledger, lease, servers, killed: BTreeSet::new() }
    }

    /// Kills one of these, if one of them lives, and starts another in its place.
    pub(super) fn replace_one_of(&mut self, victims: &BTreeSet<u32>) {
        let turn = self.killed.len().wrapping_mul(2_654_435_761) >> 7;
        let living: Vec<_> =
            self.servers.iter_mut().filter(|server| victims.contains(&server.id())).collect();
        let count = living.len();
        if let Some(victim) = living.into_iter().nth(turn.checked_rem(count).unwrap_or_default()) {
            self.killed.insert(victim.id());
            *victim = ServerProcess::begin(self.database, self.ledger, self.lease);
        }
    }

    /// Ends all of them well.
    pub(super) fn stop(self) {
        self.servers.into_iter().for_each(ServerProcess::stop);
    }
}
