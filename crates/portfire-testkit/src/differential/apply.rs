//! A history applied to two storages at once: numbers become ids, answers become text, and the first
//! difference ends it.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::schedule::{self, plan};
use portfire_core::storage::{
    Action, AuditId, AuditRequest, Beat, By, Claimed, Cursor, Exchange, Exchanged, Expired,
    FaultGroupRequest, FaultOrder, Filter, Fired, LogLine, Note, PageRequest, Person, Progress, ServerInfo,
    TallyBy, TallyRequest, Via, Want, WantQueue, Width, Without,
};
use portfire_core::{
    Backoff, Clock, Dependency, Dice, Fault, Firing, IdSequence, JobId, Json, Keep, NewJob, Outcome, Policy,
    Result, Retention, Schedule, ServerId, Settlement, Start, State, Storage, Template, Timestamp,
    VirtualClock, settle,
};

use super::Difference;
use super::history::{Begin, End, History, Job, Operation, Recurs, SCHEDULES, SERVERS, Wish};

/// All there is to prune or to rescue, at once: in which order a limited call goes is left to a storage.
const ALL: u32 = 10_000;

/// Two storages that have been told the same.
#[derive(Debug)]
pub(super) struct Pair {
    storages: [Arc<dyn Storage>; 2],
    clock: Arc<VirtualClock>,
    ids: IdSequence,
    servers: Vec<ServerId>,
    jobs: Vec<JobId>,
    sets: Vec<Vec<NewJob>>,
    claims: Vec<Claimed>,
    last: Vec<Option<Exchange>>,
    /// What each server saw expired and did not rescue at once.
    seen: Vec<Vec<Expired>>,
    /// What was planned and is carried out later.
    planned: Vec<Firing>,
}

/// What two storages answered, as text.
type Answers = [String; 2];

/// Asks both storages the same.
macro_rules! both {
    ($pair:expr, $storage:ident => $call:expr) => {{
        let $storage = &$pair.storages[0];
        let one = $call.await;
        let $storage = &$pair.storages[1];
        [one, $call.await]
    }};
}

impl Pair {
    pub(super) fn new(one: Arc<dyn Storage>, other: Arc<dyn Storage>, clock: Arc<VirtualClock>) -> Self {
        let mut ids = IdSequence::new(Dice::from_seed([1, 2]));
        let servers = (0..SERVERS).map(|_| ids.server(clock.now())).collect();
        Self {
            storages: [one, other],
            clock,
            ids,
            servers,
            jobs: Vec::new(),
            sets: Vec::new(),
            claims: Vec::new(),
            last: vec![None; SERVERS],
            seen: vec![Vec::new(); SERVERS],
            planned: Vec::new(),
        }
    }

    /// Applies it up to the first difference.
    pub(super) async fn apply(mut self, history: &History) -> Option<Difference> {
        for (at, operation) in history.operations.iter().enumerate() {
            let [one, other] = self.perform(operation).await;
            if one != other {
                return Some(Difference { at, asked: format!("{operation:?}"), one, other });
            }
        }
        None
    }

