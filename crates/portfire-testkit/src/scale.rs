//! What it costs to look at a storage that is full: every question that a person can ask, in statements and in rows
//! that the database reads.
//!
//! 1. A backend fills one storage with many jobs and another with a tenth of them, by statements for whole tables,
//!    and hands in a [`Meter`], which tells what its database did.
//! 2. [`look`] asks everything and notes what it took; [`judge`] says what took too much.
//!
//! No clock takes part: what is bounded by numbers that do not know how many jobs there are takes as long with ten
//! million of them. What ends at no limit, above all a page, must not read more in the full storage than in the other
//! one either.
//!
//! What is looked for is the oldest in what `fill.sql` of each backend makes: the kind `rare`, the tag `rare`, the
//! error `needle`, so that a search for it goes to its limit. The last job has many children and a long log.

#![allow(clippy::print_stdout, reason = "a test says what it has seen")]
#![allow(clippy::cast_possible_truncation, reason = "a page is small")]

use std::future::Future;
use std::time::Duration;

use portfire_core::limits::{COUNT_MAX, GROUP_COUNT_MAX, LOG_SHOWN, SLOTS_KEPT, WALK_MAX};
use portfire_core::storage::{
    AuditRequest, Cursor, FaultCursor, FaultGroupRequest, FaultOrder, Filter, PageRequest, TallyBy,
    TallyRequest, Target, Walk, Width,
};
use portfire_core::{JobId, Result, State, Storage, Timestamp};

/// Jobs on a page that is asked for; to see that there are more, one more is read.
const PAGE: u64 = 50;
/// Rows of all tables that are read for one job of a list: its place in the list, its body, where it is now, and its
/// last error.
const JOB_ROWS: u64 = 12;
/// Rows that one row of a walk costs at most: it is found twice and counted once, and its body, tag and last error are
/// looked up.
const WALK_ROWS: u64 = 6;
/// Queues in what is filled.
const QUEUES: u64 = 5;
/// Rows of tallies: a day of minutes, a month of hours and a year of days for eight kinds in three queues. They do
/// not depend on how many jobs there are, and are read twice where they are grouped by way of a table.
const TALLY_ROWS: u64 = 200_000;
/// How much more than in the smaller storage may be read in the full one: one look for each job of a page, which a
/// planner saves where it believes that there is nothing, and the last job.
const SLACK: u64 = PAGE + JOB_ROWS;

/// What a database did for one question.
#[derive(Clone, Debug, Default)]
pub struct Spent {
    /// Statements that it was asked, those that begin and end transactions included.
    pub statements: usize,
    /// Rows and entries of indexes that it has read.
    pub rows: u64,
    /// What is wrong with how it found them.
    pub wrong: Vec<String>,
    /// How it found them, for whoever has to mend it.
    pub plans: Vec<String>,
}

/// What sees a database work.
pub trait Meter {
    /// Forgets what was done until now.
    fn start(&mut self);
    /// What was done since then.
    fn spent(&mut self) -> impl Future<Output = Spent> + Send;
}

/// How many statements a backend may take.
#[derive(Clone, Copy, Debug)]
pub struct Statements {
    /// For a page of a list.
    pub list: usize,
    /// For a page that is searched for.
    pub search: usize,
    /// For the overview.
    pub overview: usize,
    /// For everything that is known of a job.
    pub job: usize,
    /// For anything else.
    pub other: usize,
}

/// What a question may cost.
#[derive(Clone, Copy, Debug)]
struct May {
    statements: usize,
    rows: u64,
    /// Whether it ends at a limit that the smaller storage need not have come to.
    grows: bool,
}

/// A question and what it took.
#[derive(Clone, Debug)]
pub struct Looked {
    what: String,
    spent: Spent,
    may: May,
}

struct Round<'r, M> {
    storage: &'r dyn Storage,
    meter: &'r mut M,
    statements: Statements,
    looked: Vec<Looked>,
}

