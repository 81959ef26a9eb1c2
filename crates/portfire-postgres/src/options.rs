//! How to reach a database, parsed once from a URL into a form that cannot be wrong.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::{Clock, Error, Result};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::tls::Trust;
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
/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(5);
/// When a silent connection is asked whether its host is still there, and what the driver has instead. The
/// connection that listens is silent by nature: a host that vanished would never be missed on it.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_OF_DRIVER: Duration = Duration::from_secs(2 * 60 * 60);

/// How to open a database.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) trust: Trust,
    pub(crate) tables: Tables,
    pub(crate) connections: usize,
    pub(crate) deadline: Duration,
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) migrate: bool,
    pub(crate) listen: bool,
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

impl PostgresOptions {
    /// The database that the URL names, as in `postgres://user:password@host:5432/database`, with the options
    /// of libpq behind a `?` and these:
    ///
    /// - `schema=name`: where the tables are; default: what the role's search path says.
    /// - `prefix=name_`: how their names begin; default `portfire_`.
    /// - `connections=8`: most connections for work.
    /// - `migrate=off`: only check that the tables are up to date; default `on`.
    /// - `listen=off`: no connection that listens for new work, and nothing prepared in sessions, as behind a pooler in
    ///   transaction mode; default `on`.
    /// - `sslmode=disable|prefer|require|verify-full`: default `prefer`, as with libpq.
    /// - `sslrootcert=path`: whose certificates `verify-full` trusts; default: the system's authorities.
    ///
    /// # Errors
    /// Misuse if the URL or an option is not understood. The text does not repeat the URL, which may hold a
    /// password.
    pub fn new(url: &str) -> Result<Self> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let mut options = Self {
            config: tokio_postgres::Config::new(),
            trust: Trust::Anybody,
            tables: Tables::default(),
            connections: CONNECTIONS,
            deadline: DEADLINE,
            statement_timeout: None,
            migrate: true,
            listen: true,
            clock: None,
        };
        let mut theirs = Vec::new();
        let mut verify = Verify::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if !verify.read(pair) && !options.read(pair)? {
                theirs.push(pair);
            }
        }
        options.trust = verify.trust()?;
        if verify.full {
            theirs.push("sslmode=require");
        }
        options.configure(&format!("{address}?{}", theirs.join("&")))?;
        Ok(options)
    }

    /// Reads an option of ours; answers whether it was one.
    fn read(&mut self, pair: &str) -> Result<bool> {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("schema", schema) => self.tables = self.tables.clone().schema(schema)?,
            ("prefix", prefix) => self.tables = self.tables.clone().prefix(prefix)?,
            ("connections", number) => self.connections = count(pair, number)?,
            ("migrate", value) => self.migrate = switch(pair, value)?,
            ("listen", value) => self.listen = switch(pair, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn configure(&mut self, url: &str) -> Result<()> {
        self.config = tokio_postgres::Config::from_str(url).map_err(|e| {
            Error::misuse(
                "the URL of the PostgreSQL database is not understood; it is of the form \
                 `postgres://user:password@host:5432/database`",
            )
            .caused_by(e)
        })?;
        let config = &mut self.config;
        if config.get_application_name().is_none() {
            config.application_name("portfire");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_keepalives_idle() == KEEPALIVE_OF_DRIVER {
            config.keepalives_idle(KEEPALIVE).keepalives_interval(CONNECT).keepalives_retries(3);
        }
        if config.get_hosts().len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if config.get_hosts().iter().all(|host| !matches!(host, Host::Tcp(_))) {
            config.ssl_mode(SslMode::Disable);
        }
        Ok(())
    }

    /// Which tables: schema and prefix.
    #[must_use]
    pub fn tables(mut self, tables: Tables) -> Self {
        self.tables = tables;
        self
    }

    /// Which tables these are, for the application's own transactions.
    pub const fn chosen_tables(&self) -> &Tables {
        &self.tables
    }

    /// Most connections for work; one or two more are used for heartbeats, and one for listening. Default 8.
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

    /// How long the database may work on a statement before it ends it itself, also when nobody waits for it any
    /// more. It is set for each transaction, so any pooler works. Default: as the database is configured.
    #[must_use]
    pub const fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = Some(timeout);
        self
    }

    /// As a dashboard wants it, which should have a storage of its own: then a slow page takes no connection from
    /// those who work. Three connections, and three seconds for each call and each statement.
    #[must_use]
    pub const fn for_dashboard(self) -> Self {
        let mut few = self.deadline(DASHBOARD_PATIENCE).statement_timeout(DASHBOARD_PATIENCE);
        few.connections = DASHBOARD_CONNECTIONS;
        few
    }

    /// Whether to bring the tables up to date. Without it the role needs no right to change tables, and
    /// opening fails if they are not current. Default true.
    #[must_use]
    pub const fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// Whether to keep a connection that listens for new work and tells others of it. Without it nothing is prepared in
    /// sessions either: a pooler may give them to others. Default true.
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

/// What a URL says of trust, until all of it is read.
#[derive(Default)]
struct Verify<'u> {
    full: bool,
    root: Option<&'u str>,
}

impl<'u> Verify<'u> {
    fn read(&mut self, pair: &'u str) -> bool {
        match pair.split_once('=') {
            Some(("sslmode", "verify-full")) => self.full = true,
            Some(("sslrootcert", path)) => self.root = Some(path),
            _ => return false,
        }
        true
    }

    fn trust(&self) -> Result<Trust> {
        match (self.full, self.root) {
            (true, None | Some("system")) => Ok(Trust::System),
            (true, Some(path)) => Ok(Trust::File(Path::new(path).into())),
            (false, None) => Ok(Trust::Anybody),
            (false, Some(_)) => {
                Err(Error::misuse("`sslrootcert` has no effect without `sslmode=verify-full`; add that"))
            }
        }
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
    use super::PostgresOptions;
    use crate::tls::Trust;
    use tokio_postgres::config::{SslMode, TargetSessionAttrs};

    #[test]
    fn a_url_says_it_all() {
        let url = "postgres://u:p@a,b/d?schema=s&prefix=Hangfire_&connections=3&migrate=off&listen=off\
                   &sslmode=verify-full&sslrootcert=/x.pem&application_name=shop";
        let options = PostgresOptions::new(url).unwrap();
        assert_eq!(options.tables.names().word(), "s.hangfire_");
        assert_eq!((options.connections, options.migrate, options.listen), (3, false, false));
        assert!(matches!(options.trust, Trust::File(_)));
        assert_eq!(options.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(options.config.get_application_name(), Some("shop"));
        assert_eq!(options.config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_the_password() {
        for bad in [
            "postgres://u:secret@h/d?schema=a-b",
            "postgres://u:secret@h/d?prefix=",
            "postgres://u:secret@h/d?connections=0",
            "postgres://u:secret@h/d?migrate=maybe",
            "postgres://u:secret@h/d?sslrootcert=/x.pem",
            "postgres://u:secret@h/d?sslmode=verify-ca",
            "postgres://u:secret@h/d?unknown=1",
            "postgres://u:secret@h:port/d",
        ] {
            let refused = PostgresOptions::new(bad).unwrap_err();
            assert!(refused.is_misuse() && !refused.to_string().contains("secret"), "{bad}: {refused}");
        }
        let options = PostgresOptions::new("postgres://u:secret@h/d").unwrap();
        assert!(!format!("{options:?}").contains("secret"));
        assert_eq!((options.trust, options.config.get_ssl_mode()), (Trust::Anybody, SslMode::Prefer));
    }
}
