//! Live pages: what they ask for, when they stop, and that many of them are one stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use portfire_core::State;
use tokio::sync::watch;

use crate::browser::{add, pages};
use crate::chromium::{Looks, Tab};
use crate::served::{Asked, Served};
use crate::site::Site;

const LIVE: &str = "document.querySelector('#live').dataset.state === 'live'";
const STATE: &str = "document.querySelector('#live')?.dataset.state ?? 'none'";

/// Asks for something that is there, so that whatever was asked before has been asked by then.
async fn settle(tab: &Tab) {
    tab.eval("fetch('/assets/style.css').then((answer) => answer.status)").await;
}

/// The tab is hidden, or seen again.
async fn hide(tab: &Tab, hidden: bool) {
    let say = format!(
        "Object.defineProperty(document, 'hidden', {{ configurable: true, value: {hidden} }});
         document.dispatchEvent(new Event('visibilitychange'))"
    );
    tab.eval(&say).await;
}

#[tokio::test]
async fn a_page_that_is_not_live_asks_for_nothing() {
    let site = Site::full().await;
    let (router, asked) = Asked::of(site.router.clone());
    let served = Served::start(router).await;
    let tab = Tab::open(Looks::default()).await;
    tab.hold_time().await;
    tab.go(&served.at("/jobs")).await;
    tab.until(LIVE).await;
    tab.click("#live").await;
    assert_eq!(tab.text(STATE).await, "off");
    asked.streams(0).await;
    for path in pages(&site).await {
        tab.go(&served.at(&path)).await;
        assert!(["off", "none"].contains(&&*tab.text(STATE).await), "{path}");
        settle(&tab).await;
        let mark = asked.mark();
        add(&site, 40, 1).await;
        tab.eval("pass(120000)").await;
        settle(&tab).await;
        assert_eq!(asked.since(mark), [""; 0], "{path}");
        assert_eq!(asked.open(), 0, "{path}");
    }
}

#[tokio::test]
async fn a_hidden_tab_closes_its_stream_and_looks_once_when_it_is_seen_again() {
    let site = Site::full().await;
    let (router, asked) = Asked::of(site.router.clone());
    let served = Served::start(router).await;
    let tab = Tab::open(Looks::default()).await;
    tab.hold_time().await;
    tab.go(&served.at("/jobs?q=kind%3Alate")).await;
    tab.until(LIVE).await;
    hide(&tab, true).await;
    tab.eval("pass(14000)").await;
    hide(&tab, false).await;
    settle(&tab).await;
    assert_eq!(asked.open(), 1, "a short look elsewhere costs nothing");
    hide(&tab, true).await;
    tab.eval("pass(16000)").await;
    asked.streams(0).await;
    add(&site, 41, 2).await;
    let mark = asked.mark();
    tab.eval("pass(600000)").await;
    settle(&tab).await;
    assert_eq!(asked.since(mark), [""; 0], "nothing while it is hidden");
    hide(&tab, false).await;
    tab.until("document.querySelectorAll('tr[id]').length === 2").await;
    tab.until(LIVE).await;
    settle(&tab).await;
    let since = asked.since(mark);
    let looks = since.iter().filter(|path| path.starts_with("/jobs")).count();
    let streams = since.iter().filter(|path| path.starts_with("/events")).count();
    assert_eq!((looks, streams), (1, 1), "{since:?}");
}

