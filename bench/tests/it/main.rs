//! The measuring stick as its users start it.
#![allow(clippy::disallowed_methods, reason = "the tests find their database in the environment")]

mod run;
