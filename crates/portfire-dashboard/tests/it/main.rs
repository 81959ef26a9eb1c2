//! The dashboard as browsers and programs see it, over the model.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::pedantic)]

mod acting;
mod alike;
mod api;
mod bounds;
mod browser;
mod chromium;
mod fixture;
mod gates;
mod hostile;
mod live;
mod malformed;
mod markup;
mod mounts;
mod pages;
mod served;
mod site;
mod storages;
mod table;
