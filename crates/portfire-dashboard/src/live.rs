//! Hints that something changed, as server-sent events.
//!
//! 1. A browser opens one stream for all of its tabs, about everything and about the jobs that they show (`?job=`,
//!    as often as there are such tabs).
//! 2. Every two seconds the stream asks for a glance, which is shared with all other viewers, and for those jobs.
//! 3. If something is different from before, it says `change`; if a job is, `job` with its id; and nothing of what
//!    changed: the page fetches itself, with the rights that it has then.
//! 4. After a minute the stream ends and the browser opens the next one, so that rights are asked for again. It
//!    ends at once when the host stops.
//!
//! A stream that cannot see says nothing; the page finds out when it fetches itself.

use std::convert::Infallible;
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use futures_util::future::{Either, select};
use futures_util::stream;
use portfire_core::JobId;
use portfire_core::storage::JobDetails;
use tokio::sync::OwnedSemaphorePermit;

use crate::clock::pause;
use crate::ctx::Ctx;
use crate::refusal::{Refusal, Result};

/// Most streams at once: each is a connection.
pub(crate) const STREAMS_MAX: usize = 256;
/// The time between two looks.
const TICK: Duration = Duration::from_secs(2);
/// Looks after which a stream ends.
const TICKS_MAX: u32 = 30;
/// Most jobs of one stream: as many tabs show a job.
const JOBS_MAX: usize = 50;
/// Looks without a change after which something is said all the same, so that proxies keep the connection.
const SILENT_TICKS_MAX: u32 = 7;

/// One stream.
struct Stream {
    ctx: Ctx,
    jobs: Vec<JobId>,
    before: Seen,
    ticks: u32,
    silent: u32,
    _place: OwnedSemaphorePermit,
}

/// What is compared with what was there before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// The version of the glance; `None` if there was none to be had.
    everything: Option<u64>,
    /// The mark of each job, in the order of the stream's; `None` for one that is not there.
    jobs: Vec<Option<u64>>,
}

/// Opens a stream.
pub(crate) async fn events(ctx: Ctx) -> Result<Response> {
    let place = Arc::clone(&ctx.shared.streams).try_acquire_owned().map_err(|_| Refusal::Busy)?;
    let jobs = ctx.query.all("job").map(|id| id.parse().map_err(|_| Refusal::NoJob));
    let jobs = jobs.take(JOBS_MAX).collect::<Result<Vec<_>>>()?;
    let before = look(&ctx, &jobs).await;
    let stream = Stream { ctx, jobs, before, ticks: 0, silent: 0, _place: place };
    let greeting = stream::once(std::future::ready(Ok::<_, Infallible>("retry: 500\n\n".to_owned())));
    let body = Body::from_stream(stream::StreamExt::chain(greeting, stream::unfold(stream, next)));
    let answer = Response::builder()
        .header(CONTENT_TYPE, "text/event-stream")
        .header(CACHE_CONTROL, "no-store, no-transform")
        .header("x-accel-buffering", "no");
    Ok(answer.body(body).expect("these headers are well formed"))
}

/// Waits until there is something to say.
async fn next(mut stream: Stream) -> Option<(std::result::Result<String, Infallible>, Stream)> {
    while stream.ticks < TICKS_MAX {
        let stop = stream.ctx.shared.stop.clone();
        if let Either::Right(_) = select(pin!(pause(TICK)), stop).await {
            return None;
        }
        stream.ticks += 1;
        let seen = look(&stream.ctx, &stream.jobs).await;
        let mut said = difference(&stream.jobs, &stream.before, &seen);
        stream.before = seen;
        if said.is_empty() && stream.silent >= SILENT_TICKS_MAX {
            said.push_str(": still here\n\n");
        }
        stream.silent = if said.is_empty() { stream.silent + 1 } else { 0 };
        if !said.is_empty() {
            return Some((Ok(said), stream));
        }
    }
    None
}

/// What there is to say.
fn difference(jobs: &[JobId], before: &Seen, seen: &Seen) -> String {
    let mut said = String::new();
    if before.everything != seen.everything {
        said.push_str("event: change\ndata: {}\n\n");
    }
    let marks = before.jobs.iter().zip(&seen.jobs);
    for (job, _) in jobs.iter().zip(marks).filter(|(_, (before, seen))| before != seen) {
        said.extend(["event: job\ndata: ", &job.to_string(), "\n\n"]);
    }
    said
}

async fn look(ctx: &Ctx, jobs: &[JobId]) -> Seen {
    let everything = ctx.glance().await.ok().map(|glance| glance.version);
    if jobs.is_empty() {
        return Seen { everything, jobs: Vec::new() };
    }
    let found = ctx.read().jobs(jobs.to_vec()).await.unwrap_or_default();
    let mut marks: Vec<_> = found.iter().map(|job| job.as_ref().map(mark)).collect();
    marks.resize(jobs.len(), None);
    Seen { everything, jobs: marks }
}

/// Stands for all that is known of a job, which may be a megabyte, and is kept as long as the stream.
fn mark(job: &JobDetails) -> u64 {
    struct Marker(DefaultHasher);
    impl Write for Marker {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut marker = Marker(DefaultHasher::new());
    write!(marker, "{job:?}").expect("a hasher takes everything");
    marker.0.finish()
}
