//! Claims begin behind what was claimed before. Whatever comes before that place is found all the same: at once what
//! the storage itself put there, after a second what others did.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Action, By, Exchange, Want, WantQueue};
use portfire_core::{JobId, NewJob, ServerId, Start, Storage, VirtualClock};
use portfire_mysql::MysqlStorage;
use portfire_mysql::mysql_async::Conn;
use portfire_mysql::mysql_async::prelude::Queryable;

use crate::bed::{Database, Engine, beaten, exchange, job, on_both, succeeded, want};
use crate::proxy::through_proxy;

on_both! {
    what_others_put_before_the_place_is_found_after_a_second
    what_the_storage_itself_makes_ready_before_the_place_is_found_at_once
    a_claim_that_comes_back_short_has_looked_from_the_head
    what_an_old_transaction_still_sees_is_not_walked_past
    a_look_that_took_long_is_not_made_again_at_once
    a_long_look_in_vain_rests_and_new_jobs_are_claimed_all_the_same
    a_look_that_is_longer_than_its_deadline_rests
    while_looks_rest_what_the_storage_itself_makes_ready_late_is_found_at_once
}

/// A database with a backlog, of which a server has claimed the first ten.
struct Backlog {
    clock: Arc<VirtualClock>,
    /// The storage that claims, and another one.
    ours: MysqlStorage,
    others: MysqlStorage,
    server: ServerId,
    database: Database,
}

const BACKLOG: usize = 40;

impl Backlog {
    async fn new(engine: Engine) -> Self {
        let (database, clock) = (Database::lent(engine).await, Arc::new(VirtualClock::default()));
        let open = || MysqlStorage::open(database.options().clock(Arc::<VirtualClock>::clone(&clock)));
        let (ours, others) = (open().await.unwrap(), open().await.unwrap());
        let server = beaten(&ours).await;
        let all = Self { clock, ours, others, server, database };
        all.others.insert((0..BACKLOG).map(|_| job()).collect()).await.unwrap();
        all.clock.advance(Duration::from_millis(10));
        assert_eq!(all.claim(10).await.len(), 10);
        all
    }

    /// What a claim of so many takes.
    async fn claim(&self, limit: u32) -> Vec<JobId> {
        self.claim_from("default", limit).await
    }

    async fn claim_from(&self, queue: &str, limit: u32) -> Vec<JobId> {
        let asked = Want { queues: vec![WantQueue { name: queue.into(), limit }], ..want(limit) };
        let claimed = exchange(&self.ours, self.server, Vec::new(), Some(asked)).await.claimed;
        claimed.iter().map(|one| one.facts.lease.job).collect()
    }
}

async fn what_others_put_before_the_place_is_found_after_a_second(engine: Engine) {
    let all = Backlog::new(engine).await;
    let urgent = NewJob { priority: -1, ..job() };
    all.others.insert(vec![urgent.clone()]).await.unwrap();
    assert!(!all.claim(5).await.contains(&urgent.id), "nobody looks from the head so soon");
    all.clock.advance(Duration::from_millis(500));
    assert!(!all.claim(5).await.contains(&urgent.id));
    // However often a claim went on from another's place.
    all.clock.advance(Duration::from_millis(500));
    assert_eq!(all.claim(5).await[0], urgent.id);
}

async fn what_the_storage_itself_makes_ready_before_the_place_is_found_at_once(engine: Engine) {
    let all = Backlog::new(engine).await;
    let urgent = NewJob { priority: -1, ..job() };
    all.ours.insert(vec![urgent.clone()]).await.unwrap();
    assert_eq!(all.claim(5).await[0], urgent.id, "a job of a higher priority");

    let moved = NewJob { queue: "bulk".into(), ..job() };
    all.others.insert(vec![moved.clone()]).await.unwrap();
    let raised = Action::Prioritize(-1);
    for action in [raised, Action::MoveTo("default".into())] {
        all.ours.act(vec![moved.id], action, By::Program).await.unwrap();
    }
    assert_eq!(all.claim(5).await[0], moved.id, "a job that was moved");

    let late = NewJob { start: Start::After(Duration::from_millis(1)), priority: -1, ..job() };
    all.others.insert(vec![late.clone()]).await.unwrap();
    all.clock.advance(Duration::from_millis(2));
    assert_eq!(all.ours.promote(9).await.unwrap().count, 1);
    assert_eq!(all.claim(5).await[0], late.id, "a job whose time has come");

    let (parent, server) = (NewJob { priority: -1, ..job() }, all.server);
    let child = NewJob { priority: -1, after: vec![after(&parent)], ..job() };
    all.ours.insert(vec![parent, child.clone()]).await.unwrap();
    let claimed = exchange(&all.ours, server, Vec::new(), Some(want(1))).await.claimed;
    assert_eq!(all.claim(1).await.len(), 1);
    exchange(&all.ours, server, vec![succeeded(&claimed[0])], None).await;
    assert_eq!(all.claim(5).await[0], child.id, "a job that has waited for another");
}

