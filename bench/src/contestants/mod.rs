//! Who takes part. Contestants on the same database stand together: ours first, then the peers, and last the floor:
//! the bare statements and the bare disk. Those of the packed form stand behind them, if they are asked for.

mod claims;
mod mysql;
pub(crate) mod packed;
mod peers;
mod portfire;
mod postgres;
mod redis;
mod sqlite;

use std::path::PathBuf;

use clap::Args;
use track::{Takes, payload};

use crate::contestant::{Contestant, Fallible};
use crate::database::Database;
use mysql::Mysql;
use peers::Peer;
use portfire::Portfire;
use postgres::Postgres;
use redis::Redis;
use sqlite::Flushing;
use sqlite::disk::Disk;

/// The batches of the bare statements.
const BATCHES: [u32; 2] = [100, 1_000];

/// Where PostgreSQL is, in the environment.
const POSTGRES: &str = "PORTFIRE_BENCH_POSTGRES_URL";
/// Where MariaDB is.
const MARIADB: &str = "PORTFIRE_BENCH_MARIADB_URL";
/// Where MySQL is.
const MYSQL: &str = "PORTFIRE_BENCH_MYSQL_URL";
/// Where Redis is.
const REDIS: &str = "PORTFIRE_BENCH_REDIS_URL";

/// Where the databases are that are servers.
#[derive(Clone, Debug, Args)]
pub(crate) struct Servers {
    /// A PostgreSQL server that may be filled, as a role that may create databases.
    #[arg(long, env = POSTGRES, hide_env_values = true)]
    postgres: Option<String>,
    /// A MariaDB server that may be filled, and that nobody else uses meanwhile.
    #[arg(long, env = MARIADB, hide_env_values = true)]
    mariadb: Option<String>,
    /// The same of MySQL.
    #[arg(long, env = MYSQL, hide_env_values = true)]
    mysql: Option<String>,
    /// A Redis server that may be emptied, for the peers on it; without one they are left out.
    #[arg(long, env = REDIS, hide_env_values = true)]
    redis: Option<String>,
}

impl Servers {
    /// The same for a child's environment.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            (POSTGRES, &self.postgres),
            (MARIADB, &self.mariadb),
            (MYSQL, &self.mysql),
            (REDIS, &self.redis),
        ];
        all.into_iter().filter_map(|(name, url)| Some((name, url.as_deref()?)))
    }
}

/// Whether the peers take part, and where their programs are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Peers {
    /// Measure other systems, too; `cargo xtask bench` builds them.
    #[arg(long)]
    peers: bool,
    /// The programs of the peers, as a list of paths.
    #[arg(long, env = "PORTFIRE_BENCH_PEERS", value_delimiter = ':', hide = true)]
    programs: Vec<PathBuf>,
}

impl Peers {
    /// Whether they do.
    pub(crate) const fn take_part(&self) -> bool {
        self.peers
    }

    /// Who they are.
    fn who(&self) -> Fallible<Vec<(Takes, PathBuf)>> {
        match (self.peers, &*self.programs) {
            (true, []) => {
                Err("no program of peers is given; `cargo xtask bench --peers` builds them, or set \
                     PORTFIRE_BENCH_PEERS"
                    .into())
            }
            (true, programs) => peers::who(programs),
            (false, _) => Ok(Vec::new()),
        }
    }
}

/// Everybody, in the order of the report.
pub(crate) fn all(
    servers: &Servers,
    peers: &Peers,
    packed: packed::Asked,
) -> Fallible<Vec<Box<dyn Contestant>>> {
    let peers = peers.who()?;
    let mut all: Vec<Box<dyn Contestant>> = Vec::new();
    for flushing in [Flushing::Full, Flushing::Normal] {
        all.push(Box::new(Portfire { database: flushing }));
        all.extend(on(&flushing, &peers));
        all.extend(
            BATCHES.map(|batch| Box::new(sqlite::bare::Bare { flushing, batch }) as Box<dyn Contestant>),
        );
        let packed = packed.forms().map(|form| sqlite::packed::Packed { flushing, form });
        all.extend(packed.map(|one| Box::new(one) as Box<dyn Contestant>));
        all.push(Box::new(Disk { flushing }));
    }
    let database = Postgres { url: servers.postgres.clone() };
    all.push(Box::new(Portfire { database: database.clone() }));
    all.extend(on(&database, &peers));
    all.extend(BATCHES.map(|batch| {
        Box::new(postgres::bare::Bare { database: database.clone(), batch }) as Box<dyn Contestant>
    }));
    let forms = packed.forms().map(|form| postgres::packed::Packed { database: database.clone(), form });
    all.extend(forms.map(|one| Box::new(one) as Box<dyn Contestant>));
    for (name, url) in [("mariadb", &servers.mariadb), ("mysql", &servers.mysql)] {
        let database = Mysql { name, url: url.clone() };
        all.push(Box::new(Portfire { database: database.clone() }));
        all.extend(on(&database, &peers));
        all.extend(BATCHES.map(|batch| {
            Box::new(mysql::bare::Bare { database: database.clone(), batch }) as Box<dyn Contestant>
        }));
        let forms = packed.forms().map(|form| mysql::packed::Packed { database: database.clone(), form });
        all.extend(forms.map(|one| Box::new(one) as Box<dyn Contestant>));
    }
    for flushing in [redis::Flushing::EverySecond, redis::Flushing::Always] {
        let database = servers.redis.clone().map(|url| Redis { url, flushing });
        all.extend(database.iter().flat_map(|database| on(database, &peers)));
    }
    Ok(all)
}

/// The peers on this database.
fn on<D: Database + Clone + 'static>(database: &D, peers: &[(Takes, PathBuf)]) -> Vec<Box<dyn Contestant>> {
    let here = peers.iter().filter(|(takes, _)| takes.database == database.name());
    let peer = |(takes, program): &(Takes, PathBuf)| {
        let (takes, program) = (takes.clone(), program.clone());
        Box::new(Peer { takes, program, database: database.clone() }) as Box<dyn Contestant>
    };
    here.map(peer).collect()
}
