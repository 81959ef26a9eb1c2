//! Recurring jobs: what is stored of one, and what is to be done when it is due. Pure.
//!
//! 1. An application puts a [`Schedule`]: a name, a cron expression in a zone, and what each run is made
//!    from. The storage keeps it with its next slot ([`put`]).
//! 2. When that slot has come, any server reads the schedule and [`plan`]s a [`Firing`]: which slots get a
//!    job, and which slot is next.
//! 3. The storage carries the firing out if the schedule is still as the plan saw it, and answers *lost*
//!    otherwise. So each slot gets at most one job, whoever and however many plan.
//!
//! Invariants: a schedule that cannot go on (its zone is gone, its expression never comes again) is flagged
//! with the reason and disturbs no other; what is planned at once is bounded, however long nobody looked.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::check_name;
use crate::limits::CATCH_UP_MAX;
use crate::{
    Cron, Dependency, Error, IdSequence, JobId, Json, NewJob, Policy, Result, State, Timestamp, Trigger, Zone,
};

/// How late a slot may be found and still count as on time: two sweeps of a rescue, and far more than a
/// restart takes.
pub const GRACE: Duration = Duration::from_secs(60);
/// The shortest time between two slots of a history.
const MICROSECOND: Duration = Duration::from_micros(1);

/// A recurring job as an application defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its name. Putting a schedule with a known name replaces it.
    pub id: Box<str>,
    /// When it runs: a cron expression, as [`Cron::parse`] takes it.
    pub cron: Box<str>,
    /// The zone in which the expression is read, as [`Zone::named`] takes it.
    pub zone: Box<str>,
    /// What becomes of slots that nobody was there for.
    pub misfire: Misfire,
    /// What becomes of a slot whose run before has not ended.
    pub overlap: Overlap,
    /// What each run is made from.
    pub job: Template,
}

/// What becomes of slots that passed while no server was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Misfire {
    /// Nothing: only a slot that is found within [`GRACE`] runs.
    Skip,
    /// One run for all of them, at the latest slot.
    #[default]
    Once,
    /// A run for each, but only for the latest so many. At most [`CATCH_UP_MAX`].
    All(u16),
}

/// What becomes of a slot while the run of an earlier one has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overlap {
    /// It runs beside it.
    #[default]
    Allow,
    /// It is left out.
    Skip,
    /// It waits for the earlier run to end; further slots are left out while one waits.
    OneWaiting,
}

/// What each run of a schedule is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Which handler runs it.
    pub kind: Box<str>,
    /// The line it waits in.
    pub queue: Box<str>,
    /// Smaller runs first within a queue.
    pub priority: i16,
    /// Its arguments, by name.
    pub args: Json,
    /// How it is retried, timed out and kept.
    pub policy: Policy,
    /// Words to find it by.
    pub tags: Vec<Box<str>>,
}

/// The slot of a schedule that a job was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The schedule.
    pub schedule: Box<str>,
    /// The instant that the expression named; for a run that a person asked for, when they did.
    pub at: Timestamp,
}

/// Whether a schedule runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its next slot is known.
    Active {
        /// The next slot.
        next: Timestamp,
    },
    /// A person paused it.
    Paused,
    /// It cannot go on; putting it again mends it if its cause is gone.
    Flagged {
        /// Why.
        problem: Box<str>,
    },
}

impl Standing {
    /// The word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Active { .. } => "active",
            Self::Paused => "paused",
            Self::Flagged { .. } => "flagged",
        }
    }
}

/// A schedule as a storage keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleView {
    /// What was put.
    pub schedule: Schedule,
    /// Raised whenever it is put anew, paused or resumed.
    pub revision: u64,
    /// Whether it runs, and when next.
    pub standing: Standing,
    /// The latest slot that got a job, or was left out.
    pub last_slot: Option<Timestamp>,
    /// The latest of its jobs that has not ended, or else the latest.
    pub last_run: Option<LastRun>,
    /// When it was first put.
    pub created_at: Timestamp,
}

/// A job of a schedule, as far as overlapping is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// The job.
    pub job: JobId,
    /// Where it is; `None` once it has been pruned or deleted.
    pub state: Option<State>,
}

