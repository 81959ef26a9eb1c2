//! Where claims begin to read: past the jobs that are gone.
//!
//! What a claim takes leaves a dead entry in the index of `ready` until a vacuum, and as long as an old transaction may
//! see it. A claim from the head walks over all of them: with a backlog of four hundred thousand that was two thirds of
//! its cost, and beside a transaction that is open for ten minutes amid work there are millions.
//!
//! 1. A claim that reads a queue from its head marks the last job of each priority that it took there, but no later than
//!    [`SLACK`] ago: what is made ready now may still come to stand before others.
//! 2. The next claims begin at these places, and move them on; of other priorities they take what there is.
//! 3. While that is cheap, a claim also looks at what is before a place, once nothing is left behind it. And the mark is let
//!    go when the last such look is [`RECHECK`] old by the database's clock, or when this storage itself makes something
//!    ready anew: the next claim reads from the head.
//! 4. Once such a look has walked far, only polls make it, beside the claims, and seldom: [`SHARE`] times as long as it
//!    took after the last one, and after claims began to be filled. Where something is found the priority is read from its
//!    head again. A claim that comes back short has looked at all that is behind the places, and moves them on.
//!
//! A mark is only a hint, of order and of when, never of whether. A job that came to stand before the place of its
//! priority, as one does that was moved, is taken a second later at most while others are there to be taken, and at once
//! otherwise; later than that only where looking for it takes long.
//! All servers of a storage that know the same kinds share a mark, and a look; what one does not know stays behind
//! its mark.

use std::collections::{BTreeMap, HashMap};
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
/// The priority of nearly all jobs.
const USUAL: i64 = 0;
/// For how many priorities of a queue places are kept; of more, for the most urgent.
const PRIORITIES_MAX: usize = 8;
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

/// Before all jobs of a moment.
const NO_JOB: JobId = JobId::from_bytes([0; 16]);

impl Place {
    /// Before every job.
    pub(crate) const HEAD: Self = Self::before(i64::MIN);

    /// Before every job of this priority.
    const fn before(priority: i64) -> Self {
        Self { priority, run_at: i64::MIN, id: NO_JOB }
    }
}

/// Behind all priorities.
const END: i64 = i64::MAX;

/// A part of a queue, and how a claim reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: Place,
    /// The priority that it does not reach.
    pub(crate) until: i64,
    /// Whether to look at jobs of the same priority before it, too.
    pub(crate) looks_before: bool,
}

impl Stretch {
    const WHOLE: Self = Self { from: Place::HEAD, until: END, looks_before: false };
}

/// What a claim came to in a queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Where the jobs stood that it took there.
    pub(crate) taken: Vec<Place>,
    /// Whether it stopped because it had enough.
    pub(crate) is_filled: bool,
    /// When that was, by the database.
    pub(crate) instant: i64,
    /// How many entries it read, of jobs and of what they left.
    pub(crate) walked: i64,
}

/// A stretch as a poll takes it along; a queue that has no mark is read from its head.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) queue: Arc<str>,
    kinds: Option<Kinds>,
    pub(crate) from: Place,
    pub(crate) until: i64,
    /// From which instant on to look before that place.
    pub(crate) due_at: i64,
}

/// How far a look before a place walked, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) at: i64,
    /// Over how many entries.
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

#[derive(Clone, Debug)]
struct Mark {
    /// By priority.
    places: BTreeMap<i64, (i64, JobId)>,
    /// The last look at what is before them.
    walk: Walk,
    /// Since when claims have been filled, if the last one was.
    filled_since: Option<i64>,
}

impl Mark {
    /// Of a queue that was read from its head.
    const fn new(seen: &Seen) -> Self {
        let walk = Walk { at: seen.instant, entries: seen.walked };
        Self { places: BTreeMap::new(), walk, filled_since: None }
    }

    /// Where a look walks far it takes its part of the time in which claims are filled, not of that before.
    fn looks_again_at(&self) -> i64 {
        self.walk.again_at(self.filled_since.map_or(self.walk.at, |since| since.max(self.walk.at)))
    }

