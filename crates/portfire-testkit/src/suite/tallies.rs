//! What is counted.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Action, By, Inserted, Tally, TallyBy, TallyRequest, Width};
use portfire_core::{Clock, Keep, NewJob, Outcome, Retention, Start, State, Timestamp, Trigger};

use crate::Bed;
use crate::bed::{SUCCESS, failed, hopeless, schedule};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// All tallies there are.
async fn tallies(bed: &Bed, width: Width, by: TallyBy) -> Vec<Tally> {
    let until = bed.clock.now().after(Duration::from_micros(1));
    let request = TallyRequest { by, ..TallyRequest::total(width, Timestamp::default(), until) };
    bed.storage.tallies(request).await.unwrap()
}

/// What happened in all.
async fn total(bed: &Bed) -> Tally {
    let mut sum = Tally::new(Timestamp::default(), Width::Day);
    tallies(bed, Width::Day, TallyBy::Total).await.iter().for_each(|tally| sum.add(tally));
    sum
}

/// Created, succeeded, failed, cancelled, retried, crashed.
fn counts(tally: &Tally) -> [u64; 6] {
    [tally.created, tally.succeeded, tally.failed, tally.cancelled, tally.retried, tally.crashed]
}

pub async fn nothing_has_no_tally(bed: Arc<Bed>) {
    bed.server().await;
    for width in Width::ALL {
        for by in [TallyBy::Total, TallyBy::Kind, TallyBy::Queue] {
            assert!(tallies(&bed, width, by).await.is_empty());
        }
    }
}

pub async fn every_end_is_counted(bed: Arc<Bed>) {
    let server = bed.server().await;
    let outcomes = [
        (SUCCESS, [1, 1, 0, 0, 0, 0]),
        (failed(), [1, 0, 0, 0, 1, 0]),
        (hopeless(), [1, 0, 1, 0, 0, 0]),
        (Outcome::Cancelled(portfire_core::Fault::new("no")), [1, 0, 0, 1, 0, 0]),
        (Outcome::Snoozed(HOUR), [1, 0, 0, 0, 0, 0]),
        (Outcome::Snoozed(Duration::ZERO), [1, 0, 0, 0, 0, 0]),
        (Outcome::Interrupted, [1, 0, 0, 0, 0, 0]),
        (Outcome::RetryAfter(portfire_core::Fault::new("later"), Duration::ZERO), [1, 0, 0, 0, 1, 0]),
    ];
    let mut expected = [0; 6];
    for (outcome, adds) in outcomes {
        let job = bed.insert_plain().await;
        bed.run(server, outcome.clone()).await;
        expected.iter_mut().zip(adds).for_each(|(sum, adds)| *sum += adds);
        assert_eq!(counts(&total(&bed).await), expected, "{outcome:?}");
        if !bed.state(job).await.is_final() {
            bed.act(job, Action::Delete).await;
        }
        assert_eq!(counts(&total(&bed).await), expected, "deleting is not counted");
    }
    let waits = bed.insert(NewJob { start: Start::After(HOUR), ..bed.job() }).await;
    bed.act(waits, Action::Cancel).await;
    let flagged = bed.insert_plain().await;
    let claimed = bed.claim_one(server).await;
    bed.act(flagged, Action::Cancel).await;
    let before = counts(&total(&bed).await);
    bed.settle(server, &claimed, failed()).await;
    let after = counts(&total(&bed).await);
    assert_eq!((before[3], after[3], after[4]), (expected[3] + 1, expected[3] + 2, expected[4]), "no retry");
}

pub async fn crashes_are_counted(bed: Arc<Bed>) {
    let (doomed, rescuer) = (bed.server().await, bed.server().await);
    bed.insert_plain().await;
    for crash in 1..=3 {
        bed.beat(doomed).await;
        bed.storage.promote(9).await.unwrap();
        bed.claim_one(doomed).await;
        bed.advance(Duration::from_secs(31));
        bed.beat(rescuer).await;
        bed.rescue(rescuer).await;
        let failed = u64::from(crash == 3);
        assert_eq!(counts(&total(&bed).await), [1, 0, failed, 0, crash - failed, crash]);
        bed.advance(DAY);
    }
}

pub async fn families_are_counted(bed: Arc<Bed>) {
    let server = bed.server().await;
    let parent = bed.insert_plain().await;
    let child = bed.insert(bed.child_of(&[(parent, Trigger::Success)])).await;
    bed.insert(bed.child_of(&[(child, Trigger::Success)])).await;
    bed.act(parent, Action::Cancel).await;
    assert_eq!(counts(&total(&bed).await), [3, 0, 0, 3, 0, 0], "down the line");
    let late = bed.insert(bed.child_of(&[(parent, Trigger::Success)])).await;
    assert_eq!(bed.state(late).await, State::Cancelled);
    assert_eq!(counts(&total(&bed).await), [4, 0, 0, 4, 0, 0], "one that cannot be any more");

    let brief = Keep::For(Duration::from_secs(1));
    let mut parent = bed.job();
    parent.policy.retention = Retention { succeeded: brief, failed: brief, cancelled: brief };
    let parent = bed.insert(parent).await;
    bed.insert(bed.child_of(&[(parent, Trigger::Success)])).await;
    bed.run(server, hopeless()).await;
    bed.advance(Duration::from_secs(2));
    assert_eq!(bed.storage.prune(9).await.unwrap(), 1);
    assert_eq!(counts(&total(&bed).await), [6, 0, 1, 5, 0, 0], "a pruned parent cancels");
}

