//! What a page says is true, in the reader's language and time, and can be taken away.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{
    Action, Beat, By, Claimed, Exchange, Person, ServerInfo, Storage, Via, Want, WantQueue,
};
use portfire_core::{
    Clock, Dice, Fault, IdSequence, JobId, Json, ModelStorage, NewJob, Outcome, Policy, State, VirtualClock,
    settle,
};
use portfire_dashboard::{Permissions, dashboard};
use serde_json::json;

use crate::browser::{pages, serve, status};
use crate::chromium::{Looks, Tab};
use crate::fixture;
use crate::served::Served;
use crate::site::{Site, admit};

/// Somebody who runs jobs.
struct Hand<'s> {
    site: &'s Site,
    ids: IdSequence,
    server: portfire_core::ServerId,
}

impl<'s> Hand<'s> {
    async fn at(site: &'s Site) -> Self {
        let mut ids = IdSequence::new(Dice::from_seed([20, 20]));
        let server = ids.server(site.clock.now());
        let lease = Duration::from_secs(86_400);
        site.storage.beat(Beat { server, lease, info: ServerInfo::default() }).await.unwrap();
        Self { site, ids, server }
    }

    async fn claim(&mut self, queue: &str) -> Option<Claimed> {
        let queues = vec![WantQueue { name: queue.into(), limit: 1 }];
        let kinds = [("true_story").into()].into();
        let want = Want { token: self.ids.token(self.site.clock.now()), limit: 1, queues, kinds };
        let ask =
            Exchange { server: self.server, notes: Vec::new(), settlements: Vec::new(), want: Some(want) };
        self.site.storage.exchange(ask).await.unwrap().claimed.pop()
    }

    /// Claims what waits in a queue, and ends it so after some seconds.
    async fn run(&mut self, queue: &str, outcome: Outcome) {
        let claimed = self.claim(queue).await.expect("something waits");
        self.site.clock.advance(Duration::from_secs(7));
        let settlements = vec![settle(&claimed.facts, outcome, &mut Dice::from_seed([1, 1]))];
        let ask = Exchange { server: self.server, notes: Vec::new(), settlements, want: None };
        self.site.storage.exchange(ask).await.unwrap();
    }

    async fn store(&mut self, args: &str) -> JobId {
        let id = self.ids.job(self.site.clock.now());
        let policy = Policy { attempts_max: 9, ..Policy::default() };
        let job =
            NewJob { queue: "story".into(), policy, ..NewJob::new(id, "true_story", Json::trusted(args)) };
        self.site.storage.insert(vec![job]).await.unwrap();
        id
    }

    /// Lets it wait no longer.
    async fn now(&self, job: JobId) {
        let by = By::Person(Person::new("ming", Via::Dashboard).unwrap().because("no time"));
        self.site.storage.act(vec![job], Action::RunNow, by).await.unwrap();
    }
}

const ARGS: &str =
    "{\"number\":9007199254740993,\"exact\":0.10000000000000000555,\"text\":\"a \\\"b\\\" 測試\"}";

#[tokio::test]
async fn the_life_of_a_job_is_told_in_order() {
    let site = Site::empty(|builder| admit(builder, Permissions::admin()));
    let mut hand = Hand::at(&site).await;
    let job = hand.store(ARGS).await;
    site.clock.advance(Duration::from_secs(3));
    hand.run("story", Outcome::Failed(Fault::new("the first error"))).await;
    hand.now(job).await;
    hand.run("story", Outcome::Snoozed(Duration::from_secs(60))).await;
    site.clock.advance(Duration::from_secs(61));
    site.storage.promote(10).await.unwrap();
    hand.run("story", Outcome::Failed(Fault::new("the second error"))).await;
    hand.now(job).await;
    site.clock.advance(Duration::from_secs(5));
    hand.run("story", Outcome::Succeeded(None)).await;

    let served = serve(&site).await;
    let tab = Tab::open(Looks::default()).await;
    tab.go(&served.at(&format!("/jobs/{job}"))).await;
    let told = tab.eval("[...document.querySelectorAll('.life li')].map((one) => [one.querySelector('time').dateTime, one.firstElementChild.textContent, one.querySelector('small')?.textContent ?? ''])").await;
    let told: Vec<_> = told.as_array().unwrap().clone();
    let times: Vec<_> =
        told.iter().map(|one| one[0].as_str().unwrap().parse::<jiff::Timestamp>().unwrap()).collect();
    assert!(times.is_sorted_by(|later, earlier| later >= earlier), "the latest is first: {told:#?}");
    let words: Vec<_> = told.iter().rev().map(|one| one[1].as_str().unwrap()).collect();
    assert_eq!((words[0], words.last().copied()), ("Created", Some("Succeeded")), "{words:?}");
    let place = |what: &str| {
        words.iter().position(|word| word.contains(what)).unwrap_or_else(|| panic!("{what}: {words:?}"))
    };
    let order = ["Attempt 1 began", "Attempt 1: failed", "Run now: ming", "snoozed"].map(place);
    assert!(order.is_sorted(), "{words:?}");
    assert_eq!(words.iter().filter(|word| word.contains("failed")).count(), 2, "{words:?}");
    for one in &told {
        assert!(!one[2].as_str().unwrap().contains('-'), "no time runs backwards: {one}");
    }
    let errors = tab.eval("[...document.querySelectorAll('.attempt')].map((one) => [one.open, one.querySelector('.fault')?.textContent ?? ''])").await;
    let errors: Vec<_> = errors.as_array().unwrap().iter().filter(|one| one[1] != "").cloned().collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[0][1] == "the second error" && errors[1][1] == "the first error",
        "the latest is first: {errors:?}"
    );
    assert_eq!(errors[0][0], true, "and open");
    let spans = tab.eval("[...document.querySelectorAll('.track rect')].map((one) => [one.getAttribute('x'), one.getAttribute('width')].map(Number))").await;
    for span in spans.as_array().unwrap() {
        assert!(span[0].as_f64() >= Some(0.0) && span[1].as_f64() > Some(0.0), "{spans}");
    }
}

