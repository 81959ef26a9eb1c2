//! What running jobs say of themselves.

use std::sync::Arc;

use portfire_core::limits::{ATTEMPTS_SHOWN, CHILDREN_SHOWN, LOG_SHOWN};
use portfire_core::storage::{Action, Filter, Note, PageRequest, Progress};
use portfire_core::{Backoff, Fault, Outcome, State, Trigger};

use crate::Bed;
use crate::bed::{SUCCESS, failed};

fn texts(log: &[portfire_core::storage::LogLine]) -> Vec<&str> {
    log.iter().map(|line| &*line.text).collect()
}

pub async fn log_lines_keep_the_order_in_which_they_were_said(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let server = bed.server().await;
    let lease = bed.claim_one(server).await.facts.lease;
    let lines: Vec<String> = (0..250).map(|number| format!("line {number}")).collect();
    for some in lines.chunks(100) {
        bed.notes(server, some.iter().map(|text| bed.line(lease, text)).collect()).await;
    }
    assert_eq!(texts(&bed.get(job).await.log), lines);
}

pub async fn of_what_is_long_only_so_much_is_shown(bed: Arc<Bed>) {
    let mut job = bed.job();
    job.policy.attempts_max = u16::MAX;
    job.policy.backoff = Backoff::Fixed(std::time::Duration::ZERO);
    let job = bed.insert(job).await;
    let mut children = Vec::new();
    for _ in 0..=CHILDREN_SHOWN {
        children.push(bed.insert(bed.child_of(&[(job, Trigger::Success)])).await);
    }
    let server = bed.server().await;
    for _ in 0..=ATTEMPTS_SHOWN {
        let claimed = bed.claim_one(server).await;
        bed.settle(server, &claimed, failed()).await;
        bed.storage.promote(9).await.unwrap();
    }
    let lease = bed.claim_one(server).await.facts.lease;
    let lines: Vec<String> = (0..=LOG_SHOWN).map(|number| format!("line {number}")).collect();
    bed.notes(server, lines.iter().map(|text| bed.line(lease, text)).collect()).await;
    let details = bed.get(job).await;
    assert_eq!(texts(&details.log), lines[1..]);
    let attempts: Vec<_> = details.history.iter().map(|attempt| u32::from(attempt.attempt)).collect();
    assert_eq!(attempts, (2..=ATTEMPTS_SHOWN + 1).collect::<Vec<_>>());
    children.sort();
    assert_eq!(details.children, children[..CHILDREN_SHOWN as usize]);
}

/// An attempt that is over says nothing more, unless the job has succeeded by it: a handler may settle its own.
pub async fn notes_outlive_the_attempt_and_the_end(bed: Arc<Bed>) {
    let mut job = bed.job();
    job.policy.backoff = Backoff::Fixed(std::time::Duration::ZERO);
    let job = bed.insert(job).await;
    let server = bed.server().await;
    let far = |done| Progress { done, total: Some(2), message: Some("going".into()) };
    for (number, outcome) in [(1, failed()), (2, SUCCESS)] {
        let claimed = bed.claim_one(server).await;
        let lease = claimed.facts.lease;
        bed.notes(server, vec![bed.line(lease, "said"), Note::Progress(lease, far(number))]).await;
        bed.settle(server, &claimed, outcome).await;
        bed.notes(server, vec![bed.line(lease, "afterwards")]).await;
    }
    let details = bed.get(job).await;
    assert_eq!(
        (details.summary.state, texts(&details.log)),
        (State::Succeeded, vec!["said", "said", "afterwards"])
    );
    assert_eq!(details.progress, Some(far(2)));
    let job = bed.insert_plain().await;
    let claimed = bed.claim_one(server).await;
    bed.settle(server, &claimed, Outcome::FailedForGood(Fault::new("boom"))).await;
    bed.notes(server, vec![bed.line(claimed.facts.lease, "too late")]).await;
    assert!(bed.get(job).await.log.is_empty());
}

pub async fn progress_is_replaced_whole(bed: Arc<Bed>) {
    let job = bed.insert_plain().await;
    let server = bed.server().await;
    let lease = bed.claim_one(server).await.facts.lease;
    let rich =
        Progress { done: 9_007_199_254_740_993, total: Some(u64::MAX >> 1), message: Some("a".into()) };
    bed.notes(server, vec![Note::Progress(lease, rich.clone())]).await;
    assert_eq!(bed.get(job).await.progress, Some(rich));
    let bare = Progress { done: 1, total: None, message: None };
    bed.notes(server, vec![Note::Progress(lease, bare.clone())]).await;
    assert_eq!(bed.get(job).await.progress, Some(bare));
}

pub async fn notes_keep_any_text_and_touch_only_their_job(bed: Arc<Bed>) {
    let jobs = [bed.insert_plain().await, bed.insert_plain().await];
    let server = bed.server().await;
    let claimed = bed.claim(server, 2).await;
    let hostile = "'); DELETE FROM portfire_log; -- \"\\ 🎉\n\t工作";
    bed.notes(server, vec![bed.line(claimed[1].facts.lease, hostile)]).await;
    assert!(bed.get(jobs[0]).await.log.is_empty());
    assert_eq!(texts(&bed.get(jobs[1]).await.log), [hostile]);
}

/// A deleted job takes its notes with it: the next job of that id starts clean.
pub async fn nothing_of_a_deleted_job_is_left(bed: Arc<Bed>) {
    let mut job = bed.job();
    job.tags = vec!["red".into()];
    let id = bed.insert(job.clone()).await;
    let server = bed.server().await;
    let claimed = bed.claim_one(server).await;
    let lease = claimed.facts.lease;
    bed.notes(server, vec![bed.line(lease, "said"), Note::Progress(lease, Progress::default())]).await;
    bed.settle(server, &claimed, failed()).await;
    bed.act(id, Action::Delete).await;
    job.tags = Vec::new();
    bed.insert(job).await;
    let details = bed.get(id).await;
    assert_eq!((details.log, details.progress, details.history), (Vec::new(), None, Vec::new()));
    assert_eq!((details.summary.tags, details.summary.attempts, details.result), (Vec::new(), 0, None));
    let filter = Filter { tag: Some("red".into()), ..Filter::default() };
    assert!(bed.storage.list(filter, PageRequest::default()).await.unwrap().jobs.is_empty());
}
