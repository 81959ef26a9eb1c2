//! What a batch costs in round trips, statements and commits, and what a lost answer costs: nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use portfire_core::storage::{Acted, Action, By, Heard, Inserted, Settled};
use portfire_core::{Dependency, Error, NewJob, Start, State, Storage, Trigger};
use portfire_mysql::MysqlStorage;
use portfire_mysql::mysql_async::prelude::Queryable;
use portfire_testkit::IdleServer;

use crate::bed::{Database, Engine, beaten, exchange, job, on_both, succeeded, want};
use crate::proxy::{through_listening_proxy, through_proxy};

on_both! {
    a_full_drain_takes_few_round_trips_and_commits
    a_set_of_plain_jobs_is_one_round_trip
    jobs_that_are_enqueued_at_once_share_a_commit
    of_jobs_that_share_a_commit_only_who_is_to_blame_fails
    who_shares_a_commit_waits_no_longer_than_its_deadline
    a_commit_whose_answer_is_lost_is_neither_lost_nor_doubled
    a_commit_whose_answer_is_lost_is_heard_of_all_the_same
    a_claim_that_was_broken_off_is_made_anew_at_once
    an_idle_server_takes_few_statements
    waiting_takes_few_statements
}

/// Issue 5: at batch 100, a full drain takes at most 0.05 round trips and 0.05 commits per job. It has no
/// statement that writes to several tables, so a batch is 15 statements, and they travel in three packets: three that
/// bound the transaction, five that hold and ask, four that write what has ended and hold the head of the queue, three
/// that take it.
async fn a_full_drain_takes_few_round_trips_and_commits(engine: Engine) {
    let database = Database::lent(engine).await;
    let (storage, seen) = through_proxy(&database).await;
    let server = beaten(&storage).await;
    let jobs = 5_000;
    storage.insert((0..jobs).map(|_| job()).collect()).await.unwrap();
    seen.take();
    let (mut settlements, mut done) = (Vec::new(), 0);
    while done < jobs {
        let exchanged = exchange(&storage, server, settlements, Some(want(100))).await;
        done += exchanged.settled.len();
        settlements = exchanged.claimed.iter().map(succeeded).collect();
    }
    let packets = seen.take();
    let statements: Vec<_> = packets.iter().flatten().collect();
    let commits = statements.iter().filter(|sql| **sql == "COMMIT").count();
    assert!(
        !packets.is_empty() && packets.len() * 20 <= jobs,
        "{} round trips for {jobs} jobs",
        packets.len()
    );
    assert!(commits > 0 && commits * 20 <= jobs, "{commits} commits for {jobs} jobs");
    assert!(statements.len() * 100 <= jobs * 16, "{} statements for {jobs} jobs", statements.len());
    let again = statements.iter().filter(|sql| sql.contains("FROM portfire_job AS j WHERE")).count();
    assert_eq!(again, 0, "what has to be known of a job is kept from its claim");
}

async fn a_set_of_plain_jobs_is_one_round_trip(engine: Engine) {
    let database = Database::lent(engine).await;
    let (storage, seen) = through_proxy(&database).await;
    storage.insert((0..1_000).map(|_| job()).collect()).await.unwrap();
    let packets = seen.take();
    assert_eq!(packets.len(), 1, "{packets:?}");
}

/// Issue 7: an idle server, its heartbeats included, takes at most 30 statements a minute, of which seven are left for
/// waiting; each look and each heartbeat is one. (The first minute has what a server does once.)
async fn an_idle_server_takes_few_statements(engine: Engine) {
    let database = Database::lent(engine).await;
    let (storage, seen) = through_proxy(&database).await;
    let mut server = IdleServer::new(Arc::new(storage));
    let minute = Duration::from_secs(60);
    server.live_until(minute).await;
    seen.take();
    server.live_until(minute * 11).await;
    let statements: Vec<_> = seen.take().into_iter().flatten().collect();
    let (count, most) = (statements.len(), 10 * (30 - 7));
    assert!(count > 0 && count <= most, "{count} statements in ten minutes: {statements:#?}");
}

