//! Portfire on PostgreSQL 13 and later: durable jobs for many servers on many hosts.
//!
//! What it guarantees: what PostgreSQL does. A job that was stored has been committed; with the database's
//! default settings it survives a power cut, and with a synchronous replica the loss of the host. Due times
//! and leases are judged by the database's clock alone. Lost connections, failover and read-only moments are
//! waited out within the deadline of each call.
//!
//! What it costs: a server pays one transaction of four statements in one round trip per batch, whatever the
//! batch, and a job that is enqueued one statement. These are prepared once in each session that is ours alone; behind
//! a pooler in transaction mode, which is noticed, nothing is kept in the session. Only listening for new work needs a
//! connection of its own, and it is optional.
//!
//! The tables share a schema and a prefix and may live in the application's own database; then
//! [`insert_in`] stores jobs, and [`settle_in`] ends them, inside the application's own transaction, and the
//! SQL function `portfire_enqueue(kind, args, …)` enqueues for triggers and other languages.

mod act;
mod claim;
mod error;
mod insert;
mod list;
mod look;
mod mark;
mod migrate;
mod options;
mod plain;
mod poll;
mod pool;
mod ride;
mod rows;
mod schedules;
mod session;
mod settle;
mod statements;
mod statistics;
mod steer;
mod storage;
mod tally;
mod tls;
mod transaction;
mod wake;

pub use options::PostgresOptions;
pub use storage::PostgresStorage;
pub use tokio_postgres;
pub use transaction::{Tables, insert_in, settle_in};
#[cfg(feature = "diesel")]
pub use transaction::{insert_in_diesel, settle_in_diesel};
#[cfg(feature = "diesel-async")]
pub use transaction::{insert_in_diesel_async, settle_in_diesel_async};
#[cfg(feature = "sea-orm")]
pub use transaction::{insert_in_sea_orm, settle_in_sea_orm};
#[cfg(feature = "sqlx")]
pub use transaction::{insert_in_sqlx, settle_in_sqlx};

/// The prefix of table names unless another is chosen.
pub const DEFAULT_PREFIX: &str = "portfire_";
