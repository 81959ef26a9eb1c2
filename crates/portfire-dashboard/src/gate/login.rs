//! Basic authentication and bearer tokens.
//!
//! 1. The credential is read from `Authorization`.
//! 2. One that was right before is known again by a keyed digest: hashing takes tens of milliseconds, and a
//!    page is several requests.
//! 3. An address with too many wrong ones waits ([`Attempts`]).
//! 4. The rest is hashed on a thread of its own, two at a time. An unknown name costs as much as a wrong
//!    password, so that names cannot be told apart.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::ConnectInfo;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portfire_core::{Clock, Timestamp};
use tokio::sync::Semaphore;

use super::attempts::Attempts;
use super::{Access, Answer, Gate, Grant, PasswordHash, Permissions};
use crate::clock::SystemClock;

/// How many are hashed at once: each takes 19 MiB and a core.
const HASHING_MAX: usize = 2;
/// Longest credential that is looked at, in bytes.
const CREDENTIAL_BYTES_MAX: usize = 1 << 10;

/// Names and passwords, asked for by the browser (RFC 7617). Use it behind HTTPS.
///
/// ```
/// use portfire_dashboard::{BasicGate, PasswordHash, Permissions, hash_password};
///
/// let kept = hash_password("correct horse battery staple")?;
/// let gate = BasicGate::new().user("ming", PasswordHash::parse(&kept)?, Permissions::operator());
/// # let _ = gate;
/// # Ok::<(), portfire_core::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct BasicGate {
    keys: Vec<Key>,
    door: Arc<Door>,
}

impl BasicGate {
    /// A gate that nobody can pass yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets somebody in with this password.
    #[must_use]
    pub fn user(mut self, name: impl Into<Box<str>>, password: PasswordHash, can: Permissions) -> Self {
        self.keys.push(Key { name: name.into(), hash: password, can });
        self
    }
}

impl Gate for BasicGate {
    fn access<'a>(&'a self, parts: &'a Parts) -> Answer<'a> {
        let challenge = || Access::Challenge("Basic realm=\"jobs\", charset=\"UTF-8\"".into());
        Box::pin(async move {
            let Some((name, password)) = credential(parts, "basic").and_then(|given| basic(&given)) else {
                return challenge();
            };
            let named = self.keys.iter().filter(|key| *key.name == *name).cloned().collect();
            self.door
                .open(named, &format!("{name}:{password}"), &password, peer(parts))
                .await
                .unwrap_or_else(challenge)
        })
    }
}

/// Tokens for programs (`Authorization: Bearer …`).
#[derive(Debug, Default)]
pub struct BearerGate {
    keys: Vec<Key>,
    door: Arc<Door>,
}

impl BearerGate {
    /// A gate that nobody can pass yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets in who has this token; `name` stands for them in the audit log.
    #[must_use]
    pub fn token(mut self, name: impl Into<Box<str>>, token: PasswordHash, can: Permissions) -> Self {
        self.keys.push(Key { name: name.into(), hash: token, can });
        self
    }
}

impl Gate for BearerGate {
    fn access<'a>(&'a self, parts: &'a Parts) -> Answer<'a> {
        let challenge = || Access::Challenge("Bearer".into());
        Box::pin(async move {
            let Some(token) = credential(parts, "bearer") else { return challenge() };
            self.door.open(self.keys.clone(), &token, &token, peer(parts)).await.unwrap_or_else(challenge)
        })
    }
}

/// What opens the door, and for whom.
#[derive(Clone, Debug)]
struct Key {
    name: Box<str>,
    hash: PasswordHash,
    can: Permissions,
}

/// What both gates share: who was right before, who was wrong too often, and a place to compute in.
#[derive(Debug)]
struct Door {
    digests: RandomState,
    known: Mutex<Known>,
    hashing: Semaphore,
    clock: SystemClock,
}

#[derive(Debug, Default)]
struct Known {
    right: BTreeSet<(u64, Box<str>)>,
    attempts: Attempts,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            digests: RandomState::new(),
            known: Mutex::default(),
            hashing: Semaphore::new(HASHING_MAX),
            clock: SystemClock,
        }
    }
}

impl Door {
    /// Who holds the key of this secret; `None` if nobody does.
    async fn open(&self, keys: Vec<Key>, whole: &str, secret: &str, from: Option<IpAddr>) -> Option<Access> {
        let digest = self.digests.hash_one(whole);
        let now = self.clock.now();
        let grant = |key: &Key| Some(Access::Granted(Grant::new(key.name.clone(), key.can)));
        if let Some(key) = self.with(|known| keys.iter().find(|key| known.is_right(digest, key)).cloned()) {
            return grant(&key);
        }
        if self.with(|known| known.attempts.is_shut(from, now)) {
            return Some(Access::TooMany);
        }
        let found = self.search(keys, secret.into()).await;
        self.with(|known| known.note(digest, found.as_ref(), from, now));
        found.as_ref().and_then(grant)
    }

    async fn search(&self, keys: Vec<Key>, secret: Box<str>) -> Option<Key> {
        let _permit = self.hashing.acquire().await.ok()?;
        let work = move || {
            if keys.is_empty() {
                let _ = super::hash_password(&secret);
            }
            keys.into_iter().find(|key| key.hash.is_of(&secret))
        };
        tokio::task::spawn_blocking(work).await.ok().flatten()
    }

    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    fn is_right(&self, digest: u64, key: &Key) -> bool {
        self.right.contains(&(digest, key.name.clone()))
    }

    fn note(&mut self, digest: u64, found: Option<&Key>, from: Option<IpAddr>, now: Timestamp) {
        match found {
            Some(key) => {
                self.right.insert((digest, key.name.clone()));
                self.attempts.right(from);
            }
            None => self.attempts.wrong(from, now),
        }
    }
}

/// The credential of this scheme.
fn credential(parts: &Parts, scheme: &str) -> Option<String> {
    let text = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (named, given) = text.split_once(' ')?;
    let fits = named.eq_ignore_ascii_case(scheme) && given.len() <= CREDENTIAL_BYTES_MAX;
    fits.then(|| given.trim().to_owned())
}

fn basic(given: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
    decoded.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned()))
}

fn peer(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}
