//! What a server asks for while nothing happens: little, and not too seldom.

use std::time::Duration;

use portfire_core::Dice;
use portfire_core::engine::{Config, Effect, Engine, Event, Line};
use portfire_core::storage::{Exchanged, Polled, Promoted};

use crate::engine::{answer, config, engine, seconds, step, want};

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Lets a server live on a storage in which nothing is, until this moment; answers when it asked for what.
fn live(engine: &mut Engine, until: Duration) -> Vec<(Duration, &'static str)> {
    let (mut asked, mut now) = (Vec::new(), Duration::ZERO);
    while now < until {
        // Heartbeats go their own way.
        engine.on(now, Event::Beaten { sent_at: now, cancel: Vec::new(), order: Default::default() });
        for effect in step(engine, now) {
            let (name, answer) = match effect {
                Effect::Poll(_) => ("poll", Event::Polled(Some(Polled::default()))),
                Effect::Promote(_) => ("promote", Event::Promoted(Some(Promoted::default()))),
                Effect::Sweep(_) => ("sweep", Event::Swept(Some(Vec::new()))),
                Effect::Prune(_) => ("prune", Event::Pruned(Some(0))),
                Effect::Exchange { .. } => ("exchange", Event::Exchanged(Line::First, Exchanged::default())),
                other => panic!("an idle server does {other:?}"),
            };
            asked.push((now, name));
            engine.on(now, answer);
        }
        now = engine.wake_at().max(now).min(now + seconds(10));
    }
    asked
}

fn polls(asked: &[(Duration, &str)]) -> Vec<Duration> {
    asked.iter().filter(|(_, name)| *name == "poll").map(|(at, _)| *at).collect()
}

fn idle(config: Config, listens: bool, until: Duration) -> Vec<(Duration, &'static str)> {
    let mut engine = Engine::new(config, Dice::from_seed([1, 2]));
    engine.on(Duration::ZERO, Event::Listens(listens));
    live(&mut engine, until)
}

/// Each call is a transaction, but for a pruning, which is some; heartbeats are six a minute.
#[test]
fn an_idle_server_asks_the_storage_at_most_thirty_times_a_minute() {
    let asked = idle(config(4), true, seconds(660));
    for minute in 1..10 {
        let within = |at: &Duration| *at >= seconds(minute * 60) && *at < seconds(minute * 60 + 60);
        let calls: Vec<_> = asked.iter().filter(|(at, _)| within(at)).map(|(_, name)| *name).collect();
        let prunings = calls.iter().filter(|name| **name == "prune").count();
        assert_eq!(calls.iter().filter(|name| **name == "poll").count(), 15, "{calls:?}");
        assert_eq!(calls.len(), 15 + prunings, "it asks for nothing else");
        assert!(calls.len() + 8 * prunings + 6 <= 30, "minute {minute}: {calls:?}");
    }
    let prunings = asked.iter().filter(|(_, name)| *name == "prune");
    assert_eq!(prunings.map(|(at, _)| at.as_secs()).collect::<Vec<_>>(), [0, 300, 600]);
}

#[test]
fn it_looks_ever_less_often_until_something_happens() {
    let mut engine = engine(1);
    engine.on(seconds(0), Event::Listens(true));
    let asked = live(&mut engine, seconds(16));
    assert_eq!(polls(&asked), [0, 1, 3, 7, 11, 15].map(seconds));
    engine.on(seconds(16), Event::Woken);
    let effects = step(&mut engine, seconds(16));
    assert!(want(&effects).is_some(), "a hint is followed at once");
    engine.on(seconds(16), Event::Exchanged(Line::First, Exchanged::default()));
    let is_poll = |effect: &Effect| matches!(effect, Effect::Poll(_));
    assert!(!step(&mut engine, seconds(17) - millis(1)).iter().any(is_poll));
    assert!(step(&mut engine, seconds(17)).iter().any(is_poll));
}

#[test]
fn a_claim_that_found_something_makes_it_look_again_soon() {
    let mut engine = engine(2);
    engine.on(seconds(0), Event::Listens(true));
    live(&mut engine, seconds(16));
    engine.on(seconds(16), Event::Woken);
    let token = want(&step(&mut engine, seconds(16))).unwrap().token;
    engine.on(seconds(16) + millis(1), Event::Polled(None));
    engine.on(seconds(18), answer(1, token));
    let is_poll = |effect: &Effect| matches!(effect, Effect::Poll(_));
    assert!(step(&mut engine, seconds(19)).iter().any(is_poll));
}

