#![doc = include_str!("../../../README.md")]

mod call;
mod client;
mod clock;
mod connect;
mod contain;
mod context;
mod duration;
mod handle;
pub mod hosting;
mod job;
mod job_error;
mod layer;
pub mod server;
mod transaction;
mod values;

pub use call::Call;
pub use client::Jobs;
pub use context::JobContext;
pub use duration::DurationExt;
pub use handle::JobHandle;
pub use job::{Job, JobOptions, Need};
pub use job_error::{JobError, ResultExt};
pub use layer::{Layer, Next};
pub use server::{Queues, RunningServer, Server};
pub use transaction::EnqueueTarget;
pub use values::AttemptScope;

pub use portfire_core::storage::{
    Acted, Cursor, Filter, JobDetails, JobSummary, Overview, Page, PageRequest, ParentResult, Progress,
};
pub use portfire_core::{
    Backoff, Error, Fault, JobId, Json, Keep, ModelStorage, Outcome, Policy, Result, Retention, ServerId,
    State, Storage, Timestamp, Token,
};
pub use portfire_macros::job;

/// The embedded SQLite backend.
#[cfg(feature = "sqlite")]
pub mod sqlite {
    pub use crate::transaction::{Prefixed, prefixed};
    pub use portfire_sqlite::*;
}

/// What most programs need: `use portfire::prelude::*;`
pub mod prelude {
    pub use crate::{
        Backoff, Call, DurationExt, Job, JobContext, JobError, JobHandle, JobId, Jobs, Keep, Queues,
        ResultExt, Retention, Server, State, job,
    };
}

/// The chapters of the guide, so that their programs are compiled and run with the tests, in both languages.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../docs/guide/en/from-background-service.md")]
    mod from_background_service {}
    #[doc = include_str!("../../../docs/guide/zh-TW/from-background-service.md")]
    mod from_background_service_zh_tw {}
    #[doc = include_str!("../../../docs/guide/en/from-channel-queues.md")]
    mod from_channel_queues {}
    #[doc = include_str!("../../../docs/guide/zh-TW/from-channel-queues.md")]
    mod from_channel_queues_zh_tw {}
}

#[doc(hidden)]
pub mod __private {
    pub use crate::job::IntoAttempt;
    pub use serde;
}
