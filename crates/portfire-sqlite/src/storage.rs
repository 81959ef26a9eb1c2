//! The storage contract on SQLite: one short method per operation, in the trait's order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portfire_core::storage::{
    Acted, Action, Answer, AuditEntry, AuditRequest, Beat, BeatAnswer, By, Directed, DueSchedules, Exchange,
    Exchanged, Expired, FaultGroup, FaultGroupRequest, Filter, Fired, Heard, Inserted, JobDetails, Overview,
    Page, PageRequest, Polled, Promoted, Put, QueueOrder, ServerOrder, SlotView, StorageView, Tally,
    TallyRequest, Target,
};
use portfire_core::{
    Clock, Firing, JobId, NewJob, Order, Result, Schedule, ScheduleView, ServerId, Storage, Timestamp,
};

use crate::connect::connect;
use crate::insert::{at_once, insert};
use crate::look::Look;
use crate::rows::{Value, info_text};
use crate::settle::{cancel_flags, exchange};
use crate::statements::{Op, Statements};
use crate::threads::{Mode, Thread, Tx};
use crate::wake::Bell;
use crate::{SqliteOptions, act, migrate, schedules, steer};

/// Jobs in a SQLite file.
///
/// ```
/// use portfire_core::Storage;
/// use portfire_sqlite::SqliteStorage;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let dir = tempfile::tempdir().unwrap();
/// let storage = SqliteStorage::open(dir.path().join("jobs.db")).await?;
/// assert!(storage.overview().await?.counts.is_empty());
/// # Ok::<_, portfire_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct SqliteStorage {
    options: SqliteOptions,
    writer: Thread,
    pulse: Thread,
    readers: [Thread; 2],
    turn: AtomicUsize,
    bell: Arc<Bell>,
}

impl SqliteStorage {
    /// Opens or creates a file, and brings its tables up to date.
    ///
    /// # Errors
    /// Broken if the file cannot be used, its schema is newer than this program, or the linked SQLite is
    /// one that can corrupt it; transient if another process keeps it locked.
    #[expect(clippy::unused_async, reason = "opening a server database awaits; backends open alike")]
    pub async fn open(options: impl Into<SqliteOptions>) -> Result<Self> {
        let options = options.into();
        migrate::check_version(rusqlite::version_number())?;
        let connection = connect(&options)?;
        migrate::migrate(&connection, &options.prefix)?;
        let statements = Arc::new(Statements::with_prefix(&options.prefix));
        let bell = Arc::new(Bell::default());
        let start = |name, mode, connection| {
            let bell = Arc::clone(&bell);
            let clock = Arc::clone(&options.clock);
            Thread::start(name, mode, connection, Arc::clone(&statements), clock, move || bell.ring())
        };
        let writer = start("writer", Mode::Write(options.synchronous), connection)?;
        let pulse = start("beat", Mode::Beat, connect(&options)?)?;
        let reader = || start("reader", Mode::Read(options.statement_timeout), connect(&options)?);
        let readers = [reader()?, reader()?];
        Ok(Self { options, writer, pulse, readers, turn: AtomicUsize::new(0), bell })
    }

    /// In turn, so that one long glance does not hold up every other.
    fn reader(&self) -> &Thread {
        &self.readers[self.turn.fetch_add(1, Ordering::Relaxed) % self.readers.len()]
    }

    fn look<T: Send + 'static>(
        &self,
        look: impl Fn(&Look<'_, '_>) -> Result<T> + Send + 'static,
    ) -> Answer<'_, T> {
        let prefix = self.options.prefix.clone();
        Box::pin(self.reader().ask(move |tx| look(&Look::new(tx, &prefix))))
    }
}

impl Storage for SqliteStorage {
    fn insert(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Inserted>> {
        // Checked here already, so that a refused job costs the others of its commit nothing.
        if let Err(refused) = jobs.iter().try_for_each(NewJob::check) {
            return Box::pin(std::future::ready(Err(refused)));
        }
        Box::pin(self.writer.ask(move |tx| {
            let now = tx.now;
            at_once(insert(tx, now, &jobs))
        }))
    }

    fn exchange(&self, request: Exchange) -> Answer<'_, Exchanged> {
        let only_claims = request.notes.is_empty() && request.settlements.is_empty();
        if only_claims {
            return Box::pin(self.writer.ask_lightly(move |tx| exchange(tx, &request)));
        }
        let host = self.options.host.clone();
        Box::pin(self.writer.ask(move |tx| {
            tx.may_rescue = host.as_ref().is_none_or(|host| !host.was_just_set());
            exchange(tx, &request)
        }))
    }

