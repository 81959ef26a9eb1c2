//! How a dashboard is set up.

use std::fmt;
use std::future::{Future, pending};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::routing::any;
use futures_util::FutureExt;
use portfire_core::{Clock, Language, Storage};

use crate::clock::SystemClock;
use crate::ctx::{Shared, Stop};
use crate::gate::{Access, FnGate, Gate, LoopbackGate};
use crate::reader::Redactor;
use crate::sampler::Sampler;
use crate::serve::serve;

/// A dashboard over this storage. [`Builder::build`] makes it a router.
///
/// Give it a storage of its own, so that looking never takes a connection from the servers: that is what the
/// backends' `for_dashboard` options and `Jobs::storage_for_dashboard` are for.
pub fn dashboard(storage: Arc<dyn Storage>) -> Builder {
    Builder {
        storage,
        gate: Arc::new(LoopbackGate::default()),
        clock: Arc::new(SystemClock),
        base_path: None,
        trust_forwarded_prefix: false,
        trusted_origins: Vec::new(),
        language: None,
        redacted: Vec::new(),
        name: "".into(),
        stop: pending().boxed().shared(),
    }
}

/// A dashboard that is being set up.
#[must_use]
pub struct Builder {
    storage: Arc<dyn Storage>,
    gate: Arc<dyn Gate>,
    clock: Arc<dyn Clock>,
    base_path: Option<Box<str>>,
    trust_forwarded_prefix: bool,
    trusted_origins: Vec<Box<str>>,
    language: Option<Language>,
    redacted: Vec<Box<str>>,
    name: Box<str>,
    stop: Stop,
}

impl Builder {
    /// Who may come in. Default: this machine itself ([`LoopbackGate`]).
    pub fn gate(mut self, gate: impl Gate + 'static) -> Self {
        self.gate = Arc::new(gate);
        self
    }

    /// The same as a function.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use portfire_core::{ModelStorage, VirtualClock};
    /// use portfire_dashboard::{Access, Grant, Permissions, dashboard};
    ///
    /// # let storage = Arc::new(ModelStorage::new(Arc::new(VirtualClock::default())));
    /// let router = dashboard(storage)
    ///     .gate_fn(|parts| match parts.extensions.get::<String>() {
    ///         Some(user) => Access::Granted(Grant::new(user.as_str(), Permissions::operator())),
    ///         None => Access::Redirect("/login".into()),
    ///     })
    ///     .build();
    /// # let _ = router;
    /// ```
    pub fn gate_fn(self, gate: impl Fn(&Parts) -> Access + Send + Sync + 'static) -> Self {
        self.gate(FnGate(gate))
    }

    /// The path under which browsers reach the dashboard, for a proxy that strips it. Default: found out at
    /// each request.
    pub fn base_path(mut self, path: impl Into<Box<str>>) -> Self {
        self.base_path = Some(path.into());
        self
    }

    /// Believes `X-Forwarded-Prefix`, which some proxies send when they strip a prefix. Only for a dashboard
    /// that nobody reaches but through such a proxy. Default: no.
    pub fn trust_forwarded_prefix(mut self, trust: bool) -> Self {
        self.trust_forwarded_prefix = trust;
        self
    }

    /// A further origin (`https://jobs.example`) from which changes may come, for a proxy that rewrites `Host`.
    pub fn trusted_origin(mut self, origin: impl Into<Box<str>>) -> Self {
        self.trusted_origins.push(origin.into());
        self
    }

    /// The language for visitors who have not chosen one. Default: what their browser asks for.
    pub fn language(mut self, language: Language) -> Self {
        self.language = Some(language);
        self
    }

    /// Hides the values of fields of this name (in any case, at any depth) in arguments and results.
    pub fn redact(mut self, field: impl Into<Box<str>>) -> Self {
        self.redacted.push(field.into());
        self
    }

    /// A name for this installation, such as "production", shown beside the product's. Default: none.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Ends the streams of live updates when this does: hand in the host's request to stop, so that an open page
    /// does not hold up its shutdown. Without it a stream ends after a minute.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use portfire_core::{ModelStorage, VirtualClock};
    /// # let storage = Arc::new(ModelStorage::new(Arc::new(VirtualClock::default())));
    /// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// let router = portfire_dashboard::dashboard(storage).until(async { drop(stopped.await) }).build();
    /// # let _ = (stop, router);
    /// ```
    pub fn until(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        self.stop = stop.boxed().shared();
        self
    }

    /// The clock by which ages are reckoned between two looks at the storage's own. Default: the host's; tests
    /// hand in a virtual one.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The dashboard as a router.
    pub fn build(self) -> Router {
        let shared = Arc::new(Shared {
            sampler: Sampler::new(Arc::clone(&self.storage), Arc::clone(&self.clock)),
            storage: self.storage,
            gate: self.gate,
            base_path: self.base_path,
            trust_forwarded_prefix: self.trust_forwarded_prefix,
            trusted_origins: self.trusted_origins,
            language: self.language,
            redactor: Redactor::new(self.redacted),
            name: self.name,
            stop: self.stop,
            streams: Arc::new(tokio::sync::Semaphore::new(crate::live::STREAMS_MAX)),
            ids: std::sync::Mutex::new(portfire_core::IdSequence::new(crate::clock::system_dice())),
        });
        let handler = any(move |request: Request| serve(Arc::clone(&shared), request));
        Router::new().route("/", handler.clone()).route("/{*path}", handler)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("gate", &self.gate)
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}
