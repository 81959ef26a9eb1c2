//! Refusals as people and programs read them.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::response::Response;
use maud::{Markup, html};
use portfire_core::State;

use super::frame::Page;
use super::{part, see_other};
use crate::ctx::Visit;
use crate::gate::Grant;
use crate::refusal::Refusal;
use crate::routes::Surface;

/// The answer that tells a refusal.
pub(crate) fn respond(visit: &Visit, grant: Option<&Grant>, surface: Surface, refusal: Refusal) -> Response {
    if let (Refusal::Elsewhere(there), Surface::Page) = (&refusal, surface) {
        return see_other(there);
    }
    if let Refusal::Storage(error) = &refusal {
        tracing::error!(%error, path = visit.path, "the dashboard's storage does not answer");
    }
    let mut answer = match surface {
        Surface::Page => page(visit, grant, &refusal),
        Surface::Api | Surface::File => problem(visit, &refusal),
    };
    if let Refusal::Challenge(how) = &refusal
        && let Ok(value) = how.parse()
    {
        answer.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    answer
}

fn page(visit: &Visit, grant: Option<&Grant>, refusal: &Refusal) -> Response {
    let (title, reason) = words(visit, refusal);
    let again = matches!(refusal, Refusal::Storage(_) | Refusal::Slow);
    let content = html! {
        section .refusal {
            p .status { (refusal.status().as_u16()) }
            h1 { (title) }
            p { (reason) }
            @if let Refusal::Changed { job, .. } = refusal {
                p { a .button href=(visit.urls.job(*job)) { (visit.text.see_job()) } }
            } @else if grant.is_some() {
                p {
                    @if again {
                        a .button href=(visit.urls.at(&visit.here())) { (visit.text.retry_page()) } " "
                    }
                    a href=(visit.urls.home()) { (visit.text.back_home()) }
                }
            }
            @if again && let Some(grant) = grant { (last_known(visit, grant)) }
        }
    };
    Page::new(title, content).status(refusal.status()).respond_to(visit, grant)
}

/// The numbers that were seen last, with their age: better than nothing while the storage is away.
fn last_known(visit: &Visit, grant: &Grant) -> Markup {
    let text = visit.text;
    html! {
        @if let Some(glance) = visit.shared.sampler.last_known() {
            h2 { (text.last_known()) " " small { (text.numbers_age(visit.shared.sampler.age(&glance))) } }
            ul .tiles {
                @for state in State::ALL {
                    li {
                        (part::state(text, state)) strong { (part::count(glance.count(state, &grant.scope))) }
                    }
                }
            }
        }
    }
}

/// The title and the sentence.
pub(crate) fn words(visit: &Visit, refusal: &Refusal) -> (&'static str, String) {
    let text = visit.text;
    match refusal {
        Refusal::NotFound => (text.not_found(), text.nothing_here().to_owned()),
        Refusal::NoJob => (text.not_found(), text.no_job().to_owned()),
        Refusal::NoSchedule => (text.not_found(), text.no_schedule().to_owned()),
        Refusal::WrongMethod => (text.bad_request(), text.wrong_method().to_owned()),
        Refusal::Denied(why) => (text.forbidden(), why.to_string()),
        Refusal::Challenge(_) | Refusal::Elsewhere(_) => (text.forbidden(), text.login_needed().to_owned()),
        Refusal::TooMany => (text.forbidden(), text.too_many().to_owned()),
        Refusal::NoRight(right) => (text.forbidden(), text.no_right(*right)),
        Refusal::CrossSite => (text.forbidden(), text.cross_site().to_owned()),
        Refusal::BadRequest(why) => (text.bad_request(), why.clone()),
        Refusal::TooLarge => (text.bad_request(), text.too_large().to_owned()),
        Refusal::Changed { same_state: true, .. } => (text.conflict(), text.changed_attempt()),
        Refusal::Changed { state, .. } => (text.conflict(), text.changed_to(*state)),
        Refusal::Busy => (text.busy(), text.busy_hint().to_owned()),
        Refusal::Slow => (text.slow(), text.slow_hint().to_owned()),
        Refusal::Storage(_) => (text.unavailable(), text.unavailable_hint().to_owned()),
    }
}

/// A problem document (RFC 9457). Its `code` is stable; its sentence is for people.
fn problem(visit: &Visit, refusal: &Refusal) -> Response {
    let (title, detail) = words(visit, refusal);
    let status = match refusal {
        // A program cannot log in on a page.
        Refusal::Elsewhere(_) => axum::http::StatusCode::UNAUTHORIZED,
        other => other.status(),
    };
    let quoted =
        |text: &str| portfire_core::Json::of(text).map_or_else(|_| "\"\"".into(), |json| json.to_string());
    let body = format!(
        "{{\"type\":\"about:blank\",\"status\":{},\"code\":\"{}\",\"title\":{},\"detail\":{}}}",
        status.as_u16(),
        code(refusal),
        quoted(title),
        quoted(&detail)
    );
    let answer = Response::builder().status(status).header(CONTENT_TYPE, "application/problem+json");
    answer.body(Body::from(body)).expect("these headers are well formed")
}

const fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotFound => "not_found",
        Refusal::NoJob => "no_job",
        Refusal::NoSchedule => "no_schedule",
        Refusal::WrongMethod => "wrong_method",
        Refusal::Denied(_) => "denied",
        Refusal::Challenge(_) | Refusal::Elsewhere(_) => "login_needed",
        Refusal::TooMany => "too_many_attempts",
        Refusal::NoRight(_) => "no_right",
        Refusal::CrossSite => "cross_site",
        Refusal::BadRequest(_) => "bad_request",
        Refusal::TooLarge => "too_large",
        Refusal::Changed { .. } => "changed",
        Refusal::Busy => "busy",
        Refusal::Slow => "slow",
        Refusal::Storage(_) => "unavailable",
    }
}
