//! apalis on PostgreSQL, as its example `basic.rs`: woken by NOTIFY, tasks in batches, each handler a task of its own.
//! The batch of 100 of that example for little work, one of 1,000 for much.

use std::thread;
use std::time::Duration;

use apalis::prelude::*;
use apalis_postgres::{Config, PgPool, PostgresStorage};
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Handle;
use track::arrivals::ARRIVED;
use track::payload::Mail;
use track::{Fallible, Peer, Server};

const QUEUE: &str = "mail";
const CONNECTIONS: u32 = 32;
/// How many tasks are fetched at once.
const MUCH: usize = 1_000;
const LITTLE: usize = 100;
/// How often it looks by itself.
const POLL: Duration = Duration::from_millis(100);

/// On a database.
#[derive(Clone)]
pub(crate) struct Apalis {
    pool: PgPool,
}

impl Apalis {
    fn storage(&self, batch: usize) -> PostgresStorage<Mail> {
        let config = Config::default().queue(QUEUE).batch_size(batch).lock_tasks(false);
        PostgresStorage::new(&self.pool).with_config(config)
    }
}

async fn send(mail: Mail) -> Result<(), BoxDynError> {
    ARRIVED.one_of(mail.number);
    Ok(())
}

impl Peer for Apalis {
    const NAME: &'static str = "apalis";
    const PACKAGE: &'static str = "apalis-postgres";
    const DATABASE: &'static str = "postgres";
    const PROMISES: &'static str = "history kept, claims without a fence, tasks of a dead worker enqueued again \
        after 10 missed heartbeats of 30 s; commits survive what the server's settings say";
    const BULK: bool = true;

    async fn open(url: &str) -> Fallible<Self> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?;
        PostgresStorage::setup(&pool).await?;
        Ok(Self { pool })
    }

    async fn store(&self, mail: Mail) -> Fallible<()> {
        Ok(self.storage(LITTLE).push(mail).await?)
    }

    async fn store_all(&self, mails: Vec<Mail>) -> Fallible<()> {
        Ok(self.storage(MUCH).push_bulk(mails).await?)
    }

    async fn serve(&self, much: bool) -> Fallible<Server> {
        let storage = self.storage(if much { MUCH } else { LITTLE });
        let handle = Handle::current();
        // On a thread of its own, as its examples run a worker on that of `main`.
        let server = if much {
            let worker = WorkerBuilder::new("server").backend(storage.poll_with_interval(POLL));
            let worker = worker.parallelize(tokio::spawn).build(send);
            thread::spawn(move || handle.block_on(worker.run()).is_ok())
        } else {
            let worker = WorkerBuilder::new("server").backend(storage.with_pubsub());
            let worker = worker.parallelize(tokio::spawn).build(send);
            thread::spawn(move || handle.block_on(worker.run()).is_ok())
        };
        Ok(Box::new(server))
    }

    async fn left(&self) -> Fallible<u64> {
        let sql = "SELECT count(*) FROM apalis.jobs WHERE status <> 'Done'";
        let left: i64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
        Ok(left.unsigned_abs())
    }
}
