//! Steering: moving jobs, pausing queues, telling servers what to do, and what is kept of what persons did.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::limits::{AUDIT_KEPT, SERVERS_KEPT};
use portfire_core::schedule::trigger;
use portfire_core::storage::{
    Acted, Action, AuditEntry, AuditId, AuditRequest, By, DeedOutcome, Directed, Filter, Fired, PageRequest,
    PausedQueue, Person, QueueOrder, ServerOrder, Target, Via, Want, WantQueue,
};
use portfire_core::{Clock, Dice, IdSequence, JobId, NewJob, Order, ServerId, Start, State, Trigger};

use crate::Bed;
use crate::bed::{LEASE, SUCCESS, failed, schedule};

const HOUR: Duration = Duration::from_secs(3_600);

fn ann() -> Person {
    Person::new("ann", Via::Dashboard).unwrap().because("the mail provider is down")
}

fn by_ann() -> By {
    By::Person(ann())
}

async fn direct(bed: &Bed, queue: &str, order: QueueOrder) -> Directed {
    bed.storage.direct_queues(vec![queue.into()], order, By::Program).await.unwrap()[0]
}

async fn tell(bed: &Bed, server: ServerId, order: ServerOrder) -> Directed {
    bed.storage.direct_servers(vec![server], order, By::Program).await.unwrap()[0]
}

async fn audit(bed: &Bed, about: Option<Target>) -> Vec<AuditEntry> {
    bed.storage.audit(about, AuditRequest { limit: 200, before: None }).await.unwrap()
}

/// A wish for jobs of kind `work` from these queues.
fn want(bed: &Bed, limit: u32, queues: &[&str]) -> Want {
    let queues = queues.iter().map(|name| WantQueue { name: (*name).into(), limit }).collect();
    Want { queues, ..bed.want(limit) }
}

/// What is claimed from these queues, by id.
async fn claim(bed: &Bed, server: ServerId, queues: &[&str]) -> Vec<JobId> {
    let claimed = bed.exchange(server, Vec::new(), Some(want(bed, 9, queues))).await.claimed;
    claimed.iter().map(|job| job.facts.lease.job).collect()
}

pub async fn a_moved_job_is_claimed_from_its_new_queue(bed: Arc<Bed>) {
    let server = bed.server().await;
    let (stays, moves) = (bed.insert_plain().await, bed.insert_plain().await);
    let before = bed.get(moves).await.summary;
    assert_eq!(bed.act(moves, Action::MoveTo("bulk".into())).await, Acted::Done(State::Enqueued));
    let after = bed.get(moves).await.summary;
    assert_eq!((&*after.queue, after.state, after.run_at), ("bulk", State::Enqueued, before.run_at));
    let filter = Filter { queue: Some("bulk".into()), state: Some(State::Enqueued), ..Filter::default() };
    let listed = bed.storage.list(filter, PageRequest::default()).await.unwrap().jobs;
    assert_eq!(listed, [after]);
    assert_eq!(claim(&bed, server, &["default"]).await, [stays]);
    assert_eq!(claim(&bed, server, &["bulk"]).await, [moves]);
}

pub async fn a_new_priority_is_a_new_place_in_line(bed: Arc<Bed>) {
    let server = bed.server().await;
    let first = bed.insert_plain().await;
    bed.advance(HOUR);
    let (second, third) = (bed.insert_plain().await, bed.insert_plain().await);
    assert_eq!(bed.act(third, Action::Prioritize(-7)).await, Acted::Done(State::Enqueued));
    assert_eq!(bed.act(first, Action::Prioritize(i16::MAX)).await, Acted::Done(State::Enqueued));
    assert_eq!(bed.get(third).await.summary.priority, -7);
    bed.beat(server).await;
    assert_eq!(claim(&bed, server, &["default"]).await, [third, second, first]);
}

