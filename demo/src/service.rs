//! The whole service in one place: what is opened in which order, and how it ends.
//!
//! 1. Directories, the database, Portfire; leftovers of a killed process are removed.
//! 2. The address is taken before anything works, so a second process fails at once.
//! 3. The server of jobs, then HTTP; the tour runs beside them.
//! 4. Ctrl-C or SIGTERM: HTTP finishes its requests, then the jobs drain.

use std::future::{IntoFuture, pending};

use portfire::Jobs;
use tokio::net::TcpListener;

use crate::app::{App, router};
use crate::config::Config;
use crate::database::Database;
use crate::files::DataDir;
use crate::jobs;
use crate::mailer::Mailer;
use crate::tour::Tour;

/// Why the service could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The address is taken or cannot be used.
    #[error("cannot listen on {address}: {cause}{hint}", hint = taken_hint(.cause))]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error("cannot use the data directory: {0}")]
    Data(std::io::Error),
    /// Old uploads cannot be removed.
    #[error("cannot remove old uploads: {0}")]
    Sweep(#[from] crate::files::SweepError),
    /// The application's tables cannot be used.
    #[error("cannot use the database: {0}")]
    Database(#[from] sqlx::Error),
    /// Portfire cannot work.
    #[error(transparent)]
    Jobs(#[from] portfire::Error),
    /// The URL of the mail server is not understood.
    #[error("cannot use the mail server: {0}")]
    Mail(#[from] lettre::transport::smtp::Error),
    /// HTTP ended unexpectedly.
    #[error("the web server failed: {0}")]
    Http(std::io::Error),
}

fn taken_hint(cause: &std::io::Error) -> &'static str {
    if cause.kind() == std::io::ErrorKind::AddrInUse {
        ". Another program uses this port; choose one with `--listen`, or any free one with `--listen 127.0.0.1:0`"
    } else {
        ""
    }
}

/// Runs the service until Ctrl-C or SIGTERM.
///
/// # Errors
/// If something it needs cannot be had.
///
/// # Cancel safety
/// If dropped, running jobs are dropped too; the next start goes on with them.
pub async fn run(config: Config) -> Result<(), ServiceError> {
    let listener = listen(&config.listen).await?;
    let address = format!("http://{}", listener.local_addr().map_err(ServiceError::Http)?);
    let data = DataDir::open(&config.data_dir).await.map_err(ServiceError::Data)?;
    let url = config.database_url();
    let database = Database::open(&url).await?;
    let jobs = Jobs::connect(&url).await?;
    data.sweep_uploads(&jobs).await?;
    let mailer = mailer(&config, &data)?;
    jobs::put_schedules(&jobs, &config.time_zone).await?;
    let administrator = jobs::Administrator(config.admin_email.clone(), config.language);
    let server = jobs::server(&jobs, database.clone(), data.clone(), mailer, administrator, config.lease());
    let server = server.start().await?;

    let tour = Tour::new(address, config.language);
    tour.say_address();
    let app = App {
        jobs,
        database: database.clone(),
        data: data.clone(),
        upload_max: config.upload_max,
        admin: config.admin_email,
    };
    let http = axum::serve(listener, router(app)).with_graceful_shutdown(asked_to_stop());
    let beside = async {
        if !config.no_sample
            && let Err(error) = tour.show(&database, &data).await
        {
            tracing::warn!(error = %error, "the tour ended early");
        }
        pending::<()>().await;
    };
    let served = tokio::select! { served = http.into_future() => served, () = beside => Ok(()) };
    server.stop().await?;
    served.map_err(ServiceError::Http)
}

async fn listen(address: &str) -> Result<TcpListener, ServiceError> {
    TcpListener::bind(address).await.map_err(|cause| ServiceError::Listen { address: address.into(), cause })
}

fn mailer(config: &Config, data: &DataDir) -> Result<Mailer, ServiceError> {
    let from = config.mail_from.clone();
    match &config.smtp_url {
        Some(url) => Ok(Mailer::to_smtp(url, from)?),
        None => Ok(Mailer::to_files(data.mail(), from)),
    }
}

/// Returns when the process is asked to stop.
async fn asked_to_stop() {
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = pending::<()>();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
