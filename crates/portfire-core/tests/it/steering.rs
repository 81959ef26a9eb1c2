//! Who steers, what the audit says of it, and what a server makes of its orders.

use portfire_core::engine::{Event, Phase};
use portfire_core::limits::{NAME_BYTES_MAX, REASON_BYTES_MAX};
use portfire_core::storage::{
    Acted, Action, AuditId, Deed, DeedOutcome, Directed, Person, QueueOrder, ServerOrder, Target, Via, Was,
};
use portfire_core::{Cause, JobId, Order, ServerId, Standing, State, Timestamp};

use crate::engine::{answer, claimed, engine, finished, seconds, step, want};

#[test]
fn a_persons_name_is_refused_rather_than_cut() {
    let person = |name: &str| Person::new(name, Via::Api);
    for bad in ["", "a\nb", "a\u{1B}[31m", &"x".repeat(NAME_BYTES_MAX + 1)] {
        assert!(person(bad).unwrap_err().is_misuse(), "{bad:?}");
    }
    assert_eq!(person(&"é".repeat(NAME_BYTES_MAX / 2)).unwrap().via(), Via::Api);
}

#[test]
fn a_reason_is_cleaned_and_cut_and_a_blank_one_is_none() {
    let ann = || Person::new("ann", Via::CommandLine).unwrap();
    assert_eq!(ann().reason(), None);
    assert_eq!(ann().because(" \t\n").reason(), None);
    assert_eq!(ann().because(" a\0b ").reason(), Some("a\u{FFFD}b"));
    assert_eq!(ann().because(&"x".repeat(9_999)).reason().map(str::len), Some(REASON_BYTES_MAX));
    assert_eq!(ann().because("one").because(" ").reason(), None, "the last word counts");
    let cut = ann().because(&"x ".repeat(9_999));
    assert_eq!(cut.clone().because(cut.reason().unwrap()), cut, "what was stored is read back as it was");
}

#[test]
fn words_are_read_back() {
    for via in Via::ALL {
        assert_eq!(via.as_str().parse::<Via>().unwrap(), via);
    }
    for order in ServerOrder::ALL {
        assert_eq!(order.as_str().parse::<ServerOrder>().unwrap(), order);
    }
    for outcome in DeedOutcome::ALL {
        assert_eq!(outcome.as_str().parse::<DeedOutcome>().unwrap(), outcome);
    }
    let targets = [
        Target::Job(JobId::from_bytes([7; 16])),
        Target::Schedule("each night".into()),
        Target::Queue("job".into()),
        Target::Server(ServerId::from_bytes([9; 16])),
    ];
    for target in targets {
        assert_eq!(Target::of(target.sort(), &target.name()).unwrap(), target);
    }
    assert!(Target::of("planet", "mars").unwrap_err().is_broken());
    assert!(Target::of("job", "mars").unwrap_err().is_misuse());
    let id = AuditId::from_number(41);
    assert_eq!(id.to_string().parse::<AuditId>().unwrap(), id);
    assert!("forty".parse::<AuditId>().unwrap_err().is_misuse());
}

#[test]
fn a_stopped_server_takes_no_other_order() {
    use Directed::{Done, Refused, Unchanged};
    use ServerOrder::{Quiet, Run, Stop};
    for (known, answers) in [
        (Run, [Unchanged, Done, Done]),
        (Quiet, [Done, Unchanged, Done]),
        (Stop, [Refused, Refused, Unchanged]),
    ] {
        assert_eq!(ServerOrder::ALL.map(|order| known.then(order)), answers, "{known}");
    }
    assert_eq!(ServerOrder::ALL, [Run, Quiet, Stop]);
}

#[test]
fn a_move_to_no_queue_is_refused() {
    for bad in ["", "a\nb", &"x".repeat(NAME_BYTES_MAX + 1)] {
        assert!(Action::MoveTo(bad.into()).check().unwrap_err().is_misuse(), "{bad:?}");
        assert!(QueueOrder::check(&["good".into(), bad.into()]).unwrap_err().is_misuse(), "{bad:?}");
    }
    Action::MoveTo("mail".into()).check().unwrap();
    Action::Prioritize(i16::MIN).check().unwrap();
    assert_eq!(Action::Prioritize(1).cause(), Some(Cause::Moved));
}

