//! Where claims begin to read: past the jobs that are gone.
//!
//! What a claim takes leaves a dead entry in the index of `ready` until a vacuum, and as long as an old transaction may
//! see it. A claim from the head walks over all of them: with a backlog of four hundred thousand that was two thirds of
//! its cost, and beside a transaction that is open for ten minutes amid work there are millions.
//!
//! 1. A claim that reads a queue from its head marks the last job that it took there, but no later than [`SLACK`] ago:
//!    what is made ready now may still come to stand before others.
//! 2. The next claims begin at the mark, and move it on.
//! 3. While that is cheap, a claim also looks at what is before the mark: at once if the priority is higher, and else
//!    once nothing is left behind it. And the mark is let go when the last such look is [`RECHECK`] old by the database's
//!    clock, or when this storage itself makes something ready anew: the next claim reads from the head.
//! 4. Once such a look has walked far, only polls make it, beside the claims, and seldom: [`SHARE`] times as long as it
//!    took after the last one, and after claims began to be filled. The mark is let go if something is found.
//!
//! A mark is only a hint, of order and of when, never of whether. A job that came to stand before the mark, as one does
//! that was moved, is taken a second later at most while others are there to be taken, and at once otherwise; later than
//! that only where looking for it takes long.
//! All servers of a storage that know the same kinds share a mark, and a look; what one does not know stays behind
//! its mark.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portfire_core::JobId;

use crate::rows::micros;

/// How long a queue is not read from its head while claims are filled: a walk over the dead entries of a million jobs
/// takes a tenth of it.
const RECHECK: Duration = Duration::from_secs(1);
/// How long it takes to walk over an entry, in nanoseconds: 100 to 160 were measured, over one to twenty million.
const ENTRY_NANOS: i64 = 150;
/// A look that walks over so few entries, in 1.5 ms, is made by each claim.
const CHEAP: i64 = 10_000;
/// Looks that walk farther take one part in so many of the time.
const SHARE: i64 = 20;
/// A poll that is earlier than another look by more than it can take was made after the clock was set back.
const POLL_LONGEST: Duration = Duration::from_secs(60);
/// How far a mark stays behind the present: promotions come within 50 ms of their time, and most transactions end in
/// less than this. At 40,000 jobs a second 8,000 entries are walked over again.
const SLACK: Duration = Duration::from_millis(200);

/// A job's place in its queue: the order of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) priority: i64,
    pub(crate) run_at: i64,
    pub(crate) id: JobId,
}

impl Place {
    /// Before every job.
    pub(crate) const HEAD: Self =
        Self { priority: i64::MIN, run_at: i64::MIN, id: JobId::from_bytes([0; 16]) };
}

/// How a claim reads a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) place: Place,
    /// Whether it looks at jobs of a higher priority, and at the others before that place.
    pub(crate) looks_above: bool,
    pub(crate) looks_before: bool,
}

impl Start {
    const HEAD: Self = Self { place: Place::HEAD, looks_above: true, looks_before: true };
}

/// What a claim came to in a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// The last of the jobs that it took there, if any.
    pub(crate) last: Option<Place>,
    /// Whether it stopped because it had enough.
    pub(crate) is_filled: bool,
    /// When that was, by the database.
    pub(crate) instant: i64,
    /// How many entries it read, of jobs and of what they left.
    pub(crate) walked: i64,
}

/// A mark as a poll takes it along; a queue that has none is read from its head.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) queue: Arc<str>,
    kinds: Option<Kinds>,
    pub(crate) place: Place,
    /// From which instant on to look before that place.
    pub(crate) due_at: i64,
}

/// How far a look before a place walked, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) at: i64,
    /// Over how many entries: those of higher priorities, and all.
    pub(crate) above: i64,
    pub(crate) entries: i64,
}

impl Walk {
    const fn is_cheap(self) -> bool {
        self.entries < CHEAP
    }

    /// When there may be the next, if the rest began then.
    fn again_at(self, since: i64) -> i64 {
        if self.is_cheap() {
            return i64::MIN;
        }
        since.saturating_add(self.entries.saturating_mul(ENTRY_NANOS * SHARE) / 1_000)
    }
}

