//! The façade on real storages: every case runs on the model, on SQLite, PostgreSQL, MariaDB and MySQL. Hosting
//! needs no storage, so its cases also run without features.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]
#![allow(clippy::disallowed_methods, reason = "tests wait in real time, in one place")]

#[cfg(feature = "sqlite")]
mod bed;
#[cfg(feature = "sqlite")]
mod client;
#[cfg(feature = "sqlite")]
mod first_steps;
#[cfg(all(feature = "sqlite", unix))]
mod fleet;
#[cfg(feature = "sqlite")]
mod forms;
#[cfg(feature = "sqlite")]
mod hello;
mod hosting;
#[cfg(feature = "mysql")]
mod mysql;
mod program;
#[cfg(feature = "sqlite")]
mod recurring;
#[cfg(feature = "postgres")]
mod schema;
#[cfg(feature = "sqlite")]
mod server;
#[cfg(feature = "sqlite")]
mod steering;
mod testing;
#[cfg(feature = "sqlite")]
mod transactions;
#[cfg(feature = "sqlite")]
mod treatment;
mod ui;
#[cfg(feature = "sqlite")]
mod values;
