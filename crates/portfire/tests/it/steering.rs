//! Steering through the client: queues, servers, moves, and who did what.

use std::sync::Arc;

use portfire::prelude::*;
use portfire::{
    Acted, AuditRequest, DeedOutcome, Directed, Person, RunningServer, ServerId, ServerOrder, Target, Via,
};
use tokio::sync::Notify;

use crate::bed::{Bed, PATIENCE, on_every_backend, stop};

#[job]
async fn send() {}

#[job]
async fn waits_to_be_let_go(#[from] begun: &Begun, #[from] go: &Go) {
    begun.0.notify_one();
    go.0.notified().await;
}

#[derive(Clone, Default)]
struct Begun(Arc<Notify>);

#[derive(Clone, Default)]
struct Go(Arc<Notify>);

fn ann() -> Person {
    Person::new("ann", Via::Api).unwrap().because("a deployment")
}

/// Runs a job of another queue to its end: a server that is awake has looked at all its queues by then.
async fn look_round(bed: &Bed) {
    let job = send().queue("other").enqueue(&bed.jobs).await.unwrap();
    bed.until(&job, State::Succeeded).await;
}

async fn ended(mut server: RunningServer) {
    tokio::time::timeout(PATIENCE, server.ended()).await.expect("the server ends in time").unwrap();
}

#[test]
fn a_paused_queue_waits_until_it_is_resumed() {
    on_every_backend(|bed| async move {
        let mail = bed.jobs.queue("mail");
        assert_eq!(mail.pause().await.unwrap(), Directed::Done);
        assert_eq!(mail.pause().await.unwrap(), Directed::Unchanged);
        let queues = Queues::ordered(["mail", "other"]);
        let server = bed.server().job::<send>().queues(queues).start().await.unwrap();
        let waits = send().queue("mail").enqueue(&bed.jobs).await.unwrap();
        look_round(&bed).await;
        assert_eq!(bed.jobs.get(&waits).await.unwrap().unwrap().summary.state, State::Enqueued);
        assert!(mail.paused().await.unwrap().is_some_and(|paused| paused.by.is_none()));
        assert_eq!(mail.resume().await.unwrap(), Directed::Done);
        bed.until(&waits, State::Succeeded).await;
        assert_eq!(mail.paused().await.unwrap(), None);
        stop(server).await;
    });
}

#[test]
fn a_job_that_waits_is_moved_to_a_queue_that_is_served() {
    on_every_backend(|bed| async move {
        let job = send().queue("attic").enqueue(&bed.jobs).await.unwrap();
        let server = bed.server().job::<send>().queues(Queues::ordered(["other"])).start().await.unwrap();
        look_round(&bed).await;
        assert_eq!(bed.jobs.prioritize(&job, -9).await.unwrap(), Acted::Done(State::Enqueued));
        assert_eq!(bed.jobs.move_to(&job, "other").await.unwrap(), Acted::Done(State::Enqueued));
        let details = bed.until(&job, State::Succeeded).await;
        assert_eq!((&*details.summary.queue, details.summary.priority), ("other", -9));
        assert_eq!(bed.jobs.move_to(&job, "attic").await.unwrap(), Acted::Refused(State::Succeeded));
        assert!(bed.jobs.move_to(&job, "").await.unwrap_err().is_misuse());
        stop(server).await;
    });
}

#[test]
fn a_quiet_server_finishes_what_it_has_and_runs_again_when_it_is_told() {
    on_every_backend(|bed| async move {
        let (begun, go) = (Begun::default(), Go::default());
        // With one slot, nothing can have been claimed before the order is heard.
        let server = bed.server().lease(1.second()).slots(1).job::<send>().job::<waits_to_be_let_go>();
        let server = server.provide(begun.clone()).provide(go.clone()).start().await.unwrap();
        let runs = waits_to_be_let_go().enqueue(&bed.jobs).await.unwrap();
        begun.0.notified().await;
        let handle = bed.jobs.server(server.id());
        assert_eq!(handle.quiet().await.unwrap(), Directed::Done);
        assert_eq!(handle.get().await.unwrap().unwrap().order, ServerOrder::Quiet);
        until_it_has_heard(&bed, server.id()).await;
        let waits = send().enqueue(&bed.jobs).await.unwrap();
        go.0.notify_one();
        bed.until(&runs, State::Succeeded).await;
        assert_eq!(bed.jobs.get(&waits).await.unwrap().unwrap().summary.state, State::Enqueued);
        assert_eq!(handle.resume().await.unwrap(), Directed::Done);
        bed.until(&waits, State::Succeeded).await;
        stop(server).await;
    });
}

