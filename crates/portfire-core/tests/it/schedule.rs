//! Recurring jobs, decided: what a put keeps, what a late look makes of missed slots, what overlaps.

use std::time::Duration;

use portfire_core::schedule::{direct, plan, put, trigger};
use portfire_core::{
    Dice, Firing, GRACE, IdSequence, JobId, Json, LastRun, Misfire, Order, Overlap, Policy, Schedule,
    ScheduleView, SlotFate, Standing, State, Template, Timestamp, Trigger,
};
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// A Thursday at midnight, UTC.
const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

fn schedule(cron: &str) -> Schedule {
    let job = Template {
        kind: "work".into(),
        queue: "default".into(),
        priority: 0,
        args: Json::trusted("{}"),
        policy: Policy::default(),
        tags: Vec::new(),
    };
    let (misfire, overlap) = (Misfire::Once, Overlap::Allow);
    Schedule { id: "one".into(), cron: cron.into(), zone: "UTC".into(), misfire, overlap, job }
}

/// A schedule as it stands after it was put at the start.
fn view(schedule: Schedule) -> ScheduleView {
    let standing = put(None, &schedule, START).unwrap().unwrap();
    ScheduleView { schedule, revision: 1, standing, last_slot: None, last_run: None, created_at: START }
}

fn ids() -> IdSequence {
    IdSequence::new(Dice::from_seed([1, 2]))
}

fn fates(firing: &Firing) -> Vec<SlotFate> {
    firing.slots.iter().map(|slot| slot.fate).collect()
}

fn jobs(firing: &Firing) -> usize {
    firing.slots.iter().filter(|slot| slot.job.is_some()).count()
}

/// What one look after an outage makes of it.
fn look(cron: &str, misfire: Misfire, outage: Duration) -> Firing {
    let due = view(Schedule { misfire, ..schedule(cron) });
    plan(&due, START.after(outage), &mut ids()).expect("it is due")
}

#[test]
fn outages_cost_exactly_what_the_policy_says() {
    let ninety_minutes = MINUTE * 90 + Duration::from_secs(30);
    let three_days = DAY * 3 + Duration::from_secs(90);
    // (expression, outage, jobs under skip, once, all(1000), all(50))
    let cases = [
        ("* * * * *", ninety_minutes, [1, 1, 90, 50]),
        ("*/15 * * * *", ninety_minutes, [1, 1, 6, 6]),
        ("0 * * * *", ninety_minutes, [0, 1, 1, 1]),
        ("* * * * *", three_days, [1, 1, 1_000, 50]),
        ("*/15 * * * *", three_days, [0, 1, 288, 50]),
        ("0 2 * * *", three_days, [0, 1, 3, 3]),
    ];
    for (cron, outage, [skip, once, all, fifty]) in cases {
        for (misfire, expected) in [
            (Misfire::Skip, skip),
            (Misfire::Once, once),
            (Misfire::All(1_000), all),
            (Misfire::All(50), fifty),
        ] {
            let firing = look(cron, misfire, outage);
            assert_eq!(jobs(&firing), expected, "{cron} after {outage:?} under {misfire:?}");
            let Standing::Active { next } = firing.then else { panic!("it goes on") };
            assert!(next > START.after(outage), "nothing is due twice");
        }
    }
}

#[test]
fn a_slot_found_within_the_grace_is_on_time() {
    let late = |late: Duration| look("0 * * * *", Misfire::Skip, HOUR + late);
    assert_eq!(fates(&late(GRACE)), [SlotFate::Fired]);
    assert_eq!(fates(&late(GRACE + Duration::from_micros(1))), [SlotFate::Missed]);
}

#[test]
fn what_was_missed_is_written_down_once() {
    let firing = look("0 * * * *", Misfire::Once, HOUR * 5);
    assert_eq!(fates(&firing), [SlotFate::Missed, SlotFate::Fired]);
    assert_eq!((firing.slots[0].at, firing.slots[1].at), (START.after(HOUR), START.after(HOUR * 5)));
    assert_eq!(fates(&look("0 * * * *", Misfire::All(9), HOUR * 5)), [SlotFate::Fired; 5]);
}

#[test]
fn each_run_knows_its_slot() {
    let firing = look("0 * * * *", Misfire::All(9), HOUR * 2);
    for (hour, slot) in (1..).zip(&firing.slots) {
        let job = slot.job.as_ref().unwrap();
        let made_for = job.slot.as_ref().unwrap();
        assert_eq!(
            (&*made_for.schedule, made_for.at, slot.at),
            ("one", START.after(HOUR * hour), made_for.at)
        );
    }
}

