//! The pure core: exhaustively where that is possible, by property elsewhere.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]

mod backoff;
mod cron;
mod engine;
mod id;
mod job;
mod list;
mod model;
mod names;
mod retries;
mod schedule;
mod settle;
mod settling;
mod table;
mod text;
