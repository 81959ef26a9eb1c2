//! A storage that is away, slow, or does not know: the dashboard says so, recovers by itself, and is in nobody's way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::task::JoinSet;

use crate::bounds;
use crate::browser::status;
use crate::chromium::{Looks, Tab};
use crate::served::{Asked, Served};
use crate::site::{Answer, answer, request};

#[tokio::test]
async fn a_page_comes_back_by_itself_when_the_storage_does() {
    for scripts in [true, false] {
        let (watched, clock, router) = bounds::site().await;
        let served = Served::start(router).await;
        let tab = Tab::open(Looks { scripts, ..Looks::default() }).await;
        tab.go(&served.at("/")).await;
        watched.is_away.store(true, Ordering::Relaxed);
        clock.advance(Duration::from_secs(180));
        tab.go(&served.at("/queues")).await;
        assert_eq!(status(&tab), 503);
        let told = tab.text("document.querySelector('main').textContent").await;
        assert!(told.contains("Last known numbers") && told.contains("from 3 min ago"), "{told}");
        watched.is_away.store(false, Ordering::Relaxed);
        tab.lands(std::future::ready(())).await;
        assert_eq!((status(&tab), &*tab.text("location.pathname").await), (200, "/queues"));
    }
}

#[tokio::test]
async fn a_live_page_stays_while_the_storage_is_away_and_goes_on_when_it_is_back() {
    let (watched, clock, router) = bounds::site().await;
    let (router, asked) = Asked::of(router);
    let served = Served::start(router).await;
    let tab = Tab::open(Looks::default()).await;
    tab.hold_time().await;
    tab.go(&served.at("/queues")).await;
    tab.until("document.querySelector('#live').dataset.state === 'live'").await;
    let rows = tab.eval("document.querySelectorAll('tbody tr').length").await;
    watched.is_away.store(true, Ordering::Relaxed);
    clock.advance(Duration::from_secs(60));
    tab.until("document.querySelector('#live').dataset.state === 'lost'").await;
    assert_eq!(tab.eval("document.querySelectorAll('tbody tr').length").await, rows, "what was there stays");
    assert_eq!(tab.text("document.querySelector('#live').title").await, "Not connected");
    let mark = asked.mark();
    watched.is_away.store(false, Ordering::Relaxed);
    tab.eval("pass(60000)").await;
    asked.until(mark, "/queues", 1).await;
    tab.until("document.querySelector('#live').dataset.state === 'live'").await;
}

fn is_slow(page: &Answer) -> bool {
    page.status == StatusCode::SERVICE_UNAVAILABLE
        && page.body.contains("This took too long")
        && page.body.contains("Add a state, queue")
}

/// However many look, each waits once: nobody waits for all the others' waiting.
#[tokio::test(start_paused = true)]
async fn the_hosts_own_routes_answer_while_the_dashboard_hangs() {
    let (watched, clock, dashboard) = bounds::site().await;
    watched.hangs.store(true, Ordering::Relaxed);
    clock.advance(Duration::from_secs(60));
    let host =
        Router::new().route("/health", get(|| std::future::ready("well"))).nest_service("/jobs", dashboard);
    let mut looking = JoinSet::new();
    for path in ["/jobs", "/jobs/jobs", "/jobs/queues", "/jobs/about"].into_iter().cycle().take(300) {
        looking.spawn(answer(host.clone(), request("GET", path, &[], "")));
    }
    tokio::task::yield_now().await;
    let health = answer(host.clone(), request("GET", "/health", &[], "")).await;
    assert_eq!((health.status, &*health.body), (StatusCode::OK, "well"));
    assert!(looking.try_join_next().is_none(), "all of them wait");
    // Of virtual time: one query's patience, and not that of all who wait.
    let pages =
        tokio::time::timeout(Duration::from_secs(4), looking.join_all()).await.expect("they end together");
    assert!(pages.iter().all(is_slow), "{:?}", pages.iter().find(|page| !is_slow(page)));
    watched.hangs.store(false, Ordering::Relaxed);
    assert_eq!(answer(host, request("GET", "/jobs", &[], "")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_kept_only_for_a_time() {
    let (_, _, router) = bounds::site().await;
    let path = "/jobs/019a0000-0000-7000-8000-000000000001";
    for (language, told) in [("en", "pruned after the time it was kept"), ("zh-TW", "超過保留時間")] {
        let page = answer(router.clone(), request("GET", path, &[("accept-language", language)], "")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert!(page.body.contains(told), "{}", page.body);
    }
}

/// What was posted is not posted again: a page that reloads itself is one that only looks.
#[tokio::test]
async fn what_is_refused_while_the_storage_is_away_is_not_done_later() {
    let (watched, clock, router) = bounds::site().await;
    watched.is_away.store(true, Ordering::Relaxed);
    clock.advance(Duration::from_secs(60));
    let headers = [("sec-fetch-site", "same-origin")];
    let posted = answer(router.clone(), request("POST", "/queues/pause", &headers, "queue=mail")).await;
    assert_eq!(posted.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!posted.body.contains("http-equiv=\"refresh\""));
    let seen = answer(router, request("GET", "/queues", &[], "")).await;
    assert!(seen.body.contains("http-equiv=\"refresh\""));
}
