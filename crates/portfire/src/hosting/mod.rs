//! How an application runs its long-lived parts together: services, timers, a bounded queue, durable servers,
//! a web server. Needs no storage.
//!
//! ```no_run
//! use portfire::hosting::{Every, Host, TaskQueue};
//! use portfire::prelude::*;
//!
//! #[tokio::main]
//! async fn main() -> portfire::Result<()> {
//!     let previews = TaskQueue::new("previews");
//!     Host::new()
//!         .service("database", async |_ctx| Ok(()))
//!         .background("mirror", |ctx| async move {
//!             while ctx.sleep(1.minute()).await { /* copy what is new */ }
//!             Ok(())
//!         })
//!         .periodic("cleanup", Every::interval(1.hour()), |_tick| async { Ok(()) })
//!         .queue(&previews)
//!         .run()
//!         .await
//! }
//! ```
//!
//! Reading order: [`Host`] (what runs together), [`Service`] (what is started and stopped), [`Background`] and
//! [`Periodic`] (what works by itself), [`TaskQueue`] (what works for others), [`Lifetime`] (when), [`Health`]
//! (how it is), [`Report`] (how it ended), [`testing`].
//!
//! Inside: `plan` (order and budget, pure), `run` (performs the plan), `supervise` and `pace` (restarts and
//! ticks, pure), `queue::line` (who gives way, pure).

mod background;
mod durable;
mod health;
mod host;
mod lifetime;
mod metrics;
mod pace;
mod periodic;
mod plan;
mod queue;
mod report;
mod run;
mod service;
mod signals;
mod supervise;
mod systemd;
mod task;
pub mod testing;
mod vitals;
#[cfg(feature = "web")]
mod web;

pub use background::Background;
pub use health::{CheckHealth, Health, HealthReport, ServiceHealth};
pub use host::{Host, Part};
pub use lifetime::{Lifetime, StopCause};
pub use periodic::{Every, Periodic, Tick};
pub use plan::Order;
pub use queue::{
    DroppedTask, Inline, TaskContext, TaskFailure, TaskHandle, TaskId, TaskQueue, TaskQueueBuilder,
    TaskState, WhenFull,
};
pub use report::{Fate, Leftover, Report, ServiceEnd, ServiceReport};
pub use run::RunningHost;
pub use service::{Hooks, Service, ServiceContext, on_start, on_stop};
pub use supervise::{GiveUp, OnEnd, OnFailure, Restart};
pub use vitals::{ServiceState, Status};
#[cfg(feature = "web")]
pub use web::Web;
