//! Code around every attempt: timing, context, veto. Like tower's layers, at the altitude of outcomes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use portfire_core::Outcome;

use crate::JobContext;
use crate::server::Runner;

/// Something that wraps every attempt of a server.
///
/// ```
/// use portfire::{JobContext, Layer, Next, Outcome};
/// use std::future::Future;
/// use std::pin::Pin;
///
/// struct Announce;
///
/// impl Layer for Announce {
///     fn around<'a>(
///         &'a self,
///         ctx: &'a JobContext,
///         next: Next<'a>,
///     ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
///         Box::pin(async move {
///             ctx.log("begins");
///             next.run(ctx).await
///         })
///     }
/// }
/// ```
pub trait Layer: Send + Sync + 'static {
    /// Runs the attempt, or does not, and says what it came to. Panics and timeouts are handled outside.
    fn around<'a>(
        &'a self,
        ctx: &'a JobContext,
        next: Next<'a>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;
}

/// The rest of an attempt: the layers further in, and the handler.
pub struct Next<'a> {
    pub(crate) layers: &'a [Arc<dyn Layer>],
    pub(crate) runner: Runner,
}

impl Next<'_> {
    /// Runs the rest.
    pub async fn run(self, ctx: &JobContext) -> Outcome {
        match self.layers.split_first() {
            Some((layer, layers)) => layer.around(ctx, Next { layers, runner: self.runner }).await,
            None => (self.runner)(ctx.clone()).await,
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Next({} layers, then the handler)", self.layers.len())
    }
}
