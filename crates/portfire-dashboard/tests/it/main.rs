//! The dashboard as a browser and a program see it, over the model.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]

mod fixture;
