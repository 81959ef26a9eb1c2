//! The application's statements. Most read the same everywhere; those that do not exist once for each kind of
//! database.
//!
//! Parameters are numbered (`$1`), as SQLite and PostgreSQL have them. MySQL counts question marks instead, so
//! what it shares with the others is rewritten for it by the compiler, and must have its parameters in order.

/// All statements, as one kind of database says them.
#[derive(Debug)]
pub(super) struct Dialect {
    pub(super) expire_import_errors: &'static str,
    pub(super) expire_imports: &'static str,
    pub(super) expire_users: &'static str,
    pub(super) import: &'static str,
    pub(super) import_errors: &'static str,
    pub(super) insert_import: &'static str,
    pub(super) notified_until: &'static str,
    pub(super) unfinished_import: &'static str,
    pub(super) user: &'static str,
    pub(super) users: &'static str,
    pub(super) users_count: &'static str,
    // From here on each in its own way.
    pub(super) schema: &'static str,
    pub(super) advance_import: &'static str,
    pub(super) insert_user: &'static str,
    pub(super) delete_user: &'static str,
    pub(super) upsert_users: &'static str,
    pub(super) insert_errors: &'static str,
    pub(super) notified: &'static str,
    pub(super) users_per_day: &'static str,
    pub(super) users_per_domain: &'static str,
}

/// The shared statement of this name.
macro_rules! numbered {
    ($name:literal) => {
        include_str!(concat!("../sql/", $name, ".sql"))
    };
}

/// The same, with question marks.
macro_rules! counted {
    ($name:literal) => {{
        const TEXT: &str = numbered!($name);
        const COUNTED: [u8; TEXT.len()] = counted(TEXT);
        match std::str::from_utf8(&COUNTED) {
            Ok(text) => text,
            Err(_) => panic!("a question mark is ASCII"),
        }
    }};
}

macro_rules! dialect {
    ($folder:literal, $shared:ident) => {
        Dialect {
            expire_import_errors: $shared!("expire_import_errors"),
            expire_imports: $shared!("expire_imports"),
            expire_users: $shared!("expire_users"),
            import: $shared!("import"),
            import_errors: $shared!("import_errors"),
            insert_import: $shared!("insert_import"),
            notified_until: $shared!("notified_until"),
            unfinished_import: $shared!("unfinished_import"),
            user: $shared!("user"),
            users: $shared!("users"),
            users_count: $shared!("users_count"),
            schema: include_str!(concat!("../sql/", $folder, "/schema.sql")),
            advance_import: include_str!(concat!("../sql/", $folder, "/advance_import.sql")),
            insert_user: include_str!(concat!("../sql/", $folder, "/insert_user.sql")),
            delete_user: include_str!(concat!("../sql/", $folder, "/delete_user.sql")),
            upsert_users: include_str!(concat!("../sql/", $folder, "/upsert_users.sql")),
            insert_errors: include_str!(concat!("../sql/", $folder, "/insert_errors.sql")),
            notified: include_str!(concat!("../sql/", $folder, "/notified.sql")),
            users_per_day: include_str!(concat!("../sql/", $folder, "/users_per_day.sql")),
            users_per_domain: include_str!(concat!("../sql/", $folder, "/users_per_domain.sql")),
        }
    };
}

pub(super) static SQLITE: Dialect = dialect!("sqlite", numbered);
pub(super) static POSTGRES: Dialect = dialect!("postgres", numbered);
pub(super) static MYSQL: Dialect = dialect!("mysql", counted);

/// Only for MySQL, whose statements that write return no rows.
pub(super) const MYSQL_REVIVE_USER: &str = include_str!("../sql/mysql/revive_user.sql");
/// Likewise.
pub(super) const MYSQL_USER_BY_KEY: &str = include_str!("../sql/mysql/user_by_key.sql");

/// Makes ` ?` of each `$n` outside of comments: as long as before, so that the compiler can do it.
const fn counted<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let bytes = text.as_bytes();
    let mut written = [0; LENGTH];
    let (mut at, mut seen, mut is_comment) = (0, 0, false);
    while at < LENGTH {
        written[at] = bytes[at];
        is_comment = match bytes[at] {
            b'\n' => false,
            b'-' if at + 1 < LENGTH && bytes[at + 1] == b'-' => true,
            _ => is_comment,
        };
        if bytes[at] == b'$' && !is_comment {
            seen += 1;
            assert!(
                bytes[at + 1] == b'0' + seen,
                "the parameters of a shared statement come in order, up to 9"
            );
            written[at] = b' ';
            at += 1;
            written[at] = b'?';
        }
        at += 1;
    }
    written
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn a_parameter_becomes_a_question_mark_but_for_comments() {
        let sql = "-- Below $1.\nSELECT $1, a - b LIMIT $2\n";
        let counted: [u8; 39] = counted(sql);
        assert_eq!(std::str::from_utf8(&counted), Ok("-- Below $1.\nSELECT  ?, a - b LIMIT  ?\n"));
    }

    #[test]
    #[should_panic(expected = "in order")]
    fn parameters_out_of_order_are_refused() {
        let _: [u8; 13] = counted("SELECT $2, $1");
    }
}