/// Whatever a job waits for, it stands in its new line once it need not wait any more, and not before.
pub async fn a_waiting_job_is_moved_where_it_waits(bed: Arc<Bed>) {
    let server = bed.server().await;
    let retries = bed.insert_plain().await;
    bed.run(server, failed()).await;
    let parent = bed.insert(NewJob { priority: -100, ..bed.job() }).await;
    let child = bed.insert(bed.child_of(&[(parent, Trigger::End)])).await;
    let later = bed.insert(NewJob { start: Start::After(HOUR), ..bed.job() }).await;
    let states = [(retries, State::Retrying), (child, State::Awaiting), (later, State::Scheduled)];
    for (job, state) in states {
        let before = bed.get(job).await.summary;
        assert_eq!(bed.act(job, Action::MoveTo("bulk".into())).await, Acted::Done(state));
        assert_eq!(bed.act(job, Action::Prioritize(4)).await, Acted::Done(state));
        let after = bed.get(job).await.summary;
        assert_eq!((&*after.queue, after.priority, after.state), ("bulk", 4, state));
        assert_eq!((after.run_at, after.attempts), (before.run_at, before.attempts));
    }
    assert!(claim(&bed, server, &["bulk"]).await.is_empty(), "their time has not come");
    bed.run(server, SUCCESS).await;
    assert_eq!(claim(&bed, server, &["bulk"]).await, [child]);
    bed.advance(HOUR);
    bed.storage.promote(9).await.unwrap();
    bed.beat(server).await;
    assert!(claim(&bed, server, &["default"]).await.is_empty());
    assert_eq!(claim(&bed, server, &["bulk"]).await, [retries, later]);
}

pub async fn a_move_to_no_queue_is_refused_whole(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    for bad in ["", "a\nb", &"x".repeat(129)] {
        let refused = bed.storage.act(vec![job], Action::MoveTo(bad.into()), by_ann()).await.unwrap_err();
        assert!(refused.is_misuse(), "{bad:?}");
    }
    assert_eq!(&*bed.get(job).await.summary.queue, "default");
    assert!(audit(&bed, None).await.is_empty());
}

pub async fn a_paused_queue_is_passed_by(bed: Arc<Bed>) {
    let server = bed.server().await;
    let in_queue = |queue: &str| NewJob { queue: queue.into(), ..bed.job() };
    let mail = bed.insert(in_queue("mail")).await;
    let plain = bed.insert_plain().await;
    assert_eq!(direct(&bed, "mail", QueueOrder::Pause).await, Directed::Done);
    let queues = ["mail", "default"];
    let taken = bed.exchange(server, Vec::new(), Some(want(&bed, 1, &queues))).await.claimed;
    assert_eq!(taken.len(), 1, "what is paused does not use up the limit");
    assert_eq!(taken[0].facts.lease.job, plain);
    let late = bed.insert(in_queue("mail")).await;
    assert!(claim(&bed, server, &queues).await.is_empty(), "what is stored meanwhile waits, too");
    assert_eq!(direct(&bed, "mail", QueueOrder::Resume).await, Directed::Done);
    assert_eq!(claim(&bed, server, &queues).await, [mail, late]);
}

pub async fn what_a_claim_took_is_its_own_though_the_queue_is_paused(bed: Arc<Bed>) {
    let server = bed.server().await;
    bed.insert_plain().await;
    let retries = bed.insert_plain().await;
    let mut want = bed.want(2);
    let taken = bed.exchange(server, Vec::new(), Some(want.clone())).await.claimed;
    direct(&bed, "default", QueueOrder::Pause).await;
    want.limit = 0;
    let again = bed.exchange(server, Vec::new(), Some(want)).await.claimed;
    assert_eq!(again, taken);
    bed.settle(server, &taken[0], SUCCESS).await;
    bed.settle(server, &taken[1], failed()).await;
    assert_eq!(bed.state(retries).await, State::Retrying);
    bed.advance(HOUR);
    assert_eq!(bed.storage.promote(9).await.unwrap().count, 1, "jobs become due all the same");
    bed.beat(server).await;
    assert_eq!(bed.state(retries).await, State::Enqueued);
    assert!(bed.claim(server, 9).await.is_empty());
}

pub async fn a_pause_is_shown_with_who_and_why(bed: Arc<Bed>) {
    let paused = || async { bed.storage.overview().await.unwrap().paused };
    let all: Vec<Box<str>> = vec!["mail".into(), "Mail".into(), "it's 🎉".into()];
    let done = bed.storage.direct_queues(all, QueueOrder::Pause, by_ann()).await.unwrap();
    assert_eq!(done, [Directed::Done; 3]);
    let since = bed.clock.now();
    bed.advance(HOUR);
    assert_eq!(direct(&bed, "bulk", QueueOrder::Pause).await, Directed::Done);
    assert_eq!(direct(&bed, "mail", QueueOrder::Pause).await, Directed::Unchanged, "it is as ann left it");
    let of_ann = |queue: &str| PausedQueue {
        queue: queue.into(),
        since,
        by: Some("ann".into()),
        reason: Some("the mail provider is down".into()),
    };
    let of_nobody = PausedQueue { queue: "bulk".into(), since: bed.clock.now(), by: None, reason: None };
    assert_eq!(paused().await, [of_ann("Mail"), of_nobody, of_ann("it's 🎉"), of_ann("mail")]);
    let both = vec!["mail".into(), "never seen".into(), "mail".into()];
    let answers = bed.storage.direct_queues(both, QueueOrder::Resume, By::Program).await.unwrap();
    assert_eq!(answers, [Directed::Done, Directed::Unchanged, Directed::Unchanged]);
    assert_eq!(paused().await.len(), 3);
}