/// The server waits, and is not asked again and again: first whether it can wait, then once. Each is one statement.
async fn waiting_takes_few_statements(engine: Engine) {
    let database = Database::lent(engine).await;
    let (storage, seen) = through_listening_proxy(&database).await;
    let mut heard = Heard::default();
    while heard.rung || !heard.listens {
        heard = storage.wait(Duration::from_millis(300)).await.unwrap();
    }
    seen.until_asked(2, "IS_USED_LOCK").await;
    storage.wait(Duration::from_secs(2)).await.unwrap();
    let mut packets = seen.take();
    packets.retain(|packet| packet.iter().any(|sql| sql.contains("IS_USED_LOCK")));
    assert!(packets.len() <= 3 && packets.iter().all(|packet| packet.len() == 1), "{packets:#?}");
}

async fn jobs_that_are_enqueued_at_once_share_a_commit(engine: Engine) {
    let database = Database::lent(engine).await;
    let (storage, seen) = through_proxy(&database).await;
    let mut jobs: Vec<_> = (0..16).map(|_| job()).collect();
    let insert = |job: &NewJob| storage.insert(vec![job.clone()]);
    let answers = join_all(jobs.iter().map(insert)).await;
    assert!(answers.iter().all(|answer| *answer.as_ref().unwrap() == [Inserted::New]));
    let commits = seen.take().iter().flatten().filter(|sql| *sql == "COMMIT").count();
    assert_eq!(commits, 1, "they came while nobody was on the way");
    jobs[7] = job();
    let answers = join_all(jobs.iter().map(insert)).await;
    for (position, answer) in answers.into_iter().enumerate() {
        let expected = if position == 7 { Inserted::New } else { Inserted::SameId };
        assert_eq!(answer.unwrap(), [expected], "each is answered for itself");
    }
}

async fn of_jobs_that_share_a_commit_only_who_is_to_blame_fails(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let bad = NewJob { kind: "".into(), ..job() };
    let jobs = [job(), bad, job(), job()];
    let answers = join_all(jobs.iter().map(|job| storage.insert(vec![job.clone()]))).await;
    let refused: Vec<_> = answers.iter().map(|answer| answer.as_ref().is_err_and(Error::is_misuse)).collect();
    assert_eq!(refused, [false, true, false, false]);
    assert_eq!(storage.overview().await.unwrap().counts[0].jobs, 3);
}

/// Somebody has locked the table. When it is free again, so is the line.
async fn who_shares_a_commit_waits_no_longer_than_its_deadline(engine: Engine) {
    let database = Database::lent(engine).await;
    let deadline = Duration::from_millis(200);
    let storage = MysqlStorage::open(database.options().deadline(deadline)).await.unwrap();
    let mut application = database.connect().await;
    application.query_drop("LOCK TABLES portfire_job WRITE").await.unwrap();
    let jobs: Vec<_> = (0..3).map(|_| job()).collect();
    let late = join_all(jobs.iter().map(|job| storage.insert(vec![job.clone()]))).await;
    assert!(late.iter().all(|answer| answer.as_ref().is_err_and(Error::is_transient)), "{late:?}");
    application.query_drop("UNLOCK TABLES").await.unwrap();
    for job in &jobs {
        while storage.insert(vec![job.clone()]).await.is_err() {}
    }
    assert_eq!(database.open().await.overview().await.unwrap().counts[0].jobs, 3);
}

/// The database has committed, and the client cannot know: repeating resolves it by the ids.
async fn a_commit_whose_answer_is_lost_is_neither_lost_nor_doubled(engine: Engine) {
    let database = Database::lent(engine).await;
    let (storage, seen) = through_proxy(&database).await;
    let server = beaten(&storage).await;
    let parent = NewJob { unique: Some("one".into()), ..job() };
    let child = NewJob { after: vec![Dependency { parent: parent.id, on: Trigger::Success }], ..job() };

    seen.cut.store(true, Ordering::Relaxed);
    let stored = storage.insert(vec![parent.clone(), child.clone()]).await.unwrap();
    assert_eq!(stored, [Inserted::SameId, Inserted::SameId]);
    assert!(!seen.cut.load(Ordering::Relaxed), "the answer was cut");

    let claimed = exchange(&storage, server, Vec::new(), Some(want(9))).await.claimed;
    assert_eq!(claimed.len(), 1);
    seen.cut.store(true, Ordering::Relaxed);
    let next = want(9);
    let exchanged = exchange(&storage, server, vec![succeeded(&claimed[0])], Some(next)).await;
    assert!(!seen.cut.load(Ordering::Relaxed), "the answer was cut");
    assert_eq!(exchanged.settled, [Settled::Applied(State::Succeeded)]);
    assert_eq!(
        exchanged.claimed.iter().map(|claimed| claimed.facts.lease.job).collect::<Vec<_>>(),
        [child.id]
    );
    assert_eq!(exchanged.claimed[0].facts.attempt, 1);
}

