//! The duties every server has: look for work, promote what is due, rescue what is lost, delete what is old.

use std::time::Duration;

use portfire_core::engine::{Effect, Engine, Event, Line};
use portfire_core::storage::{Exchanged, Expired, Polled, Promoted, Settled};
use portfire_core::{JobId, Outcome, ServerId, State, Token};

use crate::engine::{answer, claimed, engine, seconds, step, want};

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// An engine whose first claim came back empty, and whose first poll and pruning are in flight.
fn sated() -> Engine {
    let mut engine = engine(1);
    step(&mut engine, seconds(0));
    engine.on(seconds(0), Event::Exchanged(Line::First, Exchanged::default()));
    assert!(polls(&step(&mut engine, seconds(0))));
    engine
}

fn polls(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Poll(_)))
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

fn looks_for_strangers(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::LookForStrangers))
}

fn expired(count: usize) -> Event {
    let dead = Expired {
        facts: claimed(9, Token::from_bytes([9; 16])).facts,
        server: ServerId::from_bytes([9; 16]),
    };
    Event::Swept(Some(vec![dead; count]))
}

/// A claim tells the storage where the jobs that are gone end, so that the poll need not walk over them, too.
#[test]
fn the_first_poll_comes_after_the_first_claim_but_waits_for_no_more_than_a_second() {
    for (answered, polled) in [(millis(9), millis(9)), (seconds(5), seconds(1))] {
        let mut engine = engine(1);
        assert!(!polls(&step(&mut engine, seconds(0))));
        assert!(!polls(&step(&mut engine, answered.min(polled) - millis(1))));
        if answered < seconds(1) {
            engine.on(answered, Event::Exchanged(Line::First, Exchanged::default()));
        }
        assert!(polls(&step(&mut engine, polled)), "{answered:?}");
    }
}

#[test]
fn it_looks_and_prunes_from_the_start_and_does_the_rest_when_there_is_reason_to() {
    let mut engine = engine(1);
    let mut first = step(&mut engine, seconds(0));
    engine.on(seconds(0), Event::Exchanged(Line::First, Exchanged::default()));
    first.append(&mut step(&mut engine, seconds(0)));
    assert!(polls(&first) && prunes(&first) && !promotes(&first) && !sweeps(&first));
    let later = step(&mut engine, seconds(20));
    assert!(!polls(&later) && !prunes(&later), "one of each at a time");
    let next = Some(Duration::ZERO);
    engine.on(seconds(20), Event::Polled(Some(Polled { next, expired: true, ..Polled::default() })));
    let asked = step(&mut engine, seconds(20));
    assert!(promotes(&asked) && sweeps(&asked));
}

#[test]
fn it_promotes_to_the_moment_when_the_next_job_is_due() {
    for at in [millis(300), seconds(9)] {
        for told in [
            Event::Promoted(Some(Promoted { next: Some(at), ..Promoted::default() })),
            Event::Polled(Some(Polled { next: Some(at), ..Polled::default() })),
        ] {
            let mut engine = sated();
            engine.on(seconds(0), told);
            assert!(!promotes(&step(&mut engine, at - millis(1))), "{at:?}");
            assert!(promotes(&step(&mut engine, at)), "{at:?}");
        }
    }
}

/// Others may hold what is due, as a transaction of the application that attaches a child to it.
#[test]
fn what_is_due_and_held_is_not_asked_for_without_pause() {
    let mut engine = sated();
    engine.on(seconds(0), Event::Woken);
    assert!(promotes(&step(&mut engine, millis(50))));
    let held = Promoted { next: Some(Duration::ZERO), ..Promoted::default() };
    engine.on(millis(51), Event::Promoted(Some(held)));
    assert!(!promotes(&step(&mut engine, millis(100))));
    assert!(promotes(&step(&mut engine, millis(101))));
    engine.on(millis(102), Event::Promoted(Some(Promoted { count: 1_000, ..held })));
    assert!(promotes(&step(&mut engine, millis(102))), "after a full one there are more");
}

/// Nobody else is awake at that moment, and no bell rings.
#[test]
fn what_it_settled_for_later_is_promoted_to_the_moment() {
    for (snooze, comes) in [(seconds(9), true), (Duration::MAX, false)] {
        let mut engine = engine(1);
        let token = want(&step(&mut engine, seconds(0))).unwrap().token;
        engine.on(seconds(0), answer(1, token));
        step(&mut engine, seconds(0));
        let facts = Box::new(claimed(1, token).facts);
        engine
            .on(seconds(1), Event::Finished { facts, outcome: Outcome::Snoozed(snooze), notes: Vec::new() });
        step(&mut engine, seconds(1));
        let settled = vec![Settled::Applied(State::Scheduled)];
        engine.on(seconds(2), Event::Exchanged(Line::First, Exchanged { settled, ..Exchanged::default() }));
        assert!(!promotes(&step(&mut engine, seconds(11) - millis(1))));
        assert_eq!(promotes(&step(&mut engine, seconds(11))), comes);
    }
}

