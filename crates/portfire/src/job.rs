//! What a job is to the application: a kind, arguments, options, and the function that does the work.
//!
//! [`macro@crate::job`] writes this trait for an ordinary function; it can be written by hand as well.

use std::any::TypeId;
use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use portfire_core::{Backoff, Policy, Retention};

use crate::{Call, JobContext, JobError};

/// A kind of job. The value holds the arguments; they are stored as JSON, by name.
///
/// ```
/// use portfire::{Job, JobContext, JobError, JobOptions};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Greet {
///     name: String,
/// }
///
/// impl Job for Greet {
///     const KIND: &'static str = "greet";
///     type Output = usize;
///
///     fn options() -> JobOptions {
///         JobOptions::new().queue("mail").attempts(3)
///     }
///
///     async fn run(self, _ctx: JobContext) -> Result<usize, JobError> {
///         Ok(self.name.len())
///     }
/// }
///
/// let call = Greet { name: "Ada".into() }.call().priority(-1);
/// # let _ = call;
/// ```
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stable name under which jobs of this kind are stored. Never change it while jobs wait.
    const KIND: &'static str;

    /// What a successful attempt produces. It is stored, and children can read it; `()` stores nothing.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// How jobs of this kind are enqueued unless the call says otherwise.
    fn options() -> JobOptions {
        JobOptions::new()
    }

    /// The values that the handler takes from the server. Checked when the server starts.
    fn needs() -> Vec<Need> {
        Vec::new()
    }

    /// How long to wait before retry number `retry` (the first is 1) after this error. `None`, the
    /// default, leaves it to the policy's [`Backoff`].
    fn retry_delay(retry: u32, error: &JobError) -> Option<Duration> {
        let _ = (retry, error);
        None
    }

    /// Does the work. Dropped at an await when the attempt times out or the server must stop.
    fn run(self, ctx: JobContext) -> impl Future<Output = Result<Self::Output, JobError>> + Send;

    /// This job as a value that can be given options and then enqueued.
    fn call(self) -> Call<Self>
    where
        Self: Sized,
    {
        Call::new(self)
    }
}

/// How jobs of a kind are enqueued unless a call says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOptions {
    pub(crate) queue: Box<str>,
    pub(crate) priority: i16,
    pub(crate) policy: Policy,
    pub(crate) tags: Vec<Box<str>>,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self { queue: "default".into(), priority: 0, policy: Policy::default(), tags: Vec::new() }
    }
}

impl JobOptions {
    /// Queue `default`, priority 0, ten attempts on Hangfire's curve, no timeout, kept one day after
    /// success and for ever after failure.
    pub fn new() -> Self {
        Self::default()
    }

    /// The line the job waits in.
    #[must_use]
    pub fn queue(mut self, name: impl Into<Box<str>>) -> Self {
        self.queue = name.into();
        self
    }

    /// Smaller runs first within a queue.
    #[must_use]
    pub const fn priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// Most attempts, the first included.
    #[must_use]
    pub const fn attempts(mut self, max: u16) -> Self {
        self.policy.attempts_max = max;
        self
    }

    /// How long to wait between attempts.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy.backoff = backoff;
        self
    }

    /// The longest an attempt may take.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeout = Some(timeout);
        self
    }

    /// How long the job is kept after its end.
    #[must_use]
    pub const fn retention(mut self, retention: Retention) -> Self {
        self.policy.retention = retention;
        self
    }

    /// Adds a word to find it by.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Box<str>>) -> Self {
        self.tags.push(tag.into());
        self
    }
}

/// A value that a handler takes from its server. `#[job]` lists one for each `#[from]`; a hand-written
/// [`Job`] lists its own, so that a server without the value is refused when it starts.
///
/// ```
/// use portfire::Need;
///
/// let needs = vec![Need::of::<std::net::TcpListener>()];
/// # assert_eq!(needs.len(), 1);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
}

impl Need {
    /// The need for a `T`.
    pub fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>(), name: std::any::type_name::<T>() }
    }
}

/// What a `#[job]` function may return: `()` or `Result<T, E>`.
#[diagnostic::on_unimplemented(
    message = "a job cannot return `{Self}`",
    label = "return nothing, or a `Result`",
    note = "a job returns `()` or `Result<T, E>`, where `T` can be stored as JSON and `E` is an error"
)]
pub trait IntoAttempt {
    /// What success produces.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// The common form.
    ///
    /// # Errors
    /// Whatever the function returned.
    fn into_attempt(self) -> Result<Self::Output, JobError>;
}

impl IntoAttempt for () {
    type Output = ();

    fn into_attempt(self) -> Result<(), JobError> {
        Ok(())
    }
}

impl<T, E> IntoAttempt for Result<T, E>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    E: Into<JobError>,
{
    type Output = T;

    fn into_attempt(self) -> Result<T, JobError> {
        self.map_err(Into::into)
    }
}
