//! A link in a Markdown file leads to something in this repository, or out of it.

use super::Tree;

/// How a page that is also read elsewhere (on crates.io, in rustdoc) names a file of this repository.
const REPOSITORY: &str = "https://github.com/portfire-rs/portfire/blob/main/";

pub(super) fn check(tree: &Tree) -> Vec<String> {
    tree.each(".md", |name, text| {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let dead = targets(text)
            .into_iter()
            .filter(|target| place(folder, target).is_some_and(|place| !exists(tree, &place)));
        dead.map(|target| format!("links to `{target}`, which is not there")).collect()
    })
}

/// What the page links to, outside its code blocks.
fn targets(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    let links = prose.flat_map(|prose| prose.split("](").skip(1));
    links.filter_map(|link| link.split([')', ' ']).next()).collect()
}

/// The file that a link names, from the root; `None` for one that leads out of the repository.
fn place(folder: &str, target: &str) -> Option<String> {
    let target = target.split('#').next().unwrap_or_default();
    if let Some(from_root) = target.strip_prefix(REPOSITORY) {
        return Some(from_root.to_owned());
    }
    if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn exists(tree: &Tree, place: &str) -> bool {
    let within = format!("{place}/");
    tree.0.contains_key(place) || tree.0.keys().any(|name| name.starts_with(&within))
}

#[cfg(test)]
mod tests {
    use super::{REPOSITORY, Tree, check};

    fn dead(page: &str, text: &str) -> usize {
        check(&Tree::of([("README.md", ""), ("demo/src/lib.rs", ""), (page, text)])).len()
    }

    #[test]
    fn a_link_to_a_file_that_is_not_there_is_refused() {
        assert_eq!(dead("A.md", "[a](B.md) [b](demo/src/main.rs#x)"), 2);
        assert_eq!(dead("demo/A.md", "[a](README.md)"), 1);
        assert_eq!(dead("A.md", &format!("[a]({REPOSITORY}B.md)")), 1);
    }

    #[test]
    fn a_link_that_leads_somewhere_is_fine() {
        assert_eq!(dead("A.md", "[a](README.md) [b](demo) [c](#here) [d](https://example.com/x)"), 0);
        assert_eq!(dead("demo/A.md", "[a](../README.md) [b](./src/lib.rs \"title\")"), 0);
        assert_eq!(dead("A.md", &format!("[a]({REPOSITORY}README.md)")), 0);
        assert_eq!(dead("A.md", "```rust\nlet [a](B) = c;\n```\n"), 0);
    }
}
