//! What is refused at the door, and what just passes.

use std::time::Duration;

use portfire_core::limits::{NAME_BYTES_MAX, PARENTS_MAX, PAYLOAD_BYTES_MAX, TAGS_MAX};
use portfire_core::{Dependency, JobId, Json, NewJob, Policy, Start, Timestamp, Trigger};

fn job() -> NewJob {
    NewJob::new(JobId::from_bytes([1; 16]), "work", Json::trusted("{}"))
}

fn refused(job: NewJob) -> String {
    let error = job.check().expect_err("it is refused");
    assert!(error.is_misuse());
    error.to_string()
}

#[test]
fn arguments_are_bounded_with_advice() {
    let of = |bytes| NewJob { args: Json::trusted("1".repeat(bytes)), ..job() };
    of(PAYLOAD_BYTES_MAX).check().unwrap();
    let text = refused(of(PAYLOAD_BYTES_MAX + 1));
    assert!(text.contains("`work`") && text.contains("pass its id or path"), "{text}");
}

/// The job with this name in each of the four places that a name has.
fn with_name(name: &str) -> [(&'static str, NewJob); 4] {
    [
        ("kind", NewJob { kind: name.into(), ..job() }),
        ("queue", NewJob { queue: name.into(), ..job() }),
        ("unique name", NewJob { unique: Some(name.into()), ..job() }),
        ("tag", NewJob { tags: vec!["fine".into(), name.into()], ..job() }),
    ]
}

#[test]
fn names_are_bounded_and_printable() {
    for (_, job) in with_name(&"é".repeat(NAME_BYTES_MAX / 2)) {
        job.check().unwrap();
    }
    let bad = ["x".repeat(NAME_BYTES_MAX + 1), String::new(), "a\0b".into(), "a\nb".into(), "\u{85}".into()];
    for name in bad {
        for (what, job) in with_name(&name) {
            let text = refused(job);
            assert!(text.starts_with(&format!("a {what} ")), "{text}");
        }
    }
}

#[test]
fn tags_and_parents_are_counted() {
    let tagged = |count| NewJob { tags: (0..count).map(|n| n.to_string().into()).collect(), ..job() };
    tagged(TAGS_MAX).check().unwrap();
    assert!(refused(tagged(TAGS_MAX + 1)).contains("33 tags; the limit is 32"));
    let parent = Dependency { parent: JobId::from_bytes([2; 16]), on: Trigger::End };
    let waiting = |count| NewJob { after: vec![parent; count], ..job() };
    waiting(PARENTS_MAX).check().unwrap();
    assert!(refused(waiting(PARENTS_MAX + 1)).contains("101 parents"));
}

#[test]
fn a_policy_must_mean_something() {
    let never = Policy { attempts_max: 0, ..Policy::default() };
    assert!(refused(NewJob { policy: never, ..job() }).contains("never run"));
    let instant = Policy { timeout: Some(Duration::ZERO), ..Policy::default() };
    assert!(refused(NewJob { policy: instant, ..job() }).contains("timeout"));
}

#[test]
fn a_policy_reads_back_and_the_default_takes_no_room() {
    assert_eq!(Policy::default().to_json(), None);
    let policy = Policy { attempts_max: 3, timeout: Some(Duration::from_nanos(1)), ..Policy::default() };
    let stored = policy.to_json().unwrap();
    assert_eq!(Policy::from_json(Some(stored.as_str())), policy);
    assert_eq!(Policy::from_json(Some(r#"{"attempts_max":4}"#)).attempts_max, 4);
    for unreadable in
        ["5", "not JSON", r#"{"attempts_max":"many","backoff":7,"timeout":[],"retention":"long"}"#]
    {
        assert_eq!(Policy::from_json(Some(unreadable)), Policy::default(), "{unreadable}");
    }
}

#[test]
fn a_start_far_away_saturates() {
    let now = Timestamp::from_micros(5);
    assert_eq!(Start::After(Duration::MAX).instant(now), Timestamp::from_micros(i64::MAX));
    assert_eq!(Start::Now.instant(now), now);
}
