//! Dependencies flow one way, and every crate shares the lint table.

use super::Tree;

/// What `portfire-core` may depend on: nothing that does I/O.
const CORE_MAY_USE: [&str; 5] = ["jiff", "serde", "serde_json", "thiserror", "uuid"];
/// Rooms that know the core, and not the crate that users add.
const BELOW: [&str; 4] = ["portfire-sqlite/", "portfire-postgres/", "portfire-mysql/", "portfire-dashboard/"];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    // The root manifest has the table itself.
    tree.each("/Cargo.toml", manifest)
}

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
    if BELOW.iter().any(|room| name.contains(room)) && uses.contains(&"portfire") {
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
    use super::{Tree, check};

    #[test]
    fn dependencies_flow_one_way() {
        let lints = "\n[lints]\nworkspace = true\n";
        let core = format!("[package]\n\n[dependencies]\ntokio.workspace = true\n{lints}");
        assert!(check(&Tree::of([("crates/portfire-core/Cargo.toml", &core)]))[0].contains("`tokio`"));
        let backend = format!("[package]\n\n[dependencies]\nportfire.workspace = true\n{lints}");
        let found = check(&Tree::of([("crates/portfire-sqlite/Cargo.toml", &backend)]));
        assert!(found[0].contains("depends on `portfire`"));
        assert!(check(&Tree::of([("demo/Cargo.toml", &backend)])).is_empty());
        assert!(check(&Tree::of([("demo/Cargo.toml", "[package]\n")]))[0].contains("lints"));
    }
}
