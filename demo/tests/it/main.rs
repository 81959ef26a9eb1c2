//! The service as its clients see it: the real program, over HTTP.

mod bed;
mod crash;
mod hostile;
mod service;
