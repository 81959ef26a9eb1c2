//! A server of durable jobs in a host.

use std::sync::Arc;

use portfire::hosting::{Host, ServiceState, Status};
use portfire::prelude::*;
use portfire::{Directed, ModelStorage};
use tokio::sync::Notify;

use super::ailing::{Ailing, Ailment};
use crate::bed::PATIENCE;

#[derive(Debug)]
struct WallClock;

impl portfire_core::Clock for WallClock {
    fn now(&self) -> portfire::Timestamp {
        std::time::SystemTime::now().into()
    }
}

fn jobs() -> Jobs {
    Jobs::new(Arc::new(ModelStorage::new(Arc::new(WallClock))))
}

#[job]
async fn greet(#[from] greeting: &String, #[from] done: &Arc<Notify>) -> Result<String, JobError> {
    done.notify_one();
    Ok(greeting.clone())
}

#[job]
async fn waits(#[from] begun: &Arc<Notify>, ctx: &JobContext) -> Result<(), JobError> {
    begun.notify_one();
    ctx.cancellation().cancelled().await;
    ctx.check_cancelled()
}

#[tokio::test]
async fn a_server_takes_values_of_its_host_and_drains_at_the_stop() {
    let (jobs, done) = (jobs(), Arc::new(Notify::new()));
    let server = Server::new(&jobs).job::<greet>().provide("its own".to_owned());
    let host = Host::new().provide("the host's".to_owned()).provide(done.clone()).server(server);
    let host = host.start().await.unwrap();
    let job = greet().enqueue(&jobs).await.unwrap();
    done.notified().await;
    let report = host.health().report().await;
    assert_eq!((&*report.services[0].name, report.status), ("server", Status::Healthy));
    assert!(host.stop().await.is_clean());
    assert_eq!(jobs.result(&job).await.unwrap().as_deref(), Some("its own"));
}

#[tokio::test]
async fn what_cannot_be_finished_is_given_back_within_the_budget_of_the_host() {
    let (jobs, begun) = (jobs(), Arc::new(Notify::new()));
    let server = Server::new(&jobs).job::<waits>().name("worker").shutdown_timeout(1.hour());
    let host = Host::new().provide(begun.clone()).server(server).shutdown_timeout(1.second());
    let host = host.start().await.unwrap();
    let job = waits().enqueue(&jobs).await.unwrap();
    begun.notified().await;
    let report = host.stop().await;
    assert!(report.is_clean() && report.service("worker").is_some(), "{report}");
    let details = jobs.get(&job).await.unwrap().unwrap();
    assert_eq!((details.summary.state, details.summary.attempts), (State::Enqueued, 0));
}

#[tokio::test]
async fn a_server_that_an_operator_stops_has_finished_and_the_host_goes_on() {
    let jobs = jobs();
    let server = Server::new(&jobs).job::<greet>().name("worker").lease(1.second());
    let host = Host::new().provide("hello".to_owned()).provide(Arc::new(Notify::new())).server(server);
    let host = host.start().await.unwrap();
    let id = jobs.servers().await.unwrap()[0].id;
    assert_eq!(jobs.server(id).stop().await.unwrap(), Directed::Done);
    let health = || async { host.health().report().await };
    until(async || health().await.services[0].state == ServiceState::Finished).await;
    let report = health().await;
    assert_eq!(report.status, Status::Healthy, "{report:?}");
    assert!(jobs.servers().await.unwrap().is_empty(), "it has left");
    let waits = greet().enqueue(&jobs).await.unwrap();
    let report = host.stop().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(jobs.get(&waits).await.unwrap().unwrap().summary.state, State::Enqueued);
}

/// Waits until it is so.
async fn until(is_so: impl AsyncFn() -> bool) {
    let search = async {
        while !is_so().await {
            tokio::time::sleep(2.milliseconds()).await;
        }
    };
    tokio::time::timeout(PATIENCE, search).await.expect("it becomes so in time");
}

#[tokio::test]
async fn a_server_that_could_never_work_fails_the_start_by_name() {
    let error = Host::new().server(Server::new(&jobs()).job::<greet>()).start().await.unwrap_err();
    assert!(error.to_string().contains("`server`") && error.to_string().contains("provide"), "{error}");
}

#[tokio::test]
async fn a_storage_that_fails_makes_the_host_not_ready_though_its_server_beats() {
    let storage = Arc::new(Ailing::new(Arc::new(WallClock)));
    let jobs = Jobs::new(storage.clone());
    let server = Server::new(&jobs).job::<waits>().provide(Arc::new(Notify::new()));
    let host = Host::new().server(server).start().await.unwrap();
    assert!(host.health().report().await.is_ready);
    storage.suffers(Some(Ailment::Fails));
    let report = host.health().report().await;
    assert_eq!((report.status, report.is_ready, report.is_live), (Status::Unhealthy, false, true));
    assert_eq!((&*report.checks[0].name, report.checks[0].status), ("storage of server", Status::Unhealthy));
    assert!(report.checks[0].problem.as_ref().unwrap().contains("nobody answers"), "{report:?}");
    assert_eq!(report.services[0].status, Status::Healthy, "its heartbeat goes on");
    storage.suffers(None);
    assert!(host.health().report().await.is_ready);
    host.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_hangs_is_reported_before_a_probe_gives_up() {
    let storage = Arc::new(Ailing::new(Arc::new(WallClock)));
    let host = Host::new().storage(&Jobs::new(storage.clone())).start().await.unwrap();
    assert!(host.health().report().await.is_ready);
    storage.suffers(Some(Ailment::Hangs));
    let report = tokio::time::timeout(1.second(), host.health().report()).await.unwrap();
    assert!(!report.is_ready && report.is_live, "{report:?}");
    assert!(report.checks[0].problem.as_ref().unwrap().contains("no answer within"), "{report:?}");
    host.stop().await;
}

/// What it could not write stays with its lease, and its owner is told.
#[tokio::test(start_paused = true)]
async fn a_server_stops_though_its_storage_is_away() {
    for ailment in [Ailment::Fails, Ailment::Hangs] {
        let (storage, begun) = (Arc::new(Ailing::new(Arc::new(WallClock))), Arc::new(Notify::new()));
        let jobs = Jobs::new(storage.clone());
        let server = Server::new(&jobs).job::<waits>().provide(begun.clone()).lease(1.hour());
        let server = server.start().await.unwrap();
        let job = waits().enqueue(&jobs).await.unwrap();
        begun.notified().await;
        storage.suffers(Some(ailment));
        let stopped = tokio::time::timeout(1.hour(), server.stop()).await.expect("it ends");
        assert!(stopped.unwrap_err().is_transient(), "{ailment:?}");
        storage.suffers(None);
        let details = jobs.get(&job).await.unwrap().unwrap();
        assert_eq!(details.summary.state, State::Processing);
        assert_eq!(jobs.overview().await.unwrap().servers.len(), 1, "its lease runs on");
    }
}
