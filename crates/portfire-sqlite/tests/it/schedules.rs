//! A schedule that another version stored, and this one cannot read.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::schedule::plan;
use portfire_core::storage::{By, Directed, Fired, Put};
use portfire_core::{
    Dice, IdSequence, Json, Misfire, Order, Overlap, Policy, Schedule, Standing, Storage, Template,
    VirtualClock,
};
use portfire_sqlite::rusqlite::Connection;
use portfire_sqlite::{SqliteOptions, SqliteStorage};

fn schedule(id: &str) -> Schedule {
    let job = Template {
        kind: "work".into(),
        queue: "default".into(),
        priority: 0,
        args: Json::trusted("{}"),
        policy: Policy::default(),
        tags: Vec::new(),
    };
    let (misfire, overlap) = (Misfire::Once, Overlap::Allow);
    Schedule { id: id.into(), cron: "* * * * *".into(), zone: "UTC".into(), misfire, overlap, job }
}

#[tokio::test]
async fn an_unreadable_schedule_is_flagged_and_disturbs_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("jobs.db"), Arc::new(VirtualClock::default()));
    let options = SqliteOptions::new(&path).clock(Arc::<VirtualClock>::clone(&clock));
    let storage = SqliteStorage::open(options).await.unwrap();
    storage.put_schedules(["bad", "good", "worse"].map(schedule).into()).await.unwrap();
    let connection = Connection::open(&path).unwrap();
    let spoil =
        "UPDATE portfire_schedule SET definition = '{\"from\":\"the future\"}' WHERE id IN ('bad', 'worse')";
    connection.execute(spoil, []).unwrap();
    clock.advance(Duration::from_secs(60));
    let mut ids = IdSequence::new(Dice::from_seed([1, 2]));
    let seen = storage.due_schedules(9).await.unwrap();
    let firings: Vec<_> = seen.due.iter().filter_map(|due| plan(due, seen.now, &mut ids)).collect();
    assert_eq!(firings.len(), 3);
    let fired = storage.fire(firings, By::Program).await.unwrap();
    let stored = |fired: &Fired| matches!(fired, Fired::Applied(stored) if stored.len() == 1);
    assert_eq!(fired.iter().filter(|one| stored(one)).count(), 1, "{fired:?}");
    assert!(storage.due_schedules(9).await.unwrap().due.is_empty(), "it is not found due again and again");
    let listed = storage.list_schedules(None, 9).await.unwrap();
    assert!(matches!(&listed[0].standing, Standing::Flagged { problem } if problem.contains("put it again")));
    assert_eq!(storage.put_schedules(vec![schedule("bad")]).await.unwrap(), [Put::Changed]);
    let removed = storage.direct_schedules(vec!["worse".into()], Order::Remove, By::Program).await.unwrap();
    assert_eq!(removed, [Directed::Done]);
    let mended = storage.get_schedules(vec!["bad".into()]).await.unwrap().remove(0).unwrap();
    assert!(matches!(mended.standing, Standing::Active { .. }), "put again, it runs");
}
