//! The storage contract on PostgreSQL: one short method per operation, in the trait's order.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::TryFutureExt;
use portfire_core::storage::{
    Acted, Action, Answer, AuditEntry, AuditRequest, Beat, BeatAnswer, By, Directed, DueSchedules, Exchange,
    Exchanged, Expired, FaultGroup, FaultGroupRequest, Filter, Fired, Gathering, Heard, Inserted, JobDetails,
    Overview, Page, PageRequest, Polled, Promoted, Put, QueueOrder, ServerOrder, SlotView, StorageView,
    Tally, TallyRequest, Target,
};
use portfire_core::{
    Error, Firing, JobId, NewJob, Order, Result, Schedule, ScheduleView, ServerId, Storage, Timestamp,
};

use crate::PostgresOptions;
use crate::error::is_undone;
use crate::insert::{Ids, insert, is_one_statement};
use crate::look::Look;
use crate::mark::Marks;
use crate::options::DEADLINE;
use crate::plain::{insert_plain, is_plain};
use crate::poll::{poll_values, read_poll};
use crate::pool::{Background, Lane, Lanes, WRITES, pause_for};
use crate::ride::{Offer, Ride, Rides, patience};
use crate::rows::{Value, info_text, micros};
use crate::session::Keeping;
use crate::settle::exchange;
use crate::statements::Op;
use crate::wake::{Bell, Listener};
use crate::{act, migrate, schedules, statistics, steer, tls};

/// How long a heartbeat may take: a third of the shortest sensible lease, so that another gets its chance.
const BEAT_DEADLINE: Duration = Duration::from_secs(5);
/// Connections for heartbeats: servers of one process beat at different moments, and briefly.
const BEAT_CONNECTIONS: usize = 2;

/// Jobs in a PostgreSQL database.
///
/// ```no_run
/// use portfire_core::Storage;
/// use portfire_postgres::{PostgresOptions, PostgresStorage};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let options = PostgresOptions::new("postgres://app@db.example/app?sslmode=verify-full")?;
/// let storage = PostgresStorage::open(options).await?;
/// assert!(storage.overview().await?.counts.is_empty());
/// # Ok::<_, portfire_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct PostgresStorage {
    options: PostgresOptions,
    work: Lanes,
    pulse: Lanes,
    gathering: Gathering,
    marks: Marks,
    rides: Rides<Lane>,
    bell: Bell,
    /// Last, so that what runs on it is let go first.
    _background: Background,
}

impl PostgresStorage {
    /// Connects, and brings the tables up to date.
    ///
    /// # Errors
    /// Transient if the database could not be reached in time; broken if it is older than PostgreSQL 13, its
    /// tables are newer than this program, or they are missing and may not be made; misuse if the options
    /// cannot be meant.
    pub async fn open(options: PostgresOptions) -> Result<Self> {
        let (background, tls) = (Background::start()?, tls::connector(&options.trust)?);
        let statements = Arc::clone(options.tables.statements());
        let lanes = |runtime, size, deadline, keeping| {
            Lanes::new(
                &options.config,
                tls.clone(),
                runtime,
                size,
                Arc::clone(&statements),
                deadline,
                keeping,
            )
        };
        // What opens has to connect first, and has more time than a page.
        let work =
            lanes(None, options.connections, options.deadline.max(DEADLINE), Keeping::new(options.listen))?;
        // A heartbeat is too seldom to be prepared for.
        let patience = options.deadline.min(BEAT_DEADLINE);
        let pulse = lanes(Some(background.handle()), BEAT_CONNECTIONS, patience, Keeping::new(false))?;
        migrate::migrate(&work, options.tables.names(), options.migrate).await?;
        let work = work.limited(options.deadline, options.statement_timeout);
        let listener = options.listen.then(|| Listener { config: options.config.clone(), tls });
        let bell = Bell::new(options.tables.names().word(), background.handle(), listener);
        Ok(Self {
            options,
            work,
            pulse,
            gathering: Gathering::default(),
            marks: Marks::default(),
            rides: Rides::default(),
            bell,
            _background: background,
        })
    }

    /// The instant that counts instead of the database's, if a clock was handed in.
    fn handed_in(&self) -> Option<i64> {
        self.options.clock.as_ref().map(|clock| clock.now().as_micros())
    }

