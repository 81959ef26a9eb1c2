//! The pages in a real browser.

use std::time::Duration;

use axum::Router;
use portfire_core::storage::{Action, By};
use portfire_core::{Dice, IdSequence, Json, NewJob, State};
use portfire_dashboard::{Access, Grant, Permissions, dashboard};
use serde_json::{Value, json};

use crate::chromium::{Looks, Tab};
use crate::hostile::{CORPUS, poison};
use crate::served::{Asked, Served};
use crate::site::{Site, admit};

pub const LANGUAGES: [(&str, &str); 2] = [("en", "en"), ("zh-TW", "zh-Hant-TW")];

/// The addresses of every kind of page.
pub async fn pages(site: &Site) -> Vec<String> {
    let mut paths: Vec<_> = [
        "/",
        "/?span=week",
        "/jobs",
        "/jobs?q=state%3Afailed",
        "/jobs?q=color%3Ared",
        "/jobs?q=tag%3Anothing",
        "/failed",
        "/recurring",
        "/recurring/one?id=cleanup",
        "/queues",
        "/servers",
        "/audit",
        "/about",
        "/nothing-here",
    ]
    .map(str::to_owned)
    .into();
    for state in [State::Processing, State::Failed, State::Awaiting, State::Succeeded] {
        paths.push(format!("/jobs/{}", site.jobs(state).await[0]));
    }
    paths
}

pub async fn serve(site: &Site) -> Served {
    Served::start(site.router.clone()).await
}

/// The status of the page that a tab shows.
pub fn status(tab: &Tab) -> u64 {
    let answers = tab.all("Network.responseReceived");
    let page = answers.iter().rfind(|answer| answer["type"] == "Document").unwrap();
    page["response"]["status"].as_u64().unwrap()
}

/// Stores jobs, and lets the time pass after which the dashboard looks again.
pub async fn add(site: &Site, seed: u64, count: usize) {
    let now = site.storage.now().await.unwrap();
    let mut ids = IdSequence::new(Dice::from_seed([seed, 7]));
    let new = |_| NewJob { queue: "mail".into(), ..NewJob::new(ids.job(now), "late", Json::trusted("{}")) };
    site.storage.insert((0..count).map(new).collect()).await.unwrap();
    site.clock.advance(Duration::from_secs(3));
}

#[tokio::test]
async fn every_page_is_sound_in_both_languages() {
    let site = Site::full().await;
    let served = serve(&site).await;
    for (language, tag) in LANGUAGES {
        let tab = Tab::open(Looks { language, ..Looks::default() }).await;
        for path in pages(&site).await {
            tab.go(&served.at(&path)).await;
            assert_eq!(tab.text("document.documentElement.lang").await, tag, "{path}");
            assert_eq!(tab.eval("document.querySelectorAll('h1').length").await, 1, "{path}");
            let faults = tab.faults(&served.origin).await;
            assert!(faults.is_empty(), "{path} in {language}: {faults:#?}");
        }
        let failed = tab.all("Network.responseReceived");
        let refused = failed.iter().filter(|answer| answer["response"]["status"].as_u64() >= Some(400));
        let refused: Vec<_> = refused.map(|answer| answer["response"]["url"].as_str().unwrap()).collect();
        assert_eq!(refused, [served.at("/nothing-here")]);
    }
}

#[tokio::test]
async fn no_page_is_wider_than_a_small_screen() {
    let site = Site::full().await;
    let served = serve(&site).await;
    // The second is a desk's screen at 400 %.
    for (language, height) in [("en", 640), ("zh-TW", 640), ("en", 256)] {
        let tab = Tab::open(Looks { width: 320, height, language, ..Looks::default() }).await;
        for path in pages(&site).await {
            tab.go(&served.at(&path)).await;
            let width = tab.eval("document.documentElement.scrollWidth").await;
            let widest = "[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > 321)
                .slice(0, 3).map((one) => one.outerHTML.slice(0, 120))";
            assert!(
                width.as_u64() <= Some(320),
                "{path} in {language}: {width}: {:#}",
                tab.eval(widest).await
            );
        }
    }
}

