//! A MariaDB or MySQL server as the contestants share it: each heat has a database of its own, which is dropped
//! after. Such a server counts at once, and for all of its databases: nobody else may use it meanwhile.

pub(super) mod bare;
pub(super) mod packed;

use std::any::Any;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::sync::Mutex;

use crate::contestant::{Doing, Fallible};
use crate::database::{Answer, Counts, Database, Ground};
use crate::processes::family_cpu;
use crate::workload::Workload;

/// What is said of the server in a report. Without a binary log a commit is one flush, with it two.
const SETTINGS: [&str; 3] = ["innodb_flush_log_at_trx_commit", "log_bin", "innodb_buffer_pool_size"];
/// What the process of a server may be called: one with a C library of its own is called by its loader.
const PROCESSES: [&str; 3] = ["mariadbd", "mysqld", "ld-linux-x86-64"];
/// What is counted of transactions, off unless asked for: those that wrote, those that only read, and those that
/// read without holding anything.
const TRANSACTIONS: [&str; 3] = ["trx_rw_commits", "trx_ro_commits", "trx_nl_ro_commits"];
/// What clients have asked, prepared statements included.
const STATEMENTS: &str = "Questions";
/// The end of the log of changes, as MariaDB and as MySQL call it.
const LOG_ENDS: [&str; 2] = ["Innodb_lsn_current", "Innodb_redo_log_current_lsn"];
/// Rows that leave their old selves behind. (MariaDB no longer counts them in InnoDB.)
const REPLACED: [&str; 2] = ["Handler_update", "Handler_delete"];

/// A server with the settings that it has.
#[derive(Clone, Debug)]
pub(crate) struct Mysql {
    pub(crate) name: &'static str,
    pub(crate) url: Option<String>,
}

impl Mysql {
    fn url(&self) -> Fallible<&str> {
        let (name, variable) = (self.name, self.name.to_uppercase());
        let missing = format!(
            "no server `{name}` is given; `cargo xtask bench` starts one, or set PORTFIRE_BENCH_{variable}_URL"
        );
        Ok(self.url.as_deref().ok_or(missing)?)
    }
}

impl Database for Mysql {
    fn name(&self) -> &'static str {
        self.name
    }

    fn promise(&self) -> &'static str {
        "commits survive what the server's settings say"
    }

    fn takes(&self, _: Workload) -> bool {
        true
    }

    fn version(&self) -> Answer<'_, String> {
        Box::pin(async {
            let mut server = connect(self.url()?).await?;
            let mut said = format!("{} {}", self.name, variable(&mut server, "version").await?);
            for setting in SETTINGS {
                said.extend([", ", setting, " ", &variable(&mut server, setting).await?]);
            }
            Ok(said)
        })
    }

    fn open<'a>(&'a self, _: &'a Path) -> Answer<'a, Box<dyn Ground>> {
        Box::pin(async {
            let name = format!("bench_{}", std::process::id());
            let mut server = connect(self.url()?).await?;
            server.query_drop(format!("DROP DATABASE IF EXISTS {name}")).await?;
            server.query_drop(format!("CREATE DATABASE {name}")).await?;
            for counter in TRANSACTIONS {
                // Not every role may; then they are missing.
                let _ = server.query_drop(format!("SET GLOBAL innodb_monitor_enable = '{counter}'")).await;
            }
            let process = process(&mut server).await;
            let url = of_database(self.url()?, &name);
            let asked = AtomicU64::default();
            Ok(Box::new(Own { server: Mutex::new(server), asked, process, name, url }) as Box<dyn Ground>)
        })
    }
}

/// The database of one heat.
struct Own {
    server: Mutex<Conn>,
    /// The statements that were asked here to count, which are no contestant's.
    asked: AtomicU64,
    /// The server's process, if it can be seen.
    process: Option<u32>,
    name: String,
    url: String,
}

impl Ground for Own {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    fn cpu(&self) -> Option<u64> {
        family_cpu(self.process?, &PROCESSES)
    }

    fn counts(&self) -> Answer<'_, Counts> {
        Box::pin(async {
            let mut server = self.server.lock().await;
            let mut rows: Vec<(String, String)> = server.query("SHOW GLOBAL STATUS").await?;
            // This one is counted already, the next one is not.
            let own = self.asked.fetch_add(2, Ordering::Relaxed) + 1;
            let metrics = "SELECT name, CAST(count AS CHAR) FROM information_schema.INNODB_METRICS \
                           WHERE time_enabled IS NOT NULL AND subsystem = 'transaction'";
            rows.extend(server.query::<(String, String), _>(metrics).await?);
            let count = |name: &str| rows.iter().find(|row| row.0 == name)?.1.parse::<u64>().ok();
            Ok(Counts {
                commits: TRANSACTIONS.into_iter().map(count).sum(),
                statements: count(STATEMENTS).map(|all| all.saturating_sub(own)),
                logged: LOG_ENDS.into_iter().find_map(count),
                dead: REPLACED.into_iter().map(count).sum(),
            })
        })
    }

    fn alone(&self) -> Doing<'_> {
        Box::pin(async { Ok(()) })
    }

    fn pin(&self) -> Answer<'_, Box<dyn Any>> {
        Box::pin(async {
            let mut connection = connect(&self.url).await?;
            connection.query_drop("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
            connection.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
            Ok(Box::new(connection) as Box<dyn Any>)
        })
    }

    fn clear(&self) -> Doing<'_> {
        Box::pin(async {
            Ok(self.server.lock().await.query_drop(format!("DROP DATABASE {}", self.name)).await?)
        })
    }
}

/// A connection as the bare statements use it: what stands behind the `?` of the URL is Portfire's.
async fn connect(url: &str) -> Fallible<Conn> {
    let address = url.split_once('?').map_or(url, |(address, _)| address);
    Ok(Conn::new(Opts::from_url(address)?).await?)
}

async fn variable(server: &mut Conn, name: &str) -> Fallible<String> {
    let value: Option<String> = server.query_first(format!("SELECT CONCAT(@@{name}, '')")).await?;
    Ok(value.unwrap_or_default())
}

/// The server's own word for it, if the file is here.
async fn process(server: &mut Conn) -> Option<u32> {
    let file = variable(server, "pid_file").await.ok()?;
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The URL with another database, and without encryption unless it asks for it: nobody else of the heat encrypts.
fn of_database(url: &str, name: &str) -> String {
    let (address, options) = url.split_once('?').unwrap_or((url, ""));
    let server = address.rsplit_once('/').map_or(address, |(server, _)| server);
    let options = if options.contains("ssl-mode=") {
        options.to_owned()
    } else {
        format!("{options}&ssl-mode=DISABLED")
    };
    format!("{server}/{name}?{}", options.trim_start_matches('&'))
}

#[cfg(test)]
mod tests {
    use super::of_database;

    #[test]
    fn a_heat_has_its_own_database_and_no_encryption_that_nobody_asked_for() {
        let url = of_database("mysql://u@h:1/portfire?prefix=x_", "bench_7");
        assert_eq!(url, "mysql://u@h:1/bench_7?prefix=x_&ssl-mode=DISABLED");
        assert_eq!(of_database("mysql://u@h/a", "b"), "mysql://u@h/b?ssl-mode=DISABLED");
        let encrypted = "mysql://u@h/b?ssl-mode=REQUIRED";
        assert_eq!(of_database(encrypted, "b"), encrypted);
    }
}
