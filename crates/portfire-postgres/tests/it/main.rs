//! PostgreSQL against its contract, and what only it has: schemas, roles, plans, many connections, other
//! people's transactions.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]
#![allow(clippy::disallowed_methods, reason = "the tests find their database in the environment")]

mod bed;
mod concurrency;
mod conformance;
mod cost;
mod database;
mod differential;
mod kept;
mod marks;
mod plans;
mod proxy;
mod ride;
mod scale;
mod transactions;
