//! The application's own transaction: a job exists, and is settled, if and only if that commits.

use std::time::Duration;

use portfire_core::storage::{Action, Beat, By, Claimed, Inserted, ServerInfo, Settled, TallyRequest, Width};
use portfire_core::{Dependency, Dice, NewJob, Outcome, ServerId, State, Storage, Trigger, settle};
use portfire_postgres::{PostgresStorage, insert_in, settle_in};

use crate::bed::{Schema, beaten, connect, exchange, job, succeeded, want};

fn family() -> [NewJob; 2] {
    let parent = NewJob { tags: vec!["t".into()], unique: Some("one".into()), ..job() };
    let child = NewJob { after: vec![Dependency { parent: parent.id, on: Trigger::End }], ..job() };
    [parent, child]
}

#[tokio::test]
async fn a_transaction_of_tokio_postgres_decides() {
    let schema = Schema::new();
    let (storage, tables) = (schema.open().await, schema.tables());
    let mut application = connect().await;
    for commit in [true, false] {
        let both = family();
        let tx = application.transaction().await.unwrap();
        assert_eq!(insert_in(&tx, &tables, &both).await.unwrap(), [Inserted::New, Inserted::New]);
        if commit {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        for stored in storage.get(both.iter().map(|job| job.id).collect()).await.unwrap() {
            assert_eq!(stored.is_some(), commit);
        }
        storage.act(vec![both[0].id], Action::Delete, By::Program).await.unwrap();
    }
}

#[cfg(feature = "sqlx")]
#[tokio::test]
async fn a_transaction_of_sqlx_decides() {
    let schema = Schema::new();
    let (storage, tables) = (schema.open().await, schema.tables());
    let pool = sqlx::PgPool::connect(&crate::bed::url()).await.unwrap();
    for commit in [true, false] {
        let both = family();
        let mut tx = pool.begin().await.unwrap();
        let stored = portfire_postgres::insert_in_sqlx(&mut tx, &tables, &both).await.unwrap();
        assert_eq!(stored, [Inserted::New, Inserted::New]);
        if commit {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        for stored in storage.get(both.iter().map(|job| job.id).collect()).await.unwrap() {
            assert_eq!(stored.is_some(), commit);
        }
        storage.act(vec![both[0].id], Action::Delete, By::Program).await.unwrap();
    }
    pool.close().await;
}

/// A job that runs, and its child that waits.
async fn running_with_child(storage: &PostgresStorage, server: ServerId) -> (Claimed, NewJob) {
    let [parent, child] = family();
    storage.insert(vec![parent, child.clone()]).await.unwrap();
    let claimed = exchange(storage, server, Vec::new(), Some(want(1))).await.claimed.remove(0);
    (claimed, child)
}

async fn state(storage: &PostgresStorage, job: portfire_core::JobId) -> State {
    storage.get(vec![job]).await.unwrap()[0].as_ref().unwrap().summary.state
}

#[tokio::test]
async fn a_job_is_settled_if_and_only_if_it_commits_and_once() {
    let schema = Schema::new();
    let (storage, tables) = (schema.open().await, schema.tables());
    let server = beaten(&*storage).await;
    let mut application = connect().await;
    let (claimed, child) = running_with_child(&storage, server).await;
    let success = succeeded(&claimed);
    for commit in [false, true] {
        let tx = application.transaction().await.unwrap();
        assert_eq!(settle_in(&tx, &tables, &success).await.unwrap(), Settled::Applied(State::Succeeded));
        if commit {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        let (own, childs) =
            if commit { (State::Succeeded, State::Enqueued) } else { (State::Processing, State::Awaiting) };
        assert_eq!(state(&storage, success.lease.job).await, own);
        assert_eq!(state(&storage, child.id).await, childs);
    }
    let fault = Outcome::Failed(portfire_core::Fault::new("after the commit"));
    let late = settle(&claimed.facts, fault, &mut Dice::from_seed([3, 4]));
    let repeats = exchange(&*storage, server, vec![success.clone(), late], None).await;
    assert_eq!(repeats.settled, [Settled::Applied(State::Succeeded); 2]);
    let until = storage.now().await.unwrap().after(Duration::from_secs(60));
    let days = TallyRequest::total(Width::Day, portfire_core::Timestamp::default(), until);
    assert_eq!(storage.tallies(days).await.unwrap().iter().map(|day| day.succeeded).sum::<u64>(), 1);
    assert_eq!(settle_in(&application, &tables, &succeeded(&claimed)).await.unwrap(), repeats.settled[0]);
}

#[tokio::test]
async fn without_a_transaction_a_settlement_is_whole_by_itself() {
    let schema = Schema::new();
    let storage = schema.open().await;
    let server = beaten(&*storage).await;
    let (claimed, child) = running_with_child(&storage, server).await;
    let settled = settle_in(&connect().await, &schema.tables(), &succeeded(&claimed)).await.unwrap();
    assert_eq!(settled, Settled::Applied(State::Succeeded));
    assert_eq!(state(&storage, child.id).await, State::Enqueued);
}

/// Neither the heartbeat nor a claim nor the rescue of the very job; the first to come would wait for ever.
#[tokio::test]
async fn nobody_waits_for_a_settlement_that_is_not_committed() {
    let schema = Schema::new();
    let (storage, tables) = (schema.open().await, schema.tables());
    let (server, other) = (beaten(&*storage).await, beaten(&*storage).await);
    let mut application = connect().await;
    for commit in [false, true] {
        let (claimed, _) = running_with_child(&storage, server).await;
        let tx = application.transaction().await.unwrap();
        settle_in(&tx, &tables, &succeeded(&claimed)).await.unwrap();
        storage.insert(vec![job()]).await.unwrap();
        let beat = Beat { server, lease: Duration::ZERO, info: ServerInfo::default() };
        storage.beat(beat).await.unwrap();
        assert_eq!(storage.expired(9).await.unwrap().len(), 1);
        let crash = settle(&claimed.facts, Outcome::Crashed, &mut Dice::from_seed([3, 4]));
        let passed = exchange(&*storage, other, vec![crash.clone()], Some(want(9))).await;
        assert_eq!((&passed.settled[..], passed.claimed.len()), (&[Settled::Lost][..], 1));
        storage.promote(9).await.unwrap();
        storage.prune(9).await.unwrap();
        let expected = if commit {
            tx.commit().await.unwrap();
            Settled::Applied(State::Succeeded)
        } else {
            tx.rollback().await.unwrap();
            Settled::Applied(State::Enqueued)
        };
        assert_eq!(exchange(&*storage, other, vec![crash], None).await.settled, [expected]);
        let beat = Beat { server, lease: Duration::from_secs(600), info: ServerInfo::default() };
        storage.beat(beat).await.unwrap();
        for job in [claimed.facts.lease.job, passed.claimed[0].facts.lease.job] {
            storage.act(vec![job], Action::Delete, By::Program).await.unwrap();
        }
    }
}

/// The transaction has seen the world before the child came.
#[tokio::test]
async fn a_child_that_comes_during_the_transaction_is_released_by_it() {
    let schema = Schema::new();
    let (storage, tables) = (schema.open().await, schema.tables());
    let server = beaten(&*storage).await;
    let mut application = connect().await;
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let (claimed, first) = running_with_child(&storage, server).await;
        let tx = application.transaction().await.unwrap();
        tx.batch_execute(&format!("SET TRANSACTION ISOLATION LEVEL {isolation}; SELECT 1")).await.unwrap();
        let late = NewJob { after: first.after.clone(), ..job() };
        storage.insert(vec![late.clone()]).await.unwrap();
        let settled = settle_in(&tx, &tables, &succeeded(&claimed)).await;
        if isolation == "READ COMMITTED" {
            settled.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(state(&storage, late.id).await, State::Enqueued);
        } else {
            let refused = settled.unwrap_err();
            assert!(refused.is_misuse() && refused.to_string().contains(isolation), "{refused}");
            tx.rollback().await.unwrap();
            assert_eq!(state(&storage, claimed.facts.lease.job).await, State::Processing);
            exchange(&*storage, server, vec![succeeded(&claimed)], None).await;
        }
        storage.act(vec![late.id, first.id], Action::Delete, By::Program).await.unwrap();
    }
}

/// What a trigger or a program in another language calls.
#[tokio::test]
async fn sql_can_enqueue() {
    let schema = Schema::new();
    let storage = schema.open().await;
    let mut application = connect().await;
    let name = &schema.name;
    let enqueue = format!(
        "SELECT {name}.portfire_enqueue('work', '{{\"n\": 123456789012345678901}}', queue => 'mail', \
         priority => -1::smallint, unique_name => 'one')::text"
    );
    let tx = application.transaction().await.unwrap();
    tx.query_one(&enqueue, &[]).await.unwrap();
    tx.rollback().await.unwrap();
    assert!(storage.overview().await.unwrap().counts.is_empty());

    let first: String = application.query_one(&enqueue, &[]).await.unwrap().get(0);
    let again: String = application.query_one(&enqueue, &[]).await.unwrap().get(0);
    assert_eq!(first, again);
    let later = format!("SELECT {name}.portfire_enqueue('work', run_at => now() + interval '1 hour')::text");
    let later: String = application.query_one(&later, &[]).await.unwrap().get(0);
    let jobs = storage.get(vec![first.parse().unwrap(), later.parse().unwrap()]).await.unwrap();
    let [first, later] = [0, 1].map(|one| jobs[one].clone().unwrap());
    assert_eq!((first.summary.state, later.summary.state), (State::Enqueued, State::Scheduled));
    assert_eq!((&*first.summary.queue, first.summary.priority), ("mail", -1));
    assert_eq!(first.args.as_str(), r#"{"n": 123456789012345678901}"#);
    assert_eq!(first.policy, portfire_core::Policy::default());
    let long = format!("SELECT {name}.portfire_enqueue(repeat('x', 129))");
    assert!(application.query_one(&long, &[]).await.is_err());
}

#[tokio::test]
async fn a_trigger_can_enqueue() {
    let schema = Schema::new();
    let storage = schema.open().await;
    let (application, name) = (connect().await, &schema.name);
    let trigger = format!(
        "CREATE TABLE {name}.users (id integer);
         CREATE FUNCTION {name}.welcome() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM {name}.portfire_enqueue('welcome', jsonb_build_object('id', NEW.id));
             RETURN NEW;
         END $$;
         CREATE TRIGGER welcome AFTER INSERT ON {name}.users FOR EACH ROW EXECUTE FUNCTION {name}.welcome();
         INSERT INTO {name}.users SELECT generate_series(1, 3)"
    );
    application.batch_execute(&trigger).await.unwrap();
    assert_eq!(storage.overview().await.unwrap().counts[0].jobs, 3);
    let until = storage.now().await.unwrap().after(Duration::from_secs(60));
    let days = TallyRequest::total(Width::Day, portfire_core::Timestamp::default(), until);
    let created: u64 = storage.tallies(days).await.unwrap().iter().map(|day| day.created).sum();
    assert_eq!(created, 3, "what SQL enqueues is counted");
}
