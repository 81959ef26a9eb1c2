//! The line of a queue: who waits, who comes next, who gives way when it is full. Pure.
//!
//! Invariants: at most `capacity` wait, besides those that come back after a failed attempt: they were accepted
//! before, are not turned away, and take nobody's place; order of arrival; once closed nothing enters but what
//! comes back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::TaskId;
use crate::hosting::plan::Moment;

/// What happens to a task that is pushed into a full queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The push waits for a place, in the order of arrival. The default: whoever makes work is slowed down.
    #[default]
    Wait,
    /// The push is refused, with an error that may be tried again later.
    Reject,
    /// The task that has waited longest gives way.
    DropOldest,
    /// The task that was pushed last gives way.
    DropNewest,
}

/// What became of an offer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer<T> {
    Taken,
    /// It was taken, and this one had to give way.
    Displaced(TaskId, T),
    /// There is no place; whoever offered has it back.
    Full(T),
    Closed(T),
}

#[derive(Debug)]
pub(super) struct Line<T> {
    capacity: usize,
    when_full: WhenFull,
    waiting: VecDeque<(TaskId, T)>,
    /// Those that may not run before a moment.
    later: BTreeMap<(Moment, TaskId), T>,
    /// Those of them that came back.
    returned: BTreeSet<TaskId>,
    /// When what is still to come is no longer waited for; `None` while the line is open.
    closed_until: Option<Moment>,
}