/// Where no hints come every job waits for a look, so there it looks as often as ever.
#[test]
fn a_server_that_hears_nothing_looks_every_second() {
    let each_second: Vec<_> = (0..20).map(seconds).collect();
    assert_eq!(polls(&idle(config(1), false, seconds(20))), each_second);
    let mut engine = engine(1);
    engine.on(seconds(0), Event::Listens(true));
    live(&mut engine, seconds(12));
    engine.on(seconds(12), Event::Listens(false));
    assert_eq!(engine.wake_at(), seconds(13), "once it hears nothing, it does not wait any longer");
}

#[test]
fn what_was_said_is_the_longest_pause_and_six_looks_per_lease_are_the_least() {
    let longest = |poll: Duration, lease: Duration| {
        let config = Config { poll, poll_alone: poll, lease, ..config(1) };
        let polls = polls(&idle(config, true, seconds(300)));
        polls.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
    };
    assert_eq!(longest(millis(200), seconds(30)), millis(200));
    assert_eq!(longest(seconds(10), seconds(120)), seconds(10));
    assert_eq!(longest(seconds(60), seconds(30)), seconds(5), "the dead ring no bell");
}

/// A look that fails says nothing, so it is not waited for longer, and a claim is tried all the same.
#[test]
fn a_failed_look_is_repeated_after_a_second() {
    let mut engine = engine(1);
    engine.on(seconds(0), Event::Listens(true));
    live(&mut engine, seconds(12));
    let at = engine.wake_at();
    assert!(matches!(step(&mut engine, at)[..], [Effect::Poll(_)]));
    engine.on(at, Event::Polled(None));
    assert!(want(&step(&mut engine, at)).is_some());
    engine.on(at, Event::Exchanged(Line::First, Exchanged::default()));
    assert_eq!(engine.wake_at(), at + seconds(1));
}

/// Ends a look that began then and took this long; answers when the next one comes, whatever hints at it.
fn next_look(engine: &mut Engine, began: Duration, took: Duration, is_answered: bool) -> Duration {
    let is_poll = |effect: &Effect| matches!(effect, Effect::Poll(_));
    let mut now = began + took;
    engine.on(now, Event::Polled(is_answered.then(Polled::default)));
    engine.on(now, Event::Woken);
    while !step(engine, now).iter().any(is_poll) {
        now += millis(100);
    }
    now
}

/// Beside an old transaction a look may walk over millions of rows that are gone, to its end or to its deadline.
#[test]
fn looks_that_take_long_are_followed_by_a_rest_of_a_lease_at_most() {
    for is_answered in [true, false] {
        for (took, rest) in [(millis(500), millis(9_500)), (seconds(20), seconds(30))] {
            let mut engine = engine(1);
            step(&mut engine, seconds(0));
            step(&mut engine, seconds(1));
            let second = next_look(&mut engine, seconds(1), took, is_answered);
            assert_eq!(second, seconds(2) + took, "the first may have met a hiccup");
            let third = next_look(&mut engine, second, took, is_answered);
            assert_eq!(third, second + took + rest);
            let fourth = next_look(&mut engine, third, millis(50), true);
            assert_eq!(fourth, third + millis(50) + seconds(1));
            let fifth = next_look(&mut engine, fourth, took, is_answered);
            assert_eq!(fifth, fourth + took + seconds(1), "a short one ends the row");
        }
    }
}

/// Between two heartbeats nobody else would tell of a cancel request.
#[test]
fn who_hears_nothing_and_runs_something_asks_for_cancel_requests_with_each_look() {
    for (listens, asks) in [(false, true), (true, false)] {
        let mut engine = engine(1);
        engine.on(seconds(0), Event::Listens(listens));
        let token = want(&step(&mut engine, seconds(0))).unwrap().token;
        engine.on(seconds(0), answer(1, token));
        step(&mut engine, seconds(0));
        engine.on(seconds(1), Event::Polled(Some(Polled::default())));
        let exchanges = |effect: &Effect| matches!(effect, Effect::Exchange { .. });
        assert_eq!(step(&mut engine, seconds(1)).iter().any(exchanges), asks);
    }
}
