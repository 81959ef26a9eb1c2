//! The heartbeat: a thread and a runtime of its own, so that it goes on while every other thread of the
//! program is busy with jobs.
//!
//! It ends when the server lets go of it. It never decides anything: it reports when it sent a beat that
//! was answered, and the engine counts its trust from there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use portfire_core::engine::Event;
use portfire_core::storage::{Beat, ServerInfo};
use portfire_core::{Error, Result, ServerId, Storage};

use super::driver::LocalClock;
use super::signs::Signs;
use crate::clock::monotonic_now;

/// The pulse of one server.
#[derive(Clone, Debug)]
pub(super) struct Pulse {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) server: ServerId,
    pub(super) lease: Duration,
    pub(super) info: ServerInfo,
    pub(super) running: Arc<AtomicU32>,
    pub(super) clock: LocalClock,
    pub(super) events: UnboundedSender<Event>,
    pub(super) signs: Signs,
    pub(super) stop: CancellationToken,
}

impl Pulse {
    /// One heartbeat.
    pub(super) async fn beat(&self) -> Result<()> {
        let sent_at = self.clock.now();
        let info = ServerInfo { running: self.running.load(Ordering::Relaxed), ..self.info.clone() };
        let beat = Beat { server: self.server, lease: self.lease, info };
        let answer = self.storage.beat(beat).await?;
        self.signs.answered(monotonic_now());
        // The driver is gone only when the server has stopped; then nobody needs to know.
        let _ = self.events.send(Event::Beaten { sent_at, cancel: answer.cancel, order: answer.order });
        Ok(())
    }

    /// Goes on beating on a thread of its own, three times per lease.
    pub(super) fn start(self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::broken("the heartbeat could not get a runtime").caused_by(e))?;
        std::thread::Builder::new()
            .name("portfire-pulse".into())
            .spawn(move || runtime.block_on(self.go_on()))
            .map_err(|e| Error::broken("the heartbeat could not get a thread").caused_by(e))?;
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "the heartbeat keeps time by itself, on its own thread")]
    async fn go_on(self) {
        let every = self.lease / 3;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
            // A beat that takes longer than its turn is given up: the next one may get through.
            match tokio::time::timeout(every, self.beat()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "a heartbeat failed; the lease runs on until its end");
                }
                Err(_) => {
                    tracing::warn!("a heartbeat was not answered in time; the lease runs on until its end");
                }
            }
        }
    }
}
