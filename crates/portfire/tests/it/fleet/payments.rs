//! Handlers that end their job in their own transaction, killed at each step, or stopped past their lease: what
//! they wrote is there exactly if the job has succeeded, and once.

use std::time::Duration;

use portfire::State;
use portfire::prelude::*;

use super::database::Database;
use super::ledger::Ledger;
use super::servers::ServerProcess;
use super::{PATIENCE, held_by, pay, until_ended};

const LEASE: Duration = Duration::from_secs(1);

/// The steps at which the server is killed, and how many attempts the job takes for it.
const STEPS: [(&str, u16); 4] = [("begun", 2), ("written", 2), ("completed", 2), ("committed", 1)];

/// One job for each step, held there and killed with its server; another server takes over.
pub(super) async fn paid_once(database: Database) {
    let jobs = Jobs::connect(database.url()).await.unwrap();
    database.execute("CREATE TABLE payment (number integer)").await;
    for ((step, attempts), number) in STEPS.into_iter().zip(1..) {
        let ledger = Ledger::open();
        let first = ServerProcess::start(database.url(), &ledger, LEASE);
        let job = pay(number, step.to_owned()).enqueue(&jobs).await.unwrap();
        let held = format!("hold pay {number} {step}");
        assert!(ledger.until(PATIENCE, |account| account.done.contains(&held)), "{step}");
        first.signal("KILL");
        let other = ServerProcess::start(database.url(), &ledger, LEASE);
        ledger.release(other.id());
        until_ended(&jobs, number).await;
        other.stop();
        let details = jobs.get(job.id()).await.unwrap().unwrap();
        assert_eq!((details.summary.state, details.summary.attempts), (State::Succeeded, attempts), "{step}");
        assert_eq!(jobs.result(&job).await.unwrap(), Some(number), "{step}");
        assert_eq!(
            database.numbers("SELECT number FROM payment ORDER BY number").await,
            1..=number,
            "{step}"
        );
    }
}

/// SIGSTOP before the transaction begins, past the lease; another server pays; SIGCONT: nothing is paid twice.
pub(super) async fn paid_too_late(database: Database) {
    let (ledger, jobs) = (Ledger::open(), Jobs::connect(database.url()).await.unwrap());
    database.execute("CREATE TABLE payment (number integer)").await;
    let mut late = ServerProcess::start(database.url(), &ledger, LEASE);
    pay(1, "begun".to_owned()).enqueue(&jobs).await.unwrap();
    assert!(ledger.until(PATIENCE, |account| held_by(account, late.id()) == 1));
    late.signal("STOP");
    let other = ServerProcess::start(database.url(), &ledger, LEASE);
    ledger.release(other.id());
    until_ended(&jobs, 1).await;

    late.signal("CONT");
    ledger.release(late.id());
    late.hear("pay 1 is lost");
    late.stop();
    other.stop();
    assert_eq!(database.numbers("SELECT number FROM payment").await, 1..=1);
}
