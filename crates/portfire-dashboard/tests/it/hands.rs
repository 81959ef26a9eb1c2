//! Without a mouse, without color, very large: who cannot use a dashboard as most do, uses it all the same.

use portfire_core::State;
use serde_json::json;

use crate::browser::{LANGUAGES, pages, serve};
use crate::chromium::{Looks, Tab};
use crate::site::Site;

/// What is wrong with where the focus is: it cannot be seen, or something lies over it.
const FAULT: &str = "(() => {
    const one = document.activeElement;
    if (one === document.body) return null;
    const label = one.outerHTML.slice(0, 120);
    const style = getComputedStyle(one);
    // Of a link that is broken into lines, the first.
    const box = one.getClientRects()[0] ?? one.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) return `has no size: ${label}`;
    if (style.outlineStyle === 'none' && style.boxShadow === 'none') return `has no ring: ${label}`;
    if (box.bottom <= 0 || box.top >= innerHeight) return `is out of sight: ${label}`;
    const over = document.elementsFromPoint(box.x + Math.min(box.width, 12) / 2, box.y + Math.min(box.height, 12) / 2)[0];
    const is = over && (one.contains(over) || over.contains(one) || over.closest('label')?.contains(one));
    return is ? null : `lies under ${over?.outerHTML.slice(0, 60)}: ${label}`;
})()";

#[tokio::test]
async fn several_jobs_are_run_again_and_deleted_with_the_keyboard_alone() {
    for site in [Site::full().await, Site::on_sqlite().await] {
        let served = serve(&site).await;
        let failed = site.jobs(State::Failed).await;
        assert!(failed.len() > 2);
        let tab = Tab::open(Looks::default()).await;
        tab.go(&served.at("/jobs?q=state%3Afailed")).await;
        tab.tab_to("[data-all]").await;
        tab.key(" ").await;
        let ticked = "document.querySelectorAll('input[name=job]:checked').length";
        assert_eq!(tab.eval(ticked).await, failed.len());
        tab.tab_to("input[name=job]").await;
        tab.key(" ").await;
        assert_eq!(tab.eval(ticked).await, failed.len() - 1, "one is left out");
        let kept = tab.text("document.activeElement.value").await;
        tab.tab_back_to("button[formaction='/jobs/run']").await;
        tab.lands(tab.key("Enter")).await;
        let told = tab.text("document.querySelector('[role=status]').textContent").await;
        assert!(told.contains(&(failed.len() - 1).to_string()), "{told}");
        let left: Vec<_> = site.jobs(State::Failed).await.iter().map(ToString::to_string).collect();
        assert_eq!(left, [&*kept]);

        tab.tab_to("input[name=job]").await;
        tab.key(" ").await;
        tab.tab_back_to("button[formaction='/jobs/delete']").await;
        tab.lands(tab.key("Enter")).await;
        assert!(!site.jobs(State::Failed).await.is_empty(), "it is asked first");
        tab.tab_to("main form button.danger").await;
        tab.lands(tab.key("Enter")).await;
        assert!(site.jobs(State::Failed).await.is_empty());
    }
}

#[tokio::test]
async fn the_focus_is_seen_wherever_it_goes() {
    let site = Site::full().await;
    let served = serve(&site).await;
    let own = format!("/jobs/{}", site.jobs(State::Failed).await[0]);
    for (width, height) in [(1_280, 420), (320, 256)] {
        for path in ["/", "/jobs", "/queues", &own] {
            let tab = Tab::open(Looks { width, height, ..Looks::default() }).await;
            tab.go(&served.at(path)).await;
            // Down the page and up again: a bar may cover what comes from below, or from above.
            for (times, back) in [(60, false), (40, true)] {
                for _ in 0..times {
                    tab.step(back).await;
                    let fault = tab.eval(FAULT).await;
                    assert!(fault.is_null(), "{path} at {width}×{height}: {fault}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_color_says_is_seen_where_the_system_decides_the_colors() {
    let site = Site::full().await;
    let served = serve(&site).await;
    let tab = Tab::open(Looks { forced: true, ..Looks::default() }).await;
    tab.go(&served.at("/jobs?q=state%3Afailed")).await;
    assert_eq!(tab.eval("matchMedia('(forced-colors: active)').matches").await, true);
    let edge = "[...document.querySelectorAll('.tabs a')].map((tab) => [tab.hasAttribute('aria-current'), getComputedStyle(tab).borderBottomColor])";
    let edges = tab.eval(edge).await;
    let edges = edges.as_array().unwrap();
    let here: Vec<_> = edges.iter().filter(|tab| tab[0] == true).map(|tab| tab[1].clone()).collect();
    assert_eq!(here.len(), 1);
    assert!(edges.iter().filter(|tab| tab[0] == false).all(|tab| tab[1] != here[0]), "{edges:?}");
    for path in pages(&site).await {
        tab.go(&served.at(&path)).await;
        let unseen = "(() => {
            const paper = getComputedStyle(document.body).backgroundColor;
            const canvas = (() => { const one = document.createElement('i'); one.style.color = 'Canvas'; document.body.append(one);
                const color = getComputedStyle(one).color; one.remove(); return color; })();
            const found = [];
            const here = document.querySelector('.places a[aria-current]');
            if (here && getComputedStyle(here).outlineStyle === 'none') found.push('the place in the menu');
            const span = document.querySelector('.spans a[aria-current]');
            if (span && getComputedStyle(span).outlineStyle === 'none') found.push('the span of the chart');
            for (const shape of document.querySelectorAll('svg.shape path')) {
                if ([paper, canvas].includes(getComputedStyle(shape).stroke)) found.push(shape.outerHTML);
            }
            for (const bar of document.querySelectorAll('.track .run, .plot rect.succeeded, .plot rect.failed')) {
                if (getComputedStyle(bar).fill === canvas) found.push(bar.outerHTML);
            }
            for (const button of document.querySelectorAll('button:not(.quiet):not([hidden]), .button')) {
                if (button.checkVisibility() && getComputedStyle(button).borderTopStyle === 'none') found.push(button.outerHTML);
            }
            return found;
        })()";
        assert_eq!(tab.eval(unseen).await, json!([]), "{path}");
    }
}

#[tokio::test]
async fn letters_that_are_being_composed_are_no_keys() {
    let site = Site::full().await;
    let served = serve(&site).await;
    for (language, _) in LANGUAGES {
        let tab = Tab::open(Looks { language, ..Looks::default() }).await;
        tab.go(&served.at("/jobs")).await;
        tab.eval("document.activeElement.blur()").await;
        // As browsers tell it while 注音 is typed: marked as composing, or by the number 229.
        for told in ["isComposing: true", "keyCode: 229", "ctrlKey: true", "metaKey: true", "altKey: true"] {
            for key in ["?", "/", "j", "n", ".", "x"] {
                let press = format!(
                    "document.body.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true, cancelable: true, {told} }}))"
                );
                assert_eq!(tab.eval(&press).await, true, "{key} with {told} is left alone");
            }
        }
        let still = "!document.querySelector('#keys').open && document.activeElement === document.body
            && document.querySelector('#live').dataset.state !== 'off'";
        assert_eq!(tab.eval(still).await, true);
        for place in ["#q", "#find", "input[name=queue]", "input[name=reason]", "select[name=delay]"] {
            let press = format!(
                "document.querySelector('{place}').dispatchEvent(new KeyboardEvent('keydown', {{ key: '?', bubbles: true, cancelable: true }}))"
            );
            assert_eq!(tab.eval(&press).await, true, "{place}");
        }
        assert_eq!(tab.eval(still).await, true);
    }
}
