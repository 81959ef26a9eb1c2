//! What every case stands on: a storage, a client, and one way to wait.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use portfire::prelude::*;
use portfire::sqlite::SqliteStorage;
use portfire::{JobDetails, ModelStorage, RunningServer, Timestamp};

/// Longest wait of any case: only a broken build gets near it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct WallClock;

impl portfire_core::Clock for WallClock {
    fn now(&self) -> Timestamp {
        std::time::SystemTime::now().into()
    }
}

/// A client on one backend.
pub(crate) struct Bed {
    pub(crate) jobs: Jobs,
}

/// Where the jobs of a bed are: it goes when this is dropped. Apart from the bed, of which a case may take
/// only what it uses.
type Place = Box<dyn Any>;

impl Bed {
    fn model() -> (Self, Place) {
        let jobs = Jobs::new(Arc::new(ModelStorage::new(Arc::new(WallClock))));
        (Self { jobs }, Box::new(()))
    }

    async fn sqlite() -> (Self, Place) {
        let dir = tempfile::tempdir().unwrap();
        let storage = SqliteStorage::open(dir.path().join("jobs.db")).await.unwrap();
        (Self { jobs: Jobs::new(Arc::new(storage)) }, Box::new(dir))
    }

    #[cfg(feature = "postgres")]
    async fn postgres() -> (Self, Place) {
        let schema = crate::schema::Schema::new();
        let jobs = Jobs::connect(&schema.url()).await.unwrap();
        (Self { jobs }, Box::new(schema))
    }

    #[cfg(feature = "mysql")]
    async fn mysql(engine: crate::mysql::Engine) -> (Self, Place) {
        let database = crate::mysql::Database::new(engine).await;
        let jobs = Jobs::connect(&database.url()).await.unwrap();
        (Self { jobs }, Box::new(database))
    }

    /// A server with short times, ready for kinds.
    pub(crate) fn server(&self) -> Server {
        Server::new(&self.jobs).poll_interval(50.milliseconds()).shutdown_timeout(5.seconds())
    }

    /// Waits until the job is in this state.
    pub(crate) async fn until(&self, job: impl Into<JobId>, state: State) -> JobDetails {
        let job = job.into();
        self.until_that(job, |details| details.summary.state == state).await
    }

    /// Waits until this is true of the job.
    pub(crate) async fn until_that(
        &self,
        job: impl Into<JobId>,
        is_so: impl Fn(&JobDetails) -> bool,
    ) -> JobDetails {
        let job = job.into();
        let search = async {
            loop {
                if let Some(details) = self.jobs.get(job).await.unwrap().filter(|details| is_so(details)) {
                    return details;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(details) => details,
            Err(_) => panic!("not so in time; the job is {:#?}", self.jobs.get(job).await),
        }
    }
}

/// Runs a case on every backend.
pub(crate) fn on_every_backend<F: Future<Output = ()>>(case: impl Fn(Bed) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        on(&case, Bed::model()).await;
        on(&case, Bed::sqlite().await).await;
        #[cfg(feature = "postgres")]
        on(&case, Bed::postgres().await).await;
        #[cfg(feature = "mysql")]
        for engine in crate::mysql::Engine::ALL {
            on(&case, Bed::mysql(engine).await).await;
        }
    });
}

async fn on<F: Future<Output = ()>>(case: impl Fn(Bed) -> F, (bed, place): (Bed, Place)) {
    case(bed).await;
    drop(place);
}

/// Stops a server within the patience of a test.
pub(crate) async fn stop(server: RunningServer) {
    tokio::time::timeout(PATIENCE, server.stop()).await.expect("the server stops in time").unwrap();
}