impl<T> Line<T> {
    pub(super) const fn new(capacity: usize, when_full: WhenFull) -> Self {
        Self {
            capacity,
            when_full,
            waiting: VecDeque::new(),
            later: BTreeMap::new(),
            returned: BTreeSet::new(),
            closed_until: None,
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len() + self.later.len()
    }

    pub(super) fn offer(&mut self, id: TaskId, task: T) -> Offer<T> {
        if self.closed_until.is_some() {
            return Offer::Closed(task);
        }
        if self.waiting() - self.returned.len() < self.capacity {
            self.waiting.push_back((id, task));
            return Offer::Taken;
        }
        match self.displace() {
            Some((gone, was)) => {
                self.waiting.push_back((id, task));
                Offer::Displaced(gone, was)
            }
            None => Offer::Full(task),
        }
    }

    /// Takes out the one that gives way to another, if one does.
    fn displace(&mut self) -> Option<(TaskId, T)> {
        let later = self.later.keys().map(|(_, id)| *id).filter(|id| !self.returned.contains(id));
        let ids = self.waiting.iter().map(|(id, _)| *id).chain(later);
        let gone = match self.when_full {
            WhenFull::Wait | WhenFull::Reject => None,
            WhenFull::DropOldest => ids.min(),
            WhenFull::DropNewest => ids.max(),
        }?;
        self.remove(gone).map(|task| (gone, task))
    }

    /// Moves a task that was just taken in to those that wait for their time.
    pub(super) fn postpone(&mut self, id: TaskId, until: Moment) {
        if let Some(index) = self.waiting.iter().position(|(waiting, _)| *waiting == id)
            && let Some((id, task)) = self.waiting.remove(index)
        {
            self.later.insert((until, id), task);
        }
    }

    /// A task that was accepted before comes back for its next attempt.
    pub(super) fn come_back(&mut self, id: TaskId, task: T, at: Moment) {
        self.later.insert((at, id), task);
        self.returned.insert(id);
    }

    /// The next task to run.
    pub(super) fn take(&mut self, now: Moment) -> Option<(TaskId, T)> {
        if self.later.first_key_value().is_some_and(|((due, _), _)| *due <= now) {
            let ((_, id), task) = self.later.pop_first()?;
            self.returned.remove(&id);
            return Some((id, task));
        }
        self.waiting.pop_front()
    }

    /// When to look again, if nothing arrives.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.later.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes a task out before its turn.
    pub(super) fn remove(&mut self, id: TaskId) -> Option<T> {
        if let Some(index) = self.waiting.iter().position(|(waiting, _)| *waiting == id) {
            return self.waiting.remove(index).map(|(_, task)| task);
        }
        let key = *self.later.keys().find(|(_, later)| *later == id)?;
        self.returned.remove(&id);
        self.later.remove(&key)
    }

    /// Takes in nothing more, and waits for nothing that is due after `until`.
    pub(super) fn close(&mut self, until: Moment) {
        self.closed_until = Some(until);
    }

    /// Whether everything that is waited for has been taken.
    pub(super) fn is_drained(&self) -> bool {
        let Some(until) = self.closed_until else { return false };
        self.waiting.is_empty() && self.next_due().is_none_or(|due| due > until)
    }

    /// Takes everything out, in the order in which it would have run.
    pub(super) fn clear(&mut self) -> Vec<(TaskId, T)> {
        self.returned.clear();
        let later = std::mem::take(&mut self.later).into_iter().map(|((_, id), task)| (id, task));
        self.waiting.drain(..).chain(later).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Moment = Duration::ZERO;

    fn full(when_full: WhenFull) -> Line<char> {
        let mut line = Line::new(2, when_full);
        assert_eq!(line.offer(TaskId(1), 'a'), Offer::Taken);
        assert_eq!(line.offer(TaskId(2), 'b'), Offer::Taken);
        line
    }

    fn order(mut line: Line<char>) -> String {
        std::iter::from_fn(|| line.take(Duration::MAX)).map(|(_, task)| task).collect()
    }

    #[test]
    fn a_full_line_does_what_it_was_told() {
        let mut line = full(WhenFull::Wait);
        assert_eq!(line.offer(TaskId(3), 'c'), Offer::Full('c'));
        let mut line = full(WhenFull::Reject);
        assert_eq!(line.offer(TaskId(3), 'c'), Offer::Full('c'));
        let mut line = full(WhenFull::DropOldest);
        assert_eq!(line.offer(TaskId(3), 'c'), Offer::Displaced(TaskId(1), 'a'));
        assert_eq!(order(line), "bc");
        let mut line = full(WhenFull::DropNewest);
        assert_eq!(line.offer(TaskId(3), 'c'), Offer::Displaced(TaskId(2), 'b'));
        assert_eq!(order(line), "ac");
    }

    #[test]
    fn those_that_come_back_take_nobodys_place() {
        for when_full in [WhenFull::Wait, WhenFull::Reject, WhenFull::DropOldest, WhenFull::DropNewest] {
            let mut line = Line::new(1, when_full);
            line.come_back(TaskId(1), 'a', NOW);
            assert_eq!((line.offer(TaskId(2), 'b'), line.waiting()), (Offer::Taken, 2), "{when_full:?}");
            assert!(!matches!(line.offer(TaskId(3), 'c'), Offer::Taken | Offer::Displaced(TaskId(1), _)));
            assert_eq!(line.remove(TaskId(1)), Some('a'));
            assert_ne!(line.offer(TaskId(4), 'd'), Offer::Taken, "{when_full:?}");
        }
    }

    #[test]
    fn one_that_waits_for_its_time_gives_way_too() {
        for (when_full, gone) in [(WhenFull::DropOldest, TaskId(1)), (WhenFull::DropNewest, TaskId(2))] {
            let mut line = full(when_full);
            line.postpone(TaskId(1), Duration::from_secs(1));
            line.postpone(TaskId(2), Duration::from_secs(9));
            assert!(matches!(line.offer(TaskId(3), 'c'), Offer::Displaced(id, _) if id == gone));
            assert_eq!(line.waiting(), 2);
        }
    }

    #[test]
    fn a_closed_line_takes_in_only_what_comes_back() {
        let mut line = full(WhenFull::Wait);
        line.close(NOW);
        assert_eq!(line.offer(TaskId(3), 'c'), Offer::Closed('c'));
        line.come_back(TaskId(4), 'd', NOW);
        assert!(!line.is_drained());
        assert_eq!(order(line), "dab");
    }

    #[test]
    fn nobody_waits_for_what_comes_too_late() {
        let second = Duration::from_secs(1);
        let mut line = Line::new(2, WhenFull::Wait);
        line.offer(TaskId(1), 'a');
        line.postpone(TaskId(1), second * 5);
        assert_eq!((line.take(second), line.next_due(), line.waiting()), (None, Some(second * 5), 1));
        line.close(second * 4);
        assert!(line.is_drained());
        assert_eq!(line.clear(), [(TaskId(1), 'a')]);
    }

    #[test]
    fn a_task_can_be_taken_out() {
        let mut line = full(WhenFull::Wait);
        line.postpone(TaskId(2), Duration::from_secs(9));
        assert_eq!(
            (line.remove(TaskId(1)), line.remove(TaskId(2)), line.remove(TaskId(3))),
            (Some('a'), Some('b'), None)
        );
        assert_eq!(line.waiting(), 0);
    }
}
