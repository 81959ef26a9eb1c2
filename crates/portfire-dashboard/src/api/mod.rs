//! The same for programs: everything that the pages show and do, as JSON under `/api/v1`.
//!
//! 1. A request comes the way of every other: the table of routes, the gate, the right, the same site.
//! 2. What it reads comes through the same reader, so scope and hidden values are those of the pages
//!    (`read.rs`); what it does goes through the same actions (`act.rs`).
//! 3. A body is a flat JSON object ([`body`]). A field that a route does not know is refused: what was
//!    misspelled is never silently left out.
//! 4. The answer is written as text ([`write`]), so that arguments keep every digit; `shape.rs` says what
//!    each thing looks like. A refusal is a problem document (RFC 9457).
//!
//! Names are those of `openapi.json`, which a test compares with the table and with answers. Ids are strings,
//! times RFC 3339 in UTC with microseconds, durations whole milliseconds.

pub(crate) mod act;
pub(crate) mod body;
pub(crate) mod read;
mod shape;
mod write;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;

use self::write::{Object, Value};
use crate::ctx::Ctx;
use crate::refusal::{Refusal, Result};

/// The description of it all.
const DOCUMENT: &str = include_str!("../../openapi.json");

/// An answer of this JSON.
fn answer(value: impl Into<Value>) -> Response {
    with_body(value.into().into_text())
}

/// A list, with what continues it.
fn list(items: Vec<Value>, next: Option<String>) -> Object {
    Object::new().with("items", items).with("next", next.as_deref())
}

/// The description itself, which is no secret.
pub(crate) fn document() -> Response {
    with_body(DOCUMENT.to_owned())
}

fn with_body(text: String) -> Response {
    let answer = Response::builder().header(CONTENT_TYPE, "application/json");
    answer.body(Body::from(text)).expect("this header is well formed")
}

/// Refuses a query with a name that the route does not know.
fn known(ctx: &Ctx, names: &[&str]) -> Result<()> {
    match ctx.query.iter().find(|(name, _)| !names.contains(name) && *name != "lang") {
        Some((name, _)) => {
            Err(Refusal::BadRequest(format!("unknown parameter `{name}`; there are: {}", names.join(", "))))
        }
        None => Ok(()),
    }
}

/// A value of the query in its own form; `None` if there is none.
fn asked<T: std::str::FromStr>(ctx: &Ctx, name: &str) -> Result<Option<T>> {
    let wrong = || Refusal::BadRequest(format!("`{name}` is not of the form it must have"));
    ctx.query.get(name).map(|text| text.parse().map_err(|_| wrong())).transpose()
}
