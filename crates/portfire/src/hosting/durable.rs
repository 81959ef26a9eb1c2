//! A server of durable jobs as a service of the host.
//!
//! It drains, interrupts and gives back within what the host allows it, less a little, so that the last
//! settlements are written. One that an operator tells to stop has finished before the host, as asked.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::host::Part;
use super::plan::Hook;
use super::service::{ServiceContext, Unit};
use super::task::OwnTask;
use super::vitals::{Look, ServiceState, Status};
use crate::JobError;
use crate::server::{Complaint, RunningServer, Server};

/// Kept for giving back what did not finish, and for leaving: two round trips to a busy database.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

pub(super) fn part(server: Server) -> Part {
    let name: Box<str> = server.given_name().unwrap_or("server").into();
    let running = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&running);
    let part = Part::new(name, "server", ServerUnit::of(server, running));
    part.vitals.set_probe(move || {
        seen.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(look).unwrap_or_default()
    });
    part
}

struct ServerUnit {
    /// Taken when it starts.
    server: Mutex<Option<Server>>,
    running: Arc<Mutex<Option<RunningServer>>>,
    /// Waits for a stop that is not the host's.
    watch: OwnTask,
}

impl ServerUnit {
    fn of(server: Server, running: Arc<Mutex<Option<RunningServer>>>) -> Self {
        Self { server: Mutex::new(Some(server)), running, watch: OwnTask::default() }
    }

    async fn start(&self, ctx: &ServiceContext) -> Result<(), JobError> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            let running = server.within(ctx.values()).start().await?;
            self.watch.begin(tell_when_stopped(ctx.clone(), running.stopped().clone()));
            *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        }
        Ok(())
    }

    async fn stop(&self, ctx: &ServiceContext) -> Result<(), JobError> {
        let Some(running) = self.take() else { return Ok(()) };
        let allowance = ctx.time_left().unwrap_or(Duration::MAX);
        let farewell = FAREWELL_MAX.min(allowance / 10);
        Ok(running.stop_within(allowance.saturating_sub(farewell)).await?)
    }

    /// From here on its end is the host's doing.
    fn take(&self) -> Option<RunningServer> {
        self.watch.abandon();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Unit for ServerUnit {
    fn call<'a>(
        &'a self,
        hook: Hook,
        ctx: &'a ServiceContext,
    ) -> Pin<Box<dyn Future<Output = Result<(), JobError>> + Send + 'a>> {
        match hook {
            Hook::Start => Box::pin(self.start(ctx)),
            // Claims nothing more while the services before it stop.
            Hook::Stopping => Box::pin(async {
                if let Some(running) = self.running.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                    running.quiet();
                }
                Ok(())
            }),
            Hook::Stop => Box::pin(self.stop(ctx)),
            _ => Box::pin(async { Ok(()) }),
        }
    }

    fn abandon(&self) {
        drop(self.take());
    }
}

/// Enters it into the vitals if an operator has stopped the server before the host does.
async fn tell_when_stopped(ctx: ServiceContext, stopped: CancellationToken) -> Result<(), JobError> {
    stopped.cancelled().await;
    tracing::info!("the server stopped because an operator told it to");
    ctx.vitals().recovered();
    ctx.vitals().enter(ServiceState::Finished);
    Ok(())
}

fn look(server: &RunningServer) -> Look {
    if server.stopped().is_cancelled() {
        return Look { detail: Some("an operator stopped it".into()), ..Look::default() };
    }
    let detail = Some(format!("{} jobs running", server.running()));
    match server.complaint() {
        None => Look { detail, ..Look::default() },
        Some(Complaint::Stuck(silent)) => Look {
            detail,
            wrong: Some((Status::Unhealthy, format!("its loop has not turned for {silent:.0?}"))),
            is_stuck: true,
        },
        Some(Complaint::Unanswered(silent)) => Look {
            detail,
            wrong: Some((Status::Unhealthy, format!("the storage has not answered for {silent:.0?}"))),
            is_stuck: false,
        },
    }
}
