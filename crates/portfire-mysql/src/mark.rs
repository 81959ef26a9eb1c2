//! Where the marks of queues were, so that a claim need not walk past all that was claimed before it: such rows stay in
//! the index for as long as an old transaction may see them.
//!
//! 1. A claim that was filled remembers the [`Place`] of its last job: nothing ready was seen before it.
//! 2. The next one begins behind it, and remembers its own. After [`TRUST`], by the database's clock, one looks from the
//!    head again, and so does every claim that comes back short.
//! 3. Whatever this storage itself may have made ready before a place makes it forget the place. It forgets all of them
//!    when a claim has failed or was cut off, because others may have passed by what that held.
//! 4. A look from the head that took [`LONG`] is not made again before [`SHARE`] times as long, but for a minute at most,
//!    whatever else is said here: beside a backup of an hour it takes a second. Meanwhile claims that come back short leave
//!    it at that, and move their place on, so that nobody walks past what others claim behind it. Places stay [`SLACK`]
//!    behind the present, where transactions that are under way may still put jobs.
//!    A place stays there whatever is made ready; only jobs of its own priority that this storage itself promotes or moves,
//!    and that were due earlier, put it back.
//! 5. Where such a look found nothing, and there was no place, one is guessed: new jobs mostly have the [`ORDINARY`]
//!    priority. If looking from there takes long, too, the queue is passed by until the look's rest is over, or until this
//!    storage itself stores a job in it.
//! 6. A look that took so long that its claim was [`CUT`] off rests, too. If the place that was known before is no better,
//!    there is only the end of the queue to begin at.
//!
//! A hint, nothing more: what others made ready before a place waits for a second at most, and only while there is work
//! behind it; and where looks are long, for the next one. A place is kept apart for each set of kinds, because jobs of
//! others were not looked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use portfire_core::JobId;

use crate::rows::micros;

/// For how long places are believed in, in microseconds: what was put before one is hardly late in a second, and walking
/// past a million dead rows, which takes some 200 ms, is then a fifth of the work.
const TRUST: i64 = 1_000_000;
/// From how many microseconds on a look from the head is long. The claim of some hundred jobs takes 1 to 3 ms, the walk
/// past 100,000 that are gone 16 on MariaDB and 60 on MySQL.
const LONG: i64 = 10_000;
/// Long looks take one part in so many of the time.
const SHARE: i64 = 20;
/// The longest rest after a look, in microseconds: what was put before a place waits for no more than a minute and a look.
/// Looks of more than three seconds take a greater part of the time; a call has fifteen unless told otherwise.
const REST: i64 = 60_000_000;
/// How long a claim that was cut off must have looked, in microseconds, for the look to be the reason.
const CUT: i64 = 1_000_000;
/// How far places stay behind the present where looks are long, in microseconds: most transactions end in less than this.
const SLACK: i64 = 200_000;
/// How many jobs a storage has taken before it believes that a look is long for what they left: it may as well be that
/// the machine had something else to do.
const MANY: usize = 1_000;
/// The priority of jobs for which none was chosen.
const ORDINARY: i64 = 0;
/// Behind all priorities: nothing is looked through from there.
const NOWHERE: i64 = i64::MAX;
/// Before all jobs of an instant.
const NO_JOB: JobId = JobId::from_bytes([0; 16]);

/// A place in the order of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) priority: i64,
    pub(crate) run_at: i64,
    pub(crate) id: JobId,
    /// Whether no job was ever seen there.
    is_guess: bool,
    /// When the queue was looked through from its head to here.
    look: Look,
}

impl Place {
    fn is_before(&self, other: &Self) -> bool {
        (self.priority, self.run_at, self.id) < (other.priority, other.run_at, other.id)
    }

    /// Begins before this job, if it is of the place's own priority, or nobody knows better: to begin before all of another
    /// priority would be to walk past all that is gone.
    fn put_back(&mut self, job: &Stand) {
        if self.priority == job.priority || (self.is_guess && job.priority < self.priority) {
            self.priority = job.priority;
            if job.run_at <= self.run_at {
                (self.run_at, self.id) = (job.run_at, NO_JOB);
            }
        }
    }

    /// A guess is as good as how long it takes to look from there: this took long.
    const fn missed(self) -> Self {
        if self.is_guess { Self { priority: NOWHERE, ..self } } else { self }
    }
}

