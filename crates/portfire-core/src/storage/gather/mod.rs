//! Enqueues that come at once share a statement and a commit, on databases that would commit each by itself.
//!
//! 1. A small set joins the line. Who finds nobody leading leads: yields once, so that others who are about to
//!    enqueue can join, then takes the line and stores all of it.
//! 2. What came of it is told to each who was taken; then the first who has joined meanwhile leads. So while one
//!    statement is on its way the next one gathers, and an idle database adds no delay.
//! 3. If the statement fails for good, each of them stores its own: only who is to blame fails.
//! 4. Who is not answered soon, or whose leader went away, stores its own as well: nobody stands for long behind a
//!    set that waits for somebody's lock, and a set that is stored twice is there once, by its ids.
//!
//! Leading is a value that passes on when it is dropped, wherever that is: it cannot be lost. How a set is stored, and
//! how long one waits, are arguments: here is no database and no clock.

mod turn;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use super::Inserted;
use crate::{NewJob, Result};
use turn::{Teller, Told, turn};

/// Largest set that joins the line: beyond it the commit is amortized.
const SET_MAX: usize = 64;
/// Most jobs in one statement of the line.
const GROUP_MAX: usize = 512;

/// The line of one storage.
///
/// ```
/// use portfire_core::storage::{Gathering, Inserted};
/// use portfire_core::{Dice, IdSequence, Json, NewJob, Result, Timestamp};
///
/// async fn insert(line: &Gathering, jobs: Vec<NewJob>) -> Result<Vec<Inserted>> {
///     let store = |jobs: Vec<NewJob>| async move { Ok(vec![Inserted::New; jobs.len()]) };
///     // A backend waits for `Gathering::PATIENCE` on its runtime.
///     let patience = std::future::pending();
///     line.insert(jobs, store, patience).await
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gathering(Arc<Mutex<Line>>);

#[derive(Debug, Default)]
struct Line {
    led: bool,
    waiting: VecDeque<Party>,
}

/// A set in the line.
#[derive(Debug)]
struct Party {
    jobs: Vec<NewJob>,
    turn: Teller<Turn>,
}

/// What one in the line is told.
#[derive(Debug)]
enum Turn {
    Stored(Vec<Inserted>),
    Lead(Lead),
}

/// Whether a set is one that shares a statement.
fn may_join(jobs: &[NewJob]) -> bool {
    let plain = |job: &NewJob| job.unique.is_none() && job.after.is_empty();
    (1..=SET_MAX).contains(&jobs.len()) && jobs.iter().all(plain)
}

impl Gathering {
    /// How long one waits for an answer: longer than a statement takes on a slow disk, and far from a deadline.
    pub const PATIENCE: Duration = Duration::from_secs(1);

    /// Stores the set, alone or with others that come at the same time. A set that is large, or whose jobs have unique
    /// names or parents, is stored at once and alone. `patience` ends when it is time to wait no longer for others.
    ///
    /// # Errors
    /// Those of `store`, as if the set had been stored alone.
    pub async fn insert<F>(
        &self,
        jobs: Vec<NewJob>,
        store: impl Fn(Vec<NewJob>) -> F,
        patience: impl Future<Output = ()>,
    ) -> Result<Vec<Inserted>>
    where
        F: Future<Output = Result<Vec<Inserted>>>,
    {
        if !may_join(&jobs) {
            return store(jobs).await;
        }
        let told = match self.join(&jobs) {
            Ok(lead) => Some(Turn::Lead(lead)),
            Err(told) => wait(told, patience).await,
        };
        match told {
            Some(Turn::Stored(answers)) => Ok(answers),
            Some(Turn::Lead(lead)) => lead.store(jobs, store).await,
            None => store(jobs).await,
        }
    }

    /// Leads if nobody does, else joins the line.
    fn join(&self, jobs: &[NewJob]) -> Result<Lead, Told<Turn>> {
        let mut line = self.line();
        if !line.led {
            line.led = true;
            return Ok(Lead(self.clone()));
        }
        let (turn, told) = turn();
        line.waiting.push_back(Party { jobs: jobs.to_vec(), turn });
        Err(told)
    }

    /// Those who go along with so many jobs of the leader.
    fn take(&self, mut count: usize) -> Vec<Party> {
        let mut line = self.line();
        let mut taken = Vec::new();
        while let Some(party) = line.waiting.pop_front_if(|party| count + party.jobs.len() <= GROUP_MAX) {
            count += party.jobs.len();
            taken.push(party);
        }
        taken.retain(|party| !party.turn.is_alone());
        taken
    }

