//! Where claims begin to read: past the jobs that are gone.
//!
//! What a claim takes leaves a dead entry in the index of `ready` until a vacuum, and as long as an old transaction may
//! see it. A claim from the head walks over all of them: with a backlog of four hundred thousand that was two thirds of
//! its cost, and beside a transaction that is open for ten minutes amid work there are millions.
//!
//! 1. A claim that reads a queue from its head marks the last job that it took there.
//! 2. The server's next claims begin at the mark, and move it on.
//! 3. What is before the mark is looked at as well, at once if the priority is higher, and else once nothing is left
//!    behind it; unless the last such look walked far: then the next one waits for [`SHARE`] times as long as that took.
//! 4. While claims are filled from behind the mark, it is let go when the last look is [`RECHECK`] old by the database's
//!    clock, or as old as step 3 asks: the next claim reads from the head.
//!
//! A mark is only a hint, of order and of when, never of whether. A job that came to stand before the mark, as one does
//! that is retried or moved, is taken a second later at most while others are there to be taken, and at once otherwise;
//! later than that only where looking for it takes long.
//! Each server has its own marks, because what one does not know stays behind its mark.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portfire_core::{JobId, ServerId};

use crate::rows::micros;

/// How long a queue is not read from its head while claims are filled: a walk over the dead entries of a million jobs
/// takes a tenth of it.
const RECHECK: Duration = Duration::from_secs(1);
/// How long it takes to walk over an entry, in nanoseconds: 100 to 160 were measured, over one to twenty million.
const ENTRY_NANOS: i64 = 150;
/// A look that walks over so few entries, in 1.5 ms, is made by each claim.
const CHEAP: i64 = 10_000;
/// Looks at what is before a mark take one part in so many of a server's time.
const SHARE: i64 = 10;

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
    /// From which instant on it looks before that place as well.
    pub(crate) before_from: i64,
}

impl Start {
    const HEAD: Self = Self { place: Place::HEAD, before_from: i64::MIN };
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

/// The marks of the servers that claim from one storage.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<HashMap<(ServerId, Box<str>), Mark>>);

#[derive(Clone, Copy, Debug)]
struct Mark {
    place: Place,
    /// When all that is before it was looked at, and how many entries that walked over.
    looked_at: i64,
    walked: i64,
}

impl Mark {
    /// When there may be the next look.
    const fn before_from(&self) -> i64 {
        let pause =
            if self.walked < CHEAP { 0 } else { self.walked.saturating_mul(ENTRY_NANOS * SHARE) / 1_000 };
        self.looked_at.saturating_add(pause)
    }

    fn is_old(&self, instant: i64) -> bool {
        instant >= self.before_from().max(self.looked_at.saturating_add(micros(RECHECK)))
    }

    /// The mark once a claim began there.
    fn moved(self, start: Start, seen: Seen) -> Self {
        let place = seen.last.map_or(self.place, |last| self.place.max(last));
        if seen.is_filled || seen.instant < start.before_from {
            return Self { place, ..self };
        }
        Self { place, looked_at: seen.instant, walked: seen.walked }
    }
}

impl Marks {
    /// Where the server's next claim begins in this queue.
    pub(crate) fn of(&self, server: ServerId, queue: &str) -> Start {
        let mark = self.all().get(&(server, queue.into())).copied();
        mark.map_or(Start::HEAD, |mark| Start { place: mark.place, before_from: mark.before_from() })
    }

    /// What a claim came to that began where [`of`](Self::of) said.
    pub(crate) fn claimed(&self, server: ServerId, queue: &str, start: Start, seen: Seen) {
        let mut all = self.all();
        let key = (server, queue.into());
        let mark = match all.remove(&key) {
            // The clock was set back.
            Some(mark) if seen.instant < mark.looked_at => None,
            Some(mark) => Some(mark.moved(start, seen)),
            None => seen.last.map(|place| Mark { place, looked_at: seen.instant, walked: seen.walked }),
        };
        if let Some(mark) = mark.filter(|mark| !(seen.is_filled && mark.is_old(seen.instant))) {
            all.insert(key, mark);
        }
    }

