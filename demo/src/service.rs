//! The whole service in one place: what is opened, what runs together, and how it ends.
//!
//! 1. The address is taken first, so a second process fails at once. Directories, the database, Portfire.
//! 2. One host runs everything: leftovers of a killed process are removed, then the server of jobs, previews,
//!    cleanup, the tour, and HTTP last.
//! 3. Ctrl-C or SIGTERM: the reverse. HTTP finishes its requests, previews and jobs drain.

use std::sync::Arc;

use portfire::hosting::{Background, Every, Host, OnFailure, TaskQueue, Web, on_start};
use portfire::{DurationExt, JobError, Jobs};
use tokio::net::TcpListener;

use crate::app::{App, router};
use crate::cleanup::{remove_expired_hourly, remove_old_files};
use crate::config::Config;
use crate::database::{Database, DatabaseError};
use crate::files::DataDir;
use crate::login::Login;
use crate::mailer::Mailer;
use crate::tour::Tour;
use crate::{jobs, preview};

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
    /// The application's tables cannot be used.
    #[error("cannot use the database: {0}")]
    Database(#[from] DatabaseError),
    /// Portfire cannot work.
    #[error(transparent)]
    Jobs(#[from] portfire::Error),
    /// The URL of the mail server is not understood.
    #[error("cannot use the mail server: {0}")]
    Mail(#[from] lettre::transport::smtp::Error),
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
    let address = listener.local_addr().map_err(|cause| not_listening(&config.listen, cause))?;
    let data = DataDir::open(&config.data_dir).await.map_err(ServiceError::Data)?;
    let url = config.database_url();
    let database = Database::open(&url).await?;
    let jobs = Jobs::connect(&url).await?;
    let looking = Jobs::storage_for_dashboard(&url).await?;
    let mailer = mailer(&config, &data)?;
    jobs::put_schedules(&jobs, &config.time_zone).await?;
    let administrator = jobs::Administrator(config.admin_email.clone(), config.language);
    let server = jobs::server(&jobs, database.clone(), data.clone(), mailer, administrator, config.lease());
    let previews = preview::queue();
    let login = Arc::new(Login::new(config.key.clone()));
    let tour = Tour::new(format!("http://{address}"), login.key(), config.language);

    // Long enough for a proxy on the same machine to notice; a person who presses Ctrl-C hardly does.
    let host = Host::new().shutdown_delay(500.milliseconds());
    let app = app(&config, &jobs, &database, &data, &previews);
    let router = router(app, &host, &login, looking);
    let sweeping = data.clone();
    Ok(host
        .provide(data.clone())
        .provide(database.clone())
        .service("old uploads", on_start(move |_ctx| sweep(sweeping.clone(), jobs.clone())))
        .server(server)
        .queue(&previews)
        .periodic("deleted users", Every::delay(1.hour()).at_once(), remove_expired_hourly)
        .periodic("old files", Every::delay(1.hour()).at_once(), remove_old_files)
        .add(guided(tour, database, data, !config.no_sample))
        .add(Web::on(listener, router))
        .run()
        .await?)
}

/// The tour, which is shown once: a tour that panics must not take the service down.
fn guided(tour: Tour, database: Database, data: DataDir, with_sample: bool) -> Background {
    let tour = Background::new("tour", move |ctx| {
        let (tour, database, data) = (tour.clone(), database.clone(), data.clone());
        async move {
            ctx.lifetime().started().await;
            tour.say_address();
            if with_sample && let Err(error) = tour.show(&database, &data).await {
                tracing::warn!(error = %error, "the tour ended early");
            }
            Ok(())
        }
    });
    tour.on_failure(OnFailure::LeaveDead)
}

fn app(config: &Config, jobs: &Jobs, database: &Database, data: &DataDir, previews: &TaskQueue) -> App {
    App {
        jobs: jobs.clone(),
        database: database.clone(),
        data: data.clone(),
        previews: previews.clone(),
        upload_max: config.upload_max,
        admin: config.admin_email.clone(),
    }
}

async fn sweep(data: DataDir, jobs: Jobs) -> Result<(), JobError> {
    Ok(data.sweep_uploads(&jobs).await?)
}

async fn listen(address: &str) -> Result<TcpListener, ServiceError> {
    TcpListener::bind(address).await.map_err(|cause| not_listening(address, cause))
}

fn not_listening(address: &str, cause: std::io::Error) -> ServiceError {
    ServiceError::Listen { address: address.into(), cause }
}

fn mailer(config: &Config, data: &DataDir) -> Result<Mailer, ServiceError> {
    let from = config.mail_from.clone();
    match &config.smtp_url {
        Some(url) => Ok(Mailer::to_smtp(url, from)?),
        None => Ok(Mailer::to_files(data.mail(), from)),
    }
}
