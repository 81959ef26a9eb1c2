//! Where the marks of queues were, so that a claim need not walk past all that was claimed before it: such rows stay in
//! the index for as long as an old transaction may see them.
//!
//! 1. A claim that was filled remembers the [`Place`] of its last job: nothing ready was seen before it.
//! 2. The next one begins behind it, and remembers its own. After [`TRUST`], by the database's clock, one looks from the
//!    head again, and so does every claim that comes back short.
//! 3. Whatever this storage itself may have made ready before a place makes it forget the place. It forgets all of them
//!    when a claim has failed, because others may have passed by what that held.
//! 4. A look from the head that took [`LONG`] is not made again before [`SHARE`] times as long, whatever else is said
//!    here: beside a backup of an hour it takes a second. Meanwhile claims that come back short leave it at that. So
//!    that nothing waits for the next look that need not, a place is kept for each priority, [`SLACK`] behind the
//!    present, where transactions that are under way may still put jobs: only what comes to stand before the place of
//!    its own priority waits, as a job does that was moved.
//!
//! A hint, nothing more: what others made ready before a place waits for a second at most, and only while there is work
//! behind it; and where looks are long, for the next one. Places are kept apart for each set of kinds, because jobs of
//! others were not looked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portfire_core::JobId;

/// For how long places are believed in, in microseconds: what was put before one is hardly late in a second, and walking
/// past a million dead rows, which takes some 200 ms, is then a fifth of the work.
const TRUST: i64 = 1_000_000;
/// From how many microseconds on a look from the head is long. The claim of some hundred jobs takes 1 to 3 ms, the walk
/// past 100,000 that are gone 16 on MariaDB and 60 on MySQL.
const LONG: i64 = 10_000;
/// Long looks take one part in so many of the time.
const SHARE: i64 = 20;
/// How far places stay behind the present where looks are long, in microseconds: most transactions end in less than this.
const SLACK: i64 = 200_000;
/// How many jobs a storage has taken before it believes that a look is long for what they left: it may as well be that
/// the machine had something else to do.
const MANY: usize = 1_000;

/// For how many priorities places are kept; of more, for the most urgent.
const PRIORITIES_MAX: usize = 8;

/// Before and behind all priorities.
const FIRST: i64 = i16::MIN as i64 - 1;
const END: i64 = i16::MAX as i64 + 1;

/// A place in the order of claims: priority, time and id.
pub(crate) type Place = (i64, i64, JobId);

/// A part of a queue, in the order of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) behind: Place,
    /// The priority that it does not reach.
    pub(crate) until: i64,
}

/// What is known of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// When it was looked through from its head.
    look: Look,
    /// The places, by priority; one, where looks are not long. There is no mark without a place.
    places: BTreeMap<i64, (i64, JobId)>,
}

impl Mark {
    /// What to look through for the next jobs, in this order.
    pub(crate) fn stretches(&self) -> Vec<Stretch> {
        // Where looks are not long, what is more urgent is found by the next one.
        let first = self.look.is_long().then_some((FIRST, 0, NO_JOB));
        let places = self.places.iter().map(|(priority, (run_at, id))| (*priority, *run_at, *id));
        let places: Vec<Place> = first.into_iter().chain(places).collect();
        let ends = places.iter().skip(1).map(|(priority, ..)| *priority).chain([END]);
        places.iter().zip(ends).map(|(behind, until)| Stretch { behind: *behind, until }).collect()
    }

    /// Nothing ready was seen before this place. In the present moment jobs may still come, of any id.
    fn reaches(&mut self, (priority, run_at, id): Place, now: i64) {
        let place = (run_at, id).min((self.latest(now), NO_JOB));
        let known = self.places.entry(priority).or_insert(place);
        *known = place.max(*known);
    }

    /// No place may be later than this.
    const fn latest(&self, now: i64) -> i64 {
        now.saturating_sub(if self.look.is_long() { SLACK } else { 0 })
    }

    fn last_priority(&self) -> Option<i64> {
        self.places.keys().next_back().copied()
    }
}

/// Before all jobs of the same moment.
const NO_JOB: JobId = JobId::from_bytes([0; 16]);