/// Where a job stands that was made ready: in which queue, with which priority, since when.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) queue: Box<str>,
    pub(crate) priority: i64,
    pub(crate) run_at: i64,
}

/// A look from the head of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    at: i64,
    /// How long it took, in microseconds; 0 where that was not measured.
    took: i64,
}

impl Look {
    /// A clock that was set while it ran, or a machine that slept, makes it no longer than a rest.
    fn new(at: i64, took: i64) -> Self {
        Self { at, took: took.clamp(0, REST) }
    }

    const fn is_long(self) -> bool {
        self.took >= LONG
    }

    /// Until when nobody looks from the head, though a claim came back short.
    fn rests_until(self) -> i64 {
        let rest = self.took.saturating_mul(SHARE - 1).min(REST);
        if self.is_long() { self.at.saturating_add(self.took + rest) } else { self.at }
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
    of: HashMap<Line, Place>,
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
    /// The queue that is being looked through, and how.
    begun: Option<Begun>,
    walk: Option<Walk>,
    seen: Vec<Seen>,
    /// Whether the claim is committed.
    is_over: bool,
}

/// A look that is under way: from where, and since when.
#[derive(Debug)]
struct Walk {
    behind: Option<Place>,
    since: Instant,
}

/// A queue that a claim looks through.
#[derive(Debug)]
struct Begun {
    line: Line,
    /// The place that was known then.
    known: Option<Place>,
}

/// A queue that a claim has looked through, and where the next one begins.
#[derive(Debug)]
struct Seen {
    begun: Begun,
    place: Option<Place>,
}

/// What was found in a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// The last job, if there was any.
    pub(crate) last: Option<(i64, i64, JobId)>,
    pub(crate) count: usize,
    /// Whether that was as many as were looked for.
    pub(crate) is_filled: bool,
    /// How long it took, in microseconds, if it was measured.
    pub(crate) took: Option<i64>,
}

