//! One attempt: layers, handler, timeout, panic, interruption. Whatever happens, it ends in an outcome.
//!
//! 1. The layers and the handler run until they end, or until their time is over.
//! 2. What they leave behind is dropped: the rest of a handler that did not end, the values made for the attempt.
//! 3. A panic in any of it is the outcome. If one went further than this file its slot would never be free again.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use portfire_core::{Fault, Outcome};

use super::Runner;
use crate::contain::{contain, contain_call};
use crate::{JobContext, Layer, Next};

/// How long a handler may go on after its token was cancelled, before it is dropped at its next await.
/// A server that must stop sooner drops it sooner.
const GRACE: Duration = Duration::from_secs(10);

/// What is said of an attempt that did not succeed after its handler had settled the job by itself.
const AFTER_COMPLETION: &str = "the attempt had completed its job in a transaction of its own before: if that was \
                                committed, the job has succeeded all the same";

/// What is needed to run any attempt of a server.
#[derive(Debug)]
pub(crate) struct Attempts {
    pub(crate) layers: Vec<Arc<dyn Layer>>,
    /// Cancelled when the server's time to stop is over.
    pub(crate) abort: CancellationToken,
}

impl Attempts {
    /// Runs one attempt to its outcome.
    pub(crate) async fn run(&self, runner: Runner, ctx: &JobContext) -> Outcome {
        let span = tracing::info_span!(
            "job",
            id = %ctx.job_id(),
            kind = ctx.kind(),
            queue = ctx.queue(),
            attempt = ctx.attempt()
        );
        let next = Next { layers: &self.layers, runner };
        let work = contain(next.run(ctx));
        // Once more, for a handler that does not end: it is dropped in here, and its drops may panic.
        let supervised = contain(self.supervise(work, ctx)).instrument(span.clone()).await;
        let released = contain_call(|| ctx.release_values());
        let outcome = supervised.and_then(|outcome| released.map(|()| outcome));
        let outcome = outcome.unwrap_or_else(Outcome::Panicked);
        let outcome = if ctx.is_cancelled() { forgive(outcome) } else { outcome };
        span.in_scope(|| report(&outcome));
        if ctx.may_be_completed() && !matches!(outcome, Outcome::Succeeded(_)) {
            span.in_scope(|| tracing::warn!("{AFTER_COMPLETION}"));
        }
        outcome
    }

    async fn supervise(
        &self,
        work: impl Future<Output = Result<Outcome, Fault>>,
        ctx: &JobContext,
    ) -> Outcome {
        let token = ctx.cancellation();
        tokio::select! {
            biased;
            outcome = work => outcome.unwrap_or_else(Outcome::Panicked),
            limit = timed_out(ctx) => {
                token.cancel();
                Outcome::TimedOut(limit)
            }
            () = grace_over(token) => Outcome::Interrupted,
            () = self.abort.cancelled() => Outcome::Interrupted,
        }
    }
}

/// An error that came after the attempt was asked to stop is taken as the stopping, and not charged.
/// (If a person asked, the job's flag makes it *cancelled* when this is settled.)
fn forgive(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed(_) => Outcome::Interrupted,
        other => other,
    }
}

async fn timed_out(ctx: &JobContext) -> Duration {
    match (ctx.deadline(), ctx.claimed().facts.policy.timeout) {
        (Some(deadline), Some(limit)) => {
            tokio::time::sleep_until(deadline).await;
            limit
        }
        _ => std::future::pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "the grace of one attempt, inside the driver's own task")]
async fn grace_over(token: &CancellationToken) {
    token.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

fn report(outcome: &Outcome) {
    match outcome {
        Outcome::Succeeded(_) => tracing::debug!("job succeeded"),
        Outcome::Snoozed(after) => tracing::debug!(?after, "job snoozed"),
        Outcome::Interrupted => tracing::info!("attempt interrupted"),
        Outcome::Cancelled(fault) => tracing::info!(reason = %fault.message, "job cancelled itself"),
        Outcome::TimedOut(limit) => tracing::warn!(?limit, "attempt timed out"),
        Outcome::Failed(fault)
        | Outcome::RetryAfter(fault, _)
        | Outcome::FailedForGood(fault)
        | Outcome::Panicked(fault)
        | Outcome::Undecodable(fault) => {
            tracing::warn!(outcome = outcome.as_str(), error = %fault.message, "attempt failed");
        }
        Outcome::Crashed => tracing::warn!("attempt crashed"),
    }
}
