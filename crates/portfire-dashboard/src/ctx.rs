//! What a page knows of the request it answers.

use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;
use portfire_core::storage::{By, Person, Via};
use portfire_core::{IdSequence, JobId, Language, Storage, Timestamp};

use crate::gate::{Gate, Grant, Permission};
use crate::messages::Text;
use crate::pairs::Pairs;
use crate::reader::{Reader, Redactor};
use crate::refusal::{Refusal, Result};
use crate::sampler::{Glance, Sampler};
use crate::urls::Urls;

/// Ends when the host stops.
pub(crate) type Stop = futures_util::future::Shared<futures_util::future::BoxFuture<'static, ()>>;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) sampler: Sampler,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) base_path: Option<Box<str>>,
    pub(crate) trust_forwarded_prefix: bool,
    pub(crate) trusted_origins: Vec<Box<str>>,
    pub(crate) language: Option<Language>,
    pub(crate) redactor: Redactor,
    pub(crate) name: Box<str>,
    pub(crate) ids: Mutex<IdSequence>,
    pub(crate) stop: Stop,
    /// Places for live streams.
    pub(crate) streams: Arc<tokio::sync::Semaphore>,
}

/// How a page is colored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system is.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    pub(crate) const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The word in a cookie and in the page.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of this word; unknown words are the system's.
    pub(crate) fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.as_str() == word).unwrap_or_default()
    }
}

/// A request before it is known who makes it.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) shared: Arc<Shared>,
    pub(crate) text: Text,
    pub(crate) theme: Theme,
    pub(crate) urls: Urls,
    /// The path within the dashboard.
    pub(crate) path: String,
    pub(crate) query: Pairs,
    /// Whether the page can be asked for again as it is.
    pub(crate) is_get: bool,
    pub(crate) headers: HeaderMap,
    /// Whether only the content is asked for, to be put into a page that is already there.
    pub(crate) is_fragment: bool,
}

impl Visit {
    /// This page, to come back to; the first page if this one answers a form.
    pub(crate) fn here(&self) -> String {
        if !self.is_get {
            return "/".to_owned();
        }
        format!("{}{}", self.path, self.query.without(&["done", "lang"]).to_query())
    }
}

/// A request that may be answered.
#[derive(Clone, Debug)]
pub(crate) struct Ctx {
    pub(crate) visit: Visit,
    pub(crate) grant: Grant,
    /// The way they came: by a page, or as a program.
    pub(crate) via: Via,
    /// What stood in the places of the route's path.
    pub(crate) params: Vec<String>,
    /// What was sent with it; empty for a GET.
    pub(crate) form: Pairs,
}

impl std::ops::Deref for Ctx {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.visit
    }
}

impl Ctx {
    /// Whether this may be done. Templates ask it to hide what would be refused.
    pub(crate) fn can(&self, permission: Permission) -> bool {
        self.grant.can.has(permission)
    }

    /// Refuses if this may not be done.
    pub(crate) fn need(&self, permission: Permission) -> Result<()> {
        if self.can(permission) { Ok(()) } else { Err(Refusal::NoRight(permission)) }
    }

    /// The counts and servers, at most two seconds old, and the storage's clock.
    pub(crate) async fn glance(&self) -> Result<Arc<Glance>> {
        self.shared.sampler.glance().await
    }

    /// The storage's clock now, as far as it is known.
    pub(crate) fn now(&self, glance: &Glance) -> Timestamp {
        self.shared.sampler.now(glance)
    }

    /// How jobs and schedules are read.
    pub(crate) fn read(&self) -> Reader<'_> {
        Reader::new(&*self.shared.storage, &self.grant, &self.shared.redactor)
    }

    /// Who does what they ask for, with the reason that they give.
    pub(crate) fn by(&self) -> Result<By> {
        let person = Person::new(self.grant.actor.clone(), self.via)?;
        Ok(By::Person(person.because(self.form.get("reason").unwrap_or_default())))
    }

    /// The job that the path names.
    pub(crate) fn job_id(&self) -> Result<JobId> {
        self.params.first().and_then(|id| id.parse().ok()).ok_or(Refusal::NoJob)
    }
}
