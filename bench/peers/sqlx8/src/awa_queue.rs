//! awa in the storage that a new database has, with the settings of its own benchmark
//! (`tests/benchmark_test.rs`): a hundred workers, no deadlines, which is its short path, polled every 50 ms and
//! woken by NOTIFY.

use std::time::Duration;

use awa::{Client, InsertOpts, InsertParams, JobArgs, JobResult, JobState, QueueConfig};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use track::arrivals::ARRIVED;
use track::payload::Mail;
use track::{Fallible, Peer, Server};

const QUEUE: &str = "mail";
const CONNECTIONS: u32 = 32;

#[derive(Serialize, Deserialize, JobArgs)]
struct Send {
    mail: Mail,
}

fn options() -> InsertOpts {
    InsertOpts { queue: QUEUE.into(), ..Default::default() }
}

/// On a database.
#[derive(Clone)]
pub(crate) struct Awa {
    pool: PgPool,
}

impl Peer for Awa {
    const NAME: &'static str = "awa";
    const PACKAGE: &'static str = "awa";
    const DATABASE: &'static str = "postgres";
    const PROMISES: &'static str = "history kept, claims with receipts, heartbeats rescue running jobs; 20,000 \
        jobs at most; commits survive what the server's settings say";
    const BULK: bool = true;
    const JOBS_MAX: u32 = 20_000;

    async fn open(url: &str) -> Fallible<Self> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?;
        // Its future is none that may change threads.
        block_in_place(|| Handle::current().block_on(awa::migrations::run(&pool)))?;
        Ok(Self { pool })
    }

    async fn store(&self, mail: Mail) -> Fallible<()> {
        awa::insert_with(&self.pool, &Send { mail }, options()).await?;
        Ok(())
    }

    async fn store_all(&self, mails: Vec<Mail>) -> Fallible<()> {
        let params = |mail| awa::model::insert::params_with(&Send { mail }, options());
        let params = mails.into_iter().map(params).collect::<Result<Vec<InsertParams>, _>>()?;
        awa::insert_many_copy_from_pool(&self.pool, &params).await?;
        Ok(())
    }

    async fn serve(&self, _: bool) -> Fallible<Server> {
        let config = QueueConfig {
            max_workers: 100,
            poll_interval: Duration::from_millis(50),
            deadline_duration: Duration::ZERO,
            ..QueueConfig::default()
        };
        let client = Client::builder(self.pool.clone())
            .queue(QUEUE, config)
            .register::<Send, _, _>(|send: Send, _| async move {
                ARRIVED.one_of(send.mail.number);
                Ok(JobResult::Completed)
            })
            .build()?;
        client.start().await?;
        Ok(Box::new(client))
    }

    async fn left(&self) -> Fallible<u64> {
        let counts = awa::admin::state_counts(&self.pool).await?;
        let ended = [JobState::Completed, JobState::Failed, JobState::Cancelled];
        let open = counts.iter().filter(|(state, _)| !ended.contains(state));
        Ok(open.map(|(_, count)| count.unsigned_abs()).sum())
    }
}
