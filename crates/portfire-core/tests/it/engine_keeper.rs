//! The duties every server has: promote what is due, rescue what is lost, delete what is old.

use std::time::Duration;

use portfire_core::engine::{Effect, Engine, Event};
use portfire_core::storage::{Exchanged, Expired, Promoted};
use portfire_core::{JobId, ServerId, State, Token};

use crate::engine::{claimed, engine, seconds, step, want};

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// An engine whose first claim came back empty, and whose duties are all in flight.
fn sated() -> Engine {
    let mut engine = engine(1);
    step(&mut engine, seconds(0));
    engine.on(seconds(0), Event::Exchanged(Exchanged::default()));
    engine
}

fn promotes(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Promote(_)))
}

fn sweeps(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Sweep(_)))
}

fn prunes(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Prune(_)))
}

fn expired(count: usize) -> Event {
    let dead = Expired {
        facts: claimed(9, Token::from_bytes([9; 16])).facts,
        server: ServerId::from_bytes([9; 16]),
    };
    Event::Swept(Some(vec![dead; count]))
}

#[test]
fn one_of_each_duty_is_in_flight_from_the_start() {
    let mut engine = engine(1);
    let first = step(&mut engine, seconds(0));
    assert!(promotes(&first) && sweeps(&first) && prunes(&first));
    let later = step(&mut engine, seconds(20));
    assert!(!promotes(&later) && !sweeps(&later) && !prunes(&later));
}

#[test]
fn it_promotes_when_the_next_job_is_due_or_by_polling() {
    for (next, at) in [(Some(millis(300)), millis(300)), (Some(seconds(9)), seconds(1)), (None, seconds(1))] {
        let mut engine = sated();
        engine.on(seconds(0), Event::Promoted(Some(Promoted { count: 0, next, next_slot: None })));
        assert!(!promotes(&step(&mut engine, at - millis(1))), "{next:?}");
        assert!(promotes(&step(&mut engine, at)), "{next:?}");
    }
}

#[test]
fn hints_hasten_a_promotion_but_not_more_often_than_twenty_times_a_second() {
    let mut engine = sated();
    engine.on(millis(1), Event::Promoted(None));
    engine.on(millis(10), Event::Woken);
    assert!(!promotes(&step(&mut engine, millis(49))));
    assert!(promotes(&step(&mut engine, millis(50))));
}

#[test]
fn what_was_promoted_is_claimed_at_once() {
    for count in [0, 1] {
        let mut engine = sated();
        engine.on(millis(1), Event::Promoted(Some(Promoted { count, next: None, next_slot: None })));
        assert_eq!(want(&step(&mut engine, millis(1))).is_some(), count > 0);
    }
}

#[test]
fn a_rescued_job_is_settled_as_a_crash_and_looked_for() {
    let mut engine = sated();
    engine.on(millis(1), expired(1));
    let effects = step(&mut engine, millis(1));
    let Some(Effect::Exchange { settlements, want, .. }) =
        effects.iter().find(|effect| matches!(effect, Effect::Exchange { .. }))
    else {
        panic!("it is written at once: {effects:?}")
    };
    assert!(settlements[0].only_if_expired && settlements[0].lease.job == JobId::from_bytes([9; 16]));
    assert_eq!(settlements[0].to.state(), State::Enqueued);
    assert!(want.is_some());
}

#[test]
fn a_full_sweep_is_followed_by_another_soon() {
    for (count, at) in [(199, seconds(5)), (200, millis(500))] {
        let mut engine = sated();
        engine.on(seconds(0), expired(count));
        assert!(!sweeps(&step(&mut engine, at - millis(1))), "{count}");
        assert!(sweeps(&step(&mut engine, at)), "{count}");
    }
}

#[test]
fn a_full_pruning_is_followed_by_another_at_once() {
    for (count, at) in [(999, seconds(60)), (1_000, millis(0))] {
        let mut engine = sated();
        engine.on(seconds(0), Event::Pruned(Some(count)));
        assert!(prunes(&step(&mut engine, at)), "{count}");
    }
    let mut engine = sated();
    engine.on(seconds(0), Event::Pruned(None));
    assert!(!prunes(&step(&mut engine, seconds(59))));
}

#[test]
fn a_server_that_stops_has_no_duties() {
    let mut engine = sated();
    engine.on(seconds(0), Event::Promoted(None));
    engine.on(seconds(0), Event::QuietAsked);
    assert!(!promotes(&step(&mut engine, seconds(2))));
}