#[tokio::test]
async fn what_is_copied_is_exact_also_without_https() {
    let site = Site::empty(|builder| admit(builder, Permissions::admin()));
    let job = Hand::at(&site).await.store(ARGS).await;
    let served = serve(&site).await;
    let tab = Tab::open(Looks::default()).await;
    tab.go(&served.at(&format!("/jobs/{job}")).replace("127.0.0.1", "plain.test")).await;
    assert_eq!(tab.text("`${isSecureContext} ${typeof navigator.clipboard}`").await, "false undefined");
    tab.eval(
        "document.addEventListener('copy', () => { window.taken = document.activeElement.value; }, true); 0",
    )
    .await;
    for (button, expected) in [("pre + [data-copy]", ARGS), (".under [data-copy]", &*job.to_string())] {
        tab.click(button).await;
        tab.until(&format!("document.querySelector({}).textContent === 'Copied'", json!(button))).await;
        assert_eq!(tab.text("window.taken").await, expected);
        assert_eq!(
            tab.eval(&format!("document.activeElement.matches({})", json!(button))).await,
            true,
            "the focus stays"
        );
    }
    let shown = tab.text("document.querySelector('pre.code').textContent").await;
    assert!(shown.contains("9007199254740993") && shown.contains("0.10000000000000000555"), "{shown}");
}

#[tokio::test]
async fn a_paused_queue_holds_its_jobs_and_says_who_paused_it() {
    for site in [Site::empty(|builder| admit(builder, Permissions::admin())), Site::empty_on_sqlite().await] {
        let mut hand = Hand::at(&site).await;
        let job = hand.store("{}").await;
        let served = serve(&site).await;
        let tab = Tab::open(Looks::default()).await;
        tab.go(&served.at("/queues")).await;
        tab.click("td.does summary").await;
        tab.eval("document.querySelector('td.does input[name=reason]').value = '供應商 is down'").await;
        tab.lands(tab.click("td.does form button")).await;
        let row = tab.text("document.querySelector('tbody tr').textContent").await;
        assert!(row.contains("ming") && row.contains("供應商 is down"), "{row}");
        assert!(hand.claim("story").await.is_none(), "nobody takes anything");
        for (path, place) in
            [(format!("/jobs/{job}"), ".notice.warm"), ("/jobs".to_owned(), "tbody .mark.warm")]
        {
            tab.go(&served.at(&path)).await;
            let told = tab.text(&format!("document.querySelector('{place}').textContent")).await;
            assert!(told.contains("eld"), "{path}: {told}");
            let is_whole = path == "/jobs" || told.contains("ming") && told.contains("供應商 is down");
            assert!(is_whole, "{path}: {told}");
        }
        tab.go(&served.at("/queues")).await;
        tab.lands(tab.click("td.does form[action='/queues/resume'] button")).await;
        assert!(hand.claim("story").await.is_some());
        tab.go(&served.at(&format!("/jobs/{job}"))).await;
        assert_eq!(tab.eval("document.querySelector('.notice.warm')").await, json!(null));
    }
}

/// Words that are the same in every language: the product, and what programs call things.
const SAME: [&str; 31] = [
    "Portfire",
    "English",
    "UTC",
    "JSON",
    "API",
    "MIT",
    "Apache",
    "MiB",
    "cron",
    "jobs",
    "recurring",
    "name",
    "upsert",
    "call",
    "panic",
    "delay",
    "at",
    "state",
    "queue",
    "kind",
    "tag",
    "id",
    "error",
    "since",
    "until",
    "fault",
    "GMT",
    "EST",
    "EDT",
    "model",
    "memory",
];

