//! The application's statements mean the same on every database.

use demo::csv_rows::{Batch, NewUser, Place, Rejected, check_user};
use demo::database::Database;
use portfire::Timestamp;

use crate::bed::{Bed, with_each_database};

with_each_database! {
    an_address_is_new_or_taken_or_back,
    a_batch_is_stored_once_and_of_its_rows_the_later_counts,
    what_is_old_is_forgotten_and_the_rest_is_kept,
}

const JOB: &str = "01990000-0000-7000-8000-000000000001";
const LATER_JOB: &str = "01990000-0001-7000-8000-000000000001";

fn user(name: &str, email: &str) -> NewUser {
    check_user(name, email).unwrap()
}

async fn insert(database: &Database, user: &NewUser) -> Option<demo::database::User> {
    let mut tx = database.begin().await.unwrap();
    let inserted = tx.insert_user(user).await.unwrap();
    tx.commit().await.unwrap();
    inserted
}

async fn begin(database: &Database, job: &str) {
    let mut tx = database.begin().await.unwrap();
    tx.insert_import(job, "名單.csv").await.unwrap();
    tx.commit().await.unwrap();
}

async fn an_address_is_new_or_taken_or_back(bed: Bed) {
    let database = Database::open(&bed.database_url()).await.unwrap();
    let ada = insert(&database, &user("Ada", "ada@example.com")).await.unwrap();
    assert_eq!((ada.id, &*ada.display_name, &*ada.email), (1, "Ada", "ada@example.com"));
    assert!(insert(&database, &user("Countess", "ADA@example.com")).await.is_none());
    assert_eq!(database.user(1).await.unwrap().unwrap().display_name, "Ada");
    assert!(database.delete_user(1).await.unwrap());
    assert!(!database.delete_user(1).await.unwrap(), "it is deleted already");
    assert!(database.user(1).await.unwrap().is_none());

    let back = insert(&database, &user("Countess 👑", "Ada@example.com")).await.unwrap();
    assert_eq!((back.id, &*back.display_name, &*back.email), (1, "Countess 👑", "Ada@example.com"));
    assert!(back.created_at > ada.created_at, "it begins anew");
    let (total, users) = database.users(0, 10).await.unwrap();
    assert_eq!((total, users.len()), (1, 1));
}

async fn a_batch_is_stored_once_and_of_its_rows_the_later_counts(bed: Bed) {
    let database = Database::open(&bed.database_url()).await.unwrap();
    begin(&database, JOB).await;
    insert(&database, &user("known", "b@example.com")).await.unwrap();
    let users = [("first", "z@example.com"), ("b", "b@example.com"), ("last", "Z@example.com")];
    let batch = Batch {
        users: users.map(|(name, email)| user(name, email)).into(),
        rejected: vec![Rejected { line: 4, problem: "no_name", text: "'\"\\ 行".into() }],
        end: Place { position: 90, line: 5 },
        is_last: false,
    };
    assert!(database.store_batch(JOB, Place::START, &batch).await.unwrap());
    assert!(!database.store_batch(JOB, Place::START, &batch).await.unwrap(), "another has gone on");
    let import = database.import(JOB).await.unwrap().unwrap();
    assert_eq!((&*import.original_name, import.place()), ("名單.csv", batch.end));
    assert_eq!((import.imported, import.rejected, import.is_done), (3, 1, false));
    let errors = database.import_errors(JOB, 0, 10).await.unwrap();
    assert_eq!((errors.len(), errors[0].line, &*errors[0].text), (1, 4, "'\"\\ 行"));
    assert!(database.import_errors(JOB, 4, 10).await.unwrap().is_empty());

    let (total, users) = database.users(0, 10).await.unwrap();
    let names: Vec<_> = users.iter().map(|user| &*user.display_name).collect();
    assert_eq!((total, names), (2, vec!["b", "last"]));
    let domains = database.users_per_domain().await.unwrap();
    assert_eq!((&*domains[0].label, domains[0].users), ("example.com", 2));
    let days = database.users_per_day().await.unwrap();
    assert_eq!((&*days[0].label, days[0].users), (&users[0].created().to_string()[..10], 2));
}

async fn what_is_old_is_forgotten_and_the_rest_is_kept(bed: Bed) {
    let database = Database::open(&bed.database_url()).await.unwrap();
    for job in [JOB, LATER_JOB] {
        begin(&database, job).await;
        assert_eq!(database.unfinished_import().await.unwrap().as_deref(), Some(job));
        let rejected = vec![Rejected { line: 1, problem: "no_name", text: String::new() }];
        let batch = Batch { users: vec![], rejected, end: Place { position: 9, line: 2 }, is_last: true };
        assert!(database.store_batch(job, Place::START, &batch).await.unwrap());
    }
    assert_eq!(database.unfinished_import().await.unwrap(), None);
    insert(&database, &user("Ada", "ada@example.com")).await.unwrap();
    database.delete_user(1).await.unwrap();
    // The time in the id of the later job.
    let cutoff = Timestamp::from_micros(0x0199_0000_0001 * 1_000);
    assert_eq!(database.expire(cutoff).await.unwrap(), 0);
    for (job, is_there) in [(JOB, false), (LATER_JOB, true)] {
        assert_eq!(database.import(job).await.unwrap().is_some(), is_there);
        assert_eq!(database.import_errors(job, 0, 1).await.unwrap().len(), usize::from(is_there));
    }
    let year_2100 = Timestamp::from_micros(4_102_444_800_000_000);
    assert_eq!(database.expire(year_2100).await.unwrap(), 1);
    assert!(database.import(LATER_JOB).await.unwrap().is_none());

    assert_eq!(database.notified_until().await.unwrap(), Timestamp::default());
    for (told, until) in [(5, 5), (3, 5), (7, 7)] {
        database.set_notified_until(Timestamp::from_micros(told)).await.unwrap();
        assert_eq!(database.notified_until().await.unwrap(), Timestamp::from_micros(until));
    }
}
