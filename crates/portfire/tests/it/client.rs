//! What a client can do without any server.

use portfire::prelude::*;
use portfire::{Acted, Filter, PageRequest};

use crate::bed::{on_every_backend, stop};

#[job(queue = "mail", priority = 3, tags = ["welcome"])]
async fn send(to: String) -> Result<(), JobError> {
    drop(to);
    Ok(())
}

#[test]
fn options_come_from_the_kind_unless_the_call_says_otherwise() {
    on_every_backend(|bed| async move {
        let plain = send("ada".into()).enqueue(&bed.jobs).await.unwrap();
        let special = send("bob".into()).queue("vip").priority(-1).tag("now").attempts(2);
        let special = special.enqueue(&bed.jobs).await.unwrap();
        let plain = bed.jobs.get(&plain).await.unwrap().unwrap();
        assert_eq!((&*plain.summary.queue, plain.summary.priority), ("mail", 3));
        assert_eq!((plain.args.as_str(), plain.policy.attempts_max), (r#"{"to":"ada"}"#, 10));
        let special = bed.jobs.get(&special).await.unwrap().unwrap();
        assert_eq!((&*special.summary.queue, special.summary.priority), ("vip", -1));
        assert_eq!(
            (special.summary.tags, special.policy.attempts_max),
            (vec!["welcome".into(), "now".into()], 2)
        );
    });
}

#[test]
fn a_unique_name_leads_to_the_job_that_has_it() {
    on_every_backend(|bed| async move {
        let first = send("ada".into()).unique("ada").enqueue(&bed.jobs).await.unwrap();
        let second = send("ada".into()).unique("ada").enqueue(&bed.jobs).await.unwrap();
        assert!(first.is_new() && !second.is_new());
        assert_eq!(first.id(), second.id());
        bed.jobs.cancel(&first).await.unwrap();
        let third = send("ada".into()).unique("ada").enqueue(&bed.jobs).await.unwrap();
        assert!(third.is_new());
    });
}

#[test]
fn an_id_makes_an_enqueue_repeatable() {
    on_every_backend(|bed| async move {
        let id = bed.jobs.new_id();
        assert!(send("ada".into()).id(id).enqueue(&bed.jobs).await.unwrap().is_new());
        assert!(!send("ada".into()).id(id).enqueue(&bed.jobs).await.unwrap().is_new());
        assert_eq!(bed.jobs.list(Filter::default(), PageRequest::default()).await.unwrap().jobs.len(), 1);
    });
}

#[test]
fn bad_input_is_refused_early_and_says_what_to_do() {
    on_every_backend(|bed| async move {
        let long = send("x".repeat(2 << 20)).enqueue(&bed.jobs).await.unwrap_err();
        assert!(long.is_misuse() && long.to_string().contains("pass its id"));
        let never = send("ada".into()).attempts(0).enqueue(&bed.jobs).await.unwrap_err();
        assert!(never.is_misuse());
        let orphan = send("ada".into()).after_success_of(bed.jobs.new_id());
        assert!(orphan.enqueue(&bed.jobs).await.unwrap_err().is_misuse());
    });
}

#[test]
fn waiting_jobs_can_be_moved_run_cancelled_and_deleted() {
    on_every_backend(|bed| async move {
        let job = send("ada".into()).after(1.hour()).enqueue(&bed.jobs).await.unwrap();
        let later = jiff_in_two_hours();
        assert_eq!(bed.jobs.reschedule(&job, later).await.unwrap(), Acted::Done(State::Scheduled));
        assert_eq!(bed.jobs.get(&job).await.unwrap().unwrap().summary.run_at, later);
        assert_eq!(bed.jobs.retry(&job).await.unwrap(), Acted::Done(State::Enqueued));
        assert_eq!(bed.jobs.cancel(&job).await.unwrap(), Acted::Done(State::Cancelled));
        assert_eq!(bed.jobs.cancel(&job).await.unwrap(), Acted::Refused(State::Cancelled));
        assert_eq!(bed.jobs.delete(&job).await.unwrap(), Acted::Done(State::Cancelled));
        assert_eq!(bed.jobs.delete(&job).await.unwrap(), Acted::Missing);
    });
}

fn jiff_in_two_hours() -> portfire::Timestamp {
    portfire::Timestamp::from(std::time::SystemTime::now()).after(2.hours())
}

#[test]
fn a_url_that_is_not_understood_is_refused_without_repeating_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for url in ["oracle://scott:tiger@host/db", "jobs.db", "sqlite://", "sqlite://:memory:"] {
            let error = Jobs::connect(url).await.unwrap_err();
            assert!(error.is_misuse() && !error.to_string().contains("tiger"), "{url}: {error}");
        }
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?speed=ludicrous", dir.path().join("a.db").display());
        assert!(Jobs::connect(&url).await.unwrap_err().to_string().contains("speed=ludicrous"));
    });
}

#[test]
fn a_hundred_thousand_calls_are_one_set() {
    on_every_backend(|bed| async move {
        let calls = (0..100_000).map(|n| send(format!("user {n}")));
        let handles = bed.jobs.enqueue_many(calls).await.unwrap();
        assert_eq!(handles.len(), 100_000);
        let counts = bed.jobs.overview().await.unwrap().counts;
        assert_eq!((counts[0].jobs, counts[0].more), (portfire_core::limits::COUNT_MAX, true));
        assert_eq!(created(&bed.jobs).await, 100_000, "tallies count them all");
    });
}

/// How many jobs were stored until now.
async fn created(jobs: &Jobs) -> u64 {
    let until = jobs.storage().now().await.unwrap().after(std::time::Duration::from_secs(60));
    let days = portfire::TallyRequest::total(portfire::Width::Day, portfire::Timestamp::default(), until);
    jobs.tallies(days).await.unwrap().iter().map(|day| day.created).sum()
}

#[job(attempts = 1)]
async fn breaks(number: u32) -> Result<(), JobError> {
    Err(JobError::message(format!("row {number} is wrong")))
}

#[test]
fn failures_are_counted_grouped_and_found() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<breaks>().start().await.unwrap();
        let jobs = bed.jobs.enqueue_many((1..=3).map(breaks)).await.unwrap();
        for job in &jobs {
            bed.until(job, State::Failed).await;
        }
        stop(server).await;
        let groups = bed.jobs.fault_groups(portfire::FaultGroupRequest::default()).await.unwrap();
        let [group] = &groups[..] else { panic!("one group: {groups:?}") };
        assert_eq!((group.count, group.kept, &*group.kind), (3, 3, "breaks"));
        let filter =
            Filter { fault: Some(group.fingerprint), text: Some("row 2".into()), ..Default::default() };
        let page = bed.jobs.list(filter, PageRequest::default()).await.unwrap();
        assert_eq!((page.jobs.len(), page.jobs[0].id), (1, jobs[1].id()));
        assert_eq!(page.jobs[0].fault.as_deref(), Some("row 2 is wrong"));
        assert_eq!(created(&bed.jobs).await, 3);
        assert!(!bed.jobs.describe().await.unwrap().product.is_empty());
    });
}
