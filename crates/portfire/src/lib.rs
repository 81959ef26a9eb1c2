#![doc = include_str!("../../../README.md")]

mod call;
mod client;
mod clock;
mod connect;
mod contain;
mod context;
mod duration;
#[cfg(doctest)]
mod guide;
mod handle;
pub mod hosting;
mod job;
mod job_error;
mod layer;
mod recurring;
pub mod server;
mod signals;
mod steering;
pub mod testing;
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
pub use recurring::{Recurring, ScheduleHandle};
pub use server::{Queues, RunningServer, Server};
pub use steering::{QueueHandle, QueueView, ServerHandle};
pub use transaction::OpenTransaction;
pub use values::AttemptScope;

pub use portfire_core::storage::{
    Acted, AuditEntry, AuditId, AuditRequest, Cursor, DeedOutcome, Directed, EndedCount, FaultCursor,
    FaultGroup, FaultGroupRequest, FaultOrder, Filter, JobDetails, JobSummary, Overview, Page, PageRequest,
    ParentResult, PausedQueue, Person, Progress, Put, QueueCount, ServerInfo, ServerOrder, ServerView,
    SlotView, StorageView, Tally, TallyBy, TallyRequest, Target, Via, Width,
};
pub use portfire_core::{
    Backoff, Cron, Error, Fault, Fingerprint, JobId, Json, Keep, LastRun, Misfire, ModelStorage, Outcome,
    Overlap, Policy, Result, Retention, Schedule, ScheduleView, ServerId, Slot, SlotFate, Standing, State,
    Storage, Timestamp, Token, Zone,
};
pub use portfire_macros::job;

/// The embedded SQLite backend.
#[cfg(feature = "sqlite")]
pub mod sqlite {
    #[cfg(feature = "diesel-sqlite")]
    pub use crate::transaction::with_sqlite::{Diesel, diesel};
    #[cfg(feature = "diesel-async-sqlite")]
    pub use crate::transaction::with_sqlite::{DieselAsync, diesel_async};
    pub use crate::transaction::with_sqlite::{Prefixed, prefixed};
    pub use portfire_sqlite::*;
}

/// The PostgreSQL backend.
#[cfg(feature = "postgres")]
pub mod postgres {
    #[cfg(feature = "diesel-postgres")]
    pub use crate::transaction::with_postgres::{Diesel, diesel};
    #[cfg(feature = "diesel-async-postgres")]
    pub use crate::transaction::with_postgres::{DieselAsync, diesel_async};
    pub use crate::transaction::with_postgres::{InTables, in_tables};
    pub use portfire_postgres::*;
}

/// The backend of MariaDB and MySQL.
#[cfg(feature = "mysql")]
pub mod mysql {
    #[cfg(feature = "diesel-mysql")]
    pub use crate::transaction::with_mysql::{Diesel, diesel};
    #[cfg(feature = "diesel-async-mysql")]
    pub use crate::transaction::with_mysql::{DieselAsync, diesel_async};
    pub use crate::transaction::with_mysql::{InTables, in_tables};
    pub use portfire_mysql::*;
}

/// What most programs need: `use portfire::prelude::*;`
pub mod prelude {
    pub use crate::{
        Backoff, Call, DurationExt, Job, JobContext, JobError, JobHandle, JobId, Jobs, Keep, Misfire,
        Overlap, Queues, ResultExt, Retention, Server, State, job,
    };
}

#[doc(hidden)]
pub mod __private {
    pub use crate::job::IntoAttempt;
    pub use serde;
}