/// The kinds that are looked for.
type Kinds = Arc<[Box<str>]>;

/// The marks of the queues of one storage.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<HashMap<Arc<str>, HashMap<Kinds, Mark>>>);

#[derive(Clone, Copy, Debug)]
struct Mark {
    place: Place,
    /// The last look at what is before it.
    walk: Walk,
    /// Since when claims have been filled, if the last one was.
    filled_since: Option<i64>,
}

impl Mark {
    /// Where a look walks far it takes its part of the time in which claims are filled, not of that before.
    fn looks_again_at(&self) -> i64 {
        self.walk.again_at(self.filled_since.map_or(self.walk.at, |since| since.max(self.walk.at)))
    }

    const fn start(&self) -> Start {
        Start { place: self.place, looks_above: self.walk.above < CHEAP, looks_before: self.walk.is_cheap() }
    }

    /// The mark once a claim began there; none if the next one is to read from the head.
    fn after(self, start: Start, seen: Seen) -> Option<Self> {
        let place = seen.last.map_or(self.place, |last| self.place.max(last));
        if seen.instant < self.walk.at {
            return None; // The clock was set back.
        }
        let filled_since =
            seen.is_filled.then(|| self.filled_since.map_or(seen.instant, |since| since.min(seen.instant)));
        if !seen.is_filled && start.looks_before {
            let walk = Walk { at: seen.instant, entries: seen.walked, ..self.walk };
            return Some(Self { place, walk, filled_since });
        }
        let is_old = seen.instant >= self.walk.at.saturating_add(micros(RECHECK));
        (!seen.is_filled || !self.walk.is_cheap() || !is_old).then_some(Self { place, filled_since, ..self })
    }
}

impl Marks {
    /// Where the next claim of these kinds begins in this queue.
    pub(crate) fn of(&self, queue: &str, kinds: &Kinds) -> Start {
        self.all().get(queue).and_then(|marks| marks.get(kinds)).map_or(Start::HEAD, Mark::start)
    }

    /// What a claim came to that began where [`of`](Self::of) said.
    pub(crate) fn claimed(&self, queue: &Arc<str>, kinds: &Kinds, start: Start, mut seen: Seen) {
        let mut all = self.all();
        let marks = all.entry(Arc::clone(queue)).or_default();
        let latest = seen.instant.saturating_sub(micros(SLACK));
        seen.last = seen.last.map(|last| {
            last.min(Place { run_at: latest, ..Place { priority: last.priority, ..Place::HEAD } })
        });
        let mark = match marks.remove(kinds) {
            Some(mark) => mark.after(start, seen),
            // Another claim has let the mark go meanwhile.
            None if start != Start::HEAD => None,
            None => seen.last.map(|place| Mark {
                place,
                walk: Walk { at: seen.instant, above: 0, entries: seen.walked },
                filled_since: seen.is_filled.then_some(seen.instant),
            }),
        };
        if let Some(mark) = mark {
            marks.insert(Arc::clone(kinds), mark);
        }
    }

    /// What a poll of these queues has to look at.
    pub(crate) fn looks(&self, queues: &[Arc<str>]) -> Vec<Look> {
        let all = self.all();
        let mut looks = Vec::with_capacity(queues.len());
        for queue in queues {
            let marks = all.get(queue).filter(|marks| !marks.is_empty());
            let Some(marks) = marks else {
                let (place, queue) = (Place::HEAD, Arc::clone(queue));
                looks.push(Look { queue, kinds: None, place, due_at: i64::MAX });
                continue;
            };
            looks.extend(marks.iter().map(|(kinds, mark)| Look {
                queue: Arc::clone(queue),
                kinds: Some(Arc::clone(kinds)),
                place: mark.place,
                due_at: mark.looks_again_at(),
            }));
        }
        looks
    }

    /// What such a look came to, if it was made.
    pub(crate) fn looked(&self, look: &Look, has_found: bool, walk: Walk) {
        let mut all = self.all();
        let (Some(marks), Some(kinds)) = (all.get_mut(&look.queue), &look.kinds) else { return };
        let Some(mark) = marks.get_mut(kinds) else { return };
        let was_set_back = walk.at.saturating_add(micros(POLL_LONGEST)) < mark.walk.at;
        if has_found || was_set_back {
            marks.remove(kinds);
        } else if look.due_at <= walk.at && mark.place >= look.place {
            mark.walk = walk;
        }
    }

