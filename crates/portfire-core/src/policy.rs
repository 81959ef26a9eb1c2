//! How a job is retried, timed out and kept. Stored with each job, so that any server can decide its
//! fate, even one that does not know its kind.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Backoff, Error, Json, Result, State};

/// One day: Hangfire's `JobExpirationTimeout`, long enough to look into yesterday's run.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What becomes of a job when an attempt fails, hangs or ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Most attempts, the first included; at least 1. Default 10.
    pub attempts_max: u16,
    /// How long to wait between attempts. Default: Hangfire's curve.
    pub backoff: Backoff,
    /// The longest an attempt may take; it is then interrupted and counts as failed. Default: no limit.
    pub timeout: Option<Duration>,
    /// How long the job is kept after its end.
    pub retention: Retention,
}

impl Default for Policy {
    fn default() -> Self {
        Self { attempts_max: 10, backoff: Backoff::default(), timeout: None, retention: Retention::default() }
    }
}

impl Policy {
    /// The stored form; `None` for the default policy, which most jobs have.
    pub fn to_json(&self) -> Option<Json> {
        if *self == Self::default() {
            return None;
        }
        Some(Json::of(self).expect("a policy is plain data and always has a JSON form"))
    }

    /// Reads the stored form. A part that cannot be read is as by default: it may be of a later version, in the eyes of a
    /// server that is not upgraded yet, and one such job must keep no server from its work.
    ///
    /// ```
    /// use portfire_core::Policy;
    ///
    /// let later = r#"{"attempts_max":3,"backoff":{"Lunar":{"phases":4}}}"#;
    /// assert_eq!(Policy::from_json(Some(later)), Policy { attempts_max: 3, ..Policy::default() });
    /// ```
    pub fn from_json(stored: Option<&str>) -> Self {
        let Some(json) = stored.map(Json::trusted) else { return Self::default() };
        json.parse().unwrap_or_else(|_| Self::of_parts(json.parse().unwrap_or_default()))
    }

    fn of_parts(mut parts: Map<String, Value>) -> Self {
        let alone = |name: &String, part: &Value| Map::from_iter([(name.clone(), part.clone())]);
        let read = |parts| serde_json::from_value::<Self>(Value::Object(parts));
        parts.retain(|name, part| read(alone(name, part)).is_ok());
        read(parts).unwrap_or_default()
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Error::is_misuse`] for zero attempts or a zero timeout.
    pub fn check(&self) -> Result<()> {
        if self.attempts_max == 0 {
            return Err(Error::misuse("`attempts` is 0, so the job could never run; 1 means no retry"));
        }
        if self.timeout == Some(Duration::ZERO) {
            return Err(Error::misuse("`timeout` is zero, so every attempt would time out"));
        }
        Ok(())
    }
}

/// How long a job is kept after its end, by how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// After success. Default one day.
    pub succeeded: Keep,
    /// After giving up. Default for ever: a failure is there until somebody has seen it.
    pub failed: Keep,
    /// After being cancelled. Default one day.
    pub cancelled: Keep,
}

impl Default for Retention {
    fn default() -> Self {
        Self { succeeded: Keep::For(DAY), failed: Keep::Forever, cancelled: Keep::For(DAY) }
    }
}

impl Retention {
    /// How long a job that ended in `state` is kept; jobs that have not ended are always kept.
    pub const fn of(&self, state: State) -> Keep {
        match state {
            State::Succeeded => self.succeeded,
            State::Failed => self.failed,
            State::Cancelled => self.cancelled,
            _ => Keep::Forever,
        }
    }
}

/// How long something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// This long, then pruned.
    For(Duration),
    /// Until somebody deletes it.
    Forever,
}

impl From<Duration> for Keep {
    fn from(duration: Duration) -> Self {
        Self::For(duration)
    }
}