#[tokio::test]
async fn no_table_is_cut_off_on_a_desk() {
    let site = Site::full().await;
    let served = serve(&site).await;
    for (language, _) in LANGUAGES {
        let tab = Tab::open(Looks { width: 1_200, language, ..Looks::default() }).await;
        for path in pages(&site).await {
            tab.go(&served.at(&path)).await;
            let cut = "[...document.querySelectorAll('table, .tiles li, td .steer')]
                .filter((one) => one.getBoundingClientRect().right > document.querySelector('main').getBoundingClientRect().right)
                .map((one) => one.outerHTML.slice(0, 120))";
            assert_eq!(tab.eval(cut).await, json!([]), "{path} in {language}");
        }
    }
}

#[tokio::test]
async fn axe_finds_nothing_to_complain_about() {
    let site = Site::full().await;
    let served = serve(&site).await;
    for (language, _) in LANGUAGES {
        for dark in [false, true] {
            let tab = Tab::open(Looks { dark, language, ..Looks::default() }).await;
            for path in pages(&site).await {
                tab.go(&served.at(&path)).await;
                tab.eval(concat!(include_str!("../axe/axe.min.js"), ";0")).await;
                let rules = "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })
                    .then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.failureSummary + node.html)]))";
                let violations = tab.eval(rules).await;
                assert_eq!(violations, json!([]), "{path} in {language}, dark: {dark}: {violations:#}");
            }
        }
    }
}

#[tokio::test]
async fn everything_works_without_scripts() {
    for site in [Site::full().await, Site::on_sqlite().await] {
        let served = serve(&site).await;
        let tab = Tab::open(Looks { scripts: false, ..Looks::default() }).await;
        tab.go(&served.at("/jobs")).await;
        let write = |word: &str| format!("document.querySelector('#q').value = '{word}'");
        tab.eval(&write("state:enqueued queue:mail")).await;
        tab.lands(tab.click(".filter button")).await;
        let jobs = tab.eval("document.querySelectorAll('tr[id]').length").await;
        assert_eq!(jobs, 1, "the filter finds one job");
        tab.lands(tab.click("tr[id] a.kind")).await;
        let id = tab.text("location.pathname.split('/').pop()").await;
        tab.lands(tab.click("form[action='/jobs/cancel'] button, button[formaction='/jobs/cancel']")).await;
        let job = site.storage.get(vec![id.parse().unwrap()]).await.unwrap().pop().flatten().unwrap();
        assert_eq!(job.summary.state, State::Cancelled);
        tab.lands(tab.click("button[name='lang']")).await;
        assert_eq!(tab.text("document.documentElement.lang").await, "zh-Hant-TW");
        tab.go(&served.at("/jobs?q=state%3Aenqueued")).await;
        assert_eq!(tab.text("document.documentElement.lang").await, "zh-Hant-TW", "it is kept");
        let boxes = tab.eval("document.querySelectorAll('input[name=job]').length").await;
        tab.eval("for (const box of document.querySelectorAll('input[name=job]')) box.checked = true").await;
        tab.lands(tab.click("button[formaction='/jobs/cancel']")).await;
        assert!(boxes.as_u64() > Some(1) && site.jobs(State::Enqueued).await.is_empty(), "{boxes} at once");
        tab.lands(tab.click("button[name='theme']")).await;
        assert_eq!(tab.text("document.documentElement.dataset.theme").await, "light");
    }
}

