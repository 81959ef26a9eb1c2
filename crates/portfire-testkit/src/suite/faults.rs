//! Failures by what they have in common.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::limits::{FAULT_GROUPS_KEPT, FAULT_LINE_BYTES_MAX};
use portfire_core::storage::{
    Action, FaultCursor, FaultGroup, FaultGroupRequest, FaultOrder, Filter, PageRequest,
};
use portfire_core::{Clock, Fault, Fingerprint, JobId, Keep, NewJob, Outcome, Retention, ServerId, State};

use crate::Bed;
use crate::bed::{SUCCESS, failed, hopeless};

/// A job that failed for good with this message.
async fn fails(bed: &Bed, server: ServerId, message: &str) -> JobId {
    let job = bed.insert_plain().await;
    bed.beat(server).await;
    bed.run(server, Outcome::FailedForGood(Fault::new(message))).await;
    job
}

async fn groups(bed: &Bed, order: FaultOrder) -> Vec<FaultGroup> {
    let request = FaultGroupRequest { order, ..FaultGroupRequest::default() };
    bed.storage.fault_groups(request).await.unwrap()
}

async fn of_group(bed: &Bed, fault: Fingerprint) -> Vec<JobId> {
    let filter = Filter { fault: Some(fault), ..Filter::default() };
    let page = bed.storage.list(filter, PageRequest::default()).await.unwrap();
    page.jobs.iter().map(|job| job.id).collect()
}

pub async fn failures_with_one_cause_are_one_group(bed: Arc<Bed>) {
    let server = bed.server().await;
    let first = fails(&bed, server, "user 17 has no address\ncaused by: one thing").await;
    let first_at = bed.clock.now();
    bed.advance(Duration::from_secs(5));
    let last = fails(&bed, server, "user 4711 has no address\ncaused by: another").await;
    let other = fails(&bed, server, "the server hung up").await;
    let groups = groups(&bed, FaultOrder::Most).await;
    let cause = Fault::new("user 1 has no address").fingerprint("work");
    let expected = FaultGroup {
        fingerprint: cause,
        kind: "work".into(),
        sample: "user 17 has no address".into(),
        first_at,
        last_at: bed.clock.now(),
        count: 2,
        last_job: last,
        kept: 2,
    };
    assert_eq!((groups.len(), &groups[0]), (2, &expected));
    assert_eq!((groups[1].count, groups[1].last_job), (1, other));
    assert_eq!(of_group(&bed, cause).await, [last, first], "latest first");
    assert_eq!(bed.get(first).await.fingerprint, Some(cause));
    assert_eq!(of_group(&bed, groups[1].fingerprint).await, [other]);
}

pub async fn kinds_fail_apart(bed: Arc<Bed>) {
    let server = bed.server().await;
    fails(&bed, server, "it broke").await;
    bed.insert(NewJob { kind: "odd".into(), ..bed.job() }).await;
    let want = portfire_core::storage::Want { kinds: ["odd".into()].into(), ..bed.want(1) };
    let claimed = bed.exchange(server, Vec::new(), Some(want)).await.claimed.pop().unwrap();
    bed.settle(server, &claimed, Outcome::FailedForGood(Fault::new("it broke"))).await;
    let mut kinds: Vec<_> =
        groups(&bed, FaultOrder::Latest).await.into_iter().map(|group| group.kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["odd".into(), "work".into()]);
}

pub async fn only_jobs_that_failed_for_good_join(bed: Arc<Bed>) {
    let server = bed.server().await;
    let cancelled = Outcome::Cancelled(Fault::new("it broke"));
    for outcome in [SUCCESS, failed(), cancelled, Outcome::Interrupted] {
        let job = bed.insert_plain().await;
        bed.run(server, outcome).await;
        bed.act(job, Action::Delete).await;
    }
    let flagged = bed.insert_plain().await;
    let claimed = bed.claim_one(server).await;
    bed.act(flagged, Action::Cancel).await;
    let settlement = bed.settlement(&claimed, hopeless());
    for _ in 0..2 {
        bed.exchange(server, vec![settlement.clone()], None).await;
    }
    assert_eq!((bed.state(flagged).await, bed.get(flagged).await.fingerprint), (State::Cancelled, None));
    assert!(groups(&bed, FaultOrder::Latest).await.is_empty());
    bed.insert_plain().await;
    let claimed = bed.claim_one(server).await;
    for _ in 0..2 {
        bed.settle(server, &claimed, hopeless()).await;
    }
    assert_eq!(groups(&bed, FaultOrder::Latest).await[0].count, 1, "a repeat joins once");
}

