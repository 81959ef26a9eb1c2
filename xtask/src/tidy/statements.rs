//! Whatever a person typed reaches a database as a parameter: what a statement is put together from was reviewed.
//!
//! 1. In the backends, every format string that reads like SQL is looked at, up to a file's tests.
//! 2. In its places may stand a constant, a placeholder that `bind` answered, or a piece that [`REVIEWED`] names for
//!    the file: fixed text, a number, or a name from the configuration that was checked to be a plain one.
//! 3. A piece that is new is refused until somebody has looked where it comes from, and named it.
//!
//! The other half, that texts which would be SQL are stored and found as text, is in the conformance suite
//! (`hostile`).

use super::Tree;

/// What only a statement has in it.
const SQL: [&str; 21] = [
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE ",
    "CREATE ",
    "DROP ",
    " FROM ",
    " WHERE ",
    " AND ",
    " OR ",
    " IN (",
    "ORDER BY ",
    " LIMIT ",
    " DESC",
    " AS ",
    "EXISTS ",
    "PRAGMA ",
    " = ",
    " <> ",
    "LISTEN ",
    "NOTIFY ",
];

/// The pieces of each file that are no constants and no placeholders.
const REVIEWED: [(&str, &[&str]); 16] = [
    // fixed parts of paths through indexes, and numbers of rows
    (
        "crates/portfire-mysql/src/list.rs",
        &[
            "column",
            "compares",
            "from",
            "id",
            "limit",
            "columns",
            "narrow",
            "order",
            "before",
            "self.path.columns()",
            "all.sql",
            "self.path.order()",
            "self.path.from",
        ],
    ),
    // fixed lists of columns, tables and orders, words of states, and numbers
    (
        "crates/portfire-mysql/src/look.rs",
        &[
            "columns",
            "select",
            "order",
            "most",
            "part",
            "number",
            "list",
            "line",
            "last",
            "state",
            "finals.iter().map(count).collect::<Vec<_>>().join(\", \")",
        ],
    ),
    // the checked prefix, and the number of a version
    ("crates/portfire-mysql/src/migrate.rs", &["prefix", "known"]),
    // times of a session's settings
    ("crates/portfire-mysql/src/statements.rs", &["seconds:.3", "millis", "mariadb", "rest"]),
    // fixed columns and orders, and numbers
    (
        "crates/portfire-mysql/src/statistics.rs",
        &[
            "name",
            "widths",
            "by",
            "kept",
            "last",
            "index",
            "only",
            "after",
            "limit",
            "request.width.micros()",
            "request.bounded_limit()",
        ],
    ),
    // fixed parts of paths through indexes, placeholders, and numbers of rows
    (
        "crates/portfire-postgres/src/list.rs",
        &[
            "column",
            "n",
            "by",
            "keys",
            "narrow",
            "path.id",
            "path.from",
            "walk",
            "most",
            "look_up",
            "order",
            "limit",
            "self.walk",
            "tag",
            "compares",
            "value",
        ],
    ),
    // fixed lists of columns, tables and orders, and numbers
    ("crates/portfire-postgres/src/look.rs", &["columns_from", "order", "limit", "list"]),
    // the checked schema and prefix, and the number of a version
    ("crates/portfire-postgres/src/migrate.rs", &["schema", "prefix", "known"]),
    // how a transaction begins
    ("crates/portfire-postgres/src/pool.rs", &["how"]),
    // fixed columns and conditions
    (
        "crates/portfire-postgres/src/statistics.rs",
        &["name", "by", "if only.is_some() { \"g.fingerprint = $3\" } else { \"$3 IS NULL\" }"],
    ),
    // the schema and prefix, which are checked
    ("crates/portfire-postgres/src/wake.rs", &["inner.channel"]),
    // fixed parts of paths through indexes, and placeholders
    (
        "crates/portfire-sqlite/src/list.rs",
        &[
            "body",
            "known",
            "tag",
            "text",
            "id",
            "matches",
            "from",
            "by",
            "part",
            "path.time",
            "compares",
            "narrow.join(\" AND \")",
        ],
    ),
    // fixed lists of columns, tables and orders, and numbers
    ("crates/portfire-sqlite/src/look.rs", &["columns_from", "order", "limit", "list", "retrying"]),
    // the checked prefix, and the number of a version
    ("crates/portfire-sqlite/src/migrate.rs", &["prefix", "known"]),
    // fixed columns and conditions
    (
        "crates/portfire-sqlite/src/statistics.rs",
        &["name", "widths", "by", "if only.is_some() { \"fingerprint = ?3\" } else { \"?3 IS NULL\" }"],
    ),
    // a word of ours
    ("crates/portfire-sqlite/src/connect.rs", &["synchronous"]),
];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let backends =
        ["crates/portfire-sqlite/src/", "crates/portfire-postgres/src/", "crates/portfire-mysql/src/"];
    tree.each(".rs", |name, text| {
        if !backends.iter().any(|backend| name.starts_with(backend)) {
            return Vec::new();
        }
        let reviewed = REVIEWED.iter().find(|(file, _)| *file == name).map_or(&[][..], |(_, pieces)| pieces);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let pieces =
            formats(code).into_iter().filter(|(literal, _)| SQL.iter().any(|word| literal.contains(word)));
        let pieces = pieces.flat_map(|(literal, arguments)| pieces_of(&literal, &arguments));
        let foreign = pieces.filter(|piece| !is_fixed(piece) && !reviewed.contains(&&**piece));
        foreign
            .map(|piece| {
                format!("puts `{piece}` into a statement; bind it, or review it in `tidy/statements.rs`")
            })
            .collect()
    })
}