pub async fn a_name_that_no_queue_has_is_refused_whole(bed: Arc<Bed>) {
    let names = vec!["good".into(), "a\u{1B}[31m".into()];
    let refused = bed.storage.direct_queues(names, QueueOrder::Pause, by_ann()).await.unwrap_err();
    assert!(refused.is_misuse());
    assert!(bed.storage.overview().await.unwrap().paused.is_empty() && audit(&bed, None).await.is_empty());
}

pub async fn a_server_hears_its_order_with_every_heartbeat(bed: Arc<Bed>) {
    let (server, other) = (bed.server().await, bed.server().await);
    assert_eq!(bed.ordered(server).await, ServerOrder::Run);
    assert_eq!(tell(&bed, server, ServerOrder::Run).await, Directed::Unchanged);
    assert_eq!(tell(&bed, server, ServerOrder::Quiet).await, Directed::Done);
    assert_eq!(tell(&bed, server, ServerOrder::Quiet).await, Directed::Unchanged);
    for _ in 0..2 {
        assert_eq!(bed.ordered(server).await, ServerOrder::Quiet);
    }
    assert_eq!(bed.ordered(other).await, ServerOrder::Run);
    let shown = bed.storage.overview().await.unwrap().servers;
    let shown: Vec<_> = shown.iter().map(|view| (view.id, view.order)).collect();
    assert_eq!(shown, [(server, ServerOrder::Quiet), (other, ServerOrder::Run)]);
    assert_eq!(tell(&bed, server, ServerOrder::Run).await, Directed::Done);
    assert_eq!(bed.ordered(server).await, ServerOrder::Run);
}

pub async fn an_order_to_stop_is_not_taken_back(bed: Arc<Bed>) {
    let server = bed.server().await;
    assert_eq!(tell(&bed, server, ServerOrder::Stop).await, Directed::Done);
    assert_eq!(tell(&bed, server, ServerOrder::Stop).await, Directed::Unchanged);
    for order in [ServerOrder::Run, ServerOrder::Quiet] {
        assert_eq!(tell(&bed, server, order).await, Directed::Refused);
    }
    assert_eq!(bed.ordered(server).await, ServerOrder::Stop);
    bed.storage.leave(server, true).await.unwrap();
    let orders = vec![bed.server().await, server];
    let answers = bed.storage.direct_servers(orders, ServerOrder::Quiet, By::Program).await.unwrap();
    assert_eq!(answers, [Directed::Done, Directed::Missing], "who has left is told nothing");
}

pub async fn a_program_leaves_no_entry(bed: Arc<Bed>) {
    let (job, server) = (bed.insert_plain().await, bed.server().await);
    bed.act(job, Action::Cancel).await;
    direct(&bed, "mail", QueueOrder::Pause).await;
    tell(&bed, server, ServerOrder::Quiet).await;
    bed.storage.put_schedules(vec![schedule("one", "* * * * *")]).await.unwrap();
    bed.storage.direct_schedules(vec!["one".into()], Order::Pause, By::Program).await.unwrap();
    assert!(audit(&bed, None).await.is_empty());
}

