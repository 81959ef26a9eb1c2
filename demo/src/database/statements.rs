//! The application's statements. Most read the same everywhere; those that do not exist once for each kind of
//! database.

/// The statements that each kind of database says in its own way.
#[derive(Debug)]
pub(super) struct Dialect {
    pub(super) schema: &'static str,
    pub(super) insert_user: &'static str,
    pub(super) delete_user: &'static str,
    pub(super) upsert_users: &'static str,
    pub(super) insert_errors: &'static str,
    pub(super) users_per_day: &'static str,
    pub(super) users_per_domain: &'static str,
}

macro_rules! dialect {
    ($folder:literal) => {
        Dialect {
            schema: include_str!(concat!("../sql/", $folder, "/schema.sql")),
            insert_user: include_str!(concat!("../sql/", $folder, "/insert_user.sql")),
            delete_user: include_str!(concat!("../sql/", $folder, "/delete_user.sql")),
            upsert_users: include_str!(concat!("../sql/", $folder, "/upsert_users.sql")),
            insert_errors: include_str!(concat!("../sql/", $folder, "/insert_errors.sql")),
            users_per_day: include_str!(concat!("../sql/", $folder, "/users_per_day.sql")),
            users_per_domain: include_str!(concat!("../sql/", $folder, "/users_per_domain.sql")),
        }
    };
}

pub(super) static SQLITE: Dialect = dialect!("sqlite");
pub(super) static POSTGRES: Dialect = dialect!("postgres");

pub(super) const ADVANCE_IMPORT: &str = include_str!("../sql/advance_import.sql");
pub(super) const EXPIRE_IMPORT_ERRORS: &str = include_str!("../sql/expire_import_errors.sql");
pub(super) const EXPIRE_IMPORTS: &str = include_str!("../sql/expire_imports.sql");
pub(super) const EXPIRE_USERS: &str = include_str!("../sql/expire_users.sql");
pub(super) const IMPORT: &str = include_str!("../sql/import.sql");
pub(super) const IMPORT_ERRORS: &str = include_str!("../sql/import_errors.sql");
pub(super) const INSERT_IMPORT: &str = include_str!("../sql/insert_import.sql");
pub(super) const NOTIFIED: &str = include_str!("../sql/notified.sql");
pub(super) const NOTIFIED_UNTIL: &str = include_str!("../sql/notified_until.sql");
pub(super) const UNFINISHED_IMPORT: &str = include_str!("../sql/unfinished_import.sql");
pub(super) const USER: &str = include_str!("../sql/user.sql");
pub(super) const USERS: &str = include_str!("../sql/users.sql");
pub(super) const USERS_COUNT: &str = include_str!("../sql/users_count.sql");
