//! Portfire as its README uses it, by URL: the client, a server, handlers that do nothing.
//!
//! A drained backlog is done when the server has stopped: every outcome is then written.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use portfire::prelude::*;
use portfire::{Backoff, Job, JobId, JobOptions, RunningServer};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use track::arrivals::ARRIVED;
use track::load;

use super::claims;
use super::payload::Mail;
use crate::contestant::{Contestant, Doing, Fallible, Place};
use crate::database::Database;
use crate::meter::Meter;
use crate::stopwatch;
use crate::workload::{Workload, pause};

/// How many jobs a backlog is stored in at once before it is measured.
const PRELOAD: u32 = 1_000;
/// Delayed jobs are due this far apart, the first this long after it was stored.
const DUE_EVERY: Duration = Duration::from_millis(7);
const DUE_FIRST: Duration = Duration::from_millis(500);
/// The slots where a job is to start at once, one by one or amid others.
const SLOTS_IDLE: u32 = 1;
const SLOTS_LOADED: u32 = 64;
/// When a server is idle: what it does once at its start is no upkeep, and its looks come 1, 2, 4 and then every 4 s.
const IDLE_AFTER: Duration = Duration::from_secs(8);
/// How many slots each schedule has until there are enough jobs.
const SLOTS_EACH: u32 = 10;
/// The delay that a failed attempt asks for.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// Portfire on a database.
#[derive(Debug)]
pub(crate) struct Portfire<D> {
    pub(crate) database: D,
}

impl<D: Database> Contestant for Portfire<D> {
    fn name(&self) -> String {
        "portfire".into()
    }

    fn database(&self) -> &dyn Database {
        &self.database
    }

    fn promises(&self) -> String {
        format!("fenced claims, history kept, rescue running; {}", self.database.promise())
    }

    fn takes(&self, _: Workload) -> bool {
        true
    }

    fn run<'a>(&'a self, workload: Workload, place: Place<'a>, meter: &'a mut Meter) -> Doing<'a> {
        Box::pin(async move {
            let course = Course { jobs: Jobs::connect(&place.ground.url()).await?, place };
            match workload {
                Workload::Enqueue { producers, jobs } => course.enqueue(producers, jobs, meter).await,
                Workload::Bulk { batch, jobs } => course.bulk(batch, jobs, meter).await,
                Workload::Drain { servers, slots, jobs } => {
                    course.stored::<Letter>(jobs).await?.drain::<Letter>(servers, slots, jobs, meter).await
                }
                Workload::Pinned { slots, jobs, minutes } => {
                    let course = course.stored::<Letter>(jobs).await?;
                    let _pin = place.ground.pin().await?;
                    let worked = course.churn(slots, jobs, minutes).await?;
                    course.drain_after::<Letter>(worked, 1, slots, jobs, meter).await
                }
                Workload::Lifecycle { batch, slots, jobs } => {
                    course.lifecycle(batch, slots, jobs, meter).await
                }
                Workload::Retries { slots, jobs } => {
                    course.stored::<Flaky>(jobs).await?.drain::<Flaky>(1, slots, jobs, meter).await
                }
                Workload::Claim { ready, claims } => {
                    let course = course.stored::<Letter>(ready).await?;
                    claims::claim(&course.jobs, place.ground, ready, claims, meter).await
                }
                Workload::Latency { jobs } => course.latency(jobs, meter).await,
                Workload::Load { jobs } => course.loaded(jobs, meter).await,
                Workload::Scheduled { jobs } => course.scheduled(jobs, meter).await,
                Workload::Slots { jobs } => course.slots(jobs, meter).await,
                Workload::Retry { jobs } => course.retry(jobs, meter).await,
                Workload::Idle { seconds } => course.idle(seconds, meter).await,
            }
        })
    }
}

/// An open database.
struct Course<'a> {
    jobs: Jobs,
    place: Place<'a>,
}

