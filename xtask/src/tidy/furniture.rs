//! Backends have identical furniture: who knows one finds everything in the next.
//!
//! Their files are the same, but for those listed with a reason. Their statements are named by operation; which
//! operations share a statement is a database's own matter (some can insert into three tables at once), so
//! what is held is that every file in `sql/` is used, by its name, in `statements.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::Tree;

const BACKENDS: [&str; 3] = ["portfire-sqlite", "portfire-postgres", "portfire-mysql"];
/// What one backend has for a reason of its own.
const OWN: [&str; 22] = [
    // The host's clock is SQLite's; a database server has a clock of its own.
    "portfire-sqlite/src/clock.rs",
    // A file is opened by each thread; a database server's connections are its pool's.
    "portfire-sqlite/src/connect.rs",
    // SQLite has one writer, so its calls go through a thread; a database server has a pool.
    "portfire-sqlite/src/threads.rs",
    // A server is reached over a network, which has connections, errors and secrets of its own.
    "portfire-postgres/src/pool.rs",
    "portfire-postgres/src/error.rs",
    "portfire-postgres/src/options.rs",
    "portfire-postgres/src/tls.rs",
    "portfire-mysql/src/pool.rs",
    "portfire-mysql/src/error.rs",
    "portfire-mysql/src/options.rs",
    "portfire-mysql/src/tls.rs",
    // What is claimed stays in the index for a while on a server of many versions, so claims begin at marks.
    "portfire-postgres/src/claim.rs",
    "portfire-postgres/src/mark.rs",
    // There a poll begins at the marks, too.
    "portfire-postgres/src/poll.rs",
    "portfire-mysql/src/claim.rs",
    "portfire-mysql/src/mark.rs",
    // Statements are prepared in sessions of PostgreSQL that are ours alone, and plain jobs have one there.
    "portfire-postgres/src/session.rs",
    "portfire-postgres/src/plain.rs",
    // What two callers send on one of its connections is run in turn, without waiting for the first one's answer.
    "portfire-postgres/src/ride.rs",
    // A statement less for each batch; a function of PostgreSQL has no further statement for it.
    "portfire-mysql/src/body.rs",
    // What PostgreSQL has functions for and SQLite does job by job, MySQL does in sets from here.
    "portfire-mysql/src/ending.rs",
    "portfire-mysql/src/family.rs",
];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut broken = missing_files(tree);
    broken.extend(BACKENDS.iter().flat_map(|backend| dead_statements(tree, backend)));
    broken
}

fn missing_files(tree: &Tree) -> Vec<String> {
    let rooms: BTreeMap<_, _> = BACKENDS
        .into_iter()
        .map(|backend| (backend, furniture(tree, backend)))
        .filter(|(_, files)| !files.is_empty())
        .collect();
    let all: BTreeSet<_> = rooms.values().flatten().copied().collect();
    let missing = rooms.iter().flat_map(|(backend, files)| {
        all.difference(files).map(move |file| {
            format!(
                "crates/{backend}/src/{file}: is missing, while another backend has it; see tidy/furniture.rs"
            )
        })
    });
    missing.collect()
}

/// The files that every backend has, by their place in `src`.
fn furniture<'t>(tree: &'t Tree, backend: &str) -> BTreeSet<&'t str> {
    let folder = format!("crates/{backend}/src/");
    let files = tree.ending(".rs").filter_map(|(name, _)| {
        let own = name.strip_prefix("crates/").is_some_and(|name| OWN.contains(&name));
        name.strip_prefix(&*folder).filter(|_| !own)
    });
    files.collect()
}

fn dead_statements(tree: &Tree, backend: &str) -> Vec<String> {
    let folder = format!("crates/{backend}/sql/");
    let table = tree.0.get(&format!("crates/{backend}/src/statements.rs")).map_or("", |text| &**text);
    let statements = tree.ending(".sql").filter(|(name, _)| name.starts_with(&folder));
    let dead = statements.filter(|(name, _)| {
        let operation = name[folder.len()..].trim_end_matches(".sql");
        !table.contains(&format!("\"{operation}\""))
    });
    dead.map(|(name, _)| format!("{name}: is not named in statements.rs, so nothing uses it")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    const SQLITE: &str = "crates/portfire-sqlite/src";
    const POSTGRES: &str = "crates/portfire-postgres/src";

    fn broken(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(folder, file)| (format!("{folder}/{file}"), String::new()));
        check(&Tree(files.collect()))
    }

    #[test]
    fn what_one_backend_has_every_backend_has() {
        assert!(broken(&[(SQLITE, "act.rs")]).is_empty(), "one backend has nobody to be compared with");
        let missing = broken(&[(SQLITE, "act.rs"), (POSTGRES, "lib.rs")]);
        assert!(missing[0].starts_with("crates/portfire-postgres/src/act.rs: is missing"), "{missing:?}");
        assert!(missing[1].starts_with("crates/portfire-sqlite/src/lib.rs: is missing"), "{missing:?}");
        let both = [(SQLITE, "act.rs"), (SQLITE, "threads.rs"), (POSTGRES, "act.rs")];
        assert!(broken(&both).is_empty(), "a file of its own, with its reason");
    }

    #[test]
    fn a_statement_that_nothing_uses_is_refused() {
        let statement = ("crates/portfire-sqlite/sql/claim.sql", "-- Claims.\n");
        let unused =
            Tree::of([statement, ("crates/portfire-sqlite/src/statements.rs", "ClaimAll = \"claim_all\"")]);
        assert!(check(&unused)[0].contains("claim.sql: is not named"));
        let used = Tree::of([statement, ("crates/portfire-sqlite/src/statements.rs", "Claim = \"claim\"")]);
        assert!(check(&used).is_empty());
    }
}
