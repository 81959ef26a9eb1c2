//! The table in `docs/guide/*/from-background-service.md`: each row names a test, and the test exists.

use std::path::Path;

#[test]
fn every_row_of_the_table_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tests = std::fs::read_dir(root.join("crates/portfire/tests/it/hosting")).unwrap();
    let tests: String = tests.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    let mut named = Vec::new();
    for language in ["en", "zh-TW"] {
        let page = root.join(format!("docs/guide/{language}/from-background-service.md"));
        let page = std::fs::read_to_string(page).unwrap();
        let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains("`test: "));
        let names: Vec<_> = rows.map(|row| name_in(row).to_owned()).collect();
        assert!(names.len() >= 25, "{language}: only {} rows", names.len());
        for name in &names {
            assert!(tests.contains(&format!("fn {name}(")), "{language}: there is no test `{name}`");
        }
        named.push(names);
    }
    assert_eq!(named[0], named[1], "both languages have the same rows");
}

fn name_in(row: &str) -> &str {
    row.split("`test: ").nth(1).and_then(|rest| rest.split('`').next()).unwrap()
}
