//! `kill -9` at random moments of imports, 50 of them on SQLite: each row once, the file gone, one summary per import.
//!
//! A job that takes its server down three times is put aside, rightly; so each import is killed once.

use serde_json::json;

use crate::bed::{Bed, answer, with_each_database};

with_each_database! {
    killed_at_random_moments_every_row_is_there_once,
}

const ROUNDS: u64 = 50;
/// The moments are those of the import, which is the same everywhere: fewer do for the other databases.
const ROUNDS_ON_A_SERVER: u64 = 12;
const ROWS: u64 = 10_000;

async fn killed_at_random_moments_every_row_is_there_once(bed: Bed) {
    let rounds = if bed.is_on_a_server() { ROUNDS_ON_A_SERVER } else { ROUNDS };
    let mut dice = Dice(0x5EED);
    let mut demo = bed.start().await;
    let mut interrupted = 0;
    for round in 0..rounds {
        let job = demo.import(file_of(round)).await;
        demo.wait_for_rows(&job, dice.below(ROWS)).await;
        interrupted += u64::from(demo.status(&job).await["state"] == "processing");
        demo.kill().await;

        demo = bed.start().await;
        let ended = demo.wait_for_end(&job).await;
        let counts = (&ended["state"], &ended["imported"], &ended["rejected"]);
        assert_eq!(counts, (&json!("succeeded"), &json!(ROWS), &json!(1)), "round {round}: {ended}");
    }
    assert!(interrupted > rounds / 2, "only {interrupted} kills met a running import");

    bed.wait_for_files("mail", "eml", usize::try_from(rounds).unwrap()).await;
    let (_, list) = answer(demo.get("/api/users?limit=1")).await;
    assert_eq!(list["total"], rounds * ROWS);
    assert!(bed.files("uploads").is_empty());
    demo.interrupt().await;
    assert_eq!(bed.files("mail").len(), usize::try_from(rounds).unwrap());
}

/// Users of their own for each round, and one wrong row at the end.
fn file_of(round: u64) -> String {
    let row = |n| format!("User {n},user{round}-{n}@example.com\n");
    (0..ROWS).map(row).chain(["wrong\n".to_owned()]).collect()
}

/// A random source that repeats itself (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}
