//! Many servers, as processes, on one database, and what can happen to them: killed at any moment, also while a
//! handler ends its job in its own transaction, stopped past their lease, all of them firing the same
//! schedules, their database killed under them. A ledger that the jobs write judges; the
//! tables of the queue only say what it takes for done.

mod database;
mod ledger;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod outages;
mod payments;
mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portfire::prelude::*;
use portfire::{Acted, Filter, JobContext, JobDetails, JobSummary, Misfire, Overlap, PageRequest, State};
use portfire_core::limits::CRASHES_MAX;

use database::{Database, with_each_database};
use ledger::{Account, Entry, Ledger};
use payments::{paid_once, paid_too_late};
use servers::{Fleet, ServerProcess};

/// Longest wait for anything: only a broken build gets near it.
const PATIENCE: Duration = Duration::from_secs(180);

// The kinds as the server program knows them: here they are only enqueued.

#[job]
async fn step(_ctx: &JobContext, number: u32) -> Result<(), JobError> {
    Err(JobError::message(format!("step {number} runs in another process")))
}

#[job]
async fn hold(_ctx: &JobContext, number: u32) -> Result<u32, JobError> {
    Err(JobError::message(format!("hold {number} runs in another process")))
}

#[job]
async fn pay(_ctx: &JobContext, number: u32, held_at: String) -> Result<u32, JobError> {
    Err(JobError::message(format!("pay {number}, held at {held_at}, runs in another process")))
}

#[job]
async fn tick(_ctx: &JobContext) -> Result<(), JobError> {
    Err(JobError::message("ticks run in another process"))
}

with_each_database! {
    servers_killed_at_any_moment_lose_nothing_and_double_only_what_they_ran => killed,
    a_server_that_stood_still_past_its_lease_changes_nothing_any_more => stood_still,
    five_servers_give_each_slot_of_a_hundred_schedules_one_job => ticking,
    a_handler_killed_at_any_step_pays_exactly_if_its_job_succeeds => paid_once,
    a_handler_that_comes_too_late_pays_nothing => paid_too_late,
}

/// 4 servers with 8 slots work 20,000 jobs, while one of them is killed every 200 ms.
async fn killed(database: Database) {
    const JOBS: u32 = 20_000;
    let ledger = Ledger::open();
    let jobs = Jobs::connect(database.url()).await.unwrap();
    jobs.enqueue_many((0..JOBS).map(step)).await.unwrap();
    let mut fleet = Fleet::start(4, database.url(), &ledger, Duration::from_secs(5));
    while !ledger.until(Duration::from_millis(200), |account| account.done.len() == JOBS as usize) {
        assert!(fleet.killed.len() < 2_000, "{} jobs have run", ledger.account().done.len());
        // One that has come to work: who starts more slowly than the others are killed must get his turn.
        fleet.replace_one_of(&ledger.account().processes);
    }
    // Those that were killed between telling and settling have run, but have not ended.
    let ended = until_ended(&jobs, JOBS).await;
    assert!(fleet.killed.len() >= 5, "there was nothing to survive: {} kills", fleet.killed.len());
    judge(&ledger.account().entries, &fleet.killed);
    quarantined_by_kills(&jobs, &ended).await;
    fleet.stop();
}

/// Which processes ran each job, in order.
fn ran(entries: &[Entry]) -> BTreeMap<&str, Vec<u32>> {
    let mut ran: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for entry in entries {
        ran.entry(&*entry.what).or_default().push(entry.process);
    }
    ran
}

/// A job runs once more only because the process that ran it before was killed.
fn judge(entries: &[Entry], killed: &BTreeSet<u32>) {
    for (what, processes) in ran(entries) {
        let (_, before) = processes.split_last().unwrap();
        let unexplained: Vec<_> = before.iter().filter(|process| !killed.contains(process)).collect();
        assert!(unexplained.is_empty(), "{what} ran in {processes:?}; {unexplained:?} were not killed");
    }
}

