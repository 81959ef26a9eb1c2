//! underway, as its README begins: a job of one step. Its worker has as many tasks at a time as connections allow,
//! since each holds a transaction.

use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use track::arrivals::ARRIVED;
use track::payload::Mail;
use track::{Fallible, Peer, Server};
use underway::{Job, To};

const CONNECTIONS: u32 = 40;
const CONCURRENCY: usize = 16;

/// On a database.
#[derive(Clone)]
pub(crate) struct Underway {
    job: Arc<Job<Mail, ()>>,
    pool: PgPool,
}

impl Peer for Underway {
    const NAME: &'static str = "underway";
    const PACKAGE: &'static str = "underway";
    const DATABASE: &'static str = "postgres";
    const PROMISES: &'static str = "history kept, a task is worked in a transaction of its own with heartbeats; \
        3,000 jobs at most; commits survive what the server's settings say";
    const BULK: bool = false;
    const JOBS_MAX: u32 = 3_000;

    async fn open(url: &str) -> Fallible<Self> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?;
        // Its future is none that may change threads.
        block_in_place(|| Handle::current().block_on(underway::run_migrations(&pool)))?;
        let job = Job::builder()
            .step(|_, mail: Mail| async move {
                ARRIVED.one_of(mail.number);
                To::done()
            })
            .name("mail")
            .pool(pool.clone())
            .build()
            .await?;
        Ok(Self { job: Arc::new(job), pool })
    }

    async fn store(&self, mail: Mail) -> Fallible<()> {
        self.job.enqueue(&mail).await?;
        Ok(())
    }

    async fn store_all(&self, _: Vec<Mail>) -> Fallible<()> {
        Err("underway enqueues one job at a time".into())
    }

    async fn serve(&self, _: bool) -> Fallible<Server> {
        let mut worker = self.job.worker();
        worker.set_concurrency_limit(CONCURRENCY);
        Ok(Box::new(Handle::current().spawn(async move { worker.run().await.is_ok() })))
    }

    async fn left(&self) -> Fallible<u64> {
        let sql = "SELECT count(*) FROM underway.task WHERE state IN ('pending', 'in_progress')";
        let left: i64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
        Ok(left.unsigned_abs())
    }
}
