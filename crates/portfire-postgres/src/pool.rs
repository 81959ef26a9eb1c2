//! Connections: who has them, how long a call may take, and what is tried again.
//!
//! 1. A call takes a [`Lane`] from the pool, which connects when it has to.
//! 2. What runs all day is in functions, whose plans the database keeps. The statements that call them are prepared
//!    once in each session and travel by name, as long as the pool [keeps](crate::session) them: parsing and planning
//!    a call takes longer than some of the functions. The rest travels unnamed, leaves nothing in the session, and is
//!    planned for the tables as they are.
//! 3. If a session does not keep what was prepared, nothing was done; the call is repeated, with all unnamed.
//! 4. A lane that is not handed back in order (an error, a deadline, a caller that went away) is closed:
//!    whatever it had begun ends with it. Where two calls [travel](crate::ride) on one connection, it is closed after
//!    both, if one of them was not in order.
//! 5. What may succeed when repeated is repeated, with growing pauses, until the deadline of the call.
//!
//! A storage that only looks and steers, as for a dashboard, has the database end what takes long: the limit is
//! set for each transaction.
//!
//! Heartbeats have a pool of their own on a thread of their own, so that no amount of work, and no busy
//! runtime, can keep one.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Object, Pool, PoolError, QueueMode};
use futures_util::future::{BoxFuture, join_all, join3, try_join_all};
use portfire_core::{Error, Result};
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{is_forgotten, postgres_error};
use crate::insert::Executor;
use crate::rows::{Row, Value};
use crate::session::Keeping;
use crate::statements::{Op, Statements};

/// The first pause before a call is repeated: longer than most transactions that are in each other's way.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
/// The longest pause: a server that is back is used within a second.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How a transaction that writes begins. It waits for no lock longer than a third of a call's usual time: a transaction of
/// the application may keep a job's row for minutes, and a connection that is closed when the call ends would go on
/// waiting, one more each time, until the database has none left.
pub(crate) const WRITES: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout TO '5s'";

/// A statement with its values.
pub(crate) type Step<'a> = (Op, Vec<Value<'a>>);

/// Connections of one kind, and how long their calls may take.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    pool: Pool,
    statements: Arc<Statements>,
    deadline: Duration,
    statement_timeout: Option<Duration>,
    keeping: Keeping,
}

