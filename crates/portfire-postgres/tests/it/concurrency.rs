//! Several connections at once: what must not happen between two statements of different clients.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Acted, Action, By, Exchange, Inserted, Settled, Want, WantQueue};
use portfire_core::{Dependency, NewJob, ServerId, Start, State, Storage, Trigger};
use portfire_postgres::insert_in;

use crate::bed::{Schema, beaten, connect, exchange, job, succeeded, want};

/// How often a race is run: each has been seen to fail within 20 rounds when its guard is taken away.
const ROUNDS: usize = 60;

fn child_of(parents: &[&NewJob]) -> NewJob {
    let after = parents.iter().map(|parent| Dependency { parent: parent.id, on: Trigger::Success }).collect();
    NewJob { after, ..job() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_goes_to_two_servers_and_none_is_left() {
    let schema = Schema::new();
    let storage = schema.open().await;
    let jobs: Vec<_> = (0..2_000).map(|_| job()).collect();
    let ids: HashSet<_> = jobs.iter().map(|job| job.id).collect();
    storage.insert(jobs).await.unwrap();
    let server = || {
        let schema_options = schema.options();
        tokio::spawn(async move {
            let storage = portfire_postgres::PostgresStorage::open(schema_options).await.unwrap();
            let server = beaten(&storage).await;
            let (mut settlements, mut mine) = (Vec::new(), Vec::new());
            loop {
                let exchanged = exchange(&storage, server, settlements, Some(want(17))).await;
                assert!(exchanged.settled.iter().all(|one| *one == Settled::Applied(State::Succeeded)));
                if exchanged.claimed.is_empty() {
                    return mine;
                }
                mine.extend(exchanged.claimed.iter().map(|claimed| claimed.facts.lease.job));
                settlements = exchanged.claimed.iter().map(succeeded).collect();
            }
        })
    };
    let servers = [server(), server(), server(), server()];
    let mut all = Vec::new();
    for server in servers {
        all.extend(server.await.unwrap());
    }
    assert_eq!(all.len(), ids.len());
    assert_eq!(all.into_iter().collect::<HashSet<_>>(), ids);
    assert_eq!(storage.overview().await.unwrap().ended[0].jobs, 2_000);
}

/// The parent ends while a child is being attached: whoever is second sees the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_is_not_forgotten_whose_parent_ends_just_then() {
    let schema = Schema::new();
    let (one, other) = (schema.open().await, schema.open().await);
    let server = beaten(&*one).await;
    for round in 0..ROUNDS {
        let parent = job();
        one.insert(vec![parent.clone()]).await.unwrap();
        let claimed = exchange(&*one, server, Vec::new(), Some(want(9))).await.claimed;
        let child = child_of(&[&parent]);
        let attach = other.insert(vec![child.clone()]);
        let end = exchange(&*one, server, vec![succeeded(&claimed[0])], None);
        let (attached, ended) = tokio::join!(attach, end);
        assert_eq!((attached.unwrap()[0], ended.settled.len()), (Inserted::New, 1));
        let state = one.get(vec![child.id]).await.unwrap()[0].as_ref().unwrap().summary.state;
        assert_eq!(state, State::Enqueued, "round {round}");
        one.act(vec![child.id], Action::Delete, By::Program).await.unwrap();
    }
}

/// Two parents end at the same time on two connections: their child runs, and once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_of_two_parents_that_end_together_is_released_once() {
    let schema = Schema::new();
    let (one, other) = (schema.open().await, schema.open().await);
    let server = beaten(&*one).await;
    for round in 0..ROUNDS {
        let parents = [job(), job()];
        let child = child_of(&[&parents[0], &parents[1]]);
        let [first, second] = parents;
        one.insert(vec![first, second, child.clone()]).await.unwrap();
        let claimed = exchange(&*one, server, Vec::new(), Some(want(9))).await.claimed;
        let (_, _) = tokio::join!(
            exchange(&*one, server, vec![succeeded(&claimed[0])], None),
            exchange(&*other, server, vec![succeeded(&claimed[1])], None),
        );
        let mut released = exchange(&*one, server, Vec::new(), Some(want(9))).await.claimed;
        let last = released.pop().unwrap();
        assert_eq!((released.len(), last.facts.lease.job), (0, child.id), "round {round}");
        exchange(&*one, server, vec![succeeded(&last)], None).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_take_a_name_one_has_it() {
    let schema = Schema::new();
    let storage = schema.open().await;
    for round in 0..10 {
        let insert = |_| {
            let (storage, name) = (Arc::clone(&storage), format!("name {round}"));
            tokio::spawn(async move {
                let job = NewJob { unique: Some(name.into()), ..job() };
                (job.id, storage.insert(vec![job]).await.unwrap()[0])
            })
        };
        let tasks: Vec<_> = (0..8).map(insert).collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        let winner = answers.iter().find(|(_, answer)| *answer == Inserted::New).unwrap().0;
        let losers = answers.iter().filter(|(id, _)| *id != winner);
        assert!(losers.map(|(_, answer)| answer).all(|answer| *answer == Inserted::Duplicate(winner)));
    }
}

/// A claim whose answer was lost may still be at work when it is repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_and_the_repeat_that_it_meets_agree_on_what_it_took() {
    let schema = Schema::new();
    let (one, other) = (schema.open().await, schema.open().await);
    let server = beaten(&*one).await;
    one.insert((0..ROUNDS * 10).map(|_| job()).collect()).await.unwrap();
    for round in 0..ROUNDS {
        let want = want(5);
        let closing = Want { limit: 0, ..want.clone() };
        let (first, second) = tokio::join!(
            exchange(&*one, server, Vec::new(), Some(want)),
            exchange(&*other, server, Vec::new(), Some(closing)),
        );
        assert_eq!(first.claimed, second.claimed, "round {round}");
    }
}

/// Operators cancel what servers take: every job is either cancelled, or runs and is flagged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_cancelled_while_it_is_claimed_is_one_or_the_other() {
    let schema = Schema::new();
    let (operator, worker) = (schema.open().await, schema.open().await);
    let server = beaten(&*worker).await;
    for round in 0..ROUNDS {
        let jobs: Vec<_> = (0..5).map(|_| job()).collect();
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        operator.insert(jobs).await.unwrap();
        let (acted, exchanged) = tokio::join!(
            operator.act(ids.clone(), Action::Cancel, By::Program),
            exchange(&*worker, server, Vec::new(), Some(want(5))),
        );
        let taken: HashSet<_> = exchanged.claimed.iter().map(|claimed| claimed.facts.lease.job).collect();
        for (id, acted) in ids.iter().zip(acted.unwrap()) {
            let expected = if taken.contains(id) { Acted::Flagged } else { Acted::Done(State::Cancelled) };
            assert_eq!(acted, expected, "round {round}");
        }
        let settled = exchanged.claimed.iter().map(succeeded).collect();
        exchange(&*worker, server, settled, None).await;
    }
}