    fn now_value(&self) -> Value<'static> {
        Value::Int(self.handed_in())
    }

    /// Stores a set. If that failed, its ids may be stored already.
    async fn insert_at_last(&self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
        let failed = AtomicBool::new(false);
        let alone = is_one_statement(jobs);
        let at_first = if alone { Ids::at_first(jobs) } else { Ids::MayRepeat };
        let ids = || if failed.swap(true, Ordering::Relaxed) { Ids::MayRepeat } else { at_first };
        self.work.retry(|| self.insert_once(jobs, alone, ids())).await
    }

    /// `alone` tells whether one statement stores it, which is then a transaction by itself.
    async fn insert_once(&self, jobs: &[NewJob], alone: bool, ids: Ids) -> Result<Vec<Inserted>> {
        let mut lane = self.work.lane().await?;
        if alone && ids == Ids::New && lane.keeps() && is_plain(jobs) {
            return self.insert_plain_once(lane, jobs).await;
        }
        if !alone {
            lane.begin(WRITES).await?;
        }
        let answers = match insert(&mut lane, self.handed_in(), jobs, ids).await {
            Err(error) if !alone && error.is_misuse() => {
                lane.undo().await;
                return Err(error);
            }
            done => done?,
        };
        if !alone {
            lane.batch("COMMIT").await?;
        }
        lane.hand_back();
        // One that is there already may be so by an attempt whose answer was lost.
        if answers.iter().any(|answer| !matches!(answer, Inserted::Duplicate(_))) {
            self.bell.ring();
        }
        Ok(answers)
    }

    async fn insert_plain_once(&self, lane: Lane, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
        let mut offer = None;
        let answers = insert_plain(&lane, self.handed_in(), jobs, || offer = self.offer(jobs, &lane)).await?;
        lane.hand_back();
        let has_boarded = offer.is_some_and(|offer| offer.end().map(|ride| ride.lane.hand_back()).is_none());
        if has_boarded {
            self.bell.ring_elsewhere();
        } else {
            self.bell.ring();
        }
        Ok(answers)
    }

    /// Has who waits here claim behind an enqueue that has been sent.
    fn offer(&self, jobs: &[NewJob], lane: &Lane) -> Option<Offer<'_, Lane>> {
        let offer = self.bell.is_waited_for().then(|| self.rides.offer(jobs, || lane.another())).flatten()?;
        self.bell.ring_here();
        Some(offer)
    }

    /// Attempts what may make jobs ready, or take them. Whether an attempt is in doubt is kept: it may have been done, and
    /// only its answer lost. The one after it does not know what was made ready, and takes no jobs. So those who wait are
    /// woken, to look themselves.
    async fn told<T, F>(&self, in_doubt: &AtomicBool, attempt: impl Fn() -> F + Send + Sync) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let doubt = |error: &Error| {
            in_doubt.fetch_or(!is_undone(error), Ordering::Relaxed);
        };
        let done = self.work.retry(|| attempt().inspect_err(doubt)).await?;
        if in_doubt.load(Ordering::Relaxed) {
            self.made_ready(None);
        }
        Ok(done)
    }

    /// Repeats an exchange whose end is not known. What the earlier try took is answered; what it might take when
    /// it arrives later, nobody would hear of, so its token is closed.
    async fn exchange_at_last(&self, request: Exchange) -> Result<Exchanged> {
        let in_doubt = AtomicBool::new(false);
        let closing = LazyLock::new(|| {
            let mut closing = request.clone();
            closing.want.iter_mut().for_each(|want| want.limit = 0);
            closing
        });
        let ask = || if in_doubt.load(Ordering::Relaxed) { &*closing } else { &request };
        self.told(&in_doubt, || self.exchange_once(ask())).await
    }

    async fn exchange_once(&self, request: &Exchange) -> Result<Exchanged> {
        let (_under_way, ride) = self.rides.board(is_claim(request));
        if let Some(ride) = ride {
            return self.claim_behind(ride, request).await;
        }
        let lane = self.work.lane().await?;
        let done = exchange(&lane, self.handed_in(), request, &self.marks).await?;
        lane.hand_back();
        if done.made_ready {
            // As of now, so behind all marks.
            self.bell.ring();
        }
        Ok(done.answer)
    }

    /// Whatever becomes of it, who waits here is woken again, unless it took all that it went behind.
    async fn claim_behind(&self, ride: Ride<Lane>, request: &Exchange) -> Result<Exchanged> {
        let mut ring = RingAtEnd(Some(&self.bell));
        let claim = exchange(&ride.lane, self.handed_in(), request, &self.marks);
        let Ok(done) = tokio::time::timeout(patience(self.options.deadline), claim).await else {
            self.rides.rest();
            return Err(Error::transient(
                "a claim did not wait any longer for the enqueue that it went behind",
            ));
        };
        let answer = done?.answer;
        ring.0.take_if(|_| ride.has_all(&answer.claimed));
        ride.lane.hand_back();
        Ok(answer)
    }

    /// What became ready may stand before a mark, by a time that is past, or this one if it is told.
    fn made_ready(&self, due_since: Option<i64>) {
        self.marks.doubt(due_since);
        self.bell.ring();
    }

    async fn promote_once(&self, limit: u32) -> Result<Promoted> {
        let lane = self.work.lane().await?;
        let (promoted, due_since) = act::promote(&lane, self.handed_in(), limit).await?;
        lane.hand_back();
        if promoted.count > 0 {
            self.made_ready(due_since);
        }
        Ok(promoted)
    }

    async fn prune_once(&self, limit: u32) -> Result<u32> {
        let lane = self.work.lane().await?;
        let pruned = act::prune(&lane, self.handed_in(), limit).await?;
        lane.hand_back();
        Ok(pruned)
    }

    async fn act_once(&self, jobs: &[JobId], action: &Action, by: &By) -> Result<Vec<Acted>> {
        let lane = self.work.lane().await?;
        let done = act::act(&lane, self.handed_in(), jobs, action, by).await?;
        lane.hand_back();
        if done.rings {
            self.made_ready(done.due_since);
        }
        Ok(done.acted)
    }

    async fn put_once(&self, all: &[Schedule]) -> Result<Vec<Put>> {
        let lane = self.work.lane().await?;
        let put = schedules::put(&lane, self.handed_in(), all).await?;
        lane.hand_back();
        // A waiting server has to learn of the next slot.
        self.bell.ring();
        Ok(put)
    }

    async fn fire_once(&self, firings: &[Firing], by: &By) -> Result<Vec<Fired>> {
        let mut lane = self.work.lane().await?;
        let fired = schedules::fire(&mut lane, self.handed_in(), firings, by).await?;
        lane.hand_back();
        self.made_ready(None);
        Ok(fired)
    }

    async fn direct_queues_once(
        &self,
        all: &[Box<str>],
        order: QueueOrder,
        by: &By,
    ) -> Result<Vec<Directed>> {
        let lane = self.work.lane().await?;
        let directed = steer::direct_queues(&lane, self.handed_in(), all, order, by).await?;
        lane.hand_back();
        if order == QueueOrder::Resume {
            self.bell.ring();
        }
        Ok(directed)
    }

    async fn direct_servers_once(
        &self,
        all: &[ServerId],
        order: ServerOrder,
        by: &By,
    ) -> Result<Vec<Directed>> {
        let lane = self.work.lane().await?;
        let directed = steer::direct_servers(&lane, self.handed_in(), all, order, by).await?;
        lane.hand_back();
        Ok(directed)
    }

    async fn direct_once(&self, all: &[Box<str>], order: Order, by: &By) -> Result<Vec<Directed>> {
        let lane = self.work.lane().await?;
        let directed = schedules::direct(&lane, self.handed_in(), all, order, by).await?;
        lane.hand_back();
        if order == Order::Resume {
            self.bell.ring();
        }
        Ok(directed)
    }

    async fn get_once(&self, jobs: &[JobId]) -> Result<Vec<Option<JobDetails>>> {
        let lane = self.work.lane().await?;
        let look = Look::begin(&lane, self.options.tables.names()).await?;
        let mut all = Vec::with_capacity(jobs.len());
        for job in jobs {
            all.push(look.get(*job).await?);
        }
        look.end().await?;
        lane.hand_back();
        Ok(all)
    }

    async fn list_once(&self, filter: &Filter, page: &PageRequest) -> Result<Page> {
        let lane = self.work.lane().await?;
        let look = Look::begin(&lane, self.options.tables.names()).await?;
        let page = look.list(filter, page).await?;
        look.end().await?;
        lane.hand_back();
        Ok(page)
    }

    async fn overview_once(&self) -> Result<Overview> {
        let lane = self.work.lane().await?;
        let look = Look::begin(&lane, self.options.tables.names()).await?;
        let overview = look.overview().await?;
        look.end().await?;
        lane.hand_back();
        Ok(overview)
    }
}

