//! The README says the same in both languages: section by section, as many tables, points and programs.

use super::Tree;

const PAIR: [&str; 2] = ["README.md", "README.zh-TW.md"];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let [english, chinese] = PAIR.map(|name| tree.0.get(name).map(|text| sections(text)));
    let (Some(english), Some(chinese)) = (english, chinese) else {
        return vec![format!("{} and {}: both must be there", PAIR[0], PAIR[1])];
    };
    let count = english.len().max(chinese.len());
    let differ = (0..count).filter(|index| english.get(*index) != chinese.get(*index));
    let what = |index: usize| {
        format!(
            "{}: section {index} has {:?}, while in English it has {:?}",
            PAIR[1],
            chinese.get(index),
            english.get(index)
        )
    };
    differ.map(what).collect()
}

/// What a section consists of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Section {
    table_rows: usize,
    points: usize,
    programs: usize,
}

/// The sections in order; the first is what stands before any heading.
fn sections(text: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut in_program = false;
    for line in text.lines() {
        let section = sections.last_mut().expect("there is always a first section");
        if line.starts_with("```") {
            in_program = !in_program;
            section.programs += usize::from(in_program);
        } else if !in_program && line.starts_with("## ") {
            sections.push(Section::default());
        } else if !in_program {
            section.table_rows += usize::from(line.starts_with('|'));
            let is_point = line.starts_with("- ") || line.split_once(". ").is_some_and(|(n, _)| is_number(n));
            section.points += usize::from(is_point);
        }
    }
    sections
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{PAIR, Tree, check};

    fn differences(chinese: &str) -> usize {
        let english = "# P\n```rust\n## no heading\n```\n## Use\n- a\n1. b\n|x|\n## More\nText.\n";
        check(&Tree::of([(PAIR[0], english), (PAIR[1], chinese)])).len()
    }

    #[test]
    fn a_section_that_is_missing_or_shorter_is_refused() {
        assert_eq!(differences("# P\n```\n```\n## 用\n- 一\n2. 二\n|表|\n## 更多\n文字。\n"), 0);
        assert_eq!(differences("# P\n```\n```\n## 用\n- 一\n2. 二\n|表|\n"), 1);
        assert_eq!(differences("# P\n```\n```\n## 用\n- 一\n|表|\n## 更多\n"), 1);
        assert_eq!(differences("# P\n## 用\n- 一\n2. 二\n|表|\n## 更多\n"), 1);
        assert_eq!(check(&Tree::of([(PAIR[0], "")])).len(), 1);
    }
}
