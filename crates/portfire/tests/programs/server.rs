//! The servers of the fleet tests, which are killed, stopped and cut off: `server_under_test <database>
//! <ledger> <lease in ms>`.
//!
//! 1. It says `ready` when it serves, and what it logs as it goes.
//! 2. Every attempt tells the ledger, which another process keeps, and goes on when that has been noted.
//! 3. SIGTERM ends it well, SIGKILL does not.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program under test talks")]

use std::net::SocketAddr;
use std::time::Duration;

use portfire::JobContext;
use portfire::prelude::*;
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
        .provide(Ledger::open(ledger.parse()?).await?)
        .slots(8)
        .poll_interval(Duration::from_millis(100))
        .lease(Duration::from_millis(lease_ms.parse()?))
        .start()
        .await?;
    println!("ready");
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    terminate.recv().await;
    server.stop().await?;
    println!("stopped");
    Ok(())
}
