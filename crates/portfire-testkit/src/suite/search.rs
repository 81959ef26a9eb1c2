//! How what is looked for is found, and what looking costs.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::limits::{COUNT_MAX, WALK_MAX};
use portfire_core::storage::{Action, Cursor, Filter, JobSummary, Page, PageRequest, QueueCount, Without};
use portfire_core::{Clock, Fault, JobId, NewJob, Outcome, Start, State, Timestamp};

use super::look::fill;
use crate::Bed;
use crate::bed::{SUCCESS, failed};

async fn list(bed: &Bed, filter: Filter) -> Vec<JobSummary> {
    bed.storage.list(filter, PageRequest { limit: 200, after: None, before: None }).await.unwrap().jobs
}

async fn ids(bed: &Bed, filter: Filter) -> Vec<JobId> {
    list(bed, filter).await.into_iter().map(|job| job.id).collect()
}

/// The time by which a list of this state is sorted.
fn sort_time(state: Option<State>, job: &JobSummary) -> Timestamp {
    match state {
        None | Some(State::Awaiting | State::Processing) => job.created_at,
        Some(state) if state.is_final() => job.finished_at.unwrap(),
        Some(_) => job.run_at,
    }
}

pub async fn times_narrow_every_list(bed: Arc<Bed>) {
    fill(&bed).await;
    for state in State::ALL.map(Some).into_iter().chain([None]) {
        let all = list(&bed, Filter { state, ..Filter::default() }).await;
        let mut times: Vec<_> = all.iter().map(|job| sort_time(state, job)).collect();
        times.sort_unstable();
        let (since, until) = (times[times.len() / 3], times[times.len() * 2 / 3]);
        for (since, until) in [(Some(since), None), (None, Some(until)), (Some(since), Some(until))] {
            let within = |job: &&JobSummary| {
                let at = sort_time(state, job);
                since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
            };
            let expected: Vec<_> = all.iter().filter(within).map(|job| job.id).collect();
            let filter = Filter { state, since, until, ..Filter::default() };
            assert_eq!(ids(&bed, filter).await, expected, "{state:?} since {since:?} until {until:?}");
        }
    }
}

/// From a time on, in the order of the list: later ones where the earliest is first, earlier ones elsewhere.
pub async fn a_list_is_entered_at_a_time(bed: Arc<Bed>) {
    fill(&bed).await;
    for state in State::ALL.map(Some).into_iter().chain([None]) {
        let filter = Filter { state, ..Filter::default() };
        let all = list(&bed, filter.clone()).await;
        let descends = state.is_none_or(State::is_final);
        for job in &all {
            let time = sort_time(state, job);
            let Some(after) = Cursor::at(&filter, time) else {
                assert_eq!(state, Some(State::Enqueued), "the line has an order of its own");
                continue;
            };
            let page = PageRequest { limit: 200, after: Some(after), before: None };
            let found = bed.storage.list(filter.clone(), page).await.unwrap().jobs;
            let is_after = |other: &&JobSummary| {
                let at = sort_time(state, other);
                if descends { at <= time } else { at >= time }
            };
            let expected: Vec<_> = all.iter().filter(is_after).map(|job| job.id).collect();
            assert_eq!(found.iter().map(|job| job.id).collect::<Vec<_>>(), expected, "{state:?} at {time}");
        }
    }
}