/// What a plan was made from. A firing applies only while the schedule is still so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Of the definition.
    pub revision: u64,
    /// Whether it runs, and when next.
    pub standing: Standing,
    /// The latest job, and where it was.
    pub last_run: Option<LastRun>,
}

/// A planned, guarded write for one schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The schedule.
    pub schedule: Box<str>,
    /// The guard.
    pub seen: Seen,
    /// How the schedule stands afterwards.
    pub then: Standing,
    /// What becomes of its slots, in their order.
    pub slots: Vec<SlotPlan>,
}

/// What becomes of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotPlan {
    /// The slot.
    pub at: Timestamp,
    /// Its fate.
    pub fate: SlotFate,
    /// The job to store, if the fate is [`SlotFate::Fired`] or [`SlotFate::Triggered`].
    pub job: Option<NewJob>,
}

/// What became of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotFate {
    /// It got a job.
    Fired,
    /// A person asked for a run.
    Triggered,
    /// The run before had not ended.
    Overlapped,
    /// Nobody was there for it, and for those after it up to the next slot in the history.
    Missed,
}

impl SlotFate {
    /// All fates.
    pub const ALL: [Self; 4] = [Self::Fired, Self::Triggered, Self::Overlapped, Self::Missed];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Triggered => "triggered",
            Self::Overlapped => "overlapped",
            Self::Missed => "missed",
        }
    }
}

impl fmt::Display for SlotFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SlotFate {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|fate| fate.as_str() == word)
            .ok_or_else(|| Error::broken(format!("`{word}` is not what can become of a slot")))
    }
}

impl Schedule {
    /// Refuses what no storage could keep, and what could never run.
    ///
    /// # Errors
    /// [`Error::is_misuse`], naming the part and what to do.
    pub fn check(&self) -> Result<()> {
        check_name("schedule id", &self.id)?;
        check_name("time zone", &self.zone)?;
        Cron::parse(&self.cron)?;
        Zone::named(&self.zone)?;
        match self.misfire {
            Misfire::All(0) => Err(Error::misuse("`Misfire::All(0)` would run nothing; say `Misfire::Skip`")),
            Misfire::All(most) if most > CATCH_UP_MAX => Err(Error::misuse(format!(
                "`Misfire::All({most})` could start that many jobs at once; at most {CATCH_UP_MAX} are allowed"
            ))),
            _ => self.job.check(),
        }
    }

    /// The first slot after `after`.
    ///
    /// # Errors
    /// Misuse if the expression or the zone is not understood (any more), or no slot comes any more.
    pub fn next_after(&self, after: Timestamp) -> Result<Timestamp> {
        let (cron, zone) = (Cron::parse(&self.cron)?, Zone::named(&self.zone)?);
        cron.next_after(after, &zone).ok_or_else(|| {
            Error::misuse(format!(
                "`{}` never comes again in the zone {zone}, so nothing would run",
                self.cron
            ))
        })
    }

    /// The stored form of everything but its name, expression and zone.
    pub fn definition(&self) -> Json {
        let Template { kind, queue, priority, args, policy, tags } = self.job.clone();
        let args = args.as_str().into();
        let (misfire, overlap) = (self.misfire, self.overlap);
        let stored = Definition { misfire, overlap, kind, queue, priority, args, policy, tags };
        Json::of(&stored).expect("a definition is plain data and always has a JSON form")
    }

    /// Reads the stored form, with the standing stored beside it. What cannot be read, as after a downgrade,
    /// comes back empty and flagged, so that it disturbs no other, and can be put anew or removed.
    pub fn from_stored(
        [id, cron, zone]: [&str; 3],
        definition: &str,
        standing: Standing,
    ) -> (Self, Standing) {
        let read: Result<Definition> = Json::trusted(definition).parse();
        let (read, standing) = match read {
            Ok(read) => (read, standing),
            Err(error) => {
                let problem = format!("its stored definition cannot be read; put it again ({error})");
                (Definition::default(), Standing::Flagged { problem: problem.into() })
            }
        };
        let Definition { misfire, overlap, kind, queue, priority, args, policy, tags } = read;
        let job = Template { kind, queue, priority, args: Json::trusted(args), policy, tags };
        (Self { id: id.into(), cron: cron.into(), zone: zone.into(), misfire, overlap, job }, standing)
    }
}

