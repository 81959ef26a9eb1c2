//! The tests' own tools: the model under its suite, the simulator on good and bad storages.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]

mod bugs;
mod differential;
mod model;
mod recurring;
mod sim;
