//! What every case stands on: a database of its own, on one of the servers that `cargo xtask test` provides.
//!
//! Making tables takes these servers a second. So a database is lent: it is emptied, and held by a named lock
//! until its test has ended, and then the next test gets it. Tests that look at how tables are made have one that
//! is made for them and goes with them.

use std::future::Future;
use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use portfire_core::storage::{Beat, Claimed, Exchange, Exchanged, ServerInfo, Want, WantQueue};
use portfire_core::{
    Dice, IdSequence, Json, NewJob, Outcome, ServerId, Settlement, Storage, Timestamp, Token, settle,
};
use portfire_mysql::{MysqlOptions, MysqlStorage, Tables, mysql_async};

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Mariadb,
    Mysql,
}

impl Engine {
    /// Where the server is.
    pub(crate) fn url(self) -> String {
        let (variable, command) = match self {
            Self::Mariadb => ("PORTFIRE_TEST_MARIADB_URL", "cargo xtask db mariadb up"),
            Self::Mysql => ("PORTFIRE_TEST_MYSQL_URL", "cargo xtask db mysql up"),
        };
        std::env::var(variable).unwrap_or_else(|_| {
            panic!("the tests need both servers: run `cargo xtask test`, or `{command}` and what it prints, or set {variable}")
        })
    }

    /// The same server, another database.
    fn url_of(self, database: &str) -> String {
        let url = self.url();
        let (address, rest) = url.split_at(url.find('?').unwrap_or(url.len()));
        format!("{}/{database}{rest}", address.rsplit_once('/').unwrap().0)
    }

    /// A connection to the server like an application's.
    pub(crate) async fn connect(self) -> Conn {
        Conn::from_url(self.url()).await.unwrap()
    }
}

/// One test per engine of each of these functions.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod mariadb {
            $(#[test]
            fn $test() {
                crate::bed::run(super::$test(crate::bed::Engine::Mariadb));
            })*
        }

        mod mysql {
            $(#[test]
            fn $test() {
                crate::bed::run(super::$test(crate::bed::Engine::Mysql));
            })*
        }
    };
}
pub(crate) use on_both;

pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test);
}

/// A database that one test has.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) engine: Engine,
    pub(crate) name: String,
    /// What holds the lock of one that is lent.
    lent: Option<Conn>,
}

impl Database {
    /// One that may have been another test's. It is empty.
    pub(crate) async fn lent(engine: Engine) -> Self {
        let mut conn = engine.connect().await;
        for number in 1.. {
            let name = format!("portfire_test_{:016x}_{number}", tables_hash());
            let lock = format!("SELECT GET_LOCK('{name}', 0)");
            if conn.query_first::<i64, _>(lock).await.unwrap() == Some(1) {
                end_others(&mut conn, &name).await;
                empty(&mut conn, &name).await;
                return Self { engine, name, lent: Some(conn) };
            }
        }
        unreachable!("there are more numbers than tests")
    }

    /// One without tables, which goes with its test.
    pub(crate) async fn fresh(engine: Engine) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("portfire_fresh_{}_{number}", std::process::id());
        engine.connect().await.query_drop(format!("CREATE DATABASE {name}")).await.unwrap();
        Self { engine, name, lent: None }
    }

    pub(crate) fn url(&self) -> String {
        self.engine.url_of(&self.name)
    }

    /// With patience for a disk that others fill meanwhile; who tests deadlines has one of his own.
    pub(crate) fn options(&self) -> MysqlOptions {
        MysqlOptions::new(&self.url()).unwrap().connections(4).unwrap().deadline(Duration::from_secs(60))
    }

    pub(crate) async fn open(&self) -> Arc<MysqlStorage> {
        Arc::new(MysqlStorage::open(self.options()).await.unwrap())
    }

    /// A connection to it like an application's.
    pub(crate) async fn connect(&self) -> Conn {
        Conn::from_url(self.url()).await.unwrap()
    }
}

impl Drop for Database {
    /// On a thread of its own: a test may be dropped in or out of async code.
    fn drop(&mut self) {
        if self.lent.is_some() {
            return;
        }
        let (engine, name) = (self.engine, self.name.clone());
        let drop_database = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let sql = format!("SET lock_wait_timeout = 5; DROP DATABASE IF EXISTS {name}");
                let _ = engine.connect().await.query_drop(sql).await;
            });
        };
        let _ = std::thread::spawn(drop_database).join();
    }
}

/// Tables that were made by other migrations are not lent.
fn tables_hash() -> u64 {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    files.iter().for_each(|file| hasher.write(&std::fs::read(file).unwrap()));
    hasher.finish()
}

/// Sees the connections end of who had it before: one still at work would hold rows, or store them late.
async fn end_others(conn: &mut Conn, name: &str) {
    loop {
        let others = format!("SELECT id FROM information_schema.processlist WHERE db = '{name}'");
        let others: Vec<u64> = conn.query(others).await.unwrap();
        if others.is_empty() {
            return;
        }
        for other in others {
            // It may have ended meanwhile.
            let _ = conn.query_drop(format!("KILL CONNECTION {other}")).await;
        }
    }
}

/// What lists walk from the end. These databases may lose rows of such a walk while they clear away deleted rows
/// beside them, as the header of `list.rs` says; there are none after `TRUNCATE`, but it takes 5 ms a table.
const WALKED_BACK: [&str; 4] = ["portfire_job", "portfire_attempt", "portfire_finished", "portfire_tag"];

async fn empty(conn: &mut Conn, name: &str) {
    conn.query_drop(format!("CREATE DATABASE IF NOT EXISTS {name}")).await.unwrap();
    let tables = format!("SELECT table_name FROM information_schema.tables WHERE table_schema = '{name}'");
    let tables: Vec<String> = conn.query(tables).await.unwrap();
    let tables = tables.iter().map(String::as_str).filter(|table| *table != "portfire_meta");
    let empty: Vec<_> = tables
        .map(|table| {
            let empties = if WALKED_BACK.contains(&table) { "TRUNCATE TABLE" } else { "DELETE FROM" };
            format!("{empties} {name}.{table}")
        })
        .collect();
    if !empty.is_empty() {
        conn.query_drop(empty.join("; ")).await.unwrap();
    }
}

/// Tables with the default prefix, for an application's transactions.
pub(crate) fn tables() -> Tables {
    Tables::default()
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
