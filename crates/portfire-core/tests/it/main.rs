//! The pure core: exhaustively where that is possible, by property elsewhere.
#![allow(missing_docs)]

mod engine;
mod names;
mod retries;
mod settling;
mod table;
