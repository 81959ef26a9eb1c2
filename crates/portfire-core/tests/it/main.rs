//! The pure core: exhaustively where that is possible, by property elsewhere.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]

mod backoff;
mod cron;
mod cron_oracle;
mod cron_words;
mod dependency;
mod engine;
mod engine_end;
mod engine_fetch;
mod engine_flush;
mod engine_idle;
mod engine_keeper;
mod engine_lines;
mod engine_schedules;
mod fingerprint;
mod id;
mod job;
mod list;
mod model;
mod names;
mod retries;
mod schedule;
mod settle;
mod settling;
mod steering;
mod table;
mod tally;
mod text;
mod walk;
