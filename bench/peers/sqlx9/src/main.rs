//! graphile_worker, and apalis on both of its databases, as the measuring stick runs them.

mod apalis_postgres;
mod apalis_sqlite;
mod graphile;

use std::process::ExitCode;

fn main() -> ExitCode {
    let peers = [
        track::entry::<graphile::Graphile>(),
        track::entry::<apalis_postgres::Apalis>(),
        track::entry::<apalis_sqlite::Apalis>(),
    ];
    track::take_part(&peers, include_str!("../Cargo.lock"))
}