    async fn perform(&mut self, operation: &Operation) -> Answers {
        match operation {
            Operation::Insert(jobs) => {
                let jobs: Vec<_> = jobs.iter().map(|job| self.new_job(job)).collect();
                self.sets.push(jobs.clone());
                self.insert(jobs).await
            }
            Operation::InsertAgain(back) => match nth_back(&self.sets, *back).cloned() {
                Some(jobs) => self.insert(jobs).await,
                None => Answers::default(),
            },
            Operation::Exchange { server, settlements, notes, want } => {
                let exchange = Exchange {
                    server: self.servers[*server],
                    notes: notes.iter().flat_map(|(back, number)| self.notes(*back, *number)).collect(),
                    settlements: settlements
                        .iter()
                        .filter_map(|(back, end)| self.settlement(*back, *end))
                        .collect(),
                    want: want.map(|(limit, first, odd)| self.want(limit, first, odd)),
                };
                self.exchange(*server, exchange).await
            }
            Operation::ExchangeAgain(server) => match self.last[*server].clone() {
                Some(mut exchange) => {
                    exchange.want.iter_mut().for_each(|want| want.limit = 0);
                    self.exchange(*server, exchange).await
                }
                None => Answers::default(),
            },
            Operation::Rescue(server, late) => self.rescue(*server, *late).await,
            Operation::Act(jobs, wish, person) => self.act(jobs, *wish, *person).await,
            Operation::Put(schedules) => {
                let schedules: Vec<_> = schedules.iter().map(defined).collect();
                text(&both!(self, storage => storage.put_schedules(schedules.clone())))
            }
            Operation::Direct(id, order, person) => text(
                &both!(self, storage => storage.direct_schedules(vec![(*id).into()], *order, by(*person))),
            ),
            Operation::Pause(queue, order) => {
                text(&both!(self, storage => storage.direct_queues(vec![(*queue).into()], *order, by(true))))
            }
            Operation::Tell(server, order) => {
                let servers = vec![self.servers[*server]];
                text(&both!(self, storage => storage.direct_servers(servers.clone(), *order, by(true))))
            }
            Operation::Fire(late) => self.fire_due(*late).await,
            Operation::Trigger(id) => self.trigger(id).await,
            Operation::Pass(time) => {
                self.clock.advance(*time);
                Answers::default()
            }
            Operation::Look => self.look().await,
            Operation::Promote(limit) => {
                let promoted = text(&both!(self, storage => storage.promote(*limit)));
                let queues: Arc<[Arc<str>]> = ["default".into(), "mail".into()].into();
                let polled = text(&both!(self, storage => storage.poll(Arc::clone(&queues))));
                [0, 1].map(|one| format!("{}, then {}", promoted[one], polled[one]))
            }
            Operation::Prune => text(&both!(self, storage => storage.prune(ALL))),
            Operation::Leave(server) => {
                text(&both!(self, storage => storage.leave(self.servers[*server], false)))
            }
            Operation::Beat(server, lease) => self.beat(*server, *lease).await,
        }
    }

    async fn insert(&self, jobs: Vec<NewJob>) -> Answers {
        text(&both!(self, storage => storage.insert(jobs.clone())))
    }

    async fn exchange(&mut self, server: usize, exchange: Exchange) -> Answers {
        let mut answers = both!(self, storage => storage.exchange(exchange.clone()));
        for answer in answers.iter_mut().flatten() {
            answer.cancel.sort_unstable();
        }
        if let Ok(Exchanged { claimed, .. }) = &answers[0] {
            self.claims.extend(claimed.iter().cloned());
        }
        self.last[server] = Some(exchange);
        text(&answers)
    }

    async fn rescue(&mut self, server: usize, late: bool) -> Answers {
        let mut answers = both!(self, storage => storage.expired(ALL));
        answers.iter_mut().flatten().for_each(|expired| expired.sort_by_key(|dead| dead.facts.lease));
        let found = text(&answers);
        let [Ok(expired), _] = answers else { return found };
        if found[0] != found[1] {
            return found;
        }
        let mut dead = std::mem::take(&mut self.seen[server]);
        if late {
            self.seen[server] = expired;
        } else {
            dead.extend(expired);
        }
        let crash = |dead: &Expired| settle(&dead.facts, Outcome::Crashed, &mut Dice::from_seed([5, 6]));
        let settlements = dead.iter().map(crash).collect();
        let exchange = Exchange { server: self.servers[server], notes: Vec::new(), settlements, want: None };
        self.exchange(server, exchange).await
    }

    /// Plans what is due; carries it out at once, or only when due schedules are next looked for.
    async fn fire_due(&mut self, late: bool) -> Answers {
        let found = both!(self, storage => storage.due_schedules(100));
        let answers = text(&found);
        let [Ok(seen), _] = found else { return answers };
        if answers[0] != answers[1] {
            return answers;
        }
        let planned: Vec<_> = seen.due.iter().filter_map(|due| plan(due, seen.now, &mut self.ids)).collect();
        let mut firings = std::mem::take(&mut self.planned);
        if late {
            self.planned = planned;
        } else {
            firings.extend(planned);
        }
        self.fire(firings, false).await
    }

