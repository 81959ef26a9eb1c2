//! A server that has nothing to do, on a real storage: so that a test can count what its database is asked.
//!
//! The engine lives in virtual time, each of its calls is made and answered at once, and it beats three times per
//! lease. It hears hints, of which there are none.

use std::sync::Arc;
use std::time::Duration;

use portfire_core::engine::{Config, Effect, Engine, Event, Moment, QueueConfig, QueueOrder};
use portfire_core::storage::{Beat, Exchange, ServerInfo};
use portfire_core::{Dice, IdSequence, ServerId, Storage, Timestamp};

/// How long a server of ours is trusted, and waits for hints, unless it is told otherwise.
const LEASE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_secs(4);

/// One server, idle.
#[derive(Debug)]
pub struct IdleServer {
    storage: Arc<dyn Storage>,
    engine: Engine,
    id: ServerId,
    now: Moment,
    beat_at: Moment,
}

impl IdleServer {
    /// One that has not begun.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        let queue = QueueConfig { name: "default".into(), weight: 1, slots: None };
        let config = Config {
            slots: 10,
            prefetch_max: 20,
            beside_from: 32,
            queues: vec![queue],
            order: QueueOrder::Strict,
            kinds: ["work".into()].into(),
            lease: LEASE,
            poll: POLL,
            poll_alone: POLL,
            shutdown: LEASE,
        };
        let mut engine = Engine::new(config, Dice::from_seed([1, 2]));
        engine.on(Duration::ZERO, Event::Listens(true));
        let id = IdSequence::new(Dice::from_seed([3, 4])).server(Timestamp::default());
        Self { storage, engine, id, now: Duration::ZERO, beat_at: Duration::ZERO }
    }

    /// Lives until this moment, counted from its beginning.
    pub async fn live_until(&mut self, until: Moment) {
        while self.now < until {
            if self.now >= self.beat_at {
                self.beat().await;
            }
            let mut effects = Vec::new();
            self.engine.step(self.now, &mut effects);
            for effect in effects {
                let answer = self.perform(effect).await;
                self.engine.on(self.now, answer);
            }
            self.now = self.engine.wake_at().max(self.now).min(self.beat_at).min(until);
        }
    }

    async fn beat(&mut self) {
        let beat = Beat { server: self.id, lease: LEASE, info: ServerInfo::default() };
        let answer = self.storage.beat(beat).await.unwrap();
        self.engine
            .on(self.now, Event::Beaten { sent_at: self.now, cancel: answer.cancel, order: answer.order });
        self.beat_at = self.now + LEASE / 3;
    }

    async fn perform(&self, effect: Effect) -> Event {
        let storage = &self.storage;
        match effect {
            Effect::Exchange { line, notes, settlements, want } => {
                let exchange = Exchange { server: self.id, notes, settlements, want };
                Event::Exchanged(line, storage.exchange(exchange).await.unwrap())
            }
            Effect::Poll(queues) => Event::Polled(Some(storage.poll(queues).await.unwrap())),
            Effect::Promote(limit) => Event::Promoted(Some(storage.promote(limit).await.unwrap())),
            Effect::Sweep(limit) => Event::Swept(Some(storage.expired(limit).await.unwrap())),
            Effect::Prune(limit) => Event::Pruned(Some(storage.prune(limit).await.unwrap())),
            other => panic!("an idle server does {other:?}"),
        }
    }
}
