//! apalis on SQLite, as its example `realtime.rs`: told of new tasks by SQLite's update hook, tasks in batches, each
//! handler a task of its own. Its `setup` turns the flushing off for the one connection that it runs on; that one is
//! closed, so that commits are flushed as its others are: `synchronous` is FULL unless told otherwise.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use apalis::prelude::*;
use apalis_sqlite::callback::HookCallbackListener;
use apalis_sqlite::{Config, SqlitePool, SqliteStorage};
use tokio::runtime::Handle;
use track::arrivals::ARRIVED;
use track::payload::Mail;
use track::{Fallible, Peer, Server};

const QUEUE: &str = "mail";
/// How many tasks are fetched at once.
const MUCH: usize = 1_000;
const LITTLE: usize = 100;
/// How often it looks by itself where there is much.
const POLL: Duration = Duration::from_millis(100);

/// On a database.
#[derive(Clone)]
pub(crate) struct Apalis {
    pool: SqlitePool,
    listener: Arc<Mutex<Option<HookCallbackListener>>>,
}

impl Apalis {
    fn storage(&self, batch: usize) -> SqliteStorage<Mail> {
        let config = Config::default().queue(QUEUE).batch_size(batch).lock_tasks(false);
        SqliteStorage::new(&self.pool).with_config(config)
    }
}

async fn send(mail: Mail) -> Result<(), BoxDynError> {
    ARRIVED.one_of(mail.number);
    Ok(())
}

impl Peer for Apalis {
    const NAME: &'static str = "apalis";
    const PACKAGE: &'static str = "apalis-sqlite";
    const DATABASE: &'static str = "sqlite/full";
    const PROMISES: &'static str = "history kept, claims without a fence, tasks of a dead worker enqueued again \
        after 2 missed heartbeats of 30 s; commits survive a power cut (its `setup` would turn that off for one \
        connection); 5,000 jobs at most, which flatters it";
    const BULK: bool = true;
    // Its `ack.sql` is planned as all tasks of the worker times all that are acknowledged: a hundred thousand would take
    // hours. 500 jobs went at 1,200 a second, 4,000 at 240.
    const JOBS_MAX: u32 = 5_000;

    async fn open(url: &str) -> Fallible<Self> {
        let file = url.split_once('?').map_or(url, |(file, _)| file);
        let url = format!("{file}?mode=rwc");
        let once = SqlitePool::connect(&url).await?;
        SqliteStorage::setup(&once).await?;
        once.close().await;
        let (pool, listener) = SqliteStorage::connect_with_callback(&url)?;
        Ok(Self { pool, listener: Arc::new(Mutex::new(Some(listener))) })
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
            let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
            let listener = listener.ok_or("a server was started before")?;
            let worker = WorkerBuilder::new("server").backend(storage.with_callback(listener));
            let worker = worker.parallelize(tokio::spawn).build(send);
            thread::spawn(move || handle.block_on(worker.run()).is_ok())
        };
        Ok(Box::new(server))
    }

    async fn left(&self) -> Fallible<u64> {
        let sql = "SELECT count(*) FROM Jobs WHERE status <> 'Done'";
        let left: i64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
        Ok(left.unsigned_abs())
    }
}