    async fn trigger(&mut self, id: &str) -> Answers {
        let views = both!(self, storage => storage.get_schedules(vec![id.into()]));
        let answers = text(&views);
        let [Ok(mut view), _] = views else { return answers };
        match view.pop().flatten().filter(|_| answers[0] == answers[1]) {
            Some(view) => {
                let firing = schedule::trigger(&view, self.clock.now(), &mut self.ids);
                self.fire(vec![firing], true).await
            }
            None => answers,
        }
    }

    async fn fire(&mut self, firings: Vec<Firing>, person: bool) -> Answers {
        let answers = both!(self, storage => storage.fire(firings.clone(), by(person)));
        if let Ok(fired) = &answers[0] {
            self.jobs.extend(fired.iter().flat_map(|fired| match fired {
                Fired::Applied(stored) => stored.clone(),
                Fired::Lost => Vec::new(),
            }));
        }
        text(&answers)
    }

    async fn act(&self, jobs: &[usize], wish: Wish, person: bool) -> Answers {
        let mut jobs: Vec<_> = jobs.iter().filter_map(|back| nth_back(&self.jobs, *back).copied()).collect();
        jobs.dedup();
        let action = match wish {
            Wish::Cancel => Action::Cancel,
            Wish::RunNow => Action::RunNow,
            Wish::Reschedule(seconds) => Action::Reschedule(self.instant(seconds)),
            Wish::MoveTo(queue) => Action::MoveTo(queue.into()),
            Wish::Prioritize(priority) => Action::Prioritize(priority),
            Wish::Delete => Action::Delete,
        };
        text(&both!(self, storage => storage.act(jobs.clone(), action.clone(), by(person))))
    }

    async fn beat(&self, server: usize, lease: u64) -> Answers {
        let info = ServerInfo { name: format!("server {server}").into(), slots: 3, ..ServerInfo::default() };
        let beat = Beat { server: self.servers[server], lease: Duration::from_secs(lease), info };
        let mut answers = both!(self, storage => storage.beat(beat.clone()));
        answers.iter_mut().flatten().for_each(|answer| answer.cancel.sort_unstable());
        text(&answers)
    }

    /// Everything that can be looked at: the glance, every job, every list in its order.
    async fn look(&self) -> Answers {
        let mut answers = text(&both!(self, storage => storage.overview()));
        let mut add = |more: Answers| {
            answers.iter_mut().zip(more).for_each(|(answer, more)| answer.push_str(&more));
        };
        let details = both!(self, storage => storage.get(self.jobs.clone()));
        if let [Ok(one), Ok(other)] = &details {
            let differ = one.iter().zip(other).find(|(one, other)| one != other);
            add(differ
                .map_or_else(Answers::default, |(one, other)| [format!("{one:?}"), format!("{other:?}")]));
        } else {
            add(text(&details));
        }
        add(text(&both!(self, storage => storage.list_schedules(None, 100))));
        for id in SCHEDULES {
            add(text(&both!(self, storage => storage.slots(id.into(), None, 100))));
        }
        add(self.audit().await);
        let every = std::iter::once(None).chain(State::ALL.map(Some));
        for state in every {
            add(self.pages(Filter { state, ..Filter::default() }).await);
        }
        add(self.pages(Filter { queue: Some("mail".into()), ..Filter::default() }).await);
        add(self.pages(Filter { kind: Some("odd".into()), ..Filter::default() }).await);
        add(self.pages(Filter { tag: Some("red".into()), ..Filter::default() }).await);
        for (answer, more) in answers.iter_mut().zip(self.search().await) {
            answer.push_str(&more);
        }
        for (answer, more) in answers.iter_mut().zip(self.statistics().await) {
            answer.push_str(&more);
        }
        answers
    }