    /// What is more urgent than all that was seen, and each priority from its place.
    fn stretches(&self) -> Vec<Stretch> {
        let places = self.places.iter().map(|(priority, (run_at, id))| Place {
            priority: *priority,
            run_at: *run_at,
            id: *id,
        });
        let ends = self.places.keys().copied().chain([END]);
        let looks_before = self.walk.is_cheap();
        let stretch = |(from, until)| Stretch { from, until, looks_before };
        [Place::HEAD].into_iter().chain(places).zip(ends).map(stretch).collect()
    }

    /// The mark once a claim began there; none if the next one is to read from the head.
    fn after(mut self, read: &[Stretch], seen: &Seen) -> Option<Self> {
        if seen.instant < self.walk.at {
            return None; // The clock was set back.
        }
        if !seen.is_filled && read.iter().any(|stretch| stretch.looks_before) {
            self.walk = Walk { at: seen.instant, entries: seen.walked };
        } else if seen.is_filled && self.walk.is_cheap() && self.is_old(seen.instant) {
            return None;
        }
        self.moved(read, seen)
    }

    fn is_old(&self, instant: i64) -> bool {
        instant >= self.walk.at.saturating_add(micros(RECHECK))
    }

    /// Moves the places to where the claim came; none if there are none.
    fn moved(mut self, read: &[Stretch], seen: &Seen) -> Option<Self> {
        let latest = (seen.instant.saturating_sub(micros(SLACK)), NO_JOB);
        for taken in &seen.taken {
            let reached = (taken.run_at, taken.id).min(latest);
            let place = self.places.entry(taken.priority).or_insert(reached);
            reach(read, taken.priority, place, reached);
        }
        if !seen.is_filled && !self.walk.is_cheap() {
            // Also where nothing was taken, or each claim of a queue that is empty would walk as far.
            self.places.entry(USUAL).or_insert(latest);
            self.places.iter_mut().for_each(|(priority, place)| reach(read, *priority, place, latest));
        }
        while self.places.len() > PRIORITIES_MAX {
            self.places.pop_last();
        }
        self.filled_since =
            seen.is_filled.then(|| self.filled_since.map_or(seen.instant, |since| since.min(seen.instant)));
        (!self.places.is_empty()).then_some(self)
    }
}

/// Moves the place of a priority on, unless it was put back while the claim was under way: then that began behind it.
fn reach(read: &[Stretch], priority: i64, place: &mut (i64, JobId), reached: (i64, JobId)) {
    let begins_behind =
        |part: &Stretch| part.from.priority == priority && (part.from.run_at, part.from.id) > *place;
    if !read.iter().any(begins_behind) {
        *place = reached.max(*place);
    }
}

impl Marks {
    /// What the next claim of these kinds reads of this queue, in this order.
    pub(crate) fn of(&self, queue: &str, kinds: &Kinds) -> Vec<Stretch> {
        let all = self.all();
        let mark = all.get(queue).and_then(|marks| marks.get(kinds));
        mark.map_or_else(|| vec![Stretch::WHOLE], Mark::stretches)
    }

    /// What a claim came to that read what [`of`](Self::of) said.
    pub(crate) fn claimed(&self, queue: &Arc<str>, kinds: &Kinds, read: &[Stretch], seen: &Seen) {
        let mut all = self.all();
        let marks = all.entry(Arc::clone(queue)).or_default();
        let mark = match marks.remove(kinds) {
            Some(mark) => mark.after(read, seen),
            None if read == [Stretch::WHOLE] => Mark::new(seen).moved(read, seen),
            // Another claim has let the mark go meanwhile.
            None => None,
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
            let look = |kinds: Option<&Kinds>, stretch: Stretch, due_at| {
                let (queue, kinds) = (Arc::clone(queue), kinds.map(Arc::clone));
                Look { queue, kinds, from: stretch.from, until: stretch.until, due_at }
            };
            let marks = all.get(queue).filter(|marks| !marks.is_empty());
            let Some(marks) = marks else {
                looks.push(look(None, Stretch::WHOLE, i64::MAX));
                continue;
            };
            for (kinds, mark) in marks {
                let due_at = mark.looks_again_at();
                looks.extend(mark.stretches().into_iter().map(|stretch| look(Some(kinds), stretch, due_at)));
            }
        }
        looks
    }

