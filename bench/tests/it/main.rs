//! The measuring stick as its users start it.

mod run;