#[tokio::test]
async fn a_job_is_found_and_cancelled_with_the_keyboard_alone() {
    for site in [Site::full().await, Site::on_sqlite().await] {
        let served = serve(&site).await;
        let tab = Tab::open(Looks::default()).await;
        tab.go(&served.at("/jobs?q=state%3Aenqueued")).await;
        let job = tab.text("document.querySelector('input[name=job]').value").await;
        tab.key("Tab").await;
        assert_eq!(
            tab.eval("document.activeElement.matches('.skip')").await,
            true,
            "the first stop skips the menu"
        );
        let seen = "(() => { const box = document.activeElement.getBoundingClientRect();
        const style = getComputedStyle(document.activeElement);
        return box.width > 0 && box.top >= 0 && (style.outlineStyle !== 'none' || style.boxShadow !== 'none'); })()";
        assert_eq!(tab.eval(seen).await, true, "where one is can be seen");
        tab.key("Enter").await;
        tab.until("location.hash === '#main'").await;
        tab.tab_to("input[name=job]").await;
        assert_eq!(tab.eval(seen).await, true);
        tab.key(" ").await;
        // The buttons stand before the list.
        tab.tab_back_to("button[formaction='/jobs/cancel']").await;
        tab.lands(tab.key("Enter")).await;
        let known = site.storage.get(vec![job.parse().unwrap()]).await.unwrap().pop().flatten().unwrap();
        assert_eq!(known.summary.state, State::Cancelled);
    }
}

#[tokio::test]
async fn hostile_data_does_nothing() {
    for evil in CORPUS {
        let actor = evil.to_owned();
        let gate = move |_: &axum::http::request::Parts| {
            Access::Granted(Grant::new(actor.as_str(), Permissions::admin()))
        };
        let site = Site::empty(|builder| builder.name(evil).gate_fn(gate));
        poison(&site, evil).await;
        let served = serve(&site).await;
        let tab = Tab::open(Looks { language: "zh-TW", ..Looks::default() }).await;
        let encoded: String = form_urlencoded::byte_serialize(evil.as_bytes()).collect();
        let mut paths: Vec<_> =
            ["/", "/jobs", "/failed", "/queues", "/servers", "/recurring", "/audit", "/about"]
                .map(str::to_owned)
                .into();
        paths.extend([
            format!("/jobs?q={encoded}"),
            format!("/recurring/one?id={encoded}"),
            format!("/{encoded}"),
        ]);
        for job in site.storage.list(Default::default(), Default::default()).await.unwrap().jobs {
            paths.push(format!("/jobs/{}", job.id));
        }
        for path in paths {
            tab.go(&served.at(&path)).await;
            // A hand passes over everything that could be waiting for one.
            tab.eval("for (const one of document.querySelectorAll('main *')) one.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }))").await;
            let faults = tab.faults(&served.origin).await;
            assert!(faults.is_empty(), "{path} with {evil}: {faults:#?}");
            assert_eq!(tab.eval("document.scripts.length").await, 1, "{path} with {evil}");
        }
    }
}

#[tokio::test]
async fn rows_never_move_under_the_pointer() {
    for site in [Site::full().await, Site::on_sqlite().await] {
        let served = serve(&site).await;
        let tab = Tab::open(Looks::default()).await;
        tab.go(&served.at("/jobs")).await;
        tab.until("document.querySelector('#live').dataset.state === 'live'").await;
        let rows = "[...document.querySelectorAll('tr[id]')].map((row) => row.id)";
        let before = tab.eval(rows).await;
        tab.click("tr[id]:nth-child(3) input[name=job]").await;
        let ticked = "[...document.querySelectorAll('input[name=job]:checked')].map((box) => box.value)";
        let chosen = tab.eval(ticked).await;
        assert_eq!(chosen.as_array().unwrap().len(), 1);
        add(&site, 1, 5).await;
        tab.until("document.querySelector('.pill')").await;
        assert_eq!((tab.eval(rows).await, tab.eval(ticked).await), (before.clone(), chosen.clone()));
        tab.click(".pill").await;
        let after = tab.eval(rows).await;
        assert_eq!(after.as_array().unwrap().len(), before.as_array().unwrap().len() + 5);
        assert_eq!(
            (tab.eval(ticked).await, tab.eval("document.querySelector('.pill')").await),
            (chosen, Value::Null)
        );
    }
}

