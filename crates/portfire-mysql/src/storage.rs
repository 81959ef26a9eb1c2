//! The storage contract on MySQL and MariaDB: one short method per operation, in the trait's order.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

use crate::MysqlOptions;
use crate::body::Bodies;
use crate::error::is_undone;
use crate::insert::{insert, is_one_packet};
use crate::look::Look;
use crate::mark::{Marks, Stand};
use crate::options::DEADLINE;
use crate::pool::{Background, Connector, Lanes, pause_for};
use crate::rows::Value;
use crate::settle::exchange;
use crate::statements::Op;
use crate::wake::Bell;
use crate::{act, migrate, schedules, statistics, steer};

/// How long a heartbeat may take: a third of the shortest sensible lease, so that another gets its chance.
const BEAT_DEADLINE: Duration = Duration::from_secs(5);
/// Connections for heartbeats: servers of one process beat at different moments, and briefly.
const BEAT_CONNECTIONS: usize = 2;
/// One to wait on, and one to ring on while the other waits.
const BELL_CONNECTIONS: usize = 2;

/// Jobs in a MySQL or MariaDB database.
///
/// ```no_run
/// use portfire_core::Storage;
/// use portfire_mysql::{MysqlOptions, MysqlStorage};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let options = MysqlOptions::new("mysql://app@db.example/app?ssl-mode=VERIFY_IDENTITY")?;
/// let storage = MysqlStorage::open(options).await?;
/// assert!(storage.overview().await?.counts.is_empty());
/// # Ok::<_, portfire_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct MysqlStorage {
    options: MysqlOptions,
    work: Lanes,
    pulse: Lanes,
    gathering: Gathering,
    marks: Marks,
    bodies: Bodies,
    bell: Bell,
    /// Last, so that what runs on it is let go first.
    _background: Background,
}

impl MysqlStorage {
    /// Connects, and brings the tables up to date.
    ///
    /// # Errors
    /// Transient if the database could not be reached in time; broken if it is older than MySQL 8.0.19 or
    /// MariaDB 10.6, its tables are newer than this program, or they are missing and may not be made; misuse if
    /// the options cannot be meant.
    pub async fn open(options: MysqlOptions) -> Result<Self> {
        let background = Background::start()?;
        let connector = Connector::new(&options.opts, &options.encryption)?;
        let statements = options.tables.statements();
        let elsewhere = connector.on(background.handle());
        let lanes = |connector: &Connector, size, deadline| {
            Lanes::new(connector.clone(), size, Arc::clone(statements), deadline)
        };
        // What opens has to connect first, and has more time than a page.
        let work = lanes(&connector, options.connections, options.deadline.max(DEADLINE))?;
        let pulse = lanes(&elsewhere, BEAT_CONNECTIONS, options.deadline.min(BEAT_DEADLINE))?;
        migrate::migrate(&work, options.tables.names(), options.migrate).await?;
        let work = work.limited(options.deadline, options.look_timeout);
        let bells = options.listen.then(|| lanes(&elsewhere, BELL_CONNECTIONS, BEAT_DEADLINE)).transpose()?;
        let bell = Bell::new(&options.tables.names().prefix, background.handle(), bells);
        Ok(Self {
            options,
            work,
            pulse,
            gathering: Gathering::default(),
            marks: Marks::default(),
            bodies: Bodies::default(),
            bell,
            _background: background,
        })
    }

    /// The instant that counts instead of the database's, if a clock was handed in.
    fn handed_in(&self) -> Option<i64> {
        self.options.clock.as_ref().map(|clock| clock.now().as_micros())
    }