/// Waits until the server has beaten twice: once the second beat is there, it has heard the answer of the first.
async fn until_it_has_heard(bed: &Bed, server: ServerId) {
    let lease = || async { bed.jobs.server(server).get().await.unwrap().unwrap().lease_until };
    let search = async {
        for _ in 0..2 {
            let before = lease().await;
            while lease().await == before {
                tokio::time::sleep(2.milliseconds()).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, search).await.expect("the server beats");
}

#[test]
fn a_server_that_is_told_to_stop_ends_for_whoever_awaits_it() {
    on_every_backend(|bed| async move {
        let (begun, go) = (Begun::default(), Go::default());
        let server = bed.server().lease(1.second()).job::<waits_to_be_let_go>();
        let server = server.provide(begun.clone()).provide(go.clone()).start().await.unwrap();
        let runs = waits_to_be_let_go().enqueue(&bed.jobs).await.unwrap();
        begun.0.notified().await;
        let (id, jobs) = (server.id(), bed.jobs.acting_as(ann()));
        assert_eq!(jobs.server(id).stop().await.unwrap(), Directed::Done);
        assert_eq!(jobs.server(id).resume().await.unwrap(), Directed::Refused);
        go.0.notify_one();
        ended(server).await;
        bed.until(&runs, State::Succeeded).await;
        assert!(bed.jobs.servers().await.unwrap().is_empty(), "it has left");
        assert_eq!(jobs.server(id).stop().await.unwrap(), Directed::Missing);
        let told = bed.jobs.audit(Target::Server(id), AuditRequest::default()).await.unwrap();
        let told: Vec<_> = told.iter().map(|entry| (&*entry.action, entry.outcome)).collect();
        assert_eq!(told, [("run", DeedOutcome::Refused), ("stop", DeedOutcome::Done)]);
    });
}

#[test]
fn a_server_says_where_and_as_what_it_runs() {
    on_every_backend(|bed| async move {
        let server = bed.server().job::<send>().host("web-1").build_id("shop 1.2.3").start().await.unwrap();
        let info = bed.jobs.servers().await.unwrap().remove(0).info;
        assert_eq!((&*info.host, &*info.build), ("web-1", "shop 1.2.3"));
        stop(server).await;
        let unknown = ServerId::from_bytes([9; 16]);
        assert_eq!(bed.jobs.server(unknown).get().await.unwrap(), None);
    });
}

#[test]
fn what_a_person_does_is_kept_and_what_the_program_does_is_not() {
    on_every_backend(|bed| async move {
        let jobs = bed.jobs.acting_as(ann());
        let job = send().enqueue(&jobs).await.unwrap();
        bed.jobs.recurring("nightly", "0 2 * * *").upsert(send()).await.unwrap();
        assert!(bed.jobs.audit(None, AuditRequest::default()).await.unwrap().is_empty());
        jobs.move_to(&job, "bulk").await.unwrap();
        let run = jobs.schedule("nightly").trigger().await.unwrap();
        jobs.schedule("nightly").pause().await.unwrap();
        jobs.queue("bulk").pause().await.unwrap();
        bed.jobs.cancel(&job).await.unwrap();
        let entries = bed.jobs.audit(None, AuditRequest::default()).await.unwrap();
        let told: Vec<_> = entries.iter().map(|entry| (entry.target.clone(), &*entry.action)).collect();
        let nightly = Target::Schedule("nightly".into());
        let expected = [
            (Target::Queue("bulk".into()), "pause"),
            (nightly.clone(), "pause"),
            (nightly, "trigger"),
            (Target::Job(job.id()), "move"),
        ];
        assert_eq!(told, expected);
        assert_eq!(entries[2].after.as_deref(), Some(&*run.to_string()));
        assert!(entries.iter().all(|entry| entry.by == ann()));
    });
}

#[test]
fn queues_are_those_with_jobs_with_servers_or_with_a_pause() {
    on_every_backend(|bed| async move {
        send().queue("jobs").enqueue(&bed.jobs).await.unwrap();
        bed.jobs.acting_as(ann()).queue("paused").pause().await.unwrap();
        let server = bed.server().job::<send>().queues(Queues::ordered(["served"])).start().await.unwrap();
        let queues = bed.jobs.queues().await.unwrap();
        assert_eq!(queues.iter().map(|queue| &*queue.name).collect::<Vec<_>>(), ["jobs", "paused", "served"]);
        assert_eq!((queues[0].counts[0].state, queues[0].counts[0].jobs), (State::Enqueued, 1));
        let paused = queues[1].paused.clone().unwrap();
        assert_eq!((paused.by.as_deref(), paused.reason.as_deref()), (Some("ann"), Some("a deployment")));
        assert!(queues[2].counts.is_empty() && queues[2].paused.is_none());
        stop(server).await;
    });
}
