//! Steering as the application holds it: pause a queue, quiet and stop a server, and see who did what.
//!
//! What a client does is the program's own doing and leaves no entry in the audit, unless the client acts for a
//! person ([`Jobs::acting_as`]).

use portfire_core::storage::{
    AuditEntry, AuditRequest, By, Directed, PausedQueue, Person, QueueCount, QueueOrder, ServerOrder,
    ServerView, Target,
};
use portfire_core::{Error, Result, ServerId};

use crate::Jobs;

/// A queue, by its name. Queues need not be made: one is there as soon as something is said of it.
#[derive(Clone, Debug)]
pub struct QueueHandle<'j> {
    jobs: &'j Jobs,
    name: Box<str>,
}

impl QueueHandle<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lets no server take jobs from it, until it is resumed. Jobs that run go on, and new ones are stored and
    /// wait. It holds for all servers, also for those that start later.
    ///
    /// Once this returns, no claim that begins takes from the queue; one that is under way still may.
    ///
    /// # Errors
    /// Misuse if no queue can have this name; otherwise what the storage reports.
    ///
    /// # Cancel safety
    /// If dropped, the queue may or may not be paused; repeating the call is harmless.
    pub async fn pause(&self) -> Result<Directed> {
        self.direct(QueueOrder::Pause).await
    }

    /// Lets servers take jobs from it again, and wakes them.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    ///
    /// # Cancel safety
    /// As [`pause`](Self::pause).
    pub async fn resume(&self) -> Result<Directed> {
        self.direct(QueueOrder::Resume).await
    }

    /// Since when it is paused, by whom and why; `None` if it is not.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn paused(&self) -> Result<Option<PausedQueue>> {
        let paused = self.jobs.storage().overview().await?.paused;
        Ok(paused.into_iter().find(|paused| paused.queue == self.name))
    }

    async fn direct(&self, order: QueueOrder) -> Result<Directed> {
        let (queues, by) = (vec![self.name.clone()], self.jobs.by().clone());
        only(self.jobs.storage().direct_queues(queues, order, by).await?)
    }
}

/// A server, by its id: this process' own ([`RunningServer::id`](crate::RunningServer::id)), or any other of
/// the storage ([`Jobs::servers`]).
///
/// It hears of an order at its next heartbeat: with the default lease of 30 s, within 10 s. A server that is
/// dead never does.
#[derive(Clone, Debug)]
pub struct ServerHandle<'j> {
    jobs: &'j Jobs,
    id: ServerId,
}

impl ServerHandle<'_> {
    /// Its id.
    pub const fn id(&self) -> ServerId {
        self.id
    }

    /// Everything known of it; `None` if there is no such server.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn get(&self) -> Result<Option<ServerView>> {
        Ok(self.jobs.servers().await?.into_iter().find(|server| server.id == self.id))
    }

    /// Lets it take no more jobs, but finish those it has and stay.
    ///
    /// # Errors
    /// What the storage reports.
    ///
    /// # Cancel safety
    /// If dropped, the order may or may not be given; repeating the call is harmless.
    pub async fn quiet(&self) -> Result<Directed> {
        self.direct(ServerOrder::Quiet).await
    }

    /// Lets it take jobs again. [`Directed::Refused`] if it was told to stop. What its own program asked for by
    /// [`RunningServer::quiet`](crate::RunningServer::quiet) stays.
    ///
    /// # Errors
    /// As [`quiet`](Self::quiet).
    ///
    /// # Cancel safety
    /// As [`quiet`](Self::quiet).
    pub async fn resume(&self) -> Result<Directed> {
        self.direct(ServerOrder::Run).await
    }

    /// Stops it as [`RunningServer::stop`](crate::RunningServer::stop) does, with its own shutdown timeout:
    /// [`Server::run`](crate::Server::run) returns, [`RunningServer::ended`](crate::RunningServer::ended) too,
    /// and in a [`Host`](crate::hosting::Host) the service has finished. The process itself goes on if it has
    /// something else to do. This cannot be taken back.
    ///
    /// # Errors
    /// As [`quiet`](Self::quiet).
    ///
    /// # Cancel safety
    /// As [`quiet`](Self::quiet).
    pub async fn stop(&self) -> Result<Directed> {
        self.direct(ServerOrder::Stop).await
    }

    async fn direct(&self, order: ServerOrder) -> Result<Directed> {
        let by = self.jobs.by().clone();
        only(self.jobs.storage().direct_servers(vec![self.id], order, by).await?)
    }
}

