//! How to reach a database, parsed once from a URL into a form that cannot be wrong.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::{Opts, OptsBuilder};
use portfire_core::{Clock, Error, Result};

use crate::tls::Encryption;
use crate::transaction::Tables;

/// Connections of one storage unless configured: a server needs two or three at a time, a web application's
/// enqueues share the rest.
const CONNECTIONS: usize = 8;
/// How long a call may take unless configured: half a lease, so that a server whose call was given up may
/// try once more before it stops trusting itself.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);
/// Connections for a dashboard: as many slow pages as may be waited for at once, while others queue.
const DASHBOARD_CONNECTIONS: usize = 3;
/// How long a page waits for an answer; longer, and nobody looks any more.
const DASHBOARD_PATIENCE: Duration = Duration::from_secs(3);
/// When a silent connection is asked whether its host is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How long a statement waits for a row that others hold, in seconds, before it is tried again: a third of a call,
/// so that what was given up does not go on waiting in the server for long, with all that it holds.
const LOCK_WAIT: u32 = 5;
/// The longest packet that the driver sends or takes, in bytes; ours are cut long before (see `pool.rs`), and what
/// comes is no longer than what was stored.
const PACKET_MAX: usize = 1 << 30;
/// What the driver believes of the server's patience, in seconds; a connection that was closed is made anew.
const WAIT_TIMEOUT: usize = 8 * 60 * 60;

/// How to open a database.
#[derive(Clone)]
pub struct MysqlOptions {
    pub(crate) opts: Opts,
    pub(crate) encryption: Encryption,
    pub(crate) tables: Tables,
    pub(crate) connections: usize,
    pub(crate) deadline: Duration,
    pub(crate) look_timeout: Option<Duration>,
    pub(crate) migrate: bool,
    pub(crate) listen: bool,
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

impl MysqlOptions {
    /// The database that the URL names, as in `mysql://user:password@host:3306/database` (or `mariadb://`), with
    /// these options behind a `?`:
    ///
    /// - `prefix=name_`: how the names of the tables begin; default `portfire_`.
    /// - `connections=8`: most connections for work.
    /// - `migrate=off`: only check that the tables are up to date; default `on`.
    /// - `listen=off`: no connections that wait for new work and tell of it; default `on`. Waiting is a statement
    ///   of up to 9 s that shows as `SLEEP` in the list of processes; it ends before it counts as slow (if that is a second or more).
    /// - `ssl-mode=DISABLED|PREFERRED|REQUIRED|VERIFY_IDENTITY`: default `PREFERRED`, as with MySQL's programs.
    /// - `ssl-ca=path`: whose certificates `VERIFY_IDENTITY` trusts; default: the system's authorities.
    /// - `socket=path`: a Unix socket instead of host and port.
    ///
    /// # Errors
    /// Misuse if the URL or an option is not understood. The text does not repeat the URL, which may hold a
    /// password.
    pub fn new(url: &str) -> Result<Self> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let mut options = Self {
            opts: Opts::default(),
            encryption: Encryption::default(),
            tables: Tables::default(),
            connections: CONNECTIONS,
            deadline: DEADLINE,
            look_timeout: None,
            migrate: true,
            listen: true,
            clock: None,
        };
        let mut theirs = Vec::new();
        let mut trust = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("ssl-ca", path)) => trust = Some(path),
                _ if options.read(pair)? => {}
                _ => theirs.push(pair),
            }
        }
        options.trust(trust)?;
        options.configure(address, &theirs.join("&"))?;
        Ok(options)
    }

    /// Reads an option of ours; answers whether it was one.
    fn read(&mut self, pair: &str) -> Result<bool> {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("prefix", prefix) => self.tables = self.tables.clone().prefix(prefix)?,
            ("connections", number) => self.connections = count(pair, number)?,
            ("migrate", value) => self.migrate = switch(pair, value)?,
            ("listen", value) => self.listen = switch(pair, value)?,
            ("ssl-mode", mode) => self.encryption = encryption(mode)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn trust(&mut self, authorities: Option<&str>) -> Result<()> {
        let Some(path) = authorities else { return Ok(()) };
        if self.encryption != Encryption::System {
            return Err(Error::misuse("`ssl-ca` has no effect without `ssl-mode=VERIFY_IDENTITY`; add that"));
        }
        self.encryption = Encryption::File(Path::new(path).into());
        Ok(())
    }

    fn configure(&mut self, address: &str, theirs: &str) -> Result<()> {
        let address = address
            .strip_prefix("mariadb://")
            .map_or_else(|| address.to_owned(), |rest| format!("mysql://{rest}"));
        let understood = Opts::from_url(&format!("{address}?{theirs}")).map_err(|e| {
            Error::misuse(
                "the URL of the database is not understood; it is of the form \
                 `mysql://user:password@host:3306/database`",
            )
            .caused_by(e)
        })?;
        if understood.db_name().is_none() {
            return Err(Error::misuse(
                "the URL names no database; put its name behind the host, as in `/app`",
            ));
        }
        let keepalive = understood.tcp_keepalive().unwrap_or(KEEPALIVE);
        self.opts = OptsBuilder::from_opts(understood)
            // A socket only if one is named, and what the driver would ask the server at each connection.
            .prefer_socket(false)
            .max_allowed_packet(Some(PACKET_MAX))
            .wait_timeout(Some(WAIT_TIMEOUT))
            .tcp_keepalive(Some(keepalive))
            // What a statement has changed is told by what it has found, as through sqlx.
            .client_found_rows(true)
            .setup(vec![
                // A statement on its own is a transaction, whatever the server is configured to; every pooler keeps that.
                "SET autocommit = 1".to_owned(),
                format!("SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT}"),
            ])
            .into();
        Ok(())
    }

    /// Which tables: their prefix.
    #[must_use]
    pub fn tables(mut self, tables: Tables) -> Self {
        self.tables = tables;
        self
    }

    /// Which tables these are, for the application's own transactions.
    pub const fn chosen_tables(&self) -> &Tables {
        &self.tables
    }

    /// Most connections for work; one or two more are used for heartbeats, and one or two to hear of new work and
    /// to tell of it. Default 8.
    ///
    /// # Errors
    /// Misuse if it is 0.
    pub fn connections(mut self, connections: usize) -> Result<Self> {
        self.connections = count("connections", &connections.to_string())?;
        Ok(self)
    }

    /// How long a call may take, all its attempts together. Default 15 s; heartbeats have at most 5 s, and tables that
    /// are made or changed when the storage is opened have ten minutes.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long the database may work on a statement that only reads before it ends it itself, also when nobody
    /// waits for it any more. It is said with each statement, so any pooler works. Default: as the database is
    /// configured.
    #[must_use]
    pub const fn look_timeout(mut self, timeout: Duration) -> Self {
        self.look_timeout = Some(timeout);
        self
    }

    /// As a dashboard wants it, which should have a storage of its own: then a slow page takes no connection from
    /// those who work. Three connections, and three seconds for each call and each statement that only reads.
    #[must_use]
    pub const fn for_dashboard(self) -> Self {
        let mut few = self.deadline(DASHBOARD_PATIENCE).look_timeout(DASHBOARD_PATIENCE);
        few.connections = DASHBOARD_CONNECTIONS;
        few
    }

    /// Whether to bring the tables up to date. Without it the user needs no right to change tables, and
    /// opening fails if they are not current. Default true.
    #[must_use]
    pub const fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// Whether to keep connections that wait for new work of other storages, and tell them of ours. Default true.
    #[must_use]
    pub const fn listen(mut self, listen: bool) -> Self {
        self.listen = listen;
        self
    }

    /// Another clock than the database's, for tests that travel in time.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }
}

