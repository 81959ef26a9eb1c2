//! The rules of this code base that no other tool knows, as a check that can fail.
//!
//! Each rule is a file of its own: a pure function from the tree to what is wrong in it, whose tests show what
//! it refuses. This file reads the tree, once.

mod edges;
mod functions;
mod furniture;
mod headers;
mod links;
mod manifests;
mod readmes;
mod statements;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every rule.
const RULES: [fn(&Tree) -> Vec<String>; 9] = [
    edges::check,
    functions::check,
    furniture::check,
    headers::check,
    links::check,
    manifests::check,
    readmes::check,
    statements::check,
    words::check,
];
/// What is not the code base: built, or belonging to other tools.
const NOT_OURS: [&str; 3] = ["target", ".git", "demo-data"];

/// What is wrong in the tree.
pub(crate) fn check(root: &Path) -> Vec<String> {
    let tree = Tree::read(root);
    RULES.iter().flat_map(|rule| rule(&tree)).collect()
}

/// All files, by their path from the root with `/`; those that are not text are there without their bytes.
struct Tree(BTreeMap<String, String>);

impl Tree {
    fn read(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        visit(root, root, &mut files);
        Self(files)
    }

    /// The files whose names end so.
    fn ending<'t>(&'t self, end: &'t str) -> impl Iterator<Item = (&'t str, &'t str)> {
        let all = self.0.iter().map(|(name, text)| (&**name, &**text));
        all.filter(move |(name, _)| name.ends_with(end))
    }

    /// What is wrong with each file whose name ends so.
    fn each(&self, end: &str, rule: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
        let broken = self
            .ending(end)
            .flat_map(|(name, text)| rule(name, text).into_iter().map(move |what| format!("{name}: {what}")));
        broken.collect()
    }

    #[cfg(test)]
    fn of<const N: usize>(files: [(&str, &str); N]) -> Self {
        Self(files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect())
    }
}

fn visit(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            if !NOT_OURS.iter().any(|name| path.ends_with(name)) {
                visit(root, &path, files);
            }
        } else {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.insert(name, fs::read_to_string(&path).unwrap_or_default());
        }
    }
}
