//! What a person can see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Action, Cursor, Filter, PageRequest};
use portfire_core::{Dependency, JobId, NewJob, Start, State, Trigger};

use crate::Bed;
use crate::bed::{SUCCESS, failed, hopeless};

/// Twenty-five jobs in every state, each ended or due at another time.
pub(crate) async fn fill(bed: &Bed) -> Vec<(JobId, State)> {
    let server = bed.server().await;
    let mut all = Vec::new();
    for (outcome, state) in
        [(SUCCESS, State::Succeeded), (hopeless(), State::Failed), (failed(), State::Retrying)]
    {
        for _ in 0..25 {
            let job = bed.insert_plain().await;
            bed.advance(Duration::from_millis(1));
            bed.run(server, outcome.clone()).await;
            all.push((job, state));
        }
    }
    for delay in 1..=25 {
        let start = Start::After(Duration::from_secs(100 + delay % 7));
        let waits = bed.insert(NewJob { start, ..bed.job() }).await;
        all.push((waits, State::Scheduled));
        let after = vec![Dependency { parent: waits, on: Trigger::Success }];
        all.push((bed.insert(NewJob { after, ..bed.job() }).await, State::Awaiting));
        let stopped = bed.insert_plain().await;
        bed.act(stopped, Action::Cancel).await;
        all.push((stopped, State::Cancelled));
        all.push((bed.insert_plain().await, State::Processing));
    }
    bed.claim(server, 25).await;
    for number in 0..25 {
        let queue = ["default", "mail", "zeta"][number % 3].into();
        let priority = i16::try_from(number % 4).unwrap();
        all.push((bed.insert(NewJob { queue, priority, ..bed.job() }).await, State::Enqueued));
    }
    all
}

async fn pages(bed: &Bed, filter: Filter) -> Vec<JobId> {
    let (mut seen, mut after) = (Vec::new(), None::<Cursor>);
    loop {
        let request = PageRequest { limit: 10, after, before: None };
        let page = bed.storage.list(filter.clone(), request).await.unwrap();
        seen.extend(page.jobs.iter().map(|job| job.id));
        match page.next {
            // Through its text, as a web page would hand it back.
            Some(cursor) => after = Some(cursor.to_string().parse().unwrap()),
            None => return seen,
        }
    }
}

pub async fn pages_have_no_gaps_and_no_doubles(bed: Arc<Bed>) {
    let mut all = fill(&bed).await;
    all.sort_unstable();
    for state in State::ALL {
        let mut seen = pages(&bed, Filter { state: Some(state), ..Filter::default() }).await;
        seen.sort_unstable();
        let expected: Vec<_> = all.iter().filter(|(_, is)| *is == state).map(|(id, _)| *id).collect();
        assert_eq!(seen, expected, "the pages of jobs that are {state}");
    }
    let mut everything = pages(&bed, Filter::default()).await;
    assert!(everything.is_sorted_by(|a, b| a > b), "all jobs come latest first");
    everything.reverse();
    assert_eq!(everything, all.iter().map(|(id, _)| *id).collect::<Vec<_>>());
}

pub async fn filters_narrow_a_list(bed: Arc<Bed>) {
    let tagged = bed.insert(NewJob { tags: vec!["red".into()], ..bed.job() }).await;
    let other = bed.insert(NewJob { kind: "other".into(), queue: "mail".into(), ..bed.job() }).await;
    bed.insert_plain().await;
    let by = |queue: Option<&str>, kind: Option<&str>, tag: Option<&str>| Filter {
        state: Some(State::Enqueued),
        queue: queue.map(Into::into),
        kind: kind.map(Into::into),
        tag: tag.map(Into::into),
        ..Filter::default()
    };
    assert_eq!(pages(&bed, by(Some("mail"), None, None)).await, [other]);
    assert_eq!(pages(&bed, by(None, Some("other"), None)).await, [other]);
    assert_eq!(pages(&bed, by(None, None, Some("red"))).await, [tagged]);
    assert!(pages(&bed, by(Some("mail"), None, Some("red"))).await.is_empty());
    assert!(pages(&bed, by(Some("' OR 1=1 --"), None, None)).await.is_empty());
}

pub async fn the_overview_equals_a_recount(bed: Arc<Bed>) {
    let all = fill(&bed).await;
    let mut recount: BTreeMap<(Option<Box<str>>, State), u64> = BTreeMap::new();
    for (job, state) in &all {
        let queue = bed.get(*job).await.summary.queue;
        *recount.entry(((!state.is_final()).then_some(queue), *state)).or_default() += 1;
    }
    let overview = bed.storage.overview().await.unwrap();
    let counts = overview.counts.into_iter().map(|count| ((Some(count.queue), count.state), count.jobs));
    let ended = overview.ended.into_iter().map(|count| ((None, count.state), count.jobs));
    assert_eq!(counts.chain(ended).collect::<BTreeMap<_, _>>(), recount);
    assert_eq!(overview.servers.len(), 1);
}