/// Without the driver's own options, which show the password.
impl fmt::Debug for MysqlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlOptions")
            .field("host", &self.opts.ip_or_hostname())
            .field("port", &self.opts.tcp_port())
            .field("database", &self.opts.db_name())
            .field("encryption", &self.encryption)
            .field("tables", &self.tables)
            .field("connections", &self.connections)
            .field("deadline", &self.deadline)
            .field("look_timeout", &self.look_timeout)
            .field("migrate", &self.migrate)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

fn encryption(mode: &str) -> Result<Encryption> {
    match mode.to_ascii_uppercase().as_str() {
        "DISABLED" => Ok(Encryption::Off),
        "PREFERRED" => Ok(Encryption::Preferred),
        "REQUIRED" => Ok(Encryption::Required),
        "VERIFY_IDENTITY" => Ok(Encryption::System),
        _ => Err(Error::misuse(
            "`ssl-mode` is none of `DISABLED`, `PREFERRED`, `REQUIRED` and `VERIFY_IDENTITY`",
        )),
    }
}

fn count(option: &str, number: &str) -> Result<usize> {
    let number = number.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Error::misuse(format!("`{option}` needs a number of at least 1")))
}

fn switch(option: &str, value: &str) -> Result<bool> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Error::misuse(format!("`{option}` is neither `on` nor `off`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::MysqlOptions;
    use crate::tls::Encryption;

    #[test]
    fn a_url_says_it_all() {
        let url = "mariadb://u:p@a:3307/d?prefix=Hangfire_&connections=3&migrate=off&listen=off\
                   &ssl-mode=verify_identity&ssl-ca=/x.pem";
        let options = MysqlOptions::new(url).unwrap();
        assert_eq!(options.tables.names().word(), "Hangfire_");
        assert_eq!((options.connections, options.migrate, options.listen), (3, false, false));
        assert!(matches!(options.encryption, Encryption::File(_)));
        assert_eq!((options.opts.ip_or_hostname(), options.opts.tcp_port()), ("a", 3307));
        assert_eq!(options.opts.db_name(), Some("d"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_the_password() {
        for bad in [
            "mysql://u:secret@h",
            "mysql://u:secret@h/d?prefix=",
            "mysql://u:secret@h/d?prefix=a-b",
            "mysql://u:secret@h/d?connections=0",
            "mysql://u:secret@h/d?migrate=maybe",
            "mysql://u:secret@h/d?ssl-ca=/x.pem",
            "mysql://u:secret@h/d?ssl-mode=VERIFY_CA",
            "mysql://u:secret@h/d?unknown=1",
            "mysql://u:secret@h:port/d",
            "postgres://u:secret@h/d",
        ] {
            let refused = MysqlOptions::new(bad).unwrap_err();
            assert!(refused.is_misuse() && !format!("{refused:?}").contains("secret"), "{bad}: {refused:?}");
        }
        let options = MysqlOptions::new("mysql://u:secret@h/d").unwrap();
        assert!(!format!("{options:?}").contains("secret"));
        assert_eq!(options.encryption, Encryption::Preferred);
    }
}
