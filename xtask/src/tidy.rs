//! The rules of this code base that no other tool knows, as a check that can fail.
//!
//! Each rule is a pure function from a file to what is wrong with it; its tests show a file that it
//! refuses.

use std::fs;
use std::path::Path;

/// Longest function, in lines.
const FUNCTION_LINES_MAX: usize = 70;
/// What `portfire-core` may depend on: nothing that does I/O.
const CORE_MAY_USE: [&str; 5] = ["jiff", "serde", "serde_json", "thiserror", "uuid"];
/// Names that say nothing.
const EMPTY_NAMES: [&str; 4] = ["utils.rs", "helpers.rs", "common.rs", "manager.rs"];

/// What is wrong in the tree.
pub(crate) fn check(root: &Path) -> Vec<String> {
    let mut broken = Vec::new();
    for folder in ["crates", "demo", "bench", "xtask"] {
        visit(root, &root.join(folder), &mut broken);
    }
    broken
}

fn visit(root: &Path, folder: &Path, broken: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && !path.ends_with("target") {
            visit(root, &path, broken);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            broken.extend(file(&name, &text).into_iter().map(|what| format!("{name}: {what}")));
        }
    }
}

/// What is wrong with one file.
fn file(name: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let ending = name.rsplit('.').next().unwrap_or_default();
    match ending {
        "rs" => {
            broken.extend(header(name, text, "//!"));
            broken.extend(long_functions(text));
            broken.extend(banned_words(name, text));
            broken.extend(empty_name(name));
        }
        "sql" => broken.extend(header(name, text, "--")),
        "toml" if name.ends_with("Cargo.toml") => broken.extend(manifest(name, text)),
        _ => {}
    }
    broken
}

fn header(name: &str, text: &str, mark: &str) -> Option<String> {
    let generated = name.contains("/tests/ui/") || name.ends_with("schema.sql");
    let starts = text.starts_with(mark) || text.starts_with("#![doc");
    (!generated && !starts).then(|| format!("has no header; begin with `{mark}` and say what the file is"))
}

/// A function begins at a line with `fn ` that opens a brace and ends at the brace of its own indent.
fn long_functions(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().collect();
    let mut broken = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let is_function = code.split("fn ").next().is_some_and(is_qualifier) && code.contains("fn ");
        if !is_function {
            continue;
        }
        let close = format!("{}}}", &line[..indent]);
        let end = lines[start..].iter().position(|line| {
            **line == close || line.ends_with(';') && line.len() - line.trim_start().len() == indent
        });
        let length = end.map_or(0, |end| end + 1);
        if length > FUNCTION_LINES_MAX {
            broken.push(format!(
                "line {}: a function of {length} lines; {FUNCTION_LINES_MAX} are the limit",
                start + 1
            ));
        }
    }
    broken
}

fn is_qualifier(before: &str) -> bool {
    before
        .split_whitespace()
        .all(|word| ["pub", "async", "const"].contains(&word) || word.starts_with("pub("))
}

fn banned_words(name: &str, text: &str) -> Vec<String> {
    if name.starts_with("xtask/") {
        return Vec::new();
    }
    let banned = ["todo!(", "unimplemented!(", "#[ignore", "dbg!(", "for now", "FIXME", "XXX"];
    banned.iter().filter(|word| text.contains(**word)).map(|word| format!("has `{word}`")).collect()
}

fn empty_name(name: &str) -> Option<String> {
    let file = name.rsplit('/').next().unwrap_or_default();
    EMPTY_NAMES.contains(&file).then(|| "has a name that says nothing; name the subject".to_owned())
}

/// Dependencies flow one way, and every crate shares the lint table.
fn manifest(name: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    if !text.contains("[lints]\nworkspace = true") {
        broken.push("does not share the workspace's lints".to_owned());
    }
    if text.contains("?/") {
        broken.push("uses `crate?/feature`, which pulls the crate into every resolution".to_owned());
    }
    let uses: Vec<_> = dependencies(text).collect();
    if name.contains("portfire-core/") {
        let not_pure = uses.iter().filter(|used| !CORE_MAY_USE.contains(*used));
        broken.extend(not_pure.map(|used| format!("the core may not depend on `{used}`")));
    }
    let backend = ["portfire-sqlite/", "portfire-postgres/", "portfire-mysql/", "portfire-dashboard/"];
    if backend.iter().any(|crate_name| name.contains(crate_name)) && uses.contains(&"portfire") {
        broken.push("depends on `portfire`; backends and the dashboard depend on the core only".to_owned());
    }
    broken
}

/// The names under `[dependencies]`.
fn dependencies(text: &str) -> impl Iterator<Item = &str> {
    let section = text.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    section
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::file;

    #[test]
    fn a_file_without_a_header_is_refused() {
        assert!(file("crates/a/src/b.rs", "fn main() {}\n")[0].contains("header"));
        assert!(file("crates/a/sql/b.sql", "SELECT 1\n")[0].contains("header"));
        assert!(file("crates/a/src/b.rs", "//! B.\n").is_empty());
    }

    #[test]
    fn a_long_function_is_refused() {
        let body = "    work();\n".repeat(70);
        let text = format!("//! B.\npub(crate) async fn long() {{\n{body}}}\n");
        assert!(file("crates/a/src/b.rs", &text)[0].contains("72 lines"));
    }

    #[test]
    fn unfinished_work_and_empty_names_are_refused() {
        assert!(file("demo/src/b.rs", "//! B.\nfn a() { todo!() }\n")[0].contains("todo!("));
        assert!(file("demo/src/utils.rs", "//! B.\n")[0].contains("says nothing"));
    }

    #[test]
    fn dependencies_flow_one_way() {
        let lints = "\n[lints]\nworkspace = true\n";
        let core = format!("[package]\n\n[dependencies]\ntokio.workspace = true\n{lints}");
        assert!(file("crates/portfire-core/Cargo.toml", &core)[0].contains("`tokio`"));
        let backend = format!("[package]\n\n[dependencies]\nportfire.workspace = true\n{lints}");
        assert!(file("crates/portfire-sqlite/Cargo.toml", &backend)[0].contains("depends on `portfire`"));
        assert!(file("demo/Cargo.toml", "[package]\n")[0].contains("lints"));
    }
}
