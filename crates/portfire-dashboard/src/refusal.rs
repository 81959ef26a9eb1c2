//! Why a request is not answered as asked.

use axum::http::StatusCode;
use portfire_core::{Error, JobId, State};

use crate::gate::Permission;

/// A result whose error is a refusal.
pub(crate) type Result<T> = std::result::Result<T, Refusal>;

/// Why a request is not answered as asked. Pages show it as a page, the API as a problem document.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is nothing at this address.
    NotFound,
    /// There is no such job, or not for them.
    NoJob,
    /// There is no such schedule, or not for them.
    NoSchedule,
    /// The address does not support the method.
    WrongMethod,
    /// The gate says no, for this reason.
    Denied(Box<str>),
    /// The gate asks who it is: the value of `WWW-Authenticate`.
    Challenge(Box<str>),
    /// The gate sends them there.
    Elsewhere(Box<str>),
    /// Too many wrong passwords.
    TooMany,
    /// They lack this right.
    NoRight(Permission),
    /// It comes from another site.
    CrossSite,
    /// It cannot be understood, for this reason.
    BadRequest(String),
    /// The body is too large.
    TooLarge,
    /// The job is not as the page showed it.
    Changed {
        /// The job.
        job: JobId,
        /// Where it is now.
        state: State,
        /// Whether only the attempt is another one.
        same_state: bool,
    },
    /// Too many pages are live already.
    Busy,
    /// A query took too long and was stopped.
    Slow,
    /// The storage does not answer.
    Storage(Error),
}

impl Refusal {
    /// The status of the answer.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoJob | Self::NoSchedule => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Denied(_) | Self::NoRight(_) | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Challenge(_) => StatusCode::UNAUTHORIZED,
            Self::Elsewhere(_) => StatusCode::SEE_OTHER,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Changed { .. } => StatusCode::CONFLICT,
            Self::Busy | Self::Slow | Self::Storage(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        if error.is_misuse() { Self::BadRequest(error.to_string()) } else { Self::Storage(error) }
    }
}