#[tokio::test]
async fn a_page_keeps_itself_up_to_date_until_it_is_told_not_to() {
    for site in [Site::full().await, Site::on_sqlite().await] {
        let (router, asked) = Asked::of(site.router.clone());
        let served = Served::start(router).await;
        let tab = Tab::open(Looks::default()).await;
        tab.go(&served.at("/jobs?q=kind%3Alate")).await;
        tab.until("document.querySelector('#live').dataset.state === 'live'").await;
        add(&site, 2, 3).await;
        tab.until("document.querySelectorAll('tr[id]').length === 3").await;
        assert_eq!(asked.open(), 1);
        tab.click("#live").await;
        asked.streams(0).await;
        assert_eq!(tab.text("document.querySelector('#live').dataset.state").await, "off");
        assert_eq!(tab.text("document.querySelector('#live').getAttribute('aria-pressed')").await, "false");
        tab.go(&served.at("/jobs")).await;
        assert_eq!(
            tab.text("document.querySelector('#live').dataset.state").await,
            "off",
            "it is remembered"
        );
    }
}

#[tokio::test]
async fn what_a_job_became_in_the_meantime_is_said_and_nothing_is_done() {
    for site in [Site::full().await, Site::on_sqlite().await] {
        let served = serve(&site).await;
        let tab = Tab::open(Looks { scripts: false, ..Looks::default() }).await;
        let id = site.jobs(State::Enqueued).await[0];
        tab.go(&served.at(&format!("/jobs/{id}"))).await;
        site.storage.act(vec![id], Action::Cancel, By::Program).await.unwrap();
        tab.lands(tab.click("form[action='/jobs/cancel'] button, button[formaction='/jobs/cancel']")).await;
        assert_eq!(status(&tab), 409);
        let job = site.storage.get(vec![id]).await.unwrap().pop().flatten().unwrap();
        assert!(!job.cancel_requested && job.summary.state == State::Cancelled);
    }
}

#[tokio::test]
async fn arguments_are_shown_and_copied_digit_for_digit() {
    let site = Site::full().await;
    let now = site.storage.now().await.unwrap();
    let id = IdSequence::new(Dice::from_seed([4, 4])).job(now);
    let args = Json::trusted("{\"number\":9007199254740993}");
    site.storage.insert(vec![NewJob::new(id, "exact", args)]).await.unwrap();
    let served = serve(&site).await;
    let tab = Tab::open(Looks::default()).await;
    tab.go(&served.at(&format!("/jobs/{id}"))).await;
    assert!(tab.text("document.querySelector('main').textContent").await.contains("9007199254740993"));
    let copies =
        tab.eval("[...document.querySelectorAll('[data-copy]')].map((one) => one.dataset.copy)").await;
    let copies = copies.to_string();
    assert!(copies.contains("9007199254740993"), "{copies}");
}

#[tokio::test]
async fn times_are_those_of_the_reader() {
    let site = Site::full().await;
    let served = serve(&site).await;
    let id = site.jobs(State::Failed).await[0];
    let mut seen = Vec::new();
    for zone in ["Asia/Taipei", "America/New_York"] {
        let tab = Tab::open(Looks { zone, ..Looks::default() }).await;
        tab.go(&served.at(&format!("/jobs/{id}"))).await;
        let told = tab.eval("(() => { const one = document.querySelector('main time[datetime]');
            const hour = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hour12: false }).format(new Date(one.dateTime));
            return [one.title.includes(hour), hour]; })()").await;
        assert_eq!(told[0], true, "{zone}: {told}");
        seen.push(told[1].clone());
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn the_browser_itself_stays_inside_every_mount_point() {
    let site = Site::full().await;
    let inner =
        || admit(dashboard(site.storage.clone()).clock(site.clock.clone()), Permissions::admin()).build();
    for (prefix, router) in [
        ("/hangfire", Router::new().nest_service("/hangfire", inner())),
        ("/t/42/jobs", Router::new().nest("/t/{tenant}", Router::new().nest_service("/jobs", inner()))),
    ] {
        let served = Served::start(router).await;
        let tab = Tab::open(Looks::default()).await;
        tab.go(&served.at(prefix)).await;
        tab.until("document.querySelector('#live').dataset.state === 'live'").await;
        tab.lands(tab.click("nav.places a[href$='/jobs']")).await;
        tab.lands(tab.click("button[name='theme']")).await;
        assert_eq!(tab.text("document.documentElement.dataset.theme").await, "light", "{prefix}");
        for request in tab.all("Network.requestWillBeSent") {
            let address = request["request"]["url"].as_str().unwrap();
            // The browser's own pictures, as in the field for a time, are data.
            let is_own = address.starts_with("data:");
            assert!(is_own || address.starts_with(&served.at(prefix)), "{prefix}: {address}");
        }
    }
}