    /// Lists that are narrowed by more than one thing, each along another index.
    async fn search(&self) -> Answers {
        let (since, until) = (Some(self.instant(-30)), Some(self.instant(10)));
        let cause = Some(Fault::new("it broke").fingerprint("work"));
        let (kind, text) = (Some("work".into()), Some("broke".into()));
        let without =
            || Without { queues: vec!["mail".into()], tags: vec!["red".into()], ..Without::default() };
        let filters = [
            Filter { since, until, ..Filter::default() },
            Filter { since, until, ..Filter::of(State::Enqueued) },
            Filter { since, until, kind: kind.clone(), ..Filter::of(State::Retrying) },
            Filter { since, text: text.clone(), ..Filter::of(State::Failed) },
            Filter { until, queue: Some("default".into()), ..Filter::of(State::Enqueued) },
            Filter { fault: cause, ..Filter::default() },
            Filter { fault: cause, since, queue: Some("mail".into()), ..Filter::default() },
            Filter { tag: Some("red".into()), kind, text, ..Filter::default() },
            Filter { without: without(), ..Filter::default() },
            Filter { without: without(), ..Filter::of(State::Enqueued) },
        ];
        for filter in filters {
            let found = self.pages(filter).await;
            if found[0] != found[1] {
                return found;
            }
        }
        Answers::default()
    }

    async fn statistics(&self) -> Answers {
        let mut answers = Answers::default();
        let mut add = |more: Answers| {
            answers.iter_mut().zip(more).for_each(|(answer, more)| answer.push_str(&more));
        };
        let ever = |width| TallyRequest::total(width, Timestamp::default(), self.instant(1));
        for width in Width::ALL {
            for by in [TallyBy::Total, TallyBy::Kind, TallyBy::Queue] {
                let request = TallyRequest { by, ..ever(width) };
                add(text(&both!(self, storage => storage.tallies(request.clone()))));
            }
        }
        for order in [FaultOrder::Latest, FaultOrder::Most] {
            let request = FaultGroupRequest { order, ..FaultGroupRequest::default() };
            add(text(&both!(self, storage => storage.fault_groups(request.clone()))));
        }
        answers
    }

    /// What persons did lately. Places are each storage's own.
    async fn audit(&self) -> Answers {
        let request = AuditRequest { limit: 100, before: None };
        let mut entries = both!(self, storage => storage.audit(None, request));
        let place = AuditId::from_number(0);
        entries.iter_mut().flatten().flatten().for_each(|entry| entry.id = place);
        text(&entries)
    }

    /// All pages of a list, and back from its last job; as text only the first page that differs.
    async fn pages(&self, filter: Filter) -> Answers {
        let mut request = PageRequest { limit: 20, after: None, before: None };
        loop {
            let pages = both!(self, storage => storage.list(filter.clone(), request.clone()));
            let [Ok(one), Ok(other)] = &pages else { return text(&pages) };
            if one != other {
                return [format!("{filter:?}: {one:?}"), format!("{filter:?}: {other:?}")];
            }
            let last = one.jobs.last().map(Cursor::of);
            request = match (&one.next, request.goes_back()) {
                (None, true) => return Answers::default(),
                (next, true) => PageRequest { before: next.clone(), ..request },
                (None, false) if last.is_none() => return Answers::default(),
                (None, false) => PageRequest { before: last, after: None, ..request },
                (next, false) => PageRequest { after: next.clone(), ..request },
            };
        }
    }