impl Course<'_> {
    /// The same with a backlog. Where connections are counted late, those that stored it are gone.
    async fn stored<J: Job + From<Mail>>(self, jobs: u32) -> Fallible<Self> {
        self.store::<J>(PRELOAD, jobs).await?;
        let Self { jobs, place } = self;
        if place.ground.lag().is_zero() {
            return Ok(Self { jobs, place });
        }
        drop(jobs);
        place.ground.alone().await?;
        Ok(Self { jobs: Jobs::connect(&place.ground.url()).await?, place })
    }

    async fn enqueue(&self, producers: u32, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        let mut tasks = JoinSet::new();
        meter.start(self.place.ground).await?;
        for producer in 0..producers {
            let client = self.jobs.clone();
            tasks.spawn(async move {
                for number in (producer..jobs).step_by(producers as usize) {
                    Letter::new(number).call().enqueue(&client).await?;
                }
                Ok::<_, portfire::Error>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        meter.stop(self.place.ground).await
    }

    async fn bulk(&self, batch: u32, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        meter.start(self.place.ground).await?;
        self.store::<Letter>(batch, jobs).await?;
        meter.stop(self.place.ground).await
    }

    /// Stores and works backlogs for so many minutes, and leaves one; answers how many jobs were worked.
    async fn churn(&self, slots: u32, jobs: u32, minutes: u32) -> Fallible<u32> {
        let end = stopwatch::now() + Duration::from_secs(60) * minutes;
        let mut worked = 0;
        while stopwatch::now() < end {
            let server = self.serve::<Letter>(slots).await?;
            worked += jobs;
            ARRIVED.wait(worked).await;
            server.stop().await?;
            self.store::<Letter>(PRELOAD, jobs).await?;
        }
        if worked > 0 {
            // What the churn did is not to be counted as the drain's.
            stopwatch::idle(self.place.ground.lag()).await;
        }
        Ok(worked)
    }

    async fn drain<J: Job>(&self, servers: u32, slots: u32, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        self.drain_after::<J>(0, servers, slots, jobs, meter).await
    }

    /// Works what was stored, after so many jobs. Of several servers each has a client of its own, as if they were
    /// processes.
    async fn drain_after<J: Job>(
        &self,
        worked: u32,
        servers: u32,
        slots: u32,
        jobs: u32,
        meter: &mut Meter,
    ) -> Fallible<()> {
        let mut clients = vec![self.jobs.clone()];
        for _ in 1..servers {
            clients.push(Jobs::connect(&self.place.ground.url()).await?);
        }
        meter.start(self.place.ground).await?;
        let mut running = Vec::new();
        for client in &clients {
            running.push(Server::new(client).job::<J>().slots(slots).start().await?);
        }
        ARRIVED.wait(worked + jobs).await;
        for server in running {
            server.stop().await?;
        }
        meter.stop(self.place.ground).await
    }

    async fn lifecycle(&self, batch: u32, slots: u32, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        meter.start(self.place.ground).await?;
        let server = self.serve::<Letter>(slots).await?;
        self.store::<Letter>(batch, jobs).await?;
        ARRIVED.wait(jobs).await;
        server.stop().await?;
        meter.stop(self.place.ground).await
    }

    async fn latency(&self, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        let server = self.serve::<Letter>(SLOTS_IDLE).await?;
        meter.start(self.place.ground).await?;
        ARRIVED.note_times();
        for number in 1..=jobs {
            stopwatch::idle(pause(number)).await;
            let sent = stopwatch::now();
            Letter::new(number).call().enqueue(&self.jobs).await?;
            let started = ARRIVED.time_of(number).await;
            meter.waited(started.saturating_duration_since(sent));
        }
        meter.stop(self.place.ground).await?;
        Ok(server.stop().await?)
    }

    async fn loaded(&self, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        let server = self.serve::<Letter>(SLOTS_LOADED).await?;
        let client = self.jobs.clone();
        let store = move |number| {
            let client = client.clone();
            async move {
                Letter::new(number).call().enqueue(&client).await?;
                Ok(())
            }
        };
        let interval = load::interval(jobs, store.clone()).await?;
        meter.start(self.place.ground).await?;
        let delays = load::delays(jobs..2 * jobs, interval, store).await?;
        meter.stop(self.place.ground).await?;
        for delay in delays {
            meter.waited(delay);
        }
        Ok(server.stop().await?)
    }

    async fn scheduled(&self, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        let server = self.serve::<Appointment>(8).await?;
        meter.start(self.place.ground).await?;
        let first = stopwatch::wall() + DUE_FIRST;
        let due = |number| Appointment { due: first + DUE_EVERY * number };
        self.jobs.enqueue_many((0..jobs).map(due).map(|job| job.call().at(job.due))).await?;
        self.gather(jobs, meter).await?;
        Ok(server.stop().await?)
    }

    /// As many schedules of each second as come to so many jobs in ten slots.
    async fn slots(&self, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        for number in 0..jobs.div_ceil(SLOTS_EACH) {
            self.jobs.recurring(format!("tick-{number}"), "* * * * * *").upsert(Tick.call()).await?;
        }
        let server = self.serve::<Tick>(64).await?;
        meter.start(self.place.ground).await?;
        self.gather(jobs, meter).await?;
        Ok(server.stop().await?)
    }

    async fn retry(&self, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        let server = self.serve::<Second>(8).await?;
        meter.start(self.place.ground).await?;
        for number in 1..=jobs {
            stopwatch::idle(pause(number)).await;
            Second.call().enqueue(&self.jobs).await?;
        }
        self.gather(jobs, meter).await?;
        Ok(server.stop().await?)
    }

    /// Waits for so many jobs that say how late they are.
    async fn gather(&self, jobs: u32, meter: &mut Meter) -> Fallible<()> {
        ARRIVED.wait(jobs).await;
        meter.stop(self.place.ground).await?;
        LATE.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|late| meter.waited(late));
        Ok(())
    }

    async fn idle(&self, seconds: u32, meter: &mut Meter) -> Fallible<()> {
        let server = self.serve::<Letter>(16).await?;
        stopwatch::idle(self.place.ground.lag().max(IDLE_AFTER)).await;
        meter.start(self.place.ground).await?;
        stopwatch::idle(Duration::from_secs(seconds.into())).await;
        meter.stop(self.place.ground).await?;
        Ok(server.stop().await?)
    }

    async fn store<J: Job + From<Mail>>(&self, batch: u32, jobs: u32) -> Fallible<()> {
        for start in (0..jobs).step_by(batch as usize) {
            let numbers = start..jobs.min(start + batch);
            self.jobs.enqueue_many(numbers.map(|number| J::from(Mail::new(number)))).await?;
        }
        Ok(())
    }

    async fn serve<J: Job>(&self, slots: u32) -> Fallible<RunningServer> {
        Ok(Server::new(&self.jobs).job::<J>().slots(slots).start().await?)
    }
}

/// How late appointments were.
static LATE: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

/// What everybody sends.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Letter(Mail);

impl Letter {
    /// This one.
    pub(super) fn new(number: u32) -> Self {
        Self(Mail::new(number))
    }
}

impl From<Mail> for Letter {
    fn from(mail: Mail) -> Self {
        Self(mail)
    }
}

impl Job for Letter {
    const KIND: &'static str = "mail";
    type Output = ();

    async fn run(self, _: JobContext) -> Result<(), JobError> {
        ARRIVED.one_of(self.0.number);
        Ok(())
    }
}

/// Every tenth fails its first attempt.
#[derive(Serialize, Deserialize)]
struct Flaky(Mail);

impl From<Mail> for Flaky {
    fn from(mail: Mail) -> Self {
        Self(mail)
    }
}

impl Job for Flaky {
    const KIND: &'static str = "flaky";
    type Output = ();

    fn options() -> JobOptions {
        JobOptions::new().backoff(Backoff::Fixed(Duration::ZERO))
    }

    async fn run(self, ctx: JobContext) -> Result<(), JobError> {
        if ctx.attempt() == 1 && self.0.number.is_multiple_of(10) {
            return Err(JobError::message("the first attempt of every tenth job fails"));
        }
        ARRIVED.one();
        Ok(())
    }
}

/// Says how late it started.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Appointment {
    due: SystemTime,
}

