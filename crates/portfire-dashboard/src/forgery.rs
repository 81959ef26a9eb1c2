//! Requests that another site makes in the name of who is logged in: refused.
//!
//! No tokens, no cookies, no session: the browser itself says where a request comes from. Over HTTPS and on
//! localhost it sends `Sec-Fetch-Site`; elsewhere it sends `Origin` with every request that is not a GET. A
//! program that is no browser sends neither, and shows that it is none by a bearer token, which no page of
//! another site can make a browser send.
//!
//! For the API it is enough that it sends JSON, and nothing that browsers send: no `Origin`, `Referer`, `Cookie`
//! or `Sec-…`. A page of another site cannot make a browser send JSON without asking first (a form has three
//! types, none of them this one; `fetch` without such a question and `sendBeacon` are held to the same three), and
//! such questions are not answered. Where that was not held to, in beacons of browsers of 2017 and by plugins that
//! are gone, what came had an origin or a cookie.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN, REFERER};
use axum::http::{HeaderMap, HeaderName};

/// Whether a request that changes something may come from where it comes from.
///
/// `trusted` are further origins (`https://jobs.example`), for a proxy that rewrites `Host`.
pub(crate) fn is_same_site(headers: &HeaderMap, trusted: &[Box<str>]) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let origin = text(ORIGIN.as_str());
    let is_trusted = origin.is_some_and(|origin| trusted.iter().any(|known| **known == *origin));
    match (text("sec-fetch-site"), origin) {
        (Some("same-origin"), _) => true,
        (Some(_), _) => is_trusted,
        (None, Some(origin)) => is_trusted || text(HOST.as_str()).is_some_and(|host| is_of(origin, host)),
        (None, None) => text(AUTHORIZATION.as_str())
            .is_some_and(|value| value.to_ascii_lowercase().starts_with("bearer ")),
    }
}

/// Whether this comes from no browser: it is JSON, with nothing that browsers send of their own accord.
pub(crate) fn is_program(headers: &HeaderMap) -> bool {
    let tells =
        |name: &HeaderName| [ORIGIN, REFERER, COOKIE].contains(name) || name.as_str().starts_with("sec-");
    let is_silent = !headers.keys().any(tells);
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    is_silent
        && kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether this is the origin of this host. `null` is of none.
fn is_of(origin: &str, host: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, authority)| !host.is_empty() && authority == host)
}

#[cfg(test)]
mod tests {
    use super::{is_program, is_same_site};
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn only_the_page_itself_and_programs_with_a_token_may_change_anything() {
        let trusted: [Box<str>; 1] = ["https://jobs.example".into()];
        for (pairs, allowed) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://a:1"), ("host", "a:1")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "cross-site"), ("authorization", "Bearer x")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://jobs.example")], true),
            (&[("origin", "http://a:1"), ("host", "a:1")], true),
            (&[("origin", "http://a:2"), ("host", "a:1")], false),
            (&[("origin", "null"), ("host", "a:1")], false),
            (&[("origin", "null"), ("host", "")], false),
            (&[("origin", "https://jobs.example"), ("host", "10.0.0.1")], true),
            (&[("host", "a:1")], false),
            (&[("host", "a:1"), ("authorization", "Basic x")], false),
            (&[("host", "a:1"), ("authorization", "Bearer x")], true),
        ] {
            assert_eq!(is_same_site(&headers(pairs), &trusted), allowed, "{pairs:?}");
        }
    }

    #[test]
    fn a_program_sends_json_and_says_no_origin() {
        for (pairs, expected) in [
            (&[("content-type", "application/json")][..], true),
            (&[("content-type", "Application/JSON; charset=utf-8")], true),
            (&[("content-type", "text/plain; application/json")], false),
            (&[], false),
            (&[("content-type", "application/json"), ("origin", "null")], false),
            (&[("content-type", "application/json"), ("sec-fetch-site", "none")], false),
            (&[("content-type", "application/json"), ("sec-fetch-mode", "no-cors")], false),
            (&[("content-type", "application/json"), ("sec-ch-ua", "x")], false),
            (&[("content-type", "application/json"), ("referer", "https://evil.example/")], false),
            (&[("content-type", "application/json"), ("cookie", "session=1")], false),
            (&[("content-type", "text/plain")], false),
            (&[("content-type", "application/x-www-form-urlencoded")], false),
            (&[("content-type", "multipart/form-data; boundary=application/json")], false),
        ] {
            assert_eq!(is_program(&headers(pairs)), expected, "{pairs:?}");
        }
    }
}
