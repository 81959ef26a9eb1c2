//! The database itself is killed under load and comes back: nothing that was acknowledged is lost, and work
//! goes on by itself.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use portfire::State;
use portfire::prelude::*;

use super::database::Database;
use super::ledger::Ledger;
use super::servers::Fleet;
use super::{PATIENCE, ran, step, until_ended};

const PRODUCERS: u32 = 4;
const JOBS_EACH: u32 = 1_250;
const OUTAGES: u32 = 5;

/// Kills the database five times, each time when a sixth more of the jobs has run.
pub(super) async fn outages(database: Database) {
    const JOBS: u32 = PRODUCERS * JOBS_EACH;
    let ledger = Ledger::open();
    let jobs = Jobs::connect(database.url()).await.unwrap();
    let fleet = Fleet::start(2, database.url(), &ledger, Duration::from_secs(20));
    let producers = (0..PRODUCERS).map(|number| tokio::spawn(produce(jobs.clone(), number * JOBS_EACH)));
    let producers: Vec<_> = producers.collect();
    for outage in 1..=OUTAGES {
        let enough = (JOBS * outage / (OUTAGES + 1)) as usize;
        assert!(ledger.until(PATIENCE, |account| account.done.len() >= enough), "work stands still");
        kill(database.pid_file());
    }
    for producer in producers {
        producer.await.unwrap();
    }
    let ended = until_ended(&jobs, JOBS).await;
    assert!(ended.iter().all(|job| job.state == State::Succeeded));
    fleet.stop();
    let account = ledger.account();
    let ran = ran(&account.entries);
    assert_eq!(ran.len(), JOBS as usize);
    let twice: Vec<_> = ran.into_iter().filter(|(_, processes)| processes.len() > 1).collect();
    assert!(twice.is_empty(), "no server was killed, and these ran more than once: {twice:?}");
}

/// Stores jobs one by one, each again with its own id until that has been acknowledged.
async fn produce(jobs: Jobs, first: u32) {
    for number in first..first + JOBS_EACH {
        let id = jobs.new_id();
        while let Err(error) = step(number).id(id).enqueue(&jobs).await {
            assert!(error.is_transient(), "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Kills the database and waits until its next life has begun: until the file names another process.
fn kill(pid_file: &Path) {
    let killed = std::fs::read_to_string(pid_file).unwrap();
    assert!(Command::new("kill").args(["-s", "KILL", &killed]).status().unwrap().success());
    while std::fs::read_to_string(pid_file).unwrap_or_default() == killed {
        std::thread::sleep(Duration::from_millis(20));
    }
}
