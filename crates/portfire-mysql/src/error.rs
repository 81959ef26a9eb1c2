//! What MySQL or MariaDB reported, in the four kinds that callers know.

use std::error::Error as StdError;

use mysql_async::{DriverError, IoError};
use portfire_core::Error;
use rustls::CertificateError;

/// A row with this key is there already.
const DUPLICATE: u16 = 1062;

/// A mark that was just set is not there: no transaction is open.
const NO_SAVEPOINT: u16 = 1305;

/// An error of the driver as one of ours.
pub(crate) fn mysql_error(doing: &str, error: mysql_async::Error) -> Error {
    let code = match &error {
        mysql_async::Error::Server(server) => Some(server.code),
        _ => None,
    };
    let message = format!("the database could not {doing}");
    match refused_certificate(&error) {
        Some(reason) => Error::broken(format!("{message}: {}", advice(reason))),
        None => of_code(message, code, is_lost(&error)),
    }
    .caused_by(error)
}

/// Why the certificate of whoever answered is not believed.
fn refused_certificate(error: &mysql_async::Error) -> Option<&CertificateError> {
    let mysql_async::Error::Io(IoError::Io(io)) = error else { return None };
    match io.get_ref()?.downcast_ref()? {
        rustls::Error::InvalidCertificate(reason) => Some(reason),
        _ => None,
    }
}

fn advice(reason: &CertificateError) -> &'static str {
    use CertificateError as Reason;
    match reason {
        Reason::UnknownIssuer => {
            "its certificate is not from an authority that is known here; name the file of its authority with `ssl-ca`"
        }
        Reason::NotValidForName | Reason::NotValidForNameContext { .. } => {
            "its certificate is for another host; put a name into the URL that the certificate has, or give the server \
             a certificate for this one"
        }
        Reason::Expired | Reason::ExpiredContext { .. } => {
            "its certificate has expired; give the server another"
        }
        _ => "its certificate is not valid; give the server another",
    }
}

/// An error with this number; `lost` if there is none because the connection is gone.
pub(crate) fn of_code(message: String, code: Option<u16>, lost: bool) -> Error {
    match code {
        None if lost => Error::transient(message),
        Some(code) if is_transient(code) => Error::transient(message),
        Some(code) if is_refused_value(code) => Error::misuse(message),
        Some(NO_SAVEPOINT) => {
            Error::misuse(format!("{message}: no transaction is open on this connection; begin one"))
        }
        Some(1153) => {
            Error::misuse(format!("{message}: it is longer than the server's `max_allowed_packet`"))
        }
        Some(code) if is_missing(code) => Error::broken(format!(
            "{message}: the tables are not there or belong to another version; open the database once with \
             a user that may migrate it, and check the database's name and `prefix`"
        )),
        _ => Error::broken(message),
    }
}

/// May succeed when repeated: lock waits and deadlocks (1205, 1213) and their like in clusters, a server that
/// starts, stops or has changed places, one that has too many connections, and 1062, which two runs of one call
/// can only cause by meeting.
fn is_transient(code: u16) -> bool {
    const LOCKS: &[u16] = &[1205, 1213, 1020, 1180, 1614, 3101, 3572, DUPLICATE];
    const AWAY: &[u16] = &[1040, 1047, 1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 4031];
    const READ_ONLY: &[u16] = &[1290, 1792, 1836];
    const INTERRUPTED: &[u16] = &[1317, 1927, 1969, 3024];
    [LOCKS, AWAY, READ_ONLY, INTERRUPTED].iter().any(|codes| codes.contains(&code))
}

/// Text that the column's character set does not have, or a value beyond its bounds.
fn is_refused_value(code: u16) -> bool {
    [1264, 1300, 1366, 1406].contains(&code)
}

fn is_missing(code: u16) -> bool {
    [1049, 1054, 1146].contains(&code)
}

/// Whether this says that a row was there already.
pub(crate) fn is_duplicate(error: &Error) -> bool {
    number_in(error) == Some(DUPLICATE)
}

/// Whether the database has said that what was asked is not done, and will not be: deadlocks, lock waits and the
/// like. After any other error it may still be at work.
pub(crate) fn is_undone(error: &Error) -> bool {
    number_in(error).is_some_and(|number| [1205, 1213, 1020, DUPLICATE].contains(&number))
}

