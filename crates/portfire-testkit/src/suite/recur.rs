//! Recurring jobs: what is kept of them, that each slot has its turn once, and what a late look finds.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::schedule::{plan, trigger};
use portfire_core::storage::{Action, By, Directed, Fired, Put, SlotView};
use portfire_core::{
    Clock, Dice, Firing, IdSequence, JobId, Misfire, Order, Overlap, Schedule, ScheduleView, SlotFate,
    Standing, State, Timestamp,
};

use crate::Bed;
use crate::bed::{SUCCESS, schedule};

const MINUTE: Duration = Duration::from_secs(60);

fn ids() -> IdSequence {
    use std::sync::atomic::{AtomicU64, Ordering};
    static SEED: AtomicU64 = AtomicU64::new(1);
    IdSequence::new(Dice::from_seed([SEED.fetch_add(1, Ordering::Relaxed), 9]))
}

async fn put(bed: &Bed, schedule: Schedule) -> Put {
    bed.storage.put_schedules(vec![schedule]).await.unwrap()[0]
}

async fn get(bed: &Bed, id: &str) -> ScheduleView {
    bed.storage.get_schedules(vec![id.into()]).await.unwrap().remove(0).expect("the schedule exists")
}

async fn next(bed: &Bed, id: &str) -> Option<Timestamp> {
    match get(bed, id).await.standing {
        Standing::Active { next } => Some(next),
        _ => None,
    }
}

async fn direct(bed: &Bed, id: &str, order: Order) -> Directed {
    bed.storage.direct_schedules(vec![id.into()], order, By::Program).await.unwrap()[0]
}

/// What a server would do now.
async fn plans(bed: &Bed) -> Vec<Firing> {
    let seen = bed.storage.due_schedules(100).await.unwrap();
    assert_eq!(seen.now, bed.clock.now());
    seen.due.iter().filter_map(|due| plan(due, seen.now, &mut ids())).collect()
}

async fn fire(bed: &Bed, firings: Vec<Firing>) -> Vec<Fired> {
    bed.storage.fire(firings, By::Program).await.unwrap()
}

/// Plans and fires what is due; the jobs it made.
async fn tick(bed: &Bed) -> Vec<JobId> {
    let mut jobs = Vec::new();
    for fired in fire(bed, plans(bed).await).await {
        match fired {
            Fired::Applied(stored) => jobs.extend(stored),
            Fired::Lost => panic!("nobody else fires here"),
        }
    }
    jobs
}

async fn history(bed: &Bed, id: &str) -> Vec<SlotView> {
    bed.storage.slots(id.into(), None, 200).await.unwrap()
}

fn fates(history: &[SlotView]) -> Vec<SlotFate> {
    history.iter().map(|slot| slot.fate).collect()
}