    /// The first who still waits leads; if nobody does, the next to come.
    fn pass_on(&self) {
        let mut line = self.line();
        line.waiting.retain(|party| !party.turn.is_alone());
        let next = line.waiting.pop_front();
        line.led = next.is_some();
        drop(line);
        if let Some(party) = next {
            // If that one has just gone, what it was told is dropped, and passes on.
            party.turn.tell(Turn::Lead(Lead(self.clone())));
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Being the one who leads.
#[derive(Debug)]
struct Lead(Gathering);

impl Lead {
    async fn store<F>(self, own: Vec<NewJob>, store: impl Fn(Vec<NewJob>) -> F) -> Result<Vec<Inserted>>
    where
        F: Future<Output = Result<Vec<Inserted>>>,
    {
        yield_once().await;
        let others = self.0.take(own.len());
        if others.is_empty() {
            return store(own).await;
        }
        let joined = others.iter().flat_map(|party| &party.jobs);
        match store(own.iter().chain(joined).cloned().collect()).await {
            Ok(answers) => Ok(tell(answers, own.len(), others)),
            // The deadline has come, of this call and of the others'.
            Err(error) if error.is_transient() => Err(error),
            Err(_) => {
                drop((others, self));
                store(own).await
            }
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.0.pass_on();
    }
}

/// Gives each its part of the answers; answers the leader's own, which come first.
fn tell(mut answers: Vec<Inserted>, own: usize, others: Vec<Party>) -> Vec<Inserted> {
    let mut rest = answers.split_off(own).into_iter();
    for Party { jobs, turn } in others {
        // Who is gone stores its own, or does not ask any more.
        turn.tell(Turn::Stored(rest.by_ref().take(jobs.len()).collect()));
    }
    answers
}

/// Waits for the turn, but not longer than this.
async fn wait(mut told: Told<Turn>, patience: impl Future<Output = ()>) -> Option<Turn> {
    let mut patience = pin!(patience);
    poll_fn(|context| match Pin::new(&mut told).poll(context) {
        Poll::Pending => patience.as_mut().poll(context).map(|()| None),
        ready @ Poll::Ready(_) => ready,
    })
    .await
}

/// Lets everybody else who is ready go first.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::{Mutex, PoisonError};

    use tokio::sync::Notify;

    use super::{Gathering, Inserted, NewJob, Result, may_join};
    use crate::{Dice, Error, IdSequence, Json, Timestamp};

    /// Stores sets; refuses those with a job of the kind `bad`, and never ends with one of the kind `hang`.
    #[derive(Default)]
    struct Store {
        sizes: Mutex<Vec<usize>>,
        hangs: Notify,
    }

    impl Store {
        async fn store(&self, jobs: Vec<NewJob>) -> Result<Vec<Inserted>> {
            self.sizes.lock().unwrap_or_else(PoisonError::into_inner).push(jobs.len());
            let any = |kind| jobs.iter().any(|job| &*job.kind == kind);
            if any("hang") {
                self.hangs.notify_waiters();
                pending::<()>().await;
            }
            if any("bad") {
                return Err(Error::misuse("a bad job"));
            }
            Ok(vec![Inserted::New; jobs.len()])
        }

        fn sizes(&self) -> Vec<usize> {
            self.sizes.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    fn jobs(kind: &str, count: usize) -> Vec<NewJob> {
        let mut ids = IdSequence::new(Dice::from_seed([u64::try_from(count).unwrap(), 2]));
        let mut job = || NewJob::new(ids.job(Timestamp::default()), kind, Json::trusted("{}"));
        (0..count).map(|_| job()).collect()
    }

    #[test]
    fn plain_small_sets_join() {
        let mut named = jobs("work", 1);
        assert!(may_join(&named) && may_join(&jobs("work", 64)));
        named[0].unique = Some("one".into());
        assert!(!may_join(&named) && !may_join(&jobs("work", 65)) && !may_join(&[]));
    }

    #[tokio::test]
    async fn those_who_come_at_once_share_a_statement_and_each_gets_its_own_answers() {
        let (gathering, store) = (Gathering::default(), Store::default());
        let insert = |count| gathering.insert(jobs("work", count), |jobs| store.store(jobs), pending());
        let (one, two, three) = tokio::join!(insert(1), insert(2), insert(3));
        assert_eq!([one, two, three].map(|answers| answers.unwrap().len()), [1, 2, 3]);
        assert_eq!(store.sizes(), [6]);
        assert_eq!(insert(1).await.unwrap().len(), 1, "the next to come leads");
    }

    #[tokio::test]
    async fn a_large_set_is_stored_alone() {
        let (gathering, store) = (Gathering::default(), Store::default());
        let insert = |count| gathering.insert(jobs("work", count), |jobs| store.store(jobs), pending());
        let (one, many, two) = tokio::join!(insert(1), insert(65), insert(2));
        assert_eq!([one, many, two].map(|answers| answers.unwrap().len()), [1, 65, 2]);
        assert_eq!(store.sizes(), [65, 3]);
    }

    #[tokio::test]
    async fn only_who_is_to_blame_fails() {
        let (gathering, store) = (Gathering::default(), Store::default());
        let insert = |kind| gathering.insert(jobs(kind, 1), |jobs| store.store(jobs), pending());
        let (first, bad, last) = tokio::join!(insert("work"), insert("bad"), insert("work"));
        assert!(first.is_ok() && bad.is_err() && last.is_ok());
        assert_eq!(insert("work").await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_leader_that_hangs_or_goes_away_keeps_nobody() {
        let (gathering, store) = (Gathering::default(), Store::default());
        let insert = |kind| gathering.insert(jobs(kind, 1), |jobs| store.store(jobs), store.hangs.notified());
        {
            let mut hanging = Box::pin(insert("hang"));
            let patient = async { tokio::join!(insert("work"), insert("work")) };
            tokio::select! {
                biased;
                _ = &mut hanging => unreachable!("it hangs"),
                (one, two) = patient => assert!(one.is_ok() && two.is_ok()),
            }
            assert_eq!(store.sizes(), [3, 1, 1], "they went along, lost their patience and stored their own");
        }
        assert_eq!(insert("work").await.unwrap().len(), 1);
        assert_eq!(store.sizes(), [3, 1, 1, 1], "whoever came next led");
    }

    #[tokio::test]
    async fn who_leaves_after_having_been_told_to_lead_passes_on() {
        let (gathering, store) = (Gathering::default(), Store::default());
        let Ok(lead) = gathering.join(&jobs("work", 1)) else { unreachable!("nobody leads") };
        let Err(told) = gathering.join(&jobs("work", 1)) else { unreachable!("somebody leads") };
        drop(lead);
        drop(told);
        let insert = gathering.insert(jobs("work", 1), |jobs| store.store(jobs), ready(()));
        assert_eq!(insert.await.unwrap().len(), 1);
        assert_eq!(store.sizes(), [1], "it led at once");
    }
}