/// [`Schedule::definition`] as JSON. The arguments are text in it, so that they keep every digit.
#[derive(Default, Serialize, Deserialize)]
struct Definition {
    misfire: Misfire,
    overlap: Overlap,
    kind: Box<str>,
    queue: Box<str>,
    priority: i16,
    args: Box<str>,
    policy: Policy,
    tags: Vec<Box<str>>,
}

impl ScheduleView {
    /// What a plan made from this view believes.
    pub fn seen(&self) -> Seen {
        Seen { revision: self.revision, standing: self.standing.clone(), last_run: self.last_run }
    }
}

impl Template {
    /// Refuses what no storage would take as a job.
    fn check(&self) -> Result<()> {
        self.run(JobId::from_bytes([0; 16]), None).check()
    }

    fn run(&self, id: JobId, slot: Option<Slot>) -> NewJob {
        NewJob {
            queue: self.queue.clone(),
            priority: self.priority,
            policy: self.policy.clone(),
            tags: self.tags.clone(),
            slot,
            ..NewJob::new(id, self.kind.clone(), self.args.clone())
        }
    }
}

/// How a schedule stands after `new` is put over what is `known`, at `now`; `None` if that changes nothing.
///
/// A schedule that runs keeps its next slot while its expression and zone stay the same, so that a restart
/// moves nothing; one that is paused stays paused; one that is flagged is tried again. A slot that was
/// fired is never next again, even if the clock was set back.
///
/// # Errors
/// Misuse if the schedule is refused ([`Schedule::check`]) or never runs.
pub fn put(known: Option<&ScheduleView>, new: &Schedule, now: Timestamp) -> Result<Option<Standing>> {
    new.check()?;
    let last = known.and_then(|known| known.last_slot);
    let next = || Ok(Standing::Active { next: new.next_after(last.map_or(now, |last| last.max(now)))? });
    let Some(known) = known else { return next().map(Some) };
    let same_times = known.schedule.cron == new.cron && known.schedule.zone == new.zone;
    let standing = match &known.standing {
        Standing::Paused => Standing::Paused,
        Standing::Active { next } if same_times => Standing::Active { next: *next },
        Standing::Active { .. } | Standing::Flagged { .. } => next()?,
    };
    Ok((known.schedule != *new || known.standing != standing).then_some(standing))
}

/// The revision of a schedule that is put over what is `known`. It begins with the time, so that one that is
/// removed and put again is not taken for what it was.
pub fn revision(known: Option<&ScheduleView>, now: Timestamp) -> u64 {
    known.map_or(now.as_micros().unsigned_abs(), |known| known.revision.saturating_add(1))
}

/// What a person may want of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Run no slots until it is resumed.
    Pause,
    /// Run again, from the next slot on; what passed meanwhile is not made up for.
    Resume,
    /// Forget it and its history. Jobs that it made stay.
    Remove,
}

impl Order {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Remove => "remove",
        }
    }
}

/// How a schedule stands after it was paused or resumed at `now`; `None` if that changes nothing.
pub fn direct(known: &ScheduleView, order: Order, now: Timestamp) -> Option<Standing> {
    match (order, &known.standing) {
        (Order::Pause, Standing::Active { .. } | Standing::Flagged { .. }) => Some(Standing::Paused),
        (Order::Resume, Standing::Paused) => Some(next_standing(&known.schedule, known.last_slot, now)),
        _ => None,
    }
}

fn next_standing(schedule: &Schedule, last: Option<Timestamp>, now: Timestamp) -> Standing {
    match schedule.next_after(last.map_or(now, |last| last.max(now))) {
        Ok(next) => Standing::Active { next },
        Err(error) => Standing::Flagged { problem: error.to_string().into() },
    }
}