impl<M: Meter> Round<'_, M> {
    async fn ask<T>(&mut self, what: &str, may: May, answer: impl Future<Output = Result<T>>) -> T {
        self.meter.start();
        let answer = answer.await.unwrap();
        let spent = self.meter.spent().await;
        self.looked.push(Looked { what: what.to_owned(), spent, may });
        answer
    }

    /// A question that takes no more in a full storage.
    const fn steady(&self, rows: u64) -> May {
        May { statements: self.statements.other, rows, grows: false }
    }

    /// A question that counts or searches up to a limit.
    const fn limited(&self, rows: u64) -> May {
        May { grows: true, ..self.steady(rows) }
    }

    fn of_list(&self, filter: &Filter) -> May {
        let page = (PAGE + 1) * JOB_ROWS;
        if Walk::of(filter).is_some_and(|walk| walk.looks_up(filter)) {
            let rows = u64::from(WALK_MAX) * WALK_ROWS + page;
            return May { statements: self.statements.search, ..self.limited(rows) };
        }
        May { statements: self.statements.list, ..self.steady(page) }
    }

    async fn lists(&mut self) {
        let storage = self.storage;
        for filter in filters() {
            let (what, may) = (named(&filter), self.of_list(&filter));
            let page =
                |after| storage.list(filter.clone(), PageRequest { limit: PAGE as u32, after, before: None });
            let first = self.ask(&what, may, page(None)).await;
            // One search of each list is enough to see how searches go on.
            if may.grows && filter.kind.is_none() {
                continue;
            }
            let next = first.next.or_else(|| first.jobs.last().map(Cursor::of));
            self.ask(&format!("{what}, the next page"), may, page(next)).await;
        }
    }

    async fn single(&mut self, jobs: u32) {
        let storage = self.storage;
        // The enqueued jobs of each queue; those that wait or run, by state, each with its body and the sum of its
        // queue; and those that ended. What is counted may be put into a table first, and is read once more there.
        let counted = (2 * QUEUES + 4 * 4 + 3 * 2) * COUNT_MAX + COUNT_MAX;
        let may = May { statements: self.statements.overview, ..self.limited(counted) };
        self.ask("overview", may, storage.overview()).await;
        self.ask("clock", self.steady(0), storage.now()).await;
        let last: JobId = format!("01990000-0000-7000-8000-{jobs:012x}").parse().unwrap();
        let rows = 4 * u64::from(LOG_SHOWN);
        let may = May { statements: self.statements.job, ..self.steady(rows) };
        let job =
            self.ask("job with many children", may, storage.get(vec![last])).await.pop().unwrap().unwrap();
        assert_eq!((job.children.len(), job.log.len()), (100, 500));
    }

    async fn statistics(&mut self) {
        let storage = self.storage;
        let now = storage.now().await.unwrap();
        for (width, days) in [(Width::Minute, 1), (Width::Hour, 7), (Width::Day, 30)] {
            for by in [TallyBy::Total, TallyBy::Kind, TallyBy::Queue] {
                let from = now.before(Duration::from_secs(days * 86_400));
                let request = TallyRequest { by, ..TallyRequest::total(width, from, now) };
                let what = format!("tallies of {days} days by {width:?}, {by:?}");
                let tallies = self.ask(&what, self.steady(TALLY_ROWS), storage.tallies(request)).await;
                assert!(!tallies.is_empty(), "{what}");
            }
        }
        let may = self.limited((PAGE + 1) * (2 * GROUP_COUNT_MAX + 1));
        for order in [FaultOrder::Latest, FaultOrder::Most] {
            let groups = FaultGroupRequest { order, ..FaultGroupRequest::default() };
            let ask = |request| storage.fault_groups(request);
            let what = format!("groups of failures, {order:?}");
            let first = self.ask(&what, may, ask(groups.clone())).await;
            let after = FaultGroupRequest { after: first.last().map(FaultCursor::of), ..groups.clone() };
            self.ask(&format!("{what}, the next page"), may, ask(after)).await;
            let only = FaultGroupRequest { only: first.first().map(|group| group.fingerprint), ..groups };
            let one = self.limited(2 * GROUP_COUNT_MAX + JOB_ROWS);
            self.ask("one group of failures", one, ask(only)).await;
        }
    }

    async fn steering(&mut self) {
        let storage = self.storage;
        let target = Target::Job("01990000-0000-7000-8000-0000000003e8".parse().unwrap());
        let may = self.steady(PAGE + 2);
        for (what, about) in [("audit", None), ("audit of a job", Some(target))] {
            let page = |before| storage.audit(about.clone(), AuditRequest { limit: PAGE as u32, before });
            let entries = self.ask(what, may, page(None)).await;
            assert_eq!(entries.len(), PAGE as usize);
            let before = entries.last().map(|entry| entry.id);
            self.ask(&format!("{what}, the next page"), may, page(before)).await;
        }
        // The latest run that has not ended is looked for in the history of each.
        let history = 3 * u64::from(SLOTS_KEPT) + JOB_ROWS;
        let schedule: Box<str> = "schedule 00500".into();
        let may = self.limited(101 * history);
        self.ask("schedules", may, storage.list_schedules(Some(schedule.clone()), 101)).await;
        let may = self.limited(history);
        self.ask("schedule", may, storage.get_schedules(vec![schedule.clone()])).await;
        let may = self.limited((PAGE + 1) * JOB_ROWS);
        self.ask("slots", may, storage.slots(schedule, None, PAGE as u32)).await;
    }
}

