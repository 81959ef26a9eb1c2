//! The dashboard in the service: who sees it, and what.

use reqwest::redirect::Policy;
use reqwest::{Client, header};
use serde_json::json;

use crate::bed::{Bed, answer};

/// Goes nowhere by itself.
fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

#[tokio::test]
async fn the_link_opens_the_dashboard_and_nothing_else_does() {
    let bed = Bed::new();
    let demo = bed.start_with(&["--no-sample", "--key", "sesame"]).await;
    let http = client();
    let get = |path: &str| http.get(format!("{}{path}", demo.address));
    for path in ["/jobs", "/hangfire", "/jobs/jobs", "/jobs/events"] {
        let refused = get(path).send().await.unwrap();
        assert_eq!(
            (refused.status().as_u16(), refused.headers()["location"].to_str().unwrap()),
            (303, "/login"),
            "{path}"
        );
    }
    assert_eq!(get("/jobs/api/v1/jobs").send().await.unwrap().status(), 401);
    assert_eq!(get("/login?key=wrong").send().await.unwrap().status(), 403);
    let login = get("/login").send().await.unwrap().text().await.unwrap();
    assert!(login.contains("lang=\"zh-Hant-TW\"") && login.contains("金鑰"), "{login}");

    let opened = get("/login?key=sesame").send().await.unwrap();
    assert_eq!((opened.status().as_u16(), opened.headers()["location"].to_str().unwrap()), (303, "/jobs"));
    let cookie = opened.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let session = cookie.split(';').next().unwrap().to_owned();

    let (status, user) =
        answer(demo.post("/api/users").json(&json!({ "displayName": "Ada", "email": "ada@example.com" })))
            .await;
    assert_eq!(status, 201, "{user}");
    for prefix in ["/jobs", "/hangfire"] {
        let page = get(&format!("{prefix}/jobs")).header("cookie", &session).send().await.unwrap();
        assert_eq!(page.status(), 200);
        let page = page.text().await.unwrap();
        assert!(
            page.contains("send_welcome") && page.contains(&format!("href=\"{prefix}/queues\"")),
            "{page}"
        );
    }
    let me = get("/jobs/api/v1/me").header("cookie", &session);
    assert_eq!(answer(me).await.1["actor"], "admin");
}

#[tokio::test]
async fn the_link_is_printed_at_the_start() {
    let bed = Bed::new();
    let mut demo = bed.start_with(&["--no-sample", "--key", "sesame"]).await;
    let link = format!("{}/login?key=sesame", demo.address);
    demo.wait_for_line(&link).await;
}
