//! Who takes part. Contestants on the same database stand together; the floor comes last: the bare
//! statements and the bare disk.

mod claims;
mod payload;
mod portfire;
mod postgres;
mod sqlite;

use clap::Args;

use crate::contestant::Contestant;
use portfire::Portfire;
use postgres::Postgres;
use sqlite::Flushing;
use sqlite::disk::Disk;

/// The batches of the bare statements.
const BATCHES: [u32; 2] = [100, 1_000];

/// Where the databases are that are servers.
#[derive(Clone, Debug, Args)]
pub(crate) struct Servers {
    /// A PostgreSQL server that may be filled, as a role that may create databases.
    #[arg(long, env = "PORTFIRE_BENCH_POSTGRES_URL", hide_env_values = true)]
    postgres: Option<String>,
}

/// Everybody, in the order of the report.
pub(crate) fn all(servers: &Servers) -> Vec<Box<dyn Contestant>> {
    let mut all: Vec<Box<dyn Contestant>> = Vec::new();
    for flushing in [Flushing::Full, Flushing::Normal] {
        all.push(Box::new(Portfire { database: flushing }));
        all.extend(
            BATCHES.map(|batch| Box::new(sqlite::bare::Bare { flushing, batch }) as Box<dyn Contestant>),
        );
        all.push(Box::new(Disk { flushing }));
    }
    let database = Postgres { url: servers.postgres.clone() };
    all.push(Box::new(Portfire { database: database.clone() }));
    all.extend(BATCHES.map(|batch| {
        Box::new(postgres::bare::Bare { database: database.clone(), batch }) as Box<dyn Contestant>
    }));
    all
}