    /// Nobody claims for this server any more.
    pub(crate) fn forget(&self, server: ServerId) {
        self.all().retain(|(of, _), _| *of != server);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(ServerId, Box<str>), Mark>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use portfire_core::{JobId, ServerId};

    use super::{CHEAP, Marks, Place, Seen, Start};

    const SERVER: ServerId = ServerId::from_bytes([1; 16]);
    const SECOND: i64 = 1_000_000;

    fn place(run_at: i64) -> Place {
        Place { priority: 0, run_at, id: JobId::from_bytes([7; 16]) }
    }

    /// A claim that began where it should.
    fn claims(marks: &Marks, queue: &str, seen: Seen) {
        marks.claimed(SERVER, queue, marks.of(SERVER, queue), seen);
    }

    fn filled(last: i64, instant: i64) -> Seen {
        Seen { last: Some(place(last)), is_filled: true, instant, walked: CHEAP - 1 }
    }

    #[test]
    fn a_mark_moves_on_and_is_let_go_after_a_second() {
        let marks = Marks::default();
        assert_eq!(marks.of(SERVER, "mail"), Start::HEAD);
        claims(&marks, "mail", filled(5, 100));
        assert_eq!(marks.of(SERVER, "mail").place, place(5));
        claims(&marks, "mail", filled(9, 100 + SECOND / 2));
        claims(&marks, "mail", filled(3, 99 + SECOND));
        assert_eq!(
            marks.of(SERVER, "mail").place,
            place(9),
            "what was found before it does not move it back"
        );
        claims(&marks, "mail", filled(11, 100 + SECOND));
        assert_eq!(marks.of(SERVER, "mail"), Start::HEAD, "a second after the look at the head");
        claims(&marks, "mail", filled(4, 100 + SECOND));
        assert_eq!(marks.of(SERVER, "mail").place, place(4), "from the head, it goes back");
    }

    #[test]
    fn a_mark_stays_when_nothing_is_left_and_what_is_before_it_is_looked_at_each_time() {
        let marks = Marks::default();
        claims(&marks, "mail", filled(5, 100));
        for instant in [101, 101 + 9 * SECOND] {
            claims(&marks, "mail", Seen { last: None, is_filled: false, instant, walked: CHEAP - 1 });
            assert_eq!(marks.of(SERVER, "mail"), Start { place: place(5), before_from: instant });
        }
    }

    /// Two million entries take 0.3 s, and the next look is due 3 s after the last.
    #[test]
    fn a_look_that_walked_far_is_not_made_again_soon() {
        let marks = Marks::default();
        let walked = 2 * SECOND;
        claims(&marks, "mail", Seen { walked, ..filled(5, 0) });
        assert_eq!(marks.of(SERVER, "mail").before_from, 3 * SECOND);
        claims(&marks, "mail", filled(6, 3 * SECOND - 1));
        assert_eq!(marks.of(SERVER, "mail").place, place(6), "older than a second");
        claims(&marks, "mail", Seen { last: None, is_filled: false, instant: 3 * SECOND - 1, walked: 0 });
        assert_eq!(marks.of(SERVER, "mail").before_from, 3 * SECOND, "a claim that has not looked");
        claims(&marks, "mail", Seen { last: None, is_filled: false, instant: 3 * SECOND, walked });
        assert_eq!(marks.of(SERVER, "mail").before_from, 6 * SECOND, "one that has");
        claims(&marks, "mail", filled(7, 6 * SECOND));
        assert_eq!(marks.of(SERVER, "mail"), Start::HEAD);
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_waiting() {
        let marks = Marks::default();
        claims(&marks, "mail", Seen { walked: SECOND, ..filled(5, SECOND) });
        claims(&marks, "mail", Seen { last: None, is_filled: false, instant: 0, walked: 0 });
        assert_eq!(marks.of(SERVER, "mail"), Start::HEAD);
    }

    #[test]
    fn a_mark_is_of_one_server_and_one_queue() {
        let marks = Marks::default();
        let other = ServerId::from_bytes([2; 16]);
        claims(&marks, "mail", filled(5, 0));
        claims(&marks, "bulk", filled(6, 0));
        marks.claimed(other, "mail", Start::HEAD, filled(7, 0));
        let places = || {
            [(SERVER, "mail"), (SERVER, "bulk"), (other, "mail")]
                .map(|(server, queue)| marks.of(server, queue).place)
        };
        assert_eq!(places(), [place(5), place(6), place(7)]);
        marks.forget(SERVER);
        assert_eq!(places(), [Place::HEAD, Place::HEAD, place(7)]);
    }
}