    fn wait(&self, at_most: Duration) -> Answer<'_, Heard> {
        Box::pin(self.bell.wait(at_most, || connect(&self.options)))
    }

    fn poll(&self, queues: Arc<[Arc<str>]>) -> Answer<'_, Polled> {
        let may_rescue = self.options.host.as_ref().is_none_or(|host| !host.was_just_set());
        Box::pin(self.reader().ask(move |tx| act::poll(tx, &queues, may_rescue)))
    }

    fn promote(&self, limit: u32) -> Answer<'_, Promoted> {
        Box::pin(self.writer.ask_lightly(move |tx| act::promote(tx, limit)))
    }

    fn expired(&self, limit: u32) -> Answer<'_, Vec<Expired>> {
        if self.options.host.as_ref().is_some_and(|host| host.was_just_set()) {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        Box::pin(self.reader().ask(move |tx| act::expired(tx, limit)))
    }

    fn prune(&self, limit: u32) -> Answer<'_, u32> {
        Box::pin(self.writer.ask_lightly(move |tx| act::prune(tx, limit)))
    }

    fn beat(&self, beat: Beat) -> Answer<'_, BeatAnswer> {
        let info = info_text(&beat.info);
        Box::pin(self.pulse.ask(move |tx| {
            let (server, now) = (Value::Blob(beat.server.as_bytes()), Value::Int(tx.now.as_micros()));
            let until = Value::Int(tx.now.after(beat.lease).as_micros());
            tx.run(Op::Beat, &[server, now, until, Value::Text(&info)])?;
            let order = steer::ordered(tx, beat.server)?.unwrap_or_default();
            Ok(BeatAnswer { cancel: cancel_flags(tx, beat.server)?, order })
        }))
    }

    fn leave(&self, server: ServerId, _: bool) -> Answer<'_, ()> {
        Box::pin(self.pulse.ask(move |tx| tx.run(Op::Leave, &[Value::Blob(server.as_bytes())]).map(drop)))
    }

    fn act(&self, jobs: Vec<JobId>, action: Action, by: By) -> Answer<'_, Vec<Acted>> {
        if let Err(refused) = action.check() {
            return Box::pin(std::future::ready(Err(refused)));
        }
        Box::pin(self.writer.ask(move |tx| act::act(tx, &jobs, &action, &by)))
    }

    fn put_schedules(&self, schedules: Vec<Schedule>) -> Answer<'_, Vec<Put>> {
        Box::pin(self.writer.ask(move |tx| schedules::put(tx, &schedules)))
    }

    fn due_schedules(&self, limit: u32) -> Answer<'_, DueSchedules> {
        Box::pin(self.reader().ask(move |tx| schedules::due(tx, limit)))
    }

    fn fire(&self, firings: Vec<Firing>, by: By) -> Answer<'_, Vec<Fired>> {
        Box::pin(self.writer.ask(move |tx| schedules::fire(tx, &firings, &by)))
    }

    fn direct_schedules(&self, schedules: Vec<Box<str>>, order: Order, by: By) -> Answer<'_, Vec<Directed>> {
        Box::pin(self.writer.ask(move |tx| schedules::direct(tx, &schedules, order, &by)))
    }

    fn direct_queues(&self, queues: Vec<Box<str>>, order: QueueOrder, by: By) -> Answer<'_, Vec<Directed>> {
        if let Err(refused) = QueueOrder::check(&queues) {
            return Box::pin(std::future::ready(Err(refused)));
        }
        Box::pin(self.writer.ask(move |tx| steer::direct_queues(tx, &queues, order, &by)))
    }

    fn direct_servers(
        &self,
        servers: Vec<ServerId>,
        order: ServerOrder,
        by: By,
    ) -> Answer<'_, Vec<Directed>> {
        Box::pin(self.writer.ask(move |tx| steer::direct_servers(tx, &servers, order, &by)))
    }

    fn audit(&self, about: Option<Target>, page: AuditRequest) -> Answer<'_, Vec<AuditEntry>> {
        Box::pin(self.reader().ask(move |tx| steer::audit(tx, about.as_ref(), page)))
    }

    fn get_schedules(&self, schedules: Vec<Box<str>>) -> Answer<'_, Vec<Option<ScheduleView>>> {
        let get = move |tx: &mut Tx<'_>| schedules.iter().map(|id| schedules::get(tx, id)).collect();
        Box::pin(self.reader().ask(get))
    }

    fn list_schedules(&self, after: Option<Box<str>>, limit: u32) -> Answer<'_, Vec<ScheduleView>> {
        Box::pin(self.reader().ask(move |tx| schedules::list(tx, after.as_deref(), limit)))
    }

    fn slots(&self, schedule: Box<str>, before: Option<Timestamp>, limit: u32) -> Answer<'_, Vec<SlotView>> {
        Box::pin(self.reader().ask(move |tx| schedules::slots(tx, &schedule, before, limit)))
    }

    fn get(&self, jobs: Vec<JobId>) -> Answer<'_, Vec<Option<JobDetails>>> {
        self.look(move |look| jobs.iter().map(|job| look.get(*job)).collect())
    }

    fn list(&self, filter: Filter, page: PageRequest) -> Answer<'_, Page> {
        self.look(move |look| look.list(&filter, &page))
    }

    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is not general enough")]
    fn overview(&self) -> Answer<'_, Overview> {
        self.look(|look| look.overview())
    }

    fn tallies(&self, request: TallyRequest) -> Answer<'_, Vec<Tally>> {
        self.look(move |look| look.tallies(&request))
    }

    fn fault_groups(&self, request: FaultGroupRequest) -> Answer<'_, Vec<FaultGroup>> {
        self.look(move |look| look.fault_groups(&request))
    }

    fn describe(&self) -> Answer<'_, StorageView> {
        let place = self.options.path.display().to_string();
        self.look(move |look| look.describe(&place))
    }

    fn now(&self) -> Answer<'_, Timestamp> {
        let clock: &dyn Clock = &*self.options.clock;
        Box::pin(std::future::ready(Ok(clock.now())))
    }
}