/// Forgets that the bell has rung.
async fn hushed(storage: &MysqlStorage) {
    while storage.wait(Duration::from_millis(1)).await.unwrap().rung {}
}

async fn has_rung(storage: &MysqlStorage) -> bool {
    storage.wait(Duration::from_secs(9)).await.unwrap().rung
}

/// The repeat sees that all is done, and not by whom: there may be jobs that nobody has heard of.
async fn a_commit_whose_answer_is_lost_is_heard_of_all_the_same(engine: Engine) {
    let database = Database::lent(engine).await;
    let (storage, seen) = through_proxy(&database).await;
    let server = beaten(&storage).await;
    let begin = async || {
        hushed(&storage).await;
        seen.cut.store(true, Ordering::Relaxed);
    };
    begin().await;
    let parent = job();
    assert_eq!(storage.insert(vec![parent.clone()]).await.unwrap(), [Inserted::SameId]);
    assert!(has_rung(&storage).await, "a job was stored");

    let after = vec![Dependency { parent: parent.id, on: Trigger::Success }];
    storage.insert(vec![NewJob { after, ..job() }]).await.unwrap();
    let claimed = exchange(&storage, server, Vec::new(), Some(want(1))).await.claimed;
    begin().await;
    exchange(&storage, server, vec![succeeded(&claimed[0])], None).await;
    assert!(has_rung(&storage).await, "a child need wait no more");

    let late = |after| NewJob { start: Start::After(after), ..job() };
    storage.insert(vec![late(Duration::from_millis(1))]).await.unwrap();
    while storage.poll(["default".into()].into()).await.unwrap().next != Some(Duration::ZERO) {}
    begin().await;
    assert_eq!(storage.promote(9).await.unwrap().count, 0);
    assert!(has_rung(&storage).await, "a job became due");

    let late = late(Duration::from_secs(600));
    storage.insert(vec![late.clone()]).await.unwrap();
    begin().await;
    let acted = storage.act(vec![late.id], Action::RunNow, By::Program).await.unwrap();
    assert_eq!(acted, [Acted::Refused(State::Enqueued)]);
    assert!(has_rung(&storage).await, "a job was run now");
}

/// Its repeat takes nothing, and that is no sign that nothing is left.
async fn a_claim_that_was_broken_off_is_made_anew_at_once(engine: Engine) {
    let database = Database::lent(engine).await;
    let (storage, _) = through_proxy(&database).await;
    let server = beaten(&storage).await;
    storage.insert(vec![job()]).await.unwrap();
    hushed(&storage).await;
    let mut holder = database.connect().await;
    holder.query_drop("LOCK TABLES portfire_ready WRITE").await.unwrap();
    let break_off = async {
        let mut watch = database.connect().await;
        let waiting = "SELECT id FROM information_schema.processlist
            WHERE db = DATABASE() AND state LIKE 'Waiting for table%'";
        let id = loop {
            if let Some(id) = watch.query_first::<u64, _>(waiting).await.unwrap() {
                break id;
            }
        };
        watch.query_drop(format!("KILL CONNECTION {id}")).await.unwrap();
        holder.query_drop("UNLOCK TABLES").await.unwrap();
    };
    let (exchanged, ()) = tokio::join!(exchange(&storage, server, Vec::new(), Some(want(9))), break_off);
    assert_eq!(exchanged.claimed, []);
    assert!(has_rung(&storage).await);
    assert_eq!(exchange(&storage, server, Vec::new(), Some(want(9))).await.claimed.len(), 1);
}
