//! Text that would be SQL if it ever became part of a statement: it is stored, found and removed as text.

use std::sync::Arc;

use portfire_core::storage::{
    AuditRequest, By, Cursor, Filter, PageRequest, Person, QueueOrder, Target, Via, Want, WantQueue,
};
use portfire_core::{Fault, NewJob, Outcome, Policy, State};

use crate::Bed;
use crate::bed::schedule;

/// What closes a literal, a name or a comment, or stands for a value, on some database.
const BREAKS: [&str; 20] = [
    "'", "''", "\"", "`", "\\'", "\\", "')", "'))", "%", "_", "--", "/*", "*/", "$1", "?1", ":a", "@a", "$$",
    ";", "\u{2019}",
];
/// What would come after it.
const AFTER: [&str; 25] = [
    "",
    " OR 1=1",
    " OR ''='",
    "; DROP TABLE portfire_job",
    "; DELETE FROM portfire_job; --",
    " UNION SELECT * FROM portfire_job",
    " UNION ALL SELECT NULL, NULL --",
    " AND sleep(9)",
    "||pg_sleep(9)||",
    " AND 1=(SELECT 1 FROM pg_sleep(9))",
    " LIMIT 0",
    " ORDER BY 99",
    " COLLATE \"C\"",
    " ESCAPE '\\'",
    "::text",
    "); ATTACH DATABASE 'x' AS x",
    "; PRAGMA writable_schema = 1",
    "; COMMIT",
    "; ROLLBACK; BEGIN",
    " INTO OUTFILE '/tmp/x'",
    "/*!50000 OR 1=1 */",
    "#",
    " HAVING 1=1",
    " 工作 🎉",
    "\u{a0}OR 1=1",
];

/// Five hundred texts.
fn texts() -> Vec<Box<str>> {
    let numbered = BREAKS.iter().flat_map(|end| AFTER.iter().map(move |rest| format!("{end}{rest}")));
    numbered.enumerate().map(|(number, text)| format!("{number}{text}").into()).collect()
}

async fn found(bed: &Bed, filter: Filter) -> usize {
    bed.storage.list(filter, PageRequest::default()).await.unwrap().jobs.len()
}

pub async fn what_would_be_sql_is_text_wherever_it_stands(bed: Arc<Bed>) {
    let texts = texts();
    let policy = Policy { attempts_max: 1, ..Policy::default() };
    let job = |text: &str| NewJob {
        kind: text.into(),
        queue: text.into(),
        tags: vec![text.into()],
        unique: Some(text.into()),
        policy: policy.clone(),
        ..bed.job()
    };
    bed.storage.insert(texts.iter().map(|text| job(text)).collect()).await.unwrap();
    for text in &texts {
        let only = |filter| found(&bed, filter);
        let text = Some(text.clone());
        assert_eq!(only(Filter { queue: text.clone(), ..Filter::of(State::Enqueued) }).await, 1, "{text:?}");
        assert_eq!(only(Filter { kind: text.clone(), ..Filter::default() }).await, 1, "{text:?}");
        assert_eq!(only(Filter { tag: text.clone(), ..Filter::default() }).await, 1, "{text:?}");
    }
    let first = bed.storage.list(Filter::of(State::Enqueued), PageRequest::default()).await.unwrap().jobs;
    for text in &texts {
        let after = Cursor { queue: text.clone(), ..Cursor::of(&first[0]) };
        let page = PageRequest { limit: 1, after: Some(after), before: None };
        let next = bed.storage.list(Filter::of(State::Enqueued), page).await.unwrap().jobs;
        assert!(next.iter().all(|job| *job.queue >= **text), "{text:?}");
    }
    fail_all(&bed, &texts).await;
    for text in &texts {
        let alike = texts.iter().filter(|other| other.contains(&**text)).count();
        let filter = Filter { text: Some(text.clone()), ..Filter::of(State::Failed) };
        assert_eq!(found(&bed, filter).await, alike.min(50), "{text:?}");
    }
}

/// Claims all by their names, and lets each fail with its text.
async fn fail_all(bed: &Bed, texts: &[Box<str>]) {
    let server = bed.server().await;
    let queues = texts.iter().map(|text| WantQueue { name: (&**text).into(), limit: 1 }).collect();
    let limit = u32::try_from(texts.len()).unwrap();
    let want = Want { token: bed.token(), limit, queues, kinds: texts.to_vec().into() };
    let claimed = bed.exchange(server, Vec::new(), Some(want)).await.claimed;
    assert_eq!(claimed.len(), texts.len());
    let failed = claimed.iter().map(|one| bed.settlement(one, Outcome::Failed(Fault::new(&one.queue))));
    bed.exchange(server, failed.collect(), None).await;
}

pub async fn orders_to_what_would_be_sql_reach_only_what_is_named_so(bed: Arc<Bed>) {
    let texts = texts();
    let ann = |text: &str| By::Person(Person::new("' OR 1=1 --", Via::Api).unwrap().because(text));
    bed.storage.put_schedules(texts.iter().map(|text| schedule(text, "0 0 * * *")).collect()).await.unwrap();
    for text in texts.iter().step_by(5) {
        bed.storage.direct_queues(vec![text.clone()], QueueOrder::Pause, ann(text)).await.unwrap();
        let entries =
            bed.storage.audit(Some(Target::Queue(text.clone())), AuditRequest::default()).await.unwrap();
        assert_eq!((entries.len(), entries[0].by.reason()), (1, Some(text.trim())), "{text:?}");
        assert_eq!(bed.storage.slots(text.clone(), None, 10).await.unwrap(), []);
        let known = bed.storage.get_schedules(vec![text.clone()]).await.unwrap();
        assert_eq!(known[0].as_ref().map(|view| &view.schedule.id), Some(text));
        let page = bed.storage.list_schedules(Some(text.clone()), 1).await.unwrap();
        assert!(page.iter().all(|view| *view.schedule.id > **text), "{text:?}");
    }
    assert_eq!(bed.storage.overview().await.unwrap().paused.len(), texts.len().div_ceil(5));
}