/// What is kept of an entry apart from who and when.
type Told = (Target, &'static str, Option<String>, Option<String>, DeedOutcome);

fn told(target: Target, action: &'static str, change: [Option<&str>; 2], outcome: DeedOutcome) -> Told {
    let [before, after] = change.map(|word| word.map(String::from));
    (target, action, before, after, outcome)
}

/// That these are the entries, latest first, all by ann at this moment.
async fn assert_told(bed: &Bed, about: Option<Target>, expected: Vec<Told>) {
    let entries = audit(bed, about).await;
    let found: Vec<_> = entries
        .iter()
        .map(|entry| (&entry.target, &*entry.action, &entry.before, &entry.after, entry.outcome))
        .map(|(target, action, before, after, outcome)| {
            let text = |text: &Option<Box<str>>| text.as_deref().map(String::from);
            (target.clone(), action.to_owned(), text(before), text(after), outcome)
        })
        .collect();
    let expected: Vec<_> =
        expected.into_iter().map(|(t, action, b, a, o)| (t, action.to_owned(), b, a, o)).collect();
    assert_eq!(found, expected);
    assert!(entries.iter().all(|entry| entry.by == ann() && entry.at == bed.clock.now()), "{entries:#?}");
    assert!(entries.is_sorted_by(|one, next| one.id > next.id), "{entries:#?}");
}

pub async fn a_person_leaves_an_entry_for_every_job_that_there_is(bed: Arc<Bed>) {
    let server = bed.server().await;
    let (runs, unknown) = (bed.insert_plain().await, bed.job().id);
    bed.claim_one(server).await;
    let waits = bed.insert_plain().await;
    let jobs = vec![runs, unknown, waits, waits];
    let acted = bed.storage.act(jobs, Action::Cancel, by_ann()).await.unwrap();
    let done = Acted::Done(State::Cancelled);
    assert_eq!(acted, [Acted::Flagged, Acted::Missing, done, Acted::Refused(State::Cancelled)]);
    let refused = told(Target::Job(waits), "cancel", [Some("cancelled"), None], DeedOutcome::Refused);
    let stopped =
        told(Target::Job(waits), "cancel", [Some("enqueued"), Some("cancelled")], DeedOutcome::Done);
    let flagged = told(Target::Job(runs), "cancel", [Some("processing"), None], DeedOutcome::Flagged);
    assert_told(&bed, None, vec![refused.clone(), stopped.clone(), flagged]).await;
    assert_told(&bed, Some(Target::Job(waits)), vec![refused, stopped]).await;
}

pub async fn an_entry_says_what_was_before_and_what_is_now(bed: Arc<Bed>) {
    let job = bed.insert(NewJob { start: Start::After(HOUR), ..bed.job() }).await;
    let (due, later) = (bed.clock_after(3_600), bed.clock_after(7_200));
    let actions = [
        Action::MoveTo("bulk".into()),
        Action::MoveTo("bulk".into()),
        Action::Prioritize(-3),
        Action::Reschedule(later),
        Action::RunNow,
        Action::Delete,
    ];
    for action in actions {
        bed.storage.act(vec![job], action, by_ann()).await.unwrap();
    }
    let (due, later) = (due.to_string(), later.to_string());
    let row = |action, before: &str, after: Option<&str>| {
        told(Target::Job(job), action, [Some(before), after], DeedOutcome::Done)
    };
    let expected = vec![
        row("delete", "enqueued", None),
        row("run now", "scheduled", Some("enqueued")),
        row("reschedule", &due, Some(&later)),
        row("prioritize", "0", Some("-3")),
        row("move", "bulk", Some("bulk")),
        row("move", "default", Some("bulk")),
    ];
    // It outlives the job.
    assert_told(&bed, Some(Target::Job(job)), expected).await;
}

pub async fn an_entry_for_every_change_of_a_queue_or_a_server(bed: Arc<Bed>) {
    let (server, gone) = (bed.server().await, ServerId::from_bytes([9; 16]));
    for order in [QueueOrder::Pause, QueueOrder::Pause, QueueOrder::Resume, QueueOrder::Resume] {
        bed.storage.direct_queues(vec!["mail".into()], order, by_ann()).await.unwrap();
    }
    for order in [ServerOrder::Quiet, ServerOrder::Quiet, ServerOrder::Stop, ServerOrder::Run] {
        bed.storage.direct_servers(vec![gone, server], order, by_ann()).await.unwrap();
    }
    let on_server =
        |action, before, after, outcome| told(Target::Server(server), action, [Some(before), after], outcome);
    let on_queue = |action| told(Target::Queue("mail".into()), action, [None, None], DeedOutcome::Done);
    let expected = vec![
        on_server("run", "stop", None, DeedOutcome::Refused),
        on_server("stop", "quiet", Some("stop"), DeedOutcome::Done),
        on_server("quiet", "run", Some("quiet"), DeedOutcome::Done),
        on_queue("resume"),
        on_queue("pause"),
    ];
    assert_told(&bed, None, expected).await;
}

pub async fn an_entry_for_every_change_of_a_schedule(bed: Arc<Bed>) {
    bed.storage.put_schedules(vec![schedule("one", "* * * * *")]).await.unwrap();
    let direct = |order| bed.storage.direct_schedules(vec!["one".into()], order, by_ann());
    for order in [Order::Pause, Order::Pause, Order::Resume] {
        direct(order).await.unwrap();
    }
    let known = bed.storage.get_schedules(vec!["one".into()]).await.unwrap().remove(0).unwrap();
    let mut ids = IdSequence::new(Dice::from_seed([7, 7]));
    let run = trigger(&known, bed.clock.now(), &mut ids);
    let fired = bed.storage.fire(vec![run.clone(), run], by_ann()).await.unwrap();
    let Fired::Applied(jobs) = &fired[0] else { panic!("nothing came between") };
    let job = jobs[0].to_string();
    assert_eq!(fired[1], Fired::Lost, "what is lost leaves no entry");
    direct(Order::Remove).await.unwrap();
    direct(Order::Remove).await.unwrap();
    let row = |action, before, after| {
        told(Target::Schedule("one".into()), action, [before, after], DeedOutcome::Done)
    };
    let expected = vec![
        row("remove", Some("active"), None),
        row("trigger", None, Some(&job)),
        row("resume", Some("paused"), Some("active")),
        row("pause", Some("active"), Some("paused")),
    ];
    assert_told(&bed, Some(Target::Schedule("one".into())), expected).await;
}

pub async fn the_audit_comes_in_pages_and_keeps_targets_apart(bed: Arc<Bed>) {
    let hostile = "it's \"job\"; DROP TABLE 佇列 🎉";
    let person = || Person::new("O'Brien <o@b.example>", Via::CommandLine).unwrap().because(hostile);
    for number in 0..5 {
        let order = if number % 2 == 0 { QueueOrder::Pause } else { QueueOrder::Resume };
        let queues = vec![hostile.into(), "job".into()];
        bed.storage.direct_queues(queues, order, By::Person(person())).await.unwrap();
        bed.advance(HOUR);
    }
    let all = audit(&bed, None).await;
    assert_eq!((all.len(), &all[0].by), (10, &person()));
    let about = Some(Target::Queue(hostile.into()));
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = bed.storage.audit(about.clone(), AuditRequest { limit: 2, before }).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page);
    }
    let expected: Vec<_> =
        all.iter().filter(|entry| Some(&entry.target) == about.as_ref()).cloned().collect();
    assert_eq!((seen.len(), &seen), (5, &expected));
    let schedule = Some(Target::Schedule("job".into()));
    assert!(audit(&bed, schedule).await.is_empty(), "a queue is no schedule of the same name");
    let least = bed.storage.audit(None, AuditRequest { limit: 0, before: None }).await.unwrap();
    assert_eq!(least.len(), 1, "a limit is brought into its range");
    let first = all.last().map(|entry| AuditId::from_number(entry.id.number()));
    assert!(bed.storage.audit(None, AuditRequest { limit: 9, before: first }).await.unwrap().is_empty());
}

