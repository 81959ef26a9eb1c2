//! The façade on real storages: every case runs on the model and on SQLite.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]
#![allow(clippy::disallowed_methods, reason = "tests wait in real time, in one place")]

mod bed;
mod client;
mod recurring;
mod server;
mod testing;
mod values;
