//! Whatever stands in jobs, schedules, servers and addresses, a page shows it as text.

use portfire_core::storage::{
    Beat, By, Exchange, LogLine, Note, Person, Progress, QueueOrder, ServerInfo, Via, Want, WantQueue,
};
use portfire_core::{
    Dice, Fault, IdSequence, Json, Misfire, NewJob, Outcome, Overlap, Policy, Schedule, Template, settle,
};
use portfire_dashboard::{Access, Grant, Permissions};
use std::time::Duration;

use crate::markup::elements;
use crate::site::Site;

pub const CORPUS: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</pre></code><svg onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "<!--<a href=\"--><img src=x onerror=alert(1)//\">",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "{{constructor.constructor('alert(1)')()}}",
    "\u{202e}evil\u{2066}測試\u{200f}",
    "../../etc/passwd?a=b#c%2F%00",
    "a\" href=\"//evil.example",
];

/// Everything that has a name or a text, with this one.
pub async fn poison(site: &Site, evil: &str) {
    let (storage, clock) = (&site.storage, &site.clock);
    let now = storage.now().await.unwrap();
    let mut ids = IdSequence::new(Dice::from_seed([9, 9]));
    let server = ids.server(now);
    let info = ServerInfo {
        name: evil.into(),
        host: evil.into(),
        build: evil.into(),
        pid: 1,
        queues: vec![evil.into()],
        slots: 2,
        running: 0,
    };
    storage.beat(Beat { server, lease: Duration::from_secs(600), info }).await.unwrap();
    let args = Json::of(&std::collections::BTreeMap::from([(evil, [evil])])).unwrap();
    let job = NewJob {
        queue: evil.into(),
        tags: vec![evil.into()],
        unique: Some(evil.into()),
        policy: Policy { attempts_max: 1, ..Policy::default() },
        ..NewJob::new(ids.job(now), evil, args.clone())
    };
    let waiting = NewJob { id: ids.job(now), unique: None, ..job.clone() };
    storage.insert(vec![job, waiting]).await.unwrap();
    for outcome in
        [Outcome::Failed(Fault::new(&format!("{evil}\n{evil}"))), Outcome::Succeeded(Some(args.clone()))]
    {
        let queues = vec![WantQueue { name: evil.into(), limit: 1 }];
        let want = Want { token: ids.token(now), limit: 1, queues, kinds: [evil.into()].into() };
        let claim = Exchange { server, notes: Vec::new(), settlements: Vec::new(), want: Some(want) };
        let claimed = storage.exchange(claim).await.unwrap().claimed.pop().unwrap();
        let lease = claimed.facts.lease;
        let progress = Progress { done: 1, total: Some(2), message: Some(evil.into()) };
        let notes = vec![
            Note::Log(lease, LogLine { at: now, attempt: 1, text: evil.into() }),
            Note::Progress(lease, progress),
        ];
        let settlements = vec![settle(&claimed.facts, outcome, &mut Dice::from_seed([1, 1]))];
        storage.exchange(Exchange { server, notes, settlements, want: None }).await.unwrap();
        clock.advance(Duration::from_secs(1));
    }
    let job = Template {
        kind: evil.into(),
        queue: evil.into(),
        priority: 0,
        args,
        policy: Policy::default(),
        tags: vec![evil.into()],
    };
    let schedule = Schedule {
        id: evil.into(),
        cron: "* * * * *".into(),
        zone: "UTC".into(),
        misfire: Misfire::Once,
        overlap: Overlap::Allow,
        job,
    };
    storage.put_schedules(vec![schedule]).await.unwrap();
    let by = By::Person(Person::new(evil, Via::Api).unwrap().because(evil));
    storage.direct_queues(vec![evil.into()], QueueOrder::Pause, by).await.unwrap();
}

#[tokio::test]
async fn hostile_data_is_text_on_every_page_in_both_languages() {
    for evil in CORPUS {
        let actor = evil.to_owned();
        let site = Site::empty(|builder| {
            builder
                .name(evil)
                .gate_fn(move |_| Access::Granted(Grant::new(actor.as_str(), Permissions::admin())))
        });
        poison(&site, evil).await;
        let encoded: String = form_urlencoded::byte_serialize(evil.as_bytes()).collect();
        let mut paths = vec!["/".to_owned(), "/failed".to_owned(), "/audit".to_owned(), "/about".to_owned()];
        for path in [
            "/jobs?q=",
            "/jobs?q=queue:",
            "/jobs?after=",
            "/jobs?done=",
            "/recurring?after=",
            "/recurring/one?id=",
            "/failed?order=",
        ] {
            paths.push(format!("{path}{encoded}"));
        }
        paths.extend(["/jobs", "/queues", "/servers", "/recurring", "/nothing"].map(String::from));
        for job in site.storage.list(Default::default(), Default::default()).await.unwrap().jobs {
            paths.push(format!("/jobs/{}", job.id));
        }
        for path in paths {
            for lang in ["en", "zh-TW"] {
                let body = site.get_as(&path, &[("accept-language", lang)]).await.body;
                let found = elements(&body);
                assert!(found.len() > 10, "{path}");
                assert!(!body.contains("<script>alert") && !body.contains("<img"), "{path} {evil}");
            }
        }
    }
}

#[tokio::test]
async fn hostile_parameters_are_answered_quickly_and_harmlessly() {
    let site = Site::full().await;
    let long = "x".repeat(7_000);
    for path in [
        "/jobs?limit=99999999999999999999",
        "/jobs?limit=4000000000",
        "/jobs?limit=-1",
        "/jobs?limit=0",
        "/jobs?after=.....",
        "/jobs?q=%00%ff%fe",
        "/jobs/%2e%2e%2f",
        "/recurring/one",
        "/recurring/one?id=",
        "/audit?sort=job&name=x",
        "/audit?sort=x&name=x",
        "/audit?before=999999999999999999999",
        "/?span=century",
        "/failed?after=1.2.3",
        "/events?job=x",
        &format!("/jobs?q={long}"),
        &format!("/?lang={long}"),
    ] {
        let answer = site.get(path).await;
        assert!(answer.status.as_u16() < 500, "{path}: {}", answer.status);
        elements(&answer.body);
    }
}
