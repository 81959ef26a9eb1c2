//! The `#[job]` attribute of Portfire. Use it through the `portfire` crate, where its guide is.

mod attributes;
mod expand;
mod faults;
mod lifetimes;
mod limits;
mod signature;

use proc_macro::TokenStream;

/// Makes a job of a function: calling the function then makes a value that can be enqueued.
///
/// ```text
/// /// Sends the welcome e-mail.
/// #[job(queue = "mail", attempts = 5)]
/// async fn send_welcome(#[from] mailer: &Mailer, ctx: &JobContext, user_id: i64) -> Result<(), MailError> {
///     …
/// }
///
/// send_welcome(42).enqueue(&jobs).await?;
/// Server::new(&jobs).job::<send_welcome>().provide(mailer).run().await?;
/// ```
///
/// # Parameters
/// - `#[from] x: &T`: the server's `T`: made for this attempt by a factory, or else shared.
/// - `#[from] x: &mut T`, `#[from] x: T`: a fresh `T` from the server's factory.
/// - `&JobContext`: the attempt's context.
/// - every other parameter is an argument. Arguments are stored by name as JSON, so they are owned types
///   with serde's traits; serde's field attributes are allowed on them (`#[serde(default)] lang: String`).
///
/// An `async fn` runs on the runtime; a plain `fn` on a thread for blocking work. It returns nothing, or
/// a `Result` of any error. Its own attributes go on working: `#[tracing::instrument]` and lints belong to
/// its body, `#[cfg]` to all that becomes of it, `#[deprecated]` to the call.
///
/// # Options
/// | option | meaning | default |
/// |---|---|---|
/// | `kind = "name"` | the stable name under which jobs are stored | the function's name |
/// | `queue = "name"` | the line it waits in | `default` |
/// | `priority = -5` | smaller runs first | 0 |
/// | `attempts = 5` | most attempts, the first included | 10 |
/// | `backoff = expr` | a `Backoff` | Hangfire's curve |
/// | `retry_delay = path` | `fn(retry: u32, &JobError) -> Option<Duration>` | none |
/// | `timeout = expr` | a `Duration` | none |
/// | `retention = expr` | a `Retention` | one day after success |
/// | `tags = ["a", "b"]` | words to find it by | none |
///
/// # What it expands to
/// A struct with the function's name, its arguments as fields, and an implementation of `Job`; and a
/// function with the same name that makes a call of it. A type and a function may share a name.
#[proc_macro_attribute]
pub fn job(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let (options, function) = (attributes::parse(attribute.into()), signature::Function::parse(item.into()));
    let mut faults = faults::Faults::default();
    let expanded = match (faults.of(options), faults.of(function)) {
        (Some(options), Some(function)) => faults.or(expand::expand(&options, &function)),
        _ => faults.or(proc_macro2::TokenStream::new()),
    };
    expanded.unwrap_or_else(|fault| fault.to_compile_error()).into()
}
