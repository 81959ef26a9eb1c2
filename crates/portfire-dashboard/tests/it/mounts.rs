//! Wherever it is mounted, no link leads out and none leads nowhere.

use std::collections::{BTreeSet, VecDeque};

use axum::Router;
use axum::http::StatusCode;
use portfire_dashboard::{Permissions, dashboard};

use crate::markup::{elements, plain};
use crate::site::{Site, admit, answer, request};

/// Visits everything that can be reached; answers how many pages there were.
async fn crawl(router: &Router, prefix: &str) -> usize {
    let home = if prefix.is_empty() { "/".to_owned() } else { prefix.to_owned() };
    let mut queue = VecDeque::from([home]);
    let mut seen = BTreeSet::new();
    while let Some(path) = queue.pop_front() {
        if !seen.insert(path.clone()) || seen.len() > 400 {
            continue;
        }
        let answer = answer(router.clone(), request("GET", &path, &[], "")).await;
        assert!(
            answer.status == StatusCode::OK || answer.status == StatusCode::SEE_OTHER,
            "{path}: {}",
            answer.status
        );
        if !answer.header("content-type").starts_with("text/html") {
            continue;
        }
        for element in elements(&answer.body) {
            for name in ["href", "src", "action", "formaction"] {
                let Some(there) = element.get(name).map(plain).filter(|there| there != "#main") else {
                    continue;
                };
                assert!(there.starts_with(prefix), "{path} leads out: {there}");
                if name == "href" || name == "src" {
                    queue.push_back(there);
                }
            }
        }
    }
    seen.len()
}

#[tokio::test]
async fn every_link_works_at_every_mount_point() {
    let site = Site::full().await;
    let inner =
        || admit(dashboard(site.storage.clone()).clock(site.clock.clone()), Permissions::admin()).build();
    let pages = crawl(&inner(), "").await;
    assert!(pages > 60, "{pages} pages");
    let nested = Router::new().nest("/hangfire", inner());
    assert_eq!(crawl(&nested, "/hangfire").await, pages);
    let service = Router::new().nest_service("/jobs", inner());
    assert_eq!(crawl(&service, "/jobs").await, pages);
    let deep = Router::new().nest("/t/{tenant}", Router::new().nest_service("/jobs", inner()));
    assert_eq!(crawl(&deep, "/t/42/jobs").await, pages);
    let slash = answer(service, request("GET", "/jobs/", &[], "")).await;
    assert_eq!(slash.status, StatusCode::OK);
}

#[tokio::test]
async fn behind_a_proxy_that_strips_a_prefix_links_have_it() {
    let site = Site::with(|builder| admit(builder, Permissions::admin()).base_path("/ops/jobs/")).await;
    assert!(site.get("/jobs").await.body.contains("href=\"/ops/jobs/queues\""));
    let forwarded = [("x-forwarded-prefix", "/from-proxy")];
    let site = Site::with(|builder| admit(builder, Permissions::admin()).trust_forwarded_prefix(true)).await;
    assert!(site.get_as("/jobs", &forwarded).await.body.contains("href=\"/from-proxy/queues\""));
    let site = Site::with(|builder| admit(builder, Permissions::admin())).await;
    assert!(
        site.get_as("/jobs", &forwarded).await.body.contains("href=\"/queues\""),
        "believed only if told so"
    );
}

#[tokio::test]
async fn files_are_kept_for_ever_and_old_names_lead_to_new_ones() {
    let site = Site::full().await;
    let home = site.get("/").await.body;
    let style = elements(&home).into_iter().find(|one| one.get("rel") == Some("stylesheet")).unwrap();
    let style = style.get("href").unwrap().to_owned();
    let file = site.get_as(&style, &[("accept-encoding", "br, gzip")]).await;
    assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(file.header("content-encoding"), "gzip");
    assert_eq!(site.get(&style).await.header("content-encoding"), "");
    let old = site.get("/assets/style.0123456789abcdef.css").await;
    assert_eq!((old.status, old.location()), (StatusCode::FOUND, &*style));
}
