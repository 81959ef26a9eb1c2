//! What everybody is measured by, in whichever program: the workloads, the arguments of the jobs, the clocks and
//! the costs of a process. And how a program of peers takes part: it implements [`Peer`] and calls [`take_part`].
//!
//! 1. The measuring stick asks a program who is in it (`--who`), and starts it again for each run of one.
//! 2. The program reads its [`Task`] from its standard input, opens the database, stores the backlog, says that it is
//!    ready, and waits for the word to go.
//! 3. It works, says what that cost, and ends.
//!
//! It opens no database and knows no peer; those have crates and dependencies of their own.

pub mod arrivals;
pub mod cost;
mod course;
pub mod load;
pub mod payload;
mod peer;
pub mod stopwatch;
pub mod talk;
pub mod workload;

use std::error::Error;

pub use peer::{Entry, Peer, Server, Takes, entry, take_part};
pub use talk::Task;

/// A result whose error only has to be read by a person.
pub type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;