/// Before and after of each action on a job, in one list.
#[test]
fn a_deed_says_what_changed_in_the_words_of_its_action() {
    let (job, due, later) =
        (JobId::from_bytes([7; 16]), Timestamp::from_micros(0), Timestamp::from_micros(60_000_000));
    let was = |state| Was { state, queue: "mail", priority: 3, run_at: due };
    let (done, refused) = (Acted::Done, Acted::Refused);
    let (epoch, minute) = ("1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z");
    let table = [
        (Action::Cancel, State::Enqueued, done(State::Cancelled), "enqueued", Some("cancelled")),
        (Action::Cancel, State::Processing, Acted::Flagged, "processing", None),
        (Action::RunNow, State::Failed, done(State::Enqueued), "failed", Some("enqueued")),
        (Action::RunNow, State::Enqueued, refused(State::Enqueued), "enqueued", None),
        (Action::Reschedule(later), State::Scheduled, done(State::Scheduled), epoch, Some(minute)),
        (Action::Reschedule(later), State::Failed, done(State::Scheduled), "failed", Some(minute)),
        (Action::MoveTo("bulk".into()), State::Enqueued, done(State::Enqueued), "mail", Some("bulk")),
        (Action::Prioritize(-5), State::Awaiting, done(State::Awaiting), "3", Some("-5")),
        (Action::Delete, State::Succeeded, done(State::Succeeded), "succeeded", None),
    ];
    for (action, state, acted, before, after) in table {
        let deed = Deed::on_job(job, &action, was(state), acted).unwrap();
        let told = (deed.before.as_deref(), deed.after.as_deref(), deed.action, deed.target);
        assert_eq!(told, (Some(before), after, action.as_str(), Target::Job(job)), "{action:?}");
        let outcome = match acted {
            Acted::Flagged => DeedOutcome::Flagged,
            Acted::Refused(_) => DeedOutcome::Refused,
            _ => DeedOutcome::Done,
        };
        assert_eq!(deed.outcome, outcome, "{action:?}");
    }
    assert_eq!(Deed::on_job(job, &Action::Cancel, was(State::Enqueued), Acted::Missing), None);
}

#[test]
fn an_order_that_changes_nothing_leaves_no_deed() {
    let (server, paused) = (ServerId::from_bytes([9; 16]), Standing::Paused);
    for nothing in [Directed::Unchanged, Directed::Missing] {
        assert_eq!(Deed::on_queue("mail", QueueOrder::Pause, nothing), None);
        assert_eq!(Deed::on_schedule("one", Order::Pause, [Some(&paused), Some(&paused)], nothing), None);
        assert_eq!(Deed::on_server(server, ServerOrder::Quiet, ServerOrder::Quiet, nothing), None);
    }
    let refused = Deed::on_server(server, ServerOrder::Stop, ServerOrder::Run, Directed::Refused).unwrap();
    assert_eq!((refused.before.as_deref(), refused.after), (Some("stop"), None));
    assert_eq!(refused.outcome, DeedOutcome::Refused);
    let removed = Deed::on_schedule("one", Order::Remove, [Some(&paused), None], Directed::Done).unwrap();
    assert_eq!((removed.action, removed.before.as_deref(), removed.after), ("remove", Some("paused"), None));
}

fn beaten(at: u64, order: ServerOrder) -> Event {
    Event::Beaten { sent_at: seconds(at), cancel: Vec::new(), order }
}

#[test]
fn a_server_that_is_told_to_be_quiet_finishes_what_it_has_until_it_is_told_to_run() {
    let mut engine = engine(2);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(1, token));
    step(&mut engine, seconds(0));
    engine.on(seconds(1), beaten(1, ServerOrder::Quiet));
    engine.on(seconds(1), Event::Woken);
    assert_eq!((engine.phase(), engine.running()), (Phase::Quiet, 1));
    assert!(want(&step(&mut engine, seconds(2))).is_none(), "it claims nothing new");
    engine.on(seconds(2), answer(0, token));
    engine.on(seconds(3), finished(&claimed(1, token)));
    let written = step(&mut engine, seconds(3));
    assert!(want(&written).is_none() && !written.is_empty(), "what it had is written");
    engine.on(seconds(3), answer(0, token));
    engine.on(seconds(11), beaten(11, ServerOrder::Quiet));
    assert!(want(&step(&mut engine, seconds(11))).is_none());
    engine.on(seconds(20), beaten(20, ServerOrder::Run));
    assert_eq!(engine.phase(), Phase::Running);
    assert!(want(&step(&mut engine, seconds(20))).is_some(), "it claims at once again");
}

#[test]
fn an_order_to_run_does_not_undo_what_the_owner_asked() {
    let mut engine = engine(1);
    engine.on(seconds(1), Event::QuietAsked);
    engine.on(seconds(2), beaten(2, ServerOrder::Run));
    assert_eq!(engine.phase(), Phase::Quiet);
    assert!(want(&step(&mut engine, seconds(2))).is_none());
    engine.on(seconds(3), Event::StopAsked);
    engine.on(seconds(4), beaten(4, ServerOrder::Run));
    engine.on(seconds(5), beaten(5, ServerOrder::Quiet));
    assert_eq!(engine.phase(), Phase::Draining);
}

#[test]
fn an_order_to_stop_is_a_stop_whose_deadline_does_not_move_with_each_heartbeat() {
    let mut engine = engine(1);
    let token = want(&step(&mut engine, seconds(0))).unwrap().token;
    engine.on(seconds(0), answer(1, token));
    step(&mut engine, seconds(0));
    for at in [1, 10, 20] {
        engine.on(seconds(at), beaten(at, ServerOrder::Stop));
        step(&mut engine, seconds(at));
        assert_eq!(engine.phase(), Phase::Draining);
    }
    step(&mut engine, seconds(26));
    assert_eq!(engine.phase(), Phase::Interrupting, "five seconds before the 30 s of the first are over");
}
