//! From a database URL to a storage. The scheme chooses the backend; nothing else in the program does.
//!
//! What is easily mistyped is answered here, before a database is asked, with what to write instead.

use std::sync::Arc;

use portfire_core::{Error, Result, Storage};

/// Who a storage is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// Those who enqueue and work.
    Jobs,
    /// A dashboard: few connections, and little patience.
    Dashboard,
}

/// Opens the storage that `url` names.
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(unused_variables, reason = "there is no backend that could be opened for anybody")
)]
pub(crate) async fn open(url: &str, user: User) -> Result<Arc<dyn Storage>> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| without_scheme(url))?;
    match (&*scheme.to_ascii_lowercase(), rest) {
        #[cfg(feature = "sqlite")]
        ("sqlite", rest) => with_sqlite::open(rest, user).await,
        #[cfg(feature = "postgres")]
        ("postgres" | "postgresql", rest) => postgres(rest, user).await,
        #[cfg(feature = "mysql")]
        ("mysql" | "mariadb", rest) => mysql(rest, user).await,
        _ => Err(Error::misuse(format!(
            "no backend for the URL scheme `{scheme}`; this build knows {}",
            KNOWN.join(", ")
        ))),
    }
}

/// The URL itself is not repeated: it may hold a password.
fn without_scheme(url: &str) -> Error {
    Error::misuse(if url.starts_with("sqlite:") {
        "a SQLite URL has two slashes before the path, as in `sqlite://jobs.db` or `sqlite:///srv/jobs.db`"
    } else {
        "a database URL begins with a scheme, as in `sqlite://jobs.db`"
    })
}

/// The backends of this build, by their URLs.
const KNOWN: &[&str] = &[
    #[cfg(feature = "sqlite")]
    "`sqlite://path/to/file.db`",
    #[cfg(feature = "postgres")]
    "`postgres://user@host/database`",
    #[cfg(feature = "mysql")]
    "`mysql://user@host/database`",
    #[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
    "none: turn on the feature `sqlite`, `postgres` or `mysql`",
];

#[cfg(feature = "postgres")]
async fn postgres(rest: &str, user: User) -> Result<Arc<dyn Storage>> {
    let options = portfire_postgres::PostgresOptions::new(&format!("postgres://{rest}"))?;
    let options = if user == User::Dashboard { options.for_dashboard() } else { options };
    Ok(Arc::new(portfire_postgres::PostgresStorage::open(options).await?))
}

/// MariaDB and MySQL alike: which of them it is, the server says.
#[cfg(feature = "mysql")]
async fn mysql(rest: &str, user: User) -> Result<Arc<dyn Storage>> {
    let options = portfire_mysql::MysqlOptions::new(&format!("mysql://{rest}"))?;
    let options = if user == User::Dashboard { options.for_dashboard() } else { options };
    Ok(Arc::new(portfire_mysql::MysqlStorage::open(options).await?))
}

#[cfg(feature = "sqlite")]
mod with_sqlite {
    use std::path::Path;
    use std::sync::Arc;

    use portfire_core::{Error, Result, Storage};
    use portfire_sqlite::{SqliteOptions, SqliteStorage, Synchronous};

    use super::User;

    /// Opens what follows `sqlite://`.
    pub(super) async fn open(rest: &str, user: User) -> Result<Arc<dyn Storage>> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if path.is_empty() || path == ":memory:" {
            return Err(Error::misuse(
                "a SQLite URL names a file, as in `sqlite://jobs.db`; for jobs in memory use `ModelStorage`",
            ));
        }
        let mut options = SqliteOptions::new(path);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            options = option(options, pair)?;
        }
        check_place(Path::new(path))?;
        if user == User::Dashboard {
            options = options.for_dashboard();
        }
        Ok(Arc::new(SqliteStorage::open(options).await?))
    }

    fn option(options: SqliteOptions, pair: &str) -> Result<SqliteOptions> {
        match pair.split_once('=') {
            Some(("synchronous", "full")) => Ok(options.synchronous(Synchronous::Full)),
            Some(("synchronous", "normal")) => Ok(options.synchronous(Synchronous::Normal)),
            Some(("prefix", prefix)) => options.prefix(prefix),
            _ => Err(Error::misuse(format!(
                "`{pair}` is not an option of a SQLite URL; there are `synchronous=full`, \
                 `synchronous=normal` and `prefix=name_`"
            ))),
        }
    }

    /// Where SQLite itself would only say that it cannot open the file.
    fn check_place(path: &Path) -> Result<()> {
        let shown = path.display();
        let reason = match path.metadata() {
            Ok(place) if place.is_dir() => {
                format!("`{shown}` is a directory; name a file in it, as in `sqlite://{shown}/jobs.db`")
            }
            Ok(place) if place.permissions().readonly() => {
                format!("`{shown}` is read-only; jobs are stored in it, so the program must be able to write")
            }
            Err(_) if !has_parent(path) => {
                format!(
                    "`{shown}` cannot be created, because its directory does not exist; create that first"
                )
            }
            _ => return Ok(()),
        };
        Err(Error::misuse(reason))
    }

    fn has_parent(path: &Path) -> bool {
        path.parent().is_none_or(|parent| parent.as_os_str().is_empty() || parent.is_dir())
    }
}