/// What is to be done for a schedule at `now`, by the storage's clock; `None` if it is not due.
///
/// One that is flagged although it is due cannot be read; it is written down as flagged.
pub fn plan(due: &ScheduleView, now: Timestamp, ids: &mut IdSequence) -> Option<Firing> {
    let first = match &due.standing {
        Standing::Active { next } if *next <= now => *next,
        Standing::Flagged { .. } => {
            let (schedule, then) = (due.schedule.id.clone(), due.standing.clone());
            return Some(Firing { schedule, seen: due.seen(), then, slots: Vec::new() });
        }
        Standing::Active { .. } | Standing::Paused => return None,
    };
    let then = next_standing(&due.schedule, Some(first), now);
    let mut firing = Firing { schedule: due.schedule.id.clone(), seen: due.seen(), then, slots: Vec::new() };
    match slots(&due.schedule, first, now) {
        Ok((missed, run)) => {
            firing.slots.extend(missed.then_some(SlotPlan { at: first, fate: SlotFate::Missed, job: None }));
            firing.slots.extend(runs(due, &run, now, ids));
        }
        Err(error) => firing.then = Standing::Flagged { problem: error.to_string().into() },
    }
    Some(firing)
}

/// A run now because a person asked, whatever the schedule's standing and overlap.
///
/// Its place in the history is `now`, or the next microsecond that no slot has or will have.
pub fn trigger(known: &ScheduleView, now: Timestamp, ids: &mut IdSequence) -> Firing {
    let mut at = known.last_slot.map_or(now, |last| now.max(last.after(MICROSECOND)));
    if (known.standing == Standing::Active { next: at }) {
        at = at.after(MICROSECOND);
    }
    let slot = Slot { schedule: known.schedule.id.clone(), at };
    let job = known.schedule.job.run(ids.job(now), Some(slot));
    let slots = vec![SlotPlan { at, fate: SlotFate::Triggered, job: Some(job) }];
    Firing { schedule: known.schedule.id.clone(), seen: known.seen(), then: known.standing.clone(), slots }
}

/// Which of the slots from `first` to `now` run, and whether earlier ones are missed. The walk goes back
/// from now, so its length is bounded by what runs and not by how long nobody was there.
fn slots(schedule: &Schedule, first: Timestamp, now: Timestamp) -> Result<(bool, Vec<Timestamp>)> {
    let (cron, zone) = (Cron::parse(&schedule.cron)?, Zone::named(&schedule.zone)?);
    schedule.job.check()?;
    let most = match schedule.misfire {
        Misfire::Skip | Misfire::Once => 1,
        Misfire::All(most) => most.min(CATCH_UP_MAX),
    };
    let mut run = Vec::new();
    // The first slot runs even if today's rules of the zone no longer name it: it was promised.
    let mut before = now.after(MICROSECOND);
    while run.len() < usize::from(most) {
        let slot = cron.previous_before(before, &zone).filter(|slot| *slot > first).unwrap_or(first);
        run.push(slot);
        if slot == first {
            break;
        }
        before = slot;
    }
    run.reverse();
    let missed = run.first().is_some_and(|earliest| *earliest > first);
    if schedule.misfire == Misfire::Skip && run.iter().all(|slot| now.since(*slot) > GRACE) {
        return Ok((true, Vec::new()));
    }
    Ok((missed, run))
}

/// Each slot's fate under the overlap policy, as if one came after the other.
fn runs(due: &ScheduleView, slots: &[Timestamp], now: Timestamp, ids: &mut IdSequence) -> Vec<SlotPlan> {
    let mut last = due.last_run;
    let plan = |at: &Timestamp| {
        let slot = Slot { schedule: due.schedule.id.clone(), at: *at };
        let mut job = due.schedule.job.run(ids.job(now), Some(slot));
        let unfinished =
            last.and_then(|run| Some((run.job, run.state?))).filter(|(_, state)| !state.is_final());
        let state = match (due.schedule.overlap, unfinished) {
            (Overlap::Allow, _) | (_, None) => State::Enqueued,
            (Overlap::OneWaiting, Some((parent, State::Processing | State::Retrying))) => {
                job.after.push(Dependency { parent, on: Trigger::End });
                State::Awaiting
            }
            (Overlap::Skip | Overlap::OneWaiting, Some(_)) => {
                return SlotPlan { at: *at, fate: SlotFate::Overlapped, job: None };
            }
        };
        last = Some(LastRun { job: job.id, state: Some(state) });
        SlotPlan { at: *at, fate: SlotFate::Fired, job: Some(job) }
    };
    slots.iter().map(plan).collect()
}