pub async fn a_repeat_counts_nothing(bed: Arc<Bed>) {
    let server = bed.server().await;
    let job = NewJob { unique: Some("one".into()), ..bed.job() };
    bed.insert(job.clone()).await;
    let other = NewJob { id: bed.job().id, ..job.clone() };
    let answers = bed.storage.insert(vec![job.clone(), other]).await.unwrap();
    assert_eq!(answers, [Inserted::SameId, Inserted::Duplicate(job.id)]);
    let claimed = bed.claim_one(server).await;
    for _ in 0..2 {
        bed.settle(server, &claimed, failed()).await;
        bed.settle(server, &claimed, SUCCESS).await;
    }
    assert_eq!(counts(&total(&bed).await), [1, 0, 0, 0, 1, 0]);
    bed.act(job.id, Action::RunNow).await;
    bed.act(job.id, Action::Cancel).await;
    bed.act(job.id, Action::Cancel).await;
    bed.act(job.id, Action::RunNow).await;
    assert_eq!(counts(&total(&bed).await), [1, 0, 0, 1, 1, 0], "running again stores no job");
}

pub async fn a_refused_set_counts_nothing(bed: Arc<Bed>) {
    let (unknown, good) = (bed.job().id, bed.job());
    let refused = bed.storage.insert(vec![good, bed.child_of(&[(unknown, Trigger::End)])]).await;
    assert!(refused.unwrap_err().is_misuse());
    assert_eq!(counts(&total(&bed).await), [0; 6]);
}

pub async fn runs_of_schedules_are_counted(bed: Arc<Bed>) {
    bed.storage.put_schedules(vec![schedule("minutely", "* * * * *")]).await.unwrap();
    bed.advance(MINUTE);
    let seen = bed.storage.due_schedules(9).await.unwrap();
    let mut ids = portfire_core::IdSequence::new(portfire_core::Dice::from_seed([7, 8]));
    let firing = portfire_core::schedule::plan(&seen.due[0], seen.now, &mut ids).unwrap();
    bed.storage.fire(vec![firing.clone()], By::Program).await.unwrap();
    bed.storage.fire(vec![firing], By::Program).await.unwrap();
    assert_eq!(total(&bed).await.created, 1);
}

/// From when it was due, not from when it was stored; and only attempts that ended the job.
pub async fn waits_and_runs_are_summed(bed: Arc<Bed>) {
    let server = bed.server().await;
    let seconds = Duration::from_secs;
    bed.insert(NewJob { start: Start::After(seconds(5)), ..bed.job() }).await;
    bed.advance(seconds(7));
    bed.storage.promote(9).await.unwrap();
    let claimed = bed.claim_one(server).await;
    bed.advance(seconds(3));
    bed.settle(server, &claimed, SUCCESS).await;
    let sum = total(&bed).await;
    assert_eq!((sum.waited, sum.ran), (seconds(2), seconds(3)));

    let mut job = bed.job();
    job.policy.backoff = portfire_core::Backoff::Fixed(Duration::ZERO);
    bed.insert(job).await;
    for (outcome, waited, ran) in [(failed(), 2, 3), (hopeless(), 2 + 11, 3 + 13)] {
        bed.advance(seconds(11));
        bed.beat(server).await;
        let claimed = bed.claim_one(server).await;
        bed.advance(seconds(13));
        bed.settle(server, &claimed, outcome).await;
        let sum = total(&bed).await;
        assert_eq!((sum.waited, sum.ran), (seconds(waited), seconds(ran)));
    }
    bed.beat(server).await;
    let stopped = bed.insert_plain().await;
    let claimed = bed.claim_one(server).await;
    bed.act(stopped, Action::Cancel).await;
    bed.advance(seconds(17));
    bed.settle(server, &claimed, failed()).await;
    let sum = total(&bed).await;
    assert_eq!((sum.cancelled, sum.ran), (1, seconds(16)), "cancelled ones took no time");
}

pub async fn kinds_and_queues_are_told_apart(bed: Arc<Bed>) {
    let hostile: Box<str> = "x' OR '1'='1".into();
    let set = [("a", "b"), ("a", "b"), ("a", "a"), ("B", "b"), ("ä", &*hostile)];
    let jobs = set.map(|(kind, queue)| NewJob { kind: kind.into(), queue: queue.into(), ..bed.job() });
    bed.storage.insert(jobs.into()).await.unwrap();
    let named = |tally: Tally| (tally.kind, tally.queue, tally.created);
    let by = async |by| tallies(&bed, Width::Minute, by).await.into_iter().map(named).collect::<Vec<_>>();
    let name = |name: &str| Some(Box::<str>::from(name));
    assert_eq!(by(TallyBy::Total).await, [(None, None, 5)]);
    let kinds = [(name("B"), None, 1), (name("a"), None, 3), (name("ä"), None, 1)];
    assert_eq!(by(TallyBy::Kind).await, kinds, "by their bytes");
    let queues = [(None, name("a"), 1), (None, name("b"), 3), (None, Some(hostile.clone()), 1)];
    assert_eq!(by(TallyBy::Queue).await, queues);
}

