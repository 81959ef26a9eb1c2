//! A proxy between a storage and its database: it keeps what is asked and which errors are answered, can swallow the
//! answer to a COMMIT, which is the one moment at which a client cannot know what happened, and can make the
//! storage's sessions impatient.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use portfire_mysql::mysql_async::Opts;
use portfire_mysql::{MysqlOptions, MysqlStorage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::bed::Database;

/// The command of the protocol that carries statements.
const QUERY: u8 = 0x03;
/// How an answer begins that is an error.
const ERROR: u8 = 0xff;
/// What a session is told when it begins, and what it is told instead if it shall not wait for rows for long.
const PATIENT: &[u8] = b"innodb_lock_wait_timeout = 5";
const IMPATIENT: &[u8] = b"innodb_lock_wait_timeout = 1";
/// The bit of an answer that says that the answer to another statement follows.
const MORE: u8 = 0x08;

#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What was asked, packet by packet: each is a round trip.
    packets: Mutex<Vec<String>>,
    /// The numbers of the errors that were answered.
    errors: Mutex<Vec<u16>>,
    /// Told of every packet.
    asked: Notify,
    /// Whether sessions that begin wait for rows for a second only.
    impatient: AtomicBool,
    /// Set to lose the answer to the next COMMIT; unset again when that has happened.
    pub(crate) cut: AtomicBool,
    /// Whether the packet that was asked last ends with a COMMIT.
    commits: AtomicBool,
}

impl Seen {
    /// What was asked since the last time, packet by packet.
    pub(crate) fn take(&self) -> Vec<Vec<String>> {
        let statements = |packet: String| packet.split(";\n").map(str::to_owned).collect();
        std::mem::take(&mut *self.packets.lock().unwrap()).into_iter().map(statements).collect()
    }

    /// The errors since the last time.
    pub(crate) fn take_errors(&self) -> Vec<u16> {
        std::mem::take(&mut *self.errors.lock().unwrap())
    }

    /// Waits until so many packets since the last `take` say this.
    pub(crate) async fn until_asked(&self, times: usize, what: &str) {
        loop {
            let next = self.asked.notified();
            if self.packets.lock().unwrap().iter().filter(|sql| sql.contains(what)).count() >= times {
                return;
            }
            next.await;
        }
    }
}

/// A storage whose every word goes through a proxy, by one connection for work.
pub(crate) async fn through_proxy(database: &Database) -> (MysqlStorage, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let storage = through(database, &seen).await;
    seen.take();
    (storage, seen)
}

/// The same, whose sessions wait for rows for a second only.
pub(crate) async fn through_impatient_proxy(database: &Database) -> (MysqlStorage, Arc<Seen>) {
    let seen = Arc::new(Seen { impatient: true.into(), ..Seen::default() });
    let storage = through(database, &seen).await;
    seen.take();
    (storage, seen)
}

/// The same, which listens.
pub(crate) async fn through_listening_proxy(database: &Database) -> (MysqlStorage, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let url = start(database, Arc::clone(&seen)).await;
    let options = MysqlOptions::new(&url).unwrap().listen(true);
    (MysqlStorage::open(options).await.unwrap(), seen)
}

/// A storage of which the same is told.
pub(crate) async fn through(database: &Database, seen: &Arc<Seen>) -> MysqlStorage {
    let url = start(database, Arc::clone(seen)).await;
    MysqlStorage::open(MysqlOptions::new(&url).unwrap()).await.unwrap()
}

/// Starts a proxy; answers the URL of the database through it.
async fn start(database: &Database, seen: Arc<Seen>) -> String {
    let url = database.url();
    let opts = Opts::from_url(&url).unwrap();
    let (host, port) = (opts.ip_or_hostname().to_owned(), opts.tcp_port());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let database = TcpStream::connect((&*host, port)).await.unwrap();
            tokio::spawn(serve(client, database, Arc::clone(&seen)));
        }
    });
    let address = url.replace(&format!(":{port}/"), &format!(":{own}/"));
    assert_ne!(address, url, "the URL of the database names its port");
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}ssl-mode=DISABLED&listen=off&connections=1")
}

async fn serve(client: TcpStream, database: TcpStream, seen: Arc<Seen>) {
    let (from_client, to_client) = client.into_split();
    let (from_database, to_database) = database.into_split();
    let answers = answers(from_database, to_client, Arc::clone(&seen));
    tokio::select! {
        () = questions(from_client, to_database, seen) => {}
        () = answers => {}
    }
}

async fn questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: Arc<Seen>) {
    let (mut buffer, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        buffer.extend_from_slice(&chunk[..length]);
        while let Some(Packet { number, payload }) = Packet::take(&mut buffer) {
            if number == 0 && payload.first() == Some(&QUERY) {
                let sql = String::from_utf8_lossy(&payload[1..]).into_owned();
                seen.commits.store(sql.ends_with("COMMIT"), Ordering::Relaxed);
                seen.packets.lock().unwrap().push(sql);
                seen.asked.notify_one();
            }
        }
        if seen.impatient.load(Ordering::Relaxed) {
            let found = chunk[..length].windows(PATIENT.len()).position(|window| window == PATIENT);
            found.into_iter().for_each(|at| chunk[at..at + PATIENT.len()].copy_from_slice(IMPATIENT));
        }
        to.write_all(&chunk[..length]).await.unwrap();
    }
}

/// A unit of the protocol. Commands have the number 0; what belongs to the greeting has others.
struct Packet {
    number: u8,
    payload: Vec<u8>,
}

impl Packet {
    fn take(buffer: &mut Vec<u8>) -> Option<Self> {
        let [a, b, c, number] = *buffer.first_chunk()?;
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        if buffer.len() < 4 + length {
            return None;
        }
        let payload = buffer.drain(..4 + length).skip(4).collect();
        Some(Self { number, payload })
    }

    /// The number of the error that it says.
    fn error(&self) -> Option<u16> {
        let [ERROR, low, high, ..] = self.payload[..] else { return None };
        Some(u16::from_le_bytes([low, high]))
    }

    /// Whether it says that the last statement of several was done, and had no rows: no number of rows, no number
    /// that was given, and a status by which nothing follows.
    fn ends_well(&self) -> bool {
        matches!(self.payload[..], [0, 0, 0, status, ..] if status & MORE == 0)
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: Arc<Seen>) {
    let (mut buffer, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        buffer.extend_from_slice(&chunk[..length]);
        let mut last = None;
        while let Some(packet) = Packet::take(&mut buffer) {
            seen.errors.lock().unwrap().extend(packet.error());
            last = Some(packet);
        }
        let cuts = seen.commits.load(Ordering::Relaxed) && seen.cut.load(Ordering::Relaxed);
        if cuts && buffer.is_empty() && last.is_some_and(|packet| packet.ends_well()) {
            seen.cut.store(false, Ordering::Relaxed);
            return;
        }
        if !cuts && to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}
