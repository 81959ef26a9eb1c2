//! The service as its clients see it: the real program, over HTTP.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]
#![allow(clippy::disallowed_methods, reason = "tests poll over HTTP, in one place")]

mod bed;
mod crash;
mod dashboard;
mod hostile;
mod hosting;
mod service;
mod upkeep;
