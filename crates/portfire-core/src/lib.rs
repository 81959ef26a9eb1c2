//! What a background job is, how it moves, and what a storage must do.
//!
//! This crate is pure: it does no I/O, starts nothing, reads no clock and rolls no dice of its own.
//! Time and randomness are arguments, so every decision can be replayed and simulated. Applications
//! use the `portfire` crate; this one is for those who write a backend, a dashboard or a test.
//!
//! Reading order: [`Timestamp`] and [`Dice`] (the two arguments), [`JobId`] and [`Token`] (names),
//! [`State`] (how a job moves), [`Policy`] (how it is retried and kept), [`NewJob`] (what is stored),
//! [`Outcome`] and [`settle`] (what becomes of an attempt), [`Cron`] and [`Schedule`] (what recurs, and
//! when), [`Storage`] (what a backend does), [`engine`] (the server, without I/O).

mod cron;
mod dependency;
mod dice;
pub mod engine;
mod error;
mod fault;
mod fingerprint;
mod id;
mod job;
mod json;
pub mod limits;
mod outcome;
mod policy;
mod retry;
pub mod schedule;
mod settle;
mod state;
pub mod storage;
mod time;

pub use cron::{Cron, Language, Zone};
pub use dependency::{Dependency, Trigger, Verdict};
pub use dice::Dice;
pub use error::{Error, Result};
pub use fault::{Fault, clean_text, first_line};
pub use fingerprint::Fingerprint;
pub use id::{IdSequence, JobId, Lease, ServerId, Token};
pub use job::{NewJob, Start};
pub use json::Json;
pub use outcome::Outcome;
pub use policy::{Keep, Policy, Retention};
pub use retry::Backoff;
pub use schedule::{
    Firing, GRACE, LastRun, Misfire, Order, Overlap, Schedule, ScheduleView, Seen, Slot, SlotFate, SlotPlan,
    Standing, Template,
};
pub use settle::{AttemptRecord, Facts, Settlement, Target, settle};
pub use state::{Cause, Illegal, State};
pub use storage::Storage;
pub use storage::model::ModelStorage;
pub use time::{Clock, Timestamp, VirtualClock};