fn after(parent: &NewJob) -> portfire_core::Dependency {
    portfire_core::Dependency { parent: parent.id, on: portfire_core::Trigger::End }
}

/// Who asked for more than there was is told all that there was.
async fn a_claim_that_comes_back_short_has_looked_from_the_head(engine: Engine) {
    let all = Backlog::new(engine).await;
    let urgent = NewJob { priority: -1, ..job() };
    all.others.insert(vec![urgent.clone()]).await.unwrap();
    let queues = ["default", "bulk"].map(|name| WantQueue { name: name.into(), limit: 100 }).to_vec();
    let asked = Want { queues, ..want(100) };
    let claimed = exchange(&all.ours, all.server, Vec::new(), Some(asked)).await.claimed;
    let ids: Vec<_> = claimed.iter().map(|one| one.facts.lease.job).collect();
    assert_eq!((ids.len(), ids[0]), (BACKLOG - 10 + 1, urgent.id));
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    assert!(all.database.name.starts_with("portfire_test"));
}

/// While a transaction sees the table as it was, nothing leaves it; a claim begins behind.
async fn what_an_old_transaction_still_sees_is_not_walked_past(engine: Engine) {
    let database = Database::lent(engine).await;
    let (storage, seen) = through_proxy(&database).await;
    let server = beaten(&storage).await;
    storage.insert((0..300).map(|_| job()).collect()).await.unwrap();
    let mut old = database.connect().await;
    old.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT").await.unwrap();
    for _ in 0..3 {
        assert_eq!(exchange(&storage, server, Vec::new(), Some(want(100))).await.claimed.len(), 100);
    }
    let asked: Vec<_> = seen.take().into_iter().flatten().collect();
    let claims: Vec<_> = asked.iter().filter(|sql| sql.contains("FROM portfire_ready AS r")).collect();
    let begins_behind = |sql: &&String| sql.contains("r.run_at > ");
    assert_eq!((claims.len(), claims.iter().filter(|sql| begins_behind(sql)).count()), (3, 2), "{claims:#?}");
}

/// Lets go of a table once a claim has waited for it for so long that its look was long.
async fn let_go(mut holder: Conn, database: &Database) {
    let mut watch = database.connect().await;
    let waiting = "SELECT COUNT(*) FROM information_schema.processlist
        WHERE db = DATABASE() AND state LIKE 'Waiting for table%'";
    while watch.query_first::<u64, _>(waiting).await.unwrap() == Some(0) {}
    watch.query_drop("DO SLEEP(0.02)").await.unwrap();
    holder.query_drop("UNLOCK TABLES").await.unwrap();
}

impl Backlog {
    /// Takes so many jobs that looks are judged.
    async fn takes_many(&self) {
        self.ours.insert((0..1_000).map(|_| job()).collect()).await.unwrap();
        while !self.claim(500).await.is_empty() {}
    }

    /// A claim that takes long.
    async fn claim_long(&self, queue: &str, limit: u32) -> Vec<JobId> {
        let mut holder = self.database.connect().await;
        holder.query_drop("LOCK TABLES portfire_ready WRITE").await.unwrap();
        tokio::join!(self.claim_from(queue, limit), let_go(holder, &self.database)).0
    }
}

/// Beside a backup of an hour a look from the head takes a second.
async fn a_look_that_took_long_is_not_made_again_at_once(engine: Engine) {
    let all = Backlog::new(engine).await;
    all.takes_many().await;
    all.others.insert(vec![job(), job()]).await.unwrap();
    all.clock.advance(Duration::from_secs(1));
    assert_eq!(all.claim_long("default", 2).await.len(), 2);

    let (urgent, next) = (NewJob { priority: -1, ..job() }, job());
    all.others.insert(vec![urgent.clone(), next.clone()]).await.unwrap();
    assert_eq!(all.claim(9).await, [next.id], "a claim that came back short leaves it at that");
    all.clock.advance(Duration::from_secs(500));
    assert_eq!(all.claim(9).await, [urgent.id], "the next look has come");
}

