//! Who sees the dashboard: whoever has the key, which is in the link that is printed at start.
//!
//! 1. `/login?key=…` compares the key and hands out a session as a cookie; `/login` asks for the key.
//! 2. The dashboard asks for the session at every request ([`Login::access`]) and sends others to `/login`.
//! 3. Sessions live in memory: a new process starts without any.
//!
//! It stands for the login that an application has anyway: the dashboard knows nothing of it but its answer.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::{DOCTYPE, html};
use portfire_dashboard::{Access, Grant, Permissions};
use serde::Deserialize;

use crate::i18n::Language;

const COOKIE_NAME: &str = "portfire_demo_session";
/// Most sessions at once: 32 bytes each. More than these begin anew.
const SESSIONS_MAX: usize = 1_000;

/// A key, and the sessions of those who had it.
#[derive(Debug)]
pub struct Login {
    key: String,
    sessions: Mutex<BTreeSet<String>>,
}

#[derive(Debug, Deserialize)]
struct Given {
    key: Option<String>,
}

impl Login {
    /// A login with this key, or one that nobody knows yet.
    pub fn new(key: Option<String>) -> Self {
        Self { key: key.unwrap_or_else(secret), sessions: Mutex::default() }
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The dashboard's question: who is this, and what may they do?
    pub fn access(&self, parts: &Parts) -> Access {
        let known = session(&parts.headers).is_some_and(|session| self.with(|all| all.contains(session)));
        if known {
            Access::Granted(Grant::new("admin", Permissions::admin()))
        } else {
            Access::Redirect("/login".into())
        }
    }

    /// A session for who has the key.
    fn open(&self, given: &str) -> Option<String> {
        is_same(given, &self.key).then(|| {
            let session = secret();
            self.with(|all| {
                if all.len() >= SESSIONS_MAX {
                    all.clear();
                }
                all.insert(session.clone());
            });
            session
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        look(&mut self.sessions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The page of the login, by link and by form.
pub fn router<S: Clone + Send + Sync + 'static>(login: &Arc<Login>) -> Router<S> {
    let by_link = async |State(login): State<Arc<Login>>, language: Language, Query(given): Query<Given>| {
        answer(&login, language, given)
    };
    let by_form = async |State(login): State<Arc<Login>>, language: Language, Form(given): Form<Given>| {
        answer(&login, language, given)
    };
    Router::new().route("/login", get(by_link).post(by_form)).with_state(Arc::clone(login))
}

fn answer(login: &Login, language: Language, given: Given) -> Response {
    match given.key {
        None => page(language, false).into_response(),
        Some(key) => match login.open(&key) {
            None => (StatusCode::FORBIDDEN, page(language, true)).into_response(),
            Some(session) => {
                let cookie = format!("{COOKIE_NAME}={session}; Path=/; HttpOnly; SameSite=Lax");
                ([(SET_COOKIE, cookie)], Redirect::to("/jobs")).into_response()
            }
        },
    }
}

fn session(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    pairs.flat_map(|text| text.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME).then_some(value)
    })
}

/// 128 bits that nobody can guess.
fn secret() -> String {
    let half = || getrandom::u64().expect("the operating system provides randomness");
    format!("{:016x}{:016x}", half(), half())
}

/// Takes as long whatever is wrong.
fn is_same(given: &str, key: &str) -> bool {
    let differences = given.bytes().zip(key.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == key.len() && differences == 0
}

fn page(language: Language, is_wrong: bool) -> Html<String> {
    let (tag, title, hint, wrong, button) = match language {
        Language::Chinese => ("zh-Hant-TW", "登入", "金鑰在程式啟動時印出的連結裡。", "金鑰不正確。", "登入"),
        Language::English => (
            "en",
            "Log in",
            "The key is in the link that the program printed.",
            "That is not the key.",
            "Log in",
        ),
    };
    let page = html! {
        (DOCTYPE)
        html lang=(tag) {
            head { meta charset="utf-8"; meta name="viewport" content="width=device-width"; title { (title) } }
            body {
                h1 { (title) }
                @if is_wrong { p role="alert" { (wrong) } }
                form method="post" action="/login" {
                    p { label for="key" { (hint) } }
                    p { input #key name="key" type="password" autocomplete="current-password" required autofocus; }
                    p { button { (button) } }
                }
            }
        }
    };
    Html(page.into_string())
}

#[cfg(test)]
mod tests {
    use super::{Login, is_same, secret};

    #[test]
    fn only_the_key_opens() {
        let login = Login::new(None);
        assert!(login.open("").is_none() && login.open(&secret()).is_none());
        assert!(login.open(login.key()).is_some());
        assert!(!is_same("abc", "abcd") && !is_same("abd", "abc") && is_same("abc", "abc"));
    }
}
