//! Recurring jobs with names and expressions that nobody should choose, and somebody will.

use portfire_core::{Json, Misfire, Overlap, Policy, Schedule, Template};
use portfire_dashboard::Permissions;

use crate::browser::{serve, status};
use crate::chromium::{Looks, Tab};
use crate::site::{Site, admit};

const IDS: [&str; 14] =
    ["a/b", "a%2Fb", "..", "../../etc", "?", "a?b=c&d", "測試", "#", "%", "+", " ", "a b", "\"'<", "/"];

fn schedule(id: &str, cron: &str, zone: &str) -> Schedule {
    Schedule {
        id: id.into(),
        cron: cron.into(),
        zone: zone.into(),
        misfire: Misfire::Once,
        overlap: Overlap::Allow,
        job: Template {
            kind: "report".into(),
            queue: "reports".into(),
            priority: 0,
            args: Json::trusted("{}"),
            policy: Policy::default(),
            tags: Vec::new(),
        },
    }
}

#[tokio::test]
async fn a_schedule_opens_whatever_its_name_is() {
    let site = Site::empty(|builder| admit(builder, Permissions::admin()));
    let ids: Vec<_> = IDS.iter().filter(|id| !id.trim().is_empty()).collect();
    site.storage
        .put_schedules(ids.iter().map(|id| schedule(id, "0 3 * * *", "Asia/Taipei")).collect())
        .await
        .unwrap();
    let served = serve(&site).await;
    let tab = Tab::open(Looks::default()).await;
    for (number, _) in ids.iter().enumerate() {
        tab.go(&served.at("/recurring")).await;
        let name =
            tab.text(&format!("document.querySelectorAll('td.main a.kind')[{number}].textContent")).await;
        tab.eval(&format!("document.querySelectorAll('td.main a.kind')[{number}].id = 'wanted'")).await;
        tab.lands(tab.click("#wanted")).await;
        assert_eq!(
            (status(&tab), &*tab.text("document.querySelector('h1').textContent").await),
            (200, &*name)
        );
        assert_eq!(tab.eval("document.querySelectorAll('.times time').length").await, 20, "{name}");
        tab.lands(tab.click("form[action='/recurring/pause'] button")).await;
        assert_eq!(
            (status(&tab), &*tab.text("document.querySelector('h1').textContent").await),
            (200, &*name)
        );
        assert!(tab.text("document.querySelector('main').textContent").await.contains("Paused"), "{name}");
        assert!(tab.faults(&served.origin).await.is_empty());
    }
    let paused = site.storage.list_schedules(None, 100).await.unwrap();
    assert!(paused.iter().all(|view| view.standing == portfire_core::Standing::Paused));
}

#[tokio::test]
async fn an_expression_that_would_cost_much_is_refused_with_a_sentence() {
    let site = Site::empty(|builder| admit(builder, Permissions::admin()));
    let long = "1,".repeat(5_000);
    for cron in [
        "1--100000000 * * * *",
        "@reboot",
        "",
        "   ",
        &long,
        "*/0 * * * *",
        "0 0 30 2 *",
        "0-99999999999999999999 * * * *",
    ] {
        let refused = site.storage.put_schedules(vec![schedule("wrong", cron, "UTC")]).await;
        let told = refused.expect_err(cron).to_string();
        assert!(!told.is_empty() && told.len() < 1_000, "{told}");
    }
    assert!(site.get("/recurring").await.body.contains("No recurring jobs"));
}

/// In both zones the clock changes within the next twenty times; the hour that is not there is left out, the one that
/// is there twice runs once, and each time is told in the zone of the schedule.
#[tokio::test]
async fn the_next_times_are_right_when_the_clock_changes() {
    let site = Site::empty(|builder| admit(builder, Permissions::admin()));
    let new_york = schedule("new-york", "30 1,2,3 * * 0", "America/New_York");
    site.storage
        .put_schedules(vec![new_york, schedule("taipei", "30 2 * * 0", "Asia/Taipei")])
        .await
        .unwrap();
    let served = serve(&site).await;
    for (zone, language) in [("Asia/Taipei", "zh-TW"), ("America/New_York", "en")] {
        let tab = Tab::open(Looks { zone, language, ..Looks::default() }).await;
        tab.go(&served.at("/recurring/one?id=new-york")).await;
        let times =
            tab.eval("[...document.querySelectorAll('.times time')].map((time) => time.dateTime)").await;
        let times: Vec<jiff::Timestamp> =
            times.as_array().unwrap().iter().map(|at| at.as_str().unwrap().parse().unwrap()).collect();
        let local: Vec<_> = times.iter().map(|at| at.in_tz("America/New_York").unwrap()).collect();
        assert!(
            local.iter().all(|at| at.weekday() == jiff::civil::Weekday::Sunday && at.minute() == 30),
            "{local:?}"
        );
        let changed: Vec<_> = local
            .iter()
            .filter(|at| at.date() == jiff::civil::date(2026, 11, 1))
            .map(|at| at.hour())
            .collect();
        assert_eq!(changed, [1, 2, 3], "the hour that is there twice runs once");
        assert_eq!(tab.eval("document.querySelectorAll('.times .change').length").await, 1);
        tab.go(&served.at("/recurring/one?id=taipei")).await;
        assert_eq!(tab.eval("document.querySelectorAll('.times .change').length").await, 0);
    }
}
