//! From a promotion that tells of a due slot to the firing, and back to sleep.

use std::time::Duration;

use portfire_core::engine::{Effect, Engine, Event, Line};
use portfire_core::limits::SCHEDULES_MAX;
use portfire_core::storage::{DueSchedules, Exchanged, Fired, Promoted};
use portfire_core::{Json, Misfire, Overlap, Policy, Schedule, ScheduleView, Standing, Template, Timestamp};

use crate::engine::{engine, seconds, step, want};

/// When the schedules of these cases are due, by the storage's clock.
const SLOT: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// An engine that was told by its first promotion how long until the next slot.
fn told(next_slot: Option<Duration>) -> Engine {
    let mut engine = engine(1);
    step(&mut engine, seconds(0));
    engine.on(seconds(0), Event::Exchanged(Line::First, Exchanged::default()));
    engine.on(seconds(0), Event::Promoted(Some(Promoted { count: 0, next: None, next_slot })));
    engine
}

fn looks(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::LookForSchedules(_)))
}

fn promotes(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Promote(_)))
}

fn due(count: u32) -> Event {
    let job = Template {
        kind: "work".into(),
        queue: "default".into(),
        priority: 0,
        args: Json::trusted("{}"),
        policy: Policy::default(),
        tags: Vec::new(),
    };
    let schedule = |n: u32| Schedule {
        id: format!("schedule {n}").into(),
        cron: "* * * * *".into(),
        zone: "UTC".into(),
        misfire: Misfire::Once,
        overlap: Overlap::Allow,
        job: job.clone(),
    };
    let view = |n| ScheduleView {
        schedule: schedule(n),
        revision: 1,
        standing: Standing::Active { next: SLOT },
        last_slot: None,
        last_run: None,
        created_at: SLOT,
    };
    Event::SchedulesSeen(Some(DueSchedules { now: SLOT, due: (0..count).map(view).collect() }))
}

#[test]
fn it_sleeps_until_the_next_slot_and_then_looks() {
    let mut engine = told(Some(seconds(1) / 2));
    let effects = step(&mut engine, Duration::from_millis(499));
    assert!(!looks(&effects) && !promotes(&effects));
    assert!(
        promotes(&step(&mut engine, Duration::from_millis(500))),
        "the promotion tells whether it is due"
    );
    let is_due = Promoted { count: 0, next: None, next_slot: Some(Duration::ZERO) };
    engine.on(Duration::from_millis(501), Event::Promoted(Some(is_due)));
    assert!(looks(&step(&mut engine, Duration::from_millis(501))));
}

#[test]
fn what_is_due_is_planned_fired_and_claimed() {
    let mut engine = told(Some(Duration::ZERO));
    assert!(looks(&step(&mut engine, seconds(0))));
    assert!(!looks(&step(&mut engine, seconds(9))), "one look at a time");
    engine.on(seconds(9), due(2));
    let effects = step(&mut engine, seconds(9));
    let fired = effects.iter().find_map(|effect| match effect {
        Effect::Fire(firings) => Some(firings),
        _ => None,
    });
    let slots: Vec<_> = fired.unwrap().iter().map(|firing| firing.slots[0].at).collect();
    assert_eq!(slots, [SLOT, SLOT]);
    engine.on(seconds(9), Event::Exchanged(Line::First, Exchanged::default()));
    step(&mut engine, seconds(9));
    engine.on(seconds(9), Event::Exchanged(Line::First, Exchanged::default()));
    engine.on(seconds(9), Event::Fired(Some(vec![Fired::Lost, Fired::Lost])));
    assert!(want(&step(&mut engine, seconds(9))).is_some(), "its jobs, or those of who was faster");
}

#[test]
fn after_a_full_look_it_looks_again_at_once() {
    for (count, again) in [(SCHEDULES_MAX, true), (SCHEDULES_MAX - 1, false)] {
        let mut engine = told(Some(Duration::ZERO));
        step(&mut engine, seconds(0));
        engine.on(seconds(0), due(count));
        step(&mut engine, seconds(0));
        engine.on(seconds(0), Event::Fired(Some(Vec::new())));
        assert_eq!(looks(&step(&mut engine, seconds(0))), again);
    }
}

/// A firing that fails for good must not be tried twenty times a second, nor may it wait for a poll, which may rest.
#[test]
fn what_failed_is_tried_again_after_a_second_or_as_long_as_it_took() {
    for (took, again) in [(Duration::ZERO, seconds(1)), (seconds(3), seconds(6))] {
        for failed in [Event::SchedulesSeen(None), Event::Fired(None)] {
            let mut engine = told(Some(Duration::ZERO));
            step(&mut engine, seconds(0));
            if matches!(failed, Event::Fired(_)) {
                engine.on(seconds(0), due(1));
                step(&mut engine, seconds(0));
            }
            engine.on(took, failed);
            engine.on(took, Event::Woken);
            assert!(promotes(&step(&mut engine, took + Duration::from_millis(50))));
            let still = Promoted { next_slot: Some(Duration::ZERO), ..Promoted::default() };
            engine.on(took + Duration::from_millis(60), Event::Promoted(Some(still)));
            assert!(!looks(&step(&mut engine, again - Duration::from_millis(1))), "whoever asks");
            assert!(looks(&step(&mut engine, again)), "and no poll has ended");
        }
    }
}
