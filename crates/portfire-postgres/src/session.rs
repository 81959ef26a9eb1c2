//! Whether the sessions of a pool keep what is prepared in them.
//!
//! 1. A connection says at its start which process of the server serves it. That process is asked for its number once
//!    more, by a statement.
//! 2. If the numbers differ, somebody stands between: a pooler, which gives each connection a number of its own
//!    making, because the process behind it changes. Then nothing is prepared.
//! 3. If a session turns out to have forgotten what was prepared in it, or not to have heard of a change of the tables,
//!    nothing is prepared in its pool any more.
//!
//! It matters for more than speed: the driver counts the names of what it prepares, so two programs use the same ones.
//! In a session that they share, one would run what the other has prepared.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{Client, Error};

/// Whether statements may be prepared in the sessions of one pool.
#[derive(Clone, Debug)]
pub(crate) struct Keeping(Arc<AtomicBool>);

impl Keeping {
    pub(crate) fn new(may: bool) -> Self {
        Self(Arc::new(AtomicBool::new(may)))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Looks at a new session; stops if it is not ours alone.
    pub(crate) async fn look_at(&self, client: &Client) -> Result<(), Error> {
        if self.is_on() && !is_ours(client).await? {
            self.stop();
        }
        Ok(())
    }
}

/// Whether the session's process is the one that answered at its start.
async fn is_ours(client: &Client) -> Result<bool, Error> {
    let request = Request::default();
    client.cancel_token().cancel_query_raw(request.clone(), Tls).await?;
    let rows = client.query_typed("SELECT pg_backend_pid()", &[]).await?;
    let process: i32 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    Ok(request.process() == Some(process))
}

/// A request to cancel as it would travel, which goes nowhere. The driver tells the number only there.
#[derive(Clone, Default)]
struct Request(Arc<Mutex<Vec<u8>>>);

/// How long such a request is, and where in it the number stands: behind its length and its code.
const REQUEST: usize = 16;
const PROCESS: std::ops::Range<usize> = 8..12;

impl Request {
    fn process(&self) -> Option<i32> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Before it the driver may have asked for TLS.
        let number = bytes.last_chunk::<REQUEST>()?.get(PROCESS)?;
        Some(i32::from_be_bytes(number.try_into().ok()?))
    }
}

impl AsyncWrite for Request {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Request {
    /// The one thing that is read is whether there may be TLS: yes.
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.put_slice(b"S");
        Poll::Ready(Ok(()))
    }
}

impl TlsStream for Request {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// TLS as far as such a request needs it, which goes nowhere: not at all.
struct Tls;

impl TlsConnect<Request> for Tls {
    type Stream = Request;
    type Error = io::Error;
    type Future = Ready<io::Result<Request>>;

    fn connect(self, stream: Request) -> Self::Future {
        ready(Ok(stream))
    }
}
