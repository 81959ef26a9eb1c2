//! Where claims begin to read: past the jobs that are gone.
//!
//! What a claim takes leaves a dead entry in the index of `ready` until a vacuum, and a claim from the head walks
//! over all of them: with a backlog of four hundred thousand that was two thirds of its cost.
//!
//! 1. A claim that reads a queue from its head marks the last job that it took there.
//! 2. The server's next claims begin at the mark, and move it on.
//! 3. A mark is let go once it is [`RECHECK`] old by the database's clock, and by a claim that finds nothing.
//!
//! A mark is only a hint, of order and of nothing else: the statement takes what is before it as well, at once if
//! the priority is higher, and else once nothing is left behind it. So a job that came to stand before the mark, as
//! one does that is retried or moved, is taken a second later at most, as long as others are there to be taken.
//! Each server has its own marks, because what one does not know stays behind its mark.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portfire_core::{JobId, ServerId};

/// How long a queue is not read from its head. A walk over the dead entries of a million jobs takes a tenth of it.
const RECHECK: Duration = Duration::from_secs(1);

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

/// The marks of the servers that claim from one storage.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<HashMap<(ServerId, Box<str>), Mark>>);

#[derive(Clone, Copy, Debug)]
struct Mark {
    place: Place,
    /// When the queue was read from its head.
    since: i64,
}

impl Marks {
    /// Where the server's next claim begins in this queue.
    pub(crate) fn of(&self, server: ServerId, queue: &str) -> Place {
        self.all().get(&(server, queue.into())).map_or(Place::HEAD, |mark| mark.place)
    }

    /// What a claim came to that began where [`of`](Self::of) said, at this instant of the database: the last of
    /// the jobs that it took in this queue, if any.
    pub(crate) fn claimed(&self, server: ServerId, queue: &str, last: Option<Place>, instant: i64) {
        let mut all = self.all();
        let key = (server, queue.into());
        let before = all.remove(&key);
        let is_old = |mark: &Mark| instant.saturating_sub(mark.since) >= crate::rows::micros(RECHECK);
        if let Some(last) = last
            && !before.as_ref().is_some_and(is_old)
        {
            let mark = before.unwrap_or(Mark { place: last, since: instant });
            all.insert(key, Mark { place: mark.place.max(last), ..mark });
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

    use super::{Marks, Place};

    const SERVER: ServerId = ServerId::from_bytes([1; 16]);
    const SECOND: i64 = 1_000_000;

    fn place(run_at: i64) -> Place {
        Place { priority: 0, run_at, id: JobId::from_bytes([7; 16]) }
    }

    #[test]
    fn a_mark_moves_on_and_is_let_go_after_a_second() {
        let marks = Marks::default();
        assert_eq!(marks.of(SERVER, "mail"), Place::HEAD);
        marks.claimed(SERVER, "mail", Some(place(5)), 100);
        assert_eq!(marks.of(SERVER, "mail"), place(5));
        marks.claimed(SERVER, "mail", Some(place(9)), 100 + SECOND / 2);
        marks.claimed(SERVER, "mail", Some(place(3)), 99 + SECOND);
        assert_eq!(marks.of(SERVER, "mail"), place(9), "what was found before it does not move it back");
        marks.claimed(SERVER, "mail", Some(place(11)), 100 + SECOND);
        assert_eq!(marks.of(SERVER, "mail"), Place::HEAD, "a second after the look at the head");
        marks.claimed(SERVER, "mail", Some(place(4)), 100 + SECOND);
        assert_eq!(marks.of(SERVER, "mail"), place(4), "from the head, it goes back");
    }

    #[test]
    fn a_mark_is_of_one_server_and_one_queue_and_goes_when_nothing_is_there() {
        let marks = Marks::default();
        let other = ServerId::from_bytes([2; 16]);
        for (server, queue) in [(SERVER, "mail"), (SERVER, "bulk"), (other, "mail")] {
            marks.claimed(server, queue, Some(place(5)), 0);
        }
        marks.claimed(SERVER, "mail", None, 0);
        assert_eq!(marks.of(SERVER, "mail"), Place::HEAD);
        assert_eq!((marks.of(SERVER, "bulk"), marks.of(other, "mail")), (place(5), place(5)));
        marks.forget(SERVER);
        assert_eq!((marks.of(SERVER, "bulk"), marks.of(other, "mail")), (Place::HEAD, place(5)));
    }
}
