//! Enqueue inside the application's own transaction: the job exists if and only if that commits.

use portfire_core::storage::{Action, By, Inserted, TallyRequest, Width};
use portfire_core::{Dependency, NewJob, State, Storage, Trigger};
use portfire_postgres::insert_in;

use crate::bed::{Schema, connect, job};

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
    let until = storage.now().await.unwrap().after(std::time::Duration::from_secs(60));
    let days = TallyRequest::total(Width::Day, portfire_core::Timestamp::default(), until);
    let created: u64 = storage.tallies(days).await.unwrap().iter().map(|day| day.created).sum();
    assert_eq!(created, 3, "what SQL enqueues is counted");
}
