//! The service as its clients see it: the real program, over HTTP.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]
#![allow(clippy::disallowed_methods, reason = "tests poll over HTTP, in one place")]

mod bed;
mod crash;
mod dashboard;
mod database;
mod fleet;
mod hostile;
mod hosting;
mod schema;
mod service;
mod upkeep;