/// Jobs that come and go between two pages neither hide nor repeat those that stay.
pub async fn pages_are_stable_while_jobs_come_and_go(bed: Arc<Bed>) {
    let mut stay = Vec::new();
    for _ in 0..25 {
        stay.push(bed.insert_plain().await);
    }
    for state in [Some(State::Enqueued), None] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let filter = Filter { state, ..Filter::default() };
            let page =
                bed.storage.list(filter, PageRequest { limit: 10, after, before: None }).await.unwrap();
            seen.extend(page.jobs.iter().map(|job| job.id));
            let passes = bed.insert(NewJob { priority: -1, ..bed.job() }).await;
            bed.insert_plain().await;
            bed.act(passes, Action::Delete).await;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let kept: Vec<_> = seen.iter().filter(|job| stay.contains(job)).collect();
        assert_eq!(kept.len(), stay.len(), "no double and no gap");
        let different: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(different.len(), seen.len());
    }
}

/// The job at the end of a page is gone when the next page is asked for.
pub async fn a_page_begins_after_a_job_that_is_gone(bed: Arc<Bed>) {
    let jobs = [bed.insert_plain().await, bed.insert_plain().await, bed.insert_plain().await];
    let filter = || Filter { state: Some(State::Enqueued), ..Filter::default() };
    let first =
        bed.storage.list(filter(), PageRequest { limit: 2, after: None, before: None }).await.unwrap();
    bed.act(jobs[1], Action::Delete).await;
    let second =
        bed.storage.list(filter(), PageRequest { limit: 2, after: first.next, before: None }).await.unwrap();
    assert_eq!(second.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [jobs[2]]);
}

pub async fn every_list_has_its_order(bed: Arc<Bed>) {
    fill(&bed).await;
    for state in State::ALL {
        let filter = Filter { state: Some(state), ..Filter::default() };
        let jobs = bed
            .storage
            .list(filter, PageRequest { limit: 200, after: None, before: None })
            .await
            .unwrap()
            .jobs;
        assert_eq!(jobs.len(), 25);
        let sorted = match state {
            State::Enqueued => {
                jobs.is_sorted_by_key(|job| (job.queue.clone(), job.priority, job.run_at, job.id))
            }
            State::Scheduled | State::Retrying => jobs.is_sorted_by_key(|job| (job.run_at, job.id)),
            State::Awaiting | State::Processing => jobs.is_sorted_by_key(|job| job.id),
            _ => jobs.iter().rev().is_sorted_by_key(|job| (job.finished_at, job.id)),
        };
        assert!(sorted, "the list of jobs that are {state}");
    }
}

pub async fn a_page_that_is_just_full_is_the_last(bed: Arc<Bed>) {
    for _ in 0..4 {
        bed.insert_plain().await;
    }
    let list = |limit| bed.storage.list(Filter::default(), PageRequest { limit, after: None, before: None });
    assert_eq!(list(4).await.unwrap().next, None);
    let none_asked = list(0).await.unwrap();
    assert_eq!((none_asked.jobs.len(), none_asked.next.is_some()), (1, true), "0 is brought to 1");
    assert_eq!(list(u32::MAX).await.unwrap().jobs.len(), 4);
}

/// Filters work in every state and with every other, and take any text as data.
pub async fn filters_hold_in_every_state(bed: Arc<Bed>) {
    let hostile = "x' OR '1'='1";
    let (other, same) = (bed.job(), bed.job());
    let red =
        NewJob { tags: vec![hostile.into(), "b".into(), hostile.into()], queue: hostile.into(), ..same };
    let (red, _) = (bed.insert(red).await, bed.insert(other).await);
    let filter = |state| Filter {
        state,
        queue: Some(hostile.into()),
        kind: Some("work".into()),
        tag: Some(hostile.into()),
        ..Filter::default()
    };
    let wishes = [Action::Reschedule(bed.clock_after(60)), Action::Cancel, Action::RunNow];
    for wish in wishes {
        let state = bed.state(red).await;
        assert_eq!(pages(&bed, filter(Some(state))).await, [red], "{state}");
        assert_eq!(pages(&bed, filter(None)).await, [red]);
        bed.act(red, wish).await;
    }
    for absent in State::ALL.into_iter().filter(|state| *state != State::Enqueued) {
        assert!(pages(&bed, filter(Some(absent))).await.is_empty());
    }
}

pub async fn the_overview_is_in_order(bed: Arc<Bed>) {
    fill(&bed).await;
    bed.server().await;
    let overview = bed.storage.overview().await.unwrap();
    assert!(overview.counts.is_sorted_by(|a, b| (&a.queue, a.state) < (&b.queue, b.state)));
    assert!(overview.counts.iter().all(|count| count.jobs > 0));
    assert!(overview.servers.is_sorted_by(|a, b| a.id < b.id) && overview.servers.len() == 2);
}

pub async fn details_tell_the_whole_history(bed: Arc<Bed>) {
    let server = bed.server().await;
    let mut job = bed.job();
    job.policy.backoff = portfire_core::Backoff::Fixed(Duration::ZERO);
    let job = bed.insert(job).await;
    for outcome in [failed(), portfire_core::Outcome::TimedOut(Duration::from_secs(5)), hopeless()] {
        let claimed = bed.claim_one(server).await;
        bed.advance(Duration::from_secs(1));
        bed.settle(server, &claimed, outcome).await;
    }
    let history = bed.get(job).await.history;
    let seen: Vec<_> = history.iter().map(|attempt| (attempt.attempt, &*attempt.outcome)).collect();
    assert_eq!(seen, [(1, "failed"), (2, "timed out"), (3, "failed")]);
    assert!(history.iter().all(|attempt| {
        attempt.server == server && attempt.ended_at.since(attempt.started_at) == Duration::from_secs(1)
    }));
}
