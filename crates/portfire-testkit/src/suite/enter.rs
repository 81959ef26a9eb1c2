//! How jobs enter.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::{Action, By, Inserted};
use portfire_core::{Clock, Dependency, Json, NewJob, Start, State, Trigger};

use crate::Bed;
use crate::bed::SUCCESS;

pub async fn a_job_is_stored_as_asked(bed: Arc<Bed>) {
    let mut job = bed.job();
    job.queue = "mail".into();
    job.priority = -7;
    job.args = Json::trusted(r#"{"to":"ada"}"#);
    job.tags = vec!["b".into(), "a".into()];
    job.policy.attempts_max = 3;
    let id = bed.insert(job.clone()).await;
    let details = bed.get(id).await;
    assert_eq!((&*details.summary.kind, &*details.summary.queue), ("work", "mail"));
    assert_eq!((details.summary.priority, details.summary.state), (-7, State::Enqueued));
    assert_eq!((details.args, details.summary.tags, details.policy), (job.args, job.tags, job.policy));
    assert_eq!(details.summary.created_at, bed.clock.now());
    assert_eq!(bed.storage.get(vec![bed.job().id]).await.unwrap(), [None]);
}

pub async fn a_repeated_id_changes_nothing(bed: Arc<Bed>) {
    let job = bed.job();
    bed.insert(job.clone()).await;
    let server = bed.server().await;
    bed.run(server, SUCCESS).await;
    assert_eq!(bed.storage.insert(vec![job.clone()]).await.unwrap(), [Inserted::SameId]);
    assert_eq!(bed.state(job.id).await, State::Succeeded);
    assert!(bed.claim(server, 10).await.is_empty());
}

fn named(bed: &Bed, kind: &str) -> NewJob {
    NewJob { unique: Some("the one".into()), kind: kind.into(), ..bed.job() }
}

pub async fn a_unique_name_is_held_until_the_end(bed: Arc<Bed>) {
    let first = bed.insert(named(&bed, "work")).await;
    let again = named(&bed, "work");
    let insert = |job: &NewJob| bed.storage.insert(vec![job.clone()]);
    assert_eq!(insert(&again).await.unwrap(), [Inserted::Duplicate(first)]);
    let server = bed.server().await;
    bed.run(server, crate::bed::failed()).await;
    assert_eq!(insert(&again).await.unwrap(), [Inserted::Duplicate(first)]);
    bed.act(first, Action::Cancel).await;
    assert_eq!(insert(&again).await.unwrap(), [Inserted::New]);
    assert_eq!(insert(&again).await.unwrap(), [Inserted::SameId]);
}

pub async fn names_are_apart_by_kind(bed: Arc<Bed>) {
    bed.insert(named(&bed, "work")).await;
    bed.insert(named(&bed, "other")).await;
}

pub async fn a_later_job_is_scheduled(bed: Arc<Bed>) {
    let hour = Duration::from_secs(3_600);
    let after = bed.insert(NewJob { start: Start::After(hour), ..bed.job() }).await;
    let at = bed.insert(NewJob { start: Start::At(bed.clock.now().after(hour)), ..bed.job() }).await;
    let past = bed.insert(NewJob { start: Start::At(bed.clock.now().before(hour)), ..bed.job() }).await;
    assert_eq!(bed.state(after).await, State::Scheduled);
    assert_eq!(bed.get(at).await.summary.run_at, bed.clock.now().after(hour));
    assert_eq!(bed.state(past).await, State::Enqueued);
}

pub async fn a_set_is_stored_whole_or_not_at_all(bed: Arc<Bed>) {
    let good = bed.job();
    let unknown = Dependency { parent: bed.job().id, on: Trigger::Success };
    let orphan = NewJob { after: vec![unknown], ..bed.job() };
    let refused = bed.storage.insert(vec![good.clone(), orphan]).await.unwrap_err();
    assert!(refused.is_misuse());
    assert_eq!(bed.storage.get(vec![good.id]).await.unwrap(), [None]);
    let itself = bed.job();
    let on_itself = Dependency { parent: itself.id, on: Trigger::End };
    assert!(bed.storage.insert(vec![NewJob { after: vec![on_itself], ..itself }]).await.is_err());
}

pub async fn five_thousand_jobs_are_one_set(bed: Arc<Bed>) {
    let jobs: Vec<_> = (0..5_000).map(|_| bed.job()).collect();
    let answers = bed.storage.insert(jobs).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == Inserted::New) && answers.len() == 5_000);
    assert_eq!(bed.storage.overview().await.unwrap().counts[0].jobs, 5_000);
}