    /// Jobs may have come to stand before marks: where it is cheap, the next claim reads from the head.
    pub(crate) fn doubt(&self) {
        for marks in self.all().values_mut() {
            marks.retain(|_, mark| !mark.walk.is_cheap());
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, HashMap<Kinds, Mark>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use portfire_core::JobId;

    use super::{Arc, CHEAP, Kinds, Marks, Place, Seen, Start, Walk};

    const SECOND: i64 = 1_000_000;
    /// Long after all jobs of these tests were due.
    const NOW: i64 = 100 * SECOND;

    fn place(run_at: i64) -> Place {
        Place { priority: 0, run_at, id: JobId::from_bytes([7; 16]) }
    }

    fn kinds(kind: &str) -> Kinds {
        Arc::new([kind.into()])
    }

    fn start(marks: &Marks) -> Start {
        marks.of("mail", &kinds("work"))
    }

    /// A claim that began where it should.
    fn claims(marks: &Marks, seen: Seen) {
        marks.claimed(&"mail".into(), &kinds("work"), start(marks), seen);
    }

    fn filled(last: i64, instant: i64) -> Seen {
        Seen { last: Some(place(last)), is_filled: true, instant, walked: CHEAP - 1 }
    }

    fn in_vain(instant: i64, walked: i64) -> Seen {
        Seen { last: None, is_filled: false, instant, walked }
    }

    /// When a poll would look before the mark of the queue.
    fn due_at(marks: &Marks) -> i64 {
        marks.looks(&["mail".into()])[0].due_at
    }

    #[test]
    fn a_mark_moves_on_and_is_let_go_after_a_second() {
        let marks = Marks::default();
        assert_eq!(start(&marks), Start::HEAD);
        claims(&marks, filled(5, NOW));
        assert_eq!(start(&marks).place, place(5));
        claims(&marks, filled(9, NOW + SECOND / 2));
        claims(&marks, filled(3, NOW + SECOND - 1));
        assert_eq!(start(&marks).place, place(9), "what was found before it does not move it back");
        claims(&marks, filled(11, NOW + SECOND));
        assert_eq!(start(&marks), Start::HEAD, "a second after the look at the head");
        claims(&marks, filled(4, NOW + SECOND));
        assert_eq!(start(&marks).place, place(4), "from the head, it goes back");
    }

    #[test]
    fn a_mark_stays_when_nothing_is_left_and_what_is_before_it_is_looked_at_each_time() {
        let marks = Marks::default();
        claims(&marks, filled(5, NOW));
        for instant in [NOW + 1, NOW + 9 * SECOND] {
            claims(&marks, in_vain(instant, CHEAP - 1));
            assert_eq!(start(&marks), Start { place: place(5), ..Start::HEAD });
        }
    }

    #[test]
    fn a_mark_stays_behind_the_present() {
        let marks = Marks::default();
        claims(&marks, filled(NOW, NOW));
        assert_eq!(start(&marks).place, Place { priority: 0, run_at: NOW - SECOND / 5, ..Place::HEAD });
    }

    /// A million entries take 0.15 s, and the next look is due 3 s after the last.
    #[test]
    fn a_look_that_walks_far_is_left_to_polls_that_come_seldom() {
        let marks = Marks::default();
        claims(&marks, Seen { walked: SECOND, ..filled(5, NOW) });
        assert!(!start(&marks).looks_before && start(&marks).looks_above);
        assert_eq!(due_at(&marks), NOW + 3 * SECOND);
        claims(&marks, filled(6, NOW + 9 * SECOND));
        claims(&marks, in_vain(NOW + 9 * SECOND, 0));
        assert_eq!((start(&marks).place, due_at(&marks)), (place(6), NOW + 3 * SECOND), "claims go on");

        let looks = marks.looks(&["mail".into(), "bulk".into()]);
        let walk = |at| Walk { at, above: CHEAP, entries: SECOND };
        marks.looked(&looks[0], false, walk(NOW + 3 * SECOND - 1));
        assert_eq!(due_at(&marks), NOW + 3 * SECOND, "it was not due");
        marks.looked(&looks[0], false, walk(NOW + 4 * SECOND));
        assert_eq!(due_at(&marks), NOW + 7 * SECOND);
        assert!(!start(&marks).looks_above, "that walks far, too");
        marks.looked(&looks[1], true, walk(NOW));
        marks.looked(&looks[0], true, walk(NOW + 7 * SECOND));
        assert_eq!(start(&marks), Start::HEAD, "something is there");
    }

    #[test]
    fn a_look_that_walks_far_waits_when_work_begins() {
        let marks = Marks::default();
        claims(&marks, Seen { walked: SECOND, ..filled(5, NOW) });
        claims(&marks, in_vain(NOW + SECOND, 0));
        assert_eq!(due_at(&marks), NOW + 3 * SECOND, "nothing is to be done");
        for instant in [NOW + 9 * SECOND, NOW + 10 * SECOND] {
            claims(&marks, filled(6, instant));
            assert_eq!(due_at(&marks), NOW + 12 * SECOND);
        }
        claims(&marks, filled(6, NOW + 2 * SECOND));
        assert_eq!(due_at(&marks), NOW + 5 * SECOND, "the clock was set back");
    }

    #[test]
    fn once_a_look_walks_little_claims_make_it_again() {
        let marks = Marks::default();
        claims(&marks, Seen { walked: SECOND, ..filled(5, NOW) });
        let look = marks.looks(&["mail".into()]).remove(0);
        marks.looked(&look, false, Walk { at: NOW + 9 * SECOND, above: 0, entries: 1 });
        assert_eq!(start(&marks), Start { place: place(5), ..Start::HEAD });
    }

    #[test]
    fn a_mark_that_is_in_doubt_is_let_go_if_looks_are_cheap() {
        for (walked, place) in [(CHEAP - 1, Place::HEAD), (CHEAP, place(5))] {
            let marks = Marks::default();
            claims(&marks, Seen { walked, ..filled(5, NOW) });
            marks.doubt();
            assert_eq!(start(&marks).place, place);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_waiting() {
        let marks = Marks::default();
        claims(&marks, Seen { walked: SECOND, ..filled(5, NOW) });
        claims(&marks, in_vain(0, 0));
        assert_eq!(start(&marks), Start::HEAD);
        claims(&marks, Seen { walked: SECOND, ..filled(5, NOW) });
        let look = marks.looks(&["mail".into()]).remove(0);
        marks.looked(&look, false, Walk { at: NOW - 60 * SECOND, ..Walk::default() });
        assert_eq!(start(&marks).place, place(5), "a poll that took long");
        marks.looked(&look, false, Walk { at: NOW - 60 * SECOND - 1, ..Walk::default() });
        assert_eq!(start(&marks), Start::HEAD);
    }

    #[test]
    fn a_claim_that_was_under_way_makes_no_mark_where_nobody_looked() {
        let marks = Marks::default();
        claims(&marks, filled(5, NOW));
        let begun = start(&marks);
        claims(&marks, filled(6, NOW + SECOND));
        marks.claimed(&"mail".into(), &kinds("work"), begun, filled(7, NOW + SECOND));
        assert_eq!(start(&marks), Start::HEAD);
    }

    #[test]
    fn a_mark_is_of_one_queue_and_of_those_who_know_the_same_and_a_poll_looks_before_each() {
        let marks = Marks::default();
        claims(&marks, filled(5, NOW));
        assert_eq!(marks.of("bulk", &kinds("work")), Start::HEAD);
        assert_eq!(marks.of("mail", &kinds("other")), Start::HEAD);
        marks.claimed(&"mail".into(), &kinds("other"), Start::HEAD, filled(4, NOW));
        let looks = marks.looks(&["mail".into(), "bulk".into()]);
        let mut places: Vec<_> = looks.iter().map(|look| (&*look.queue, look.place)).collect();
        places.sort();
        assert_eq!(places, [("bulk", Place::HEAD), ("mail", place(4)), ("mail", place(5))]);
    }
}
