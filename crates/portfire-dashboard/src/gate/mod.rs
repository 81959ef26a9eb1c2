//! Who may see and do what.
//!
//! 1. Every request comes here before anything else is looked at ([`Gate::access`]).
//! 2. The answer says who it is, what they may do, and which queues exist for them ([`Grant`]); or what is
//!    to be answered instead.
//! 3. The server compares that with the route's permission. Templates only hide what would be refused.
//!
//! The host's own login is a gate: implement the trait, or hand a function to
//! [`Builder::gate_fn`](crate::Builder::gate_fn). Without a gate only the machine itself is let in
//! ([`LoopbackGate`]).

mod attempts;
mod login;
mod loopback;
mod password;
mod permission;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use axum::http::request::Parts;

pub use login::{BasicGate, BearerGate};
pub use loopback::LoopbackGate;
pub use password::{PasswordHash, hash_password};
pub use permission::{Permission, Permissions};

/// The future of a gate's answer.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Access> + Send + 'a>>;

/// Decides who may come in.
pub trait Gate: fmt::Debug + Send + Sync {
    /// Who makes this request, and what they may do. The peer's address is in the extensions of `parts` as
    /// `ConnectInfo<SocketAddr>` if the host serves with it.
    ///
    /// # Cancel safety
    /// The future is dropped when the client goes away; an implementation has to bear that.
    fn access<'a>(&'a self, parts: &'a Parts) -> Answer<'a>;
}

/// A gate's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Come in.
    Granted(Grant),
    /// Go away, for this reason (a sentence for people, without secrets).
    Denied(Box<str>),
    /// Say who you are: the value of `WWW-Authenticate`.
    Challenge(Box<str>),
    /// Log in there first: an address of the host.
    Redirect(Box<str>),
    /// Too many wrong passwords from there; try again later.
    TooMany,
}

/// Who came in, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Their name, as it stands in the audit log and beside what they did.
    pub actor: Box<str>,
    /// What they may do.
    pub can: Permissions,
    /// What exists for them.
    pub scope: Scope,
}

impl Grant {
    /// Somebody with these permissions, for whom every queue exists.
    pub fn new(actor: impl Into<Box<str>>, can: Permissions) -> Self {
        Self { actor: actor.into(), can, scope: Scope::Everything }
    }
}

/// Which part of the jobs exists for somebody. It is part of every query, not a filter over what was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    #[default]
    Everything,
    /// Only what is in these queues, and the schedules that put into them.
    Queues(Vec<Box<str>>),
}

impl Scope {
    /// Whether this queue exists for them.
    pub fn has_queue(&self, queue: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Queues(queues) => queues.iter().any(|known| **known == *queue),
        }
    }
}

/// A gate made of a function.
pub(crate) struct FnGate<F>(pub(crate) F);

impl<F> fmt::Debug for FnGate<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FnGate")
    }
}

impl<F: Fn(&Parts) -> Access + Send + Sync> Gate for FnGate<F> {
    fn access<'a>(&'a self, parts: &'a Parts) -> Answer<'a> {
        Box::pin(std::future::ready((self.0)(parts)))
    }
}
