//! Hosts that the process tests run as children and send signals to: `host_under_test <manner>`.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program under test talks and takes its time"
)]

use std::sync::Arc;
use std::time::Duration;

use portfire::hosting::{Background, Host, OnFailure, TaskQueue, on_start};
use portfire::{DurationExt, JobContext, JobError, Jobs, ModelStorage, Server, job};

#[tokio::main(flavor = "current_thread")]
async fn main() -> portfire::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("drains") => drains().await,
        Some("overruns") => overruns().await,
        Some("fails") => fails().await,
        Some("panics late") => panics_late().await,
        Some("blocks") => blocks().await,
        Some("reloads") => reloads().await,
        Some("reloads slowly") => reloads_slowly().await,
        Some("sticks") => sticks().await,
        Some("serves") => serves().await,
        manner => Err(portfire_core::Error::misuse(format!("no such manner: {manner:?}"))),
    }
}

fn announcing(host: Host) -> Host {
    host.service(
        "ready",
        on_start(|ctx| async move {
            let lifetime = ctx.lifetime().clone();
            tokio::spawn(async move {
                lifetime.started().await;
                println!("ready");
            });
            Ok(())
        }),
    )
}

/// A queue under load: a hundred tasks, some of which run when the signal comes.
async fn drains() -> portfire::Result<()> {
    let queue = TaskQueue::builder("work").workers(4).build();
    for _ in 0..100 {
        let task = queue.push(|_| async {
            tokio::time::sleep(20.milliseconds()).await;
            println!("done");
            Ok(())
        });
        task.await?;
    }
    announcing(Host::new().queue(&queue)).run().await
}

/// A task that cannot be finished within the budget.
async fn overruns() -> portfire::Result<()> {
    let queue = TaskQueue::new("work");
    queue.push_named("endless", |_| std::future::pending::<Result<(), JobError>>()).await?;
    announcing(Host::new().queue(&queue).shutdown_timeout(500.milliseconds())).run().await
}

async fn fails() -> portfire::Result<()> {
    let work = Background::new("work", |ctx| async move {
        ctx.lifetime().started().await;
        Err(JobError::message("no luck"))
    });
    announcing(Host::new().add(work.on_failure(OnFailure::StopHost))).run().await
}

async fn panics_late() -> portfire::Result<()> {
    let host = Host::new().background("work", |ctx| async move {
        ctx.cancelled().await;
        if true { panic!("boom") } else { Ok(()) }
    });
    announcing(host).run().await
}

/// Blocks the only thread of the runtime for ever once it is asked to stop.
async fn blocks() -> portfire::Result<()> {
    let host = Host::new().background("blocks", |ctx| async move {
        ctx.cancelled().await;
        println!("blocking");
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    });
    announcing(host).run().await
}

async fn reloads() -> portfire::Result<()> {
    let host = Host::new().on_reload(|_ctx| async {
        println!("reloaded");
        Ok(())
    });
    announcing(host).run().await
}

/// Reloads until it is asked to stop.
async fn reloads_slowly() -> portfire::Result<()> {
    let host = Host::new().on_reload(|ctx| async move {
        ctx.cancelled().await;
        println!("reload cancelled");
        Ok(())
    });
    announcing(host).run().await
}

/// Promises a sign of life and does not keep the promise.
async fn sticks() -> portfire::Result<()> {
    let host = Host::new().background("pump", |ctx| async move {
        tokio::time::sleep(300.milliseconds()).await;
        ctx.beat(1.milliseconds());
        ctx.cancelled().await;
        Ok(())
    });
    announcing(host).run().await
}

#[derive(Debug)]
struct WallClock;

impl portfire_core::Clock for WallClock {
    fn now(&self) -> portfire::Timestamp {
        std::time::SystemTime::now().into()
    }
}

/// Says that it was asked to stop, and does not.
#[job]
async fn endless(ctx: &JobContext) {
    println!("running");
    while ctx.time_to_shutdown().is_none() {
        tokio::time::sleep(1.milliseconds()).await;
    }
    println!("asked to stop");
    std::future::pending::<()>().await;
}

/// A server alone, with a job that does not end.
async fn serves() -> portfire::Result<()> {
    let jobs = Jobs::new(Arc::new(ModelStorage::new(Arc::new(WallClock))));
    endless().enqueue(&jobs).await?;
    Server::new(&jobs).job::<endless>().shutdown_timeout(1.hour()).run().await
}
