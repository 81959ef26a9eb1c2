//! SQLite against its contract, and what only SQLite has: a file, a prefix, other people's transactions.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]

mod conformance;
mod file;
mod schedules;
mod transactions;
