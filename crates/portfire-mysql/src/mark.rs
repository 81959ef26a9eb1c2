//! Where the marks of queues were, so that a claim need not walk past all that was claimed before it: such rows stay in
//! the index for as long as an old transaction may see them.
//!
//! 1. A claim that was filled remembers the [`Place`] of its last job: nothing ready was seen before it.
//! 2. The next one begins behind it, and remembers its own. After [`TRUST`], by the database's clock, one looks from the
//!    head again, and so does every claim that comes back short.
//! 3. Whatever this storage itself may have made ready before a place makes it forget the place. It forgets all of them
//!    when a claim has failed, because others may have passed by what that held.
//!
//! A hint, nothing more: what others made ready before a place waits for a second at most, and only while there is work
//! behind it. A place is kept apart for each set of kinds, because jobs of others were not looked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portfire_core::JobId;

/// For how long places are believed in, in microseconds: what was put before one is hardly late in a second, and walking
/// past a million dead rows, which takes some 200 ms, is then a fifth of the work.
const TRUST: i64 = 1_000_000;

/// A place in the order of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) priority: i64,
    pub(crate) run_at: i64,
    pub(crate) id: JobId,
    /// When the queue was looked through from its head to here.
    looked_at: i64,
}

/// A queue, and the kinds that are looked for.
type Line = (Box<str>, Arc<[Box<str>]>);

/// What is remembered of all queues.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    of: HashMap<Line, Place>,
    /// How often something was forgotten: what a claim saw before is not remembered after.
    forgotten: u64,
    /// The last priority, in the order of claims, of which there was a place. Before it a job may come too late to be
    /// seen by a claim that is under way.
    last: Option<i64>,
}

/// A claim that is under way.
#[derive(Debug)]
pub(crate) struct Sight<'m> {
    marks: &'m Marks,
    forgotten: u64,
    now: i64,
    seen: Vec<(Line, Option<Place>)>,
}

impl Marks {
    /// Begins a claim, at this instant.
    pub(crate) fn look(&self, now: i64) -> Sight<'_> {
        Sight { marks: self, forgotten: self.places().forgotten, now, seen: Vec::new() }
    }

    /// A job of this priority was made ready, not before it was due.
    pub(crate) fn made_ready(&self, priority: i64) {
        let mut places = self.places();
        if places.last.is_some_and(|last| priority < last) {
            places.forgotten += 1;
            places.of.retain(|_, place| place.priority <= priority);
        }
    }

    /// Jobs may be ready anywhere.
    pub(crate) fn forget(&self) {
        let mut places = self.places();
        places.forgotten += 1;
        places.of.clear();
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sight<'_> {
    /// Behind which place to look, if there is one that is still believed in.
    pub(crate) fn behind(&self, queue: &str, kinds: &Arc<[Box<str>]>) -> Option<Place> {
        let line = (queue.into(), Arc::clone(kinds));
        let place = self.marks.places().of.get(&line).copied();
        place.filter(|place| (place.looked_at..place.looked_at + TRUST).contains(&self.now))
    }

    /// What was looked through, from the head or from behind a place: up to this job, or to the end.
    pub(crate) fn saw(
        &mut self,
        queue: &str,
        kinds: &Arc<[Box<str>]>,
        behind: Option<Place>,
        last: Option<(i64, i64, JobId)>,
    ) {
        let looked_at = behind.map_or(self.now, |place| place.looked_at);
        let place = last.map(|(priority, run_at, id)| {
            // In the present moment jobs may still come, of any id.
            let id = if run_at < self.now { id } else { JobId::from_bytes([0; 16]) };
            Place { priority, run_at, id, looked_at }
        });
        self.seen.push(((queue.into(), Arc::clone(kinds)), place));
    }

    /// The claim is committed: the next one may begin where this one has ended.
    pub(crate) fn remember(self) {
        let mut places = self.marks.places();
        if places.forgotten != self.forgotten {
            return;
        }
        for (line, place) in self.seen {
            let Some(place) = place else {
                places.of.remove(&line);
                continue;
            };
            places.last = places.last.max(Some(place.priority));
            places.of.insert(line, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, JobId, Marks, Place, TRUST};

    const NOW: i64 = 5_000_000;

    fn kinds(kind: &str) -> Arc<[Box<str>]> {
        [kind.into()].into()
    }

    fn id(number: u8) -> JobId {
        JobId::from_bytes([number; 16])
    }

    /// A claim from the head that was filled.
    fn filled(marks: &Marks, now: i64, last: (i64, i64, JobId)) {
        let mut sight = marks.look(now);
        sight.saw("mail", &kinds("work"), None, Some(last));
        sight.remember();
    }

    fn behind(marks: &Marks, now: i64) -> Option<Place> {
        marks.look(now).behind("mail", &kinds("work"))
    }

    #[test]
    fn a_place_is_believed_in_for_a_second_however_often_it_moves() {
        let marks = Marks::default();
        assert_eq!(behind(&marks, NOW), None);
        filled(&marks, NOW, (0, 7, id(1)));
        let place = behind(&marks, NOW + 1).unwrap();
        assert_eq!((place.priority, place.run_at, place.id), (0, 7, id(1)));
        let mut sight = marks.look(NOW + 900_000);
        sight.saw("mail", &kinds("work"), Some(place), Some((0, 8, id(2))));
        sight.remember();
        assert_eq!(behind(&marks, NOW + TRUST - 1).unwrap().run_at, 8);
        assert_eq!(behind(&marks, NOW + TRUST), None);
        assert_eq!(behind(&marks, NOW - 1), None, "the clock was set back");
        let other = marks.look(NOW + 1);
        assert!(
            other.behind("mail", &kinds("other")).is_none() && other.behind("slow", &kinds("work")).is_none()
        );
    }

    #[test]
    fn a_claim_that_comes_back_short_leaves_no_place() {
        let marks = Marks::default();
        filled(&marks, NOW, (0, 7, id(1)));
        let mut sight = marks.look(NOW);
        sight.saw("mail", &kinds("work"), None, None);
        sight.remember();
        assert_eq!(behind(&marks, NOW), None);
    }

    #[test]
    fn in_the_present_moment_jobs_of_any_id_may_come() {
        let marks = Marks::default();
        filled(&marks, NOW, (0, NOW, id(1)));
        assert_eq!(behind(&marks, NOW).unwrap().id, id(0));
    }

    #[test]
    fn what_is_made_ready_before_a_place_is_looked_for() {
        let marks = Marks::default();
        filled(&marks, NOW, (3, 7, id(1)));
        marks.made_ready(4);
        marks.made_ready(3);
        assert!(behind(&marks, NOW).is_some(), "behind it, where it comes next");
        let mut under_way = marks.look(NOW);
        under_way.saw("mail", &kinds("work"), None, Some((3, 8, id(2))));
        marks.made_ready(2);
        assert_eq!(behind(&marks, NOW), None);
        under_way.remember();
        assert_eq!(behind(&marks, NOW), None, "the claim may not have seen it");
        filled(&marks, NOW, (3, 7, id(1)));
        marks.forget();
        assert_eq!(behind(&marks, NOW), None);
    }
}
