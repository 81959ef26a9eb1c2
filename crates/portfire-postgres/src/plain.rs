//! Jobs that are ready at once and nothing more: no name, no parents, no tags, no slot. Most of what is enqueued.
//!
//! Where a session keeps what was prepared in it, they have statements of their own, for one and for several; for all
//! else, and where their ids may be stored already, there is [`insert`](crate::insert).

use portfire_core::storage::Inserted;
use portfire_core::{Json, NewJob, Result, Start, State};

use crate::insert::{FOREVER, keep, said, spoken};
use crate::pool::Lane;
use crate::rows::Value;
use crate::statements::Op;

/// Whether a set has no other jobs.
pub(crate) fn is_plain(jobs: &[NewJob]) -> bool {
    let plain = |job: &NewJob| {
        job.start == Start::Now
            && job.unique.is_none()
            && job.after.is_empty()
            && job.tags.is_empty()
            && job.slot.is_none()
    };
    !jobs.is_empty() && jobs.iter().all(plain)
}

/// Stores a set that [`is_plain`] and whose ids are new: if one is not, it fails as a whole. Calls `sent` when the
/// statement is on its way.
pub(crate) async fn insert_plain(
    lane: &Lane,
    now: Option<i64>,
    jobs: &[NewJob],
    sent: impl FnOnce(),
) -> Result<Vec<Inserted>> {
    jobs.iter().try_for_each(NewJob::check)?;
    match jobs {
        [job] => insert_alike(lane, now, Op::InsertOne, job, one(job), sent).await?,
        [first, rest @ ..] if rest.iter().all(|job| is_alike(first, job)) => {
            insert_alike(lane, now, Op::InsertAlike, first, each(jobs), sent).await?;
        }
        _ => insert_several(lane, now, jobs, sent).await?,
    }
    Ok(vec![Inserted::New; jobs.len()])
}

/// Whether two plain jobs differ in nothing but their ids and arguments.
fn is_alike(one: &NewJob, other: &NewJob) -> bool {
    one.kind == other.kind
        && one.queue == other.queue
        && one.priority == other.priority
        && one.policy == other.policy
}

/// The id and the arguments of one job.
fn one(job: &NewJob) -> [Value<'_>; 2] {
    [Value::job(job.id), Value::text(job.args.as_str())]
}

/// Those of several, in the order of their ids.
fn each(jobs: &[NewJob]) -> [Value<'_>; 2] {
    let jobs = sorted(jobs);
    [Value::jobs(jobs.iter().map(|job| job.id)), Value::texts(jobs.iter().map(|job| job.args.as_str()))]
}

fn sorted(jobs: &[NewJob]) -> Vec<&NewJob> {
    let mut jobs: Vec<_> = jobs.iter().collect();
    jobs.sort_by_key(|job| job.id);
    jobs
}

/// Stores one job, or several that are alike: all else is as of this one.
async fn insert_alike(
    lane: &Lane,
    now: Option<i64>,
    op: Op,
    job: &NewJob,
    [ids, args]: [Value<'_>; 2],
    sent: impl FnOnce(),
) -> Result<()> {
    let policy = job.policy.to_json();
    let values = [
        Value::Int(now),
        ids,
        Value::text(&job.kind),
        Value::text(&job.queue),
        Value::Int(Some(job.priority.into())),
        args,
        Value::Text(policy.as_ref().map(Json::as_str)),
        Value::Int(keep(job.policy.retention.of(State::Cancelled))),
    ];
    lane.rows_once_sent(op, &values, sent).await.map(drop)
}

async fn insert_several(lane: &Lane, now: Option<i64>, jobs: &[NewJob], sent: impl FnOnce()) -> Result<()> {
    let jobs = sorted(jobs);
    let policies: Vec<_> = jobs.iter().map(|job| job.policy.to_json()).collect();
    let kept = |job: &NewJob| keep(job.policy.retention.of(State::Cancelled)).unwrap_or(FOREVER);
    let values = [
        Value::Int(now),
        Value::jobs(jobs.iter().map(|job| job.id)),
        Value::Texts(said(&jobs, |job| &*job.kind)),
        Value::Texts(said(&jobs, |job| &*job.queue)),
        Value::Ints(said(&jobs, |job| job.priority.into())),
        Value::texts(jobs.iter().map(|job| job.args.as_str())),
        Value::Texts(spoken(policies.iter().map(|policy| policy.as_ref().map(Json::as_str)))),
        Value::Ints(said(&jobs, kept)),
    ];
    lane.rows_once_sent(Op::InsertPlain, &values, sent).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use portfire_core::{Dependency, JobId, Json, Keep, NewJob, Slot, Start, Timestamp, Trigger};

    use super::{is_alike, is_plain};

    #[test]
    fn a_plain_job_says_nothing_of_names_parents_tags_slots_and_times() {
        let id = JobId::from_bytes([7; 16]);
        let plain = NewJob::new(id, "work", Json::trusted("{}"));
        assert!(is_plain(&[plain.clone(), plain.clone()]) && !is_plain(&[]));
        let changes: [fn(&mut NewJob); 5] = [
            |job| job.start = Start::After(Duration::from_secs(1)),
            |job| job.unique = Some("one".into()),
            |job| job.after = vec![Dependency { parent: job.id, on: Trigger::End }],
            |job| job.tags = vec!["tag".into()],
            |job| job.slot = Some(Slot { schedule: "daily".into(), at: Timestamp::default() }),
        ];
        for change in changes {
            let mut other = plain.clone();
            change(&mut other);
            assert!(!is_plain(&[plain.clone(), other.clone()]), "{other:?}");
        }
    }

    #[test]
    fn alike_are_those_that_differ_in_ids_and_arguments_alone() {
        let one = NewJob::new(JobId::from_bytes([1; 16]), "work", Json::trusted("1"));
        let alike = NewJob::new(JobId::from_bytes([2; 16]), "work", Json::trusted("2"));
        assert!(is_alike(&one, &alike));
        let changes: [fn(&mut NewJob); 5] = [
            |job| job.kind = "other".into(),
            |job| job.queue = "other".into(),
            |job| job.priority = 7,
            |job| job.policy.retention.cancelled = Keep::Forever,
            |job| job.policy.timeout = Some(Duration::from_secs(1)),
        ];
        for change in changes {
            let mut other = alike.clone();
            change(&mut other);
            assert!(!is_alike(&one, &other), "{other:?}");
        }
    }
}