/// Every part of a filter holds with every other, and pages of it have no gaps.
pub async fn filters_hold_together(bed: Arc<Bed>) {
    let server = bed.server().await;
    let mut all = Vec::new();
    for number in 0..48_u32 {
        let kind = ["work", "odd"][(number % 2) as usize].into();
        let queue = ["default", "mail"][(number / 2 % 2) as usize].into();
        let tags = if number % 3 == 0 { vec!["red".into()] } else { Vec::new() };
        all.push(bed.insert(NewJob { kind, queue, tags, ..bed.job() }).await);
    }
    let mut want = bed.want(48);
    want.kinds = ["work".into(), "odd".into()].into();
    want.queues.push(portfire_core::storage::WantQueue { name: "mail".into(), limit: 48 });
    for (number, claimed) in bed.exchange(server, Vec::new(), Some(want)).await.claimed.iter().enumerate() {
        let message = ["no route to host 7", "out of memory"][number % 2];
        bed.advance(Duration::from_secs(1));
        bed.beat(server).await;
        bed.settle(server, claimed, Outcome::FailedForGood(Fault::new(message))).await;
    }
    let summaries = list(&bed, Filter::of(State::Failed)).await;
    let middle = summaries[24].finished_at;
    let group = bed.get(summaries[0].id).await.fingerprint;
    let (queue, kind, tag) = (Some("mail".into()), Some("work".into()), Some("red".into()));
    let text = Some("route".into());
    for mask in 0..128_u32 {
        let has = |bit: u32| mask & (1 << bit) != 0;
        let filter = Filter {
            state: has(0).then_some(State::Failed),
            queue: queue.clone().filter(|_| has(1)),
            kind: kind.clone().filter(|_| has(2)),
            tag: tag.clone().filter(|_| has(3)),
            since: middle.filter(|_| has(4) && (has(0) || has(5))),
            fault: group.filter(|_| has(5)),
            text: text.clone().filter(|_| has(6)),
            until: None,
            without: Without::default(),
        };
        let mut expected = Vec::new();
        for job in &summaries {
            let fingerprint = bed.get(job.id).await.fingerprint;
            let matches = filter.queue.as_ref().is_none_or(|queue| job.queue == *queue)
                && filter.kind.as_ref().is_none_or(|kind| job.kind == *kind)
                && filter.tag.as_ref().is_none_or(|tag| job.tags.contains(tag))
                && filter.since.is_none_or(|since| job.finished_at >= Some(since))
                && filter.fault.is_none_or(|fault| fingerprint == Some(fault))
                && filter.text.as_ref().is_none_or(|text| job.fault.as_ref().unwrap().contains(&**text));
            expected.extend(matches.then_some(job.id));
        }
        let mut found = pages(&bed, &filter, 5).await;
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{filter:?}");
    }
    let other = Filter { fault: group, ..Filter::of(State::Succeeded) };
    assert_eq!(bed.storage.list(other, PageRequest::default()).await.unwrap(), Page::default());
}

/// What is left out is not there, beside every other part of a filter.
pub async fn what_is_left_out_is_not_found(bed: Arc<Bed>) {
    for number in 0..48_u32 {
        let kind = ["work", "odd", "工作"][(number % 3) as usize].into();
        let queue = ["default", "mail"][(number / 3 % 2) as usize].into();
        let tags = [vec!["red".into()], vec!["red".into(), "blue".into()], Vec::new()];
        let tags = tags[(number / 6 % 3) as usize].clone();
        bed.insert(NewJob { kind, queue, tags, ..bed.job() }).await;
    }
    let all = list(&bed, Filter::default()).await;
    let names = |names: &[&str]| names.iter().map(|name| (*name).into()).collect::<Vec<Box<str>>>();
    for (queues, kinds, tags) in [
        (&["mail"][..], &[][..], &[][..]),
        (&[], &["work", "工作"], &[]),
        (&[], &[], &["blue"]),
        (&["mail"], &["odd"], &["red", "blue"]),
        (&["'' OR 1=1"], &["--"], &["%"]),
        (&["mail", "default"], &[], &[]),
    ] {
        let without = Without { queues: names(queues), kinds: names(kinds), tags: names(tags) };
        for filter in [
            Filter::default(),
            Filter::of(State::Enqueued),
            Filter { tag: Some("red".into()), ..Filter::default() },
            Filter { queue: Some("default".into()), ..Filter::of(State::Enqueued) },
            Filter { kind: Some("odd".into()), ..Filter::default() },
        ] {
            let filter = Filter { without: without.clone(), ..filter };
            let matches = |job: &&JobSummary| {
                filter.queue.as_ref().is_none_or(|queue| job.queue == *queue)
                    && filter.kind.as_ref().is_none_or(|kind| job.kind == *kind)
                    && filter.tag.as_ref().is_none_or(|tag| job.tags.contains(tag))
                    && !without.has(job)
            };
            let mut expected: Vec<_> = all.iter().filter(matches).map(|job| job.id).collect();
            let mut found = pages(&bed, &filter, 5).await;
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "{filter:?}");
        }
    }
}

