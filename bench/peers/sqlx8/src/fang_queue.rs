//! fang's asynchronous workers, as its README begins: each takes one task after the other. Without work a worker
//! sleeps, five seconds unless told otherwise; here it is told a hundredth of a second.

use std::time::Duration;

use fang::asynk::async_queue::{AsyncQueue, AsyncQueueable};
use fang::asynk::async_worker_pool::AsyncWorkerPool;
use fang::{AsyncRunnable, FangError, SleepParams, async_trait, typetag};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use track::arrivals::ARRIVED;
use track::payload::Mail;
use track::{Fallible, Peer, Server};

const WORKERS: u32 = 16;
const CONNECTIONS: u32 = 20;
const SLEEP: Duration = Duration::from_millis(10);

#[derive(Serialize, Deserialize)]
struct Send {
    mail: Mail,
}

#[typetag::serde]
#[async_trait]
impl AsyncRunnable for Send {
    async fn run(&self, _: &dyn AsyncQueueable) -> Result<(), FangError> {
        ARRIVED.one_of(self.mail.number);
        Ok(())
    }
}

/// On a database.
#[derive(Clone)]
pub(crate) struct Fang {
    queue: AsyncQueue,
    pool: PgPool,
}

impl Peer for Fang {
    const NAME: &'static str = "fang";
    const PACKAGE: &'static str = "fang";
    const DATABASE: &'static str = "postgres";
    const PROMISES: &'static str = "rows deleted when done; no recovery after a crash, and two workers may run one task, since its \
        claim locks a row and marks it in two transactions; polls every 10 ms (5 s \
        unless told otherwise); 3,000 jobs at most; commits survive what the server's settings say";
    const BULK: bool = false;
    const JOBS_MAX: u32 = 3_000;

    async fn open(url: &str) -> Fallible<Self> {
        let pool = PgPool::connect(url).await?;
        sqlx::raw_sql(include_str!(concat!(env!("OUT_DIR"), "/fang.sql"))).execute(&pool).await?;
        let mut queue = AsyncQueue::builder().uri(url).max_pool_size(CONNECTIONS).build();
        queue.connect().await?;
        Ok(Self { queue, pool })
    }

    async fn store(&self, mail: Mail) -> Fallible<()> {
        self.queue.insert_task(&Send { mail }).await?;
        Ok(())
    }

    async fn store_all(&self, _: Vec<Mail>) -> Fallible<()> {
        Err("fang stores one task at a time".into())
    }

    async fn serve(&self, _: bool) -> Fallible<Server> {
        let sleep = SleepParams {
            sleep_period: SLEEP,
            max_sleep_period: SLEEP,
            min_sleep_period: SLEEP,
            sleep_step: Duration::ZERO,
        };
        let mut pool: AsyncWorkerPool<AsyncQueue> = AsyncWorkerPool::builder()
            .number_of_workers(WORKERS)
            .queue(self.queue.clone())
            .sleep_params(sleep)
            .build();
        pool.start().await;
        Ok(Box::new(pool))
    }

    async fn left(&self) -> Fallible<u64> {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM fang_tasks").fetch_one(&self.pool).await?;
        Ok(left.unsigned_abs())
    }
}