impl Job for Appointment {
    const KIND: &'static str = "appointment";
    type Output = ();

    async fn run(self, _: JobContext) -> Result<(), JobError> {
        late_for(self.due);
        Ok(())
    }
}

/// Says how late its slot is.
#[derive(Serialize, Deserialize)]
struct Tick;

impl Job for Tick {
    const KIND: &'static str = "tick";
    type Output = ();

    async fn run(self, ctx: JobContext) -> Result<(), JobError> {
        let slot = ctx.slot().ok_or_else(|| JobError::message("a tick has a slot"))?;
        let micros = u64::try_from(slot.at.as_micros()).unwrap_or_default();
        late_for(SystemTime::UNIX_EPOCH + Duration::from_micros(micros));
        Ok(())
    }
}

/// Fails once, and says how late its second attempt is.
#[derive(Serialize, Deserialize)]
struct Second;

/// When a first attempt failed, by job.
static FAILED: Mutex<BTreeMap<JobId, SystemTime>> = Mutex::new(BTreeMap::new());

impl Job for Second {
    const KIND: &'static str = "second";
    type Output = ();

    async fn run(self, ctx: JobContext) -> Result<(), JobError> {
        let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
        if ctx.attempt() == 1 {
            failed.insert(ctx.job_id(), stopwatch::wall());
            return Err(JobError::message("the first attempt fails").retry_after(RETRY_AFTER));
        }
        if let Some(at) = failed.remove(&ctx.job_id()) {
            late_for(at + RETRY_AFTER);
        }
        Ok(())
    }
}

/// Notes how late this attempt is, and that it arrived.
fn late_for(due: SystemTime) {
    let late = stopwatch::wall().duration_since(due).unwrap_or_default();
    LATE.lock().unwrap_or_else(PoisonError::into_inner).push(late);
    ARRIVED.one();
}
