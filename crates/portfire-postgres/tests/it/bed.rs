//! What every case stands on: a schema of its own in the database that `cargo xtask test` provides.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use portfire_core::storage::{Beat, Claimed, Exchange, Exchanged, ServerInfo, Want, WantQueue};
use portfire_core::{
    Dice, IdSequence, Json, NewJob, Outcome, ServerId, Settlement, Storage, Timestamp, Token, settle,
};
use portfire_postgres::{PostgresOptions, PostgresStorage, Tables, tokio_postgres};
use tokio_postgres::{Client, NoTls};

/// Where the database is.
pub(crate) fn url() -> String {
    std::env::var("PORTFIRE_TEST_POSTGRES_URL").expect(
        "the tests need a PostgreSQL: run `cargo xtask test`, or `cargo xtask db postgres up` and what it \
         prints, or set PORTFIRE_TEST_POSTGRES_URL",
    )
}

/// A schema that goes with its test.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: String,
}

impl Schema {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("test_{}_{number}", std::process::id()) }
    }

    pub(crate) fn tables(&self) -> Tables {
        Tables::default().schema(&self.name).unwrap()
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        PostgresOptions::new(&url()).unwrap().tables(self.tables()).connections(4).unwrap()
    }

    pub(crate) async fn open(&self) -> Arc<PostgresStorage> {
        Arc::new(PostgresStorage::open(self.options()).await.unwrap())
    }
}

impl Drop for Schema {
    /// On a thread of its own: a test may be dropped in or out of async code.
    fn drop(&mut self) {
        let name = self.name.clone();
        let drop_schema = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = connect().await;
                let _ = client
                    .batch_execute(&format!("SET lock_timeout = '5s'; DROP SCHEMA IF EXISTS {name} CASCADE"))
                    .await;
            });
        };
        let _ = std::thread::spawn(drop_schema).join();
    }
}

/// A connection like an application's.
pub(crate) async fn connect() -> Client {
    let (client, connection) = tokio_postgres::connect(&url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

static IDS: LazyLock<Mutex<IdSequence>> =
    LazyLock::new(|| Mutex::new(IdSequence::new(Dice::from_seed([1, std::process::id().into()]))));
const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

pub(crate) fn job() -> NewJob {
    NewJob::new(IDS.lock().unwrap().job(START), "work", Json::trusted("{}"))
}

pub(crate) fn token() -> Token {
    IDS.lock().unwrap().token(START)
}

pub(crate) fn server() -> ServerId {
    IDS.lock().unwrap().server(START)
}

/// A server that has just beaten.
pub(crate) async fn beaten(storage: &dyn Storage) -> ServerId {
    let server = server();
    let beat = Beat { server, lease: Duration::from_secs(600), info: ServerInfo::default() };
    storage.beat(beat).await.unwrap();
    server
}

/// A wish for jobs of kind `work` from `default`.
pub(crate) fn want(limit: u32) -> Want {
    let queues = vec![WantQueue { name: "default".into(), limit }];
    Want { token: token(), limit, queues, kinds: ["work".into()].into() }
}

pub(crate) async fn exchange(
    storage: &dyn Storage,
    server: ServerId,
    settlements: Vec<Settlement>,
    want: Option<Want>,
) -> Exchanged {
    storage.exchange(Exchange { server, notes: Vec::new(), settlements, want }).await.unwrap()
}

/// The settlement of a success.
pub(crate) fn succeeded(claimed: &Claimed) -> Settlement {
    settle(&claimed.facts, Outcome::Succeeded(None), &mut Dice::from_seed([3, 4]))
}
