//! What recurs: cleanup and notifications, triggered from outside as an operator would.

use portfire::testing::TestServer;
use portfire::{Jobs, SlotFate, Standing, State};
use serde_json::json;
use sqlx::SqlitePool;

use crate::bed::{Bed, answer};

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

async fn database(bed: &Bed) -> (Jobs, SqlitePool) {
    let url = format!("sqlite://{}", bed.path().join("demo.db").display());
    (Jobs::connect(&url).await.unwrap(), SqlitePool::connect(&url).await.unwrap())
}

/// Runs a schedule now and waits for the end of its job.
async fn run_now(jobs: &Jobs, schedule: &str) -> portfire::JobDetails {
    let job = jobs.schedule(schedule).trigger().await.unwrap();
    crate::bed::until(schedule, async || {
        jobs.get(job).await.unwrap().filter(|job| job.summary.state.is_final())
    })
    .await
}

#[tokio::test]
async fn a_deleted_user_goes_after_thirty_days() {
    let bed = Bed::new();
    let demo = bed.start().await;
    for name in ["kept", "recent", "old"] {
        let body = json!({ "displayName": name, "email": format!("{name}@example.com") });
        assert_eq!(answer(demo.post("/api/users").json(&body)).await.0, 201);
    }
    for id in [2, 3] {
        assert_eq!(demo.delete(&format!("/api/users/{id}")).send().await.unwrap().status(), 204);
        let (status, again) = answer(demo.delete(&format!("/api/users/{id}"))).await;
        assert_eq!((status, &again["error"]), (404, &json!("找不到該使用者")));
    }
    assert_eq!(answer(demo.get("/api/users")).await.1["total"], 1, "deleted users are not listed");

    let (jobs, pool) = database(&bed).await;
    let ago = |days: i64| {
        sqlx::query("UPDATE users SET deleted_at = deleted_at - ?1 WHERE id = ?2").bind(days * DAY_MICROS)
    };
    ago(29).bind(2).execute(&pool).await.unwrap();
    ago(31).bind(3).execute(&pool).await.unwrap();
    let cleanup = run_now(&jobs, "cleanup-expired-data").await;
    assert_eq!((cleanup.summary.state, cleanup.result.unwrap().as_str()), (State::Succeeded, "1"));
    let left: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM users ORDER BY id").fetch_all(&pool).await.unwrap();
    assert_eq!(left, [1, 2]);

    let back = json!({ "displayName": "again", "email": "Recent@example.com" });
    let (status, user) = answer(demo.post("/api/users").json(&back)).await;
    assert_eq!((status, &user["id"]), (201, &json!(2)), "a deleted user may come back");
}

#[tokio::test]
async fn the_administrator_hears_of_each_failure_once_however_many_there_are() {
    let bed = Bed::new();
    let _demo = bed.start_with(&["--no-sample", "--language", "en"]).await;
    let (jobs, _) = database(&bed).await;
    // Imports that no upload began fail for good.
    let calls = (0..120).map(|n| demo::jobs::import_users(format!("{n}.csv"), 0));
    let handles = jobs.enqueue_many(calls).await.unwrap();
    let failed = async |jobs: &Jobs, count: u64| {
        let overview = jobs.overview().await.unwrap();
        overview.ended.iter().any(|one| one.state == State::Failed && one.jobs == count).then_some(())
    };
    crate::bed::until("the failures", async || failed(&jobs, 120).await).await;
    let check = async || run_now(&jobs, "check-notifications").await.result.unwrap();
    assert_eq!(check().await.as_str(), "120");
    assert_eq!(check().await.as_str(), "0");
    jobs.retry(&handles[0]).await.unwrap();
    crate::bed::until("the failure again", async || failed(&jobs, 120).await).await;
    assert_eq!(check().await.as_str(), "1", "one that was retried and failed again is told again");
    assert_eq!((bed.mail_with("Failed jobs: 120"), bed.mail_with("Failed jobs: 1\r\n")), (1, 1));
}

#[tokio::test]
async fn both_schedules_are_put_at_each_start_and_moved_by_none() {
    let bed = Bed::new();
    let demo = bed.start_with(&["--no-sample", "--time-zone", "Europe/Berlin"]).await;
    let (jobs, _) = database(&bed).await;
    let seen = jobs.schedules(None, 10).await.unwrap();
    let described: Vec<_> =
        seen.iter().map(|view| (&*view.schedule.id, &*view.schedule.cron, &*view.schedule.zone)).collect();
    let zone = "Europe/Berlin";
    let expected =
        [("check-notifications", "*/5 * * * *", zone), ("cleanup-expired-data", "0 2 * * *", zone)];
    assert_eq!(described, expected);
    demo.kill().await;
    let _demo = bed.start_with(&["--no-sample", "--time-zone", "Europe/Berlin"]).await;
    let again = jobs.schedules(None, 10).await.unwrap();
    let revisions =
        |views: &[portfire::ScheduleView]| views.iter().map(|view| view.revision).collect::<Vec<_>>();
    assert_eq!(revisions(&again), revisions(&seen));
    assert!(again.iter().all(|view| matches!(view.standing, Standing::Active { .. })));
}

/// A week of the demo's own schedules, in a moment: the real server, in memory, travelling in time.
#[tokio::test]
async fn a_week_of_nights_cleans_up_each() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("app.db").display());
    let database = demo::database::Database::open(&url).await.unwrap();
    let data = demo::files::DataDir::open(dir.path()).await.unwrap();
    let mailbox: lettre::message::Mailbox = "admin@example.com".parse().unwrap();
    let server = |jobs: &Jobs| {
        let mailer = demo::mailer::Mailer::to_files(data.mail(), mailbox.clone());
        let administrator = demo::jobs::Administrator(mailbox.clone(), demo::i18n::Language::English);
        let lease = std::time::Duration::from_secs(5);
        demo::jobs::server(jobs, database.clone(), data.clone(), mailer, administrator, lease)
    };
    let test = TestServer::new(server).await.unwrap();
    demo::jobs::put_schedules(test.jobs(), "Asia/Taipei").await.unwrap();
    let ran = test.travel(std::time::Duration::from_secs(7 * 24 * 60 * 60)).await.unwrap();
    ran.assert_all_succeeded();
    assert_eq!(ran.of::<demo::jobs::cleanup_expired_data>().count(), 7);
    assert_eq!(ran.of::<demo::jobs::check_notifications>().count(), 7 * 24 * 12);
    let history = test.jobs().schedule("cleanup-expired-data").history(None, 10).await.unwrap();
    assert!(history.iter().all(|slot| slot.fate == SlotFate::Fired));
    assert_eq!(history[0].at.to_string(), "2026-01-07T18:00:00Z", "02:00 in Taipei");
}

#[tokio::test]
async fn a_prefix_of_the_tables_reaches_every_transaction() {
    let bed = Bed::new();
    let url = format!("sqlite://{}?prefix=Hangfire_", bed.path().join("app.db").display());
    let demo = bed.start_with(&["--no-sample", "--database", &url]).await;
    let job = demo.import("display name,email\nAda,ada@example.com\n").await;
    assert_eq!(demo.wait_for_end(&job).await["imported"], 1);
    bed.wait_for_files("mail", "eml", 1).await;
}
