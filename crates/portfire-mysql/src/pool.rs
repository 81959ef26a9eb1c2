//! Connections: who has them, how long a call may take, and what is tried again.
//!
//! 1. A call takes a [`Lane`] from the pool, which connects when it has to.
//! 2. Statements travel in packets, as many together as need no answer in between, and as plain text: nothing is
//!    left in the session, so any pooler works. A transaction begins and ends in the packets of its work; what an idle
//!    server asks are single statements, each of which commits itself.
//! 3. A lane that is not handed back in order (an error, a deadline, a caller that went away) is closed:
//!    whatever it had begun ends with it.
//! 4. What may succeed when repeated is repeated, with growing pauses, until the deadline of the call: above all
//!    deadlocks and lock waits, which this database has by its nature.
//!
//! Heartbeats have a pool of their own on a thread of their own, so that no amount of work, and no busy
//! runtime, can keep one.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleResult};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Opts, OptsBuilder};
use portfire_core::{Error, Result};
use tokio::runtime::{Handle, Runtime};

use crate::error::mysql_error;
use crate::insert::Executor;
use crate::rows::{Row, Value};
use crate::statements::{Op, Statements};
use crate::tls::{self, Encryption};

/// The first pause before a call is repeated: longer than most transactions that are in each other's way.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
/// The longest pause: a server that is back is used within a second.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Where a packet is closed, in bytes: a quarter of what servers take unless told otherwise (16 MiB), because one
/// more statement may come in, and a statement of ours is no longer than this but for a single long job.
pub(crate) const PACKET_BYTES: usize = 4 << 20;

/// The longest set in one statement: MariaDB makes a subquery of a list of 1,000, and then reads whole tables.
pub(crate) const SET_MAX: usize = 500;

/// What stands behind the place of a set that is a table.
const TABLE: &str = ") AS k";

/// How a transaction begins that writes.
const BEGIN: &[&str] = &["SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION"];
/// How one begins that only reads, all of it as of one moment.
const BEGIN_SNAPSHOT: &[&str] = &[
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
];
const COMMIT: &str = "COMMIT";

/// A statement with its values.
pub(crate) type Step<'a> = (Op, Vec<Value<'a>>);

/// What a statement came to.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    /// How many rows were stored, changed or deleted.
    pub(crate) changed: u64,
    /// The number that a statement tells beside, by `LAST_INSERT_ID`.
    pub(crate) told: u64,
}

/// What a statement in a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    /// It bounds a transaction; nobody asks for its answer.
    Bound,
    /// It is a step, or the first part of one.
    Step(Op),
    /// It is a further part of the step before.
    More(Op),
}

/// Statements that travel together.
#[derive(Debug, Default)]
pub(crate) struct Packet {
    pub(crate) sql: String,
    of: Vec<For>,
}