    fn now_value(&self) -> Value<'static> {
        Value::Now(self.handed_in())
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
            self.marks.forget();
            self.bell.ring();
        }
        Ok(done)
    }

    async fn insert_once(&self, jobs: &[NewJob]) -> Result<Vec<Inserted>> {
        let mut lane = self.work.lane().await?;
        lane.begin();
        if is_one_packet(jobs) {
            lane.commit_next();
        }
        let answers = match insert(&mut lane, self.handed_in(), jobs).await {
            Err(error) if error.is_misuse() => {
                lane.undo().await;
                return Err(error);
            }
            done => done?,
        };
        lane.commit().await?;
        lane.hand_back();
        // Those that are there already may have come by an attempt whose answer was lost.
        if answers.iter().any(|answer| !matches!(answer, Inserted::Duplicate(_))) {
            if let Some(first) = jobs.iter().map(|job| job.priority).min() {
                self.marks.made_ready(first.into());
            }
            self.marks.put_back(jobs.iter().map(new_stand));
            self.bell.ring();
        }
        Ok(answers)
    }

    /// While an attempt before is in doubt it may still be at work. Then this one takes nothing new: jobs that it took
    /// beside that one would be held by nobody.
    async fn exchange_once(&self, request: &Exchange, in_doubt: &AtomicBool) -> Result<Exchanged> {
        let mut lane = self.work.lane().await?;
        let mut request = request.clone();
        if let Some(want) = request.want.as_mut().filter(|_| in_doubt.load(Ordering::Relaxed)) {
            want.limit = 0;
        }
        let done = exchange(&mut lane, self.handed_in(), &request, (&self.marks, &self.bodies)).await?;
        lane.hand_back();
        if let Some(first) = done.made_ready {
            self.marks.made_ready(first);
            self.bell.ring();
        }
        Ok(done.answer)
    }

    async fn promote_once(&self, limit: u32) -> Result<Promoted> {
        let mut lane = self.work.lane().await?;
        let tells = self.marks.are_kept();
        let (promoted, stands) = act::promote(&mut lane, self.handed_in(), limit, tells).await?;
        lane.hand_back();
        if promoted.count > 0 {
            self.marks.forget();
            self.marks.put_back(stands);
            self.bell.ring();
        }
        Ok(promoted)
    }

    async fn prune_once(&self, limit: u32) -> Result<u32> {
        let mut lane = self.work.lane().await?;
        let pruned = act::prune(&mut lane, self.handed_in(), limit).await?;
        lane.hand_back();
        Ok(pruned)
    }

    async fn beat_once(&self, beat: &Beat) -> Result<BeatAnswer> {
        let mut lane = self.pulse.lane().await?;
        let answer = steer::beat(&mut lane, self.handed_in(), beat).await?;
        lane.hand_back();
        Ok(answer)
    }

    async fn act_once(&self, jobs: &[JobId], action: &Action, by: &By) -> Result<Vec<Acted>> {
        let mut lane = self.work.lane().await?;
        let (acted, moved) = act::act(&mut lane, self.handed_in(), jobs, action, by).await?;
        lane.hand_back();
        if let Some(moved) = moved {
            self.marks.forget();
            self.marks.put_back(moved);
            self.bell.ring();
        }
        Ok(acted)
    }

    async fn put_once(&self, all: &[Schedule]) -> Result<Vec<Put>> {
        let mut lane = self.work.lane().await?;
        let put = schedules::put(&mut lane, self.handed_in(), all).await?;
        lane.hand_back();
        // A waiting server has to learn of the next slot.
        self.bell.ring();
        Ok(put)
    }

    async fn fire_once(&self, firings: &[Firing], by: &By) -> Result<Vec<Fired>> {
        let mut lane = self.work.lane().await?;
        let fired = schedules::fire(&mut lane, self.handed_in(), firings, by).await?;
        lane.hand_back();
        self.marks.forget();
        self.bell.ring();
        Ok(fired)
    }

    async fn direct_queues_once(
        &self,
        all: &[Box<str>],
        order: QueueOrder,
        by: &By,
    ) -> Result<Vec<Directed>> {
        let mut lane = self.work.lane().await?;
        let directed = steer::direct_queues(&mut lane, self.handed_in(), all, order, by).await?;
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
        let mut lane = self.work.lane().await?;
        let directed = steer::direct_servers(&mut lane, self.handed_in(), all, order, by).await?;
        lane.hand_back();
        Ok(directed)
    }

    async fn direct_once(&self, all: &[Box<str>], order: Order, by: &By) -> Result<Vec<Directed>> {
        let mut lane = self.work.lane().await?;
        let directed = schedules::direct(&mut lane, self.handed_in(), all, order, by).await?;
        lane.hand_back();
        if order == Order::Resume {
            self.bell.ring();
        }
        Ok(directed)
    }

    async fn get_once(&self, jobs: &[JobId]) -> Result<Vec<Option<JobDetails>>> {
        let mut lane = self.work.lane().await?;
        let mut look = Look::begin(&mut lane, self.options.tables.names());
        let all = look.get(jobs).await?;
        look.end().await?;
        lane.hand_back();
        Ok(all)
    }

    async fn list_once(&self, filter: &Filter, page: &PageRequest) -> Result<Page> {
        let mut lane = self.work.lane().await?;
        let mut look = Look::begin(&mut lane, self.options.tables.names());
        let page = look.list(filter, page).await?;
        look.end().await?;
        lane.hand_back();
        Ok(page)
    }

    async fn overview_once(&self) -> Result<Overview> {
        let mut lane = self.work.lane().await?;
        let mut look = Look::begin(&mut lane, self.options.tables.names());
        let overview = look.overview().await?;
        look.end().await?;
        lane.hand_back();
        Ok(overview)
    }
}