#[test]
fn nothing_is_planned_before_its_time_or_while_it_does_not_run() {
    let mut due = view(schedule("0 * * * *"));
    assert_eq!(plan(&due, START.after(HOUR - MINUTE), &mut ids()), None);
    due.standing = Standing::Paused;
    assert_eq!(plan(&due, START.after(HOUR), &mut ids()), None);
}

/// Stored by another version, or its zone was removed from the database of zones since.
#[test]
fn what_cannot_go_on_is_flagged_with_the_reason() {
    let mut large = schedule("* * * * *");
    large.job.args = Json::trusted("x".repeat(2 << 20));
    let gone = Schedule { zone: "Nowhere/Gone".into(), ..schedule("* * * * *") };
    let never = schedule("0 0 31 2 *");
    let nonsense = schedule("nonsense");
    for (bad, reason) in [(large, "limit"), (gone, "Nowhere/Gone"), (never, "31"), (nonsense, "nonsense")] {
        let mut due = view(schedule("* * * * *"));
        due.schedule = bad;
        let firing = plan(&due, START.after(MINUTE), &mut ids()).unwrap();
        let Standing::Flagged { problem } = &firing.then else { panic!("{reason} is not flagged") };
        assert!(problem.contains(reason) && firing.slots.is_empty(), "{problem}");
    }
}

#[test]
fn overlaps_follow_the_policy() {
    let running = |state| Some(LastRun { job: JobId::from_bytes([7; 16]), state });
    let fate = |overlap, state| {
        let mut due = view(Schedule { overlap, ..schedule("* * * * *") });
        due.last_run = running(state);
        let firing = plan(&due, START.after(MINUTE), &mut ids()).unwrap();
        let waits = firing.slots[0].job.as_ref().is_some_and(|job| !job.after.is_empty());
        (firing.slots[0].fate, waits)
    };
    for state in State::ALL.map(Some).into_iter().chain([None]) {
        let ended = state.is_none_or(State::is_final);
        let begun = matches!(state, Some(State::Processing | State::Retrying));
        assert_eq!(fate(Overlap::Allow, state), (SlotFate::Fired, false));
        let skipped = if ended { SlotFate::Fired } else { SlotFate::Overlapped };
        assert_eq!(fate(Overlap::Skip, state), (skipped, false), "{state:?}");
        let one_waits = if ended || begun { SlotFate::Fired } else { SlotFate::Overlapped };
        assert_eq!(fate(Overlap::OneWaiting, state), (one_waits, begun), "{state:?}");
    }
}

/// Missed slots that are made up for overlap each other, as they would have.
#[test]
fn slots_of_one_look_overlap_each_other() {
    for (overlap, expected) in [(Overlap::Allow, 5), (Overlap::Skip, 1), (Overlap::OneWaiting, 1)] {
        let due = view(Schedule { overlap, misfire: Misfire::All(9), ..schedule("0 * * * *") });
        assert_eq!(jobs(&plan(&due, START.after(HOUR * 5), &mut ids()).unwrap()), expected, "{overlap:?}");
    }
}

#[test]
fn the_waiting_run_waits_for_the_one_that_runs() {
    let mut due = view(Schedule { overlap: Overlap::OneWaiting, ..schedule("* * * * *") });
    let parent = JobId::from_bytes([7; 16]);
    due.last_run = Some(LastRun { job: parent, state: Some(State::Processing) });
    let firing = plan(&due, START.after(MINUTE), &mut ids()).unwrap();
    let after = &firing.slots[0].job.as_ref().unwrap().after;
    assert_eq!((after.len(), after[0].parent, after[0].on), (1, parent, Trigger::End));
}

#[test]
fn a_put_keeps_what_stays() {
    let known = view(schedule("0 * * * *"));
    let later = START.after(HOUR * 3);
    assert_eq!(put(Some(&known), &known.schedule, later).unwrap(), None);
    let mut other = known.schedule.clone();
    other.job.queue = "other".into();
    assert_eq!(put(Some(&known), &other, later).unwrap(), Some(known.standing.clone()));
    let moved = put(Some(&known), &schedule("30 * * * *"), later).unwrap();
    assert_eq!(moved, Some(Standing::Active { next: later.after(MINUTE * 30) }));
    let mut paused = known.clone();
    paused.standing = Standing::Paused;
    assert_eq!(put(Some(&paused), &schedule("30 * * * *"), later).unwrap(), Some(Standing::Paused));
    let mut flagged = known.clone();
    flagged.standing = Standing::Flagged { problem: "gone".into() };
    let mended = put(Some(&flagged), &known.schedule, later).unwrap();
    assert_eq!(mended, Some(Standing::Active { next: later.after(HOUR) }));
}