impl Lanes {
    /// At most `size` connections, made where they are first needed or, if given, on that runtime.
    pub(crate) fn new(
        config: &Config,
        tls: MakeRustlsConnect,
        runtime: Option<Handle>,
        size: usize,
        statements: Arc<Statements>,
        deadline: Duration,
        keeping: Keeping,
    ) -> Result<Self> {
        let connect = Connector { tls, runtime, keeping: keeping.clone() };
        let manager = Manager::from_connect(config.clone(), connect, ManagerConfig::default());
        let pool = Pool::builder(manager)
            .max_size(size)
            // The session that was used last has what it needs at hand.
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|e| Error::misuse("the pool of connections cannot be so").caused_by(e))?;
        Ok(Self { pool, statements, deadline, statement_timeout: None, keeping })
    }

    /// The same connections, with so much time for each call, and for each statement.
    pub(crate) fn limited(self, deadline: Duration, statement_timeout: Option<Duration>) -> Self {
        Self { deadline, statement_timeout, ..self }
    }

    /// A connection to work with.
    pub(crate) async fn lane(&self) -> Result<Lane> {
        match self.pool.get().await {
            Ok(object) => Ok(Lane {
                connection: Arc::new(Connection { object: Some(object), is_in_order: AtomicBool::new(true) }),
                statements: Arc::clone(&self.statements),
                statement_timeout: self.statement_timeout,
                keeping: self.keeping.clone(),
                has_forgotten: AtomicBool::new(false),
                is_handed_back: false,
            }),
            Err(PoolError::Backend(error)) => Err(postgres_error("connect", error)),
            Err(PoolError::Closed) => Err(Error::closed("the PostgreSQL storage is closed")),
            Err(other) => Err(Error::transient("PostgreSQL could not connect").caused_by(other)),
        }
    }

    /// Runs one statement on its own.
    pub(crate) async fn rows(&self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        self.retry(|| async {
            let lane = self.lane().await?;
            lane.kept(op, values).await?;
            let rows = lane.alone(lane.rows(op, values)).await?;
            lane.hand_back();
            Ok(rows)
        })
        .await
    }

    /// Attempts something until it succeeds, fails for good, or the deadline of a call has come.
    pub(crate) async fn retry<T, F>(&self, attempt: impl Fn() -> F + Send + Sync) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        self.retry_within(self.deadline, attempt).await
    }

    /// The same with a deadline of its own.
    pub(crate) async fn retry_within<T, F>(
        &self,
        deadline: Duration,
        attempt: impl Fn() -> F + Send + Sync,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let mut last = None;
        let attempts = async {
            let mut pause = PAUSE_FIRST;
            loop {
                match attempt().await {
                    Err(error) if error.is_transient() => last = Some(error),
                    done => return done,
                }
                pause_for(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        };
        if let Ok(done) = tokio::time::timeout(deadline, attempts).await {
            return done;
        }
        let late = Error::transient(format!("PostgreSQL did not do it within {deadline:?}"));
        Err(match last {
            Some(error) => late.caused_by(error),
            None => late,
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "a database that is away gives no signal when it is back")]
pub(crate) async fn pause_for(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// A connection while it is used.
pub(crate) struct Lane {
    connection: Arc<Connection>,
    statements: Arc<Statements>,
    statement_timeout: Option<Duration>,
    keeping: Keeping,
    /// Whether this session did not keep what was prepared in it.
    has_forgotten: AtomicBool,
    is_handed_back: bool,
}

/// What goes back to the pool when its last lane is gone, if all of them were handed back.
struct Connection {
    object: Option<Object>,
    is_in_order: AtomicBool,
}

impl Lane {
    /// The same connection for another call. What it sends comes after all that was sent before.
    pub(crate) fn another(&self) -> Self {
        Self {
            connection: Arc::clone(&self.connection),
            statements: Arc::clone(&self.statements),
            statement_timeout: self.statement_timeout,
            keeping: self.keeping.clone(),
            has_forgotten: AtomicBool::new(false),
            is_handed_back: false,
        }
    }

    fn session(&self) -> &Object {
        self.connection.object.as_ref().expect("a connection is there until its last lane is gone")
    }

    fn client(&self) -> &Client {
        self.session()
    }

    /// Runs a statement.
    pub(crate) async fn rows(&self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        self.rows_once_sent(op, values, || ()).await
    }

    /// Runs a statement; calls `sent` when it is on its way.
    pub(crate) async fn rows_once_sent(
        &self,
        op: Op,
        values: &[Value<'_>],
        sent: impl FnOnce(),
    ) -> Result<Vec<Row>> {
        let rows = match self.kept(op, values).await? {
            Some(statement) => {
                let values: Vec<_> = values.iter().map(Value::as_sql).collect();
                let asked = self.client().query(&statement, &values);
                once_polled(asked, sent).await.map_err(|e| self.kept_error(op, e))?
            }
            None => once_polled(rows(self.client(), self.statements.text(op), values), sent)
                .await
                .map_err(|e| postgres_error(&format!("run `{op:?}`"), e))?,
        };
        Ok(rows.into_iter().map(Row::Sent).collect())
    }

    /// Whether the session keeps what is prepared in it.
    pub(crate) fn keeps(&self) -> bool {
        self.keeping.is_on()
    }

    /// The statement as the session keeps it; prepared now, and only then with a round trip, if it is the first time.
    /// `None` if it travels unnamed.
    async fn kept(&self, op: Op, values: &[Value<'_>]) -> Result<Option<Statement>> {
        if !(op.is_kept() && self.keeps()) {
            return Ok(None);
        }
        let types: Vec<Type> = values.iter().map(Value::of_type).collect();
        let kept = self.session().prepare_typed_cached(self.statements.text(op), &types).await;
        kept.map(Some).map_err(|e| self.kept_error(op, e))
    }

    /// What became of a statement that the session keeps. If it did not, nothing was done, and may be repeated.
    fn kept_error(&self, op: Op, error: tokio_postgres::Error) -> Error {
        if !is_forgotten(&error) {
            return postgres_error(&format!("run `{op:?}`"), error);
        }
        self.keeping.stop();
        self.has_forgotten.store(true, Ordering::Relaxed);
        Error::transient(format!("PostgreSQL did not keep `{op:?}`, which was prepared in the session"))
            .caused_by(error)
    }

    /// A query put together from fixed parts, for lists.
    pub(crate) async fn listed(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let doing = |e| postgres_error("read a list", e);
        let rows = rows(self.client(), sql, values).await.map_err(doing)?;
        Ok(rows.into_iter().map(Row::Sent).collect())
    }

    /// Begins a transaction, in which the time of each statement is limited if it is so configured.
    pub(crate) async fn begin(&self, how: &str) -> Result<()> {
        match self.statement_timeout {
            Some(limit) => {
                self.batch(&format!("{how}; SET LOCAL statement_timeout TO {}", limit.as_millis())).await
            }
            None => self.batch(how).await,
        }
    }

    /// Runs one statement by itself; if its time is limited, in a transaction of its own, which travels with it:
    /// what is set for a session would stay in it, and a pooler may give it to others.
    pub(crate) async fn alone(&self, statement: impl Future<Output = Result<Vec<Row>>>) -> Result<Vec<Row>> {
        if self.statement_timeout.is_none() {
            return statement.await;
        }
        self.alone_in(WRITES, statement).await
    }

    /// Runs one statement in a transaction of its own that begins so, and travels with it.
    pub(crate) async fn alone_in(
        &self,
        how: &str,
        statement: impl Future<Output = Result<Vec<Row>>>,
    ) -> Result<Vec<Row>> {
        let (begun, rows, ended) = join3(self.begin(how), statement, self.batch("COMMIT")).await;
        begun.and(rows).and_then(|rows| ended.map(|()| rows))
    }

    /// Runs SQL of ours without values: the bounds of a transaction.
    pub(crate) async fn batch(&self, sql: &str) -> Result<()> {
        self.batch_as(&format!("run `{sql}`"), sql).await
    }

    /// Runs longer SQL of ours, whose error says what it was for.
    pub(crate) async fn batch_as(&self, doing: &str, sql: &str) -> Result<()> {
        self.client().batch_execute(sql).await.map_err(|e| postgres_error(doing, e))
    }

    /// Runs all steps in one transaction and one round trip; a single step needs no other. Answers the
    /// rows of each.
    pub(crate) async fn pipeline(&self, steps: Vec<Step<'_>>) -> Result<Vec<Vec<Row>>> {
        match self.travel(&steps).await {
            Err(_) if self.has_forgotten.load(Ordering::Relaxed) => self.travel(&steps).await,
            done => done,
        }
    }

    async fn travel(&self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>> {
        // Before anything is sent: who has to prepare would be overtaken by the COMMIT.
        try_join_all(steps.iter().map(|(op, values)| self.kept(*op, values))).await?;
        let alone = steps.len() == 1;
        let mut travelling: Vec<BoxFuture<'_, Result<Vec<Row>>>> = Vec::with_capacity(steps.len() + 2);
        if !alone {
            travelling.push(Box::pin(async { self.begin(WRITES).await.map(|()| Vec::new()) }));
        }
        for (op, values) in steps {
            travelling.push(Box::pin(self.rows(*op, values)));
        }
        if !alone {
            travelling.push(Box::pin(async { self.batch("COMMIT").await.map(|()| Vec::new()) }));
        }
        // Each is sent when it is first polled, and all are, in this order, before any answer is awaited.
        // After a failure the database refuses the rest and rolls back; the first error is the cause.
        let mut rows = join_all(travelling).await.into_iter().collect::<Result<Vec<_>>>()?;
        if !alone {
            rows.pop();
            rows.remove(0);
        }
        Ok(rows)
    }

    /// Takes back what was begun, so that nobody finds it held, and gives the connection back.
    pub(crate) async fn undo(self) {
        if self.batch("ROLLBACK").await.is_ok() {
            self.hand_back();
        }
    }

    /// Gives the connection back. Only in order: nothing of this lane is open or on its way.
    pub(crate) fn hand_back(mut self) {
        self.is_handed_back = true;
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.connection.is_in_order.fetch_and(self.is_handed_back, Ordering::Relaxed);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(object) = self.object.take_if(|_| !*self.is_in_order.get_mut()) {
            drop(Object::take(object));
        }
    }
}

/// Calls `polled` after the first poll, by which a query is sent: the connection's task writes what it has been given, in
/// that order.
async fn once_polled<F: Future>(future: F, polled: impl FnOnce()) -> F::Output {
    let mut future = pin!(future);
    let mut polled = Some(polled);
    poll_fn(|context| {
        let answer = future.as_mut().poll(context);
        if let Some(polled) = polled.take() {
            polled();
        }
        answer
    })
    .await
}

impl Executor for Lane {
    async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        Self::rows(self, op, values).await
    }
}

async fn rows(
    client: &Client,
    sql: &str,
    values: &[Value<'_>],
) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
    let typed: Vec<_> = values.iter().map(|value| (value.as_sql(), value.of_type())).collect();
    client.query_typed(sql, &typed).await
}

/// Makes connections, on a runtime of our own if there is one, and looks whether they are ours alone.
struct Connector {
    tls: MakeRustlsConnect,
    runtime: Option<Handle>,
    keeping: Keeping,
}

type Connected = Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

impl Connect for Connector {
    fn connect(&self, config: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        let (config, tls, runtime) = (config.clone(), self.tls.clone(), self.runtime.clone());
        Box::pin(async move {
            let connected = match runtime {
                None => connect(config, tls, Handle::current()).await?,
                Some(runtime) => match runtime.spawn(connect(config, tls, runtime.clone())).await {
                    Ok(connected) => connected?,
                    // The storage is being dropped; so will be this call, or its deadline comes.
                    Err(_) => std::future::pending().await,
                },
            };
            self.keeping.look_at(&connected.0).await?;
            Ok(connected)
        })
    }
}

async fn connect(config: Config, tls: MakeRustlsConnect, runtime: Handle) -> Connected {
    let (client, connection) = config.connect(tls).await?;
    // It ends when its client is dropped; an error reaches the client as that of its call.
    let task = runtime.spawn(async move { drop(connection.await) });
    Ok((client, task))
}

/// A runtime with a thread of its own, for heartbeats and for listening.
pub(crate) struct Background(Option<Runtime>);

impl Background {
    pub(crate) fn start() -> Result<Self> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("portfire-postgres")
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(|e| Error::broken("PostgreSQL's thread could not be started").caused_by(e))
    }

    pub(crate) fn handle(&self) -> Handle {
        self.0.as_ref().expect("the runtime is there until it is dropped").handle().clone()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Without waiting: the storage may be dropped in async code.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}
