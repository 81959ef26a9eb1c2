//! Several connections at once: what must not happen between two statements of different clients.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{
    Acted, Action, Beat, By, Directed, Inserted, ServerInfo, ServerOrder, Settled, Want, WantQueue,
};
use portfire_core::{Dependency, NewJob, ServerId, Start, State, Storage, Trigger};
use portfire_mysql::mysql_async::TxOpts;
use portfire_mysql::mysql_async::prelude::Queryable;
use portfire_mysql::{MysqlStorage, insert_in};

use crate::bed::{Database, Engine, beaten, exchange, job, on_both, succeeded, tables, want};
use crate::proxy::{Seen, through, through_impatient_proxy, through_proxy};

/// How often a race is run: each has been seen to fail within 20 rounds when its guard is taken away.
const ROUNDS: usize = 60;

on_both! {
    no_job_goes_to_two_servers_and_none_is_left
    a_child_is_not_forgotten_whose_parent_ends_just_then
    a_child_of_two_parents_that_end_together_is_released_once
    of_many_who_take_a_name_one_has_it
    a_claim_and_the_repeat_that_it_meets_agree_on_what_it_took
    a_job_that_is_cancelled_while_it_is_claimed_is_one_or_the_other
    a_heartbeat_waits_for_nobody_and_hears_the_next_time
    an_open_transaction_that_attaches_a_child_holds_up_nobody
    a_job_that_is_moved_while_it_becomes_due_is_in_one_queue
    a_job_that_is_moved_while_its_parent_ends_is_not_forgotten
    a_job_that_is_moved_while_it_is_claimed_is_one_or_the_other
    a_deadlock_is_tried_again
    a_row_that_is_held_for_too_long_is_waited_for_again
    four_servers_that_drain_are_hardly_ever_in_each_others_way
}

fn child_of(parents: &[&NewJob]) -> NewJob {
    let after = parents.iter().map(|parent| Dependency { parent: parent.id, on: Trigger::Success }).collect();
    NewJob { after, ..job() }
}

