//! The pure core: exhaustively where that is possible, by property elsewhere.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]

mod engine;
mod names;
mod retries;
mod settling;
mod table;