/// Waits until so many jobs have ended, and none is in any other state.
async fn until_ended(jobs: &Jobs, count: u32) -> Vec<JobSummary> {
    let wait = async {
        loop {
            let all = all_jobs(jobs).await;
            assert_eq!(all.len(), count as usize, "no job is lost");
            if all.iter().all(|job| job.state.is_final()) {
                return all;
            }
            let _ = jobs.storage().wait(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("all jobs end")
}

async fn all_jobs(jobs: &Jobs) -> Vec<JobSummary> {
    let mut all = Vec::new();
    let mut page = PageRequest { limit: 1_000, ..PageRequest::default() };
    loop {
        let answer = jobs.list(Filter::default(), page.clone()).await.unwrap();
        all.extend(answer.jobs);
        match answer.next {
            Some(next) => page.after = Some(next),
            None => return all,
        }
    }
}

/// What did not succeed went down with three servers, and does succeed when somebody runs it again.
async fn quarantined_by_kills(jobs: &Jobs, ended: &[JobSummary]) {
    for job in ended.iter().filter(|job| job.state != State::Succeeded) {
        let details = jobs.get(job.id).await.unwrap().unwrap();
        assert_eq!((job.state, details.crashes), (State::Failed, CRASHES_MAX), "{details:#?}");
        assert!(matches!(jobs.retry(job.id).await.unwrap(), Acted::Done(_)));
    }
    let again = until_ended(jobs, u32::try_from(ended.len()).unwrap()).await;
    assert!(again.iter().all(|job| job.state == State::Succeeded));
}

/// SIGSTOP past the lease; another server finishes the jobs; SIGCONT: every late write is refused.
async fn stood_still(database: Database) {
    const JOBS: u32 = 8;
    let (ledger, lease) = (Ledger::open(), Duration::from_secs(1));
    let jobs = Jobs::connect(database.url()).await.unwrap();
    let mut late = ServerProcess::start(database.url(), &ledger, lease);
    let held = jobs.enqueue_many((0..JOBS).map(hold)).await.unwrap();
    assert!(ledger.until(PATIENCE, |account| held_by(account, late.id()) == 8));
    late.signal("STOP");
    let other = ServerProcess::start(database.url(), &ledger, lease);
    ledger.release(other.id());
    assert!(ledger.until(PATIENCE, |account| held_by(account, other.id()) == 8));
    let ended = until_ended(&jobs, JOBS).await;
    assert!(ended.iter().all(|job| job.state == State::Succeeded));
    let before = everything(&jobs, &held).await;

    late.signal("CONT");
    ledger.release(late.id());
    for _ in 0..JOBS {
        late.hear("a late outcome was refused");
    }
    late.stop();
    assert_eq!(everything(&jobs, &held).await, before);
    for job in &held {
        let details = jobs.get(job.id()).await.unwrap().unwrap();
        assert_eq!(jobs.result(job).await.unwrap(), Some(other.id()), "{details:#?}");
        assert_eq!((details.crashes, details.history.len(), details.log.len()), (1, 1, 1), "{details:#?}");
    }
    other.stop();
}

fn held_by(account: &Account, process: u32) -> usize {
    account.entries.iter().filter(|entry| entry.process == process).count()
}

async fn everything(jobs: &Jobs, held: &[JobHandle<hold>]) -> Vec<Option<JobDetails>> {
    jobs.storage().get(held.iter().map(JobHandle::id).collect()).await.unwrap()
}

/// Five servers, none of which leads, and 100 schedules of every second, for a minute.
async fn ticking(database: Database) {
    const SCHEDULES: usize = 100;
    const SECONDS: usize = 60;
    let (ledger, jobs) = (Ledger::open(), Jobs::connect(database.url()).await.unwrap());
    let fleet = Fleet::start(5, database.url(), &ledger, Duration::from_secs(10));
    let names: Vec<_> = (0..SCHEDULES).map(|number| format!("every-second-{number}")).collect();
    for name in &names {
        let every_second = jobs.recurring(&**name, "* * * * * *");
        let all = every_second.misfire(Misfire::All(1_000)).overlap(Overlap::Allow);
        all.upsert(tick()).await.unwrap();
    }
    assert!(ledger.until(PATIENCE, |account| account.entries.len() >= SCHEDULES * SECONDS));
    let_run_out(&jobs, &names).await;
    fleet.stop();
    let mut slots: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in &ledger.account().entries {
        let (schedule, at) = entry.what.trim_start_matches("tick ").split_once(' ').unwrap();
        slots.entry(schedule.to_owned()).or_default().push(at.to_owned());
    }
    assert_eq!(slots.len(), SCHEDULES);
    for (schedule, slots) in slots {
        assert_each_second_once(&schedule, &slots);
    }
}

/// Lets no more slots come, and those that came be run: servers that are stopped give back what they took ahead,
/// when others may have run what comes after it.
async fn let_run_out(jobs: &Jobs, schedules: &[String]) {
    for schedule in schedules {
        jobs.schedule(&**schedule).pause().await.unwrap();
    }
    let wait = async {
        while !jobs.overview().await.unwrap().counts.is_empty() {
            let _ = jobs.storage().wait(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("all jobs end");
}

fn assert_each_second_once(schedule: &str, slots: &[String]) {
    let mut seconds: Vec<i64> = slots.iter().map(|at| at.parse::<i64>().unwrap() / 1_000_000).collect();
    seconds.sort_unstable();
    let expected: Vec<_> = (seconds[0]..).take(seconds.len()).collect();
    assert_eq!(seconds, expected, "{schedule}");
}
