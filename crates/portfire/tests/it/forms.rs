//! Every form that a job may have, under the strictest lints: what the attribute writes may not cause one
//! warning in the program of its user.
#![deny(warnings, clippy::all, clippy::pedantic, rust_2018_idioms, missing_debug_implementations)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use portfire::Job;
use portfire::prelude::*;

use crate::bed::{on_every_backend, stop};

/// Says how often it was asked.
#[derive(Debug, Default)]
pub(crate) struct Bell(AtomicU32);

impl Bell {
    fn ring(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// A view that lives as long as what it looks at.
#[derive(Debug)]
pub(crate) struct View<'a>(&'a str);

/// An error of the application's own.
#[derive(Debug, thiserror::Error)]
#[error("{0} is odd")]
pub(crate) struct Odd(u32);

/// A failure that says itself how it is to be treated.
#[derive(Debug)]
pub(crate) struct Hopeless;

impl From<Hopeless> for JobError {
    fn from(_: Hopeless) -> Self {
        Self::message("hopeless").no_retry()
    }
}

/// Takes one of everything.
///
/// # Panics
/// Never.
#[job(
    kind = "forms.everything",
    queue = "forms",
    priority = -3,
    attempts = 2,
    backoff = Backoff::Fixed(Duration::ZERO),
    retry_delay = at_once,
    timeout = 30.seconds(),
    retention = Retention { failed: Keep::For(1.day()), ..Retention::default() },
    tags = ["a", "b"]
)]
pub(crate) async fn everything(
    #[from] shared: &Bell,
    #[from] made: &mut String,
    #[from] given: Vec<u8>,
    ctx: &JobContext,
    number: u32,
    mut text: String,
    #[serde(default)] added_later: Option<bool>,
    r#type: String,
) -> Result<String, Odd> {
    made.push('!');
    text.push_str(&made[..]);
    let told = (ctx.attempt(), shared.ring(), given.len(), number, added_later, r#type);
    if number % 2 == 1 { Err(Odd(number)) } else { Ok(format!("{text} {told:?}")) }
}

fn at_once(retry: u32, error: &JobError) -> Option<Duration> {
    error.cause().is::<Odd>().then(|| retry.saturating_sub(1) * 1.hour())
}

/// Borrows what has lifetimes, under names of its own.
#[job]
async fn lifetimes<'a, 'b>(
    #[from] view: &'a View<'b>,
    #[from] own: View<'_>,
    #[from] measure: &Box<dyn Fn(&str) -> usize + Send + Sync>,
    ctx: &'a JobContext,
) -> Result<usize, JobError> {
    ctx.log("looks");
    Ok(view.0.len() + own.0.len() + measure("abc"))
}

/// Runs on a thread for blocking work.
#[job]
fn blocking(#[from] bell: &Bell, ctx: &JobContext, _unused: u8, many: Vec<u64>) -> Result<u64, Hopeless> {
    ctx.progress(bell.ring().into(), None);
    many.iter().copied().reduce(u64::max).ok_or(Hopeless)
}

/// Does nothing, returns nothing, and needs no `Result`.
#[job]
async fn nothing() {}

#[job]
#[allow(clippy::many_single_char_names)]
async fn with_attributes(
    #[allow(unused_variables)] a: u8,
    #[cfg(test)] b: u8,
    #[cfg(not(test))] c: Missing,
    #[cfg(not(test))]
    #[from]
    d: &Missing,
    #[cfg(test)]
    #[from]
    e: &Bell,
    ctx: &JobContext,
) -> Result<(u8, u32), JobError> {
    ctx.check_cancelled()?;
    Ok((b, e.ring()))
}

/// Not compiled at all, with everything that became of it.
#[job]
#[cfg(not(test))]
async fn absent(missing: Missing) -> Missing {}

/// Calls itself to be run again, and says under which id.
#[job]
async fn countdown(ctx: &JobContext, from: u32) -> Result<Option<String>, JobError> {
    if from == 0 {
        return Ok(None);
    }
    let next = countdown(from - 1).enqueue(ctx.jobs()).await?;
    Ok(Some(next.id().to_string()))
}

#[job]
#[deprecated(note = "use `nothing`")]
async fn old() {}

/// Names that the attribute uses itself, or that Rust keeps.
#[job]
async fn r#match(run: u8, call: u8, job: u8, needs: u8, error: u8) -> Result<u8, JobError> {
    Ok(run + call + job + needs + error)
}