/// Lists by what is walked and what is looked up, with what is rare and so is searched for to the end.
fn filters() -> Vec<Filter> {
    let text = |text: &str| Some(text.into());
    let all = Filter::default();
    let mut filters = vec![
        Filter { tag: text("common"), ..all.clone() },
        Filter { fault: Some("0000000000000000".parse().unwrap()), ..all.clone() },
        Filter { queue: text("queue_1"), ..Filter::of(State::Enqueued) },
    ];
    for state in std::iter::once(None).chain(State::ALL.map(Some)) {
        let of = Filter { state, ..all.clone() };
        filters.push(of.clone());
        filters.push(Filter { kind: text("rare"), ..of.clone() });
        filters.push(Filter { queue: text("nothing"), ..of.clone() });
        filters.push(Filter { text: text("needle"), ..of.clone() });
        filters.push(Filter { tag: text("rare"), ..of.clone() });
        let never = Some(Timestamp::default());
        filters.push(Filter { since: never, until: never, ..of });
    }
    filters
}

/// A filter as it is written in the box of a list.
fn named(filter: &Filter) -> String {
    let words = [
        filter.state.map(|state| format!("state:{state}")),
        filter.kind.as_ref().map(|kind| format!("kind:{kind}")),
        filter.queue.as_ref().map(|queue| format!("queue:{queue}")),
        filter.tag.as_ref().map(|tag| format!("tag:{tag}")),
        filter.text.as_ref().map(|text| format!("error:{text}")),
        filter.fault.map(|fault| format!("fault:{fault}")),
        filter.since.map(|_| "since:then until:then".to_owned()),
    ];
    let words: Vec<_> = words.into_iter().flatten().collect();
    format!("list `{}`", words.join(" "))
}

/// How many jobs the full storage has: as many as the environment says in `PORTFIRE_SCALE_JOBS`, or else so many.
#[expect(
    clippy::disallowed_methods,
    reason = "`cargo xtask scale --assert` says it to tests by the environment"
)]
pub fn jobs(otherwise: u32) -> u32 {
    std::env::var("PORTFIRE_SCALE_JOBS").map_or(otherwise, |jobs| jobs.parse().unwrap())
}

/// Asks a storage that was filled with so many jobs everything.
pub async fn look(
    storage: &dyn Storage,
    jobs: u32,
    meter: &mut impl Meter,
    statements: Statements,
) -> Vec<Looked> {
    let mut round = Round { storage, meter, statements, looked: Vec::new() };
    round.lists().await;
    round.single(jobs).await;
    round.statistics().await;
    round.steering().await;
    round.looked
}

/// Fails if anything took too much in the full storage, or more there than in the one with a tenth of the jobs.
pub fn judge(tenth: &[Looked], full: &[Looked]) {
    let mut wrong = Vec::new();
    println!("| what | statements | rows, a tenth | rows, full | at most |\n| :-- | --: | --: | --: | --: |");
    for (tenth, full) in tenth.iter().zip(full) {
        assert_eq!(tenth.what, full.what, "the same is asked twice, in the same order");
        let Looked { what, spent, may } = full;
        println!("| {what} | {} | {} | {} | {} |", spent.statements, tenth.spent.rows, spent.rows, may.rows);
        wrong.extend(full.wrong());
        if !may.grows && spent.rows > tenth.spent.rows + SLACK {
            let (rows, few, plans) = (spent.rows, tenth.spent.rows, spent.plans.join("\n"));
            wrong.push(format!("{what} reads {rows} rows, and {few} of a tenth of the jobs\n{plans}"));
        }
    }
    assert!(!full.is_empty() && tenth.len() == full.len());
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
}

impl Looked {
    fn wrong(&self) -> Vec<String> {
        let Self { what, spent, may } = self;
        let mut wrong: Vec<_> = spent.wrong.iter().map(|wrong| format!("{what}: {wrong}")).collect();
        if spent.statements == 0 || spent.statements > may.statements {
            wrong.push(format!("{what} takes {} statements, not {}", spent.statements, may.statements));
        }
        if spent.rows > may.rows {
            let plans = spent.plans.join("\n");
            wrong.push(format!("{what} reads {} rows, of at most {}\n{plans}", spent.rows, may.rows));
        }
        wrong
    }
}
