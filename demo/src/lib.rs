//! The import service: the application that Portfire grew from, on Portfire.
//!
//! Users come in as a CSV file over HTTP; a durable job imports them and survives being killed at any
//! moment; a continuation mails the summary. `README.md` is the tour.
//!
//! Reading order: [`service`] (the whole), [`app`] and [`routes`] (what HTTP answers), [`jobs`] (the
//! work), [`login`] (who sees the dashboard), [`csv_rows`] (what a row is), [`database`] (what is stored).

#![allow(clippy::disallowed_methods, reason = "an application keeps its own time")]
#![allow(clippy::naive_bytecount, reason = "counting line breaks is not the hot part of an import")]

pub mod app;
pub mod cleanup;
pub mod config;
pub mod csv_rows;
pub mod database;
pub mod files;
pub mod i18n;
pub mod jobs;
pub mod login;
pub mod mailer;
pub mod preview;
pub mod routes;
pub mod sample;
pub mod service;
pub mod tour;