    /// What such a look came to, if it was made.
    pub(crate) fn looked(&self, look: &Look, has_found: bool, walk: Walk) {
        let mut all = self.all();
        let (Some(marks), Some(kinds)) = (all.get_mut(&look.queue), &look.kinds) else { return };
        let Some(mark) = marks.get_mut(kinds) else { return };
        if walk.at.saturating_add(micros(POLL_LONGEST)) < mark.walk.at {
            marks.remove(kinds); // The clock was set back.
            return;
        }
        let place = mark.places.get_mut(&look.from.priority);
        if look.due_at <= walk.at
            && place.as_ref().is_none_or(|place| **place >= (look.from.run_at, look.from.id))
        {
            mark.walk = walk;
        }
        if let Some(place) = place.filter(|_| has_found) {
            *place = (i64::MIN, NO_JOB);
        }
    }

    /// Jobs may have come to stand before marks: where it is cheap, the next claim reads from the head. Elsewhere it goes
    /// back to where the first of them became due, if that is told.
    pub(crate) fn doubt(&self, due_since: Option<i64>) {
        for marks in self.all().values_mut() {
            marks.retain(|_, mark| !mark.walk.is_cheap());
            if let Some(since) = due_since {
                let places = marks.values_mut().flat_map(|mark| mark.places.values_mut());
                places.for_each(|place| *place = (*place).min((since, NO_JOB)));
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, HashMap<Kinds, Mark>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, CHEAP, END, Kinds, Look, Marks, NO_JOB, PRIORITIES_MAX, Place, Seen, Stretch, Walk};
    use portfire_core::JobId;

    const SECOND: i64 = 1_000_000;
    /// Long after all jobs of these tests were due.
    const NOW: i64 = 100 * SECOND;

    fn place(run_at: i64) -> Place {
        Place { priority: 0, run_at, id: JobId::from_bytes([7; 16]) }
    }

    fn kinds(kind: &str) -> Kinds {
        Arc::new([kind.into()])
    }

    fn stretches(marks: &Marks) -> Vec<Stretch> {
        marks.of("mail", &kinds("work"))
    }

    /// From where jobs of the ordinary priority are read, if it is not the head of the queue.
    fn from(marks: &Marks) -> Option<Place> {
        stretches(marks).iter().map(|part| part.from).find(|from| from.priority == 0)
    }

    fn looks_before(marks: &Marks) -> bool {
        stretches(marks).iter().all(|part| part.looks_before)
    }

    /// A claim that read what it should.
    fn claims(marks: &Marks, seen: Seen) {
        marks.claimed(&"mail".into(), &kinds("work"), &stretches(marks), &seen);
    }

    fn filled(last: i64, instant: i64) -> Seen {
        Seen { taken: vec![place(last)], is_filled: true, instant, walked: CHEAP - 1 }
    }

    /// One that walked over a million entries, which takes 0.15 s.
    fn far(last: i64) -> Seen {
        Seen { walked: SECOND, ..filled(last, NOW) }
    }

    fn in_vain(instant: i64, walked: i64) -> Seen {
        Seen { taken: Vec::new(), is_filled: false, instant, walked }
    }

    /// The look before the place of the ordinary priority.
    fn look(marks: &Marks) -> Look {
        marks.looks(&["mail".into()]).into_iter().find(|look| look.from.priority == 0).unwrap()
    }

    #[test]
    fn a_mark_moves_on_and_is_let_go_after_a_second() {
        let marks = Marks::default();
        assert_eq!(stretches(&marks), [Stretch::WHOLE]);
        claims(&marks, filled(5, NOW));
        assert_eq!(from(&marks), Some(place(5)));
        claims(&marks, filled(9, NOW + SECOND / 2));
        claims(&marks, filled(3, NOW + SECOND - 1));
        assert_eq!(from(&marks), Some(place(9)), "what was found before it does not move it back");
        claims(&marks, filled(11, NOW + SECOND));
        assert_eq!(stretches(&marks), [Stretch::WHOLE], "a second after the look at the head");
        claims(&marks, filled(4, NOW + SECOND));
        assert_eq!(from(&marks), Some(place(4)), "from the head, it goes back");
    }

    #[test]
    fn a_mark_stays_when_nothing_is_left_and_what_is_before_it_is_looked_at_each_time() {
        let marks = Marks::default();
        claims(&marks, filled(5, NOW));
        for instant in [NOW + 1, NOW + 9 * SECOND] {
            claims(&marks, in_vain(instant, CHEAP - 1));
            let urgent = Stretch { from: Place::HEAD, until: 0, looks_before: true };
            let rest = Stretch { from: place(5), until: END, looks_before: true };
            assert_eq!(stretches(&marks), [urgent, rest]);
        }
    }

    #[test]
    fn a_mark_stays_behind_the_present() {
        let marks = Marks::default();
        claims(&marks, filled(NOW, NOW));
        assert_eq!(from(&marks), Some(Place { priority: 0, run_at: NOW - SECOND / 5, id: NO_JOB }));
    }

    /// Else all that is more urgent than the last job would wait for the next look.
    #[test]
    fn each_priority_has_a_place() {
        let marks = Marks::default();
        let low = Place { priority: 7, ..place(2) };
        claims(&marks, Seen { taken: vec![place(5), low, place(6)], ..filled(5, NOW) });
        let parts: Vec<_> = stretches(&marks).iter().map(|part| (part.from, part.until)).collect();
        assert_eq!(parts, [(Place::HEAD, 0), (place(6), 7), (low, END)]);

        let many = (0..20).map(|priority| Place { priority, ..place(6) }).collect();
        claims(&marks, Seen { taken: many, ..filled(5, NOW) });
        assert_eq!(stretches(&marks).len(), 1 + PRIORITIES_MAX);
    }

    #[test]
    fn what_became_due_before_a_place_that_is_far_puts_it_back() {
        let marks = Marks::default();
        claims(&marks, far(5));
        marks.doubt(Some(9));
        assert_eq!(from(&marks), Some(place(5)), "it is behind the place");
        marks.doubt(Some(3));
        assert_eq!(from(&marks), Some(Place { priority: 0, run_at: 3, id: NO_JOB }));
    }

    #[test]
    fn a_look_that_walked_far_in_vain_leaves_a_place_for_the_usual_priority() {
        let marks = Marks::default();
        claims(&marks, in_vain(NOW, CHEAP - 1));
        assert_eq!(stretches(&marks), [Stretch::WHOLE]);
        claims(&marks, in_vain(NOW, CHEAP));
        assert_eq!(from(&marks), Some(Place { priority: 0, run_at: NOW - SECOND / 5, id: NO_JOB }));
    }

    #[test]
    fn a_look_that_walks_far_is_left_to_polls_that_come_seldom() {
        let marks = Marks::default();
        claims(&marks, far(5));
        assert!(!looks_before(&marks));
        assert_eq!(look(&marks).due_at, NOW + 3 * SECOND);
        claims(&marks, filled(6, NOW + 9 * SECOND));
        claims(&marks, in_vain(NOW + 9 * SECOND, 0));
        let moved = Place { priority: 0, run_at: NOW + 9 * SECOND - SECOND / 5, id: NO_JOB };
        assert_eq!(from(&marks), Some(moved), "nothing was left behind it");
        assert_eq!(look(&marks).due_at, NOW + 3 * SECOND, "claims go on");

        let walk = |at| Walk { at, entries: SECOND };
        marks.looked(&look(&marks), false, walk(NOW + 3 * SECOND - 1));
        assert_eq!(look(&marks).due_at, NOW + 3 * SECOND, "it was not due");
        let early = Look { from: Place { run_at: i64::MAX, ..moved }, ..look(&marks) };
        marks.looked(&early, false, walk(NOW + 4 * SECOND));
        assert_eq!(look(&marks).due_at, NOW + 3 * SECOND, "it was before another place");
        marks.looked(&look(&marks), false, walk(NOW + 4 * SECOND));
        assert_eq!(look(&marks).due_at, NOW + 7 * SECOND);
    }

    #[test]
    fn what_a_look_finds_is_claimed_from_the_head_of_its_priority() {
        let marks = Marks::default();
        let low = Place { priority: 7, ..place(2) };
        claims(&marks, Seen { taken: vec![place(5), low], ..far(5) });
        let begun = stretches(&marks);
        marks.looked(&look(&marks), true, Walk { at: NOW + 3 * SECOND, entries: SECOND });
        let parts = || stretches(&marks).iter().map(|part| part.from).collect::<Vec<_>>();
        assert_eq!(parts(), [Place::HEAD, Place::before(0), low]);
        marks.claimed(&"mail".into(), &kinds("work"), &begun, &filled(6, NOW + 3 * SECOND));
        assert_eq!(parts()[1], Place::before(0), "a claim that was under way has not seen it");
        claims(&marks, filled(4, NOW + 3 * SECOND));
        assert_eq!(parts()[1], place(4));
    }

    #[test]
    fn a_look_that_walks_far_waits_when_work_begins() {
        let marks = Marks::default();
        claims(&marks, far(5));
        claims(&marks, in_vain(NOW + SECOND, 0));
        assert_eq!(look(&marks).due_at, NOW + 3 * SECOND, "nothing is to be done");
        for instant in [NOW + 9 * SECOND, NOW + 10 * SECOND] {
            claims(&marks, filled(6, instant));
            assert_eq!(look(&marks).due_at, NOW + 12 * SECOND);
        }
        claims(&marks, filled(6, NOW + 2 * SECOND));
        assert_eq!(look(&marks).due_at, NOW + 5 * SECOND, "the clock was set back");
    }

    #[test]
    fn once_a_look_walks_little_claims_make_it_again() {
        let marks = Marks::default();
        claims(&marks, far(5));
        marks.looked(&look(&marks), false, Walk { at: NOW + 9 * SECOND, entries: 1 });
        assert_eq!((from(&marks), looks_before(&marks)), (Some(place(5)), true));
    }

    #[test]
    fn a_mark_that_is_in_doubt_is_let_go_if_looks_are_cheap() {
        for (walked, place) in [(CHEAP - 1, None), (CHEAP, Some(place(5)))] {
            let marks = Marks::default();
            claims(&marks, Seen { walked, ..filled(5, NOW) });
            marks.doubt(None);
            assert_eq!(from(&marks), place);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_waiting() {
        let marks = Marks::default();
        claims(&marks, far(5));
        claims(&marks, in_vain(0, 0));
        assert_eq!(stretches(&marks), [Stretch::WHOLE]);
        claims(&marks, far(5));
        marks.looked(&look(&marks), false, Walk { at: NOW - 60 * SECOND, entries: 0 });
        assert_eq!(from(&marks), Some(place(5)), "a poll that took long");
        marks.looked(&look(&marks), false, Walk { at: NOW - 60 * SECOND - 1, entries: 0 });
        assert_eq!(stretches(&marks), [Stretch::WHOLE]);
    }

    #[test]
    fn a_claim_that_was_under_way_makes_no_mark_where_nobody_looked() {
        let marks = Marks::default();
        claims(&marks, filled(5, NOW));
        let begun = stretches(&marks);
        claims(&marks, filled(6, NOW + SECOND));
        marks.claimed(&"mail".into(), &kinds("work"), &begun, &filled(7, NOW + SECOND));
        assert_eq!(stretches(&marks), [Stretch::WHOLE]);
    }

    #[test]
    fn a_mark_is_of_one_queue_and_of_those_who_know_the_same_and_a_poll_looks_before_each() {
        let marks = Marks::default();
        claims(&marks, filled(5, NOW));
        assert_eq!(marks.of("bulk", &kinds("work")), [Stretch::WHOLE]);
        assert_eq!(marks.of("mail", &kinds("other")), [Stretch::WHOLE]);
        marks.claimed(&"mail".into(), &kinds("other"), &[Stretch::WHOLE], &filled(4, NOW));
        let looks = marks.looks(&["mail".into(), "bulk".into()]);
        let mut places: Vec<_> = looks.iter().map(|look| (&*look.queue, look.from)).collect();
        places.sort();
        let head = Place::HEAD;
        let all = [("bulk", head), ("mail", head), ("mail", head), ("mail", place(4)), ("mail", place(5))];
        assert_eq!(places, all);
    }
}