/// Every list backwards is the same list, page by page; jobs that come meanwhile are none of its pages but the
/// first.
pub async fn a_list_is_walked_back(bed: Arc<Bed>) {
    fill(&bed).await;
    let queue = || Some("mail".into());
    let tag = || Some("red".into());
    let states = State::ALL.map(Some).into_iter().chain([None]);
    let filters = states.flat_map(|state| {
        let of = Filter { state, ..Filter::default() };
        [of.clone(), Filter { queue: queue(), ..of.clone() }, Filter { tag: tag(), ..of }]
    });
    for filter in filters {
        let all = list(&bed, filter.clone()).await;
        let Some(last) = all.last() else { continue };
        let (mut found, mut before) = (vec![last.id], Some(Cursor::of(last)));
        while before.is_some() {
            let page = PageRequest { limit: 3, after: None, before };
            let page = bed.storage.list(filter.clone(), page).await.unwrap();
            assert!(page.jobs.len() == 3 || page.next.is_none(), "{filter:?}: {page:?}");
            found.splice(0..0, page.jobs.iter().map(|job| job.id));
            before = page.next;
        }
        assert_eq!(found, all.iter().map(|job| job.id).collect::<Vec<_>>(), "{filter:?}");
    }
    let all = list(&bed, Filter::default()).await;
    let later = bed.insert_plain().await;
    let before = PageRequest { limit: 200, after: None, before: Some(Cursor::of(&all[2])) };
    let page = bed.storage.list(Filter::default(), before).await.unwrap().jobs;
    assert_eq!(page.iter().map(|job| job.id).collect::<Vec<_>>(), [later, all[0].id, all[1].id]);
}

async fn pages(bed: &Bed, filter: &Filter, limit: u32) -> Vec<JobId> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page =
            bed.storage.list(filter.clone(), PageRequest { limit, after, before: None }).await.unwrap();
        assert!(!page.exhausted && page.walked >= u32::try_from(page.jobs.len()).unwrap());
        seen.extend(page.jobs.iter().map(|job| job.id));
        after = page.next;
        if after.is_none() {
            return seen;
        }
    }
}

pub async fn text_finds_what_was_said_last(bed: Arc<Bed>) {
    let server = bed.server().await;
    let mut job = bed.job();
    job.policy.backoff = portfire_core::Backoff::Fixed(Duration::ZERO);
    let job = bed.insert(job).await;
    bed.run(server, Outcome::Failed(Fault::new("first"))).await;
    let said = "100% of _x_ isn't\ncaused by: Größe \\ 錯誤";
    bed.run(server, Outcome::Failed(Fault::new(said))).await;
    bed.run(server, Outcome::Interrupted).await;
    let by = |text: &str| Filter { text: Some(text.into()), ..Filter::default() };
    for found in ["100% of", "_x_", "isn't", "caused by", "Größe", "\\", "錯誤", ""] {
        assert_eq!(ids(&bed, by(found)).await, [job], "{found}");
    }
    for absent in ["first", "100%%", "%x%", "größe", "isn''t", "x' OR '1'='1"] {
        assert!(ids(&bed, by(absent)).await.is_empty(), "{absent}");
    }
    bed.insert_plain().await;
    assert_eq!(ids(&bed, by("")).await, [job], "who never failed said nothing");
}

pub async fn a_list_tells_servers_tags_and_faults(bed: Arc<Bed>) {
    let server = bed.server().await;
    let tags: Vec<Box<str>> = vec!["red".into(), "a b".into()];
    let job = bed.insert(NewJob { tags: tags.clone(), ..bed.job() }).await;
    let told = async || {
        let job = list(&bed, Filter::default()).await.remove(0);
        (job.server, job.tags, job.fault)
    };
    assert_eq!(told().await, (None, tags.clone(), None));
    let claimed = bed.claim_one(server).await;
    assert_eq!(told().await, (Some(server), tags.clone(), None));
    bed.settle(server, &claimed, failed()).await;
    assert_eq!(told().await, (None, tags.clone(), Some("it broke".into())));
    bed.act(job, Action::RunNow).await;
    bed.run(server, SUCCESS).await;
    assert_eq!(told().await, (Some(server), tags, Some("it broke".into())), "also after it succeeded");
}

