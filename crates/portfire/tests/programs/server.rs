//! The servers of the fleet tests, which are killed, stopped and cut off: `server_under_test <database>
//! <ledger> <lease in ms>`.
//!
//! 1. It says `ready` when it serves, and what it logs as it goes.
//! 2. Every attempt tells the ledger, which another process keeps, and goes on when that has been noted.
//! 3. `pay` writes to a table of its own in the jobs' database, and ends its job in the same transaction.
//! 4. SIGTERM ends it well, SIGKILL does not.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program under test talks")]

use std::net::SocketAddr;
use std::time::Duration;

use portfire::prelude::*;
use portfire::sqlite::rusqlite;
use portfire::{JobContext, OpenTransaction};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

/// The way to the ledger; one line is under way at a time.
struct Ledger {
    address: SocketAddr,
    line: Mutex<BufReader<TcpStream>>,
}

impl Ledger {
    async fn open(address: SocketAddr) -> std::io::Result<Self> {
        Ok(Self { address, line: Mutex::new(connect(address).await?) })
    }

    async fn note(&self, ctx: &JobContext, what: &str) -> Result<(), JobError> {
        Ok(tell(&mut *self.line.lock().await, ctx, what).await?)
    }

    /// The same by a connection of its own, for an answer that takes its time.
    async fn hold(&self, ctx: &JobContext, what: &str) -> Result<(), JobError> {
        Ok(tell(&mut connect(self.address).await?, ctx, what).await?)
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

async fn tell(line: &mut BufReader<TcpStream>, ctx: &JobContext, what: &str) -> std::io::Result<()> {
    let note = format!("{} {} {what}\n", std::process::id(), ctx.job_id());
    line.write_all(note.as_bytes()).await?;
    let mut answer = String::new();
    match line.read_line(&mut answer).await? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

#[job]
async fn step(ctx: &JobContext, #[from] ledger: &Ledger, number: u32) -> Result<(), JobError> {
    ledger.note(ctx, &format!("step {number}")).await
}

/// Ends when the ledger lets its process go, whatever it is asked meanwhile; comes to that process's id.
#[job]
async fn hold(ctx: &JobContext, #[from] ledger: &Ledger, number: u32) -> Result<u32, JobError> {
    ledger.hold(ctx, &format!("hold {number}")).await?;
    ctx.log(format_args!("let go in {}", std::process::id()));
    Ok(std::process::id())
}

/// Where the payments are: the database of the jobs.
struct Shop(String);

/// Writes a payment and ends its job, in one transaction; tells each step, and is held at one of them.
#[job]
async fn pay(
    ctx: &JobContext,
    #[from] ledger: &Ledger,
    #[from] shop: &Shop,
    number: u32,
    held_at: String,
) -> Result<u32, JobError> {
    let payment = Payment { ctx, ledger, number, held_at: &held_at };
    payment.step("begun").await?;
    let paid = match shop.0.split_once("://") {
        Some(("sqlite", path)) => payment.on_sqlite(path).await,
        #[cfg(feature = "postgres")]
        Some(("postgres", _)) => payment.on_postgres(&shop.0).await,
        #[cfg(feature = "mysql")]
        Some(("mysql", _)) => payment.on_mysql(&shop.0).await,
        _ => return Err(JobError::message(format!("this program cannot pay at {}", shop.0))),
    };
    if paid.as_ref().is_err_and(JobError::is_lost) {
        println!("pay {number} is lost");
    }
    paid?;
    payment.step("committed").await?;
    Ok(number)
}

struct Payment<'a> {
    ctx: &'a JobContext,
    ledger: &'a Ledger,
    number: u32,
    held_at: &'a str,
}

impl Payment<'_> {
    async fn step(&self, step: &str) -> Result<(), JobError> {
        let what = format!("pay {} {step}", self.number);
        if step == self.held_at {
            return self.ledger.hold(self.ctx, &format!("hold {what}")).await;
        }
        self.ledger.note(self.ctx, &what).await
    }

    fn insert(&self) -> String {
        format!("INSERT INTO payment (number) VALUES ({})", self.number)
    }

    async fn complete(&self, transaction: &mut impl OpenTransaction) -> Result<(), JobError> {
        self.step("written").await?;
        self.ctx.complete_in(transaction, &self.number).await?;
        self.step("completed").await
    }

    async fn on_sqlite(&self, path: &str) -> Result<(), JobError> {
        let mut shop = rusqlite::Connection::open(path)?;
        shop.busy_timeout(Duration::from_secs(30))?;
        shop.execute_batch("BEGIN IMMEDIATE")?;
        shop.execute(&self.insert(), [])?;
        self.complete(&mut shop).await?;
        Ok(shop.execute_batch("COMMIT")?)
    }

    /// The schema is in the URL, for the jobs' client; the payments are there too.
    #[cfg(feature = "postgres")]
    async fn on_postgres(&self, url: &str) -> Result<(), JobError> {
        use portfire::postgres::{Tables, in_tables, tokio_postgres};
        let (url, schema) = url.split_once("schema=").ok_or_else(|| JobError::message("no schema"))?;
        let (mut shop, connection) =
            tokio_postgres::connect(url.trim_end_matches(['?', '&']), tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        shop.batch_execute(&format!("SET search_path = {schema}")).await?;
        let mut transaction = shop.transaction().await?;
        transaction.batch_execute(&self.insert()).await?;
        let tables = Tables::default().schema(schema)?;
        self.complete(&mut in_tables(&tables, &mut transaction)).await?;
        Ok(transaction.commit().await?)
    }

    #[cfg(feature = "mysql")]
    async fn on_mysql(&self, url: &str) -> Result<(), JobError> {
        use portfire::mysql::mysql_async::prelude::Queryable;
        use portfire::mysql::mysql_async::{Conn, TxOpts};
        let mut shop = Conn::from_url(url).await?;
        let mut transaction = shop.start_transaction(TxOpts::default()).await?;
        transaction.query_drop(self.insert()).await?;
        self.complete(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }
}

#[job]
async fn tick(ctx: &JobContext, #[from] ledger: &Ledger) -> Result<(), JobError> {
    let slot = ctx.slot().ok_or_else(|| JobError::message("a tick has a slot"))?;
    ledger.note(ctx, &format!("tick {} {}", slot.schedule, slot.at.as_micros())).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::WARN).init();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [database, ledger, lease_ms] = &arguments[..] else {
        return Err("usage: server_under_test <database> <ledger> <lease in ms>".into());
    };
    let jobs = Jobs::connect(database).await?;
    let server = Server::new(&jobs)
        .job::<step>()
        .job::<hold>()
        .job::<tick>()
        .job::<pay>()
        .provide(Shop(database.clone()))
        .provide(Ledger::open(ledger.parse()?).await?)
        .slots(8)
        .poll_interval(Duration::from_millis(100))
        .lease(Duration::from_millis(lease_ms.parse()?))
        .start()
        .await?;
    // Before it says so: a test may ask it to end at once.
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    println!("ready");
    terminate.recv().await;
    server.stop().await?;
    println!("stopped");
    Ok(())
}