#[tokio::test]
async fn another_site_changes_nothing() {
    for site in [Site::full().await, Site::on_sqlite().await] {
        let served = serve(&site).await;
        let id = site.jobs(State::Enqueued).await[0];
        let form = format!(
            "<form method=post action='{}'><input name=job value={id}><button>x</button></form>",
            served.at("/jobs/cancel")
        );
        let page = Router::new().fallback(move || std::future::ready(axum::response::Html(form.clone())));
        let foreign = Served::start(page).await;
        let tab = Tab::open(Looks::default()).await;
        tab.go(&foreign.at("/")).await;
        let api = served.at("/api/v1/jobs/cancel");
        let body = format!("'{{\"jobs\":[\"{id}\"]}}'");
        for kind in ["text/plain", "application/json"] {
            let headers = format!("headers: {{ 'content-type': '{kind}' }}");
            for mode in ["no-cors", "cors"] {
                let sent = format!(
                    "fetch('{api}', {{ method: 'POST', mode: '{mode}', {headers}, body: {body} }}).catch(() => 0).then(() => 'sent')"
                );
                assert_eq!(tab.text(&sent).await, "sent");
            }
            let beacon =
                format!("String(navigator.sendBeacon('{api}', new Blob([{body}], {{ type: '{kind}' }})))");
            tab.text(&beacon).await;
        }
        tab.lands(tab.click("button")).await;
        assert_eq!(status(&tab), 403);
        assert!(site.jobs(State::Enqueued).await.contains(&id));
    }
}

#[tokio::test]
async fn files_are_fetched_once() {
    let site = Site::full().await;
    let served = serve(&site).await;
    let tab = Tab::open(Looks::default()).await;
    tab.go(&served.at("/queues")).await;
    let first = tab.all("Network.responseReceived");
    let (mark, had) =
        (first.len(), |url: &Value| first.iter().any(|answer| answer["response"]["url"] == *url));
    tab.go(&served.at("/servers")).await;
    let from_memory: Vec<_> =
        tab.all("Network.requestServedFromCache").iter().map(|one| one["requestId"].clone()).collect();
    let fetched = tab.all("Network.responseReceived").into_iter().skip(mark).filter(|one| {
        // An icon may be fetched after its page, and then for the first time here.
        let url = &one["response"]["url"];
        let is_asset = url.as_str().unwrap().contains("/assets/") && had(url);
        is_asset && one["response"]["fromDiskCache"] != true && !from_memory.contains(&one["requestId"])
    });
    let fetched: Vec<_> = fetched.collect();
    assert!(fetched.is_empty(), "{fetched:#?}");
}

#[tokio::test]
async fn a_whole_group_of_failures_is_run_again_by_a_browser_with_and_without_scripts() {
    for site in [Site::full().await, Site::on_sqlite().await] {
        let served = serve(&site).await;
        let fault = crate::alike::fail(&site, 9, 650).await;
        site.clock.advance(Duration::from_secs(5));
        let failed = || async {
            let groups = site.storage.fault_groups(Default::default()).await.unwrap();
            groups.iter().find(|group| group.fingerprint.to_string() == fault).unwrap().kept
        };
        let list = served.at(&format!("/jobs?q=state%3Afailed+fault%3A{fault}"));
        let tab = Tab::open(Looks { scripts: false, ..Looks::default() }).await;
        tab.go(&list).await;
        tab.lands(tab.click(".whole a")).await;
        tab.lands(tab.click("main form button")).await;
        assert_eq!(failed().await, 50, "one round");
        tab.lands(tab.click("form[data-next] button")).await;
        assert_eq!((failed().await, status(&tab)), (0, 200));

        // Those that have been run again fail again with them.
        crate::alike::fail(&site, 10, 650).await;
        site.clock.advance(Duration::from_secs(5));
        let tab = Tab::open(Looks::default()).await;
        tab.go(&list).await;
        tab.lands(tab.click(".whole a:nth-of-type(2)")).await;
        let mark = tab.mark();
        tab.click("main form button").await;
        tab.told(mark, |event| {
            let address = event["params"]["request"]["url"].as_str().unwrap_or_default();
            event["method"] == "Network.requestWillBeSent" && address.contains("done=delete.1300.0")
        })
        .await;
        assert_eq!(failed().await, 0, "a script goes on by itself");
    }
}