/// A constant, or what `bind` answered.
fn is_fixed(piece: &str) -> bool {
    let constant = piece.rsplit("::").next().unwrap_or(piece);
    let is_constant = constant.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    is_constant || piece.starts_with("self.bind(") || piece.starts_with("query.bind(")
}

/// Every `format!`: its string, and what stands behind it.
fn formats(code: &str) -> Vec<(String, String)> {
    let begins = code.match_indices("format!(").map(|(at, word)| &code[at + word.len()..]);
    begins.filter_map(|rest| string(rest.trim_start())).collect()
}

/// The string literal at the beginning, and the arguments up to the closing bracket.
fn string(text: &str) -> Option<(String, String)> {
    let text = text.strip_prefix('"')?;
    let mut end = 0;
    while text.get(end..)?.chars().next()? != '"' {
        let first = text[end..].chars().next()?;
        end += first.len_utf8();
        if first == '\\' {
            end += text[end..].chars().next()?.len_utf8();
        }
    }
    let rest = &text[end + 1..];
    let mut depth = 1;
    let close = rest.char_indices().find(|(_, c)| {
        depth += i32::from("([{".contains(*c)) - i32::from(")]}".contains(*c));
        depth == 0
    })?;
    Some((text[..end].to_owned(), rest[..close.0].to_owned()))
}

/// What stands in the places of a format string.
fn pieces_of(literal: &str, arguments: &str) -> Vec<String> {
    let mut unnamed = split(arguments).into_iter();
    let whole = literal.replace("{{", "").replace("}}", "");
    let places = whole.split('{').skip(1).filter_map(|part| part.split('}').next());
    let pieces = places.filter_map(|place| {
        let name = place.split(':').next().unwrap_or(place);
        if name.is_empty() { unnamed.next() } else { Some(place.to_owned()) }
    });
    pieces.collect()
}

/// Arguments by their commas, as one line each.
fn split(arguments: &str) -> Vec<String> {
    let (mut depth, mut found) = (0, vec![String::new()]);
    for c in arguments.chars() {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        match found.last_mut() {
            Some(_) if c == ',' && depth == 0 => found.push(String::new()),
            Some(last) => last.push(c),
            None => {}
        }
    }
    let lines = found.iter().map(|one| one.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|one| !one.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    fn of(code: &str) -> Vec<String> {
        let text = format!("//! B.\nfn a() {{ {code} }}\n#[cfg(test)]\nmod tests {{}}\n");
        check(&Tree::of([("crates/portfire-sqlite/src/list.rs", &text)]))
    }

    #[test]
    fn what_a_person_typed_is_no_part_of_a_statement() {
        for code in [
            "format!(\"SELECT 1 FROM job WHERE kind = '{kind}'\")",
            "format!(\"SELECT 1 FROM job WHERE kind = '{}'\", filter.kind)",
            "format!(\n \"{SUMMARY} WHERE kind = {} AND queue = {}\",\n query.bind(Value::Text(kind)),\n queue\n)",
            "format!(\"{name} DESC\")",
        ] {
            assert_eq!(of(code).len(), 1, "{code}: {:?}", of(code));
        }
        for code in [
            "format!(\"SELECT 1 FROM job WHERE kind = {}\", self.bind(Value::Text(kind)))",
            "format!(\"SELECT {id} FROM {from} WHERE {LAST_FAULT} ORDER BY {by} LIMIT {}\", limits::WALK_MAX)",
            "format!(\"SQLite could not {doing}\")",
            "format!(\"SELECT {{}}\")",
        ] {
            assert!(of(code).is_empty(), "{code}: {:?}", of(code));
        }
        let elsewhere = "//! B.\nfn a() { format!(\"SELECT '{kind}'\") }\n";
        assert!(check(&Tree::of([("crates/portfire/src/call.rs", elsewhere)])).is_empty());
    }
}