#[test]
fn hints_hasten_a_promotion_but_not_more_often_than_twenty_times_a_second() {
    let mut engine = sated();
    engine.on(millis(1), Event::Promoted(Some(Promoted::default())));
    engine.on(millis(10), Event::Woken);
    assert!(!promotes(&step(&mut engine, millis(49))));
    assert!(promotes(&step(&mut engine, millis(50))));
}

/// Nothing else would tell what is due before the next poll, which may rest for a lease.
#[test]
fn a_promotion_that_failed_is_tried_again_after_a_second_or_as_long_as_it_took() {
    for (took, again) in [(millis(0), seconds(1)), (seconds(3), seconds(6))] {
        let mut engine = sated();
        engine.on(seconds(0), Event::Woken);
        assert!(promotes(&step(&mut engine, millis(50))));
        engine.on(millis(50) + took, Event::Promoted(None));
        engine.on(millis(50) + took, Event::Woken);
        assert!(!promotes(&step(&mut engine, again + millis(49))));
        assert!(promotes(&step(&mut engine, again + millis(50))), "no poll has ended");
    }
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

/// That is how it should be: all servers look for what is lost, and one of them finds it.
#[test]
fn a_rescue_that_another_server_won_is_nothing_to_report() {
    let mut engine = sated();
    engine.on(millis(1), expired(1));
    step(&mut engine, millis(1));
    let settled = vec![Settled::Lost];
    engine.on(millis(2), Event::Exchanged(Line::First, Exchanged { settled, ..Exchanged::default() }));
    let reports = |effect: &Effect| matches!(effect, Effect::ReportLost(_));
    assert!(!step(&mut engine, millis(2)).iter().any(reports));
}

#[test]
fn a_full_sweep_is_followed_by_another_soon() {
    for (count, at) in [(199, seconds(5)), (200, millis(500))] {
        let mut engine = sated();
        let lost = Event::Polled(Some(Polled { expired: true, ..Polled::default() }));
        engine.on(seconds(0), lost);
        assert!(sweeps(&step(&mut engine, seconds(0))));
        engine.on(seconds(0), expired(count));
        // What was found may not have been settled yet.
        let still = Event::Polled(Some(Polled { expired: true, ..Polled::default() }));
        engine.on(millis(1), still);
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

/// Their kind may be one that it does not know, and nobody would ever say so.
#[test]
fn what_a_poll_found_and_a_claim_did_not_get_is_looked_at() {
    let found = || Event::Polled(Some(Polled { enqueued: true, ..Polled::default() }));
    for (reason, got, looks) in
        [(found(), 0, true), (found(), 1, false), (Event::Woken, 0, false), (Event::Polled(None), 0, false)]
    {
        let mut engine = sated();
        engine.on(seconds(1), reason);
        let token = want(&step(&mut engine, seconds(1))).unwrap().token;
        engine.on(seconds(1), answer(got, token));
        assert_eq!(looks_for_strangers(&step(&mut engine, seconds(1))), looks, "{got}");
    }
}

/// It reads the head of each queue, which is long beside an old transaction.
#[test]
fn strangers_are_looked_for_once_a_minute_and_after_a_rest() {
    for (took, again) in [(seconds(1), seconds(60)), (seconds(50), seconds(80))] {
        let mut engine = sated();
        let in_vain = |engine: &mut Engine, at| {
            engine.on(at, Event::Beaten { sent_at: at, cancel: Vec::new(), order: Default::default() });
            engine.on(at, Event::Polled(Some(Polled { enqueued: true, ..Polled::default() })));
            assert!(want(&step(engine, at)).is_some());
            engine.on(at, Event::Exchanged(Line::First, Exchanged::default()));
            looks_for_strangers(&step(engine, at))
        };
        assert!(in_vain(&mut engine, seconds(0)));
        engine.on(took, Event::StrangersSeen);
        assert!(!in_vain(&mut engine, again - millis(1)), "{took:?}");
        assert!(looks_for_strangers(&step(&mut engine, again)), "{took:?}: it was put off");
    }
}
