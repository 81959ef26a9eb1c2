//! Two exchanges in flight: when the second is made, and what each may carry.

use std::time::Duration;

use portfire_core::engine::{Config, Effect, Engine, Event, Line};
use portfire_core::storage::{Exchanged, Note, Progress, ServerOrder};
use portfire_core::{Dice, Token};

use crate::engine::{claimed, config, finished, seconds, step};

const NOW: Duration = Duration::ZERO;

/// An exchange as it was sent: its line, and how much is in it.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    line: Line,
    notes: usize,
    outcomes: usize,
    want: Option<(Token, u32)>,
}

fn sent(engine: &mut Engine, now: Duration) -> Vec<Sent> {
    let exchange = |effect| match effect {
        Effect::Exchange { line, notes, settlements, want } => Some(Sent {
            line,
            notes: notes.len(),
            outcomes: settlements.len(),
            want: want.map(|want| (want.token, want.limit)),
        }),
        _ => None,
    };
    step(engine, now).into_iter().filter_map(exchange).collect()
}

/// What an exchange of these sizes would be.
fn writes(line: Line, outcomes: usize) -> Sent {
    Sent { line, notes: 0, outcomes, want: None }
}

fn claims(line: Line, want: Option<(Token, u32)>) -> Sent {
    Sent { line, notes: 0, outcomes: 0, want }
}

/// Answers with this many jobs, which have this token.
fn answers(engine: &mut Engine, line: Line, token: Token, jobs: u8) {
    let claimed = (1..=jobs).map(|number| claimed(number, token)).collect();
    engine.on(NOW, Event::Exchanged(line, Exchanged { claimed, ..Exchanged::default() }));
}

fn ends(engine: &mut Engine, token: Token, jobs: impl IntoIterator<Item = u8>) {
    for job in jobs {
        engine.on(NOW, finished(&claimed(job, token)));
    }
}

/// An engine of eight slots, for which two are a batch, that runs eight jobs of a backlog; and their token.
fn busy() -> (Engine, Token) {
    let mut engine = Engine::new(Config { beside_from: 2, ..config(8) }, Dice::from_seed([1, 2]));
    let (token, _) = sent(&mut engine, NOW)[0].want.unwrap();
    answers(&mut engine, Line::First, token, 8);
    assert!(sent(&mut engine, NOW).is_empty(), "no slot is free");
    (engine, token)
}

/// The same, with one exchange in flight that writes two outcomes and one that claims; and what that one wants.
fn both_in_flight() -> (Engine, Token, (Token, u32)) {
    let (mut engine, token) = busy();
    ends(&mut engine, token, [1, 2]);
    let both = sent(&mut engine, NOW);
    let want = both[1].want;
    assert_eq!(both, [writes(Line::First, 2), claims(Line::Second, want)]);
    (engine, token, want.unwrap())
}

#[test]
fn two_batches_go_side_by_side_and_less_goes_together() {
    let (_, _, (_, limit)) = both_in_flight();
    assert_eq!(limit, 2);
    let (mut engine, token) = busy();
    ends(&mut engine, token, [1]);
    let one = sent(&mut engine, NOW);
    assert!(matches!(one[..], [Sent { line: Line::First, outcomes: 1, want: Some((_, 1)), .. }]), "{one:?}");
}

#[test]
fn beside_a_claim_goes_a_batch_of_outcomes() {
    let (mut engine, token, _) = both_in_flight();
    answers(&mut engine, Line::First, token, 0);
    ends(&mut engine, token, [3]);
    assert!(sent(&mut engine, NOW).is_empty(), "one outcome waits");
    ends(&mut engine, token, [4]);
    assert_eq!(sent(&mut engine, NOW), [writes(Line::First, 2)], "and the claim is still in flight");
    ends(&mut engine, token, [5, 6, 7]);
    assert!(sent(&mut engine, NOW).is_empty(), "writes have one order");
}

#[test]
fn beside_outcomes_goes_a_claim_only_under_a_backlog() {
    for (jobs, has_backlog) in [(2, true), (1, false)] {
        let (mut engine, token, (next, _)) = both_in_flight();
        ends(&mut engine, token, [3, 4]);
        answers(&mut engine, Line::Second, next, jobs);
        engine.on(NOW, Event::Woken); // So it is hungry in any case.
        let claim = sent(&mut engine, NOW);
        assert_eq!(claim.len(), usize::from(has_backlog), "{claim:?}");
        assert!(
            claim.iter().all(|sent| sent.line == Line::Second && sent.outcomes == 0 && sent.want.is_some())
        );
    }
}

