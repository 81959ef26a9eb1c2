//! What a case stands on: a storage, its clock, and short ways to say what happens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portfire_core::storage::{
    Acted, Action, Beat, By, Claimed, Exchange, Exchanged, Expired, Inserted, JobDetails, LogLine, Note,
    ServerInfo, ServerOrder, Settled, Want, WantQueue,
};
use portfire_core::{
    Clock, Dependency, Dice, IdSequence, JobId, Json, Lease, Misfire, NewJob, Outcome, Overlap, Schedule,
    ServerId, Settlement, State, Storage, Template, Timestamp, Token, Trigger, VirtualClock, settle,
};

/// How long a server of a case is trusted.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// A storage under test.
#[derive(Debug)]
pub struct Bed {
    pub storage: Arc<dyn Storage>,
    pub clock: Arc<VirtualClock>,
    ids: Mutex<IdSequence>,
    tokens: AtomicU64,
}

impl Bed {
    pub(crate) fn new(storage: Arc<dyn Storage>, clock: Arc<VirtualClock>) -> Self {
        let ids = Mutex::new(IdSequence::new(Dice::from_seed([1, 2])));
        Self { storage, clock, ids, tokens: AtomicU64::new(1) }
    }

    /// A job of kind `work` with no arguments.
    pub fn job(&self) -> NewJob {
        let id = self.ids.lock().unwrap().job(self.clock.now());
        NewJob::new(id, "work", Json::trusted("{}"))
    }

    pub async fn insert(&self, job: NewJob) -> JobId {
        let id = job.id;
        assert_eq!(self.storage.insert(vec![job]).await.unwrap(), [Inserted::New]);
        id
    }

    pub async fn insert_plain(&self) -> JobId {
        self.insert(self.job()).await
    }

    /// A server that has just beaten.
    pub async fn server(&self) -> ServerId {
        let server = self.ids.lock().unwrap().server(self.clock.now());
        self.beat(server).await;
        server
    }

    pub async fn beat(&self, server: ServerId) -> Vec<Lease> {
        let beat = Beat { server, lease: LEASE, info: ServerInfo::default() };
        self.storage.beat(beat).await.unwrap().cancel
    }

    /// What a server hears of its orders, when it beats now.
    pub async fn ordered(&self, server: ServerId) -> ServerOrder {
        let beat = Beat { server, lease: LEASE, info: ServerInfo::default() };
        self.storage.beat(beat).await.unwrap().order
    }

    pub fn token(&self) -> Token {
        let number = self.tokens.fetch_add(1, Ordering::Relaxed);
        Token::from_bytes(u128::from(number).to_be_bytes())
    }

    /// A wish for `limit` jobs of kind `work` from `default`.
    pub fn want(&self, limit: u32) -> Want {
        let queues = vec![WantQueue { name: "default".into(), limit }];
        Want { token: self.token(), limit, queues, kinds: ["work".into()].into() }
    }

    pub async fn exchange(
        &self,
        server: ServerId,
        settlements: Vec<Settlement>,
        want: Option<Want>,
    ) -> Exchanged {
        let exchange = Exchange { server, notes: Vec::new(), settlements, want };
        self.storage.exchange(exchange).await.unwrap()
    }

    pub async fn claim(&self, server: ServerId, limit: u32) -> Vec<Claimed> {
        self.exchange(server, Vec::new(), Some(self.want(limit))).await.claimed
    }

    /// Claims the one job there is.
    pub async fn claim_one(&self, server: ServerId) -> Claimed {
        self.claim(server, 1).await.pop().expect("there is a job to claim")
    }

    pub fn settlement(&self, claimed: &Claimed, outcome: Outcome) -> Settlement {
        settle(&claimed.facts, outcome, &mut Dice::from_seed([3, 4]))
    }

    pub async fn settle(&self, server: ServerId, claimed: &Claimed, outcome: Outcome) -> Settled {
        let settlement = self.settlement(claimed, outcome);
        self.exchange(server, vec![settlement], None).await.settled[0]
    }

    /// Claims the one job there is and ends it so.
    pub async fn run(&self, server: ServerId, outcome: Outcome) -> Settled {
        let claimed = self.claim_one(server).await;
        self.settle(server, &claimed, outcome).await
    }

    /// Settles every expired job as crashed; says what became of each.
    pub async fn rescue(&self, rescuer: ServerId) -> Vec<Settled> {
        let expired = self.storage.expired(100).await.unwrap();
        let crashed = |dead: &Expired| settle(&dead.facts, Outcome::Crashed, &mut Dice::from_seed([5, 6]));
        self.exchange(rescuer, expired.iter().map(crashed).collect(), None).await.settled
    }

    /// Writes notes and nothing else.
    pub async fn notes(&self, server: ServerId, notes: Vec<Note>) {
        let exchange = Exchange { server, notes, settlements: Vec::new(), want: None };
        self.storage.exchange(exchange).await.unwrap();
    }

    /// A line of attempt 1 about `lease`.
    pub fn line(&self, lease: Lease, text: &str) -> Note {
        Note::Log(lease, LogLine { at: self.clock.now(), attempt: 1, text: text.into() })
    }

    /// A job of kind `work` that waits for these.
    pub fn child_of(&self, parents: &[(JobId, Trigger)]) -> NewJob {
        let after = parents.iter().map(|(parent, on)| Dependency { parent: *parent, on: *on }).collect();
        NewJob { after, ..self.job() }
    }

    pub async fn act(&self, job: JobId, action: Action) -> Acted {
        self.storage.act(vec![job], action, By::Program).await.unwrap()[0]
    }

    pub async fn get(&self, job: JobId) -> JobDetails {
        self.storage.get(vec![job]).await.unwrap().pop().flatten().expect("the job exists")
    }

    pub async fn state(&self, job: JobId) -> State {
        self.get(job).await.summary.state
    }

    /// The instant this many seconds from now.
    pub fn clock_after(&self, seconds: u64) -> Timestamp {
        self.clock.now().after(Duration::from_secs(seconds))
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// A failure.
pub(crate) fn failed() -> Outcome {
    Outcome::Failed(portfire_core::Fault::new("it broke"))
}

/// A success without a result.
pub(crate) const SUCCESS: Outcome = Outcome::Succeeded(None);

/// A failure that no retry can mend.
pub(crate) fn hopeless() -> Outcome {
    Outcome::FailedForGood(portfire_core::Fault::new("it is broken"))
}

/// A schedule of this id and expression in UTC that makes jobs of kind `work`.
pub(crate) fn schedule(id: &str, cron: &str) -> Schedule {
    let job = Template {
        kind: "work".into(),
        queue: "default".into(),
        priority: 0,
        args: Json::trusted("{}"),
        policy: portfire_core::Policy::default(),
        tags: Vec::new(),
    };
    let (misfire, overlap) = (Misfire::Once, Overlap::Allow);
    Schedule { id: id.into(), cron: cron.into(), zone: "UTC".into(), misfire, overlap, job }
}
