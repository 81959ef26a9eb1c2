//! A failure, and how it wants to be treated: two separate things.
//!
//! Handlers return any error; `?` turns it into a [`JobError`] that is retried by the job's policy. A
//! handler that knows better says so.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use portfire_core::{Fault, Outcome};

/// Why an attempt did not succeed, and what should follow.
///
/// Like `anyhow::Error` it is made from any error by `?`, and for that reason is not one itself.
///
/// ```
/// use portfire::{JobError, ResultExt};
/// use std::time::Duration;
///
/// fn parse(text: &str) -> Result<u32, JobError> {
///     // A typo does not heal: do not retry.
///     Ok(text.parse::<u32>().no_retry()?)
/// }
/// assert!(parse("x").is_err());
/// let busy = JobError::message("the partner is busy").retry_after(Duration::from_secs(30));
/// # let _ = busy;
/// ```
pub struct JobError {
    treatment: Treatment,
    cause: Box<dyn StdError + Send + Sync>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    Retry,
    RetryAfter(Duration),
    NoRetry,
    Cancel,
    Snooze(Duration),
    Interrupted,
    Lost,
}

impl JobError {
    /// A failure that is retried by the job's policy.
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { treatment: Treatment::Retry, cause: cause.into() }
    }

    /// The same, from a message.
    pub fn message(message: impl fmt::Display) -> Self {
        Self::new(message.to_string())
    }

    /// Stops the job: it becomes *cancelled*, with this reason.
    pub fn cancel(reason: impl fmt::Display) -> Self {
        Self { treatment: Treatment::Cancel, ..Self::message(reason) }
    }

    /// Not now: the job runs again after this long. The attempt is not charged.
    pub fn snooze(after: Duration) -> Self {
        Self { treatment: Treatment::Snooze(after), ..Self::message("snoozed") }
    }

    /// The attempt stopped because its cancellation token asked it to.
    pub(crate) fn interrupted() -> Self {
        Self { treatment: Treatment::Interrupted, ..Self::message("interrupted") }
    }

    /// The job is no longer this attempt's: what it does now must not count.
    pub(crate) fn lost() -> Self {
        let words = "the job is not this attempt's any more: its lease was lost, or it has ended otherwise; roll the \
                     transaction back and return (if it still runs, the transaction is in another database)";
        Self { treatment: Treatment::Lost, ..Self::message(words) }
    }

    /// Whether the job turned out to be no longer this attempt's ([`complete_in`](crate::JobContext::complete_in)):
    /// whatever the handler has begun must be rolled back, and nothing that it returns counts.
    pub fn is_lost(&self) -> bool {
        self.treatment == Treatment::Lost
    }

    /// Retry after this long, whatever the policy's curve says. The attempt is charged.
    #[must_use]
    pub fn retry_after(self, delay: Duration) -> Self {
        Self { treatment: Treatment::RetryAfter(delay), ..self }
    }

    /// Another attempt would be useless: the job becomes *failed* now.
    #[must_use]
    pub fn no_retry(self) -> Self {
        Self { treatment: Treatment::NoRetry, ..self }
    }

    /// The error behind it, for a retry function that wants to look.
    pub fn cause(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.cause
    }

    /// How it wants to be treated.
    pub(crate) const fn treatment(&self) -> Treatment {
        self.treatment
    }

    /// The error and its chain of causes, as text.
    pub(crate) fn fault(&self) -> Fault {
        Fault::of(&*self.cause)
    }

    /// Whether the policy decides about the next attempt.
    pub(crate) fn is_plain(&self) -> bool {
        self.treatment == Treatment::Retry
    }

    pub(crate) fn into_outcome(self) -> Outcome {
        let fault = || self.fault();
        match self.treatment {
            Treatment::Retry => Outcome::Failed(fault()),
            Treatment::RetryAfter(delay) => Outcome::RetryAfter(fault(), delay),
            Treatment::NoRetry => Outcome::FailedForGood(fault()),
            Treatment::Cancel => Outcome::Cancelled(fault()),
            Treatment::Snooze(after) => Outcome::Snoozed(after),
            Treatment::Interrupted | Treatment::Lost => Outcome::Interrupted,
        }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.cause, self.treatment)
    }
}

/// Says on the spot how a failure wants to be treated.
pub trait ResultExt<T>: Sized {
    /// Another attempt would be useless.
    ///
    /// # Errors
    /// The same failure, marked.
    fn no_retry(self) -> Result<T, JobError>;

    /// Retry after this long.
    ///
    /// # Errors
    /// The same failure, marked.
    fn retry_after(self, delay: Duration) -> Result<T, JobError>;
}

impl<T, E: Into<JobError>> ResultExt<T> for Result<T, E> {
    fn no_retry(self) -> Result<T, JobError> {
        self.map_err(|error| error.into().no_retry())
    }

    fn retry_after(self, delay: Duration) -> Result<T, JobError> {
        self.map_err(|error| error.into().retry_after(delay))
    }
}
