//! Random histories: what is done, without any id.

use std::fmt;
use std::time::Duration;

use portfire_core::storage::{QueueOrder, ServerOrder};
use portfire_core::{Misfire, Order, Overlap, Trigger};

use crate::luck::Luck;

/// A sequence of operations.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) operations: Vec<Operation>,
}

/// One operation. Numbers name what came before: job `n` is the `n`-th ever made, counted round.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Stores a set of jobs.
    Insert(Vec<Job>),
    /// Stores again what an earlier operation stored.
    InsertAgain(usize),
    /// A server's round trip.
    Exchange {
        /// Which server.
        server: usize,
        /// Which claims are settled, and how.
        settlements: Vec<(usize, End)>,
        /// Which claims say something.
        notes: Vec<(usize, u64)>,
        /// What is claimed: limit in all, limit of the first queue, and whether `odd` jobs are known.
        want: Option<(u32, u32, bool)>,
    },
    /// Makes the last round trip of a server once more, as one whose answer was lost.
    ExchangeAgain(usize),
    /// Settles what has expired as crashed, seen by this server; `late` does so at the next such sweep.
    Rescue(usize, bool),
    /// Promotes up to this many.
    Promote(u32),
    /// Prunes whatever may be pruned.
    Prune,
    /// A heartbeat with a lease of this many seconds.
    Beat(usize, u64),
    /// A server leaves.
    Leave(usize),
    /// An operator's wish for some jobs; `true`: by a person.
    Act(Vec<usize>, Wish, bool),
    /// Puts schedules.
    Put(Vec<Recurs>),
    /// Orders something of a schedule; `true`: as a person.
    Direct(&'static str, Order, bool),
    /// Pauses or resumes a queue, as a person.
    Pause(&'static str, QueueOrder),
    /// Tells a server what to do, as a person.
    Tell(usize, ServerOrder),
    /// Fires what is due; `true`: it is only planned, and carried out at the next such operation, when it
    /// may no longer hold.
    Fire(bool),
    /// A person wants a schedule to run.
    Trigger(&'static str),
    /// Time passes.
    Pass(Duration),
    /// Everything is looked at.
    Look,
}

/// A job to be made.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) kind: &'static str,
    pub(super) queue: &'static str,
    pub(super) priority: i16,
    pub(super) start: Begin,
    pub(super) unique: Option<&'static str>,
    pub(super) tag: Option<&'static str>,
    pub(super) attempts_max: u16,
    /// Seconds before a retry; `None`: a jittered curve.
    pub(super) backoff: Option<u64>,
    /// Seconds for which it is kept; `None`: for ever.
    pub(super) keep: Option<u64>,
    pub(super) after: Vec<(usize, Trigger)>,
}

/// A schedule to be put.
#[derive(Clone, Debug)]
pub(super) struct Recurs {
    pub(super) id: &'static str,
    pub(super) cron: &'static str,
    pub(super) zone: &'static str,
    pub(super) misfire: Misfire,
    pub(super) overlap: Overlap,
    pub(super) priority: i16,
}

/// When a job may run, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin {
    /// At once.
    Now,
    /// After a delay.
    After(u64),
    /// At a time, counted from the present.
    At(i64),
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Success,
    SuccessWith(u64),
    Failure,
    FailureForGood,
    RetryAfter(u64),
    Snooze(u64),
    Interrupted,
    Cancelled,
    Crashed,
}

/// What an operator wants.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Cancel,
    RunNow,
    /// In this many seconds.
    Reschedule(i64),
    MoveTo(&'static str),
    Prioritize(i16),
    Delete,
}

/// How many servers take part.
pub(super) const SERVERS: usize = 3;
/// The names of schedules; their order is that of their bytes.
pub(super) const SCHEDULES: [&str; 3] = ["a", "B", "ä"];
/// Operations between two looks at everything.
const LOOK_EVERY: usize = 25;

impl History {
    /// A history of about this length.
    pub(super) fn random(seed: u64, length: usize) -> Self {
        let mut luck = Luck::new(seed);
        let mut operations: Vec<_> = (0..SERVERS).map(|server| Operation::Beat(server, 30)).collect();
        for number in 1..=length {
            operations.push(random(&mut luck));
            if number % LOOK_EVERY == 0 {
                operations.push(Operation::Look);
            }
        }
        operations.push(Operation::Look);
        Self { operations }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.operations.iter().enumerate().try_for_each(|(at, what)| writeln!(f, "  {at:>4} {what:?}"))
    }
}

fn index(luck: &mut Luck, most: u64) -> usize {
    usize::try_from(luck.number(0, most)).unwrap_or_default()
}

/// Mostly a recent one: what has just happened is where storages differ.
fn recent(luck: &mut Luck) -> usize {
    let most = if luck.chance(700) { 8 } else { 60 };
    index(luck, most)
}