/// A server of two queues began when others had emptied one of them: it has no place there, and walks past all that
/// they have left.
async fn a_long_look_in_vain_rests_and_new_jobs_are_claimed_all_the_same(engine: Engine) {
    let all = Backlog::new(engine).await;
    all.takes_many().await;
    assert!(all.claim_long("bulk", 9).await.is_empty());
    let bulk = |priority| NewJob { queue: "bulk".into(), priority, ..job() };
    for _ in 0..2 {
        let (urgent, next) = (bulk(-1), bulk(0));
        all.others.insert(vec![urgent.clone(), next.clone()]).await.unwrap();
        assert_eq!(all.claim_from("bulk", 9).await, [next.id], "nobody looks from the head");
        assert!(all.claim_from("bulk", 9).await.is_empty());
        all.others.act(vec![urgent.id], Action::Delete, By::Program).await.unwrap();
        all.clock.advance(Duration::from_millis(1));
    }
    let urgent = bulk(-1);
    all.others.insert(vec![urgent.clone()]).await.unwrap();
    all.clock.advance(Duration::from_secs(500));
    assert_eq!(all.claim_from("bulk", 9).await, [urgent.id], "the next look has come");
}

/// Else the next claim would look from the head again, and no claim would ever come to its end.
async fn a_look_that_is_longer_than_its_deadline_rests(engine: Engine) {
    let all = Backlog::new(engine).await;
    let options = all.database.options().clock(Arc::<VirtualClock>::clone(&all.clock));
    let hasty = MysqlStorage::open(options.deadline(Duration::from_secs(2))).await.unwrap();
    let claim = async || {
        let queues = vec![WantQueue { name: "bulk".into(), limit: 9 }];
        let want = Some(Want { queues, ..want(9) });
        let (server, notes, settlements) = (all.server, Vec::new(), Vec::new());
        hasty.exchange(Exchange { server, notes, settlements, want }).await
    };
    while claim().await.is_err() {}
    let mut holder = all.database.connect().await;
    holder.query_drop("LOCK TABLES portfire_ready WRITE").await.unwrap();
    assert!(claim().await.is_err_and(|error| error.is_transient()));
    holder.query_drop("UNLOCK TABLES").await.unwrap();

    let bulk = |priority| NewJob { queue: "bulk".into(), priority, ..job() };
    let (urgent, next) = (bulk(-1), bulk(0));
    all.others.insert(vec![urgent, next.clone()]).await.unwrap();
    let claimed = loop {
        match claim().await {
            Ok(done) if !done.claimed.is_empty() => break done.claimed,
            // The one that was cut off may still hold what it found, until the database hears of it.
            _ => {}
        }
    };
    assert_eq!(claimed.iter().map(|one| one.facts.lease.job).collect::<Vec<_>>(), [next.id]);
}

/// Such jobs keep the time at which they were due, and stand before places that were moved on since.
async fn while_looks_rest_what_the_storage_itself_makes_ready_late_is_found_at_once(engine: Engine) {
    let all = Backlog::new(engine).await;
    all.takes_many().await;
    all.others.insert(vec![job(), job()]).await.unwrap();
    all.clock.advance(Duration::from_secs(1));
    assert_eq!(all.claim_long("default", 2).await.len(), 2);

    let late = NewJob { start: Start::After(Duration::from_millis(1)), ..job() };
    let moved = NewJob { queue: "bulk".into(), ..job() };
    let passed_by = NewJob { priority: -1, ..job() };
    all.others.insert(vec![late.clone(), moved.clone(), passed_by]).await.unwrap();
    // Shorter than the rest, which is at least 0.4 s.
    all.clock.advance(Duration::from_millis(300));
    assert!(all.claim(9).await.is_empty());
    assert_eq!(all.ours.promote(9).await.unwrap().count, 1);
    assert_eq!(all.claim(9).await, [late.id]);
    assert!(all.claim(9).await.is_empty());
    all.ours.act(vec![moved.id], Action::MoveTo("default".into()), By::Program).await.unwrap();
    assert_eq!(all.claim(9).await, [moved.id]);
}
