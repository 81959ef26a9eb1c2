//! Several processes of the service on one database and one directory.

use serde_json::json;

use crate::bed::{Bed, answer, with_each_database};

with_each_database! {
    an_import_that_one_process_took_is_seen_in_all_and_goes_on_when_it_is_killed,
}

async fn an_import_that_one_process_took_is_seen_in_all_and_goes_on_when_it_is_killed(bed: Bed) {
    let [first, second, third] = [bed.start().await, bed.start().await, bed.start().await];
    let rows: String = (0..5_000).map(|n| format!("User {n},user{n}@example.com\n")).collect();
    let job = first.import(rows).await;
    second.wait_for_rows(&job, 500).await;
    first.kill().await;
    let ended = second.wait_for_end(&job).await;
    assert_eq!((&ended["state"], &ended["imported"]), (&json!("succeeded"), &json!(5_000)));
    assert_eq!(third.status(&job).await, ended);

    // Starting took nothing away from those that were there.
    let job = third.import("Ada,ada@example.com\n").await;
    assert_eq!(second.wait_for_end(&job).await["imported"], 1);
    let (_, list) = answer(third.get("/api/users?limit=1")).await;
    assert_eq!(list["total"], 5_001);
    bed.wait_for_files("mail", "eml", 2).await;
    assert!(bed.files("uploads").is_empty());
}
