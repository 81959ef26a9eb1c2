//! The pages: each a function from what was read to HTML.

pub(crate) mod about;
pub(crate) mod alike;
pub(crate) mod audit;
pub(crate) mod chart;
pub(crate) mod confirm;
pub(crate) mod failed;
pub(crate) mod frame;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod life;
pub(crate) mod notice;
pub(crate) mod overview;
pub(crate) mod part;
pub(crate) mod queues;
pub(crate) mod recurring;
pub(crate) mod refusal;
pub(crate) mod schedule;
pub(crate) mod servers;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::response::Response;

use crate::ctx::{Ctx, Theme};
use crate::refusal::{Refusal, Result};
use crate::{assets, language};

/// The cookie that keeps the theme.
pub(crate) const THEME_COOKIE: &str = "portfire_theme";
/// The cookie that keeps the language.
pub(crate) const LANGUAGE_COOKIE: &str = "portfire_lang";

/// An embedded file.
pub(crate) fn asset(ctx: &Ctx) -> Result<Response> {
    let name = ctx.params.first().map_or("", |name| &**name);
    assets::find(name, &ctx.headers, &ctx.urls).ok_or(Refusal::NotFound)
}

/// Keeps how a visitor wants to see the dashboard, and shows the page again.
pub(crate) fn preferences(ctx: &Ctx) -> Response {
    let theme = ctx.form.get("theme").map(|word| (THEME_COOKIE, Theme::of(word).as_str()));
    let tongue =
        ctx.form.get("lang").and_then(language::of_tag).map(|known| (LANGUAGE_COOKIE, language::tag(known)));
    let mut answer = see_other(&ctx.urls.back(ctx.form.get("back")));
    for (name, value) in theme.into_iter().chain(tongue) {
        let cookie = format!("{name}={value}; Path={}; Max-Age=31536000; SameSite=Lax", ctx.urls.home());
        answer.headers_mut().append(SET_COOKIE, cookie.parse().expect("a mount point is plain text"));
    }
    answer
}

/// Sends a browser there, to look.
pub(crate) fn see_other(there: &str) -> Response {
    let answer = Response::builder().status(StatusCode::SEE_OTHER).header(LOCATION, there);
    answer.body(Body::empty()).unwrap_or_else(|_| {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::BAD_REQUEST;
        answer
    })
}
