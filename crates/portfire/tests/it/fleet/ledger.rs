//! What happened, as the jobs told it before they went on: the judge, which no kill of a server or database
//! can touch, and which never looks at the tables of the queue.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) what: String,
    pub(super) job: String,
    /// The process that ran it.
    pub(super) process: u32,
}

/// Everything that was told.
#[derive(Default)]
pub(super) struct Account {
    /// In the order in which it was noted.
    pub(super) entries: Vec<Entry>,
    /// What was done, however often.
    pub(super) done: BTreeSet<String>,
    /// Who did something.
    pub(super) processes: BTreeSet<u32>,
    /// Processes whose `hold`s are let go.
    released: BTreeSet<u32>,
}

/// Keeps the account, on threads of its own.
pub(super) struct Ledger {
    pub(super) address: SocketAddr,
    shared: Arc<(Mutex<Account>, Condvar)>,
}

impl Ledger {
    pub(super) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ledger = Self { address: listener.local_addr().unwrap(), shared: Arc::default() };
        let shared = Arc::clone(&ledger.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || listen(stream.unwrap(), &shared));
            }
        });
        ledger
    }

    /// Lets the holds of this process go, those to come too.
    pub(super) fn release(&self, process: u32) {
        self.account().released.insert(process);
        self.shared.1.notify_all();
    }

    /// Everything so far.
    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        self.shared.0.lock().unwrap()
    }

    /// Waits until this is true of the account, at most so long; says whether it is.
    pub(super) fn until(&self, at_most: Duration, is_so: impl Fn(&Account) -> bool) -> bool {
        let end = Instant::now() + at_most;
        let mut account = self.account();
        while !is_so(&account) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            account = self.shared.1.wait_timeout(account, left).unwrap().0;
        }
        true
    }
}

/// Notes line after line, each before it is answered. A process that is killed ends its lines.
fn listen(mut stream: TcpStream, (account, bell): &(Mutex<Account>, Condvar)) {
    stream.set_nodelay(true).unwrap();
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        let mut parts = line.splitn(3, ' ');
        let process = parts.next().unwrap().parse().unwrap();
        let (job, what) = (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned());
        let held = what.starts_with("hold ");
        let mut account = account.lock().unwrap();
        account.done.insert(what.clone());
        account.processes.insert(process);
        account.entries.push(Entry { what, job, process });
        bell.notify_all();
        let waits = |account: &mut Account| held && !account.released.contains(&process);
        drop(bell.wait_while(account, waits).unwrap());
        if stream.write_all(b"noted\n").is_err() {
            return;
        }
    }
}
