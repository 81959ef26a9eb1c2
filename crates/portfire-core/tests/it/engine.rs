//! The server without I/O: what it decides, step by step.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::engine::{Config, Effect, Engine, Event, Line, Phase, QueueConfig, QueueOrder};
use portfire_core::storage::{Claimed, Exchanged, ServerOrder, Settled, Want};
use portfire_core::{Dice, Facts, JobId, Json, Lease, Outcome, Policy, State, Timestamp, Token};

pub(crate) const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn engine(slots: u32) -> Engine {
    Engine::new(config(slots), Dice::from_seed([1, 2]))
}

pub(crate) fn config(slots: u32) -> Config {
    let queue = QueueConfig { name: Arc::from("default"), weight: 1, slots: None };
    Config {
        slots,
        prefetch_max: slots * 2,
        beside_from: u32::MAX,
        queues: vec![queue],
        order: QueueOrder::Strict,
        kinds: Arc::from(["work".into()]),
        lease: seconds(30),
        poll: seconds(4),
        poll_alone: seconds(1),
        shutdown: seconds(30),
    }
}

pub(crate) fn step(engine: &mut Engine, now: Duration) -> Vec<Effect> {
    let mut effects = Vec::new();
    engine.step(now, &mut effects);
    effects
}

pub(crate) fn want(effects: &[Effect]) -> Option<Want> {
    effects.iter().find_map(|effect| match effect {
        Effect::Exchange { want, .. } => want.clone(),
        _ => None,
    })
}

pub(crate) fn claimed(number: u8, token: Token) -> Claimed {
    let lease = Lease { job: JobId::from_bytes([number; 16]), token };
    Claimed {
        facts: Facts { lease, kind: "work".into(), attempt: 1, crashes: 0, policy: Policy::default() },
        queue: "default".into(),
        args: Json::trusted("{}"),
        tags: Vec::new(),
        created_at: Timestamp::default(),
        parents: Vec::new(),
        slot: None,
    }
}

pub(crate) fn answer(jobs: u8, token: Token) -> Event {
    let claimed = (1..=jobs).map(|number| claimed(number, token)).collect();
    Event::Exchanged(Line::First, Exchanged { settled: Vec::new(), claimed, cancel: Vec::new() })
}

pub(crate) fn finished(job: &Claimed) -> Event {
    Event::Finished {
        facts: Box::new(job.facts.clone()),
        outcome: Outcome::Succeeded(None),
        notes: Vec::new(),
    }
}

#[test]
fn it_claims_no_more_than_it_can_run_and_runs_what_it_claims() {
    let mut engine = engine(4);
    let want = want(&step(&mut engine, seconds(0))).expect("a fresh server is hungry");
    assert_eq!(want.limit, 4);
    assert!(step(&mut engine, seconds(0)).is_empty(), "one claim at a time");
    engine.on(seconds(0), answer(4, want.token));
    let runs = step(&mut engine, seconds(0)).iter().filter(|effect| matches!(effect, Effect::Run(_))).count();
    assert_eq!((runs, engine.running()), (4, 4));
}

#[test]
fn a_failed_exchange_is_repeated_and_asks_for_nothing_new() {
    let mut engine = engine(2);
    let first = want(&step(&mut engine, seconds(0))).unwrap();
    engine.on(seconds(0), Event::ExchangeFailed(Line::First));
    assert!(want(&step(&mut engine, seconds(0))).is_none(), "it waits before it repeats");
    let later = engine.wake_at();
    assert!(later > seconds(0) && later < seconds(1));
    let repeat = want(&step(&mut engine, later)).unwrap();
    assert_eq!((repeat.token, repeat.limit, first.limit), (first.token, 0, 2));
    engine.on(later, Event::Exchanged(Line::First, Exchanged::default()));
    let next = want(&step(&mut engine, later)).expect("it asks anew, because the repeat took nothing");
    assert!(next.token != first.token && next.limit == 2);
}

#[test]
fn outcomes_outlive_a_dead_database() {
    let mut engine = engine(1);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(1, token));
    step(&mut engine, seconds(0));
    engine.on(seconds(1), finished(&claimed(1, token)));
    let mut now = seconds(1);
    for _ in 0..20 {
        let sent = step(&mut engine, now);
        let settles = |effect: &Effect| matches!(effect, Effect::Exchange { settlements, .. } if settlements.len() == 1);
        assert!(sent.iter().any(settles), "{sent:?}");
        engine.on(now, Event::ExchangeFailed(Line::First));
        engine.on(now, Event::Beaten { sent_at: now, cancel: Vec::new(), order: ServerOrder::Run });
        now += seconds(3);
    }
}

#[test]
fn it_stops_trusting_its_lease_before_others_may_rescue() {
    let mut engine = engine(1);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(1, token));
    step(&mut engine, seconds(0));
    let just_before = step(&mut engine, seconds(26));
    assert!(!just_before.iter().any(|effect| matches!(effect, Effect::Interrupt(_))));
    let at = step(&mut engine, seconds(27));
    assert!(at.iter().any(|effect| matches!(effect, Effect::Interrupt(_))));
    engine.on(seconds(28), finished(&claimed(1, token)));
    engine.on(seconds(28), Event::Woken);
    assert!(want(&step(&mut engine, seconds(28))).is_none(), "no claim without a lease");
    engine.on(
        seconds(29),
        Event::Exchanged(Line::First, Exchanged { settled: vec![Settled::Lost], ..Exchanged::default() }),
    );
    engine
        .on(seconds(29), Event::Beaten { sent_at: seconds(29), cancel: Vec::new(), order: ServerOrder::Run });
    let after = step(&mut engine, seconds(29));
    assert!(after.iter().any(|effect| matches!(effect, Effect::ReportLost(_))));
    assert!(want(&after).is_some(), "a renewed lease lets it claim again");
}

