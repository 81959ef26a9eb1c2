//! What will happen, in order of time: the heart of a simulation.

use std::collections::BTreeMap;

use portfire_core::Lease;
use portfire_core::engine::Moment;

/// One life of a host: from the start of its process to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Life {
    pub(super) host: usize,
    pub(super) number: u32,
}

/// Something that will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A second has passed: time for faults and for the end of a stage.
    Second,
    /// A storage call arrives.
    Arrives(u64),
    /// A storage call ends at its caller.
    Ends(u64),
    /// A host starts a process.
    Starts(usize),
    /// A server takes in what happened, and steps.
    Turn(Life),
    /// A server's alarm; only the latest counts.
    Alarm(Life, u64),
    /// A heartbeat is due.
    BeatDue(Life),
    /// A hint reaches a server.
    Hinted(Life),
    /// An attempt may have come to its end.
    AttemptEnds(Life, Lease),
    /// A process that stood still goes on.
    Resumes(Life),
    /// Its driver goes on.
    Wakes(Life),
    /// Heartbeats get through again.
    Hears(Life),
    /// A producer makes or repeats a set of jobs.
    Produces(usize),
    /// An operator does something.
    Operates,
    /// A schedule is edited.
    Edits,
}

/// All that will happen.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    now: Moment,
    queue: BTreeMap<(Moment, u64), Happening>,
    planned: u64,
}

impl Agenda {
    pub(super) const fn now(&self) -> Moment {
        self.now
    }

    /// Plans something; what is planned for the same moment happens in the order of planning.
    pub(super) fn after(&mut self, delay: Moment, what: Happening) {
        self.at(self.now + delay, what);
    }

    pub(super) fn at(&mut self, when: Moment, what: Happening) {
        self.planned += 1;
        self.queue.insert((when.max(self.now), self.planned), what);
    }

    /// Goes on to what happens next.
    pub(super) fn next(&mut self) -> Option<Happening> {
        let ((when, _), what) = self.queue.pop_first()?;
        self.now = when;
        Some(what)
    }
}
