//! graphile_worker, with the settings of its own benchmark (`benches/perf_test.rs`) for much work: a local queue of
//! 5,000, 500 at a time, completions gathered for 5 ms. For little work as its guide begins: claims job by job, woken
//! by NOTIFY.

use std::sync::Arc;
use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions, WorkerUtils,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Handle;
use track::arrivals::ARRIVED;
use track::payload::Mail;
use track::{Fallible, Peer, Server};

const SCHEMA: &str = "graphile_worker";
/// As in its benchmark.
const CONNECTIONS: u32 = 100;
const CONCURRENCY: usize = 500;
const LOCAL_QUEUE: usize = 5_000;
const DELAY: Duration = Duration::from_millis(5);

#[derive(Clone, Serialize, Deserialize)]
struct Send(Mail);

impl TaskHandler for Send {
    const IDENTIFIER: &'static str = "mail";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        ARRIVED.one_of(self.0.number);
        Ok::<(), String>(())
    }
}

/// On a database.
#[derive(Clone)]
pub(crate) struct Graphile {
    pool: PgPool,
    utils: WorkerUtils,
}

impl Peer for Graphile {
    const NAME: &'static str = "graphile_worker";
    const PACKAGE: &'static str = "graphile_worker";
    const DATABASE: &'static str = "postgres";
    const PROMISES: &'static str = "rows deleted when done; claims without a fence, up to 5,000 held by a local \
        queue, for 4 hours after a crash (its recovery of dead workers is an option, off as by default); \
        commits survive what the server's settings say";
    const BULK: bool = true;

    async fn open(url: &str) -> Fallible<Self> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?;
        let utils = WorkerUtils::new(pool.clone(), SCHEMA);
        utils.migrate().await?;
        Ok(Self { pool, utils })
    }

    async fn store(&self, mail: Mail) -> Fallible<()> {
        self.utils.add_job(Send(mail), JobSpec::default()).await?;
        Ok(())
    }

    async fn store_all(&self, mails: Vec<Mail>) -> Fallible<()> {
        let spec = JobSpec::default();
        let jobs: Vec<_> = mails.into_iter().map(|mail| (Send(mail), &spec)).collect();
        self.utils.add_jobs(&jobs).await?;
        Ok(())
    }

    async fn serve(&self, much: bool) -> Fallible<Server> {
        let options = WorkerOptions::default().pg_pool(self.pool.clone()).schema(SCHEMA).define_job::<Send>();
        let options = if much {
            let queue = LocalQueueConfig::default().with_size(LOCAL_QUEUE);
            let gathered = options.complete_job_batch_delay(DELAY).poll_interval(DELAY);
            gathered.concurrency(CONCURRENCY).local_queue(queue)
        } else {
            options
        };
        let worker = Arc::new(options.listen_os_shutdown_signals(false).init().await?);
        Ok(Box::new(Handle::current().spawn(async move { worker.run().await.is_ok() })))
    }

    async fn left(&self) -> Fallible<u64> {
        let sql = "SELECT count(*) FROM graphile_worker._private_jobs";
        let left: i64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
        Ok(left.unsigned_abs())
    }
}