impl Marks {
    /// Begins a claim, at this instant.
    pub(crate) fn look(&self, now: i64) -> Sight<'_> {
        let places = self.places();
        Sight {
            marks: self,
            forgotten: places.forgotten,
            now,
            taken: places.taken,
            begun: None,
            walk: None,
            seen: Vec::new(),
            is_over: false,
        }
    }

    /// A job of this priority was made ready, not before it was due.
    pub(crate) fn made_ready(&self, priority: i64) {
        let mut places = self.places();
        if places.last.is_some_and(|last| priority < last) {
            places.forgotten += 1;
            places.of.retain(|_, place| place.priority <= priority || place.look.is_long());
        }
    }

    /// Whether there are places that are kept whatever is made ready before them: then where that is should be told.
    pub(crate) fn are_kept(&self) -> bool {
        self.places().of.values().any(|place| place.look.is_long())
    }

    /// This storage itself has made jobs ready: places that are kept are put back before those that were due earlier.
    pub(crate) fn put_back(&self, jobs: impl IntoIterator<Item = Stand>) {
        let mut places = self.places();
        let kept = places.of.iter_mut().filter(|(_, place)| place.look.is_long());
        let mut kept: Vec<_> = kept.map(|(line, place)| (&line.0, place)).collect();
        if kept.is_empty() {
            return; // As nearly always: then no job need be looked at.
        }
        for job in jobs {
            let of_queue = kept.iter_mut().filter(|(queue, _)| **queue == job.queue);
            of_queue.for_each(|(_, place)| place.put_back(&job));
        }
    }

    /// Jobs may be ready anywhere.
    pub(crate) fn forget(&self) {
        let mut places = self.places();
        places.forgotten += 1;
        places.of.retain(|_, place| place.look.is_long());
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sight<'_> {
    /// Begins to look through a queue. Answers behind which place, if there is one that is still believed in.
    pub(crate) fn begin(&mut self, queue: &str, kinds: &Arc<[Box<str>]>) -> Option<Place> {
        let line = (queue.into(), Arc::clone(kinds));
        let known = self.marks.places().of.get(&line).copied();
        self.begun = Some(Begun { line, known });
        known.filter(|place| (place.look.at..place.look.holds_until()).contains(&self.now))
    }

    /// Whether it is to be measured how long it takes to look from there.
    pub(crate) fn measures(&self, behind: Option<Place>) -> bool {
        behind.map_or(self.taken >= MANY, |place| place.is_guess)
    }

    /// Begins to look from there; `since` when, if nothing else is done along with it.
    pub(crate) fn walks(&mut self, behind: Option<Place>, since: Option<Instant>) {
        self.walk = since.map(|since| Walk { behind, since });
    }

    /// Whether to look from the head, too, where a claim from behind this place came back short.
    pub(crate) fn looks_before(&self, place: Place) -> bool {
        self.now >= place.look.rests_until()
    }

    /// What was looked through, from the head or from behind a place: up to the last job, or to the end.
    pub(crate) fn saw(&mut self, behind: Option<Place>, found: Found) {
        let Some(begun) = self.begun.take() else { return };
        self.walk = None;
        let took = Look::new(self.now, found.took.unwrap_or(0));
        let look = behind.map_or(took, |place| place.look);
        let place = if found.is_filled {
            found.last.map(|last| self.place(last, look))
        } else if look.is_long() {
            let old = behind.or(begun.known.filter(|known| !known.is_guess));
            Some(self.end(found.last, old.map(|old| if took.is_long() { old.missed() } else { old }), look))
        } else {
            None
        };
        self.taken += found.count;
        self.seen.push(Seen { begun, place });
    }

    /// In the present moment jobs may still come, of any id.
    fn place(&self, (priority, run_at, id): (i64, i64, JobId), look: Look) -> Place {
        let latest = self.now.saturating_sub(if look.is_long() { SLACK } else { 0 });
        let id = if run_at < latest { id } else { NO_JOB };
        Place { priority, run_at: run_at.min(latest), id, is_guess: false, look }
    }

    /// Where new jobs come once nothing is left: of the priority of the last one, or of those before.
    fn end(&self, last: Option<(i64, i64, JobId)>, old: Option<Place>, look: Look) -> Place {
        let latest = self.now.saturating_sub(SLACK);
        let end = Place { priority: ORDINARY, run_at: latest, id: NO_JOB, is_guess: true, look };
        match (last, old) {
            (Some((priority, ..)), _) => Place { priority, is_guess: false, ..end },
            (None, Some(Place { priority, run_at, is_guess, .. })) => {
                Place { priority, run_at: run_at.max(latest), is_guess, ..end }
            }
            (None, None) => end,
        }
    }

    /// The claim is committed: the next one may begin where this one has ended.
    pub(crate) fn remember(mut self) {
        self.is_over = true;
        let mut places = self.marks.places();
        places.taken = places.taken.max(self.taken);
        let is_forgotten = places.forgotten != self.forgotten;
        for Seen { begun, place } in std::mem::take(&mut self.seen) {
            // Where looks are long nothing is forgotten.
            if is_forgotten && place.is_none_or(|place| !place.look.is_long()) {
                continue;
            }
            places.put(begun, place);
        }
    }

    /// The claim ended amid a look that had taken so long: the next one does not look from there.
    fn cut_off(&mut self, behind: Option<Place>, took: i64) {
        let Some(begun) = self.begun.take().filter(|_| took >= CUT) else { return };
        let look = Look::new(self.now, took);
        let place = match (behind, begun.known.filter(|known| !known.is_guess)) {
            // Jobs may be left behind it.
            (None, Some(known)) => Place { look, ..known },
            (None, None) => self.end(None, None, look),
            (Some(behind), _) if behind.look.took >= CUT => self.end(None, Some(behind.missed()), look),
            // It may not be the look: the one from the head was short.
            (Some(_), _) => return,
        };
        self.marks.places().put(begun, Some(place));
    }
}

impl Drop for Sight<'_> {
    /// A claim that is not committed: it has failed, or nobody waits for it any more.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.marks.forget();
        if let Some(walk) = self.walk.take() {
            self.cut_off(walk.behind, micros(walk.since.elapsed()));
        }
    }
}

impl Places {
    fn put(&mut self, Begun { line, known }: Begun, place: Option<Place>) {
        let Some(place) = place else {
            self.of.remove(&line);
            return;
        };
        if !place.is_guess {
            self.last = self.last.max(Some(place.priority));
        }
        // If it was put back meanwhile the claim has not seen what is there.
        let put_back = self.of.get(&line).copied();
        let put_back = put_back.filter(|back| known.is_some_and(|known| back.is_before(&known)));
        self.of.insert(line, put_back.map_or(place, |back| Place { look: place.look, ..back }));
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Arc, CUT, Found, JobId, LONG, MANY, Marks, NO_JOB, NOWHERE, Place, REST, SHARE, SLACK, Sight, Stand,
        TRUST,
    };

