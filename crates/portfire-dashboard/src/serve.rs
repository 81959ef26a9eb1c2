//! From a request to its answer.
//!
//! 1. Where the dashboard is mounted, and in which language and theme the visitor reads.
//! 2. The route, from the one table. Embedded files are answered at once.
//! 3. The gate. Who may not come in learns nothing, not even which addresses exist.
//! 4. The method, the right, and for what changes something: where the request comes from.
//! 5. The form or the JSON, which is small.
//! 6. The answer, or the refusal as a page or a problem document; and the headers.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{OriginalUri, Request};
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method as HttpMethod};
use axum::response::Response;
use portfire_core::Language;
use portfire_core::storage::Via;

use crate::ctx::{Ctx, Shared, Theme, Visit};
use crate::gate::{Access, Grant, Permissions};
use crate::messages::Text;
use crate::pairs::Pairs;
use crate::refusal::{Refusal, Result};
use crate::routes::{Effect, Found, Method, Route, Surface, find};
use crate::urls::Urls;
use crate::{api, forgery, headers, language, page};

/// Largest form, in bytes: 200 selected jobs and their reason.
const FORM_BYTES_MAX: usize = 64 << 10;
/// What asks for the content of a page alone.
pub(crate) const FRAGMENT: &str = "text/vnd.portfire.fragment+html";

/// Answers one request.
pub(crate) async fn serve(shared: Arc<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let visit = visit(shared, &parts);
    let found = method(&parts.method).map_or(Found::Nothing, |method| find(method, &visit.path));
    let surface = match &found {
        Found::Route(route, _) | Found::OtherMethod(route) => route.surface,
        Found::Nothing if visit.path.starts_with("/api/") => Surface::Api,
        Found::Nothing => Surface::Page,
    };
    let (answer, grant) = match answer(&visit, &parts, body, found).await {
        Ok(response) => (Ok(response), None),
        Err((refusal, grant)) => (Err(refusal), grant),
    };
    let mut response =
        answer.unwrap_or_else(|refusal| page::refusal::respond(&visit, grant.as_ref(), surface, refusal));
    headers::add(response.headers_mut());
    response
}

type Refused = (Refusal, Option<Grant>);

async fn answer(
    visit: &Visit,
    parts: &Parts,
    body: axum::body::Body,
    found: Found,
) -> std::result::Result<Response, Refused> {
    let public = matches!(&found, Found::Route(route, _) if route.permission.is_none());
    let grant = if public {
        Grant::new("", Permissions::none())
    } else {
        admit(visit.shared.gate.access(parts).await).map_err(|refusal| (refusal, None))?
    };
    let refuse = |refusal| (refusal, Some(grant.clone()));
    let (route, params) = match found {
        Found::Route(route, params) => (route, params),
        Found::OtherMethod(_) => return Err(refuse(Refusal::WrongMethod)),
        Found::Nothing => return Err(refuse(Refusal::NotFound)),
    };
    check(visit, &grant, route).map_err(refuse)?;
    let form = match route.method {
        Method::Get => Pairs::default(),
        Method::Post => {
            let bytes = to_bytes(body, FORM_BYTES_MAX).await.map_err(|_| refuse(Refusal::TooLarge))?;
            match route.surface {
                Surface::Api => api::body::pairs(&bytes).map_err(refuse)?,
                Surface::Page | Surface::File => Pairs::parse(&bytes),
            }
        }
    };
    let via = if route.surface == Surface::Api { Via::Api } else { Via::Dashboard };
    let ctx = Ctx { visit: visit.clone(), grant: grant.clone(), via, params, form };
    (route.answer)(ctx).await.map_err(refuse)
}

/// Whether this visitor may take this route from where they come.
fn check(visit: &Visit, grant: &Grant, route: &Route) -> Result<()> {
    let lacking = route.permission.filter(|permission| !grant.can.has(*permission));
    let is_program = || route.surface == Surface::Api && forgery::is_program(&visit.headers);
    if route.effect != Effect::Nothing
        && !forgery::is_same_site(&visit.headers, &visit.shared.trusted_origins)
        && !is_program()
    {
        return Err(Refusal::CrossSite);
    }
    lacking.map_or(Ok(()), |permission| Err(Refusal::NoRight(permission)))
}

fn admit(access: Access) -> Result<Grant> {
    match access {
        Access::Granted(grant) => Ok(grant),
        Access::Denied(why) => Err(Refusal::Denied(why)),
        Access::Challenge(how) => Err(Refusal::Challenge(how)),
        Access::Redirect(there) => Err(Refusal::Elsewhere(there)),
        Access::TooMany => Err(Refusal::TooMany),
    }
}

fn method(method: &HttpMethod) -> Option<Method> {
    match *method {
        HttpMethod::GET | HttpMethod::HEAD => Some(Method::Get),
        HttpMethod::POST => Some(Method::Post),
        _ => None,
    }
}

fn visit(shared: Arc<Shared>, parts: &Parts) -> Visit {
    let path = parts.uri.path().to_owned();
    let query = Pairs::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let text = Text(reader_language(&shared, &parts.headers, &query));
    let theme = cookie(&parts.headers, page::THEME_COOKIE).map_or(Theme::Auto, Theme::of);
    let urls = urls(&shared, parts, &path);
    let is_fragment = header(&parts.headers, ACCEPT.as_str()) == Some(FRAGMENT);
    let is_get = method(&parts.method) == Some(Method::Get);
    Visit { shared, text, theme, urls, path, query, is_get, headers: parts.headers.clone(), is_fragment }
}

fn urls(shared: &Shared, parts: &Parts, path: &str) -> Urls {
    let forwarded = header(&parts.headers, "x-forwarded-prefix").filter(|_| shared.trust_forwarded_prefix);
    if let Some(base) = shared.base_path.as_deref().or(forwarded) {
        return Urls::under(base);
    }
    let outer = parts.extensions.get::<OriginalUri>().map_or(path, |OriginalUri(uri)| uri.path());
    Urls::of(outer, path)
}

fn reader_language(shared: &Shared, headers: &HeaderMap, query: &Pairs) -> Language {
    let asked = query.get("lang").and_then(language::of_tag);
    let kept = || cookie(headers, page::LANGUAGE_COOKIE).and_then(language::of_tag);
    let browser = || header(headers, ACCEPT_LANGUAGE.as_str()).and_then(language::negotiate);
    asked.or_else(kept).or(shared.language).or_else(browser).unwrap_or(Language::English)
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';'))
        .find_map(|pair| pair.split_once('=').filter(|(known, _)| known.trim() == name))
        .map(|(_, value)| value.trim())
}
