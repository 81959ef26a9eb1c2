//! sqlxmq, as its README begins, with as many jobs at a time as suit it: more are fetched when half are done.

use std::error::Error;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use sqlxmq::{CurrentJob, JobRegistry, job};
use track::arrivals::ARRIVED;
use track::payload::Mail;
use track::{Fallible, Peer, Server};

const CONNECTIONS: u32 = 32;
const CONCURRENCY: usize = 256;

#[job(channel_name = "mail")]
async fn send(mut job: CurrentJob) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
    let mail = job.json::<Mail>()?.ok_or("a job has no arguments")?;
    ARRIVED.one_of(mail.number);
    job.complete().await?;
    Ok(())
}

/// On a database.
#[derive(Clone)]
pub(crate) struct Sqlxmq {
    pool: PgPool,
}

impl Peer for Sqlxmq {
    const NAME: &'static str = "sqlxmq";
    const PACKAGE: &'static str = "sqlxmq";
    const DATABASE: &'static str = "postgres";
    const PROMISES: &'static str = "rows deleted when done, jobs of a dead runner come again after a second; 20,000 \
        jobs at most; commits survive what the server's settings say";
    const BULK: bool = false;
    const JOBS_MAX: u32 = 20_000;

    async fn open(url: &str) -> Fallible<Self> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?;
        sqlx::raw_sql(include_str!(concat!(env!("OUT_DIR"), "/sqlxmq.sql"))).execute(&pool).await?;
        Ok(Self { pool })
    }

    async fn store(&self, mail: Mail) -> Fallible<()> {
        send.builder().set_json(&mail)?.spawn(&self.pool).await?;
        Ok(())
    }

    async fn store_all(&self, _: Vec<Mail>) -> Fallible<()> {
        Err("sqlxmq spawns one job at a time".into())
    }

    async fn serve(&self, _: bool) -> Fallible<Server> {
        let registry = JobRegistry::new(&[send]);
        let mut runner = registry.runner(&self.pool);
        Ok(Box::new(runner.set_concurrency(CONCURRENCY / 2, CONCURRENCY).run().await?))
    }

    async fn left(&self) -> Fallible<u64> {
        let sql = "SELECT count(*) FROM mq_msgs WHERE id <> uuid_nil()";
        let left: i64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
        Ok(left.unsigned_abs())
    }
}
