//! Nothing is unfinished, and no file has a name that says nothing.

use super::Tree;

/// What stands for work that was put off.
const UNFINISHED: [&str; 7] = ["todo!(", "unimplemented!(", "#[ignore", "dbg!(", "for now", "FIXME", "XXX"];
/// Names that say nothing.
const EMPTY_NAMES: [&str; 4] = ["utils.rs", "helpers.rs", "common.rs", "manager.rs"];
/// The file that spells these words out.
const THIS: &str = "xtask/src/tidy/words.rs";

pub(super) fn check(tree: &Tree) -> Vec<String> {
    tree.each(".rs", |name, text| if name == THIS { Vec::new() } else { words(name, text) })
}

fn words(name: &str, text: &str) -> Vec<String> {
    let unfinished = UNFINISHED.iter().filter(|word| text.contains(**word));
    let mut broken: Vec<_> = unfinished.map(|word| format!("has `{word}`")).collect();
    if name.rsplit('/').next().is_some_and(|file| EMPTY_NAMES.contains(&file)) {
        broken.push("has a name that says nothing; name the subject".to_owned());
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    #[test]
    fn unfinished_work_and_empty_names_are_refused() {
        assert!(check(&Tree::of([("demo/src/b.rs", "//! B.\nfn a() { todo!() }\n")]))[0].contains("todo!("));
        assert!(check(&Tree::of([("demo/src/utils.rs", "//! B.\n")]))[0].contains("says nothing"));
        assert!(check(&Tree::of([("demo/src/b.rs", "//! B.\n")])).is_empty());
    }
}