#[job]
async fn run(options: u8) -> Result<u8, JobError> {
    Ok(options)
}

mod inside {
    use super::{Job, job};

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Private(u8);

    /// Its argument's type is nobody else's business.
    #[job]
    async fn keeps_it_private(#[serde(rename = "p")] private: Private) -> Result<Private, std::fmt::Error> {
        Ok(private)
    }

    pub(super) fn arguments() -> serde_json::Value {
        let _ = keeps_it_private(Private(8));
        serde_json::to_value(keeps_it_private { private: Private(7) }).unwrap()
    }

    pub(super) const KIND: &str = keeps_it_private::KIND;
}

macro_rules! makes_jobs {
    ($($name:ident: $argument:ty, $value:ty;)*) => {
        $(#[job]
        async fn $name(#[from] bell: &$value, number: $argument, ctx: &JobContext) -> Result<$argument, JobError> {
            ctx.log(bell.ring());
            Ok(number)
        })*
    };
}

makes_jobs! {
    of_bytes: u8, Bell;
    of_words: Box<str>, Bell;
}

/// Its span carries the name that was written.
#[job]
#[tracing::instrument(skip(bell))]
async fn traced(#[from] bell: &Bell, argument: u8) -> Result<String, JobError> {
    let span = tracing::Span::current().metadata().map_or("none", tracing::Metadata::name);
    Ok(format!("{span} {argument} {}", bell.ring()))
}

fn server(bed: &crate::bed::Bed) -> Server {
    let measure: Box<dyn Fn(&str) -> usize + Send + Sync> = Box::new(str::len);
    bed.server()
        .provide(Bell::default())
        .provide(measure)
        .provide_with(|_| async { Ok(View("four")) })
        .provide_with(|_| async { Ok(String::from("made")) })
        .provide_with(|_| async { Ok(vec![1_u8, 2, 3]) })
}