pub async fn a_schedule_is_kept_as_put(bed: Arc<Bed>) {
    let mut one = schedule("it's \"nightly\" 🎉", "0 2 * * *");
    one.zone = "Asia/Taipei".into();
    (one.misfire, one.overlap) = (Misfire::All(7), Overlap::OneWaiting);
    one.job.args = portfire_core::Json::trusted(r#"{"big":12345678901234567890,"a":1}"#);
    one.job.tags = vec!["z".into(), "a".into()];
    one.job.priority = -3;
    one.job.policy.timeout = Some(Duration::from_millis(1_500));
    assert_eq!(put(&bed, one.clone()).await, Put::New);
    let view = get(&bed, &one.id).await;
    assert_eq!((&view.schedule, view.created_at), (&one, bed.clock.now()));
    assert_eq!((view.last_slot, view.last_run), (None, None));
    let next = view.schedule.next_after(bed.clock.now()).unwrap();
    assert_eq!(view.standing, Standing::Active { next });
    assert_eq!(bed.storage.get_schedules(vec!["other".into()]).await.unwrap(), [None]);
    assert_eq!(bed.storage.list_schedules(None, 9).await.unwrap(), [view]);
}

pub async fn putting_again_moves_nothing_that_stays(bed: Arc<Bed>) {
    put(&bed, schedule("one", "* * * * *")).await;
    let before = get(&bed, "one").await;
    bed.advance(MINUTE * 90);
    assert_eq!(put(&bed, schedule("one", "* * * * *")).await, Put::Unchanged);
    assert_eq!(get(&bed, "one").await, before, "a slot that is overdue stays so");
    let mut other_args = schedule("one", "* * * * *");
    other_args.job.args = portfire_core::Json::trusted(r#"{"x":1}"#);
    assert_eq!(put(&bed, other_args).await, Put::Changed);
    let after = get(&bed, "one").await;
    assert_eq!((&after.standing, after.created_at), (&before.standing, before.created_at));
    assert!(after.revision > before.revision);
    assert_eq!(put(&bed, schedule("one", "0 * * * *")).await, Put::Changed);
    assert!(
        next(&bed, "one").await.is_some_and(|next| next > bed.clock.now()),
        "another expression begins anew"
    );
}

pub async fn a_refused_schedule_refuses_its_set(bed: Arc<Bed>) {
    let never = schedule("never", "this is no expression");
    let mut nowhere = schedule("nowhere", "* * * * *");
    nowhere.zone = "Nowhere/Gone".into();
    let mut flood = schedule("flood", "* * * * *");
    flood.misfire = Misfire::All(portfire_core::limits::CATCH_UP_MAX + 1);
    let mut large = schedule("large", "* * * * *");
    large.job.args = portfire_core::Json::trusted("\"".to_owned() + &"x".repeat(2 << 20) + "\"");
    for bad in [never, nowhere, flood, large, schedule("", "* * * * *")] {
        let set = vec![schedule("good", "* * * * *"), bad.clone()];
        assert!(bed.storage.put_schedules(set).await.unwrap_err().is_misuse(), "{:?}", bad.id);
        assert!(bed.storage.list_schedules(None, 9).await.unwrap().is_empty());
    }
}

pub async fn a_slot_is_fired_once_though_two_plan_it(bed: Arc<Bed>) {
    put(&bed, schedule("one", "* * * * *")).await;
    assert!(plans(&bed).await.is_empty(), "it is not due yet");
    let slot = next(&bed, "one").await.unwrap();
    bed.advance(MINUTE);
    let (mine, theirs) = (plans(&bed).await, plans(&bed).await);
    let answers = fire(&bed, mine).await;
    let [Fired::Applied(stored)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(fire(&bed, theirs.clone()).await, [Fired::Lost]);
    let job = bed.get(stored[0]).await;
    let made_for = job.slot.expect("the job knows its slot");
    assert_eq!((&*made_for.schedule, made_for.at), ("one", slot));
    assert_eq!((job.summary.state, &*job.summary.kind), (State::Enqueued, "work"));
    let history = history(&bed, "one").await;
    assert_eq!((history.len(), history[0].at, history[0].job), (1, slot, Some(stored[0])));
    assert_eq!((history[0].fired_at, history[0].state), (bed.clock.now(), Some(State::Enqueued)));
    assert!(bed.storage.get(vec![theirs[0].slots[0].job.as_ref().unwrap().id]).await.unwrap()[0].is_none());
    let view = get(&bed, "one").await;
    assert_eq!((view.last_slot, view.last_run.map(|run| run.job)), (Some(slot), Some(stored[0])));
    let server = bed.server().await;
    assert_eq!(bed.claim_one(server).await.slot.map(|slot| slot.at), Some(slot), "the handler knows it too");
}

/// A firing that was planned before the change comes after it.
pub async fn no_slot_gets_a_job_after_a_change(bed: Arc<Bed>) {
    for order in [Order::Pause, Order::Remove] {
        put(&bed, schedule("one", "* * * * *")).await;
        direct(&bed, "one", Order::Resume).await;
        bed.advance(MINUTE);
        let planned = plans(&bed).await;
        assert_eq!(planned.len(), 1);
        assert_eq!(direct(&bed, "one", order).await, Directed::Done);
        assert_eq!(fire(&bed, planned.clone()).await, [Fired::Lost]);
        direct(&bed, "one", Order::Resume).await;
        put(&bed, schedule("one", "* * * * *")).await;
        assert_eq!(fire(&bed, planned).await, [Fired::Lost], "not even when it is back");
    }
    bed.advance(MINUTE);
    let planned = plans(&bed).await;
    let mut changed = schedule("one", "* * * * *");
    changed.job.queue = "other".into();
    put(&bed, changed).await;
    assert_eq!(fire(&bed, planned).await, [Fired::Lost]);
    assert!(bed.storage.overview().await.unwrap().counts.is_empty(), "no job was made");
}

/// The clock was set back and the expression changed, so a slot that was fired is planned again.
pub async fn a_slot_has_its_turn_once(bed: Arc<Bed>) {
    put(&bed, schedule("one", "* * * * *")).await;
    bed.advance(MINUTE);
    let mut again = plans(&bed).await.remove(0);
    tick(&bed).await;
    let view = get(&bed, "one").await;
    again.seen = view.seen();
    assert_eq!(fire(&bed, vec![again]).await, [Fired::Applied(Vec::new())]);
    assert_eq!(history(&bed, "one").await.len(), 1);
    assert_eq!(bed.storage.overview().await.unwrap().counts[0].jobs, 1);
    assert_eq!(get(&bed, "one").await.last_run, view.last_run);
}

pub async fn misfires_follow_the_policy(bed: Arc<Bed>) {
    let policies = [
        ("skip", Misfire::Skip, "0 * * * *", vec![SlotFate::Missed]),
        ("once", Misfire::Once, "0 * * * *", vec![SlotFate::Fired, SlotFate::Missed]),
        ("all", Misfire::All(50), "0 * * * *", vec![SlotFate::Fired; 3]),
        ("two", Misfire::All(2), "0 * * * *", vec![SlotFate::Fired, SlotFate::Fired, SlotFate::Missed]),
        ("on time", Misfire::Skip, "* * * * *", vec![SlotFate::Fired, SlotFate::Missed]),
    ];
    for (id, misfire, cron, _) in &policies {
        put(&bed, Schedule { misfire: *misfire, ..schedule(id, cron) }).await;
    }
    bed.advance(MINUTE * (3 * 60 + 30));
    tick(&bed).await;
    for (id, _, _, expected) in &policies {
        assert_eq!(fates(&history(&bed, id).await), *expected, "{id}");
        assert!(next(&bed, id).await.is_some_and(|next| next > bed.clock.now()), "{id}");
    }
    assert!(plans(&bed).await.is_empty());
}

pub async fn overlaps_follow_the_policy(bed: Arc<Bed>) {
    for (id, overlap) in [("allow", Overlap::Allow), ("skip", Overlap::Skip), ("wait", Overlap::OneWaiting)] {
        let mut one = schedule(id, "* * * * *");
        (one.overlap, one.job.queue) = (overlap, id.into());
        put(&bed, one).await;
    }
    let server = bed.server().await;
    let mut running = Vec::new();
    for round in 0..3 {
        bed.advance(MINUTE);
        bed.beat(server).await;
        tick(&bed).await;
        if round == 0 {
            for queue in ["allow", "skip", "wait"] {
                let mut want = bed.want(1);
                want.queues[0].name = queue.into();
                running.extend(bed.exchange(server, Vec::new(), Some(want)).await.claimed);
            }
        }
    }
    let (fired, left_out) = (SlotFate::Fired, SlotFate::Overlapped);
    assert_eq!(fates(&history(&bed, "allow").await), [fired, fired, fired]);
    assert_eq!(fates(&history(&bed, "skip").await), [left_out, left_out, fired]);
    let waiting = history(&bed, "wait").await;
    assert_eq!(fates(&waiting), [left_out, fired, fired], "one waits, the next is left out");
    assert_eq!(waiting[1].state, Some(State::Awaiting));
    for job in &running {
        bed.settle(server, job, SUCCESS).await;
    }
    assert_eq!(
        bed.state(waiting[1].job.unwrap()).await,
        State::Enqueued,
        "it runs when the earlier one ended"
    );
    bed.advance(MINUTE);
    tick(&bed).await;
    assert_eq!(fates(&history(&bed, "skip").await)[0], fired);
}

/// A run by hand that has ended does not hide one that goes on; nor does a waiting one that was cancelled.
pub async fn an_earlier_run_that_goes_on_counts(bed: Arc<Bed>) {
    for (id, overlap) in [("skip", Overlap::Skip), ("wait", Overlap::OneWaiting)] {
        let mut one = schedule(id, "* * * * *");
        (one.overlap, one.job.queue) = (overlap, id.into());
        put(&bed, one).await;
    }
    bed.advance(MINUTE);
    tick(&bed).await;
    let server = bed.server().await;
    let mut running = Vec::new();
    for queue in ["skip", "wait"] {
        let mut want = bed.want(1);
        want.queues[0].name = queue.into();
        running.extend(bed.exchange(server, Vec::new(), Some(want)).await.claimed);
    }
    let by_hand = trigger(&get(&bed, "skip").await, bed.clock.now(), &mut ids());
    let by_hand = match &fire(&bed, vec![by_hand]).await[..] {
        [Fired::Applied(stored)] => stored[0],
        other => panic!("{other:?}"),
    };
    bed.act(by_hand, Action::Cancel).await;
    bed.advance(MINUTE);
    let waiting = tick(&bed).await[0];
    bed.act(waiting, Action::Cancel).await;
    assert_eq!(get(&bed, "wait").await.last_run.unwrap().job, running[1].facts.lease.job);
    bed.advance(MINUTE);
    let next = tick(&bed).await;
    assert_eq!(fates(&history(&bed, "skip").await)[..2], [SlotFate::Overlapped, SlotFate::Overlapped]);
    assert_eq!((next.len(), bed.state(next[0]).await), (1, State::Awaiting), "beside the one that runs");
}

/// Though the clock stands still.
pub async fn runs_by_hand_do_not_meet(bed: Arc<Bed>) {
    put(&bed, schedule("one", "* * * * *")).await;
    bed.advance(MINUTE);
    for runs in 1..=3 {
        let firing = trigger(&get(&bed, "one").await, bed.clock.now(), &mut ids());
        let answers = fire(&bed, vec![firing]).await;
        assert!(matches!(&answers[..], [Fired::Applied(stored)] if stored.len() == 1), "{answers:?}");
        assert_eq!(history(&bed, "one").await.len(), runs);
    }
    assert_eq!(tick(&bed).await.len(), 1, "the slot that was due has its own");
}

/// What was planned for a schedule that was removed does not fire for another one of its name.
pub async fn a_removed_schedule_is_another_when_it_is_back(bed: Arc<Bed>) {
    put(&bed, schedule("one", "* * * * *")).await;
    let old = trigger(&get(&bed, "one").await, bed.clock.now(), &mut ids());
    direct(&bed, "one", Order::Remove).await;
    bed.advance(Duration::from_micros(1));
    put(&bed, schedule("one", "* * * * *")).await;
    assert_eq!(fire(&bed, vec![old]).await, [Fired::Lost]);
}

pub async fn a_paused_schedule_makes_nothing_up(bed: Arc<Bed>) {
    put(&bed, schedule("one", "* * * * *")).await;
    assert_eq!(direct(&bed, "one", Order::Resume).await, Directed::Unchanged);
    assert_eq!(direct(&bed, "one", Order::Pause).await, Directed::Done);
    assert_eq!(direct(&bed, "one", Order::Pause).await, Directed::Unchanged);
    assert_eq!(put(&bed, schedule("one", "0 * * * *")).await, Put::Changed);
    assert_eq!(get(&bed, "one").await.standing, Standing::Paused, "putting it does not wake it");
    put(&bed, schedule("one", "* * * * *")).await;
    bed.advance(MINUTE * 10);
    assert!(plans(&bed).await.is_empty());
    assert_eq!(bed.storage.promote(9).await.unwrap().next_slot, None);
    assert_eq!(direct(&bed, "one", Order::Resume).await, Directed::Done);
    assert!(plans(&bed).await.is_empty(), "what passed is not made up for");
    bed.advance(MINUTE);
    assert_eq!(tick(&bed).await.len(), 1);
    assert_eq!(direct(&bed, "other", Order::Pause).await, Directed::Missing);
}

pub async fn removing_forgets_the_history_and_keeps_the_jobs(bed: Arc<Bed>) {
    put(&bed, schedule("one", "* * * * *")).await;
    bed.advance(MINUTE);
    let job = tick(&bed).await[0];
    assert_eq!(direct(&bed, "one", Order::Remove).await, Directed::Done);
    assert_eq!(direct(&bed, "one", Order::Remove).await, Directed::Missing);
    assert!(history(&bed, "one").await.is_empty());
    assert_eq!(bed.get(job).await.slot.map(|slot| slot.schedule), Some("one".into()));
    assert_eq!(put(&bed, schedule("one", "* * * * *")).await, Put::New);
    assert!(history(&bed, "one").await.is_empty());
}

pub async fn a_person_may_run_it_now(bed: Arc<Bed>) {
    put(&bed, schedule("one", "0 0 * * *")).await;
    direct(&bed, "one", Order::Pause).await;
    bed.advance(Duration::from_secs(5));
    let firing = trigger(&get(&bed, "one").await, bed.clock.now(), &mut ids());
    let answers = fire(&bed, vec![firing.clone()]).await;
    let [Fired::Applied(stored)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(bed.state(stored[0]).await, State::Enqueued);
    let view = get(&bed, "one").await;
    assert_eq!(view.standing, Standing::Paused, "its standing stays");
    assert_eq!(view.last_run.map(|run| run.job), Some(stored[0]));
    assert_eq!(fates(&history(&bed, "one").await), [SlotFate::Triggered]);
    assert_eq!(fire(&bed, vec![firing]).await, [Fired::Lost], "a repeat makes no second run");
}

pub async fn a_flagged_schedule_disturbs_no_other(bed: Arc<Bed>) {
    put(&bed, schedule("bad", "* * * * *")).await;
    put(&bed, schedule("good", "* * * * *")).await;
    bed.advance(MINUTE);
    let mut firings = plans(&bed).await;
    assert_eq!(firings.len(), 2);
    let problem: Box<str> = "the zone 'Nowhere/Gone' is gone 🎉".into();
    firings[0].then = Standing::Flagged { problem: problem.clone() };
    firings[0].slots.clear();
    fire(&bed, firings).await;
    assert_eq!(get(&bed, "bad").await.standing, Standing::Flagged { problem });
    bed.advance(MINUTE);
    let due = plans(&bed).await;
    assert_eq!(due.iter().map(|firing| &*firing.schedule).collect::<Vec<_>>(), ["good"]);
    assert_eq!(put(&bed, schedule("bad", "* * * * *")).await, Put::Changed, "putting it again mends it");
    assert!(next(&bed, "bad").await.is_some());
}

pub async fn the_history_is_bounded_and_in_pages(bed: Arc<Bed>) {
    let mut all = schedule("one", "* * * * * *");
    all.misfire = Misfire::All(150);
    put(&bed, all).await;
    bed.advance(MINUTE * 10);
    let stored = tick(&bed).await;
    assert_eq!(stored.len(), 150);
    let kept = history(&bed, "one").await;
    assert_eq!(kept.len(), portfire_core::limits::SLOTS_KEPT as usize);
    assert_eq!((kept[0].at, kept[0].job), (bed.clock.now(), stored.last().copied()), "the latest come first");
    let page = bed.storage.slots("one".into(), Some(kept[9].at), 10).await.unwrap();
    assert_eq!(page, kept[10..20]);
    bed.act(stored[149], Action::Delete).await;
    assert_eq!(history(&bed, "one").await[0].state, None, "its job is gone");
}

pub async fn schedules_come_in_order(bed: Arc<Bed>) {
    for (id, cron) in [("b", "* * * * *"), ("B", "0 * * * *"), ("a", "* * * * *"), ("ä", "* * * * *")] {
        put(&bed, schedule(id, cron)).await;
    }
    let ids = |views: Vec<ScheduleView>| -> Vec<String> {
        views.into_iter().map(|view| view.schedule.id.into()).collect()
    };
    assert_eq!(ids(bed.storage.list_schedules(None, 9).await.unwrap()), ["B", "a", "b", "ä"]);
    assert_eq!(ids(bed.storage.list_schedules(Some("a".into()), 1).await.unwrap()), ["b"]);
    bed.advance(MINUTE * 60);
    let due = |limit| bed.storage.due_schedules(limit);
    assert_eq!(ids(due(9).await.unwrap().due), ["a", "b", "ä", "B"], "the earliest slot first");
    assert_eq!(ids(due(2).await.unwrap().due), ["a", "b"]);
}

pub async fn a_promotion_names_the_next_slot(bed: Arc<Bed>) {
    put(&bed, schedule("later", "0 * * * *")).await;
    put(&bed, schedule("one", "* * * * *")).await;
    let next_slot = || async { bed.storage.promote(9).await.unwrap().next_slot };
    assert_eq!(next_slot().await, Some(MINUTE));
    bed.advance(Duration::from_secs(59));
    assert_eq!(next_slot().await, Some(Duration::from_secs(1)));
    bed.advance(Duration::from_secs(5));
    assert_eq!(next_slot().await, Some(Duration::ZERO));
    tick(&bed).await;
    assert_eq!(next_slot().await, Some(Duration::from_secs(56)));
}

pub async fn a_put_schedule_wakes_a_waiter(bed: Arc<Bed>) {
    let waits = bed.storage.wait(Duration::from_secs(10));
    let puts = put(&bed, schedule("one", "* * * * *"));
    let (woken, _) = tokio::join!(waits, puts);
    assert!(woken.unwrap().rung);
}