/// Rings here at its end, if there is a bell.
struct RingAtEnd<'b>(Option<&'b Bell>);

impl Drop for RingAtEnd<'_> {
    fn drop(&mut self) {
        if let Some(bell) = self.0 {
            bell.ring_here();
        }
    }
}

/// Whether it is a claim and says nothing else.
fn is_claim(request: &Exchange) -> bool {
    let asks = request.want.as_ref().is_some_and(|want| want.limit > 0);
    asks && request.settlements.is_empty() && request.notes.is_empty()
}

impl Storage for PostgresStorage {
    fn insert(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Inserted>> {
        let store = move |jobs: Vec<NewJob>| async move { self.insert_at_last(&jobs).await };
        Box::pin(self.gathering.insert(jobs, store, pause_for(Gathering::PATIENCE)))
    }

    fn exchange(&self, request: Exchange) -> Answer<'_, Exchanged> {
        Box::pin(self.exchange_at_last(request))
    }

    fn wait(&self, at_most: Duration) -> Answer<'_, Heard> {
        Box::pin(async move { Ok(self.bell.wait(at_most).await) })
    }

    fn poll(&self, queues: Arc<[Arc<str>]>) -> Answer<'_, Polled> {
        Box::pin(async move {
            let looks = self.marks.looks(&queues);
            let rows = self.work.rows(Op::Poll, &poll_values(self.handed_in(), &looks)).await?;
            read_poll(&rows, &looks, &self.marks)
        })
    }

    fn promote(&self, limit: u32) -> Answer<'_, Promoted> {
        Box::pin(async move { self.told(&AtomicBool::new(false), || self.promote_once(limit)).await })
    }

    fn expired(&self, limit: u32) -> Answer<'_, Vec<Expired>> {
        Box::pin(async move {
            let values = [self.now_value(), Value::Int(Some(limit.into()))];
            let rows = self.work.rows(Op::Expired, &values).await?;
            rows.iter().map(act::read_expired).collect()
        })
    }

    fn prune(&self, limit: u32) -> Answer<'_, u32> {
        Box::pin(self.work.retry(move || self.prune_once(limit)))
    }

    fn beat(&self, beat: Beat) -> Answer<'_, BeatAnswer> {
        Box::pin(async move {
            let (server, lease) = (Value::server(beat.server), Value::Int(Some(micros(beat.lease))));
            let info = info_text(&beat.info);
            let values = [self.now_value(), server, lease, Value::text(&info)];
            let rows = self.pulse.rows(Op::Beat, &values).await?;
            steer::read_beat(&rows)
        })
    }

    fn leave(&self, server: ServerId, holds_nothing: bool) -> Answer<'_, ()> {
        Box::pin(self.pulse.retry(move || async move {
            let lane = self.pulse.lane().await?;
            let forgotten = holds_nothing.then_some(Op::LeftForget);
            let steps = [Some(Op::Leave), forgotten].into_iter().flatten();
            lane.pipeline(steps.map(|op| (op, vec![Value::server(server)])).collect()).await?;
            lane.hand_back();
            Ok(())
        }))
    }

    fn act(&self, jobs: Vec<JobId>, action: Action, by: By) -> Answer<'_, Vec<Acted>> {
        Box::pin(async move {
            action.check()?;
            self.told(&AtomicBool::new(false), || self.act_once(&jobs, &action, &by)).await
        })
    }

    fn put_schedules(&self, schedules: Vec<Schedule>) -> Answer<'_, Vec<Put>> {
        Box::pin(async move { self.work.retry(|| self.put_once(&schedules)).await })
    }

    fn due_schedules(&self, limit: u32) -> Answer<'_, DueSchedules> {
        Box::pin(async move {
            let values = [self.now_value(), Value::Int(Some(limit.into()))];
            schedules::read_due(&self.work.rows(Op::SchedulesDue, &values).await?)
        })
    }

    fn fire(&self, firings: Vec<Firing>, by: By) -> Answer<'_, Vec<Fired>> {
        Box::pin(async move { self.work.retry(|| self.fire_once(&firings, &by)).await })
    }

    fn direct_schedules(&self, schedules: Vec<Box<str>>, order: Order, by: By) -> Answer<'_, Vec<Directed>> {
        Box::pin(async move { self.work.retry(|| self.direct_once(&schedules, order, &by)).await })
    }

    fn direct_queues(&self, queues: Vec<Box<str>>, order: QueueOrder, by: By) -> Answer<'_, Vec<Directed>> {
        Box::pin(async move {
            QueueOrder::check(&queues)?;
            self.work.retry(|| self.direct_queues_once(&queues, order, &by)).await
        })
    }

    fn direct_servers(
        &self,
        servers: Vec<ServerId>,
        order: ServerOrder,
        by: By,
    ) -> Answer<'_, Vec<Directed>> {
        Box::pin(async move { self.work.retry(|| self.direct_servers_once(&servers, order, &by)).await })
    }

    fn audit(&self, about: Option<Target>, page: AuditRequest) -> Answer<'_, Vec<AuditEntry>> {
        Box::pin(async move {
            let name = about.as_ref().map(Target::name).unwrap_or_default();
            let (op, values) = steer::audit_values(about.as_ref(), &name, page);
            self.work.rows(op, &values).await?.iter().map(steer::read_entry).collect()
        })
    }

    fn get_schedules(&self, schedules: Vec<Box<str>>) -> Answer<'_, Vec<Option<ScheduleView>>> {
        Box::pin(async move {
            let ids = Value::texts(schedules.iter().map(|id| &**id));
            let known = schedules::by_id(&self.work.rows(Op::SchedulesGet, &[ids]).await?)?;
            Ok(schedules.iter().map(|id| known.get(id).cloned()).collect())
        })
    }

    fn list_schedules(&self, after: Option<Box<str>>, limit: u32) -> Answer<'_, Vec<ScheduleView>> {
        Box::pin(async move {
            let values = schedules::page_values(after.as_deref(), limit);
            self.work.rows(Op::SchedulesList, &values).await?.iter().map(schedules::view).collect()
        })
    }

    fn slots(&self, schedule: Box<str>, before: Option<Timestamp>, limit: u32) -> Answer<'_, Vec<SlotView>> {
        Box::pin(async move {
            let values = schedules::slots_values(&schedule, before, limit);
            self.work.rows(Op::SlotsList, &values).await?.iter().map(schedules::read_slot).collect()
        })
    }

    fn get(&self, jobs: Vec<JobId>) -> Answer<'_, Vec<Option<JobDetails>>> {
        Box::pin(async move { self.work.retry(|| self.get_once(&jobs)).await })
    }

    fn list(&self, filter: Filter, page: PageRequest) -> Answer<'_, Page> {
        Box::pin(async move { self.work.retry(|| self.list_once(&filter, &page)).await })
    }

    fn overview(&self) -> Answer<'_, Overview> {
        Box::pin(self.work.retry(|| self.overview_once()))
    }

    fn tallies(&self, request: TallyRequest) -> Answer<'_, Vec<Tally>> {
        Box::pin(async move {
            let names = self.options.tables.names();
            self.work.retry(|| statistics::tallies(&self.work, names, &request)).await
        })
    }

    fn fault_groups(&self, request: FaultGroupRequest) -> Answer<'_, Vec<FaultGroup>> {
        Box::pin(async move {
            let names = self.options.tables.names();
            self.work.retry(|| statistics::fault_groups(&self.work, names, &request)).await
        })
    }

    fn describe(&self) -> Answer<'_, StorageView> {
        Box::pin(self.work.retry(|| statistics::describe(&self.work, self.options.tables.names())))
    }

    fn now(&self) -> Answer<'_, Timestamp> {
        Box::pin(async move {
            let rows = self.work.rows(Op::Now, &[self.now_value()]).await?;
            rows.first().map_or(Ok(Timestamp::default()), |row| row.time(0))
        })
    }
}
