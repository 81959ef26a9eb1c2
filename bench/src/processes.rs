//! The CPU time of a server: of a process and its children, those that have ended included. On Linux.

use std::fs;

use crate::meter::MICROS;

/// CPU microseconds of the process that has this id and one of these names, and of its children; `None` if there is
/// no such process here.
pub(crate) fn family_cpu(parent: u32, names: &[&str]) -> Option<u64> {
    let head = Stat::read(parent).filter(|stat| names.contains(&&*stat.name))?;
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let children = ids.filter_map(Stat::read).filter(|stat| stat.parent == parent);
    let ticks = head.own + head.ended_children + children.map(|child| child.own).sum::<u64>();
    Some(ticks * MICROS / rustix::param::clock_ticks_per_second())
}

/// What a process says of itself (proc_pid_stat(5)). Times are in ticks.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: u32,
    own: u64,
    ended_children: u64,
}

impl Stat {
    fn read(id: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    /// The name is in parentheses and may contain some; the fields behind it are counted from the third.
    fn parse(line: &str) -> Option<Self> {
        let (head, tail) = line.rsplit_once(')')?;
        let fields: Vec<_> = tail.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            name: head.split_once('(')?.1.to_owned(),
            parent: u32::try_from(number(4)?).ok()?,
            own: number(14)? + number(15)?,
            ended_children: number(16)? + number(17)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn times_are_found_behind_a_name_with_parentheses() {
        let line = "42 (a (b) c) S 7 42 42 0 -1 4194560 900 0 3 0 11 22 33 44 20 0 1 0 100";
        let stat = Stat { name: "a (b) c".into(), parent: 7, own: 33, ended_children: 77 };
        assert_eq!(Stat::parse(line), Some(stat));
    }
}