async fn no_job_goes_to_two_servers_and_none_is_left(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let jobs: Vec<_> = (0..2_000).map(|_| job()).collect();
    let ids: HashSet<_> = jobs.iter().map(|job| job.id).collect();
    storage.insert(jobs).await.unwrap();
    let server = || {
        let options = database.options();
        tokio::spawn(async move {
            let storage = MysqlStorage::open(options).await.unwrap();
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
async fn a_child_is_not_forgotten_whose_parent_ends_just_then(engine: Engine) {
    let database = Database::lent(engine).await;
    let (one, other) = (database.open().await, database.open().await);
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
async fn a_child_of_two_parents_that_end_together_is_released_once(engine: Engine) {
    let database = Database::lent(engine).await;
    let (one, other) = (database.open().await, database.open().await);
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

async fn of_many_who_take_a_name_one_has_it(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
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
async fn a_claim_and_the_repeat_that_it_meets_agree_on_what_it_took(engine: Engine) {
    let database = Database::lent(engine).await;
    let (one, other) = (database.open().await, database.open().await);
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
async fn a_job_that_is_cancelled_while_it_is_claimed_is_one_or_the_other(engine: Engine) {
    let database = Database::lent(engine).await;
    let (operator, worker) = (database.open().await, database.open().await);
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
async fn an_open_transaction_that_attaches_a_child_holds_up_nobody(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let server = beaten(&*storage).await;
    let (parent, bystander) = (job(), job());
    storage.insert(vec![parent.clone(), bystander.clone()]).await.unwrap();
    let mut application = database.connect().await;
    let mut tx = application.start_transaction(TxOpts::default()).await.unwrap();
    let child = child_of(&[&parent]);
    insert_in(&mut tx, &tables(), std::slice::from_ref(&child)).await.unwrap();
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
async fn a_job_that_is_moved_while_it_becomes_due_is_in_one_queue(engine: Engine) {
    let database = Database::lent(engine).await;
    let (operator, worker) = (database.open().await, database.open().await);
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
async fn a_job_that_is_moved_while_its_parent_ends_is_not_forgotten(engine: Engine) {
    let database = Database::lent(engine).await;
    let (operator, worker) = (database.open().await, database.open().await);
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
async fn a_job_that_is_moved_while_it_is_claimed_is_one_or_the_other(engine: Engine) {
    let database = Database::lent(engine).await;
    let (operator, worker) = (database.open().await, database.open().await);
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

/// A handler may be ending a job in a long transaction of its own, which somebody wants cancelled.
async fn a_heartbeat_waits_for_nobody_and_hears_the_next_time(engine: Engine) {
    let database = Database::lent(engine).await;
    let storage = database.open().await;
    let server = beaten(&*storage).await;
    let beat = || storage.beat(Beat { server, lease: Duration::from_secs(600), info: ServerInfo::default() });
    storage.insert(vec![job()]).await.unwrap();
    let claimed = exchange(&*storage, server, Vec::new(), Some(want(1))).await.claimed;
    let lease = claimed[0].facts.lease;
    assert_eq!(beat().await.unwrap().cancel, []);
    storage.act(vec![lease.job], Action::Cancel, By::Program).await.unwrap();
    let mut application = database.connect().await;
    application.query_drop("START TRANSACTION; DELETE FROM portfire_running").await.unwrap();
    assert_eq!(beat().await.unwrap().cancel, [], "whether the job goes on is not known");
    application.query_drop("ROLLBACK").await.unwrap();
    assert_eq!(beat().await.unwrap().cancel, [lease]);
}

/// Somebody outside holds rows in another order than we do. The database ends the lighter transaction, which is
/// ours; the call is made again and waits its turn.
async fn a_deadlock_is_tried_again(engine: Engine) {
    let database = Database::lent(engine).await;
    let (storage, seen) = through_proxy(&database).await;
    let mut servers = [beaten(&storage).await, beaten(&storage).await];
    servers.sort();
    let hold = |server: ServerId| {
        let id = server.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("SELECT ordered FROM portfire_server WHERE id = x'{id}' FOR UPDATE")
    };
    let [first, second] = servers.map(hold);
    let (mut application, mut looks) = (database.connect().await, database.connect().await);
    let heavy = (0..200).map(|n| format!("('{n}', 1)")).collect::<Vec<_>>().join(", ");
    let begin = format!(
        "START TRANSACTION; INSERT INTO portfire_paused_queue (name, since) VALUES {heavy}; {second}"
    );
    application.query_drop(begin).await.unwrap();
    seen.take();
    let told = storage.direct_servers(servers.to_vec(), ServerOrder::Quiet, By::Program);
    let against = async {
        // Ours holds the first row as soon as nobody else can, and has only the second one left to wait for.
        let free = format!("{first} SKIP LOCKED");
        while looks.query_first::<String, _>(&*free).await.unwrap().is_some() {}
        application.query_drop(first).await.unwrap();
        application.query_drop("COMMIT").await.unwrap();
    };
    let (told, ()) = tokio::join!(told, against);
    assert_eq!(told.unwrap(), [Directed::Done; 2]);
    let tries = seen.take().iter().flatten().filter(|sql| sql.contains("FOR UPDATE")).count();
    assert!(tries > 1, "the database ended the other transaction");
    assert_eq!(seen.take_errors(), [1213]);
}

/// Somebody outside holds a running job for longer than a session of ours waits: the call is made again, and settles
/// when the job is let go.
async fn a_row_that_is_held_for_too_long_is_waited_for_again(engine: Engine) {
    let database = Database::lent(engine).await;
    let (storage, seen) = through_impatient_proxy(&database).await;
    let server = beaten(&storage).await;
    storage.insert(vec![job()]).await.unwrap();
    let claimed = exchange(&storage, server, Vec::new(), Some(want(1))).await.claimed;
    let mut application = database.connect().await;
    application.query_drop("START TRANSACTION; SELECT id FROM portfire_running FOR UPDATE").await.unwrap();
    seen.take();
    seen.take_errors();
    let letting_go = async {
        // Ours is made again because the database has given it up.
        seen.until_asked(2, "FOR UPDATE").await;
        application.query_drop("COMMIT").await.unwrap();
    };
    let settling = exchange(&storage, server, vec![succeeded(&claimed[0])], None);
    let (exchanged, ()) = tokio::join!(settling, letting_go);
    assert_eq!(exchanged.settled, [Settled::Applied(State::Succeeded)]);
    // A slow host may have needed a third try, which is as good.
    let errors = seen.take_errors();
    assert!(!errors.is_empty() && errors.iter().all(|error| *error == 1205), "{errors:?}");
}

/// Deadlocks that the database has to break are repeated, but each costs a batch its time. There were none in ten
/// such drains on either engine; one in twenty batches would be a lock that is taken in another order.
async fn four_servers_that_drain_are_hardly_ever_in_each_others_way(engine: Engine) {
    const JOBS: usize = 8_000;
    let database = Database::lent(engine).await;
    let seen = Arc::new(Seen::default());
    let storages = [(); 4].map(|()| through(&database, &seen));
    let mut drains = Vec::new();
    for storage in storages {
        drains.push(storage.await);
    }
    drains[0].insert((0..JOBS).map(|_| job()).collect()).await.unwrap();
    seen.take_errors();
    let drains = drains.into_iter().map(|storage| tokio::spawn(drain(storage)));
    let mut done = 0;
    for drain in drains.collect::<Vec<_>>() {
        done += drain.await.unwrap();
    }
    assert_eq!(done, JOBS);
    let errors = seen.take_errors();
    assert!(errors.len() * 20 <= JOBS / 100 && errors.iter().all(|error| *error == 1213), "{errors:?}");
}

/// A server that claims and settles a hundred at a time until nothing is left; how many it had.
async fn drain(storage: MysqlStorage) -> usize {
    let server = beaten(&storage).await;
    let (mut settlements, mut mine) = (Vec::new(), 0);
    loop {
        let exchanged = exchange(&storage, server, settlements, Some(want(100))).await;
        assert!(exchanged.settled.iter().all(|one| *one == Settled::Applied(State::Succeeded)));
        if exchanged.claimed.is_empty() {
            return mine;
        }
        mine += exchanged.claimed.len();
        settlements = exchanged.claimed.iter().map(succeeded).collect();
    }
}
