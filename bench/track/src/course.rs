//! A run of one peer, in its program: each workload in the peer's own words. It ends when the peer's own tables
//! say that the work is done; how its server stops is not measured.

use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::runtime::Handle;

use crate::arrivals::ARRIVED;
use crate::cost::{Reading, micros};
use crate::payload::Mail;
use crate::peer::Peer;
use crate::talk::{Done, GO, Said, Task, heard, say};
use crate::workload::{Workload, pause};
use crate::{Fallible, load, stopwatch};

/// How many jobs a backlog is stored in at once before it is measured.
const PRELOAD: u32 = 1_000;
/// How many store it where that goes one by one.
const PRODUCERS: u32 = 16;
/// How often it is looked whether all that has arrived is written, too: a fraction of the shortest run.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How long a server is given to be there before the first job comes by itself.
const WARM_UP: Duration = Duration::from_secs(1);

/// Runs a peer on a database.
pub(crate) async fn run<P: Peer>(task: Task) -> Fallible<()> {
    let peer = P::open(&task.url).await?;
    let jobs = task.workload.jobs().min(P::JOBS_MAX);
    let done = match task.workload {
        Workload::Enqueue { producers, .. } => {
            let start = go()?;
            enqueue(&peer, producers, jobs).await?;
            done(start, jobs)
        }
        Workload::Bulk { batch, .. } => {
            let start = go()?;
            store(&peer, batch, jobs).await?;
            done(start, jobs)
        }
        // What pins the database's past is no matter of the peer's.
        Workload::Drain { servers: 1, .. } | Workload::Pinned { minutes: 0, .. } => {
            store(&peer, PRELOAD, jobs).await?;
            let start = go()?;
            let _server = peer.serve(true).await?;
            finished(&peer, jobs).await?;
            done(start, jobs)
        }
        Workload::Lifecycle { batch, .. } => {
            let start = go()?;
            let _server = peer.serve(true).await?;
            store(&peer, batch, jobs).await?;
            finished(&peer, jobs).await?;
            done(start, jobs)
        }
        Workload::Latency { .. } => latency(&peer, jobs).await?,
        Workload::Load { .. } => loaded(&peer, jobs).await?,
        _ => return Err("peers have no such work".into()),
    };
    say(&Said::Done(done))
}

/// Says that all is prepared, and waits for the word.
fn go() -> Fallible<Reading> {
    say(&Said::Ready)?;
    match heard()?.as_str() {
        GO => Ok(Reading::start()),
        other => Err(format!("`{GO}` was expected, not `{other}`").into()),
    }
}

fn done(start: Reading, jobs: u32) -> Done {
    Done { cost: start.cost(&Reading::take()), jobs, delays: Vec::new() }
}

/// Each producer stores one job after the other.
async fn enqueue<P: Peer>(peer: &P, producers: u32, jobs: u32) -> Fallible<()> {
    let produce = |producer: u32| {
        let peer = peer.clone();
        Handle::current().spawn(async move {
            for number in (producer..jobs).step_by(producers as usize) {
                peer.store(Mail::new(number)).await?;
            }
            Ok(())
        })
    };
    let done: Fallible<()> = try_join_all((0..producers).map(produce)).await?.into_iter().collect();
    done
}

/// Stores jobs in batches, if the peer can.
async fn store<P: Peer>(peer: &P, batch: u32, jobs: u32) -> Fallible<()> {
    if !P::BULK {
        return enqueue(peer, PRODUCERS, jobs).await;
    }
    for start in (0..jobs).step_by(batch as usize) {
        let numbers = start..jobs.min(start + batch);
        peer.store_all(numbers.map(Mail::new).collect()).await?;
    }
    Ok(())
}

/// Waits until all have arrived, and until nothing is left to be written.
async fn finished<P: Peer>(peer: &P, jobs: u32) -> Fallible<()> {
    ARRIVED.wait(jobs).await;
    while peer.left().await? > 0 {
        stopwatch::idle(LOOK_EVERY).await;
    }
    Ok(())
}

/// From the call that stores a job to the first line of its handler; one job at a time.
async fn latency<P: Peer>(peer: &P, jobs: u32) -> Fallible<Done> {
    let _server = peer.serve(false).await?;
    stopwatch::idle(WARM_UP).await;
    let start = go()?;
    ARRIVED.note_times();
    let mut delays = Vec::new();
    for number in 1..=jobs {
        stopwatch::idle(pause(number)).await;
        let sent = stopwatch::now();
        peer.store(Mail::new(number)).await?;
        let started = ARRIVED.time_of(number).await;
        delays.push(micros(started.saturating_duration_since(sent)));
    }
    Ok(Done { delays, ..done(start, jobs) })
}

/// The same while jobs come at half the rate that the peer can keep up with, which is much work.
async fn loaded<P: Peer>(peer: &P, jobs: u32) -> Fallible<Done> {
    let _server = peer.serve(true).await?;
    stopwatch::idle(WARM_UP).await;
    let peer = peer.clone();
    let store = move |number| {
        let peer = peer.clone();
        async move { peer.store(Mail::new(number)).await }
    };
    let interval = load::interval(jobs, store.clone()).await?;
    let start = go()?;
    let delays = load::delays(jobs..2 * jobs, interval, store).await?;
    Ok(Done { delays: delays.into_iter().map(micros).collect(), ..done(start, jobs) })
}
