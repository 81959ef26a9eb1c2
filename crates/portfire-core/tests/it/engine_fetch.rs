//! When a server claims, how many, and from which queues first.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::engine::{Config, Effect, Engine, Event, Line, QueueConfig, QueueOrder};
use portfire_core::limits::CLAIM_MAX;
use portfire_core::storage::{Claimed, Exchanged, Expired, Polled, ServerOrder, Want};
use portfire_core::{Dice, ServerId};

use crate::engine::{answer, claimed, config, engine, finished, seconds, step, want};

fn queue(name: &str, weight: u32, slots: Option<u32>) -> QueueConfig {
    QueueConfig { name: Arc::from(name), weight, slots }
}

fn runs(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Run(_))).count()
}

/// An engine of three slots that runs one job, after a round trip in which the other two ended, and what it claims.
fn after_a_round_trip(prefetch_max: u32) -> (Engine, Want) {
    let mut engine = Engine::new(Config { prefetch_max, ..config(3) }, Dice::from_seed([1, 2]));
    let now = seconds(0);
    let first = want(&step(&mut engine, now)).unwrap().token;
    engine.on(now, answer(3, first));
    step(&mut engine, now);
    engine.on(now, finished(&claimed(1, first)));
    let second = want(&step(&mut engine, now)).unwrap().token;
    engine.on(now, finished(&claimed(2, first)));
    engine.on(now, finished(&claimed(3, first)));
    engine.on(now, answer(1, second));
    let third = want(&step(&mut engine, now)).unwrap();
    assert_eq!(engine.running(), 1);
    (engine, third)
}

#[test]
fn it_claims_ahead_as_many_as_ended_during_the_last_round_trip() {
    let limit = |prefetch_max| after_a_round_trip(prefetch_max).1.limit;
    assert_eq!(limit(4), 2 + 2);
    assert_eq!(limit(1), 2 + 1, "no more than configured");
    assert_eq!(limit(0), 2);
}

#[test]
fn one_round_trip_in_which_none_ended_halves_what_is_claimed_ahead() {
    let (mut engine, third) = after_a_round_trip(4);
    let now = seconds(0);
    engine.on(now, answer(4, third.token));
    assert!(want(&step(&mut engine, now)).is_none(), "three run, two wait");
    engine.on(now, finished(&claimed(1, third.token)));
    engine.on(now, finished(&claimed(2, third.token)));
    assert_eq!(want(&step(&mut engine, now)).unwrap().limit, 1);
}

/// Another server may have slots.
#[test]
fn what_waits_behind_long_jobs_goes_back_after_a_second() {
    let written = |effects: &[Effect]| {
        let outcomes = effects.iter().map(|effect| match effect {
            Effect::Exchange { settlements, .. } => settlements.len(),
            _ => 0,
        });
        outcomes.sum::<usize>()
    };
    let (mut engine, third) = after_a_round_trip(4);
    engine.on(seconds(0), answer(4, third.token));
    assert_eq!(runs(&step(&mut engine, seconds(0))), 2);
    let ended = Duration::from_millis(600);
    engine.on(ended, finished(&claimed(1, third.token)));
    assert_eq!(runs(&step(&mut engine, ended)), 1, "one of two that wait");
    engine.on(ended, Event::Exchanged(Line::First, Exchanged::default()));
    let at = ended + seconds(1);
    assert_eq!(written(&step(&mut engine, at - Duration::from_millis(1))), 0);
    assert!(engine.wake_at() <= at);
    let effects = step(&mut engine, at);
    assert_eq!((written(&effects), engine.running()), (1, 3), "{effects:?}");
    engine.on(at, Event::Exchanged(Line::First, Exchanged::default()));
    engine.on(at, Event::Woken);
    assert!(want(&step(&mut engine, at)).is_none(), "it is not claimed again");
}

/// They end elsewhere, and free no slot here.
#[test]
fn rescues_and_what_goes_back_are_no_reason_to_claim_ahead() {
    let mut engine = engine(2);
    let first = want(&step(&mut engine, seconds(0))).unwrap().token;
    let dead = Expired { facts: claimed(9, first).facts, server: ServerId::from_bytes([9; 16]) };
    engine.on(seconds(0), Event::Swept(Some(vec![dead; 3])));
    engine.on(seconds(0), answer(3, first));
    let cancel = vec![claimed(3, first).facts.lease];
    engine.on(seconds(0), Event::Beaten { sent_at: seconds(0), cancel, order: ServerOrder::Run });
    assert_eq!(runs(&step(&mut engine, seconds(0))), 2);
    engine.on(seconds(0), Event::Exchanged(Line::First, Exchanged::default()));
    engine.on(seconds(0), Event::Woken);
    assert!(want(&step(&mut engine, seconds(0))).is_none(), "both slots are taken");
}