/// A parent to which a long transaction attaches a child is passed by, not waited for.
#[tokio::test]
async fn an_open_transaction_that_attaches_a_child_holds_up_nobody() {
    let schema = Schema::new();
    let storage = schema.open().await;
    let server = beaten(&*storage).await;
    let (parent, bystander) = (job(), job());
    storage.insert(vec![parent.clone(), bystander.clone()]).await.unwrap();
    let mut application = connect().await;
    let tx = application.transaction().await.unwrap();
    let child = child_of(&[&parent]);
    insert_in(&tx, &schema.tables(), std::slice::from_ref(&child)).await.unwrap();
    let claim = exchange(&*storage, server, Vec::new(), Some(want(9)));
    let claimed = tokio::time::timeout(Duration::from_secs(30), claim).await.unwrap().claimed;
    assert_eq!(claimed.iter().map(|one| one.facts.lease.job).collect::<Vec<_>>(), [bystander.id]);
    tx.commit().await.unwrap();
    let claimed = exchange(&*storage, server, Vec::new(), Some(want(9))).await.claimed;
    assert_eq!(claimed.iter().map(|one| one.facts.lease.job).collect::<Vec<_>>(), [parent.id]);
    let settled = vec![succeeded(&claimed[0])];
    let claimed = exchange(&*storage, server, settled, Some(want(9))).await.claimed;
    assert_eq!(claimed.iter().map(|one| one.facts.lease.job).collect::<Vec<_>>(), [child.id]);
}

/// Claims the one job there is from the queue that it was moved to, and ends it.
async fn run_the_one(storage: &dyn Storage, server: ServerId, job: &NewJob, round: usize) {
    let want = Want { queues: vec![WantQueue { name: "bulk".into(), limit: 9 }], ..want(9) };
    let claimed = exchange(storage, server, Vec::new(), Some(want)).await.claimed;
    let ids: Vec<_> = claimed.iter().map(|one| one.facts.lease.job).collect();
    assert_eq!(ids, [job.id], "round {round}");
    exchange(storage, server, vec![succeeded(&claimed[0])], None).await;
}

/// A job is moved while its time is looked at: it is where one of the two left it, and in one line only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_moved_while_it_becomes_due_is_in_one_queue() {
    let schema = Schema::new();
    let (operator, worker) = (schema.open().await, schema.open().await);
    let server = beaten(&*worker).await;
    for round in 0..ROUNDS {
        let job = NewJob { start: Start::After(Duration::from_millis(1)), ..job() };
        operator.insert(vec![job.clone()]).await.unwrap();
        let (acted, promoted) = tokio::join!(
            operator.act(vec![job.id], Action::MoveTo("bulk".into()), By::Program),
            worker.promote(9),
        );
        assert!(
            matches!(acted.unwrap()[0], Acted::Done(State::Scheduled | State::Enqueued)),
            "round {round}"
        );
        promoted.unwrap();
        while worker.get(vec![job.id]).await.unwrap()[0].as_ref().unwrap().summary.state != State::Enqueued {
            worker.promote(9).await.unwrap();
        }
        run_the_one(&*worker, server, &job, round).await;
    }
}