/// The number by which the database calls an error.
fn number_in(error: &Error) -> Option<u16> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(mysql_async::Error::Server(server)) = inner.downcast_ref() {
            return Some(server.code);
        }
        #[cfg(feature = "sqlx")]
        if let Some(sqlx::Error::Database(said)) = inner.downcast_ref() {
            return number_of(&**said);
        }
        #[cfg(feature = "sea-orm")]
        if let Some(sea_orm::RuntimeErr::SqlxError(said)) = inner.downcast_ref() {
            return said.as_database_error().and_then(number_of);
        }
        #[cfg(feature = "diesel")]
        if let Some(said) = inner.downcast_ref() {
            return number_of_diesel(said);
        }
        cause = inner.source();
    }
    None
}

/// The number of an error that came through sqlx.
#[cfg(feature = "sqlx")]
pub(crate) fn number_of(error: &(dyn sqlx::error::DatabaseError + 'static)) -> Option<u16> {
    error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(sqlx::mysql::MySqlDatabaseError::number)
}

/// The number of an error that came through diesel, which passes none on, but the database's own words.
#[cfg(feature = "diesel")]
pub(crate) fn number_of_diesel(error: &diesel::result::Error) -> Option<u16> {
    use diesel::result::DatabaseErrorKind as Kind;
    let diesel::result::Error::DatabaseError(kind, said) = error else { return None };
    let words = said.message();
    match kind {
        Kind::UniqueViolation => Some(DUPLICATE),
        Kind::SerializationFailure => Some(1213),
        Kind::ReadOnlyTransaction => Some(1792),
        // Its kind is lost where several statements travel together through libmysqlclient.
        _ if words.starts_with("Duplicate entry ") => Some(DUPLICATE),
        _ if words.starts_with("Deadlock found") => Some(1213),
        _ if words.starts_with("Lock wait timeout exceeded") => Some(1205),
        _ if words.starts_with("SAVEPOINT ") && words.ends_with(" does not exist") => Some(NO_SAVEPOINT),
        _ => None,
    }
}

/// Whether the connection broke or was not made, other than by a refusal.
fn is_lost(error: &mysql_async::Error) -> bool {
    match error {
        // The last two are what a server says of its own accord before it closes a connection, read as the
        // beginning of an answer.
        mysql_async::Error::Driver(
            DriverError::ConnectionClosed
            | DriverError::PacketOutOfOrder
            | DriverError::UnexpectedPacket { .. },
        ) => true,
        // A certificate that is not trusted will not be so the next time.
        mysql_async::Error::Io(IoError::Io(io)) => {
            io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_none()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_duplicate, mysql_error, of_code};
    use mysql_async::{Error, ServerError};

    #[test]
    fn every_code_has_its_kind() {
        let kind = |code: u16| of_code("x".into(), Some(code), false);
        for code in [1205, 1213, 1062, 1040, 1053, 1290, 1836, 1317, 1927] {
            assert!(kind(code).is_transient(), "{code}");
        }
        assert!(kind(1366).is_misuse() && kind(1153).is_misuse() && kind(1305).is_misuse());
        for code in [1146, 1054, 1142, 1045, 1044, 1114, 1064] {
            assert!(kind(code).is_broken(), "{code}");
        }
        assert!(of_code("x".into(), None, true).is_transient());
        assert!(of_code("x".into(), None, false).is_broken());
    }

    /// What diesel passes on of each: the words are the database's own.
    #[test]
    #[cfg(feature = "diesel")]
    fn what_comes_through_diesel_is_told_by_its_words() {
        use diesel::result::DatabaseErrorKind as Kind;
        let number = |kind, words: &str| {
            let error = diesel::result::Error::DatabaseError(kind, Box::new(words.to_owned()));
            super::number_of_diesel(&error)
        };
        let deadlock = "Deadlock found when trying to get lock; try restarting transaction";
        assert_eq!(number(Kind::Unknown, deadlock), Some(1213));
        let waited = "Lock wait timeout exceeded; try restarting transaction";
        assert_eq!(number(Kind::Unknown, waited), Some(1205));
        assert_eq!(number(Kind::Unknown, "SAVEPOINT portfire_mark does not exist"), Some(1305));
        for kind in [Kind::UniqueViolation, Kind::Unknown] {
            assert_eq!(number(kind, "Duplicate entry 'x' for key 'PRIMARY'"), Some(1062));
        }
        assert_eq!(number(Kind::Unknown, "Table 'shop.portfire_job' doesn't exist"), None);
    }

    #[test]
    fn a_duplicate_is_told_from_other_errors() {
        let server = |code| Error::Server(ServerError { code, message: String::new(), state: String::new() });
        assert!(is_duplicate(&mysql_error("x", server(1062))));
        assert!(!is_duplicate(&mysql_error("x", server(1213))));
    }
}
