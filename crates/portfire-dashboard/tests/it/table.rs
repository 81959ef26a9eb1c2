//! The one table of routes: what it says is what happens.

use axum::http::StatusCode;
use portfire_core::State;
use portfire_dashboard::{Effect, Method, Permission, Permissions, Surface, routes};

use crate::site::{Site, admit, request};

fn verb(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
    }
}

/// A path that fits the pattern.
fn path(pattern: &str) -> String {
    pattern.replace("{id}", "019a0000-0000-7000-8000-000000000001").replace("{name}", "style.css")
}

#[test]
fn what_changes_something_is_posted_and_takes_a_right_of_its_own() {
    for route in routes() {
        match route.effect {
            Effect::Change => {
                assert_eq!(route.method, Method::Post, "{route:?}");
                assert!(route.permission.is_some_and(|right| right != Permission::View), "{route:?}");
            }
            Effect::Preference => assert_eq!(route.method, Method::Post, "{route:?}"),
            Effect::Nothing => assert_eq!(route.method, Method::Get, "{route:?}"),
        }
        assert_eq!(route.permission.is_none(), route.surface == Surface::File, "{route:?}");
    }
}

#[test]
fn no_address_is_there_twice() {
    for (at, route) in routes().iter().enumerate() {
        let twice =
            routes()[at + 1..].iter().any(|other| other.method == route.method && other.path == route.path);
        assert!(!twice, "{route:?}");
    }
}

#[tokio::test]
async fn every_route_refuses_who_lacks_its_right_and_names_it() {
    for route in routes() {
        let Some(right) = route.permission else { continue };
        let site = Site::empty(|builder| admit(builder, Permissions::admin().without(right)));
        let asked = request(
            verb(route.method),
            &path(route.path),
            &[("sec-fetch-site", "same-origin")],
            "job=1&queue=a",
        );
        let answer = site.ask(asked).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{route:?}");
        let named = format!("“{right}”");
        assert!(route.surface != Surface::Page || answer.body.contains(&named), "{route:?}: {}", answer.body);
    }
}

#[tokio::test]
async fn who_may_do_nothing_sees_nothing_and_changes_nothing() {
    let site = Site::with(|builder| admit(builder, Permissions::none())).await;
    let before = site.storage.overview().await.unwrap();
    let job = site.jobs(State::Enqueued).await[0];
    for route in routes().iter().filter(|route| route.permission.is_some()) {
        let form = format!("job={job}&queue=mail&confirmed=yes&delay=60&priority=1&schedule=cleanup");
        let asked =
            request(verb(route.method), &path(route.path), &[("sec-fetch-site", "same-origin")], &form);
        let answer = site.ask(asked).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{route:?}");
        assert!(!answer.body.contains("charge_card"), "{route:?}");
    }
    assert_eq!(site.storage.overview().await.unwrap(), before);
}

#[tokio::test]
async fn what_another_site_asks_for_is_not_done() {
    let site = Site::full().await;
    let before = site.storage.overview().await.unwrap();
    let job = site.jobs(State::Enqueued).await[0];
    let foreign: [&[(&str, &str)]; 4] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[],
    ];
    for route in routes().iter().filter(|route| route.effect != Effect::Nothing) {
        for headers in foreign {
            let form =
                format!("job={job}&queue=mail&confirmed=yes&delay=60&priority=1&schedule=cleanup&theme=dark");
            let answer = site.ask(request("POST", &path(route.path), headers, &form)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{route:?} {headers:?}");
            assert!(answer.headers.get("set-cookie").is_none(), "{route:?} {headers:?}");
        }
    }
    assert_eq!(site.storage.overview().await.unwrap(), before);
}

#[tokio::test]
async fn what_is_not_in_the_table_does_not_exist() {
    let site = Site::full().await;
    for path in [
        "/nothing",
        "/jobs/x/y",
        "/assets/../Cargo.toml",
        "/assets/secret.txt",
        "//evil.example",
        "/api/v1/x",
    ] {
        assert_eq!(site.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(site.post("/jobs", "").await.status, StatusCode::METHOD_NOT_ALLOWED);
    let deleted = site.ask(request("DELETE", "/jobs", &[], "")).await;
    assert_eq!(deleted.status, StatusCode::NOT_FOUND);
    let problem = site.get("/api/v1/nothing").await;
    assert_eq!(problem.header("content-type"), "application/problem+json");
    assert!(problem.body.contains("\"code\":\"not_found\""), "{}", problem.body);
}

#[tokio::test]
async fn every_answer_carries_the_strict_headers() {
    let site = Site::full().await;
    for path in ["/", "/jobs", "/nothing", "/assets/style.css", "/assets/nothing"] {
        let answer = site.get(path).await;
        assert!(
            answer.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
    }
    assert_eq!(site.get("/").await.header("cache-control"), "private, no-store");
}

#[tokio::test]
async fn a_form_that_is_too_large_is_not_read() {
    let site = Site::full().await;
    let answer = site.post("/jobs/cancel", &"job=x&".repeat(20_000)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}
