//! What PostgreSQL reported, in the four kinds that callers know.

use std::error::Error as StdError;

use portfire_core::Error;
use tokio_postgres::error::SqlState;

/// An error of the driver as one of ours.
pub(crate) fn postgres_error(doing: &str, error: tokio_postgres::Error) -> Error {
    of_code(format!("PostgreSQL could not {doing}"), error.code(), is_lost(&error)).caused_by(error)
}

/// An error with this code; `lost` if there is none because the connection is gone.
pub(crate) fn of_code(message: String, code: Option<&SqlState>, lost: bool) -> Error {
    match code {
        None if lost => Error::transient(message),
        Some(code) if is_transient(code) => Error::transient(message),
        Some(code) if is_refused(code) => Error::misuse(message),
        Some(code) if is_missing(code) => Error::broken(format!(
            "{message}: the tables are not there or belong to another version; open the database once with \
             a role that may migrate it, and check `schema` and `prefix`"
        )),
        _ => Error::broken(message),
    }
}

/// May succeed when repeated: R10 of the storage contract, a server that starts, stops or has changed
/// places, and 23505, which two runs of one call can only cause by meeting.
fn is_transient(code: &SqlState) -> bool {
    const CODES: &[&str] = &[
        "40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57014", "57P05", "25006", "25P03", "25P04",
        "53300", "23505",
    ];
    code.code().starts_with("08") || CODES.contains(&code.code())
}

/// Whether the database has taken back all that the call had begun, and said so: a deadlock, a conflict, a lock that was
/// not had in time.
pub(crate) fn is_undone(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<tokio_postgres::Error>());
    let code = cause.and_then(tokio_postgres::Error::code);
    code.is_some_and(|code| ["40001", "40P01", "55P03"].contains(&code.code()))
}

/// Whether a statement that was prepared in a session is not there any more, or another of its name is, or the tables
/// have changed what it answers. It was not run.
pub(crate) fn is_forgotten(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| ["26000", "42P05", "0A000", "08P01"].contains(&code.code()))
}

/// Text that the database's encoding does not have, a value beyond its bounds, or a transaction that is not as
/// it has to be.
fn is_refused(code: &SqlState) -> bool {
    ["22021", "22P05", "22001", "54000", "25000"].contains(&code.code())
}

fn is_missing(code: &SqlState) -> bool {
    ["42P01", "42883", "42703", "3F000"].contains(&code.code())
}

/// Whether the connection broke or was not made, other than by a refusal.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            // A certificate that is not trusted will not be so the next time.
            let refusal = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            return refusal.is_none();
        }
        cause = inner.source();
    }
    error.is_closed()
}

#[cfg(test)]
mod tests {
    use super::of_code;
    use tokio_postgres::error::SqlState;

    #[test]
    fn every_code_has_its_kind() {
        let kind = |code: &str| of_code("x".into(), Some(&SqlState::from_code(code)), false);
        for code in ["40001", "40P01", "55P03", "57P01", "25006", "08006", "08001", "53300"] {
            assert!(kind(code).is_transient(), "{code}");
        }
        assert!(kind("22021").is_misuse() && kind("25000").is_misuse());
        for code in ["42P01", "42883", "42501", "28P01", "3D000", "53100"] {
            assert!(kind(code).is_broken(), "{code}");
        }
        assert!(of_code("x".into(), None, true).is_transient());
        assert!(of_code("x".into(), None, false).is_broken());
    }
}