/// A queue at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueView {
    /// Its name.
    pub name: Box<str>,
    /// Its jobs by state, in the order of a job's life; states without jobs are absent.
    pub counts: Vec<QueueCount>,
    /// Since when it is paused, by whom and why; `None` if it is not.
    pub paused: Option<PausedQueue>,
}

impl Jobs {
    /// The same client, whose acts are those of this person: each leaves an entry in the
    /// [audit](Self::audit).
    ///
    /// ```
    /// use portfire::prelude::*;
    /// use portfire::{AuditRequest, Person, Via};
    /// # use portfire::ModelStorage;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let clock = std::sync::Arc::new(portfire_core::VirtualClock::default());
    /// # let jobs = Jobs::new(std::sync::Arc::new(ModelStorage::new(clock)));
    /// let ann = Person::new("ann@example.com", Via::Api)?.because("the mail provider is down");
    /// jobs.acting_as(ann).queue("mail").pause().await?;
    ///
    /// let entries = jobs.audit(None, AuditRequest::default()).await?;
    /// assert_eq!((entries[0].by.name(), &*entries[0].action), ("ann@example.com", "pause"));
    /// # Ok::<_, portfire::Error>(()) }).unwrap();
    /// ```
    #[must_use = "the client itself does not change"]
    pub fn acting_as(&self, person: Person) -> Self {
        self.with_by(By::Person(person))
    }

    /// The queue with this name, to pause or to resume.
    ///
    /// ```
    /// use portfire::prelude::*;
    /// # use portfire::ModelStorage;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let clock = std::sync::Arc::new(portfire_core::VirtualClock::default());
    /// # let jobs = Jobs::new(std::sync::Arc::new(ModelStorage::new(clock)));
    /// jobs.queue("mail").pause().await?;
    /// assert!(jobs.queue("mail").paused().await?.is_some());
    /// jobs.queue("mail").resume().await?;
    /// # Ok::<_, portfire::Error>(()) }).unwrap();
    /// ```
    pub fn queue(&self, name: impl Into<Box<str>>) -> QueueHandle<'_> {
        QueueHandle { jobs: self, name: name.into() }
    }

    /// The server with this id, to look at, to quiet or to stop.
    ///
    /// ```no_run
    /// use portfire::prelude::*;
    ///
    /// # async fn example() -> portfire::Result<()> {
    /// let jobs = Jobs::connect("sqlite://jobs.db").await?;
    /// for server in jobs.servers().await? {
    ///     if &*server.info.build == "shop 1.2.3" {
    ///         jobs.server(server.id).quiet().await?; // that version takes no more jobs
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn server(&self, id: ServerId) -> ServerHandle<'_> {
        ServerHandle { jobs: self, id }
    }

    /// The servers, by id: what each says of itself, until when it is trusted, and what it was told to do.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn servers(&self) -> Result<Vec<ServerView>> {
        Ok(self.storage().overview().await?.servers)
    }

    /// The queues by name: those that have jobs, those that a server serves, and those that are paused.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn queues(&self) -> Result<Vec<QueueView>> {
        let overview = self.storage().overview().await?;
        let mut queues = std::collections::BTreeMap::<Box<str>, QueueView>::new();
        for name in overview.servers.into_iter().flat_map(|server| server.info.queues) {
            queues.entry(name).or_default();
        }
        for count in overview.counts {
            queues.entry(count.queue.clone()).or_default().counts.push(count);
        }
        for paused in overview.paused {
            let queue = queues.entry(paused.queue.clone()).or_default();
            queue.paused = Some(paused);
        }
        Ok(queues.into_iter().map(|(name, queue)| QueueView { name, ..queue }).collect())
    }

    /// A page of what persons did, latest first: to everything (`None`), or to one target, which need not be
    /// there any more. Entries are kept for 90 days.
    ///
    /// # Errors
    /// What the storage reports.
    pub async fn audit(
        &self,
        about: impl Into<Option<Target>>,
        page: AuditRequest,
    ) -> Result<Vec<AuditEntry>> {
        self.storage().audit(about.into(), page).await
    }
}

/// The answer to an order that was given to one.
fn only(answers: Vec<Directed>) -> Result<Directed> {
    answers.first().copied().ok_or_else(|| Error::broken("the storage gave no answer to the order"))
}
