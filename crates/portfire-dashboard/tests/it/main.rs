//! The dashboard as browsers and programs see it, over the model.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::pedantic)]

mod acting;
mod alike;
mod api;
mod away;
mod bounds;
mod browser;
mod chromium;
mod cron;
mod fixture;
mod fuzz;
mod gates;
mod hands;
mod hostile;
mod live;
mod malformed;
mod markup;
#[cfg(target_os = "linux")]
mod memory;
mod mounts;
mod pages;
mod reading;
mod rights;
mod search;
mod served;
mod site;
mod storages;
mod table;
mod tabs;