#[test]
fn however_many_slots_there_are_it_claims_ahead() {
    let mut engine = Engine::new(Config { slots: u32::MAX, ..config(2) }, Dice::from_seed([1, 2]));
    let first = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(1, first));
    step(&mut engine, seconds(0));
    engine.on(seconds(0), Event::Woken);
    let second = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), finished(&claimed(1, first)));
    engine.on(seconds(0), answer(0, second));
    engine.on(seconds(0), Event::Woken);
    assert_eq!(want(&step(&mut engine, seconds(0))).unwrap().limit, CLAIM_MAX);
}

#[test]
fn what_has_no_slot_waits_for_one() {
    let mut engine = engine(1);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(2, token));
    assert_eq!(runs(&step(&mut engine, seconds(0))), 1);
    engine.on(seconds(0), finished(&claimed(1, token)));
    assert_eq!(runs(&step(&mut engine, seconds(0))), 1);
}

#[test]
fn a_full_claim_means_there_may_be_more_and_a_short_one_that_there_is_not() {
    for (count, asks_again) in [(4, true), (3, false)] {
        let mut engine = engine(4);
        engine.on(seconds(0), Event::Listens(true));
        let token = want(&step(&mut engine, seconds(0))).unwrap().token;
        engine.on(seconds(0), answer(count, token));
        step(&mut engine, seconds(0));
        engine.on(seconds(0), finished(&claimed(1, token)));
        assert_eq!(want(&step(&mut engine, seconds(0))).is_some(), asks_again, "{count} of 4");
        engine.on(seconds(0), Event::Exchanged(Line::First, Exchanged::default()));
        for enqueued in [false, true] {
            engine.on(seconds(1), Event::Polled(Some(Polled { enqueued, ..Polled::default() })));
            assert_eq!(
                want(&step(&mut engine, seconds(1))).is_some(),
                enqueued,
                "a poll says whether to ask"
            );
        }
    }
}

#[test]
fn a_queue_at_its_limit_is_left_out_and_comes_back() {
    let queues = vec![queue("default", 1, None), queue("narrow", 1, Some(1))];
    let mut engine = Engine::new(Config { queues, ..config(4) }, Dice::from_seed([1, 2]));
    let limits = |engine: &mut Engine| {
        let want = want(&step(engine, seconds(0)))?;
        let limits = want.queues.iter().map(|queue| (queue.name.to_string(), queue.limit));
        Some((want.token, limits.collect::<Vec<_>>()))
    };
    let both = vec![("default".to_owned(), 4), ("narrow".to_owned(), 1)];
    let (token, asked) = limits(&mut engine).unwrap();
    assert_eq!(asked, both);
    let job = Claimed { queue: "narrow".into(), ..claimed(1, token) };
    engine.on(
        seconds(0),
        Event::Exchanged(Line::First, Exchanged { claimed: vec![job.clone()], ..Exchanged::default() }),
    );
    engine.on(seconds(0), Event::Woken);
    assert_eq!(limits(&mut engine).unwrap().1, [("default".to_owned(), 3)]);
    engine.on(seconds(0), Event::Exchanged(Line::First, Exchanged::default()));
    assert!(limits(&mut engine).is_none(), "nothing hints at more");
    engine.on(seconds(0), finished(&job));
    assert_eq!(limits(&mut engine).unwrap().1, both, "its queue may have more");
}

#[test]
fn a_strict_order_is_kept_and_a_weighted_one_is_drawn() {
    let firsts = |order| {
        let queues = vec![queue("heavy", 3, None), queue("light", 1, None)];
        let mut engine = Engine::new(Config { queues, order, ..config(4) }, Dice::from_seed([1, 2]));
        let mut heavy = 0;
        for _ in 0..1_000 {
            engine.on(seconds(0), Event::Woken);
            let want = want(&step(&mut engine, seconds(0))).unwrap();
            assert_eq!(want.queues.len(), 2, "no queue is left out");
            heavy += u32::from(&*want.queues[0].name == "heavy");
            engine.on(seconds(0), Event::Exchanged(Line::First, Exchanged::default()));
        }
        heavy
    };
    assert_eq!(firsts(QueueOrder::Strict), 1_000);
    // Three of four, give or take five standard deviations of 1,000 draws.
    assert!((680..=820).contains(&firsts(QueueOrder::Weighted)));
}

#[test]
fn a_hint_makes_it_look_at_once() {
    let mut engine = engine(1);
    step(&mut engine, seconds(0));
    engine.on(seconds(0), Event::Exchanged(Line::First, Exchanged::default()));
    let moment = Duration::from_millis(100);
    assert!(want(&step(&mut engine, moment)).is_none());
    engine.on(moment, Event::Woken);
    assert!(want(&step(&mut engine, moment)).is_some());
    engine.on(moment, Event::QuietAsked);
    engine.on(moment, Event::Exchanged(Line::First, Exchanged::default()));
    engine.on(moment, Event::Woken);
    assert!(want(&step(&mut engine, seconds(5))).is_none(), "a quiet server takes no more");
}