pub async fn a_job_that_runs_again_leaves_its_group(bed: Arc<Bed>) {
    let server = bed.server().await;
    let (again, deleted) = (fails(&bed, server, "it broke").await, fails(&bed, server, "it broke").await);
    let told = async || {
        let group = groups(&bed, FaultOrder::Latest).await.remove(0);
        (group.count, group.kept)
    };
    let cause = bed.get(again).await.fingerprint.unwrap();
    assert_eq!(told().await, (2, 2));
    bed.act(again, Action::RunNow).await;
    assert_eq!((told().await, bed.get(again).await.fingerprint), ((2, 1), None));
    bed.run(server, Outcome::FailedForGood(Fault::new("it broke"))).await;
    assert_eq!((told().await, bed.get(again).await.fingerprint), ((3, 2), Some(cause)));
    bed.act(deleted, Action::Delete).await;
    assert_eq!(told().await, (3, 1));
    bed.act(again, Action::RunNow).await;
    bed.run(server, SUCCESS).await;
    assert_eq!((told().await, bed.get(again).await.fingerprint), ((3, 0), None));
    assert!(of_group(&bed, cause).await.is_empty());
}

pub async fn groups_come_in_order_and_in_pages(bed: Arc<Bed>) {
    let server = bed.server().await;
    for (message, times) in [("a", 2), ("b", 1), ("c", 3), ("d", 2), ("e", 1)] {
        for _ in 0..times {
            fails(&bed, server, message).await;
        }
        // Two of them at the same instant.
        bed.advance(Duration::from_secs(u64::from(message != "b")));
    }
    for order in [FaultOrder::Latest, FaultOrder::Most] {
        let all = groups(&bed, order).await;
        let key = |group: &FaultGroup| match order {
            FaultOrder::Latest => (group.last_at.as_micros().unsigned_abs(), group.fingerprint),
            FaultOrder::Most => (group.count, group.fingerprint),
        };
        assert!(all.len() == 5 && all.is_sorted_by(|a, b| key(a) > key(b)), "{order:?}: {all:?}");
        let (mut seen, mut after) = (Vec::new(), None::<FaultCursor>);
        loop {
            let request = FaultGroupRequest { limit: 2, after, order, only: None };
            let page = bed.storage.fault_groups(request).await.unwrap();
            // Through its text, as a web page would hand it back.
            after = page.last().map(|last| FaultCursor::of(last).to_string().parse().unwrap());
            seen.extend(page);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, all, "no gap and no double");
        let only =
            FaultGroupRequest { only: Some(all[3].fingerprint), order, ..FaultGroupRequest::default() };
        assert_eq!(bed.storage.fault_groups(only).await.unwrap(), [all[3].clone()]);
    }
    let none = FaultGroupRequest { limit: 0, ..FaultGroupRequest::default() };
    assert_eq!(bed.storage.fault_groups(none).await.unwrap().len(), 1, "0 is brought to 1");
}

pub async fn a_group_is_forgotten_when_it_is_long_over(bed: Arc<Bed>) {
    let server = bed.server().await;
    let short = Keep::For(Duration::from_secs(60));
    let mut brief = bed.job();
    brief.policy.retention = Retention { succeeded: short, failed: short, cancelled: short };
    bed.insert(brief).await;
    bed.run(server, Outcome::FailedForGood(Fault::new("gone"))).await;
    let mut lasting = bed.job();
    let forever = Keep::Forever;
    lasting.policy.retention = Retention { succeeded: forever, failed: forever, cancelled: forever };
    bed.insert(lasting).await;
    bed.run(server, Outcome::FailedForGood(Fault::new("kept"))).await;
    let samples = async || {
        let groups = groups(&bed, FaultOrder::Latest).await;
        let mut samples: Vec<_> = groups.into_iter().map(|group| group.sample.to_string()).collect();
        samples.sort();
        samples
    };
    bed.advance(FAULT_GROUPS_KEPT);
    bed.storage.prune(9).await.unwrap();
    assert_eq!(samples().await, ["gone", "kept"], "not before its time");
    bed.advance(Duration::from_micros(1));
    bed.storage.prune(9).await.unwrap();
    assert_eq!(samples().await, ["kept"], "while a job of it is kept");
}

pub async fn a_crash_is_a_cause(bed: Arc<Bed>) {
    let (doomed, rescuer) = (bed.server().await, bed.server().await);
    let mut job = bed.job();
    job.policy.attempts_max = 1;
    let job = bed.insert(job).await;
    bed.claim_one(doomed).await;
    bed.advance(Duration::from_secs(31));
    bed.beat(rescuer).await;
    bed.rescue(rescuer).await;
    let cause = Outcome::Crashed.fault().unwrap().fingerprint("work");
    assert_eq!(bed.get(job).await.fingerprint, Some(cause));
    assert_eq!(groups(&bed, FaultOrder::Latest).await[0].fingerprint, cause);
}

pub async fn what_was_said_is_shown_as_it_was(bed: Arc<Bed>) {
    let server = bed.server().await;
    let long = format!("{}'; DROP TABLE x; -- {}\nsecond line", "錯誤".repeat(40), "ä".repeat(200));
    let job = fails(&bed, server, &long).await;
    let sample = &*groups(&bed, FaultOrder::Latest).await[0].sample;
    let shown = bed.get(job).await.summary.fault.unwrap();
    assert_eq!(sample, &*shown);
    assert!(long.starts_with(sample) && sample.len() <= FAULT_LINE_BYTES_MAX && sample.len() > 290);
    let empty = fails(&bed, server, "").await;
    assert_eq!(bed.get(empty).await.summary.fault.as_deref(), Some(""));
}