    fn new_job(&mut self, job: &Job) -> NewJob {
        let id = self.ids.job(self.clock.now());
        let mut new = NewJob::new(id, job.kind, Json::trusted(r#"{"n":1}"#));
        (new.queue, new.priority) = (job.queue.into(), job.priority);
        new.start = match job.start {
            Begin::Now => Start::Now,
            Begin::After(seconds) => Start::After(Duration::from_secs(seconds)),
            Begin::At(seconds) => Start::At(self.instant(seconds)),
        };
        new.unique = job.unique.map(Into::into);
        new.tags = job.tag.into_iter().map(Into::into).collect();
        new.policy.attempts_max = job.attempts_max;
        if let Some(seconds) = job.backoff {
            new.policy.backoff = Backoff::Fixed(Duration::from_secs(seconds));
        }
        let keep = job.keep.map_or(Keep::Forever, |seconds| Keep::For(Duration::from_secs(seconds)));
        new.policy.retention = Retention { succeeded: keep, failed: keep, cancelled: keep };
        let parents = job.after.iter();
        new.after = parents
            .filter_map(|(back, on)| Some(Dependency { parent: *nth_back(&self.jobs, *back)?, on: *on }))
            .collect();
        self.jobs.push(id);
        new
    }

    fn settlement(&self, back: usize, end: End) -> Option<Settlement> {
        let facts = &nth_back(&self.claims, back)?.facts;
        Some(settle(facts, outcome(end), &mut Dice::from_seed([3, 4])))
    }

    fn notes(&self, back: usize, number: u64) -> Vec<Note> {
        let Some(claimed) = nth_back(&self.claims, back) else { return Vec::new() };
        let lease = claimed.facts.lease;
        let progress = Progress { done: number, total: Some(100), message: None };
        let line = LogLine {
            at: self.clock.now(),
            attempt: claimed.facts.attempt,
            text: format!("{number}").into(),
        };
        vec![Note::Progress(lease, progress), Note::Log(lease, line)]
    }

    fn want(&mut self, limit: u32, first: u32, odd: bool) -> Want {
        let queues = [("mail", first), ("default", limit), ("a.b", limit)];
        let queues = queues.map(|(name, limit)| WantQueue { name: name.into(), limit }).into();
        let kinds: &[Box<str>] = if odd { &["work".into(), "odd".into()] } else { &["work".into()] };
        Want { token: self.ids.token(self.clock.now()), limit, queues, kinds: kinds.into() }
    }

    fn instant(&self, seconds: i64) -> Timestamp {
        Timestamp::from_micros(self.clock.now().as_micros() + seconds * 1_000_000)
    }
}

/// The item that many before the last; the first if there are not so many.
fn nth_back<T>(items: &[T], back: usize) -> Option<&T> {
    items.get(items.len().saturating_sub(back + 1))
}

fn by(person: bool) -> By {
    let ann = || Person::new("ann", Via::Api).unwrap().because("she may");
    if person { By::Person(ann()) } else { By::Program }
}

fn defined(recurs: &Recurs) -> Schedule {
    let Recurs { id, cron, zone, misfire, overlap, priority } = *recurs;
    let (kind, queue, args) = ("work".into(), "default".into(), Json::trusted("{}"));
    let job = Template { kind, queue, priority, args, policy: Policy::default(), tags: Vec::new() };
    Schedule { id: id.into(), cron: cron.into(), zone: zone.into(), misfire, overlap, job }
}

fn outcome(end: End) -> Outcome {
    let fault = || Fault::new("it broke");
    match end {
        End::Success => Outcome::Succeeded(None),
        End::SuccessWith(number) => Outcome::Succeeded(Some(Json::trusted(number.to_string()))),
        End::Failure => Outcome::Failed(fault()),
        End::FailureForGood => Outcome::FailedForGood(fault()),
        End::RetryAfter(seconds) => Outcome::RetryAfter(fault(), Duration::from_secs(seconds)),
        End::Snooze(seconds) => Outcome::Snoozed(Duration::from_secs(seconds)),
        End::Interrupted => Outcome::Interrupted,
        End::Cancelled => Outcome::Cancelled(fault()),
        End::Crashed => Outcome::Crashed,
    }
}

/// Answers as text; of an error only its kind, because its words are each storage's own.
fn text<T: Debug>(answers: &[Result<T>; 2]) -> Answers {
    answers.each_ref().map(|answer| match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(error) if error.is_misuse() => "misuse".into(),
        Err(error) => format!("{error:?}"),
    })
}