pub async fn old_entries_are_pruned_a_limit_at_a_time(bed: Arc<Bed>) {
    let pause = |queue: &str| bed.storage.direct_queues(vec![queue.into()], QueueOrder::Pause, by_ann());
    let queues = || async {
        let entries = audit(&bed, None).await;
        entries.into_iter().map(|entry| entry.target.name()).collect::<Vec<_>>()
    };
    for queue in ["a", "b", "c"] {
        pause(queue).await.unwrap();
    }
    bed.advance(AUDIT_KEPT.saturating_sub(Duration::from_micros(1)));
    pause("d").await.unwrap();
    assert_eq!(bed.storage.prune(9).await.unwrap(), 0);
    assert_eq!(queues().await.len(), 4, "they are kept for the whole time");
    bed.advance(Duration::from_micros(1));
    assert_eq!(bed.storage.prune(2).await.unwrap(), 0, "entries are not jobs");
    assert_eq!(queues().await.len(), 2);
    bed.storage.prune(2).await.unwrap();
    assert_eq!(queues().await, ["d"]);
    assert_eq!(
        bed.storage.overview().await.unwrap().paused.len(),
        4,
        "a pause stays whatever is forgotten of it"
    );
}

/// A server that comes back under its old name after it was forgotten is as new.
pub async fn a_forgotten_server_is_under_no_order(bed: Arc<Bed>) {
    let server = bed.server().await;
    tell(&bed, server, ServerOrder::Quiet).await;
    bed.advance(LEASE + SERVERS_KEPT);
    bed.storage.prune(9).await.unwrap();
    assert_eq!(tell(&bed, server, ServerOrder::Quiet).await, Directed::Missing);
    assert_eq!(bed.ordered(server).await, ServerOrder::Run);
}
