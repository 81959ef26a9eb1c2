//! What a person can see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Action, Cursor, Filter, PageRequest};
use portfire_core::{Dependency, JobId, NewJob, Start, State, Trigger};

use crate::Bed;
use crate::bed::{SUCCESS, failed, hopeless};

/// Twenty-five jobs in every state, each ended or due at another time.
async fn fill(bed: &Bed) -> Vec<(JobId, State)> {
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
        let request = PageRequest { limit: 10, after };
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
    };
    assert_eq!(pages(&bed, by(Some("mail"), None, None)).await, [other]);
    assert_eq!(pages(&bed, by(None, Some("other"), None)).await, [other]);
    assert_eq!(pages(&bed, by(None, None, Some("red"))).await, [tagged]);
    assert!(pages(&bed, by(Some("mail"), None, Some("red"))).await.is_empty());
    assert!(pages(&bed, by(Some("' OR 1=1 --"), None, None)).await.is_empty());
}

pub async fn the_overview_equals_a_recount(bed: Arc<Bed>) {
    let all = fill(&bed).await;
    let mut recount: BTreeMap<(Box<str>, State), u64> = BTreeMap::new();
    for (job, state) in &all {
        let queue = bed.get(*job).await.summary.queue;
        *recount.entry((queue, *state)).or_default() += 1;
    }
    let overview = bed.storage.overview().await.unwrap();
    let counts = overview.counts.into_iter().map(|count| ((count.queue, count.state), count.jobs));
    assert_eq!(counts.collect::<BTreeMap<_, _>>(), recount);
    assert_eq!(overview.servers.len(), 1);
}