#[test]
fn every_kind_of_parameter_arrives() {
    on_every_backend(|bed| async move {
        let server = server(&bed).job::<everything>().job::<lifetimes>().job::<blocking>().job::<nothing>();
        let server = server.start().await.unwrap();
        let all = everything(4, "text".into(), None, "type".into()).enqueue(&bed.jobs).await.unwrap();
        let looks = lifetimes().enqueue(&bed.jobs).await.unwrap();
        let biggest = blocking(0, vec![3, 9, 5]).enqueue(&bed.jobs).await.unwrap();
        let fails = blocking(0, vec![]).enqueue(&bed.jobs).await.unwrap();
        let empty = nothing().enqueue(&bed.jobs).await.unwrap();
        for job in [all.id(), looks.id(), biggest.id(), empty.id()] {
            bed.until(job, State::Succeeded).await;
        }
        let said = bed.jobs.result(&all).await.unwrap().unwrap();
        assert!(said.starts_with("textmade! (1, ") && said.ends_with(r#", 3, 4, None, "type")"#), "{said}");
        assert_eq!(bed.jobs.result(&looks).await.unwrap(), Some(11));
        assert_eq!(bed.jobs.result(&biggest).await.unwrap(), Some(9));
        assert_eq!(bed.until(&fails, State::Failed).await.summary.attempts, 1);
        stop(server).await;
    });
}

#[test]
fn options_are_those_of_the_attribute() {
    on_every_backend(|bed| async move {
        let job = everything(1, String::new(), Some(true), String::new()).enqueue(&bed.jobs).await.unwrap();
        let details = bed.jobs.get(&job).await.unwrap().unwrap();
        let (summary, policy) = (&details.summary, &details.policy);
        assert_eq!((&*summary.kind, &*summary.queue, summary.priority), ("forms.everything", "forms", -3));
        assert_eq!((policy.attempts_max, policy.timeout), (2, Some(30.seconds())));
        assert_eq!(
            (&policy.backoff, policy.retention.failed),
            (&Backoff::Fixed(Duration::ZERO), Keep::For(1.day()))
        );
        assert_eq!(details.summary.tags, ["a".into(), "b".into()]);
        assert_eq!(details.args.as_str(), r#"{"number":1,"text":"","added_later":true,"type":""}"#);
        let server = server(&bed).job::<everything>().start().await.unwrap();
        let details = bed.until(&job, State::Failed).await;
        assert_eq!(&*details.history[1].fault.as_ref().unwrap().message, "1 is odd");
        stop(server).await;
    });
}

#[test]
fn attributes_of_functions_and_parameters_keep_their_meaning() {
    on_every_backend(|bed| async move {
        let server = server(&bed).job::<with_attributes>().job::<traced>().slots(1).start().await.unwrap();
        let conditional = with_attributes(1, 2).enqueue(&bed.jobs).await.unwrap();
        let traced = traced(7).enqueue(&bed.jobs).await.unwrap();
        bed.until(&conditional, State::Succeeded).await;
        assert_eq!(bed.jobs.result(&conditional).await.unwrap(), Some((2, 1)));
        bed.until(&traced, State::Succeeded).await;
        let said = bed.jobs.result(&traced).await.unwrap().unwrap();
        assert!(["none 7 2", "traced 7 2"].contains(&&*said), "{said}");
        stop(server).await;
    });
}

#[test]
fn a_job_can_enqueue_itself() {
    on_every_backend(|bed| async move {
        let server = server(&bed).job::<countdown>().start().await.unwrap();
        let mut job = countdown(2).enqueue(&bed.jobs).await.unwrap().id();
        for _ in 0..2 {
            bed.until(job, State::Succeeded).await;
            let next: Option<String> = bed.jobs.result_as(job).await.unwrap();
            job = next.expect("it names the next").parse().unwrap();
        }
        bed.until(job, State::Succeeded).await;
        assert_eq!(bed.jobs.result_as::<Option<String>>(job).await.unwrap(), None);
        stop(server).await;
    });
}

#[test]
fn names_that_rust_or_the_attribute_uses_are_free() {
    on_every_backend(|bed| async move {
        #[job]
        async fn local(r#fn: inside_out::Value) -> Result<u8, JobError> {
            Ok(r#fn.0)
        }
        mod inside_out {
            #[derive(serde::Serialize, serde::Deserialize)]
            pub(super) struct Value(pub(super) u8);
        }
        let server =
            server(&bed).job::<r#match>().job::<run>().job::<local>().job::<of_bytes>().job::<of_words>();
        let server = server.start().await.unwrap();
        let sum = r#match(1, 2, 3, 4, 5).enqueue(&bed.jobs).await.unwrap();
        let same = run(6).enqueue(&bed.jobs).await.unwrap();
        let inner = local(inside_out::Value(7)).enqueue(&bed.jobs).await.unwrap();
        let byte = of_bytes(8).enqueue(&bed.jobs).await.unwrap();
        let word = of_words("nine".into()).enqueue(&bed.jobs).await.unwrap();
        for job in [sum.id(), same.id(), inner.id(), byte.id(), word.id()] {
            bed.until(job, State::Succeeded).await;
        }
        assert_eq!(bed.jobs.result(&sum).await.unwrap(), Some(15));
        assert_eq!(bed.jobs.result(&same).await.unwrap(), Some(6));
        assert_eq!(bed.jobs.result(&inner).await.unwrap(), Some(7));
        assert_eq!(bed.jobs.result(&byte).await.unwrap(), Some(8));
        assert_eq!(bed.jobs.result(&word).await.unwrap().as_deref(), Some("nine"));
        let kinds = [r#match::KIND, run::KIND, local::KIND, of_bytes::KIND, inside::KIND];
        assert_eq!(kinds, ["match", "run", "local", "of_bytes", "keeps_it_private"]);
        assert_eq!(inside::arguments(), serde_json::json!({ "p": 7 }));
        stop(server).await;
    });
}

#[test]
fn a_deprecated_job_warns_where_it_is_called_and_goes_on_being_served() {
    assert_eq!(old::KIND, "old");
    #[expect(deprecated)]
    let _ = old();
    let _ = std::any::type_name::<countdown>();
}
