//! Kind → handler. Checked when the server starts, so that a missing value is an error at start and not
//! in the night.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use portfire_core::limits::RESULT_BYTES_MAX;
use portfire_core::{Error, Fault, Json, Outcome, Result};

use super::Queues;
use crate::values::Values;
use crate::{Job, JobContext, JobError, Need};

/// Runs one attempt of a kind.
pub(crate) type Runner = fn(JobContext) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What runs an attempt of this kind.
pub(crate) fn runner_of<J: Job>() -> Runner {
    |ctx| Box::pin(run::<J>(ctx))
}

/// The kinds a server knows.
#[derive(Debug, Default)]
pub(super) struct Registry {
    kinds: Vec<Registered>,
}

#[derive(Debug)]
struct Registered {
    kind: &'static str,
    type_name: &'static str,
    queue: Box<str>,
    needs: Vec<Need>,
    runner: Runner,
}

impl Registry {
    pub(super) fn add<J: Job>(&mut self) {
        self.kinds.push(Registered {
            kind: J::KIND,
            type_name: std::any::type_name::<J>(),
            queue: J::options().queue,
            needs: J::needs(),
            runner: runner_of::<J>(),
        });
    }

    pub(super) fn kinds(&self) -> Arc<[Box<str>]> {
        self.kinds.iter().map(|registered| registered.kind.into()).collect()
    }

    pub(super) fn runners(&self) -> HashMap<&'static str, Runner> {
        self.kinds.iter().map(|registered| (registered.kind, registered.runner)).collect()
    }

    /// `default`, and the queues its kinds name.
    pub(super) fn default_queues(&self) -> Queues {
        let mut names: Vec<Box<str>> = vec!["default".into()];
        for registered in &self.kinds {
            if !names.contains(&registered.queue) {
                names.push(registered.queue.clone());
            }
        }
        Queues::weighted(names.into_iter().map(|name| (name, 1)))
    }

    pub(super) fn check(&self, values: &Values) -> Result<()> {
        if self.kinds.is_empty() {
            return Err(Error::misuse("the server knows no kinds; add `.job::<your_job>()`"));
        }
        for (index, registered) in self.kinds.iter().enumerate() {
            self.check_name(index, registered)?;
            registered.check_needs(values)?;
        }
        Ok(())
    }

    fn check_name(&self, index: usize, registered: &Registered) -> Result<()> {
        let Some(other) = self.kinds[..index].iter().find(|other| other.kind == registered.kind) else {
            return Ok(());
        };
        Err(Error::misuse(format!(
            "two jobs have the kind `{}`: `{}` and `{}`; give one of them another with \
             `#[job(kind = \"…\")]`, or register it once",
            registered.kind, other.type_name, registered.type_name
        )))
    }
}

impl Registered {
    fn check_needs(&self, values: &Values) -> Result<()> {
        match self.needs.iter().find(|need| !values.has(need.id)) {
            None => Ok(()),
            Some(need) => Err(Error::misuse(format!(
                "job `{}` takes a `{}` from the server, which provides none; add `.provide(value)` or \
                 `.provide_with(|scope| async {{ … }})`",
                self.kind, need.name
            ))),
        }
    }
}

async fn run<J: Job>(ctx: JobContext) -> Outcome {
    let job: J = match ctx.claimed().args.parse() {
        Ok(job) => job,
        Err(error) => return Outcome::Undecodable(Fault::of(&error)),
    };
    let (attempt, token) = (ctx.attempt(), ctx.cancellation().clone());
    match job.run(ctx).await {
        Ok(output) => stored_result(&output).map_or_else(Outcome::FailedForGood, Outcome::Succeeded),
        // It is taken as the stopping, unless it says otherwise by itself.
        Err(error) if token.is_cancelled() => error.into_outcome(),
        Err(error) => with_own_delay::<J>(attempt, error).into_outcome(),
    }
}

/// The result in its stored form; `()` and other nulls are not stored.
pub(crate) fn stored_result<T: serde::Serialize>(output: &T) -> Result<Option<Json>, Fault> {
    match Json::of(output) {
        Ok(json) if json.as_str() == "null" => Ok(None),
        Ok(json) if json.as_str().len() > RESULT_BYTES_MAX => Err(Fault::new(&format!(
            "the result is {} bytes of JSON; the limit is {RESULT_BYTES_MAX}. Store the data and return its id",
            json.as_str().len()
        ))),
        Ok(json) => Ok(Some(json)),
        Err(error) => Err(Fault::of(&error)),
    }
}

/// Lets the kind's own retry function speak, where the error leaves it to the policy.
fn with_own_delay<J: Job>(attempt: u16, error: JobError) -> JobError {
    if !error.is_plain() {
        return error;
    }
    match J::retry_delay(u32::from(attempt), &error) {
        Some(delay) => error.retry_after(delay),
        None => error,
    }
}
