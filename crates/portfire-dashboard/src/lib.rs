//! See and steer every background job: a dashboard for Portfire, mounted into any axum application.
//!
//! ```
//! use std::sync::Arc;
//! use portfire_core::{ModelStorage, Storage, VirtualClock};
//!
//! let storage: Arc<dyn Storage> = Arc::new(ModelStorage::new(Arc::new(VirtualClock::default())));
//! let app: axum::Router = axum::Router::new().nest_service("/jobs", portfire_dashboard::dashboard(storage).build());
//! # let _ = app;
//! ```
//!
//! Without a gate it answers this machine only ([`LoopbackGate`]), and has to see who asks: serve the
//! application with `into_make_service_with_connect_info::<SocketAddr>()`. With a gate it answers whom the
//! gate lets in ([`Builder::gate`]): the host's own login, names and passwords ([`BasicGate`]), or tokens
//! ([`BearerGate`]).
//!
//! # Where it may be mounted
//! Anywhere: `nest_service("/jobs", …)` answers `/jobs` and `/jobs/`; `nest("/jobs", …)` answers `/jobs` alone;
//! `merge(…)` and serving it by itself put it at the root. The prefix is found out at each request. Behind a
//! proxy that strips a prefix, say so with [`Builder::base_path`].
//!
//! # The life of a request, through the files
//! 1. `serve.rs`: the address is looked up in the one table of `routes.rs`; what is not in it does not exist.
//! 2. `forgery.rs`: what would change something must come from the dashboard itself.
//! 3. `gate/`: who it is, what they may do, which queues exist for them.
//! 4. The route's permission is asked for; `ctx.rs` is what a page then knows.
//! 5. `page/` reads through `reader.rs` (which keeps to the scope, hides what may not be seen, and stops what
//!    takes too long) and steers through `actions.rs`.
//!    `api/` does the same for programs.
//! 6. `page/frame.rs` puts the frame around it; `headers.rs` the headers.
//!
//! What it deliberately does not do: start tasks, keep sessions, or count what grows.

mod actions;
mod api;
mod assets;
mod builder;
mod clock;
mod ctx;
mod filter;
mod forgery;
mod gate;
#[cfg(doctest)]
mod guide;
mod headers;
mod json;
mod language;
mod live;
mod messages;
mod page;
mod pairs;
mod reader;
mod refusal;
mod routes;
mod sampler;
mod serve;
mod time;
mod urls;

pub use builder::{Builder, dashboard};
pub use gate::{
    Access, Answer, BasicGate, BearerGate, Gate, Grant, LoopbackGate, PasswordHash, Permission, Permissions,
    Scope, hash_password,
};
pub use routes::{Effect, Method, Route, Surface, routes};
