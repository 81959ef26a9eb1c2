//! What a server writes, and when it repeats itself.

use std::time::Duration;

use portfire_core::Settlement;
use portfire_core::engine::{Effect, Engine, Event, Line};
use portfire_core::storage::{Exchanged, Note, Progress, ServerOrder, Want};

use crate::engine::{answer, claimed, engine, finished, seconds, step, want};

/// What was sent, if anything.
fn sent(effects: Vec<Effect>) -> Option<(Vec<Note>, Vec<Settlement>, Option<Want>)> {
    effects.into_iter().find_map(|effect| match effect {
        Effect::Exchange { notes, settlements, want, .. } => Some((notes, settlements, want)),
        _ => None,
    })
}

fn collects(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::CollectNotes))
}

/// An engine of two slots that runs one job, has told everything, and is sated.
fn running_one() -> (Engine, portfire_core::Token) {
    let mut engine = engine(2);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(1, token));
    assert!(collects(&step(&mut engine, seconds(0))));
    (engine, token)
}

#[test]
fn failed_exchanges_are_repeated_ever_later_up_to_two_seconds() {
    let mut engine = engine(1);
    let mut now = seconds(0);
    step(&mut engine, now);
    engine.on(now, Event::Exchanged(Line::First, Exchanged::default()));
    engine.on(now, Event::Woken);
    let waits: Vec<_> = (0..8)
        .map(|_| {
            assert!(sent(step(&mut engine, now)).is_some());
            engine.on(now, Event::Beaten { sent_at: now, cancel: Vec::new(), order: ServerOrder::Run });
            engine.on(now, Event::ExchangeFailed(Line::First));
            let wait = engine.wake_at() - now;
            now = engine.wake_at();
            wait.as_millis()
        })
        .collect();
    assert_eq!(waits, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
    step(&mut engine, now);
    engine.on(now, Event::Exchanged(Line::First, Exchanged::default()));
    engine.on(now, Event::Woken);
    step(&mut engine, now);
    engine.on(now, Event::ExchangeFailed(Line::First));
    assert_eq!(engine.wake_at() - now, Duration::from_millis(50), "an answer ends the row");
}

#[test]
fn a_repetition_is_what_was_sent_and_what_came_since_follows() {
    let (mut engine, token) = running_one();
    let job = claimed(1, token);
    engine.on(seconds(0), finished(&job));
    let (_, first, none) = sent(step(&mut engine, seconds(0))).unwrap();
    assert!(none.is_none());
    engine.on(seconds(0), Event::ExchangeFailed(Line::First));
    engine.on(seconds(0), Event::Woken);
    engine.on(seconds(0), Event::Noted(vec![Note::Progress(job.facts.lease, Progress::default())]));
    let later = engine.wake_at();
    let (notes, again, none) = sent(step(&mut engine, later)).unwrap();
    assert_eq!((again, notes.len(), none.is_none()), (first, 0, true));
    engine.on(later, Event::Exchanged(Line::First, Exchanged::default()));
    let (notes, rest, want) = sent(step(&mut engine, later)).unwrap();
    assert_eq!((rest.len(), notes.len()), (0, 1));
    assert!(want.is_some(), "the hint was not forgotten");
}

#[test]
fn what_an_attempt_said_last_travels_with_its_outcome() {
    let (mut engine, token) = running_one();
    let note = Note::Progress(claimed(1, token).facts.lease, Progress { done: 1, ..Progress::default() });
    let Event::Finished { facts, outcome, .. } = finished(&claimed(1, token)) else { unreachable!() };
    engine.on(seconds(0), Event::Finished { facts, outcome, notes: vec![note.clone()] });
    let (notes, settlements, _) = sent(step(&mut engine, seconds(0))).unwrap();
    assert_eq!((notes, settlements.len()), (vec![note], 1));
}

#[test]
fn running_attempts_are_asked_what_they_say_twice_a_second() {
    let (mut engine, token) = running_one();
    assert!(!collects(&step(&mut engine, Duration::from_millis(499))));
    assert_eq!(engine.wake_at(), Duration::from_millis(500));
    assert!(collects(&step(&mut engine, Duration::from_millis(500))));
    engine.on(seconds(1), finished(&claimed(1, token)));
    assert!(!collects(&step(&mut engine, seconds(1))), "nobody runs");
}

#[test]
fn a_hint_asks_for_cancel_requests_while_something_runs() {
    let mut engine = engine(1);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(1, token));
    assert!(sent(step(&mut engine, seconds(0))).is_none(), "there is no slot and nothing to tell");
    engine.on(seconds(0), Event::Woken);
    let (_, _, want) = sent(step(&mut engine, seconds(0))).unwrap();
    assert!(want.is_none());
    let lease = claimed(1, token).facts.lease;
    engine.on(
        seconds(0),
        Event::Exchanged(Line::First, Exchanged { cancel: vec![lease], ..Exchanged::default() }),
    );
    let effects = step(&mut engine, seconds(0));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Interrupt(asked) if *asked == lease)));
}
