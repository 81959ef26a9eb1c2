//! Storage calls as things that travel: they may be slow, vanish on the way there or back, or arrive
//! twice.
//!
//! A call that claims and arrives twice does so before its caller hears of its end, and that is the second
//! answer: this is the one thing a backend has to rule out, by repeating inside a call only what it then
//! answers for. One that arrives when its caller has given it up, and has asked again, takes nothing.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use portfire_core::engine::{Line, Moment};
use portfire_core::storage::{
    Acted, Action, Beat, BeatAnswer, By, Directed, DueSchedules, Exchange, Exchanged, Expired, Fired,
    Inserted, Polled, Promoted, Put,
};
use portfire_core::{Firing, JobId, NewJob, Order, Result, Schedule, ServerId, Storage};

use super::agenda::Life;
use super::profile::Odds;
use crate::luck::Luck;

/// A storage call.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Insert(Vec<NewJob>),
    Act(Vec<JobId>, Action),
    Exchange(Exchange),
    Poll(Arc<[Arc<str>]>),
    Promote(u32),
    Sweep(u32),
    Prune(u32),
    Beat(Beat),
    Leave(ServerId),
    Put(Vec<Schedule>),
    Due(u32),
    Fire(Vec<Firing>),
    Direct(Vec<Box<str>>, Order),
}

/// What a storage answered.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Inserted(Vec<Inserted>),
    Acted(Vec<Acted>),
    Exchanged(Exchanged),
    Polled(Polled),
    Promoted(Promoted),
    Swept(Vec<Expired>),
    Pruned(u32),
    Beaten(BeatAnswer),
    Left,
    Put(Vec<Put>),
    Due(DueSchedules),
    Fired(Vec<Fired>),
    Directed(Vec<Directed>),
    Refused(String),
}

/// Who made a call, and so who hears of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// The driver of a server.
    Driver(Life),
    /// The same, for an exchange on this line.
    Line(Life, Line),
    /// The first heartbeat of a server.
    Birth(Life),
    /// A later heartbeat, sent when the server's clock showed this.
    Pulse(Life, Moment),
    /// A producer.
    Producer(usize),
    /// An operator, or a server that is gone: nobody waits for the answer.
    Nobody,
}

/// When a call arrives, and when and how it ends.
#[derive(Debug)]
pub(super) struct Fate {
    pub(super) arrives: Vec<Duration>,
    pub(super) ends: Duration,
    pub(super) is_answered: bool,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inserted(answers) => {
                let words = answers.iter().map(|answer| match answer {
                    Inserted::New => "new",
                    Inserted::SameId => "same id",
                    Inserted::Duplicate(_) => "duplicate",
                });
                f.write_str(&words.collect::<Vec<_>>().join(", "))
            }
            Self::Acted(answers) => write!(f, "{answers:?}"),
            Self::Refused(why) => write!(f, "refused ({why})"),
            _ => f.write_str("done"),
        }
    }
}

impl Call {
    /// Whether arriving a second time after its caller heard of the first would do harm.
    pub(super) const fn must_not_straggle(&self) -> bool {
        matches!(self, Self::Exchange(Exchange { want: Some(_), .. }))
    }

    /// Makes the call: this is the moment of its effect.
    pub(super) fn make(&self, storage: &dyn Storage) -> Reply {
        let reply = match self.clone() {
            Self::Insert(jobs) => at_once(storage.insert(jobs)).map(Reply::Inserted),
            Self::Act(jobs, action) => at_once(storage.act(jobs, action, By::Program)).map(Reply::Acted),
            Self::Exchange(exchange) => at_once(storage.exchange(exchange)).map(Reply::Exchanged),
            Self::Poll(queues) => at_once(storage.poll(queues)).map(Reply::Polled),
            Self::Promote(limit) => at_once(storage.promote(limit)).map(Reply::Promoted),
            Self::Sweep(limit) => at_once(storage.expired(limit)).map(Reply::Swept),
            Self::Prune(limit) => at_once(storage.prune(limit)).map(Reply::Pruned),
            Self::Beat(beat) => at_once(storage.beat(beat)).map(Reply::Beaten),
            Self::Leave(server) => at_once(storage.leave(server, true)).map(|()| Reply::Left),
            Self::Put(schedules) => at_once(storage.put_schedules(schedules)).map(Reply::Put),
            Self::Due(limit) => at_once(storage.due_schedules(limit)).map(Reply::Due),
            Self::Fire(firings) => at_once(storage.fire(firings, By::Program)).map(Reply::Fired),
            Self::Direct(names, order) => {
                at_once(storage.direct_schedules(names, order, By::Program)).map(Reply::Directed)
            }
        };
        reply.unwrap_or_else(|error| Reply::Refused(error.to_string()))
    }

    /// Rolls its fate. A caller waits at most `deadline`.
    pub(super) fn fate(&self, luck: &mut Luck, odds: &Odds, deadline: Duration) -> Fate {
        let kind = luck.number(0, 999);
        let [dropped, unanswered, doubled] = [odds.dropped, odds.unanswered, odds.doubled];
        let way = |luck: &mut Luck| {
            if luck.chance(odds.slow) { luck.millis(200, 9_000) } else { luck.millis(1, 15) }
        };
        let (there, back) = (way(luck), way(luck));
        let (mut arrives, mut ends, mut is_answered) = (vec![there], there + back, true);
        if kind < dropped {
            (arrives, is_answered) = (Vec::new(), false);
        } else if kind < dropped + unanswered {
            is_answered = false;
            if luck.chance(300) {
                // Its caller has given it up by then, and may have asked again.
                arrives = vec![ends + luck.millis(1, 20_000)];
            }
        } else if kind < dropped + unanswered + doubled {
            // What is repeated inside a call is repeated at once.
            let again = if self.must_not_straggle() { luck.millis(1, 15) } else { way(luck) };
            arrives.push(there + again);
        }
        if !is_answered && luck.chance(300) {
            ends = deadline; // The others learn of it soon, from a closed connection.
        }
        if ends >= deadline {
            (ends, is_answered) = (deadline, false);
        }
        if self.must_not_straggle() && arrives.len() > 1 {
            for arrival in &mut arrives {
                *arrival = (*arrival).min(ends);
            }
        }
        Fate { arrives, ends, is_answered }
    }
}

/// The answer of a storage that never waits.
pub(super) fn at_once<T>(mut answer: Pin<Box<dyn Future<Output = Result<T>> + Send + '_>>) -> Result<T> {
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("a simulated storage answers at once"),
    }
}