#[tokio::test]
async fn keys_lead_everywhere_and_can_be_turned_off() {
    let site = Site::full().await;
    let served = serve(&site).await;
    let tab = Tab::open(Looks { language: "zh-TW", ..Looks::default() }).await;
    tab.go(&served.at("/")).await;
    tab.key("g").await;
    tab.lands(tab.key("j")).await;
    assert_eq!(tab.text("location.pathname").await, "/jobs");
    tab.key("j").await;
    tab.key("j").await;
    tab.key("k").await;
    let first = "document.activeElement.closest('tr') === document.querySelector('tbody tr')";
    assert_eq!(tab.eval(first).await, true);
    tab.key("x").await;
    assert_eq!(tab.eval("document.querySelectorAll('input[name=job]:checked').length").await, 1);
    // Where one types, a letter is a letter; so is one that is being composed.
    tab.key("/").await;
    assert_eq!(tab.text("document.activeElement.id").await, "q");
    tab.key("?").await;
    assert_eq!(tab.eval("document.querySelector('#keys').open").await, false);
    tab.eval("document.activeElement.blur(); dispatchEvent; document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '?', isComposing: true, bubbles: true }))").await;
    assert_eq!(tab.eval("document.querySelector('#keys').open").await, false);
    tab.key("?").await;
    assert_eq!(tab.eval("document.querySelector('#keys').open").await, true);
    assert!(tab.text("document.querySelector('#keys').textContent").await.contains("使用這些按鍵"));
    tab.click("#keys-on").await;
    tab.click("[data-close]").await;
    tab.key("?").await;
    assert_eq!(tab.eval("document.querySelector('#keys').open").await, false, "they are off");
    tab.go(&served.at("/queues")).await;
    tab.key("?").await;
    assert_eq!(tab.eval("document.querySelector('#keys').open").await, false, "it is remembered");
    tab.click("#keys-open").await;
    assert_eq!(tab.eval("document.querySelector('#keys').open").await, true, "the button is always there");
}

#[tokio::test]
async fn a_time_to_jump_to_is_the_readers_own() {
    let site = Site::full().await;
    let served = serve(&site).await;
    for (zone, asked) in [("Asia/Taipei", "2026-10-01T12:30"), ("America/New_York", "2026-10-02T00:30")] {
        let tab = Tab::open(Looks { zone, ..Looks::default() }).await;
        tab.go(&served.at("/jobs?q=state%3Asucceeded")).await;
        tab.eval("document.querySelector('#at').value = '2026-10-01T20:30'").await;
        tab.lands(tab.click(".jump button")).await;
        assert_eq!(tab.text("new URL(location.href).searchParams.get('at')").await, asked, "{zone}");
        assert_eq!(tab.text("new URL(location.href).searchParams.get('q')").await, "state:succeeded");
    }
}

#[tokio::test]
async fn a_page_polls_where_no_stream_is_let_through() {
    let site = Site::full().await;
    let refused = axum::routing::any(|| std::future::ready(axum::http::StatusCode::SERVICE_UNAVAILABLE));
    let router = Router::new().route("/events", refused).fallback_service(site.router.clone());
    let served = Served::start(router).await;
    let tab = Tab::open(Looks::default()).await;
    tab.go(&served.at("/jobs?q=kind%3Alate")).await;
    tab.until("document.querySelector('#live').dataset.state === 'polling'").await;
    add(&site, 11, 2).await;
    tab.until("document.querySelectorAll('tr[id]').length === 2").await;
    assert_eq!(tab.text("document.querySelector('#live').dataset.state").await, "polling");
}