/// A look from the head of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    at: i64,
    /// How long it took, in microseconds; 0 where that was not measured.
    took: i64,
}

impl Look {
    const fn is_long(self) -> bool {
        self.took >= LONG
    }

    /// Until when nobody looks from the head, though a claim came back short.
    const fn rests_until(self) -> i64 {
        if self.is_long() { self.at.saturating_add(self.took.saturating_mul(SHARE)) } else { self.at }
    }

    /// Until when nobody does while claims are filled.
    fn holds_until(self) -> i64 {
        self.rests_until().max(self.at.saturating_add(TRUST))
    }
}

/// A queue, and the kinds that are looked for.
type Line = (Box<str>, Arc<[Box<str>]>);

/// What is remembered of all queues.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    of: HashMap<Line, Mark>,
    /// How often something was forgotten: what a claim saw before is not remembered after.
    forgotten: u64,
    /// The last priority, in the order of claims, of which there was a place. Before it a job may come too late to be
    /// seen by a claim that is under way.
    last: Option<i64>,
    /// How many jobs were taken.
    taken: usize,
}

/// A claim that is under way.
#[derive(Debug)]
pub(crate) struct Sight<'m> {
    marks: &'m Marks,
    forgotten: u64,
    now: i64,
    taken: usize,
    seen: Vec<(Line, Option<Mark>)>,
}

/// What was found in a queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Where the jobs stand, in order.
    pub(crate) jobs: Vec<Place>,
    /// Whether these are as many as were looked for.
    pub(crate) is_filled: bool,
    /// How long it took, in microseconds, if it was measured.
    pub(crate) took: Option<i64>,
}

