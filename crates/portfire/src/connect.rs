//! From a database URL to a storage. The scheme chooses the backend; nothing else in the program does.

use std::sync::Arc;

use portfire_core::{Error, Result, Storage};

/// Opens the storage that `url` names.
pub(crate) async fn open(url: &str) -> Result<Arc<dyn Storage>> {
    match url.split_once("://") {
        #[cfg(feature = "sqlite")]
        Some(("sqlite", rest)) => sqlite(rest).await,
        _ => Err(unknown(url)),
    }
}

/// The URL itself is not repeated: it may hold a password.
fn unknown(url: &str) -> Error {
    let scheme = url.split_once("://").map_or("(none)", |(scheme, _)| scheme);
    Error::misuse(format!(
        "no backend for the URL scheme `{scheme}`; this build knows `sqlite://path/to/file.db`"
    ))
}

#[cfg(feature = "sqlite")]
async fn sqlite(rest: &str) -> Result<Arc<dyn Storage>> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path.is_empty() || path == ":memory:" {
        return Err(Error::misuse(
            "a SQLite URL names a file, as in `sqlite://jobs.db`; for jobs in memory use `ModelStorage`",
        ));
    }
    let mut options = portfire_sqlite::SqliteOptions::new(path);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        options = sqlite_option(options, pair)?;
    }
    Ok(Arc::new(portfire_sqlite::SqliteStorage::open(options).await?))
}

#[cfg(feature = "sqlite")]
fn sqlite_option(
    options: portfire_sqlite::SqliteOptions,
    pair: &str,
) -> Result<portfire_sqlite::SqliteOptions> {
    use portfire_sqlite::Synchronous;
    match pair.split_once('=') {
        Some(("synchronous", "full")) => Ok(options.synchronous(Synchronous::Full)),
        Some(("synchronous", "normal")) => Ok(options.synchronous(Synchronous::Normal)),
        Some(("prefix", prefix)) => options.prefix(prefix),
        _ => Err(Error::misuse(format!(
            "`{pair}` is not an option of a SQLite URL; there are `synchronous=full`, `synchronous=normal` \
             and `prefix=name_`"
        ))),
    }
}