#[test]
fn stopping_drains_then_interrupts_then_aborts_then_gives_back() {
    let mut engine = engine(1);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(2, token));
    step(&mut engine, seconds(0));
    engine.on(seconds(1), Event::StopAsked);
    let gives_back = |effects: &[Effect]| {
        effects.iter().any(|effect| match effect {
            Effect::Exchange { settlements, want, .. } => {
                want.is_none() && settlements.len() == 1 && settlements[0].to.state() == State::Enqueued
            }
            _ => false,
        })
    };
    assert!(gives_back(&step(&mut engine, seconds(1))), "the job that had no slot goes back at once");
    engine.on(seconds(1), Event::Exchanged(Line::First, Exchanged::default()));
    assert_eq!(engine.phase(), Phase::Draining);
    engine
        .on(seconds(20), Event::Beaten { sent_at: seconds(20), cancel: Vec::new(), order: ServerOrder::Run });
    let interrupted = step(&mut engine, seconds(26));
    assert!(interrupted.iter().any(|effect| matches!(effect, Effect::Interrupt(_))));
    assert!(step(&mut engine, seconds(31)).iter().any(|effect| matches!(effect, Effect::AbortAll)));
    let facts = Box::new(claimed(1, token).facts);
    engine.on(seconds(31), Event::Finished { facts, outcome: Outcome::Interrupted, notes: Vec::new() });
    assert!(gives_back(&step(&mut engine, seconds(31))));
    engine.on(seconds(31), Event::Exchanged(Line::First, Exchanged::default()));
    assert!(step(&mut engine, seconds(31)).iter().any(|effect| matches!(effect, Effect::Stopped)));
}

#[test]
fn a_stop_within_less_time_interrupts_sooner_and_only_ever_sooner() {
    let mut engine = engine(1);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(1, token));
    step(&mut engine, seconds(0));
    engine.on(seconds(1), Event::StopAskedWithin(seconds(10)));
    engine.on(seconds(1), Event::StopAskedWithin(seconds(20)));
    step(&mut engine, seconds(8));
    assert_eq!(engine.phase(), Phase::Draining);
    let interrupted = step(&mut engine, seconds(9));
    assert!(interrupted.iter().any(|effect| matches!(effect, Effect::Interrupt(_))), "a fifth is left");
    assert!(step(&mut engine, seconds(11)).iter().any(|effect| matches!(effect, Effect::AbortAll)));
}

#[test]
fn it_never_wakes_in_the_past_while_it_waits_for_answers() {
    let mut engine = engine(1);
    step(&mut engine, seconds(0));
    assert!(engine.wake_at() > seconds(0), "everything is in flight: only the lease is left to watch");
}

/// A process that stood still: the heartbeat's thread wakes first, and its beat is answered before the
/// engine has looked at the time.
#[test]
fn a_lease_that_lapsed_is_lost_though_it_has_been_renewed_since() {
    let mut engine = engine(1);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(2, token));
    step(&mut engine, seconds(0));
    engine
        .on(seconds(60), Event::Beaten { sent_at: seconds(60), cancel: Vec::new(), order: ServerOrder::Run });
    let effects = step(&mut engine, seconds(60));
    let running = claimed(1, token).facts.lease;
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Interrupt(lease) if *lease == running)));
    let returns =
        |effect: &Effect| matches!(effect, Effect::Exchange { settlements, .. } if settlements.len() == 1);
    assert!(effects.iter().any(returns), "what waited for a slot is not started");
    engine
        .on(seconds(60), Event::Beaten { sent_at: seconds(70), cancel: Vec::new(), order: ServerOrder::Run });
    let again = step(&mut engine, seconds(70));
    assert!(!again.iter().any(|effect| matches!(effect, Effect::Interrupt(_))), "it is said once");
}

/// A server whose job was rescued claims it again while its own first attempt has not stopped yet.
#[test]
fn two_attempts_of_one_job_fill_two_slots() {
    let mut engine = engine(2);
    let first = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(1, first));
    step(&mut engine, seconds(0));
    engine.on(seconds(1), Event::Woken);
    let second = want(&step(&mut engine, seconds(1))).unwrap().token;
    engine.on(seconds(1), answer(1, second));
    step(&mut engine, seconds(1));
    assert_eq!(engine.running(), 2);
    engine.on(seconds(2), finished(&claimed(1, first)));
    assert_eq!(engine.running(), 1, "the second attempt still runs");
    let cancel = vec![claimed(1, first).facts.lease, claimed(1, second).facts.lease];
    engine.on(seconds(2), Event::Beaten { sent_at: seconds(2), cancel, order: ServerOrder::Run });
    let interrupted = step(&mut engine, seconds(2));
    let interrupts = |effect: &&Effect| matches!(effect, Effect::Interrupt(_));
    assert_eq!(interrupted.iter().filter(interrupts).count(), 1);
}

/// The answer was on its way while the process stood still past its lease: others may run these jobs.
#[test]
fn what_was_claimed_before_a_lapse_is_given_back_and_not_run() {
    let mut engine = engine(4);
    let want = want(&step(&mut engine, seconds(0))).unwrap();
    step(&mut engine, seconds(40));
    engine
        .on(seconds(40), Event::Beaten { sent_at: seconds(40), cancel: Vec::new(), order: ServerOrder::Run });
    step(&mut engine, seconds(40));
    engine.on(seconds(41), answer(1, want.token));
    let effects = step(&mut engine, seconds(41));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Run(_))));
    let given_back = effects.iter().any(|effect| {
        matches!(effect, Effect::Exchange { settlements, .. } if settlements.len() == 1 && settlements[0].lease.token == want.token)
    });
    assert!(given_back, "{effects:?}");
}