impl Marks {
    /// Begins a claim, at this instant.
    pub(crate) fn look(&self, now: i64) -> Sight<'_> {
        let places = self.places();
        Sight { marks: self, forgotten: places.forgotten, now, taken: places.taken, seen: Vec::new() }
    }

    /// A job of this priority was made ready, not before it was due.
    pub(crate) fn made_ready(&self, priority: i64) {
        let mut places = self.places();
        if places.last.is_some_and(|last| priority < last) {
            places.forgotten += 1;
            places.of.retain(|_, mark| mark.look.is_long() || mark.last_priority() <= Some(priority));
        }
    }

    /// Jobs may be ready anywhere.
    pub(crate) fn forget(&self) {
        let mut places = self.places();
        places.forgotten += 1;
        places.of.retain(|_, mark| mark.look.is_long());
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sight<'_> {
    /// Whether looks from the head are to be measured.
    pub(crate) const fn measures(&self) -> bool {
        self.taken >= MANY
    }

    /// Behind which mark to look, if there is one that is still believed in.
    pub(crate) fn behind(&self, queue: &str, kinds: &Arc<[Box<str>]>) -> Option<Mark> {
        let mark = self.known(&(queue.into(), Arc::clone(kinds)));
        mark.filter(|mark| (mark.look.at..mark.look.holds_until()).contains(&self.now))
    }

    /// Whether to look from the head, too, where a claim from behind this mark came back short.
    pub(crate) const fn looks_before(&self, mark: &Mark) -> bool {
        self.now >= mark.look.rests_until()
    }

    /// What was looked through, from the head or from behind a mark: up to the last job, or to the end.
    pub(crate) fn saw(&mut self, queue: &str, kinds: &Arc<[Box<str>]>, behind: Option<Mark>, found: &Found) {
        let line = (queue.into(), Arc::clone(kinds));
        let look = Look { at: self.now, took: found.took.unwrap_or(0) };
        let mark = behind.unwrap_or_else(|| self.looked(look, &line));
        self.taken += found.jobs.len();
        self.seen.push((line, self.moved(mark, found)));
    }

    /// The mark of a queue that was looked at from its head. If that took long the places of before are kept.
    fn looked(&self, look: Look, line: &Line) -> Mark {
        let known = self.known(line).filter(|_| look.is_long());
        let mut mark = Mark { look, places: BTreeMap::new() };
        for (priority, (run_at, id)) in known.into_iter().flat_map(|known| known.places) {
            mark.reaches((priority, run_at, id), self.now);
        }
        mark
    }

    /// The mark once these jobs were found.
    fn moved(&self, mut mark: Mark, found: &Found) -> Option<Mark> {
        if mark.look.is_long() {
            found.jobs.iter().for_each(|place| mark.reaches(*place, self.now));
        } else {
            mark.places.clear();
            if let Some(last) = found.jobs.last().filter(|_| found.is_filled) {
                mark.reaches(*last, self.now);
            }
        }
        while mark.places.len() > PRIORITIES_MAX {
            mark.places.pop_last();
        }
        (!mark.places.is_empty()).then_some(mark)
    }

    fn known(&self, line: &Line) -> Option<Mark> {
        self.marks.places().of.get(line).cloned()
    }

    /// The claim is committed: the next one may begin where this one has ended.
    pub(crate) fn remember(self) {
        let mut places = self.marks.places();
        places.taken = places.taken.max(self.taken);
        if places.forgotten != self.forgotten {
            return;
        }
        for (line, mark) in self.seen {
            let Some(mark) = mark else {
                places.of.remove(&line);
                continue;
            };
            places.last = places.last.max(mark.last_priority());
            places.of.insert(line, mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Arc, END, FIRST, Found, JobId, LONG, MANY, Mark, Marks, Place, SHARE, SLACK, Stretch, TRUST,
    };

    const NOW: i64 = 5_000_000;

    fn kinds(kind: &str) -> Arc<[Box<str>]> {
        [kind.into()].into()
    }

    fn id(number: u8) -> JobId {
        JobId::from_bytes([number; 16])
    }

    fn nothing() -> Found {
        Found::default()
    }

    fn full(last: Place) -> Found {
        Found { jobs: vec![last], is_filled: true, took: None }
    }

    /// A claim, from behind a place or from the head.
    fn claim(marks: &Marks, now: i64, behind: Option<&Mark>, found: &Found) {
        let mut sight = marks.look(now);
        sight.saw("mail", &kinds("work"), behind.cloned(), found);
        sight.remember();
    }

    /// A claim from the head that was filled.
    fn filled(marks: &Marks, now: i64, last: Place) {
        claim(marks, now, None, &full(last));
    }

    fn mark(marks: &Marks, now: i64) -> Option<Mark> {
        marks.look(now).behind("mail", &kinds("work"))
    }

    /// The places from which the next claim looks on.
    fn behind(marks: &Marks, now: i64) -> Vec<Place> {
        mark(marks, now).map_or(Vec::new(), |mark| mark.stretches().iter().map(|part| part.behind).collect())
    }

    #[test]
    fn a_place_is_believed_in_for_a_second_however_often_it_moves() {
        let marks = Marks::default();
        assert_eq!(behind(&marks, NOW), []);
        filled(&marks, NOW, (0, 7, id(1)));
        let first = mark(&marks, NOW + 1).unwrap();
        assert_eq!(first.stretches(), [Stretch { behind: (0, 7, id(1)), until: END }]);
        claim(&marks, NOW + 900_000, Some(&first), &full((0, 8, id(2))));
        assert_eq!(behind(&marks, NOW + TRUST - 1), [(0, 8, id(2))]);
        assert_eq!(behind(&marks, NOW + TRUST), []);
        assert_eq!(behind(&marks, NOW - 1), [], "the clock was set back");
        let other = marks.look(NOW + 1);
        assert!(
            other.behind("mail", &kinds("other")).is_none() && other.behind("slow", &kinds("work")).is_none()
        );
    }

    #[test]
    fn a_claim_that_comes_back_short_looks_from_the_head_and_leaves_no_place() {
        let marks = Marks::default();
        filled(&marks, NOW, (0, 7, id(1)));
        assert!(marks.look(NOW).looks_before(&mark(&marks, NOW).unwrap()));
        claim(&marks, NOW, None, &Found { is_filled: false, ..full((0, 8, id(2))) });
        assert_eq!(behind(&marks, NOW), []);
    }

    #[test]
    fn in_the_present_moment_jobs_of_any_id_may_come() {
        let marks = Marks::default();
        filled(&marks, NOW, (0, NOW, id(1)));
        assert_eq!(behind(&marks, NOW), [(0, NOW, id(0))]);
    }

    #[test]
    fn what_is_made_ready_before_a_place_is_looked_for() {
        let marks = Marks::default();
        filled(&marks, NOW, (3, 7, id(1)));
        marks.made_ready(4);
        marks.made_ready(3);
        assert_eq!(behind(&marks, NOW).len(), 1, "behind it, where it comes next");
        let mut under_way = marks.look(NOW);
        under_way.saw("mail", &kinds("work"), None, &full((3, 8, id(2))));
        marks.made_ready(2);
        assert_eq!(behind(&marks, NOW), []);
        under_way.remember();
        assert_eq!(behind(&marks, NOW), [], "the claim may not have seen it");
        filled(&marks, NOW, (3, 7, id(1)));
        marks.forget();
        assert_eq!(behind(&marks, NOW), []);
    }

    /// 200 ms, as past a million jobs that are gone on MariaDB.
    const LASTS: i64 = 20 * LONG;

    fn long(last: Place) -> Found {
        Found { took: Some(LASTS), ..full(last) }
    }

    #[test]
    fn a_long_look_is_not_made_again_before_twenty_times_as_long() {
        let (marks, due) = (Marks::default(), NOW + SHARE * LASTS);
        claim(&marks, NOW, None, &long((0, 7, id(1))));
        let seen = mark(&marks, due - 1).unwrap();
        assert!(!marks.look(due - 1).looks_before(&seen) && marks.look(due).looks_before(&seen));
        assert_eq!(mark(&marks, due), None);
        claim(&marks, due - 9, Some(&seen), &nothing());
        assert_eq!(mark(&marks, due - 1), Some(seen.clone()), "what comes back short leaves it where it is");
        claim(&marks, due - 9, Some(&seen), &Found { is_filled: false, ..full((0, 8, id(2))) });
        assert_eq!(behind(&marks, due - 1)[1..], [(0, 8, id(2))]);
        assert_eq!(mark(&marks, due), None, "however often it moves");
        claim(&marks, due, None, &Found { took: Some(LASTS), ..nothing() });
        assert_eq!(
            behind(&marks, due + SHARE * LASTS - 1)[1..],
            [(0, 8, id(2))],
            "before it there was nothing"
        );
        claim(&marks, due, None, &Found { took: Some(LONG - 1), ..nothing() });
        assert_eq!(behind(&marks, due), [], "the old transaction has ended");
    }

    /// Else all that is more urgent than the last job would wait for the next look.
    #[test]
    fn where_looks_are_long_each_priority_has_a_place() {
        let marks = Marks::default();
        claim(&marks, NOW, None, &long((0, 7, id(1))));
        let first = mark(&marks, NOW).unwrap();
        claim(&marks, NOW, Some(&first), &Found { jobs: vec![(0, 9, id(3)), (5, 2, id(2))], ..nothing() });
        let stretch = |behind, until| Stretch { behind, until };
        let all = [stretch((FIRST, 0, id(0)), 0), stretch((0, 9, id(3)), 5), stretch((5, 2, id(2)), END)];
        assert_eq!(mark(&marks, NOW).unwrap().stretches(), all);

        let many = (0..20).map(|priority| (priority, 2, id(2))).collect();
        claim(&marks, NOW, Some(&first), &Found { jobs: many, ..nothing() });
        assert_eq!(behind(&marks, NOW).len(), 9, "the most urgent eight, and what is before them");
    }

    #[test]
    fn where_looks_are_long_nothing_is_forgotten_and_places_stay_behind_the_present() {
        let marks = Marks::default();
        filled(&marks, NOW, (3, NOW, id(1)));
        for priority in [2, 3] {
            claim(&marks, NOW, None, &long((priority, NOW, id(1))));
        }
        marks.made_ready(2);
        marks.forget();
        assert_eq!(behind(&marks, NOW)[1..], [(2, NOW - SLACK, id(0)), (3, NOW - SLACK, id(0))]);
    }

    #[test]
    fn looks_are_measured_once_many_jobs_were_taken() {
        let marks = Marks::default();
        claim(&marks, NOW, None, &Found { jobs: vec![(0, 7, id(1)); MANY - 1], ..nothing() });
        assert!(!marks.look(NOW).measures());
        filled(&marks, NOW, (0, 7, id(1)));
        assert!(marks.look(NOW).measures());
    }
}