/// A network that may refuse streams and hold back what pages ask for.
#[derive(Clone, Default)]
struct Network {
    refuses: Arc<AtomicBool>,
    held: Arc<watch::Sender<bool>>,
    waiting: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Network {
    fn over(&self, router: Router) -> Router {
        let network = self.clone();
        router.layer(from_fn(move |request: Request, next: Next| network.clone().pass(request, next)))
    }

    async fn pass(self, request: Request, next: Next) -> Response {
        if self.refuses.load(Ordering::Relaxed) && request.uri().path() == "/events" {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let is_fragment =
            request.headers().get("accept").is_some_and(|kind| kind.as_bytes().starts_with(b"text/vnd"));
        if is_fragment {
            let waiting = self.waiting.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(waiting, Ordering::SeqCst);
            let mut held = self.held.subscribe();
            held.wait_for(|held| !held).await.unwrap();
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        next.run(request).await
    }
}

#[tokio::test]
async fn a_page_without_a_stream_polls_one_at_a_time_until_it_has_one_again() {
    let site = Site::full().await;
    let network = Network::default();
    network.refuses.store(true, Ordering::Relaxed);
    let (router, asked) = Asked::of(network.over(site.router.clone()));
    let served = Served::start(router).await;
    let tab = Tab::open(Looks::default()).await;
    tab.hold_time().await;
    tab.go(&served.at("/jobs?q=kind%3Alate")).await;
    tab.until("document.querySelector('#live').dataset.state === 'polling'").await;
    assert_eq!(tab.text("document.querySelector('#live').title").await, "Polling");

    // The answer takes its time: until it is there, nothing more is asked for, whatever happens.
    network.held.send_replace(true);
    let mark = asked.mark();
    tab.eval("void pass(8000).then(() => { window.passed = 1; })").await;
    asked.until(mark, "/jobs", 1).await;
    tab.eval("void pass(60000)").await;
    hide(&tab, true).await;
    hide(&tab, false).await;
    settle(&tab).await;
    assert_eq!(asked.since(mark).iter().filter(|path| path.starts_with("/jobs")).count(), 1);
    add(&site, 42, 1).await;
    network.held.send_replace(false);
    tab.until("document.querySelectorAll('tr[id]').length === 1").await;
    tab.eval("pass(6000)").await;
    assert_eq!(network.most.load(Ordering::SeqCst), 1, "never two at once");
    assert_eq!(tab.text(STATE).await, "polling");

    network.refuses.store(false, Ordering::Relaxed);
    tab.eval("pass(60000)").await;
    tab.until(LIVE).await;
    asked.streams(1).await;
    add(&site, 43, 1).await;
    tab.until("document.querySelectorAll('tr[id]').length === 2").await;
    let mark = asked.mark();
    tab.eval("pass(600000)").await;
    settle(&tab).await;
    assert_eq!(asked.since(mark), [""; 0], "who hears the stream does not poll");
}

#[tokio::test]
async fn eight_tabs_share_one_stream_and_all_answer() {
    let site = Site::full().await;
    let (router, asked) = Asked::of(site.router.clone());
    let served = Served::start(router).await;
    let job = site.jobs(State::Enqueued).await[0];
    let own = format!("/jobs/{job}");
    let late = "/jobs?q=kind%3Alate";
    let first = Tab::open(Looks::default()).await;
    let mut tabs = vec![(late, first)];
    for path in [&*own, late, "/jobs?q=state%3Aenqueued", late, "/queues", late, "/servers"] {
        let tab = tabs[0].1.beside(Looks::default()).await;
        tabs.push((path, tab));
    }
    for (path, tab) in &tabs {
        tab.go(&served.at(path)).await;
        tab.until(LIVE).await;
    }
    asked.streams(1).await;
    add(&site, 44, 3).await;
    for (_, tab) in tabs.iter().filter(|(path, _)| *path == late) {
        tab.until("document.querySelectorAll('tr[id]').length === 3").await;
    }
    let form = format!("job={job}&priority=-321");
    assert_eq!(site.post("/jobs/prioritize", &form).await.status, StatusCode::SEE_OTHER);
    tabs[1].1.until("document.querySelector('.facts').textContent.includes('-321')").await;
    asked.streams(1).await;
    for (path, tab) in &tabs {
        tab.lands(tab.click("nav.places a[href='/about']")).await;
        assert_eq!(tab.text("location.pathname").await, "/about", "{path}");
    }
    asked.streams(0).await;
}

#[tokio::test]
async fn a_page_is_live_without_https_too() {
    let site = Site::full().await;
    let served = Served::start(site.router.clone()).await;
    let tab = Tab::open(Looks::default()).await;
    tab.go(&served.at("/jobs?q=kind%3Alate").replace("127.0.0.1", "plain.test")).await;
    assert_eq!(tab.eval("isSecureContext").await, false);
    tab.until(LIVE).await;
    add(&site, 45, 2).await;
    tab.until("document.querySelectorAll('tr[id]').length === 2").await;
}

#[tokio::test]
async fn a_browser_without_shared_workers_polls() {
    let site = Site::full().await;
    let (router, asked) = Asked::of(site.router.clone());
    let served = Served::start(router).await;
    let tab = Tab::open(Looks::default()).await;
    tab.hold_time().await;
    let without = serde_json::json!({ "source": "delete window.SharedWorker" });
    tab.ask("Page.addScriptToEvaluateOnNewDocument", without).await;
    tab.go(&served.at("/jobs?q=kind%3Alate")).await;
    assert_eq!(tab.text(STATE).await, "polling");
    add(&site, 46, 2).await;
    tab.eval("pass(5000)").await;
    assert_eq!(tab.eval("document.querySelectorAll('tr[id]').length").await, 2);
    assert_eq!(asked.open(), 0);
}