pub async fn hostile_text_comes_back_as_it_was(bed: Arc<Bed>) {
    let texts = ["'; DROP TABLE portfire_job; --", "\"quoted\" %_\\", "工作 🎉 \u{202E}x", "<script>"];
    for text in texts {
        let mut job = NewJob { kind: text.into(), queue: text.into(), ..bed.job() };
        job.args = Json::of(&format!("{text}\u{0}")).unwrap();
        job.tags = vec![text.into()];
        job.unique = Some(text.into());
        let details = bed.get(bed.insert(job.clone()).await).await;
        assert_eq!((&details.summary.kind, &details.summary.queue), (&job.kind, &job.queue));
        assert_eq!((details.args, details.summary.tags, details.unique), (job.args, job.tags, job.unique));
    }
}

pub async fn big_integers_keep_their_digits(bed: Arc<Bed>) {
    let args = Json::trusted(r#"{"n":123456789012345678901234567890,"f":1.0e400,"z":-0}"#);
    let id = bed.insert(NewJob { args: args.clone(), ..bed.job() }).await;
    assert_eq!(bed.get(id).await.args, args);
    let server = bed.server().await;
    assert_eq!(bed.claim_one(server).await.args, args);
}

pub async fn limits_are_refused_with_advice(bed: Arc<Bed>) {
    let long = Json::of(&"x".repeat(portfire_core::limits::PAYLOAD_BYTES_MAX)).unwrap();
    let refused = bed.storage.insert(vec![NewJob { args: long, ..bed.job() }]).await.unwrap_err();
    assert!(refused.is_misuse() && refused.to_string().contains("pass its id"));
    let nameless = NewJob { queue: "".into(), ..bed.job() };
    assert!(bed.storage.insert(vec![nameless]).await.unwrap_err().is_misuse());
}

pub async fn an_id_twice_in_one_set_is_one_job(bed: Arc<Bed>) {
    let job = bed.job();
    let answers = bed.storage.insert(vec![job.clone(), bed.job(), job]).await.unwrap();
    assert_eq!(answers, [Inserted::New, Inserted::New, Inserted::SameId]);
}

pub async fn nothing_is_answered_with_nothing(bed: Arc<Bed>) {
    assert!(bed.storage.insert(Vec::new()).await.unwrap().is_empty());
    assert!(bed.storage.get(Vec::new()).await.unwrap().is_empty());
    assert!(bed.storage.act(Vec::new(), Action::Cancel, By::Program).await.unwrap().is_empty());
    assert!(bed.storage.overview().await.unwrap().counts.is_empty());
    assert_eq!(bed.storage.promote(9).await.unwrap(), portfire_core::storage::Promoted::default());
    assert_eq!(bed.storage.now().await.unwrap(), bed.clock.now());
}

/// A repeat is recognized by its id alone, even if its parent is gone since.
pub async fn a_repeat_does_not_need_its_parents(bed: Arc<Bed>) {
    let parent = bed.insert_plain().await;
    let child = bed.child_of(&[(parent, Trigger::End)]);
    bed.insert(child.clone()).await;
    let server = bed.server().await;
    bed.run(server, SUCCESS).await;
    bed.act(parent, Action::Delete).await;
    assert_eq!(bed.storage.insert(vec![child]).await.unwrap(), [Inserted::SameId]);
}