/// Looks at every word of a page that stands neither in code nor in data: text, titles, labels, placeholders.
const WORDS: &str = "(() => {
    const data = 'code, pre, kbd, .kind, .id, .queue, .tag, .whole-id, .fault-line, .sample, .log, .where, option, [lang=en]';
    const found = [];
    // What is written as a filter is code as well.
    const take = (text) => found.push(...(text.replace(/[a-z]+:\\S+/g, '').match(/[A-Za-z][A-Za-z_'’]+/g) ?? []));
    const walk = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_ALL);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
        const one = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
        if (!one?.closest || one.closest(data) || one.closest('script, style')) continue;
        if (node.nodeType === Node.TEXT_NODE) take(node.data);
        else for (const name of ['title', 'aria-label', 'placeholder', 'alt', 'data-label', 'data-live', 'data-off', 'data-lost', 'data-polling', 'data-copied', 'data-updates']) {
            if (one.hasAttribute(name)) take(one.getAttribute(name));
        }
    }
    return [...new Set(found)];
})()";

/// What stands in the fixture's names: servers, hosts, schedules, persons, reasons.
fn names() -> Vec<String> {
    let source = include_str!("fixture.rs");
    let words = source.split(|c: char| !c.is_ascii_alphabetic() && c != '_').filter(|word| word.len() > 1);
    let quoted = [
        "mail",
        "default",
        "reports",
        "old",
        "host",
        "example",
        "net",
        "shop",
        "cleanup",
        "heartbeat",
        "nyc",
        "closing",
        "ming",
        "nobody",
        "Asia",
        "Taipei",
        "America",
        "York",
        "New_York",
        "bank",
        "back",
        "the",
        "is",
        "send_welcome_email",
        "charge_card",
        "render_report",
        "import_users",
    ];
    words.filter(|word| quoted.contains(word)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_chinese_page_has_no_english_word_outside_of_code_and_data() {
    let site = Site::full().await;
    let served = serve(&site).await;
    let names = names();
    let tab = Tab::open(Looks { language: "zh-TW", zone: "Asia/Taipei", ..Looks::default() }).await;
    let mut paths = pages(&site).await;
    let fault = site.storage.fault_groups(Default::default()).await.unwrap()[0].fingerprint;
    paths.extend([
        format!("/failed/all?fault={fault}&do=delete"),
        "/jobs?q=%22open".to_owned(),
        "/jobs?q=a+b".to_owned(),
        "/jobs?q=since%3Asoon".to_owned(),
        "/jobs?q=-state%3Afailed".to_owned(),
        "/jobs?after=x".to_owned(),
        "/jobs/019a0000-0000-7000-8000-000000000001".to_owned(),
        "/recurring/one?id=nothing".to_owned(),
        "/jobs?done=cancel.3.1".to_owned(),
        "/servers?done=server-stop.1.0".to_owned(),
        "/queues?done=queue-pause.1.0".to_owned(),
        "/audit?sort=queue&name=nobody".to_owned(),
    ]);
    for (path, typed) in paths.iter().map(|path| (path, path.contains("q="))) {
        tab.go(&served.at(path)).await;
        assert_eq!(tab.text("document.documentElement.lang").await, "zh-Hant-TW");
        let words = tab.eval(WORDS).await;
        let is_known = |word: &str| {
            SAME.contains(&word)
                || names.iter().any(|name| name == word)
                || typed && path.contains(word)
                || State::ALL.iter().any(|state| typed && state.as_str() == word)
        };
        let foreign: Vec<_> =
            words.as_array().unwrap().iter().filter(|word| !is_known(word.as_str().unwrap())).collect();
        assert!(foreign.is_empty(), "{path}: {foreign:?}");
    }
}

/// A dashboard on a host whose clock is behind that of its storage.
async fn behind(seconds: u64) -> (Arc<ModelStorage>, axum::Router) {
    let clock = Arc::new(VirtualClock::at(fixture::noon()));
    let storage = Arc::new(ModelStorage::new(clock.clone()));
    fixture::fill(&*storage, &clock).await;
    let host = Arc::new(VirtualClock::at(clock.now().before(Duration::from_secs(seconds))));
    let router = admit(dashboard(storage.clone()).clock(host), Permissions::admin()).build();
    (storage, router)
}

#[tokio::test]
async fn a_clock_that_differs_is_told_and_ages_stay_right() {
    let (storage, router) = behind(90).await;
    let served = Served::start(router).await;
    let (same, right) = behind(0).await;
    let right = Served::start(right).await;
    assert_eq!(storage.now().await.unwrap(), same.now().await.unwrap());
    let ages = "[...document.querySelectorAll('main time')].map((time) => time.textContent)";
    let tab = Tab::open(Looks::default()).await;
    for path in ["/", "/jobs", "/queues", "/servers", "/recurring"] {
        tab.go(&right.at(path)).await;
        let expected = tab.eval(ages).await;
        assert_eq!(tab.eval("document.querySelector('footer .skew')").await, json!(null));
        tab.go(&served.at(path)).await;
        assert_eq!(tab.eval(ages).await, expected, "{path}");
        let told = tab.text("document.querySelector('footer .skew').textContent").await;
        assert!(told.contains("The clocks disagree") && told.contains("1 min 30 s"), "{told}");
    }
    tab.go(&served.at("/about")).await;
    assert_eq!(status(&tab), 200);
    assert!(tab.text("document.querySelector('main').textContent").await.contains("The clocks disagree"));
}
