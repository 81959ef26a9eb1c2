//! A proxy between a storage and its database: it counts what is asked, keeps the notices by which a database
//! tells its plans, and can swallow the answer to a COMMIT, which is the one moment at which a client cannot
//! know what happened. It can give connections numbers of its own making, as poolers do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use portfire_postgres::tokio_postgres::Config;
use portfire_postgres::tokio_postgres::config::Host;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::bed::url;

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) statements: AtomicUsize,
    pub(crate) commits: AtomicUsize,
    /// Statements that were prepared under a name.
    pub(crate) named: AtomicUsize,
    /// Set to give connections other numbers than those of the database's processes.
    pub(crate) poses_as_pooler: AtomicBool,
    /// Set to lose the answer to the next COMMIT; unset again when that has happened.
    pub(crate) cut: AtomicBool,
    /// The notices of the database.
    pub(crate) notices: Mutex<Vec<String>>,
}

/// Starts a proxy; answers the URL of the database through it.
pub(crate) async fn start(seen: Arc<Seen>) -> String {
    let config: Config = url().parse().unwrap();
    let Host::Tcp(host) = config.get_hosts()[0].clone() else {
        panic!("the proxy needs a database that listens on TCP")
    };
    let (host, port) = (host, config.get_ports()[0]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let database = TcpStream::connect((&*host, port)).await.unwrap();
            tokio::spawn(serve(client, database, Arc::clone(&seen)));
        }
    });
    let address = url().replace(&format!(":{port}/"), &format!(":{own}/"));
    assert_ne!(address, url(), "the URL of the database names its port");
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}sslmode=disable&listen=off&connections=1")
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
    let (mut started, mut open) = (false, false);
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        buffer.extend_from_slice(&chunk[..length]);
        while let Some(message) = take_message(&mut buffer, &mut started) {
            count(&message, &mut open, &seen);
        }
        to.write_all(&chunk[..length]).await.unwrap();
    }
}

/// The first message has no type; all others begin with one, and their length.
fn take_message(buffer: &mut Vec<u8>, started: &mut bool) -> Option<Vec<u8>> {
    let head = usize::from(*started);
    let length = u32::from_be_bytes(buffer.get(head..head + 4)?.try_into().ok()?) as usize + head;
    if buffer.len() < length {
        return None;
    }
    *started = true;
    Some(buffer.drain(..length).collect())
}

fn count(message: &[u8], open: &mut bool, seen: &Seen) {
    let text = || String::from_utf8_lossy(&message[5..]).into_owned();
    match message[0] {
        b'Q' if text().starts_with("COMMIT") => {
            *open = false;
            seen.commits.fetch_add(1, Ordering::Relaxed);
        }
        b'Q' | b'P' => {
            // A statement without a name begins with the end of it.
            seen.named.fetch_add(usize::from(message[0] == b'P' && message[5] != 0), Ordering::Relaxed);
            *open |= message[0] == b'Q' && text().starts_with("BEGIN");
            seen.statements.fetch_add(1, Ordering::Relaxed);
            seen.commits.fetch_add(usize::from(!*open), Ordering::Relaxed);
        }
        _ => {}
    }
}

/// The text of a notice: a field that begins with `M` and ends with a zero.
fn notice(message: &[u8]) -> Option<String> {
    let fields = (message[0] == b'N').then(|| message[5..].split(|byte| *byte == 0))?;
    let text = fields.into_iter().find_map(|field| field.strip_prefix(b"M"))?;
    Some(String::from_utf8_lossy(text).into_owned())
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: Arc<Seen>) {
    let (mut buffer, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        buffer.extend_from_slice(&chunk[..length]);
        while let Some(message) = take_message(&mut buffer, &mut true) {
            seen.notices.lock().unwrap().extend(notice(&message));
        }
        let committed =
            chunk[..length].windows(8).any(|bytes| bytes == b"\0COMMIT\0" || bytes == b"\x0bCOMMIT\0");
        if committed && seen.cut.swap(false, Ordering::Relaxed) {
            return;
        }
        if seen.poses_as_pooler.load(Ordering::Relaxed) {
            change_number(&mut chunk[..length]);
        }
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}

/// Changes the number of the process in the message that tells it, if this is where it is.
fn change_number(chunk: &mut [u8]) {
    let key = b"K\0\0\0\x0c";
    if let Some(at) = chunk.windows(key.len()).position(|bytes| bytes == key) {
        chunk[at + key.len()] ^= 1;
    }
}
