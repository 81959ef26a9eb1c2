//! The façade on real storages: every case runs on the model and on SQLite.
#![allow(clippy::disallowed_methods, missing_docs, reason = "tests wait in real time, in one place")]

mod bed;
mod client;
mod server;
mod values;