fn random(luck: &mut Luck) -> Operation {
    let server = index(luck, SERVERS as u64 - 1);
    match luck.number(0, 115) {
        0..=19 => Operation::Insert((0..luck.number(1, 4)).map(|_| job(luck)).collect()),
        20..=22 => Operation::InsertAgain(recent(luck)),
        23..=54 => exchange(luck, server),
        55..=58 => Operation::ExchangeAgain(server),
        59..=62 => Operation::Rescue(server, luck.chance(300)),
        63..=68 => Operation::Promote(u32::try_from(luck.number(0, 4)).unwrap_or_default()),
        69..=72 => Operation::Prune,
        73..=77 => Operation::Beat(server, luck.number(1, 40)),
        78 => Operation::Leave(server),
        79..=89 => act(luck),
        90..=93 => Operation::Put((0..luck.number(1, 2)).map(|_| recurs(luck)).collect()),
        94..=95 => Operation::Direct(
            luck.name(&SCHEDULES),
            *luck.pick(&[Order::Pause, Order::Resume, Order::Remove]),
            luck.chance(500),
        ),
        96..=101 => Operation::Fire(luck.chance(300)),
        102 => Operation::Trigger(luck.name(&SCHEDULES)),
        // Resumed more often than paused, so that jobs go on being claimed.
        103..=105 => Operation::Pause(
            luck.name(&["mail", "a.b"]),
            *luck.pick(&[QueueOrder::Pause, QueueOrder::Resume, QueueOrder::Resume]),
        ),
        106 => Operation::Tell(server, *luck.pick(&ServerOrder::ALL)),
        _ => Operation::Pass(pass(luck)),
    }
}

fn recurs(luck: &mut Luck) -> Recurs {
    Recurs {
        id: luck.name(&SCHEDULES),
        cron: luck.name(&["* * * * * *", "*/7 * * * * *", "* * * * *", "0 0 29 2 *", "0 0 31 2 *"]),
        zone: luck.name(&["UTC", "Asia/Taipei", "America/New_York"]),
        misfire: *luck.pick(&[Misfire::Skip, Misfire::Once, Misfire::All(4)]),
        overlap: *luck.pick(&[Overlap::Allow, Overlap::Skip, Overlap::OneWaiting]),
        priority: i16::try_from(luck.number(0, 1)).unwrap_or_default(),
    }
}

fn pass(luck: &mut Luck) -> Duration {
    // Now and then so long that tallies are folded.
    if luck.chance(30) {
        return Duration::from_secs(3_600 * luck.number(1, 40));
    }
    match luck.number(0, 3) {
        0 => Duration::from_micros(luck.number(0, 3)),
        1 => luck.millis(0, 999),
        2 => Duration::from_secs(luck.number(1, 5)),
        _ => Duration::from_secs(luck.number(5, 40)),
    }
}

fn job(luck: &mut Luck) -> Job {
    Job {
        kind: luck.name(&["work", "work", "work", "odd"]),
        queue: luck.name(&["default", "default", "mail", "a.b"]),
        priority: i16::try_from(luck.number(0, 2)).unwrap_or_default() - 1,
        start: match luck.number(0, 5) {
            0 => Begin::After(luck.number(0, 20)),
            1 => Begin::At(i64::try_from(luck.number(0, 30)).unwrap_or_default() - 10),
            _ => Begin::Now,
        },
        unique: luck.chance(200).then(|| luck.name(&["one", "One", "two "])),
        tag: luck.chance(300).then(|| luck.name(&["red", "blue"])),
        attempts_max: u16::try_from(luck.number(1, 4)).unwrap_or(1),
        backoff: luck.chance(700).then(|| luck.number(0, 10)),
        keep: luck.chance(500).then(|| luck.number(0, 20)),
        after: if luck.chance(300) { parents(luck) } else { Vec::new() },
    }
}

fn parents(luck: &mut Luck) -> Vec<(usize, Trigger)> {
    (0..luck.number(1, 3)).map(|_| (recent(luck), *luck.pick(&Trigger::ALL))).collect()
}

fn exchange(luck: &mut Luck, server: usize) -> Operation {
    let settlements = (0..luck.number(0, 4)).map(|_| (recent(luck), end(luck))).collect();
    let notes = (0..luck.number(0, 2)).map(|_| (recent(luck), luck.number(0, 99))).collect();
    let limit = |luck: &mut Luck| u32::try_from(luck.number(0, 4)).unwrap_or_default();
    let want = luck.chance(750).then(|| (limit(luck), limit(luck), luck.chance(500)));
    Operation::Exchange { server, settlements, notes, want }
}

fn end(luck: &mut Luck) -> End {
    match luck.number(0, 11) {
        0..=2 => End::Success,
        3 => End::SuccessWith(luck.number(0, 99)),
        4..=5 => End::Failure,
        6 => End::FailureForGood,
        7 => End::RetryAfter(luck.number(0, 10)),
        8 => End::Snooze(luck.number(0, 10)),
        9 => End::Interrupted,
        10 => End::Cancelled,
        _ => End::Crashed,
    }
}

fn act(luck: &mut Luck) -> Operation {
    let jobs = (0..luck.number(1, 3)).map(|_| recent(luck)).collect();
    let wish = match luck.number(0, 10) {
        0..=2 => Wish::Cancel,
        3..=4 => Wish::RunNow,
        5..=6 => Wish::Reschedule(i64::try_from(luck.number(0, 30)).unwrap_or_default() - 10),
        7..=8 => Wish::MoveTo(luck.name(&["default", "mail", "a.b"])),
        9 => Wish::Prioritize(i16::try_from(luck.number(0, 2)).unwrap_or_default() - 1),
        _ => Wish::Delete,
    };
    Operation::Act(jobs, wish, luck.chance(500))
}
