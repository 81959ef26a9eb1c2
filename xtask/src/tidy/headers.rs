//! A file says at its top what it is.

use super::Tree;

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut broken = tree.each(".rs", |name, text| header(name, text, "//!"));
    broken.extend(tree.each(".sql", |name, text| header(name, text, "--")));
    broken
}

fn header(name: &str, text: &str, mark: &str) -> Vec<String> {
    // Programs that must not compile are compared line by line; the golden schema is written by a test.
    let of_another_kind = name.contains("/tests/ui/") || name.ends_with("schema.sql");
    let starts = text.starts_with(mark) || text.starts_with("#![doc");
    if of_another_kind || starts {
        return Vec::new();
    }
    vec![format!("has no header; begin with `{mark}` and say what the file is")]
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    #[test]
    fn a_file_without_a_header_is_refused() {
        assert!(check(&Tree::of([("crates/a/src/b.rs", "fn main() {}\n")]))[0].contains("header"));
        assert!(check(&Tree::of([("crates/a/sql/b.sql", "SELECT 1\n")]))[0].contains("header"));
        assert!(check(&Tree::of([("crates/a/src/b.rs", "//! B.\n")])).is_empty());
        assert!(check(&Tree::of([("crates/a/tests/ui/fail/b.rs", "fn main() {}\n")])).is_empty());
    }
}