/// Where a job comes to stand that was just stored: no place is so late.
fn new_stand(job: &NewJob) -> Stand {
    Stand { queue: job.queue.clone(), priority: job.priority.into(), run_at: i64::MAX }
}

impl Storage for MysqlStorage {
    fn insert(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Inserted>> {
        let store = move |jobs: Vec<NewJob>| async move { self.work.retry(|| self.insert_once(&jobs)).await };
        Box::pin(self.gathering.insert(jobs, store, pause_for(Gathering::PATIENCE)))
    }

    fn exchange(&self, request: Exchange) -> Answer<'_, Exchanged> {
        Box::pin(async move {
            let in_doubt = AtomicBool::new(false);
            self.told(&in_doubt, || self.exchange_once(&request, &in_doubt)).await
        })
    }

    fn wait(&self, at_most: Duration) -> Answer<'_, Heard> {
        Box::pin(async move { Ok(self.bell.wait(at_most).await) })
    }

    fn poll(&self, queues: Arc<[Arc<str>]>) -> Answer<'_, Polled> {
        Box::pin(async move {
            let now = || self.now_value();
            let rows = self
                .work
                .alone(Op::Poll, &[Value::texts(queues.iter().map(|queue| &**queue)), now(), now(), now()])
                .await?;
            rows.first().map_or_else(|| Err(Error::broken("a question has an answer")), act::read_poll)
        })
    }

    fn promote(&self, limit: u32) -> Answer<'_, Promoted> {
        Box::pin(async move { self.told(&AtomicBool::new(false), || self.promote_once(limit)).await })
    }

    fn expired(&self, limit: u32) -> Answer<'_, Vec<Expired>> {
        Box::pin(async move {
            let values = [self.now_value(), Value::Int(limit.into())];
            let rows = self.work.rows(Op::Expired, &values).await?;
            rows.iter().map(act::read_expired).collect()
        })
    }

    fn prune(&self, limit: u32) -> Answer<'_, u32> {
        Box::pin(self.work.retry(move || self.prune_once(limit)))
    }

    fn beat(&self, beat: Beat) -> Answer<'_, BeatAnswer> {
        Box::pin(async move { self.pulse.retry(|| self.beat_once(&beat)).await })
    }

    fn leave(&self, server: ServerId, _: bool) -> Answer<'_, ()> {
        Box::pin(async move {
            let closed = Value::List(vec![Value::server(server)]);
            let steps = [(Op::Leave, vec![Value::server(server)]), (Op::ClosedDelete, vec![closed])];
            self.pulse.run(&steps).await.map(drop)
        })
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
            let values = [self.now_value(), Value::Int(limit.into())];
            let steps = [(Op::SchedulesDue, values.to_vec()), (Op::Now, vec![self.now_value()])];
            let answers = self.work.run(&steps).await?;
            let [due, now] = &*answers else { return Err(Error::broken("two questions, two answers")) };
            schedules::read_due(&due.rows, &now.rows)
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