    const NOW: i64 = 5_000_000;

    fn kinds(kind: &str) -> Arc<[Box<str>]> {
        [kind.into()].into()
    }

    fn id(number: u8) -> JobId {
        JobId::from_bytes([number; 16])
    }

    fn stand(queue: &str, priority: i64, run_at: i64) -> Stand {
        Stand { queue: queue.into(), priority, run_at }
    }

    const NOTHING: Found = Found { last: None, count: 0, is_filled: false, took: None };

    fn full(last: (i64, i64, JobId)) -> Found {
        Found { last: Some(last), count: 1, is_filled: true, took: None }
    }

    /// A claim, from behind a place or from the head.
    fn claim(marks: &Marks, now: i64, behind: Option<Place>, found: Found) {
        let mut sight = marks.look(now);
        sight.begin("mail", &kinds("work"));
        sight.saw(behind, found);
        sight.remember();
    }

    /// A claim from the head that was filled.
    fn filled(marks: &Marks, now: i64, last: (i64, i64, JobId)) {
        claim(marks, now, None, full(last));
    }

    /// A claim that only begins; it does not fail.
    fn begun(marks: &Marks, now: i64) -> Sight<'_> {
        let mut sight = marks.look(now);
        sight.is_over = true;
        sight
    }

    fn behind(marks: &Marks, now: i64) -> Option<Place> {
        begun(marks, now).begin("mail", &kinds("work"))
    }

    #[test]
    fn a_place_is_believed_in_for_a_second_however_often_it_moves() {
        let marks = Marks::default();
        assert_eq!(behind(&marks, NOW), None);
        filled(&marks, NOW, (0, 7, id(1)));
        let place = behind(&marks, NOW + 1).unwrap();
        assert_eq!((place.priority, place.run_at, place.id), (0, 7, id(1)));
        claim(&marks, NOW + 900_000, Some(place), full((0, 8, id(2))));
        assert_eq!(behind(&marks, NOW + TRUST - 1).unwrap().run_at, 8);
        assert_eq!(behind(&marks, NOW + TRUST), None);
        assert_eq!(behind(&marks, NOW - 1), None, "the clock was set back");
        let mut other = begun(&marks, NOW + 1);
        assert_eq!(other.begin("mail", &kinds("other")), None);
        assert_eq!(other.begin("slow", &kinds("work")), None);
    }

    #[test]
    fn a_claim_that_comes_back_short_leaves_no_place() {
        let marks = Marks::default();
        filled(&marks, NOW, (0, 7, id(1)));
        claim(&marks, NOW, None, NOTHING);
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
        under_way.begin("mail", &kinds("work"));
        under_way.saw(None, full((3, 8, id(2))));
        marks.made_ready(2);
        assert_eq!(behind(&marks, NOW), None);
        under_way.remember();
        assert_eq!(behind(&marks, NOW), None, "the claim may not have seen it");
        filled(&marks, NOW, (3, 7, id(1)));
        marks.forget();
        assert_eq!(behind(&marks, NOW), None);
    }

    /// 200 ms, as past a million jobs that are gone on MariaDB.
    const LASTS: i64 = 20 * LONG;

    fn long(last: (i64, i64, JobId)) -> Found {
        Found { took: Some(LASTS), ..full(last) }
    }

    /// A long look that finds nothing.
    const IN_VAIN: Found = Found { took: Some(LASTS), ..NOTHING };

    #[test]
    fn a_long_look_is_not_made_again_before_twenty_times_as_long() {
        let (marks, due) = (Marks::default(), NOW + SHARE * LASTS);
        claim(&marks, NOW, None, long((0, 7, id(1))));
        let place = behind(&marks, due - 1).unwrap();
        assert!(!begun(&marks, due - 1).looks_before(place) && begun(&marks, due).looks_before(place));
        assert_eq!(behind(&marks, due), None);
        // What comes back short takes no part in the rest.
        claim(&marks, due - 9, Some(place), NOTHING);
        let place = behind(&marks, due - 1).unwrap();
        claim(&marks, due - 8, Some(place), Found { is_filled: false, ..full((0, 8, id(2))) });
        assert_eq!(behind(&marks, due), None);
        claim(&marks, due, None, IN_VAIN);
        assert!(behind(&marks, due + SHARE * LASTS - 1).is_some());
        claim(&marks, due, None, Found { took: Some(LONG - 1), ..NOTHING });
        assert_eq!(behind(&marks, due), None, "the old transaction has ended");
    }

    /// The clock was set on by an hour while it ran, or back.
    #[test]
    fn no_rest_is_longer_than_a_minute_and_a_look() {
        let of = |took| Found { took: Some(took), ..full((0, 7, id(1))) };
        for (took, rests_for) in [(3_600_000_000, 2 * REST), (5 * LASTS * SHARE, 5 * LASTS * SHARE + REST)] {
            let marks = Marks::default();
            claim(&marks, NOW, None, of(took));
            assert!(behind(&marks, NOW + rests_for - 1).is_some(), "{took}");
            assert_eq!(behind(&marks, NOW + rests_for), None, "{took}");
        }
        let marks = Marks::default();
        claim(&marks, NOW, None, of(-3_600_000_000));
        assert_eq!(behind(&marks, NOW + TRUST), None);
    }

    /// A claim whose deadline came while it looked.
    fn cut(marks: &Marks, now: i64, took: i64) {
        let mut sight = marks.look(now);
        let behind = sight.begin("mail", &kinds("work"));
        sight.cut_off(behind, took);
    }

    #[test]
    fn a_look_that_was_cut_off_rests_too() {
        let marks = Marks::default();
        cut(&marks, NOW, CUT - 1);
        assert_eq!(behind(&marks, NOW), None, "something else was in its way");
        cut(&marks, NOW, CUT);
        let place = behind(&marks, NOW + SHARE * CUT - 1).unwrap();
        assert_eq!((place.priority, place.run_at, place.id), (0, NOW - SLACK, NO_JOB));
        cut(&marks, NOW + 1, CUT);
        assert_eq!(behind(&marks, NOW + 2).unwrap().priority, NOWHERE, "from there it took long, too");
    }

    #[test]
    fn a_look_that_was_cut_off_leaves_the_place_that_was_known_unless_that_is_no_better() {
        let marks = Marks::default();
        filled(&marks, NOW, (3, 7, id(1)));
        cut(&marks, NOW + 1, CUT);
        assert_eq!(behind(&marks, NOW + 2), None, "a claim has failed");
        filled(&marks, NOW, (3, 7, id(1)));
        cut(&marks, NOW + TRUST, CUT);
        let place = behind(&marks, NOW + TRUST).unwrap();
        assert_eq!((place.priority, place.run_at, place.id), (3, 7, id(1)), "jobs may be left behind it");
        cut(&marks, NOW + TRUST + 1, CUT);
        let place = behind(&marks, NOW + TRUST + 1).unwrap();
        assert_eq!((place.priority, place.run_at, place.id), (3, NOW + TRUST + 1 - SLACK, NO_JOB));
    }

    #[test]
    fn a_claim_that_is_dropped_has_failed() {
        let marks = Marks::default();
        filled(&marks, NOW, (3, 7, id(1)));
        drop(marks.look(NOW));
        assert_eq!(behind(&marks, NOW), None);
    }

    /// Else every claim would walk past what others have claimed behind it.
    #[test]
    fn where_looks_are_long_a_claim_that_comes_back_short_moves_its_place_on() {
        let marks = Marks::default();
        claim(&marks, NOW, None, long((3, 7, id(1))));
        let end = |now: i64, priority| {
            let place = behind(&marks, now).unwrap();
            assert_eq!((place.priority, place.run_at, place.id), (priority, now - SLACK, NO_JOB));
            place
        };
        let place = behind(&marks, NOW).unwrap();
        claim(&marks, NOW + 10, Some(place), NOTHING);
        let place = end(NOW + 10, 3);
        claim(&marks, NOW + 20, Some(place), Found { is_filled: false, ..full((5, 8, id(2))) });
        let place = end(NOW + 20, 5);
        claim(&marks, NOW + 10, Some(place), NOTHING);
        assert_eq!(behind(&marks, NOW + 20).unwrap().run_at, NOW + 20 - SLACK, "it does not go back");
    }

    #[test]
    fn a_long_look_that_finds_nothing_rests_though_there_was_no_place() {
        let (marks, due) = (Marks::default(), NOW + SHARE * LASTS);
        claim(&marks, NOW, None, IN_VAIN);
        let place = behind(&marks, due - 1).unwrap();
        assert_eq!((place.priority, place.run_at, place.id), (0, NOW - SLACK, NO_JOB), "where new jobs come");
        assert!(begun(&marks, NOW).measures(Some(place)));
        assert_eq!(behind(&marks, due), None);
        claim(&marks, NOW + 1, Some(place), Found { is_filled: false, ..full((2, NOW, id(1))) });
        let place = behind(&marks, due - 1).unwrap();
        assert!(place.priority == 2 && !begun(&marks, NOW).measures(Some(place)), "it is no guess any more");
    }

    #[test]
    fn where_looking_from_a_guess_is_long_too_the_queue_is_passed_by() {
        let (marks, due) = (Marks::default(), NOW + SHARE * LASTS);
        claim(&marks, NOW, None, IN_VAIN);
        claim(&marks, NOW + 1, behind(&marks, NOW + 1), IN_VAIN);
        assert_eq!(behind(&marks, due - 1).unwrap().priority, NOWHERE);
        marks.put_back([stand("slow", 1, i64::MAX)]);
        assert_eq!(behind(&marks, due - 1).unwrap().priority, NOWHERE, "that was another queue");
        marks.put_back([stand("mail", 1, i64::MAX)]);
        assert_eq!(behind(&marks, due - 1).unwrap().priority, 1, "there is a job now");
        assert_eq!(behind(&marks, due), None);
        claim(&marks, due, None, IN_VAIN);
        assert_eq!(behind(&marks, due).unwrap().priority, 0);
    }

    #[test]
    fn where_looks_are_long_a_look_counts_whatever_was_forgotten_meanwhile() {
        let marks = Marks::default();
        let mut under_way = marks.look(NOW);
        under_way.begin("mail", &kinds("work"));
        marks.forget();
        under_way.saw(None, IN_VAIN);
        under_way.remember();
        assert!(behind(&marks, NOW + 1).is_some());
    }

    #[test]
    fn a_place_that_is_put_back_while_a_claim_is_under_way_stays_there() {
        let marks = Marks::default();
        claim(&marks, NOW, None, IN_VAIN);
        let mut under_way = marks.look(NOW + 1);
        let place = under_way.begin("mail", &kinds("work"));
        marks.put_back([stand("mail", -1, i64::MAX)]);
        under_way.saw(place, NOTHING);
        under_way.remember();
        assert_eq!(behind(&marks, NOW + 2).unwrap().priority, -1);
    }

    #[test]
    fn a_place_is_put_back_before_a_job_that_was_due_earlier() {
        let marks = Marks::default();
        filled(&marks, NOW, (3, 7, id(1)));
        assert!(!marks.are_kept());
        marks.put_back([stand("mail", 3, 6)]);
        assert_eq!(behind(&marks, NOW).unwrap().run_at, 7, "such a place is forgotten");
        claim(&marks, NOW, None, long((3, 7, id(1))));
        assert!(marks.are_kept());
        marks.put_back([stand("mail", 3, 8), stand("slow", 3, 6), stand("mail", 2, 6), stand("mail", 4, 6)]);
        assert_eq!(behind(&marks, NOW).unwrap().run_at, 7);
        marks.put_back([stand("mail", 3, 7)]);
        let place = behind(&marks, NOW).unwrap();
        assert_eq!((place.priority, place.run_at, place.id), (3, 7, NO_JOB), "its id may be any");
        marks.put_back([stand("mail", 3, 5), stand("mail", 3, 6)]);
        assert_eq!(behind(&marks, NOW).unwrap().run_at, 5);
    }

    #[test]
    fn where_looks_are_long_nothing_is_forgotten_and_places_stay_behind_the_present() {
        let marks = Marks::default();
        claim(&marks, NOW, None, long((3, NOW, id(1))));
        marks.made_ready(2);
        marks.forget();
        let place = behind(&marks, NOW).unwrap();
        assert_eq!((place.priority, place.run_at, place.id), (3, NOW - SLACK, id(0)));
    }

    #[test]
    fn looks_are_measured_once_many_jobs_were_taken() {
        let marks = Marks::default();
        claim(&marks, NOW, None, Found { count: MANY - 1, ..full((0, 7, id(1))) });
        assert!(!begun(&marks, NOW).measures(None));
        filled(&marks, NOW, (0, 7, id(1)));
        assert!(begun(&marks, NOW).measures(None));
    }
}
