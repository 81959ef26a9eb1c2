//! pgqrs, as its README consumes: take a batch, work it, archive it. Four consumers, a hundred messages at a time.

use std::time::Duration;

use pgqrs::store::AnyStore;
use pgqrs::{Config, Consumer, Producer};
use sqlx::PgPool;
use tokio::runtime::Handle;
use track::arrivals::ARRIVED;
use track::payload::Mail;
use track::{Fallible, Peer, Server};

const QUEUE: &str = "mail";
const CONNECTIONS: u32 = 32;
const CONSUMERS: usize = 4;
const BATCH: usize = 100;
/// How often a consumer looks when nothing was there.
const POLL: Duration = Duration::from_millis(10);

/// On a database.
#[derive(Clone)]
pub(crate) struct Pgqrs {
    store: AnyStore,
    producer: Producer,
    pool: PgPool,
}

async fn consume(store: AnyStore, consumer: Consumer) -> Result<(), pgqrs::Error> {
    loop {
        let next = pgqrs::dequeue().worker(&consumer).batch(BATCH).poll_interval(POLL);
        let messages = next.poll(&store).await?;
        let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
        for message in messages {
            let mail: Mail = serde_json::from_value(message.payload)?;
            ARRIVED.one_of(mail.number);
        }
        consumer.archive_many(ids).await?;
    }
}

impl Peer for Pgqrs {
    const NAME: &'static str = "pgqrs";
    const PACKAGE: &'static str = "pgqrs";
    const DATABASE: &'static str = "postgres";
    const PROMISES: &'static str = "history kept as archived rows, claims end by a visibility timeout of 30 s; polls \
        every 10 ms; 20,000 jobs at most; commits survive what the server's settings say";
    const BULK: bool = true;
    const JOBS_MAX: u32 = 20_000;

    async fn open(url: &str) -> Fallible<Self> {
        let pool = PgPool::connect(url).await?;
        let mut config = Config::from_dsn(url).with_max_connections(CONNECTIONS);
        // A thousand a second unless told otherwise.
        config.validation_config.max_enqueue_per_second = None;
        let store = pgqrs::connect_with_config(&config).await?;
        pgqrs::admin(&store).install().await?;
        pgqrs::admin(&store).create_queue(QUEUE).await?;
        let producer = pgqrs::producer("producer", QUEUE).create(&store).await?;
        Ok(Self { store, producer, pool })
    }

    async fn store(&self, mail: Mail) -> Fallible<()> {
        pgqrs::enqueue().message(&mail).worker(&self.producer).execute(&self.store).await?;
        Ok(())
    }

    async fn store_all(&self, mails: Vec<Mail>) -> Fallible<()> {
        pgqrs::enqueue().messages(&mails).worker(&self.producer).execute(&self.store).await?;
        Ok(())
    }

    async fn serve(&self, _: bool) -> Fallible<Server> {
        let mut running = Vec::new();
        for number in 0..CONSUMERS {
            let consumer = pgqrs::consumer(&format!("consumer-{number}"), QUEUE).create(&self.store).await?;
            let consume = consume(self.store.clone(), consumer);
            running.push(Handle::current().spawn(async move {
                if let Err(error) = consume.await {
                    eprintln!("pgqrs: {error}");
                }
            }));
        }
        Ok(Box::new(running))
    }

    async fn left(&self) -> Fallible<u64> {
        let sql = "SELECT count(*) FROM pgqrs_messages WHERE archived_at IS NULL";
        let left: i64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
        Ok(left.unsigned_abs())
    }
}
