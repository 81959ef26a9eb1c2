//! Hints that something changed, as server-sent events.
//!
//! 1. A page opens a stream, about everything or about one job (`?job=`).
//! 2. Every two seconds the stream asks for a glance, which is shared with all other viewers; about one job it
//!    asks for that job.
//! 3. If something is different from before, it says `change`, and nothing of what changed: the page fetches
//!    itself, with the rights that it has then.
//! 4. After a minute the stream ends and the browser opens the next one, so that rights are asked for again. It
//!    ends at once when the host stops.
//!
//! A stream that cannot see says nothing; the page finds out when it fetches itself.

use std::convert::Infallible;
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
/// Looks without a change after which something is said all the same, so that proxies keep the connection.
const SILENT_TICKS_MAX: u32 = 7;

/// One stream.
struct Stream {
    ctx: Ctx,
    job: Option<JobId>,
    before: Option<Seen>,
    ticks: u32,
    silent: u32,
    _place: OwnedSemaphorePermit,
}

/// What is compared with what was there before.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Everything(u64),
    Job(Box<JobDetails>),
    Nothing,
}

/// Opens a stream.
pub(crate) async fn events(ctx: Ctx) -> Result<Response> {
    let place = Arc::clone(&ctx.shared.streams).try_acquire_owned().map_err(|_| Refusal::Busy)?;
    let job = ctx.query.get("job").map(|id| id.parse().map_err(|_| Refusal::NoJob)).transpose()?;
    let before = Some(look(&ctx, job).await);
    let stream = Stream { ctx, job, before, ticks: 0, silent: 0, _place: place };
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
        let seen = look(&stream.ctx, stream.job).await;
        let said = if stream.before.as_ref() != Some(&seen) {
            stream.before = Some(seen);
            Some("event: change\ndata: {}\n\n")
        } else if stream.silent >= SILENT_TICKS_MAX {
            Some(": still here\n\n")
        } else {
            None
        };
        stream.silent = if said.is_some() { 0 } else { stream.silent + 1 };
        if let Some(said) = said {
            return Some((Ok(said.to_owned()), stream));
        }
    }
    None
}

async fn look(ctx: &Ctx, job: Option<JobId>) -> Seen {
    let seen = match job {
        Some(id) => ctx.read().job(id).await.map(|job| Seen::Job(Box::new(job))),
        None => ctx.glance().await.map(|glance| Seen::Everything(glance.version)),
    };
    seen.unwrap_or(Seen::Nothing)
}
