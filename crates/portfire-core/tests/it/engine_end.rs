//! How a server lets go: of a lease it may have lost, of jobs somebody cancels, of everything when it stops.

use std::time::Duration;

use portfire_core::engine::{Config, Effect, Engine, Event, Line, Phase};
use portfire_core::storage::{Exchanged, ServerOrder};
use portfire_core::{Dice, Settlement, State, Target, Token};

use crate::engine::{answer, claimed, config, engine, finished, seconds, step, want};

/// An engine of one slot that runs job 1, and holds job 2 until the slot is free.
fn with_one_waiting() -> (Engine, Token) {
    with_one_waiting_since(seconds(0))
}

fn with_one_waiting_since(moment: Duration) -> (Engine, Token) {
    let mut engine = engine(1);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(moment, answer(2, token));
    step(&mut engine, moment);
    (engine, token)
}

fn settlements(effects: &[Effect]) -> Vec<Settlement> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Exchange { settlements, .. } => Some(settlements.clone()),
        _ => None,
    });
    sent.flatten().collect()
}

fn stops(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Stopped))
}

fn interrupts(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Interrupt(_)))
}

/// That the only thing written is job 2, given back uncharged.
fn assert_given_back(effects: &[Effect], token: Token) {
    let written = settlements(effects);
    assert_eq!(written.len(), 1, "{effects:?}");
    assert_eq!(written[0].lease, claimed(2, token).facts.lease);
    assert!(matches!(written[0].to, Target::Again { state: State::Enqueued, attempts: 0, .. }));
}

#[test]
fn a_lost_lease_gives_back_what_has_not_begun() {
    let (mut engine, token) = with_one_waiting_since(Duration::from_millis(26_500));
    assert!(settlements(&step(&mut engine, Duration::from_millis(26_999))).is_empty());
    assert_given_back(&step(&mut engine, seconds(27)), token);
}

#[test]
fn a_late_answer_to_an_old_heartbeat_does_not_shorten_trust() {
    let (mut engine, _) = with_one_waiting();
    engine
        .on(seconds(11), Event::Beaten { sent_at: seconds(10), cancel: Vec::new(), order: ServerOrder::Run });
    engine
        .on(seconds(12), Event::Beaten { sent_at: seconds(5), cancel: Vec::new(), order: ServerOrder::Run });
    assert!(!interrupts(&step(&mut engine, seconds(36))));
    assert!(interrupts(&step(&mut engine, seconds(37))));
}

#[test]
fn a_cancelled_job_that_has_not_begun_never_begins() {
    let (mut engine, token) = with_one_waiting();
    let cancel = vec![claimed(2, token).facts.lease];
    engine.on(seconds(1), Event::Beaten { sent_at: seconds(1), cancel, order: ServerOrder::Run });
    let effects = step(&mut engine, seconds(1));
    assert!(!interrupts(&effects));
    assert_given_back(&effects, token);
    assert_eq!(settlements(&effects)[0].if_cancelled.as_ref().map(Target::state), Some(State::Cancelled));
}

#[test]
fn it_has_not_stopped_before_everything_is_written() {
    let mut engine = engine(1);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(1, token));
    step(&mut engine, seconds(0));
    engine.on(seconds(1), Event::StopAsked);
    engine.on(seconds(1), finished(&claimed(1, token)));
    assert!(!stops(&step(&mut engine, seconds(1))), "the outcome is on its way");
    engine.on(seconds(2), Event::ExchangeFailed(Line::First));
    assert!(!stops(&step(&mut engine, seconds(2))), "and again");
    assert!(!stops(&step(&mut engine, seconds(3))), "it is repeated now");
    engine.on(seconds(3), Event::Exchanged(Line::First, Exchanged::default()));
    assert!(stops(&step(&mut engine, seconds(3))));
    assert_eq!(engine.phase(), Phase::Stopped);
    assert!(step(&mut engine, seconds(4)).is_empty());
}

/// Whether it has ended without having given back everything.
fn gives_up(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::GaveUp))
}

/// An engine whose time to stop is over, and which has dropped job 1.
fn aborted() -> (Engine, Token) {
    let mut engine = engine(1);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(1, token));
    step(&mut engine, seconds(0));
    engine.on(seconds(1), Event::StopAskedWithin(seconds(2)));
    step(&mut engine, seconds(3));
    step(&mut engine, seconds(3));
    assert_eq!(engine.phase(), Phase::Aborting);
    (engine, token)
}

/// A process must be able to end though its database does not come back.
#[test]
fn a_stop_does_not_wait_for_a_storage_that_is_away() {
    for is_answered in [true, false] {
        let (mut engine, token) = aborted();
        engine.on(seconds(3), finished(&claimed(1, token)));
        let mut now = seconds(3);
        while now < seconds(8) {
            let effects = step(&mut engine, now);
            assert!(!gives_up(&effects) && !stops(&effects), "{now:?}");
            if is_answered && settlements(&effects).len() == 1 {
                engine.on(now, Event::ExchangeFailed(Line::First));
            }
            now = engine.wake_at();
        }
        assert_eq!(now, seconds(8));
        let last = step(&mut engine, now);
        assert!(gives_up(&last) && !stops(&last), "five seconds later: {last:?}");
        assert_eq!(engine.phase(), Phase::Stopped);
        assert!(step(&mut engine, seconds(9)).is_empty());
    }
}

#[test]
fn a_stop_does_not_wait_for_a_handler_that_blocks_its_thread() {
    let (mut engine, _) = aborted();
    assert!(!gives_up(&step(&mut engine, Duration::from_millis(7_999))));
    assert!(engine.wake_at() <= seconds(8));
    assert!(gives_up(&step(&mut engine, seconds(8))));
}

/// What it waits for had no chance to come.
#[test]
fn a_process_that_stood_still_waits_all_the_same() {
    let mut engine = with_one_waiting().0;
    engine.on(seconds(0), Event::Exchanged(Line::First, Exchanged::default()));
    engine.on(seconds(1), Event::StopAskedWithin(seconds(2)));
    for late in [100, 100, 104] {
        assert!(!gives_up(&step(&mut engine, seconds(late))));
    }
    assert!(gives_up(&step(&mut engine, seconds(105))));
}

/// `Duration::MAX` is a way to say that a stop may take as long as it takes.
#[test]
fn a_stop_without_a_limit_waits_and_may_be_given_one() {
    let config = Config { shutdown: Duration::MAX, ..config(1) };
    let mut engine = Engine::new(config, Dice::from_seed([1, 2]));
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(1, token));
    step(&mut engine, seconds(0));
    engine.on(seconds(1), Event::StopAsked);
    assert!(!interrupts(&step(&mut engine, seconds(20))));
    engine.on(seconds(20), Event::StopAskedWithin(seconds(5)));
    assert!(interrupts(&step(&mut engine, seconds(24))));
}

#[test]
fn asking_again_neither_revives_nor_delays_a_stop() {
    let (mut engine, _) = with_one_waiting();
    engine.on(seconds(1), Event::StopAsked);
    engine.on(seconds(2), Event::QuietAsked);
    assert_eq!(engine.phase(), Phase::Draining);
    engine
        .on(seconds(20), Event::Beaten { sent_at: seconds(20), cancel: Vec::new(), order: ServerOrder::Run });
    engine.on(seconds(20), Event::StopAsked);
    assert!(interrupts(&step(&mut engine, seconds(26))), "five seconds before the deadline of the first");
}