#[test]
fn what_an_attempt_says_is_never_behind_its_outcome() {
    let (mut engine, token, _) = both_in_flight();
    let note = Note::Progress(claimed(3, token).facts.lease, Progress::default());
    engine.on(NOW, Event::Noted(vec![note]));
    answers(&mut engine, Line::Second, token, 0);
    assert!(sent(&mut engine, NOW).is_empty(), "what is written is in flight already");
    ends(&mut engine, token, [3, 4]);
    assert!(sent(&mut engine, NOW).is_empty());
    answers(&mut engine, Line::First, token, 0);
    let both = sent(&mut engine, NOW);
    assert_eq!((both[0].notes, both[0].outcomes), (1, 2), "{both:?}");
}

#[test]
fn each_is_repeated_on_its_own_line_and_nothing_else_is_sent_meanwhile() {
    let (mut engine, token, (next, _)) = both_in_flight();
    ends(&mut engine, token, [3, 4, 5, 6]);
    engine.on(NOW, Event::ExchangeFailed(Line::First));
    answers(&mut engine, Line::Second, next, 2);
    assert!(sent(&mut engine, NOW).is_empty(), "a batch and free slots wait");
    let later = engine.wake_at();
    assert_eq!(
        sent(&mut engine, later),
        [writes(Line::First, 2)],
        "what failed, and nothing that came since"
    );
    assert!(sent(&mut engine, later).len() == 1, "beside it goes the claim again");
}

#[test]
fn a_claim_that_failed_asks_for_nothing_new_while_outcomes_are_in_flight() {
    let (mut engine, _, (next, _)) = both_in_flight();
    engine.on(NOW, Event::ExchangeFailed(Line::Second));
    let later = engine.wake_at();
    assert_eq!(sent(&mut engine, later), [claims(Line::Second, Some((next, 0)))]);
}

#[test]
fn jobs_that_were_asked_for_before_the_lease_lapsed_go_back() {
    let (mut engine, _, (next, _)) = both_in_flight();
    sent(&mut engine, seconds(28)); // The lease is not trusted any more.
    engine.on(seconds(28), Event::Exchanged(Line::First, Exchanged::default()));
    let order = ServerOrder::Run;
    engine.on(seconds(29), Event::Beaten { sent_at: seconds(29), cancel: Vec::new(), order });
    answers(&mut engine, Line::Second, next, 2);
    let (back, running) = (sent(&mut engine, seconds(29)), engine.running());
    assert_eq!((back[0].outcomes, running), (2, 6), "{back:?}");
}

#[test]
fn one_claim_is_in_flight_whatever_is_free() {
    let (mut engine, token, _) = both_in_flight();
    ends(&mut engine, token, 3..=8);
    answers(&mut engine, Line::First, token, 0);
    assert_eq!(sent(&mut engine, NOW), [writes(Line::First, 6)]);
    answers(&mut engine, Line::First, token, 0);
    engine.on(NOW, Event::Woken);
    assert!(sent(&mut engine, NOW).is_empty(), "all slots are free, and the first claim has not come back");
}

/// Its outcomes are in flight and do not come back, while jobs end as fast as they come.
#[test]
fn a_storage_that_is_slow_to_write_gets_no_more_work() {
    let (mut engine, token, mut claim) = both_in_flight();
    ends(&mut engine, token, 3..=8);
    let mut ended = 8;
    loop {
        let (token, limit) = (claim.0, u8::try_from(claim.1).unwrap());
        answers(&mut engine, Line::Second, token, limit);
        let mut next = sent(&mut engine, NOW);
        for slots in (1..=limit).collect::<Vec<_>>().chunks(8) {
            ends(&mut engine, token, slots.iter().copied());
            next.extend(sent(&mut engine, NOW));
        }
        ended += claim.1;
        let Some(want) = next.first().and_then(|sent| sent.want) else { break };
        claim = want;
        assert!(ended < 100, "outcomes pile up");
    }
    assert!(ended >= 8 + 16, "not at once: {ended}");
}
