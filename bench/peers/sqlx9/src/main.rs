//! graphile_worker, and apalis and River on both of their databases, as the measuring stick runs them.

mod apalis_postgres;
mod apalis_sqlite;
mod graphile;
mod river;

use std::process::ExitCode;

fn main() -> ExitCode {
    let peers = [
        track::entry::<graphile::Graphile>(),
        track::entry::<apalis_postgres::Apalis>(),
        track::entry::<river::OnPostgres>(),
        track::entry::<apalis_sqlite::Apalis>(),
        track::entry::<river::OnSqlite>(),
    ];
    track::take_part(&peers, include_str!("../Cargo.lock"))
}