/// A job is moved while what it waits for ends: it is released all the same, into its new queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_moved_while_its_parent_ends_is_not_forgotten() {
    let schema = Schema::new();
    let (operator, worker) = (schema.open().await, schema.open().await);
    let server = beaten(&*worker).await;
    for round in 0..ROUNDS {
        let parent = job();
        let child = child_of(&[&parent]);
        operator.insert(vec![parent, child.clone()]).await.unwrap();
        let claimed = exchange(&*worker, server, Vec::new(), Some(want(9))).await.claimed;
        let (acted, _) = tokio::join!(
            operator.act(vec![child.id], Action::MoveTo("bulk".into()), By::Program),
            exchange(&*worker, server, vec![succeeded(&claimed[0])], None),
        );
        assert!(matches!(acted.unwrap()[0], Acted::Done(State::Awaiting | State::Enqueued)), "round {round}");
        run_the_one(&*worker, server, &child, round).await;
    }
}

/// A job is moved while it is claimed: it is moved, or runs from where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_moved_while_it_is_claimed_is_one_or_the_other() {
    let schema = Schema::new();
    let (operator, worker) = (schema.open().await, schema.open().await);
    let server = beaten(&*worker).await;
    for round in 0..ROUNDS {
        let job = job();
        operator.insert(vec![job.clone()]).await.unwrap();
        let (acted, exchanged) = tokio::join!(
            operator.act(vec![job.id], Action::MoveTo("bulk".into()), By::Program),
            exchange(&*worker, server, Vec::new(), Some(want(9))),
        );
        if let [claimed] = exchanged.claimed.as_slice() {
            assert_eq!(acted.unwrap(), [Acted::Refused(State::Processing)], "round {round}");
            exchange(&*worker, server, vec![succeeded(claimed)], None).await;
        } else {
            assert_eq!(acted.unwrap(), [Acted::Done(State::Enqueued)], "round {round}");
            run_the_one(&*worker, server, &job, round).await;
        }
    }
}

/// A handler's transaction may hold a job for minutes. Whoever waits for it goes away in the end, and not only its
/// connection to the pool: else the database would have one that waits for each call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_job_that_is_held_does_not_wait_in_the_database_for_ever() {
    let schema = Schema::new();
    let hasty = schema.options().deadline(Duration::from_secs(1));
    let (storage, hasty) =
        (schema.open().await, portfire_postgres::PostgresStorage::open(hasty).await.unwrap());
    let server = beaten(&*storage).await;
    storage.insert(vec![job()]).await.unwrap();
    let claimed = exchange(&*storage, server, Vec::new(), Some(want(1))).await.claimed;
    let holder = connect().await;
    let hold = format!("BEGIN; SELECT id FROM {}.portfire_running FOR KEY SHARE", schema.name);
    holder.batch_execute(&hold).await.unwrap();

    let settlements = vec![succeeded(&claimed[0])];
    let settle = Exchange { server, notes: Vec::new(), settlements, want: None };
    let waits = "SELECT EXISTS (SELECT 1 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
        WHERE NOT l.granted AND a.query LIKE $1)";
    let this = format!("%{}.portfire_succeed%", schema.name);
    let is_waited_for = async || holder.query_one(waits, &[&this]).await.unwrap().get::<_, bool>(0);
    while !is_waited_for().await {
        assert!(hasty.exchange(settle.clone()).await.unwrap_err().is_transient());
    }
    // Nobody hears of it any more.
    while is_waited_for().await {}
    holder.batch_execute("COMMIT").await.unwrap();
    let settled = storage.exchange(settle).await.unwrap().settled;
    assert_eq!(settled, [Settled::Applied(State::Succeeded)]);
}

/// A server's row goes while it is decided that it holds nothing: it is remembered all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_while_those_that_left_are_pruned_is_remembered() {
    let schema = Schema::new();
    let storage = schema.open().await;
    let (name, server) = (&schema.name, beaten(&*storage).await);
    let (pruner, other) = (connect().await, connect().await);
    let left_before = format!("INSERT INTO {name}.portfire_left SELECT id FROM {name}.portfire_server");
    pruner.batch_execute(&left_before).await.unwrap();
    let hold = format!("BEGIN; SELECT server FROM {name}.portfire_left FOR UPDATE");
    pruner.batch_execute(&hold).await.unwrap();
    let leaves = Arc::clone(&storage);
    let leaves = tokio::spawn(async move { leaves.leave(server, false).await });
    let waits = format!(
        "SELECT EXISTS (SELECT 1 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
         WHERE NOT l.granted AND a.query LIKE '%DELETE FROM {name}.portfire_server%' AND a.pid <> pg_backend_pid())"
    );
    while !leaves.is_finished() && !other.query_one(&waits, &[]).await.unwrap().get::<_, bool>(0) {}
    pruner.batch_execute(&format!("DELETE FROM {name}.portfire_left; COMMIT")).await.unwrap();
    leaves.await.unwrap().unwrap();
    let count = format!("SELECT count(*) FROM {name}.portfire_left");
    assert_eq!(other.query_one(&count, &[]).await.unwrap().get::<_, i64>(0), 1);
}
