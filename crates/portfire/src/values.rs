//! Values that handlers take from their server or host: shared ones, and ones made anew for each attempt.
//!
//! 1. The application gives them to the server, the host or a queue by type: `provide`, `provide_with`.
//! 2. At start the server checks that every kind finds what it needs.
//! 3. An attempt asks its [`AttemptScope`]; a factory runs at most once per attempt for a borrowed value.
//! 4. When the attempt ends, however, the scope lets go of what it made.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use crate::JobError;

type Shared = Arc<dyn Any + Send + Sync>;
type Made = Pin<Box<dyn Future<Output = Result<Box<dyn Any + Send + Sync>, JobError>> + Send>>;
type Factory = Arc<dyn Fn(AttemptScope) -> Made + Send + Sync>;

/// All values a server provides, by type.
#[derive(Clone, Default)]
pub(crate) struct Values {
    shared: HashMap<TypeId, Shared>,
    factories: HashMap<TypeId, Factory>,
}

impl Values {
    pub(crate) fn provide<T: Send + Sync + 'static>(&mut self, value: T) {
        self.shared.insert(TypeId::of::<T>(), Arc::new(value));
    }

    pub(crate) fn provide_with<T, F, R>(&mut self, make: F)
    where
        T: Send + Sync + 'static,
        F: Fn(AttemptScope) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, JobError>> + Send + 'static,
    {
        let factory: Factory = Arc::new(move |scope| {
            let made = make(scope);
            Box::pin(async move { made.await.map(|value| Box::new(value) as Box<dyn Any + Send + Sync>) })
        });
        self.factories.insert(TypeId::of::<T>(), factory);
    }

    /// These values, and what `outer` provides beyond them.
    pub(crate) fn within(&self, outer: &Self) -> Self {
        let mut all = outer.clone();
        for id in self.shared.keys().chain(self.factories.keys()) {
            all.shared.remove(id);
            all.factories.remove(id);
        }
        all.shared.extend(self.shared.iter().map(|(id, value)| (*id, Arc::clone(value))));
        all.factories.extend(self.factories.iter().map(|(id, make)| (*id, Arc::clone(make))));
        all
    }

    pub(crate) fn has(&self, id: TypeId) -> bool {
        self.shared.contains_key(&id) || self.factories.contains_key(&id)
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({} shared, {} made per attempt)", self.shared.len(), self.factories.len())
    }
}

/// The values of one attempt. Handed to factories, so that one value can be made from others.
///
/// ```no_run
/// use portfire::prelude::*;
///
/// struct Pool;
/// struct Session(std::sync::Arc<Pool>);
///
/// #[job]
/// async fn work(#[from] session: &Session) {
///     let Session(_pool) = session;
/// }
///
/// # async fn example(jobs: &Jobs) -> portfire::Result<()> {
/// Server::new(jobs)
///     .provide(Pool)
///     .provide_with(|scope| async move { Ok(Session(scope.value().await?)) })
///     .job::<work>()
///     .run()
///     .await
/// # }
/// ```
#[derive(Clone)]
pub struct AttemptScope {
    values: Arc<Values>,
    made: Arc<Mutex<HashMap<TypeId, Shared>>>,
}

impl AttemptScope {
    pub(crate) fn new(values: Arc<Values>) -> Self {
        Self { values, made: Arc::default() }
    }

    /// The `T` of this attempt: the one its factory made for it, or else the shared one.
    ///
    /// # Errors
    /// What the factory returned, or that the server provides no `T`.
    ///
    /// # Cancel safety
    /// If dropped, the factory's work is dropped with it.
    pub async fn value<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, JobError> {
        let id = TypeId::of::<T>();
        if let Some(found) = self.find(id) {
            return downcast(found);
        }
        let made: Shared = Arc::new(self.make::<T>().await?);
        let mut all = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        downcast(all.entry(id).or_insert(made).clone())
    }

    /// A fresh `T` from its factory, owned by the caller.
    ///
    /// # Errors
    /// As [`value`](Self::value); a value that is only shared cannot be owned.
    pub async fn make<T: Send + Sync + 'static>(&self) -> Result<T, JobError> {
        let factory = self.values.factories.get(&TypeId::of::<T>()).ok_or_else(missing::<T>)?;
        let made = factory(self.clone()).await?;
        made.downcast().map(|value| *value).map_err(|_| missing::<T>())
    }

    /// Lets go of everything made for this attempt: one by one, so that all go even if one of them panics.
    pub(crate) fn release(&self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        made.into_values().for_each(drop);
    }

    /// What was made for this attempt already; or the shared one, where no factory would make one.
    fn find(&self, id: TypeId) -> Option<Shared> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        made.or_else(|| {
            let shared = self.values.shared.get(&id).filter(|_| !self.values.factories.contains_key(&id));
            shared.cloned()
        })
    }
}

impl fmt::Debug for AttemptScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.values, f)
    }
}

fn downcast<T: Send + Sync + 'static>(value: Shared) -> Result<Arc<T>, JobError> {
    value.downcast().map_err(|_| missing::<T>())
}

fn missing<T>() -> JobError {
    JobError::message(format!(
        "nothing provides a `{0}` of its own for an attempt; add `.provide(…)` for a shared one that \
         handlers borrow, or `.provide_with(…)` for one that they own",
        type_name::<T>()
    ))
}