/// One page looks at so many jobs and no more; the next goes on where it stopped.
pub async fn a_rare_job_is_found_page_by_page(bed: Arc<Bed>) {
    let rare = bed.insert(NewJob { kind: "rare".into(), ..bed.job() }).await;
    let most = WALK_MAX as usize;
    let jobs: Vec<_> = (0..=most).map(|_| bed.job()).collect();
    let stopped = jobs[1].id;
    bed.storage.insert(jobs).await.unwrap();
    let filter = Filter { kind: Some("rare".into()), ..Filter::default() };
    let page = bed.storage.list(filter.clone(), PageRequest::default()).await.unwrap();
    assert_eq!((page.jobs.len(), page.walked, page.exhausted), (0, WALK_MAX, true));
    assert_eq!(page.next.as_ref().map(|next| next.id), Some(stopped));
    let page =
        bed.storage.list(filter, PageRequest { after: page.next, ..PageRequest::default() }).await.unwrap();
    assert_eq!(page.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [rare]);
    assert_eq!((page.next, page.walked, page.exhausted), (None, 2, false));

    let filter = Filter { kind: Some("rare".into()), ..Filter::of(State::Enqueued) };
    let page = bed.storage.list(filter, PageRequest::default()).await.unwrap();
    assert_eq!(
        (page.jobs.len(), page.walked, page.exhausted),
        (1, WALK_MAX, true),
        "it is the first in its line"
    );
    assert!(page.next.is_some());
    let full = bed
        .storage
        .list(Filter::default(), PageRequest { limit: 9, after: None, before: None })
        .await
        .unwrap();
    assert_eq!((full.walked, full.exhausted), (9, false));
}

pub async fn counts_stop_where_nobody_counts(bed: Arc<Bed>) {
    let many = usize::try_from(COUNT_MAX).unwrap();
    let begin = bed.clock.now();
    let first = NewJob { priority: 9, ..bed.job() };
    bed.insert(first).await;
    bed.advance(Duration::from_secs(1));
    let after = Start::After(Duration::from_secs(60));
    let mut jobs: Vec<_> = (0..many).map(|_| bed.job()).collect();
    jobs.extend((0..many).map(|_| NewJob { start: after, ..bed.job() }));
    jobs.push(NewJob { queue: "mail".into(), ..bed.job() });
    bed.storage.insert(jobs).await.unwrap();
    let count = |queue: &str, state, jobs, more, oldest| QueueCount {
        queue: queue.into(),
        state,
        jobs,
        more,
        oldest,
    };
    let expected = [
        count("default", State::Scheduled, COUNT_MAX, true, None),
        count("default", State::Enqueued, COUNT_MAX, true, Some(begin)),
        count("mail", State::Enqueued, 1, false, Some(bed.clock.now())),
    ];
    let mut counts = bed.storage.overview().await.unwrap().counts;
    counts.sort_by(|a, b| (&a.queue, a.state).cmp(&(&b.queue, b.state)));
    let mut expected = expected.to_vec();
    expected.sort_by(|a, b| (&a.queue, a.state).cmp(&(&b.queue, b.state)));
    assert_eq!(counts, expected);
}

pub async fn the_oldest_of_a_queue_is_the_one_due_first(bed: Arc<Bed>) {
    bed.insert(NewJob { priority: 5, ..bed.job() }).await;
    let begin = bed.clock.now();
    bed.insert(NewJob { queue: "mail".into(), start: Start::After(Duration::from_secs(3)), ..bed.job() })
        .await;
    bed.advance(Duration::from_secs(9));
    bed.insert_plain().await;
    bed.storage.promote(9).await.unwrap();
    let counts = bed.storage.overview().await.unwrap().counts;
    let told: Vec<_> =
        counts.iter().map(|count| (&*count.queue, count.jobs, count.more, count.oldest)).collect();
    let due = begin.after(Duration::from_secs(3));
    assert_eq!(told, [("default", 2, false, Some(begin)), ("mail", 1, false, Some(due))]);
}

pub async fn a_storage_says_what_it_is(bed: Arc<Bed>) {
    let view = bed.storage.describe().await.unwrap();
    assert!(!view.product.is_empty() && !view.place.is_empty());
    bed.insert_plain().await;
    assert!(view.size_bytes.is_none_or(|bytes| bytes > 0));
}
