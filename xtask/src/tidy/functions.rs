//! A function fits a screen.

use super::Tree;

/// Longest function, in lines.
const LINES_MAX: usize = 70;

pub(super) fn check(tree: &Tree) -> Vec<String> {
    tree.each(".rs", |_, text| long_functions(text))
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
        if length > LINES_MAX {
            broken
                .push(format!("line {}: a function of {length} lines; {LINES_MAX} are the limit", start + 1));
        }
    }
    broken
}

fn is_qualifier(before: &str) -> bool {
    before
        .split_whitespace()
        .all(|word| ["pub", "async", "const"].contains(&word) || word.starts_with("pub("))
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    fn of_lines(count: usize) -> Vec<String> {
        let body = "    work();\n".repeat(count - 2);
        let text = format!("//! B.\npub(crate) async fn long() {{\n{body}}}\n");
        check(&Tree::of([("crates/a/src/b.rs", &text)]))
    }

    #[test]
    fn a_long_function_is_refused() {
        assert!(of_lines(70).is_empty());
        assert!(of_lines(71)[0].contains("line 2: a function of 71 lines"));
    }
}
