//! River for Rust on both of its databases: as many workers, connections and short waits as its own benchmark has
//! (`riverqueue bench`). Its waits are for little work, too: at its default of 100 ms a job that comes right after
//! another would wait for as long.

use std::time::Duration;

use riverqueue::migrate::{PostgresMigrator, SqliteMigrator};
use riverqueue::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use riverqueue::{
    BoxError, Client, Job, JobArgs, QUEUE_DEFAULT, QueueConfig, WorkContext, WorkOutcome, Workers,
};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, SqlitePool};
use track::arrivals::ARRIVED;
use track::payload::Mail;
use track::{Fallible, Peer, Server};

/// As in its benchmark.
const CONNECTIONS: u32 = 50;
const WORKERS: usize = 2_000;
const COOLDOWN: Duration = Duration::from_millis(2);
const POLL: Duration = Duration::from_millis(20);
/// SQLite has one writer; as in its guide.
const CONNECTIONS_SQLITE: u32 = 5;
const BUSY: Duration = Duration::from_secs(5);
const LEFT: &str = "SELECT count(*) FROM river_job WHERE state <> 'completed'";

#[derive(Clone, Serialize, Deserialize, JobArgs)]
#[river(kind = "mail")]
struct Send {
    mail: Mail,
}

async fn send(_: WorkContext, job: Job<Send>) -> Result<WorkOutcome, BoxError> {
    ARRIVED.one_of(job.args.mail.number);
    Ok(WorkOutcome::Complete)
}

fn client(database: impl riverqueue::database::IntoDatabase) -> Fallible<Client> {
    let mut workers = Workers::new();
    workers.add_fn(send)?;
    let queue = QueueConfig::new(WORKERS).with_fetch_poll_interval(POLL);
    let client = Client::builder(database).workers(workers).queue(QUEUE_DEFAULT, queue);
    Ok(client.fetch_cooldown(COOLDOWN).build()?)
}

async fn store(client: &Client, mails: Vec<Mail>) -> Fallible<()> {
    client.insert_many(mails.into_iter().map(|mail| Send { mail })).await?;
    Ok(())
}

/// On PostgreSQL.
#[derive(Clone)]
pub(crate) struct OnPostgres {
    client: Client,
    pool: PgPool,
}

impl Peer for OnPostgres {
    const NAME: &'static str = "River (Rust)";
    const PACKAGE: &'static str = "riverqueue";
    const DATABASE: &'static str = "postgres";
    const PROMISES: &'static str = "history kept for a day; claims without a fence, jobs of a dead process rescued \
        after an hour; commits survive what the server's settings say";
    const BULK: bool = true;

    async fn open(url: &str) -> Fallible<Self> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?;
        PostgresMigrator::new(pool.clone()).migrate_up().await?;
        Ok(Self { client: client(&pool)?, pool })
    }

    async fn store(&self, mail: Mail) -> Fallible<()> {
        self.client.insert(Send { mail }).await?;
        Ok(())
    }

    async fn store_all(&self, mails: Vec<Mail>) -> Fallible<()> {
        store(&self.client, mails).await
    }

    async fn serve(&self, _: bool) -> Fallible<Server> {
        Ok(Box::new(self.client.start()?))
    }

    async fn left(&self) -> Fallible<u64> {
        let left: i64 = sqlx::query_scalar(LEFT).fetch_one(&self.pool).await?;
        Ok(left.unsigned_abs())
    }
}

/// On SQLite, which it leaves at `synchronous` FULL.
#[derive(Clone)]
pub(crate) struct OnSqlite {
    client: Client,
    pool: SqlitePool,
}

impl Peer for OnSqlite {
    const NAME: &'static str = "River (Rust)";
    const PACKAGE: &'static str = "riverqueue";
    const DATABASE: &'static str = "sqlite/full";
    const PROMISES: &'static str = "history kept for a day; claims without a fence, jobs of a dead process rescued \
        after an hour; commits survive a power cut";
    const BULK: bool = true;

    async fn open(url: &str) -> Fallible<Self> {
        let file = url.split_once('?').map_or(url, |(file, _)| file);
        let options: SqliteConnectOptions = file.parse()?;
        let options = options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal).busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_SQLITE).connect_with(options).await?;
        SqliteMigrator::new(pool.clone()).migrate_up().await?;
        Ok(Self { client: client(&pool)?, pool })
    }

    async fn store(&self, mail: Mail) -> Fallible<()> {
        self.client.insert(Send { mail }).await?;
        Ok(())
    }

    async fn store_all(&self, mails: Vec<Mail>) -> Fallible<()> {
        store(&self.client, mails).await
    }

    async fn serve(&self, _: bool) -> Fallible<Server> {
        Ok(Box::new(self.client.start()?))
    }

    async fn left(&self) -> Fallible<u64> {
        let left: i64 = sqlx::query_scalar(LEFT).fetch_one(&self.pool).await?;
        Ok(left.unsigned_abs())
    }
}