/// A span with the first instant in it counts; one that begins at the last does not.
pub async fn spans_are_asked_for_by_their_beginning(bed: Arc<Bed>) {
    let begin = bed.clock.now();
    assert_eq!(Width::Day.begin(begin), begin, "the clock of a case begins a day");
    for _ in 0..4 {
        bed.insert_plain().await;
        bed.advance(Duration::from_secs(90));
    }
    let ask = async |from: u64, until: u64, limit: u32| {
        let (from, until) = (begin.after(Duration::from_secs(from)), begin.after(Duration::from_secs(until)));
        let request = TallyRequest { limit, ..TallyRequest::total(Width::Minute, from, until) };
        let tallies = bed.storage.tallies(request).await.unwrap();
        let minutes = tallies.iter().map(|tally| tally.from.since(begin).as_secs() / 60);
        assert!(tallies.iter().all(|tally| (tally.width, tally.created) == (Width::Minute, 1)));
        minutes.collect::<Vec<_>>()
    };
    assert_eq!(ask(0, 600, 99).await, [0, 1, 3, 4], "minutes without anything are absent");
    assert_eq!(ask(119, 240, 99).await, [1, 3]);
    assert_eq!(ask(120, 241, 99).await, [3, 4]);
    assert_eq!(ask(0, 600, 2).await, [0, 1], "the earliest first");
    assert_eq!(ask(0, 600, 0).await, [0], "0 is brought to 1");
    assert!(ask(60, 60, 99).await.is_empty() && ask(600, 0, 99).await.is_empty());
    let hours = tallies(&bed, Width::Hour, TallyBy::Total).await;
    assert_eq!(hours.iter().map(|tally| (tally.from, tally.created)).collect::<Vec<_>>(), [(begin, 4)]);
}

pub async fn folding_changes_no_sum(bed: Arc<Bed>) {
    let begin = bed.clock.now();
    for (number, pause) in [MINUTE, HOUR, HOUR * 5, DAY, MINUTE].into_iter().enumerate() {
        let queue = ["default", "mail"][number % 2].into();
        let job = bed.insert(NewJob { queue, ..bed.job() }).await;
        bed.act(job, Action::Cancel).await;
        bed.advance(pause);
    }
    let (hours, days) =
        (tallies(&bed, Width::Hour, TallyBy::Queue).await, tallies(&bed, Width::Day, TallyBy::Queue).await);
    assert_eq!((hours.len(), days.len()), (5, 3));
    let prune = async || bed.storage.prune(1_000).await.unwrap();
    prune().await;
    let minutes = tallies(&bed, Width::Minute, TallyBy::Total).await;
    assert!(
        minutes.iter().all(|tally| bed.clock.now().since(tally.from) < HOUR * 27),
        "old minutes are gone"
    );
    assert_eq!(minutes.last().map(|tally| tally.created), Some(1));
    bed.advance(DAY * 2);
    for _ in 0..2 {
        prune().await;
        assert!(tallies(&bed, Width::Minute, TallyBy::Total).await.is_empty());
        assert_eq!(tallies(&bed, Width::Hour, TallyBy::Queue).await, hours);
        assert_eq!(tallies(&bed, Width::Day, TallyBy::Queue).await, days);
    }
    bed.advance(DAY * 33);
    prune().await;
    assert!(tallies(&bed, Width::Hour, TallyBy::Total).await.is_empty(), "old hours are gone");
    assert_eq!(tallies(&bed, Width::Day, TallyBy::Queue).await, days);
    bed.advance(DAY * 365);
    prune().await;
    assert_eq!(
        tallies(&bed, Width::Day, TallyBy::Queue).await.first().map(|tally| tally.from > begin),
        Some(true)
    );
    bed.advance(DAY * 2);
    prune().await;
    assert!(tallies(&bed, Width::Day, TallyBy::Total).await.is_empty(), "old days are gone");
}

/// What is folded into a span that has been folded before is added to it.
pub async fn what_is_counted_late_is_added(bed: Arc<Bed>) {
    bed.insert_plain().await;
    bed.advance(DAY * 2);
    bed.storage.prune(9).await.unwrap();
    bed.insert_plain().await;
    for _ in 0..2 {
        bed.advance(DAY * 2);
        bed.storage.prune(9).await.unwrap();
    }
    bed.advance(DAY * 40);
    bed.storage.prune(9).await.unwrap();
    let days: Vec<_> =
        tallies(&bed, Width::Day, TallyBy::Total).await.iter().map(|day| day.created).collect();
    assert_eq!(days, [1, 1]);
}