/// The host's clock was set back by ten minutes after slots were fired.
#[test]
fn a_fired_slot_is_never_next_again() {
    let mut known = view(schedule("* * * * *"));
    known.last_slot = Some(START.after(MINUTE * 10));
    let next = START.after(MINUTE * 11);
    let put_anew = put(Some(&known), &schedule("*/1 * * * *"), START).unwrap();
    assert_eq!(put_anew, Some(Standing::Active { next }));
    known.standing = Standing::Paused;
    assert_eq!(direct(&known, Order::Resume, START), Some(Standing::Active { next }));
}

#[test]
fn a_run_by_hand_changes_nothing_else() {
    let mut known = view(schedule("0 * * * *"));
    known.schedule.overlap = Overlap::Skip;
    known.last_run = Some(LastRun { job: JobId::from_bytes([7; 16]), state: Some(State::Processing) });
    let firing = trigger(&known, START.after(MINUTE), &mut ids());
    assert_eq!((fates(&firing), jobs(&firing)), (vec![SlotFate::Triggered], 1));
    assert_eq!((firing.then, firing.seen), (known.standing.clone(), known.seen()));
}

#[test]
fn a_definition_comes_back_as_it_was() {
    let mut one = schedule("0 * * * *");
    one.job.args = Json::trusted(r#"{"big":12345678901234567890,"text":"it's \"q\" 🎉"}"#);
    (one.misfire, one.overlap, one.job.tags) =
        (Misfire::All(7), Overlap::OneWaiting, vec!["z".into(), "a".into()]);
    one.job.policy.timeout = Some(Duration::from_millis(1_500));
    let stored = one.definition();
    let names = [&*one.id, &*one.cron, &*one.zone];
    let standing = Standing::Active { next: START };
    assert_eq!(
        Schedule::from_stored(names, stored.as_str(), standing.clone()),
        (one.clone(), standing.clone())
    );
    let (empty, flagged) = Schedule::from_stored(names, "{}", standing);
    assert!(matches!(flagged, Standing::Flagged { .. }) && (&empty.id, &empty.cron) == (&one.id, &one.cron));
}

/// A look at it must not find it due for ever.
#[test]
fn what_cannot_be_read_is_written_down_as_flagged() {
    let mut due = view(schedule("* * * * *"));
    let flagged = Standing::Flagged { problem: "it cannot be read".into() };
    due.standing = flagged.clone();
    let firing = plan(&due, START.after(MINUTE), &mut ids()).unwrap();
    assert_eq!((firing.then, firing.seen, firing.slots), (flagged, due.seen(), Vec::new()));
}

#[test]
fn a_run_by_hand_takes_no_slots_place() {
    let mut known = view(schedule("* * * * *"));
    let next = START.after(MINUTE);
    let at = |known: &ScheduleView, now| trigger(known, now, &mut ids()).slots[0].at;
    assert_eq!(at(&known, START), START);
    assert_eq!(at(&known, next), next.after(Duration::from_micros(1)), "the slot that is due");
    known.last_slot = Some(START);
    assert_eq!(at(&known, START), START.after(Duration::from_micros(1)), "one that was fired");
}

proptest! {
    /// However late and however often somebody looks, each slot is fired at most once, in order, and
    /// under *all* none is left out.
    #[test]
    fn looks_at_any_times_fire_each_slot_once(waits in proptest::collection::vec(1_u64..7_200, 1..40)) {
        let mut known = view(Schedule { misfire: Misfire::All(1_000), ..schedule("*/7 * * * *") });
        let (mut now, mut fired, mut ids) = (START, Vec::new(), ids());
        for wait in waits {
            now = now.after(Duration::from_secs(wait));
            let Some(firing) = plan(&known, now, &mut ids) else { continue };
            fired.extend(firing.slots.iter().map(|slot| slot.at));
            (known.standing, known.last_slot) = (firing.then, fired.last().copied());
        }
        let (mut expected, mut at) = (Vec::new(), START);
        while let Ok(next) = known.schedule.next_after(at) {
            if next > now { break; }
            expected.push(next);
            at = next;
        }
        prop_assert_eq!(fired, expected);
    }
}