impl Packet {
    /// These statements in as few packets as can be, in their order.
    pub(crate) fn cut(
        ahead: &[&str],
        statements: &Statements,
        steps: &[Step<'_>],
        then: Option<&str>,
    ) -> Vec<Self> {
        let mut open = Self::default();
        if !steps.is_empty() || then.is_some() {
            for bound in ahead {
                open.push(For::Bound, bound, &[]);
            }
        }
        let (mut packets, mut open) = open.fill(statements, steps, |_, _| false);
        if let Some(bound) = then {
            open.push(For::Bound, bound, &[]);
        }
        packets.push(open);
        packets.retain(|packet| !packet.of.is_empty());
        packets
    }

    /// The same for a driver that answers the rows of one statement only, and of several at most that they were
    /// done: what reads travels alone.
    #[cfg(any(feature = "diesel", feature = "sea-orm"))]
    pub(crate) fn apart(statements: &Statements, steps: &[Step<'_>]) -> Vec<Self> {
        let apart = |open: &Self, text: &str| open.reads() || reads(text);
        let (mut packets, open) = Self::default().fill(statements, steps, apart);
        packets.push(open);
        packets.retain(|packet| !packet.of.is_empty());
        packets
    }

    /// Puts in the steps; answers the packets that were closed, because they were long or the next statement may
    /// not travel with them, and the last one.
    fn fill(
        self,
        statements: &Statements,
        steps: &[Step<'_>],
        is_apart: impl Fn(&Self, &str) -> bool,
    ) -> (Vec<Self>, Self) {
        let (mut packets, mut open) = (Vec::new(), self);
        for (op, values) in steps {
            let text = statements.text(*op);
            for (part, values) in parts(values).iter().enumerate() {
                if open.sql.len() >= PACKET_BYTES || is_apart(&open, text) {
                    packets.push(std::mem::take(&mut open));
                }
                let of = if part == 0 { For::Step(*op) } else { For::More(*op) };
                open.push(of, text, values);
            }
        }
        (packets, open)
    }

    /// Whether it answers rows.
    #[cfg(any(feature = "diesel", feature = "sea-orm"))]
    pub(crate) fn reads(&self) -> bool {
        reads(&self.sql)
    }

    /// Each `?` of the text is the place of a value.
    fn push(&mut self, of: For, sql: &str, values: &[Value<'_>]) {
        if !self.of.is_empty() {
            self.sql.push_str(";\n");
        }
        self.of.push(of);
        put(sql, values, &mut self.sql);
    }

    /// Adds the answers of its statements to those of the steps.
    pub(crate) fn read(&self, all: Vec<Answer>, answers: &mut Vec<Answer>) {
        for (of, answer) in self.of.iter().zip(all) {
            match (of, answers.last_mut()) {
                (For::Bound, _) => {}
                (For::More(_), Some(first)) => {
                    first.rows.extend(answer.rows);
                    first.changed += answer.changed;
                }
                (For::Step(_) | For::More(_), _) => answers.push(answer),
            }
        }
    }

    /// Adds the rows of its only statement to the answers of the steps, or none if it does not read.
    #[cfg(any(feature = "diesel", feature = "sea-orm"))]
    pub(crate) fn read_rows(&self, rows: Vec<Row>, answers: &mut Vec<Answer>) {
        let others = self.of.iter().skip(1).map(|_| Answer::default());
        let all = std::iter::once(Answer { rows, ..Answer::default() }).chain(others);
        self.read(all.collect(), answers);
    }

    /// What the statement at this place was to do, for an error.
    fn doing(&self, position: usize) -> String {
        match self.of.get(position) {
            Some(For::Step(op) | For::More(op)) => format!("run `{op:?}`"),
            Some(For::Bound) | None => "begin or end a transaction".into(),
        }
    }
}

/// Whether a statement answers rows.
#[cfg(any(feature = "diesel", feature = "sea-orm"))]
fn reads(sql: &str) -> bool {
    sql.starts_with("SELECT ")
}

/// A step whose one set is too long, in several parts.
fn parts<'s, 'v>(values: &'s [Value<'v>]) -> Vec<Cow<'s, [Value<'v>]>> {
    let place = values.iter().position(|value| value.set_len() > SET_MAX);
    let with = |place: usize, set| {
        let mut part = values.to_vec();
        part[place] = set;
        Cow::Owned(part)
    };
    match place.map(|place| (place, &values[place])) {
        Some((place, Value::List(set))) => {
            set.chunks(SET_MAX).map(|set| with(place, Value::List(set.to_vec()))).collect()
        }
        Some((place, Value::Rows(set))) => {
            set.chunks(SET_MAX).map(|set| with(place, Value::Rows(set.to_vec()))).collect()
        }
        _ => vec![Cow::Borrowed(values)],
    }
}

fn put(sql: &str, values: &[Value<'_>], text: &mut String) {
    debug_assert_eq!(sql.matches('?').count(), values.len(), "{sql}");
    let mut values = values.iter();
    for (n, part) in sql.split('?').enumerate() {
        if n > 0 {
            let value = values.next().unwrap_or(&Value::Null);
            if part.starts_with(TABLE) { value.put_table(text) } else { value.put(text) }
        }
        text.push_str(part);
    }
}

/// Sends statements on a connection of anybody's; answers what each came to.
pub(crate) async fn send<C: Queryable>(
    connection: &mut C,
    statements: &Statements,
    steps: &[Step<'_>],
) -> Result<Vec<Answer>> {
    send_cut(connection, Packet::cut(&[], statements, steps, None)).await
}

async fn send_cut<C: Queryable>(connection: &mut C, packets: Vec<Packet>) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for packet in packets {
        let all = ask(connection, &packet.sql, packet.of.len()).await;
        let all = all.map_err(|(position, error)| mysql_error(&packet.doing(position), error))?;
        packet.read(all, &mut answers);
    }
    Ok(answers)
}

/// Sends one packet of so many statements. An error says which statement had it.
async fn ask<C: Queryable>(
    connection: &mut C,
    sql: &str,
    count: usize,
) -> Result<Vec<Answer>, (usize, mysql_async::Error)> {
    let mut result = connection.query_iter(sql).await.map_err(|error| (0, error))?;
    let mut answers = Vec::with_capacity(count);
    for position in 0..count {
        let (changed, told) = (result.affected_rows(), result.last_insert_id().unwrap_or(0));
        // The head of the next statement's answer is read with the last row of this one's.
        let rows: Vec<mysql_async::Row> = result.collect().await.map_err(|error| (position + 1, error))?;
        let rows = rows.into_iter().map(Row::read).collect::<Result<_>>();
        let rows = rows.map_err(|error| (position, mysql_async::Error::Other(Box::new(error))))?;
        answers.push(Answer { rows, changed, told });
    }
    result.drop_result().await.map_err(|error| (count, error))?;
    Ok(answers)
}

/// Connections of one kind, and how long their calls may take.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    pool: Pool<Connector>,
    statements: Arc<Statements>,
    deadline: Duration,
}

impl Lanes {
    /// At most `size` connections, made where they are first needed or, if given, on that runtime.
    pub(crate) fn new(
        connector: Connector,
        size: usize,
        statements: Arc<Statements>,
        deadline: Duration,
    ) -> Result<Self> {
        let pool = Pool::builder(connector)
            .max_size(size)
            // The latest is at hand, in the caches of the server's thread and in its own rows of what is counted.
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|e| Error::misuse("the pool of connections cannot be so").caused_by(e))?;
        Ok(Self { pool, statements, deadline })
    }

    /// The same connections, from now on with this deadline and this limit for what only reads.
    pub(crate) fn limited(self, deadline: Duration, look_timeout: Option<Duration>) -> Self {
        let statements = Arc::new(self.statements.limited(look_timeout));
        Self { statements, deadline, ..self }
    }

    /// A connection to work with.
    pub(crate) async fn lane(&self) -> Result<Lane> {
        match self.pool.get().await {
            Ok(object) => {
                let statements = Arc::clone(&self.statements);
                Ok(Lane { object: Some(object), statements, ahead: &[], is_open: false, commits_next: false })
            }
            Err(PoolError::Backend(error)) => Err(mysql_error("be connected to", error)),
            Err(PoolError::Closed) => Err(Error::closed("the MySQL storage is closed")),
            Err(other) => Err(Error::transient("the database could not be connected to").caused_by(other)),
        }
    }

    /// Runs one statement in a transaction of its own.
    pub(crate) async fn rows(&self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let mut answers = self.run(&[(op, values.to_vec())]).await?;
        Ok(answers.pop().unwrap_or_default().rows)
    }

    /// Runs one statement that only reads, on its own; see [`Lane::ask`].
    pub(crate) async fn alone(&self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        self.retry(|| async {
            let mut lane = self.lane().await?;
            let rows = lane.rows(op, values).await?;
            lane.hand_back();
            Ok(rows)
        })
        .await
    }

    /// Runs statements in a transaction of their own, in one packet.
    pub(crate) async fn run(&self, steps: &[Step<'_>]) -> Result<Vec<Answer>> {
        self.retry(|| async {
            let mut lane = self.lane().await?;
            lane.begin();
            let answers = lane.finish(steps.to_vec()).await?;
            lane.hand_back();
            Ok(answers)
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
        let late = Error::transient(format!("the database did not do it within {deadline:?}"));
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

/// This moment, to tell how long a call took that never came to its end.
#[expect(clippy::disallowed_methods, reason = "a database that did not answer cannot be asked")]
pub(crate) fn moment() -> Instant {
    Instant::now()
}

/// A connection while it is used.
pub(crate) struct Lane {
    object: Option<Object<Connector>>,
    statements: Arc<Statements>,
    /// What goes ahead of the next statement, in its packet.
    ahead: &'static [&'static str],
    /// Whether a transaction is open, and whether it ends with the next packet.
    is_open: bool,
    commits_next: bool,
}

impl Lane {
    fn connection(&mut self) -> &mut Conn {
        self.object.as_mut().expect("a lane has its connection until it is handed back")
    }

    /// Begins a transaction that writes, with the next statement.
    pub(crate) fn begin(&mut self) {
        (self.ahead, self.is_open) = (BEGIN, true);
    }

    /// Begins a transaction that reads as of one moment, with the next statement.
    pub(crate) fn begin_snapshot(&mut self) {
        (self.ahead, self.is_open) = (BEGIN_SNAPSHOT, true);
    }

    /// Lets the transaction end with the next packet, if that succeeds.
    pub(crate) const fn commit_next(&mut self) {
        self.commits_next = true;
    }

    /// Ends the transaction, if it has not ended.
    pub(crate) async fn commit(&mut self) -> Result<()> {
        if self.is_open {
            self.finish(Vec::new()).await?;
        }
        Ok(())
    }

    /// The last statements of a transaction, and its end.
    pub(crate) async fn finish(&mut self, steps: Vec<Step<'_>>) -> Result<Vec<Answer>> {
        self.send(&steps, Some(COMMIT)).await
    }

    async fn send(&mut self, steps: &[Step<'_>], then: Option<&str>) -> Result<Vec<Answer>> {
        let then = then.or(std::mem::take(&mut self.commits_next).then_some(COMMIT));
        let packets = Packet::cut(self.ahead, &self.statements, steps, then);
        if packets.is_empty() {
            return Ok(Vec::new());
        }
        self.ahead = &[];
        let answers = send_cut(self.connection(), packets).await?;
        self.is_open &= then.is_none();
        Ok(answers)
    }

    /// Runs a statement. Where no transaction was begun it is one by itself, of one statement: only what writes and
    /// waits for nothing under any isolation, or reads and ends in [`TO_PRIMARY`].
    pub(crate) async fn ask(&mut self, op: Op, values: &[Value<'_>]) -> Result<Answer> {
        let answers = self.send(&[(op, values.to_vec())], None).await?;
        Ok(answers.into_iter().next().unwrap_or_default())
    }

    /// Runs a statement; answers its rows.
    pub(crate) async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        Ok(self.ask(op, values).await?.rows)
    }

    /// Runs a statement; answers how many rows it has stored, found to change, or deleted.
    pub(crate) async fn changed(&mut self, op: Op, values: &[Value<'_>]) -> Result<u64> {
        Ok(self.ask(op, values).await?.changed)
    }

    /// A query put together from fixed parts, for lists.
    pub(crate) async fn listed(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let mut packet = Packet::default();
        for bound in std::mem::take(&mut self.ahead) {
            packet.push(For::Bound, bound, &[]);
        }
        packet.push(For::Bound, &self.statements.look(sql), values);
        let all = ask(self.connection(), &packet.sql, packet.of.len()).await;
        let mut all = all.map_err(|(_, error)| mysql_error("read a list", error))?;
        Ok(all.pop().unwrap_or_default().rows)
    }

    /// Runs longer SQL of ours that answers nothing.
    pub(crate) async fn batch_as(&mut self, doing: &str, sql: &str) -> Result<()> {
        self.connection().query_drop(sql).await.map_err(|error| mysql_error(doing, error))
    }

    /// Takes back what was begun, so that nobody finds it held, and gives the connection back.
    pub(crate) async fn undo(mut self) {
        if self.batch_as("take back a transaction", "ROLLBACK").await.is_ok() {
            self.hand_back();
        }
    }

    /// Gives the connection back. Only in order: nothing is open or on its way.
    pub(crate) fn hand_back(mut self) {
        self.object = None;
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}

impl Executor for Lane {
    const READS_ARE_CURRENT: bool = true;

    async fn run(&mut self, steps: Vec<Step<'_>>) -> Result<Vec<Answer>> {
        self.send(&steps, None).await
    }
}

/// Makes connections, on a runtime of our own if there is one.
#[derive(Clone)]
pub(crate) struct Connector {
    plain: Opts,
    secure: Option<Opts>,
    /// Whether a server that cannot encrypt will do.
    yields: bool,
    /// Whether it was seen that the server cannot.
    is_plain: Arc<AtomicBool>,
    runtime: Option<Handle>,
}

impl Connector {
    pub(crate) fn new(opts: &Opts, encryption: &Encryption) -> Result<Self> {
        let secure = tls::options(encryption)?;
        let secure = secure.map(|ssl| OptsBuilder::from_opts(opts.clone()).ssl_opts(ssl).into());
        let yields = *encryption == Encryption::Preferred;
        Ok(Self { plain: opts.clone(), secure, yields, is_plain: Arc::default(), runtime: None })
    }

    /// The same, on this runtime.
    pub(crate) fn on(&self, runtime: Handle) -> Self {
        Self { runtime: Some(runtime), ..self.clone() }
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> Result<Conn, mysql_async::Error> {
        let connecting = tokio::time::timeout(CONNECT, self.connect_in_time());
        let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
        connecting.await.map_err(late)?
    }

    async fn connect_in_time(&self) -> Result<Conn, mysql_async::Error> {
        let secure = self.secure.as_ref().filter(|_| !self.is_plain.load(Ordering::Relaxed));
        let Some(secure) = secure else { return Conn::new(self.plain.clone()).await };
        match Conn::new(secure.clone()).await {
            Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer)) if self.yields => {
                self.is_plain.store(true, Ordering::Relaxed);
                Conn::new(self.plain.clone()).await
            }
            connected => connected,
        }
    }
}

/// Without the options, which hold the password.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("yields", &self.yields).finish_non_exhaustive()
    }
}

impl Manager for Connector {
    type Type = Conn;
    type Error = mysql_async::Error;

    async fn create(&self) -> Result<Conn, mysql_async::Error> {
        let Some(runtime) = &self.runtime else { return self.connect().await };
        let connector = self.clone();
        match runtime.spawn(async move { connector.connect().await }).await {
            Ok(connected) => connected,
            // The storage is being dropped; so will be this call, or its deadline comes.
            Err(_) => std::future::pending().await,
        }
    }

    async fn recycle(&self, _: &mut Conn, _: &Metrics) -> RecycleResult<mysql_async::Error> {
        // Whether it still works is seen by its next statement; a call is repeated anyway.
        Ok(())
    }
}

/// A runtime with a thread of its own, for heartbeats and for the bell.
pub(crate) struct Background(Option<Runtime>);

impl Background {
    pub(crate) fn start() -> Result<Self> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("portfire-mysql")
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(|e| Error::broken("the thread of the MySQL storage could not be started").caused_by(e))
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

#[cfg(test)]
mod tests {
    use super::{Answer, BEGIN, COMMIT, Packet, SET_MAX};
    use crate::rows::{Cell, Row, Value};
    use crate::statements::{Names, Op, Statements};

    fn statements() -> Statements {
        Statements::with_names(&Names { prefix: "p_".into() })
    }

    #[test]
    fn a_transaction_is_one_packet_whose_bounds_nobody_hears_of() {
        let steps = [(Op::Now, vec![Value::Int(7)]), (Op::Known, vec![Value::List(Vec::new())])];
        let packets = Packet::cut(BEGIN, &statements(), &steps, Some(COMMIT));
        assert_eq!(packets.len(), 1);
        let sql = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;\nSTART TRANSACTION;\nSELECT 7\nFROM DUAL FOR UPDATE;\n\
                   SELECT id FROM p_job WHERE id IN (NULL);\nCOMMIT";
        assert_eq!(packets[0].sql, sql);
        let mut answers = Vec::new();
        let numbered = |changed| Answer { changed, ..Answer::default() };
        packets[0].read((0..5).map(numbered).collect(), &mut answers);
        assert_eq!(answers.iter().map(|answer| answer.changed).collect::<Vec<_>>(), [2, 3]);
        assert!(Packet::cut(BEGIN, &statements(), &[], None).is_empty(), "nothing begins for nothing");
    }

    #[test]
    fn a_long_set_is_cut_and_answered_as_one() {
        let set = Value::List(vec![Value::Id([1; 16]); SET_MAX + 1]);
        let packets = Packet::cut(&[], &statements(), &[(Op::Known, vec![set])], None);
        assert_eq!(packets[0].sql.matches("SELECT id").count(), 2);
        let answer = || Answer { rows: vec![Row(vec![Cell::Null])], changed: 1, told: 0 };
        let mut answers = Vec::new();
        packets[0].read(vec![answer(), answer()], &mut answers);
        assert_eq!(answers.iter().map(|one| (one.rows.len(), one.changed)).collect::<Vec<_>>(), [(2, 2)]);
    }

    #[test]
    #[cfg(any(feature = "diesel", feature = "sea-orm"))]
    fn what_reads_travels_alone_where_a_driver_answers_one_statement() {
        let known = (Op::Known, vec![Value::List(vec![Value::Id([1; 16]); SET_MAX + 1])]);
        let steps =
            [(Op::Mark, Vec::new()), (Op::MarkRelease, Vec::new()), known, (Op::BackToMark, Vec::new())];
        let packets = Packet::apart(&statements(), &steps);
        assert_eq!(packets.iter().map(Packet::reads).collect::<Vec<_>>(), [false, true, true, false]);
        let mut answers = Vec::new();
        for packet in packets {
            let rows = if packet.reads() { vec![Row(vec![Cell::Null])] } else { Vec::new() };
            packet.read_rows(rows, &mut answers);
        }
        assert_eq!(answers.iter().map(|one| one.rows.len()).collect::<Vec<_>>(), [0, 0, 2, 0]);
    }

    #[test]
    fn long_statements_travel_apart() {
        let text = "x".repeat(super::PACKET_BYTES);
        let step = (Op::Now, vec![Value::Text(&text)]);
        let packets = Packet::cut(&[], &statements(), &[step.clone(), step], None);
        assert_eq!(packets.len(), 2);
    }
}
