//! MySQL and MariaDB against their contract, and what only they have: prefixes, roles, plans, many connections,
//! other people's transactions. Every test is run on both.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]
#![allow(clippy::disallowed_methods, reason = "the tests find their databases in the environment")]

mod bed;
mod concurrency;
mod conformance;
mod cost;
mod database;
mod differential;
mod marks;
mod plans;
mod proxy;
mod scale;
mod tls;
mod transactions;
